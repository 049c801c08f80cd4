//===- QuantOps.td - between numbers and codes -----------------*- tablegen -*-===//
#ifndef MEZZO_DIALECTS_MEZZO_QUANTOPS_TD
#define MEZZO_DIALECTS_MEZZO_QUANTOPS_TD

include "dialects/Mezzo/MezzoOpBase.td"

def Mezzo_QuantizeOp : Mezzo_TensorOp<"quantize"> {
  let summary = "codes of numbers, as QuantizeLinear of ONNX has them";
  let description = [{
    `q = clamp(round_half_even(x / s) + z, qmin, qmax)`, with a true division rounded to the type of the scale, and qmin,
    qmax the code range of the result's format. NaN becomes the code of zero. The formula is that of ONNX's operator,
    opset 21.

    Which elements share a scale:

    * scales of rank 0: all;
    * `block` = 0 and a vector [D], D the size of `axis`: those of one slice along `axis`;
    * `block` > 0 and the rank of the input: `block` neighbours along `axis`, so that there are ceil(D / block) scales along
      it and as many as elements along the other dimensions.

    Zero points, if any, have the shape of the scales and are integers. Errors: shapes that do not fit, an axis outside
    of 0 .. rank - 1, a negative block.

    ```mlir
    %q = mezzo.quantize %x scales(%s) axis = 1 : (tensor<4x64xf32>, tensor<64xf32>) -> tensor<4x64x!mezzo.q<int8>>
    ```
  }];
  let arguments = (ins Mezzo_FloatTensor:$input, Mezzo_FloatTensor:$scales, Optional<AnyRankedTensor>:$zeros,
    DefaultValuedAttr<I64Attr, "0">:$axis, DefaultValuedAttr<I64Attr, "0">:$block);
  let results = (outs AnyRankedTensor:$output);
  let assemblyFormat = [{
    $input `scales` `(` $scales `)` (`zeros` `(` $zeros^ `)`)? (`axis` `=` $axis^)? (`block` `=` $block^)? attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Mezzo_DequantizeOp : Mezzo_TensorOp<"dequantize"> {
  let summary = "numbers of codes, as DequantizeLinear of ONNX has them";
  let description = [{
    `x = (q - z) * s`: an exact integer difference, then one rounding to the type of the result. Scales and zero points as
    in `quantize`, and the same errors. A product with such a tensor becomes a `matmul` where the groups lie along K
    (`mezzo-form-matmul`); there the numbers x are never rounded at all.

    ```mlir
    %x = mezzo.dequantize %q scales(%s) axis = 0 block = 32
       : (tensor<256x64x!mezzo.q<int4>>, tensor<8x64xf32>) -> tensor<256x64xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, Mezzo_FloatTensor:$scales, Optional<AnyRankedTensor>:$zeros,
    DefaultValuedAttr<I64Attr, "0">:$axis, DefaultValuedAttr<I64Attr, "0">:$block);
  let results = (outs Mezzo_FloatTensor:$output);
  let assemblyFormat = [{
    $input `scales` `(` $scales `)` (`zeros` `(` $zeros^ `)`)? (`axis` `=` $axis^)? (`block` `=` $block^)? attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Mezzo_DynamicQuantizeOp : Mezzo_TensorOp<"dynamic_quantize"> {
  let summary = "codes of numbers, with a scale and a zero point that follow from the numbers";
  let description = [{
    DynamicQuantizeLinear of ONNX: the range is that of all elements and 0, `s = (max - min) / 255` (0 becomes 1),
    `z = clamp(round_half_even(-min / s), 0, 255)`, `q = clamp(round_half_even(x / s) + z, 0, 255)`, with true divisions in
    f32. NaN is left out of the range and becomes code z. The scale depends on the whole tensor, so a result does on the
    batch it is in.

    ```mlir
    %q, %s, %z = mezzo.dynamic_quantize %x
       : (tensor<?x64xf32>) -> (tensor<?x64x!mezzo.q<uint8>>, tensor<f32>, tensor<!mezzo.q<uint8>>)
    ```

    Errors: a result of another shape or format.
  }];
  let arguments = (ins TensorOf<[F32]>:$input);
  let results = (outs AnyRankedTensor:$codes, 0DTensorOf<[F32]>:$scale, AnyRankedTensor:$zero);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Mezzo_QuantizeRowsOp : Mezzo_TensorOp<"quantize_rows"> {
  let summary = "activations in int8, one scale per row, once for all products that read them";
  let description = [{
    `s = max|x| / 127` over the row (0 becomes 1), `code = clamp(round_half_even(x / s), -127, 127)`, with true divisions:
    `int8/row` of mode `int` (`docs/numbers.md`). NaN is left out of the maximum and becomes code 0.

    The input is x [M, K] with a static K. Results, with G = ceil(K / group) and pad4 rounding up to a multiple of four:

    * `codes` [M, L] in `i8`: groups padded with zeros to pad4(group), so that a product reads four codes at once and never
      looks at a tail; rows are padded further, to an odd number of 64-byte lines (`quantizedRowLength` gives L);
    * `scales` [M] in `f32`; with a `block` of columns, which is a multiple of the group, [M, G]: the maximum is then that of
      the block that the group is in;
    * `sums` [M, G] in `i32`: the sum of each group's codes, which every format with an offset needs;
    * with a `chunk` of columns, `pairs` [M, G * ceil(pad4(group) / chunk)] in `i32`: over each chunk of a group, -`centre`
      times the sum of the codes at columns 0 and 1 of every four, in the low 16 bits, and of those at columns 2 and 3, in
      the high ones, both modulo 2^16. That is where 16-bit lanes start that add up products with codes less `centre`.

    ```mlir
    %q, %s, %sums, %pairs = mezzo.quantize_rows %x group = 64 chunk = 32 centre = 16
       : (tensor<?x256xf32>) -> (tensor<?x320xi8>, tensor<?xf32>, tensor<?x4xi32>, tensor<?x8xi32>)
    ```

    Errors: a dynamic K, a group below 1, a chunk that is no multiple of four, a block that is no multiple of the group, result
    sizes that do not follow.
  }];
  let arguments = (ins 2DTensorOf<[F32]>:$input, I64Attr:$group, DefaultValuedAttr<I64Attr, "0">:$chunk,
    DefaultValuedAttr<I64Attr, "0">:$centre, DefaultValuedAttr<I64Attr, "0">:$block);
  let results = (outs 2DTensorOf<[I8]>:$codes, Mezzo_FloatTensor:$scales, 2DTensorOf<[I32]>:$sums,
    Optional<2DTensorOf<[I32]>>:$pairs);
  let assemblyFormat = [{
    $input `group` `=` $group (`chunk` `=` $chunk^)? (`centre` `=` $centre^)? (`block` `=` $block^)? attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Mezzo_ArrangeRowsOp : Mezzo_TensorOp<"arrange_rows"> {
  let summary = "codes of activations as products read them, once for all products";
  let description = [{
    What `quantize_rows` does behind the quantization: the input is codes [M, K] in i8, with a static K, and the results are
    its `codes`, `sums` and `pairs`.

    ```mlir
    %c, %sums = mezzo.arrange_rows %q group = 64 : (tensor<?x256xi8>) -> (tensor<?x320xi8>, tensor<?x4xi32>)
    ```

    Errors: a dynamic K, a group below 1, a chunk that is no multiple of four, result sizes that do not follow.
  }];
  let arguments = (ins 2DTensorOf<[I8]>:$input, I64Attr:$group, DefaultValuedAttr<I64Attr, "0">:$chunk,
    DefaultValuedAttr<I64Attr, "0">:$centre);
  let results = (outs 2DTensorOf<[I8]>:$codes, 2DTensorOf<[I32]>:$sums, Optional<2DTensorOf<[I32]>>:$pairs);
  let assemblyFormat = [{
    $input `group` `=` $group (`chunk` `=` $chunk^)? (`centre` `=` $centre^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Mezzo_LutBuildOp : Mezzo_TensorOp<"lut_build"> {
  let summary = "look-up tables of sums of four activations, once for all products that read them";
  let description = [{
    Tables of mode `lut8` (`docs/numbers.md`). Every group of `group` columns, padded with zeros to a multiple of four, is cut
    into blocks of four activations a. The sum of those whose bits are set in an index i, less the sum of the negative ones
    N, is T[i] - N >= 0; in steps t, one for the whole group, it is a byte:

    `t = max over blocks of (sum |a|) / 255` (0 becomes 1), `E[i] = clamp(round_half_even((T[i] - N) / t), 0, 255)`.

    All sums are left folds over ascending columns, all divisions true ones. NaN becomes entry 0. The input is x [M, K] with
    a static K. Results, with G = ceil(K / group):

    * `tables` [M, L] in `i8`, unsigned: 16 bytes for each block of each group; rows are padded to an odd number of 64-byte
      lines (`lutRowLength` gives L). Blocks beyond K have tables of zeros;
    * `steps` [M, G] in `f32`: t of each group;
    * `negatives` [M, G] in `f32`: the fold of the blocks' N;
    * `sums` [M, G] in `f32`: the fold of the group's x.

    ```mlir
    %t, %steps, %negatives, %sums = mezzo.lut_build %x group = 128
       : (tensor<?x256xf32>) -> (tensor<?x1088xi8>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>)
    ```

    Errors: a dynamic K, a group below 1, result sizes that do not follow.
  }];
  let arguments = (ins 2DTensorOf<[F32]>:$input, I64Attr:$group);
  let results = (outs 2DTensorOf<[I8]>:$tables, 2DTensorOf<[F32]>:$steps, 2DTensorOf<[F32]>:$negatives,
    2DTensorOf<[F32]>:$sums);
  let assemblyFormat = "$input `group` `=` $group attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Mezzo_GroupSumsOp : Mezzo_TensorOp<"group_sums"> {
  let summary = "sums of the activations of each group, once for all products that read them";
  let description = [{
    `sums[m, g]` is the left fold over ascending k of x[m, k] in group g, from 0: what a minimum is multiplied by in mode `float`
    (`docs/numbers.md`). The input is x [M, K] with a static K, the result [M, ceil(K / group)].

    ```mlir
    %sums = mezzo.group_sums %x group = 32 : (tensor<?x256xf32>) -> tensor<?x8xf32>
    ```

    Errors: a dynamic K, a group below 1, a result size that does not follow.
  }];
  let arguments = (ins 2DTensorOf<[F32]>:$input, I64Attr:$group);
  let results = (outs 2DTensorOf<[F32]>:$sums);
  let assemblyFormat = "$input `group` `=` $group attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

#endif // MEZZO_DIALECTS_MEZZO_QUANTOPS_TD
