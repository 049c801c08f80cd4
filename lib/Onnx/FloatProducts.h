//===- FloatProducts.h - the products of a float model ----------*- C++ -*-===//

#ifndef MEZZO_LIB_ONNX_FLOATPRODUCTS_H
#define MEZZO_LIB_ONNX_FLOATPRODUCTS_H

#include "lib/Onnx/Model.h"

#include <set>
#include <string>
#include <vector>

namespace mezzo {

/// A product of the model whose right operand is a constant matrix of f32.
struct FloatProduct {
  int node;               ///< index in the graph
  std::string activation; ///< name of the left operand
  std::string weight;     ///< name of the right operand
  bool transposed;        ///< the weight is [N, K]
  int64_t n, k;
};

/// MatMul and Gemm of the main graph with such a weight, in its order. Others
/// (in branches and loops, with weights computed at run time) stay in f32.
llvm::Expected<std::vector<FloatProduct>>
listFloatProducts(const OnnxModel &model);

/// The model with these tensors as its outputs, all else dropped that this
/// leaves unread; complete in itself.
llvm::Expected<onnx::ModelProto> withOutputs(const OnnxModel &model,
                                             llvm::ArrayRef<std::string> names);

//===----------------------------------------------------------------------===//
// What rewriting a graph takes
//===----------------------------------------------------------------------===//

/// Constants of the main graph by name: initializers, and what Constant nodes
/// hold.
using Constants = std::map<std::string, const onnx::TensorProto *>;
Constants constantsOf(const onnx::GraphProto &graph);

int64_t integerOf(const onnx::NodeProto &node, llvm::StringRef name,
                  int64_t absent);

/// Puts the bytes of all tensors of `graph`, a copy of the model's, into it.
llvm::Error embedTensors(const OnnxModel &model, onnx::GraphProto &graph);

/// All names that nodes of a graph and of its subgraphs read, and its outputs.
void collectReads(const onnx::GraphProto &graph, std::set<std::string> &reads);

/// Drops nodes and initializers of the main graph whose results nobody reads.
void dropUnread(onnx::GraphProto &graph);

} // namespace mezzo

#endif // MEZZO_LIB_ONNX_FLOATPRODUCTS_H
