//===- Value.h - what the importer knows of a tensor of the model ---------===//

#ifndef MEZZO_PASSES_FRONTEND_VALUE_H
#define MEZZO_PASSES_FRONTEND_VALUE_H

#include "lib/Onnx/Tensor.h"
#include "passes/Frontend/TensorBuilder.h"

#include <memory>
#include <optional>

namespace mezzo {

/// One tensor of the model. It is held in up to three ways, and comes into IR
/// only where somebody asks for it there: axes, target shapes and zero points
/// are read by the importer and leave no trace.
struct OnnxValue {
  ElementType type = ElementType::Undefined;
  Sizes sizes;

  /// In IR. The element type is irType(type), with two exceptions: codes
  /// (`!mezzo.q`) where a quantizing op has made them, and f32 for a
  /// half-precision tensor that has not been rounded yet, the result of a
  /// DequantizeLinear.
  mlir::Value tensor;
  /// An initializer, or the value of a Constant node.
  std::shared_ptr<const TensorView> constant;
  /// The elements, in row-major order, of an integer tensor that has few of
  /// them: shapes and what is computed from them. Known as sizes are: as
  /// numbers or as values of type `index`.
  std::optional<Sizes> elements;

  /// More elements than this are never tracked.
  static constexpr int64_t MaxElements = 128;

  int64_t rank() const { return sizes.size(); }
};

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_VALUE_H
