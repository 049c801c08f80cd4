//===- WindowOps.td - unquantized products and windows ---------*- tablegen -*-===//
#ifndef MEZZO_DIALECTS_MEZZO_WINDOWOPS_TD
#define MEZZO_DIALECTS_MEZZO_WINDOWOPS_TD

include "dialects/Mezzo/MezzoOpBase.td"

def Mezzo_WindowNumber : RankedTensorOf<[F32, I32]>;

def Mezzo_DenseMatmulOp : Mezzo_TensorOp<"dense_matmul"> {
  let summary = "a batch of products without quantized operands";
  let description = [{
    `y[b, m, n] = sum over k of x[b, m, k] * w[b, k, n]`, in f32 the left fold of `fma(x, w, d)` over ascending k from 0 (an
    unquantized product is one group with scale 1 in mode `float`), in i32 modulo 2^32. A batch of size 1 serves all.

    ```mlir
    %y = mezzo.dense_matmul %x, %w : (tensor<8x?x64xf32>, tensor<1x64x48xf32>) -> tensor<8x?x48xf32>
    ```

    Errors: ranks other than 3, sizes that do not follow.
  }];
  let arguments = (ins Mezzo_WindowNumber:$lhs, Mezzo_WindowNumber:$rhs);
  let results = (outs Mezzo_WindowNumber:$output);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

defvar geometry = [{
    Images are [N, C, spatial...] with one to three spatial dimensions. Along each of them the window has `kernel` taps,
    `dilations` apart, and moves by `strides`; `pads` elements are thought to lie in front of the image, and as many behind
    it as the windows reach. `init` gives the result its sizes; nothing is read from it.
}];

def Mezzo_ConvOp : Mezzo_TensorOp<"conv", [AttrSizedOperandSegments]> {
  let summary = "a convolution without quantized operands";
  let description = geometry # [{
    The weight is [M, T * C / groups] with T taps, in the order (tap, channel): K of `docs/numbers.md` is (kh, kw, c). In
    f32 every result is the left fold of `fma(w, x, d)` over ascending K from 0, where x is 0 outside of the image; then the
    bias is added. In i32 sums are modulo 2^32.

    ```mlir
    %y = mezzo.conv %x, %w bias(%b) kernel(%c3, %c3) pads(%c1, %c1) init(%0) strides = [1, 1] dilations = [1, 1] groups = 1
       : (tensor<1x8x?x?xf32>, tensor<16x72xf32>, tensor<16xf32>, ...) -> tensor<1x16x?x?xf32>
    ```

    Errors: ranks and numbers of strides, dilations, pads that do not fit each other, a stride, dilation or group below 1.
  }];
  let arguments = (ins Mezzo_WindowNumber:$input, Mezzo_WindowNumber:$weight, Optional<Mezzo_WindowNumber>:$bias,
    Variadic<Index>:$kernel, Variadic<Index>:$pads, Mezzo_WindowNumber:$init,
    DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations, I64Attr:$groups);
  let results = (outs Mezzo_WindowNumber:$output);
  let assemblyFormat = [{
    $input `,` $weight (`bias` `(` $bias^ `)`)? `kernel` `(` $kernel `)` `pads` `(` $pads `)` `init` `(` $init `)`
    `strides` `=` $strides `dilations` `=` $dilations `groups` `=` $groups attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Mezzo_PoolKind : I32EnumAttr<"PoolKind", "what a window is reduced to", [
    I32EnumAttrCase<"Max", 0, "max">,
    I32EnumAttrCase<"Average", 1, "average">,
    I32EnumAttrCase<"Argmax", 2, "argmax">,
    I32EnumAttrCase<"Sum", 3, "sum">]> {
  let cppNamespace = "::mezzo";
}

def Mezzo_PoolOp : Mezzo_TensorOp<"pool", [AttrSizedOperandSegments]> {
  let summary = "a reduction of each window of each channel";
  let description = geometry # [{
    Taps are visited in ascending order, the last dimension fastest; those outside of the image are left out.

    * `max`: the first of the largest, NaN if any is NaN; the least number of the type where no tap lies in the image.
    * `average`: the left fold of + from 0, divided by the number of taps that lie less than `margins` in front of the
      image or behind it: `margins` of zeros leave the padding out of the count. Begin, then end, per dimension.
    * `argmax`: the place of the first of the largest in its image, in i64: ((c * H) + h) * W + w, without c.
    * `sum`: the fold without the division.

    ```mlir
    %y = mezzo.pool max %x kernel(%c2) pads(%c0) margins() init(%0) strides = [2] dilations = [1]
       : (tensor<1x8x64xf32>, index, index, tensor<1x8x32xf32>) -> tensor<1x8x32xf32>
    ```

    Errors: ranks and numbers of strides, dilations, pads that do not fit each other, a stride or dilation below 1, margins
    of another kind than `average`, a result type that the kind does not have.
  }];
  let arguments = (ins Mezzo_PoolKind:$kind, Mezzo_WindowNumber:$input,
    Variadic<Index>:$kernel, Variadic<Index>:$pads, Variadic<Index>:$margins, AnyRankedTensor:$init,
    DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations);
  let results = (outs AnyRankedTensor:$output);
  let assemblyFormat = [{
    $kind $input `kernel` `(` $kernel `)` `pads` `(` $pads `)` `margins` `(` $margins `)` `init` `(` $init `)`
    `strides` `=` $strides `dilations` `=` $dilations attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Mezzo_SizedOp : Mezzo_TensorOp<"sized", [AllTypesMatch<["input", "output"]>]> {
  let summary = "a result of the model, beside its sizes";
  let description = [{
    The tensor itself. `sizes` are those of its dynamic dimensions, as the frontend has computed them: where they follow
    from the sizes of the inputs, `@shapes` is that arithmetic, whatever loops and branches the tensor comes out of.
    `mezzo-form-entry` removes the op.

    ```mlir
    %r = mezzo.sized %y[%n] : tensor<?x4xf32>
    ```

    Errors: another number of sizes than of dynamic dimensions.
  }];
  let arguments = (ins AnyRankedTensor:$input, Variadic<Index>:$sizes);
  let results = (outs AnyRankedTensor:$output);
  let assemblyFormat = "$input `[` $sizes `]` attr-dict `:` type($input)";
  let hasVerifier = 1;
}

#endif // MEZZO_DIALECTS_MEZZO_WINDOWOPS_TD
