//===- MezzoDialect.td - the dialect of quantized tensors ------*- tablegen -*-===//
#ifndef MEZZO_DIALECTS_MEZZO_MEZZODIALECT_TD
#define MEZZO_DIALECTS_MEZZO_MEZZODIALECT_TD

include "mlir/IR/DialectBase.td"

def Mezzo_Dialect : Dialect {
  let name = "mezzo";
  let summary = "quantized tensors, and what is done with them";
  let description = [{
    Codes are an ordinary tensor with the element type `!mezzo.q<FORMAT>`; scales and offsets are ordinary tensors
    beside it. A product says in which *compute mode* it is computed (`docs/numbers.md`), and the mode fixes every bit of
    the result: what the compiler chooses later, strategy, layout and tiles, only decides how long it takes. Why the
    dialect is built this way: `docs/rationale-mezzo.md`.

    The ops come in three layers, in the order in which the pipeline meets them:

    1. what a model says: `weight`, `load_weight`, `quantize`, `dequantize`, `matmul`, `softmax`, `layer_norm`, `rms_norm`;
    2. what was decided: `load_packed`, `quantize_rows`, `lut_build`, `packed_matmul`;
    3. what runs: `launch`, `check`, and the ops that reach the run-time frame (`weight_view`, `arena`, `alloc`).

    Letters have one meaning on this page: M rows of activations, N rows and K columns of a weight, G groups in a row of a
    weight. `x`, `y` are activations and results, `q` codes, `s` scales, `z` zero points.
  }];
  let cppNamespace = "::mezzo";
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
  let extraClassDeclaration = [{
    void registerTypes();
    void registerAttributes();
  }];
}

#endif // MEZZO_DIALECTS_MEZZO_MEZZODIALECT_TD
