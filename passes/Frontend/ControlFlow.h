//===- ControlFlow.h - graphs inside of nodes -----------------------------===//

#ifndef MEZZO_PASSES_FRONTEND_CONTROLFLOW_H
#define MEZZO_PASSES_FRONTEND_CONTROLFLOW_H

#include "passes/Frontend/Node.h"

namespace mezzo {

/// The graph of an attribute, with so many inputs and outputs, or an error.
mlir::FailureOr<const onnx::GraphProto *>
bodyOf(Node &node, llvm::StringRef attribute, int64_t inputs, int64_t outputs);

/// The tensor in the element type of the model, at the builder's place.
SizedTensor declaredTensor(Node &node, OnnxValue &value);

/// A value that is held as a tensor, of which nothing else is known.
OnnxValue tensorValue(SizedTensor tensor, ElementType type);

/// Errors where a value that a body gives for the next round has not the type
/// and, for all that is known, the sizes of the one before. `what` names it.
mlir::LogicalResult checkCarried(Node &node, const OnnxValue &before,
                                 const OnnxValue &next,
                                 const llvm::Twine &what);

/// The sizes as they are in the code around a region: none where one of them
/// is computed inside.
std::optional<Sizes> sizesOutside(llvm::ArrayRef<Size> sizes,
                                  mlir::Operation *around);

/// `next` written over the buffer of `before`, which a loop carries.
mlir::Value writeOver(Node &node, SizedTensor next, SizedTensor before);

mlir::LogicalResult importIf(Node &node);
mlir::LogicalResult importLoop(Node &node);
mlir::LogicalResult importScan(Node &node);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_CONTROLFLOW_H
