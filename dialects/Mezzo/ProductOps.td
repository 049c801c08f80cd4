//===- ProductOps.td - products with quantized weights ---------*- tablegen -*-===//
#ifndef MEZZO_DIALECTS_MEZZO_PRODUCTOPS_TD
#define MEZZO_DIALECTS_MEZZO_PRODUCTOPS_TD

include "dialects/Mezzo/MezzoOpBase.td"

def Mezzo_MatmulOp : Mezzo_TensorOp<"matmul", [AttrSizedOperandSegments]> {
  let summary = "activations times a quantized matrix, transposed, plus a bias";
  let description = [{
    `y[M, N] = x[M, K] * W[N, K]^T + bias[N]`. The weight is `codes` [N, K] with `scales` [N, G] and, if any, `offsets`
    [N, G], over groups of `group` columns, where G = ceil(K / group); the last group may be shorter. An offset is a zero
    point, v = s * (C(q) - z), an integer or a float, or with `minima` a float minimum, v = s * C(q) + m. A `permutation` [K] says that column j multiplies x[permutation[j]]
    (weights quantized in another order of columns).

    `mode` fixes the arithmetic, down to the order of additions (`docs/numbers.md` has the programs): `float` folds
    `fma(C(q) - z, x, d)` over ascending k in each group and then `fma(s, d, y)` over ascending groups; `int` multiplies
    codes of activations and sums exactly; `lut8` looks up rounded sums of four activations. The bias is one addition at the end.

    The activations of mode `int` come in two ways:

    * numbers, in f32: each row is quantized to int8 with one scale, or, with `block`, with one for every `block` columns;
    * codes, in i8, of scales and zero points that are known: x = `input_scales` [M] * (code - `input_zeros` [M]), where no zero
      points are zeros. All of -128 .. 127 may occur. A result of i32 is the sum itself, modulo 2^32: there is one group, and
      no scale is read.

    `config` is what `mezzo-select-strategy` chose; it never changes a result.

    ```mlir
    %y = mezzo.matmul %x, %codes scales(%s) offsets(%z) mode = float group = 32
       : (tensor<?x256xf32>, tensor<64x256x!mezzo.q<uint4>>, tensor<64x8xf32>, tensor<64x8xi16>) -> tensor<?x64xf32>
    ```

    ```mlir
    %y = mezzo.matmul %q by(%sx) less(%zx), %codes scales(%s) mode = int group = 256
       : (tensor<?x256xi8>, tensor<?xf32>, tensor<?xi32>, tensor<64x256x!mezzo.q<int8>>, tensor<64x1xf32>) -> tensor<?x64xf32>
    ```

    Errors: sizes that do not follow from M, N, K and `group`; a mode or a format that no strategy computes yet; codes of
    activations in another mode than `int`; a `block` that neither divides `group` nor is a multiple of it; a result of i32
    with several groups or a bias.
  }];
  let arguments = (ins 2DTensorOf<[F32, I8]>:$input, Optional<1DTensorOf<[F32]>>:$input_scales,
    Optional<1DTensorOf<[I32]>>:$input_zeros, 2DTensorOf<[Mezzo_QType]>:$codes, Mezzo_FloatTensor:$scales,
    Optional<AnyRankedTensor>:$offsets, Optional<1DTensorOf<[I32]>>:$permutation,
    Optional<1DTensorOf<[F32]>>:$bias, Mezzo_ModeAttr:$mode, I64Attr:$group, DefaultValuedAttr<I64Attr, "0">:$block,
    OptionalAttr<Mezzo_ConfigAttr>:$config, UnitAttr:$minima);
  let results = (outs 2DTensorOf<[F32, I32]>:$output);
  let assemblyFormat = [{
    $input (`by` `(` $input_scales^ `)`)? (`less` `(` $input_zeros^ `)`)? `,` $codes `scales` `(` $scales `)`
    (`offsets` `(` $offsets^ `)`)? (`permutation` `(` $permutation^ `)`)? (`bias` `(` $bias^ `)`)?
    `mode` `=` $mode `group` `=` $group (`block` `=` $block^)? (`config` `=` $config^)? attr-dict `:`
    functional-type(operands, results)
  }];
  let builders = [OpBuilder<(ins "::mlir::Type":$type, "::mlir::Value":$input, "::mlir::Value":$codes,
    "::mlir::Value":$scales, "::mlir::Value":$offsets, "::mlir::Value":$permutation, "::mlir::Value":$bias,
    "::mezzo::ComputeMode":$mode, "int64_t":$group, "::mezzo::ConfigAttr":$config), [{
      // A product of numbers.
      build($_builder, $_state, type, input, /*input_scales=*/::mlir::Value(), /*input_zeros=*/::mlir::Value(), codes, scales,
        offsets, permutation, bias, mode, group, /*block=*/int64_t(0), config);
    }]>];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Whether activations are codes already.
    bool takesCodes() { return getInput().getType().getElementType().isInteger(); }
    /// The largest magnitude of a quantized activation.
    int64_t getActivationMax() { return takesCodes() ? ::mezzo::CodeMax : ::mezzo::ActivationMax; }
    /// Columns of a group of the sum: of the common refinement of the weight's groups and the activations' blocks.
    int64_t getPiece();
  }];
}

def Mezzo_PackedMatmulOp : Mezzo_TensorOp<"packed_matmul", [AttrSizedOperandSegments]> {
  let summary = "a product whose weight is packed and whose strategy is chosen";
  let description = [{
    What `matmul` becomes when its weight has a layout. `rows`, `columns` and `group` are N, K and the columns of a group,
    which a flat array does not tell any more; `format` and `layout` say how the codes are read. Where one integer zero point
    serves all groups it is `zero` and takes no room in the records.

    What records hold beside codes (`PanelRecord` of `lib/Layout`):

    * scales of `scale_type` (a float, f8E4M3FN, f8E8M0FNU, or an integer `ui<n>`, `si<n>`) and, if any, offsets of
      `offset_type`: signless integers are zero points, floats are float zeros, and with `minima` both are minima;
    * on two levels, with `super_scale_type` (and `super_offset_type` for minima), a factor for `super` columns, a multiple
      of `group`, or for the whole row where that is 0;
    * the entries of a code book of the format, in `table` form.

    A code book that mode `int` multiplies by is known as `codebook`: its entries are whole numbers times one power of two.

    * `activation`: in mode `float` one operand, x [M, K] in f32, or two where there are minima, x and the sums of its groups
      (`group_sums`). In mode `int` codes, scales and sums, with `pairs`
      where the configuration has a chunk: the results of `quantize_rows`, or those of `arrange_rows` with the scales; in
      mode `lut8` the results of `lut_build`. Before `passes/Prepare` has made them, x alone, or codes [M, K] and scales [M].
    * `input_zeros` [M]: what each row's codes are taken less of. Its product with the sum of C(q) - z over a group, which is
      in the records (`sums`), is subtracted from the dot product. `amax` is the largest magnitude of a code.
    * `weight`: the result of `load_packed`: records of codes in `layout`, scales of `scale_type` and, if any, offsets of
      `offset_type`.
    * `permutation`: as in `matmul`; `passes/Prepare` gathers the columns of x and drops it.

    ```mlir
    %y = mezzo.packed_matmul(%x), %w {format = "int8", layout = #mezzo.layout<"...">, scale_type = f32, mode = 0 : i32,
       config = #mezzo.config<strategy = dequant, rows = 4, groups = 2, unroll = 1, streams = 1, block = 64, chunk = 0>,
       rows = 64 : i64, columns = 256 : i64, group = 32 : i64}
       : (tensor<?x256xf32>, tensor<18432xi8>) -> tensor<?x64xf32>
    ```

    Errors: a number of operands that the mode does not have, zero points without `sums`, a format that is none, a layout that is no panel of the mode's kind, sizes below
    1, a chunk that is longer than 16 bits hold whatever the codes are.
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$activation, Optional<1DTensorOf<[I32]>>:$input_zeros,
    1DTensorOf<[I8]>:$weight, Optional<1DTensorOf<[I32]>>:$permutation, Optional<1DTensorOf<[F32]>>:$bias, StrAttr:$format,
    Mezzo_LayoutAttr:$layout, TypeAttrOf<AnyType>:$scale_type, OptionalAttr<TypeAttr>:$offset_type, Mezzo_ModeAttr:$mode,
    Mezzo_ConfigAttr:$config, I64Attr:$rows, I64Attr:$columns, I64Attr:$group, DefaultValuedAttr<SI64Attr, "0">:$zero,
    DefaultValuedAttr<I64Attr, "0">:$block, DefaultValuedAttr<I64Attr, "127">:$amax, UnitAttr:$sums,
    OptionalAttr<TypeAttr>:$super_scale_type, OptionalAttr<TypeAttr>:$super_offset_type,
    DefaultValuedAttr<I64Attr, "0">:$super, DefaultValuedAttr<Mezzo_TableFormAttr, "TableForm::None">:$table,
    OptionalAttr<DenseF32ArrayAttr>:$codebook, UnitAttr:$minima);
  let results = (outs 2DTensorOf<[F32, I32]>:$output);
  let assemblyFormat = [{
    `(` $activation `)` (`less` `(` $input_zeros^ `)`)? `,` $weight (`permutation` `(` $permutation^ `)`)? (`bias` `(` $bias^ `)`)?
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // MEZZO_DIALECTS_MEZZO_PRODUCTOPS_TD
