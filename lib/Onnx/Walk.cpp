//===- Walk.cpp -----------------------------------------------------------===//

#include "lib/Onnx/Walk.h"

using namespace mezzo;
using llvm::Error;
using llvm::function_ref;

llvm::SmallVector<onnx::GraphProto *, 2>
mezzo::subgraphs(onnx::NodeProto &node) {
  llvm::SmallVector<onnx::GraphProto *, 2> graphs;
  for (onnx::AttributeProto &attribute : *node.mutable_attribute()) {
    if (attribute.has_g())
      graphs.push_back(attribute.mutable_g());
    for (onnx::GraphProto &graph : *attribute.mutable_graphs())
      graphs.push_back(&graph);
  }
  return graphs;
}

llvm::SmallVector<const onnx::GraphProto *, 2>
mezzo::subgraphs(const onnx::NodeProto &node) {
  llvm::SmallVector<const onnx::GraphProto *, 2> graphs;
  for (const onnx::AttributeProto &attribute : node.attribute()) {
    if (attribute.has_g())
      graphs.push_back(&attribute.g());
    for (const onnx::GraphProto &graph : attribute.graphs())
      graphs.push_back(&graph);
  }
  return graphs;
}

Error mezzo::walkNodes(const NodeList &nodes,
                       function_ref<Error(const onnx::NodeProto &)> visit) {
  for (const onnx::NodeProto &node : nodes) {
    if (Error error = visit(node))
      return error;
    for (const onnx::GraphProto *graph : subgraphs(node))
      if (Error error = walkNodes(graph->node(), visit))
        return error;
  }
  return Error::success();
}

/// All nodes of the main graph and of all functions.
static Error walkAllNodes(const onnx::ModelProto &model,
                          function_ref<Error(const onnx::NodeProto &)> visit) {
  if (Error error = walkNodes(model.graph().node(), visit))
    return error;
  for (const onnx::FunctionProto &function : model.functions())
    if (Error error = walkNodes(function.node(), visit))
      return error;
  return Error::success();
}

Error mezzo::walkGraphs(const onnx::ModelProto &model,
                        function_ref<Error(const onnx::GraphProto &)> visit) {
  if (Error error = visit(model.graph()))
    return error;
  return walkAllNodes(model, [&](const onnx::NodeProto &node) -> Error {
    for (const onnx::GraphProto *graph : subgraphs(node))
      if (Error error = visit(*graph))
        return error;
    return Error::success();
  });
}

using TensorVisitor = function_ref<Error(const onnx::TensorProto &)>;

static Error visitSparse(const onnx::SparseTensorProto &sparse,
                         TensorVisitor visit) {
  if (Error error = visit(sparse.values()))
    return error;
  return visit(sparse.indices());
}

static Error visitAttribute(const onnx::AttributeProto &attribute,
                            TensorVisitor visit) {
  if (attribute.has_t())
    if (Error error = visit(attribute.t()))
      return error;
  for (const onnx::TensorProto &tensor : attribute.tensors())
    if (Error error = visit(tensor))
      return error;
  if (attribute.has_sparse_tensor())
    if (Error error = visitSparse(attribute.sparse_tensor(), visit))
      return error;
  for (const onnx::SparseTensorProto &sparse : attribute.sparse_tensors())
    if (Error error = visitSparse(sparse, visit))
      return error;
  return Error::success();
}

Error mezzo::walkTensors(const onnx::ModelProto &model, TensorVisitor visit) {
  Error error = walkGraphs(model, [&](const onnx::GraphProto &graph) -> Error {
    for (const onnx::TensorProto &tensor : graph.initializer())
      if (Error error = visit(tensor))
        return error;
    for (const auto &sparse : graph.sparse_initializer())
      if (Error error = visitSparse(sparse, visit))
        return error;
    return Error::success();
  });
  if (error)
    return error;
  error = walkAllNodes(model, [&](const onnx::NodeProto &node) -> Error {
    for (const onnx::AttributeProto &attribute : node.attribute())
      if (Error error = visitAttribute(attribute, visit))
        return error;
    return Error::success();
  });
  if (error)
    return error;
  // Defaults of functions may hold graphs; none is known, and none is allowed
  // (see Check.cpp), so that there is nothing below them to walk.
  for (const onnx::FunctionProto &function : model.functions())
    for (const onnx::AttributeProto &attribute : function.attribute_proto())
      if (Error error = visitAttribute(attribute, visit))
        return error;
  return Error::success();
}
