//===- WeightOps.td - weights that never enter IR text ---------*- tablegen -*-===//
#ifndef MEZZO_DIALECTS_MEZZO_WEIGHTOPS_TD
#define MEZZO_DIALECTS_MEZZO_WEIGHTOPS_TD

include "dialects/Mezzo/MezzoOpBase.td"

def Mezzo_WeightOp : Mezzo_Op<"weight", [Symbol]> {
  let summary = "a constant of the model: its format, and where its bytes are";
  let description = [{
    Two kinds. A *plain* weight is one tensor in row-major order (`type`, `data`). A *quantized* weight is a matrix of codes
    W[N, K] of a `spec` (the grammar of `lib/Number`), with `data` the bytes of the codes in `layout` (axes `n`, `k`, `b`),
    `scales` [N, G], optional `offsets` [N, G] (integer zero points in `i16`, a float zero or minimum in a float type), and an
    optional `permutation` [K] of the columns: column j multiplies activation `permutation[j]`.

    Bytes are resources that point into the mapped model file; they are neither copied nor printed. `passes/Layout` adds
    `packed`, the layout in which the kernels read the codes, and the offsets of the parts in the weight file. Packing
    happens when the file is written, one weight after the other.

    ```mlir
    mezzo.weight @w {spec = "uint4/g32+zp", type = tensor<64x256x!mezzo.q<uint4>>, group = 32 : i64,
      data = dense_resource<w_codes> : tensor<8192xi8>, layout = #mezzo.layout<"bit=[b:4, k:2], line=[k@2:*], tile=[n:*]">,
      scales = dense_resource<w_scales> : tensor<64x8xf32>, offsets = dense_resource<w_zeros> : tensor<64x8xi16>}
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<AnyRankedTensor>:$type, ElementsAttr:$data,
    OptionalAttr<StrAttr>:$spec, OptionalAttr<I64Attr>:$group, OptionalAttr<Mezzo_LayoutAttr>:$layout,
    OptionalAttr<ElementsAttr>:$scales, OptionalAttr<ElementsAttr>:$offsets, OptionalAttr<ElementsAttr>:$permutation,
    OptionalAttr<Mezzo_LayoutAttr>:$packed, OptionalAttr<DenseI64ArrayAttr>:$parts);
  let assemblyFormat = "$sym_name attr-dict";
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name, "::mlir::RankedTensorType":$type,
    "::mlir::ElementsAttr":$data), [{
      // A plain weight.
      auto &properties = $_state.getOrAddProperties<Properties>();
      properties.setSymName($_builder.getStringAttr(name));
      properties.setType(::mlir::TypeAttr::get(type));
      properties.setData(data);
    }]>];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    bool isQuantized() { return getSpec().has_value(); }
    ::mlir::RankedTensorType getTensorType() { return ::llvm::cast<::mlir::RankedTensorType>(getType()); }
    /// Rows N, columns K of a quantized weight, and its groups per row, ceil(K / group).
    int64_t getRows() { return getTensorType().getDimSize(0); }
    int64_t getColumns() { return getTensorType().getDimSize(1); }
    int64_t getGroups();
    ::mezzo::Format getFormat();
  }];
}

def Mezzo_LoadWeightOp : Mezzo_Op<"load_weight", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a weight as tensors: the plain one, or codes, scales and offsets";
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = "$weight attr-dict `:` type($results)";
}

def Mezzo_LoadPackedOp : Mezzo_Op<"load_packed", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a packed weight as flat arrays: bytes of codes, scales, offsets";
  let description = [{
    The parts of a weight as the kernels read them, each 64-byte aligned: codes in the `packed` layout, then scales and
    offsets in the order [panel][group][row], padded rows having scale 0.
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs Variadic<1DTensorOf<[I8, I16, F32, F16, BF16]>>:$results);
  let assemblyFormat = "$weight attr-dict `:` type($results)";
}

#endif // MEZZO_DIALECTS_MEZZO_WEIGHTOPS_TD
