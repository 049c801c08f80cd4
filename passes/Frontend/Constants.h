//===- Constants.h - initializers in IR, without copying them -------------===//

#ifndef MEZZO_PASSES_FRONTEND_CONSTANTS_H
#define MEZZO_PASSES_FRONTEND_CONSTANTS_H

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Onnx/Model.h"
#include "lib/Support/Sanitize.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mezzo {

/// Brings constant tensors into a module: small ones as `arith.constant`,
/// others as a `mezzo.weight` whose bytes are the mapped model file itself. A
/// model of 500 MB is imported in a few of them.
class ConstantPool {
public:
  /// Weights go before `function`; `model` is kept alive as long as bytes of it
  /// are used.
  ConstantPool(mlir::ImplicitLocOpBuilder &b, mlir::func::FuncOp function,
               std::shared_ptr<const OnnxModel> model)
      : b(b), function(function), model(std::move(model)) {
    // Functions of ours; a model may have tensors that are called the same.
    for (llvm::StringRef taken : {"main", "shapes"})
      names.get(taken);
  }

  /// The tensor as a value of type irType(). Precondition: it has one.
  mlir::Value tensor(const TensorView &view);
  /// The same as codes of its format. Precondition: it has one.
  mlir::Value codes(const TensorView &view);

  /// Bytes of the model as a constant of `type`, in place. `view` holds at
  /// least as many.
  mlir::ElementsAttr inPlace(const TensorView &view,
                             mlir::RankedTensorType type);
  /// Bytes that were computed, moved into a constant.
  mlir::ElementsAttr computed(llvm::StringRef name, mlir::RankedTensorType type,
                              std::vector<uint8_t> bytes);
  /// A weight with this data; the other attributes are the caller's to set.
  WeightOp weight(llvm::StringRef name, mlir::RankedTensorType type,
                  mlir::ElementsAttr data);
  /// All of its parts.
  LoadWeightOp load(WeightOp weight);

  /// Constants up to this size are attributes: they take part in folding.
  static constexpr size_t SmallBytes = 1024;

private:
  mlir::ElementsAttr resource(llvm::StringRef name, mlir::RankedTensorType type,
                              llvm::ArrayRef<uint8_t> bytes,
                              std::shared_ptr<const void> owner);

  mlir::ImplicitLocOpBuilder &b;
  mlir::func::FuncOp function;
  std::shared_ptr<const OnnxModel> model;
  UniqueIdentifiers names;
  /// Weights by the bytes they show and their type: tied embeddings are stored
  /// once.
  llvm::DenseMap<std::pair<const uint8_t *, mlir::Type>, WeightOp> weights;
};

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_CONSTANTS_H
