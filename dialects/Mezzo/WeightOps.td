//===- WeightOps.td - weights that never enter IR text ---------*- tablegen -*-===//
#ifndef MEZZO_DIALECTS_MEZZO_WEIGHTOPS_TD
#define MEZZO_DIALECTS_MEZZO_WEIGHTOPS_TD

include "dialects/Mezzo/MezzoOpBase.td"

def Mezzo_WeightOp : Mezzo_Op<"weight", [Symbol]> {
  let summary = "a constant of the model: its format, and where its bytes are";
  let description = [{
    Two kinds. A *plain* weight is one tensor in row-major order: `type` and `data`. A *quantized* weight is a matrix of
    codes W[N, K] with a `spec` (the grammar of `docs/numbers.md`) and

    * `type`: `tensor<NxKx!mezzo.q<FORMAT>>`, with the format of the spec;
    * `data`: the bytes of the codes as the model stores them, in `layout` (axes `n`, `k`, `b`; `docs/layouts.md`);
    * `group`: columns that share a scale, at least 1; a row has G = ceil(K / group) groups, the last perhaps shorter;
    * `scales` [N, G] in f32, f16, bf16, f8E4M3FN or f8E8M0FNU, or, on two levels, in `ui8` or `si8`;
    * `offsets` [N, G], optional: integer zero points in `i16`, or float zeros or minima (as the spec says) in the types that
      scales have;
    * `super_scales` and `super_offsets` [N, S], optional, in a float type: factors that scales and minima are multiplied by,
      each for `super` columns of a row, a multiple of `group`, or for the whole row;
    * `codebook` [E] or [N, E] in f32, E = 2^bits: the values of the codes, for all rows or for each;
    * `permutation` [K], optional, in `i32`: column j multiplies activation `permutation[j]`. `data` has the columns in this
      order too; with `unsorted`, in the order of the activations, and packing sorts them.

    `passes/Select` and `passes/Layout` add `packed`, the layout in which the kernels read the codes, and `place`, the byte
    offset in the payload of the weight file; `piece`, the columns of a record where activations have a scale for fewer columns
    than a group has, which then has several records with one scale; and `sums`: records also hold, for each row, the sum of
    C(q) - z (of C(q) where zeros are floats), which activations with a zero point need.

    Bytes are resources that point into the mapped model file; they are neither copied nor printed. Packing happens when
    the file is written, one weight after the other.

    Errors: a dynamic shape, a spec that does not parse or does not fit the type, shapes that do not follow from N, K and
    `group`, parts of a quantized weight on a plain one.

    ```mlir
    mezzo.weight @w {spec = "uint4/g32+zp", type = tensor<64x256x!mezzo.q<uint4>>, group = 32 : i64,
      data = dense_resource<w_codes> : tensor<8192xi8>, layout = #mezzo.layout<"bit=[b:4, k:2], line=[k@2:*], tile=[n:*]">,
      scales = dense_resource<w_scales> : tensor<64x8xf32>, offsets = dense_resource<w_zeros> : tensor<64x8xi16>}
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<AnyRankedTensor>:$type, ElementsAttr:$data,
    OptionalAttr<StrAttr>:$spec, OptionalAttr<I64Attr>:$group, OptionalAttr<Mezzo_LayoutAttr>:$layout,
    OptionalAttr<ElementsAttr>:$scales, OptionalAttr<ElementsAttr>:$offsets, OptionalAttr<ElementsAttr>:$permutation,
    UnitAttr:$unsorted, OptionalAttr<ElementsAttr>:$super_scales, OptionalAttr<ElementsAttr>:$super_offsets,
    OptionalAttr<I64Attr>:$super, OptionalAttr<ElementsAttr>:$codebook, OptionalAttr<Mezzo_LayoutAttr>:$packed,
    OptionalAttr<I64Attr>:$piece, UnitAttr:$sums, OptionalAttr<I64Attr>:$place);
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
    /// Columns of a record.
    int64_t getRecordColumns() { return getPiece().value_or(*getGroup()); }
    ::mezzo::Format getFormat();
  }];
}

def Mezzo_LoadWeightOp : Mezzo_Op<"load_weight", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a weight as tensors: the plain one, or codes, scales and offsets";
  let description = [{
    A plain weight gives one tensor of its type. A quantized one gives, in this order, the codes [N, K], the scales [N, G],
    and then offsets [N, G] and permutation [K] where the weight has them. Scales and offsets that are smaller than 16 bits,
    or on two levels, come as the f32 numbers that they stand for. Once storage is resolved
    (`mezzo-lower-quantize`), codes of at most eight bits are loaded as `i8`, one code a byte.

    ```mlir
    %q, %s, %z = mezzo.load_weight @w
       : tensor<64x256x!mezzo.q<uint4>>, tensor<64x8xf32>, tensor<64x8xi16>
    ```

    Errors: a symbol that is no weight, and result types that are not the weight's.
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = "$weight attr-dict `:` type($results)";
}

def Mezzo_LoadPackedOp : Mezzo_Op<"load_packed", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a packed weight as the kernels read it: one array of bytes";
  let description = [{
    A sequence of records, [panel][group], each the codes of a group in the `packed` layout (`docs/layouts.md`, panels), then
    the scales of the panel's rows, then their offsets (`PanelRecord` of `lib/Layout`). Rows that pad the last panel have
    scale 0. The array is 64-byte aligned.

    ```mlir
    %w = mezzo.load_packed @w : tensor<10240xi8>
    ```

    Errors: a symbol that is no weight, or a weight that `mezzo-pack-weights` has not placed.
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs 1DTensorOf<[I8]>:$bytes);
  let assemblyFormat = "$weight attr-dict `:` type($bytes)";
}

#endif // MEZZO_DIALECTS_MEZZO_WEIGHTOPS_TD
