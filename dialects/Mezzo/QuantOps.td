//===- QuantOps.td - between numbers and codes -----------------*- tablegen -*-===//
#ifndef MEZZO_DIALECTS_MEZZO_QUANTOPS_TD
#define MEZZO_DIALECTS_MEZZO_QUANTOPS_TD

include "dialects/Mezzo/MezzoOpBase.td"

def Mezzo_QuantizeOp : Mezzo_TensorOp<"quantize"> {
  let summary = "codes of numbers: clamp(round_half_even(x / s) + z)";
  let description = [{
    ONNX's QuantizeLinear. The scale is a scalar (rank 0), a vector along `axis`, or has the rank of the input and one entry
    per `block` elements of `axis`. Zero points, if any, have the shape of the scales and are integers.

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
  let summary = "numbers of codes: (q - z) * s";
  let description = [{
    ONNX's DequantizeLinear; scales and zero points as in `quantize`. A float offset is a zero point of its own type.

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

def Mezzo_QuantizeRowsOp : Mezzo_TensorOp<"quantize_rows"> {
  let summary = "activations in int8, one scale per row, once for all products that read them";
  let description = [{
    s = max|x| / 127 over the row (0 becomes 1), code = clamp(round_half_even(x / s), -127, 127), with a true division.
    Codes come in groups of `group` columns, each padded with zeros to a multiple of four, so that a product reads four
    codes at once and never looks at a tail; rows are padded further (quantizedRowLength). `sums` [M, G] are the integer sums
    of each group's codes, which every format with an offset needs.

    With a `chunk` of columns, `pairs` [M, G * ceil(pad4(group) / chunk)] are -`centre` times the sums over each chunk of a
    group of the codes at columns 0 and 1 of every four, in the low 16 bits, and of those at columns 2 and 3, in the high
    ones, both modulo 2^16: where 16-bit lanes start that add up products with codes less `centre`.

    ```mlir
    %q, %s, %sums, %pairs = mezzo.quantize_rows %x group = 64 chunk = 32 centre = 16
       : (tensor<?x256xf32>) -> (tensor<?x320xi8>, tensor<?xf32>, tensor<?x4xi32>, tensor<?x8xi32>)
    ```
  }];
  let arguments = (ins 2DTensorOf<[F32]>:$input, I64Attr:$group, DefaultValuedAttr<I64Attr, "0">:$chunk,
    DefaultValuedAttr<I64Attr, "0">:$centre);
  let results = (outs 2DTensorOf<[I8]>:$codes, 1DTensorOf<[F32]>:$scales, 2DTensorOf<[I32]>:$sums,
    Optional<2DTensorOf<[I32]>>:$pairs);
  let assemblyFormat = [{
    $input `group` `=` $group (`chunk` `=` $chunk^)? (`centre` `=` $centre^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // MEZZO_DIALECTS_MEZZO_QUANTOPS_TD
