//===- RowOps.td - reductions over rows ------------------------*- tablegen -*-===//
#ifndef MEZZO_DIALECTS_MEZZO_ROWOPS_TD
#define MEZZO_DIALECTS_MEZZO_ROWOPS_TD

include "dialects/Mezzo/MezzoOpBase.td"

class Mezzo_RowOp<string mnemonic, dag extra> : Mezzo_TensorOp<mnemonic> {
  let arguments = !con((ins 2DTensorOf<[F32]>:$input), extra);
  let results = (outs 2DTensorOf<[F32]>:$output);
  let hasVerifier = 1;
}

defvar order = [{
    Reductions have one order on every machine (`docs/numbers.md`): lane j of 16 folds the elements i = j mod 16 ascending,
    then lanes l += l + 8, + 4, + 2, + 1.
}];

def Mezzo_SoftmaxOp : Mezzo_RowOp<"softmax", (ins)> {
  let summary = "exp(x - max) / sum, over each row of [rows, columns]";
  let description = order;
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
}

def Mezzo_LayerNormOp : Mezzo_RowOp<"layer_norm",
    (ins 1DTensorOf<[F32]>:$scale, Optional<1DTensorOf<[F32]>>:$bias, F32Attr:$epsilon)> {
  let summary = "(x - mean) / sqrt(variance + epsilon) * scale + bias, over each row; the variance in a second pass";
  let description = order;
  let assemblyFormat = [{
    $input `,` $scale (`bias` `(` $bias^ `)`)? `epsilon` `=` $epsilon attr-dict `:` functional-type(operands, results)
  }];
}

def Mezzo_RmsNormOp : Mezzo_RowOp<"rms_norm", (ins 1DTensorOf<[F32]>:$scale, F32Attr:$epsilon)> {
  let summary = "x / sqrt(mean(x * x) + epsilon) * scale, over each row";
  let description = order;
  let assemblyFormat = "$input `,` $scale `epsilon` `=` $epsilon attr-dict `:` functional-type(operands, results)";
}

#endif // MEZZO_DIALECTS_MEZZO_ROWOPS_TD
