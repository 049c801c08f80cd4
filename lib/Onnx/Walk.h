//===- Walk.h - Going through all graphs and tensors of a model -----------===//

#ifndef MEZZO_LIB_ONNX_WALK_H
#define MEZZO_LIB_ONNX_WALK_H

#include "lib/Onnx/Model.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"

namespace mezzo {

/// The graphs in the attributes of a node: bodies of If, Loop, Scan.
llvm::SmallVector<onnx::GraphProto *, 2> subgraphs(onnx::NodeProto &node);
llvm::SmallVector<const onnx::GraphProto *, 2>
subgraphs(const onnx::NodeProto &node);

/// Calls `visit` for every node of the graphs below `nodes`, outer ones first,
/// until it returns an error. Recursion is bounded by the limit on nested
/// graphs.
using NodeList = google::protobuf::RepeatedPtrField<onnx::NodeProto>;
llvm::Error
walkNodes(const NodeList &nodes,
          llvm::function_ref<llvm::Error(const onnx::NodeProto &)> visit);

/// Calls `visit` for every graph of the model: the main one, and those in nodes
/// of graphs and functions.
llvm::Error
walkGraphs(const onnx::ModelProto &model,
           llvm::function_ref<llvm::Error(const onnx::GraphProto &)> visit);

/// Calls `visit` for every dense tensor wherever it is: initializers, values
/// and indices of sparse ones, attributes of nodes, defaults of functions.
llvm::Error
walkTensors(const onnx::ModelProto &model,
            llvm::function_ref<llvm::Error(const onnx::TensorProto &)> visit);

} // namespace mezzo

#endif // MEZZO_LIB_ONNX_WALK_H
