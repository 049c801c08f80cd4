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
    then lanes l += l + 8, + 4, + 2, + 1. Every operation rounds by itself; `lib/Golden/Rows.h` is the program.

    The input is [rows, columns] in f32, and the result has its type. Errors: another type, and a scale or bias that does
    not have one entry per column.
}];

def Mezzo_SoftmaxOp : Mezzo_RowOp<"softmax", (ins)> {
  let summary = "softmax over each row";
  let description = [{
    `y = exp(x - max) / sum`, with max and sum over the row, exp as `lib/Math` has it, and a true division.
  }] # order;
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
}

def Mezzo_LayerNormOp : Mezzo_RowOp<"layer_norm",
    (ins 1DTensorOf<[F32]>:$scale, Optional<1DTensorOf<[F32]>>:$bias, F32Attr:$epsilon)> {
  let summary = "layer normalization of each row";
  let description = [{
    `y = (x - mean) * (1 / sqrt(variance + epsilon)) * scale + bias`, from left to right, mean and variance over the row,
    the variance in a second pass over x - mean. `scale` and `bias` have one entry per column.
  }] # order;
  let assemblyFormat = [{
    $input `,` $scale (`bias` `(` $bias^ `)`)? `epsilon` `=` $epsilon attr-dict `:` functional-type(operands, results)
  }];
}

def Mezzo_RmsNormOp : Mezzo_RowOp<"rms_norm", (ins 1DTensorOf<[F32]>:$scale, F32Attr:$epsilon)> {
  let summary = "normalization of each row by its root mean square";
  let description = [{
    `y = x * (1 / sqrt(mean(x * x) + epsilon)) * scale`, from left to right, the mean over the row. `scale` has one entry per
    column.
  }] # order;
  let assemblyFormat = "$input `,` $scale `epsilon` `=` $epsilon attr-dict `:` functional-type(operands, results)";
}

#endif // MEZZO_DIALECTS_MEZZO_ROWOPS_TD
