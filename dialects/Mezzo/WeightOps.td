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
    `packed`, the layout in which the kernels read the codes, and `place`, the offset of its bytes in the weight file. Packing
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
    OptionalAttr<Mezzo_LayoutAttr>:$packed, OptionalAttr<I64Attr>:$place);
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
  let summary = "a packed weight as the kernels read it: one array of bytes";
  let description = [{
    A sequence of records, [panel][group], each the codes of a group in the `packed` layout, then the scales of the panel's
    rows, then their offsets (`PanelRecord` of `lib/Layout`). Padded rows have scale 0. The array is 64-byte aligned.
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs 1DTensorOf<[I8]>:$bytes);
  let assemblyFormat = "$weight attr-dict `:` type($bytes)";
}

#endif // MEZZO_DIALECTS_MEZZO_WEIGHTOPS_TD
