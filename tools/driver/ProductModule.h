//===- ProductModule.h - a module of quantized products, without a model --===//

#ifndef MEZZO_TOOLS_DRIVER_PRODUCTMODULE_H
#define MEZZO_TOOLS_DRIVER_PRODUCTMODULE_H

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Number/QuantizedMatrix.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace mezzo {

/// A product of a model: W, and perhaps a bias [N].
struct Product {
  QuantizedMatrix weight;
  std::vector<float> bias;
};

/// What the frontend would make of a model with one input x [M, K] and one
/// output y_i = x * W_i^T + bias_i per product, in `mode`. All weights have K
/// columns. `m` may be ShapedType::kDynamic. Errors: formats and offsets that
/// IR cannot say yet.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
productModule(mlir::MLIRContext &context, llvm::ArrayRef<Product> products,
              ComputeMode mode, int64_t m);

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_PRODUCTMODULE_H
