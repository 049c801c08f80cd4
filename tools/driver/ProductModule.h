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

/// How the activations of mode `int` are quantized; what of it the mode does
/// not read has its default.
struct ActivationSpec {
  enum class Kind {
    Int8,    ///< dynamic, a scale for each row or for `block` columns of it
    Static,  ///< one scale and zero point, known at compile time
    Dynamic, ///< uint8, a scale and a zero point for the tensor
  };
  Kind kind = Kind::Int8;
  int64_t block = 0;
  std::string format = "int8"; ///< of Static
  float scale = 1;
  int32_t zero = 0;
};

/// What the frontend would make of a model with one input x [M, K] and one
/// output y_i = x * W_i^T + bias_i per product, in `mode`. All weights have K
/// columns. `m` may be ShapedType::kDynamic. Products share the codes of their
/// activations. Errors: formats and offsets that
/// IR cannot say yet.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
productModule(mlir::MLIRContext &context, llvm::ArrayRef<Product> products,
              ComputeMode mode, int64_t m,
              const ActivationSpec &activations = {});

/// How an entry function names a tensor of f32 in `mezzo.inputs` and
/// `mezzo.outputs`.
mlir::DictionaryAttr describeTensor(mlir::Builder &b, llvm::StringRef name,
                                    mlir::RankedTensorType type);

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_PRODUCTMODULE_H
