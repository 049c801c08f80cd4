//===- Check.h - What must hold before anybody reads a model --------------===//

#ifndef MEZZO_LIB_ONNX_CHECK_H
#define MEZZO_LIB_ONNX_CHECK_H

#include "lib/Onnx/Model.h"

namespace mezzo {

/// "node 'conv1' (Conv)", or "node 7 (Conv)" where it has no name; with
/// `outputs` where that helps to find it.
std::string describe(const onnx::NodeProto &node);

/// Checks every message by itself: names, attributes, declared shapes,
/// functions. In all graphs and functions.
llvm::Error checkMessages(const onnx::ModelProto &model,
                          const OnnxLimits &limits);

/// Replaces every call of a model-local function by its body; see Inline.cpp.
/// Afterwards the model has no functions.
llvm::Error inlineFunctions(onnx::ModelProto &model, const OnnxLimits &limits);

/// Sorts the nodes of every graph topologically (a sorted graph stays as it is)
/// and resolves every name; see Sort.cpp.
llvm::Error sortGraphs(onnx::ModelProto &model);

} // namespace mezzo

#endif // MEZZO_LIB_ONNX_CHECK_H
