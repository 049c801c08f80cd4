//===- FloatProducts.cpp - the products of a float model ------------------===//

#include "lib/Onnx/FloatProducts.h"

#include <algorithm>

using namespace mezzo;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

Constants mezzo::constantsOf(const onnx::GraphProto &graph) {
  Constants constants;
  for (const onnx::TensorProto &tensor : graph.initializer())
    constants[tensor.name()] = &tensor;
  for (const onnx::NodeProto &node : graph.node())
    if (node.op_type() == "Constant" && node.output_size() == 1)
      for (const onnx::AttributeProto &attribute : node.attribute())
        if (attribute.name() == "value" && attribute.has_t())
          constants[node.output(0)] = &attribute.t();
  return constants;
}

int64_t mezzo::integerOf(const onnx::NodeProto &node, StringRef name,
                         int64_t absent) {
  for (const onnx::AttributeProto &attribute : node.attribute())
    if (StringRef(attribute.name()) == name)
      return attribute.i();
  return absent;
}

static Error embedTensor(const OnnxModel &model, onnx::TensorProto &tensor) {
  if (tensor.data_type() == onnx::TensorProto::STRING)
    return Error::success();
  Expected<TensorView> view = model.tensor(tensor);
  if (!view)
    return view.takeError();
  onnx::TensorProto whole;
  whole.set_name(tensor.name());
  whole.set_data_type(tensor.data_type());
  for (int64_t dim : view->dims)
    whole.add_dims(dim);
  whole.set_raw_data(view->bytes.data(), view->bytes.size());
  tensor = std::move(whole);
  return Error::success();
}

static Error embedInNode(const OnnxModel &model, onnx::NodeProto &node) {
  for (onnx::AttributeProto &attribute : *node.mutable_attribute()) {
    if (attribute.has_t())
      if (Error error = embedTensor(model, *attribute.mutable_t()))
        return error;
    for (onnx::TensorProto &tensor : *attribute.mutable_tensors())
      if (Error error = embedTensor(model, tensor))
        return error;
    if (attribute.has_g())
      if (Error error = mezzo::embedTensors(model, *attribute.mutable_g()))
        return error;
    for (onnx::GraphProto &graph : *attribute.mutable_graphs())
      if (Error error = mezzo::embedTensors(model, graph))
        return error;
  }
  return Error::success();
}

Error mezzo::embedTensors(const OnnxModel &model, onnx::GraphProto &graph) {
  for (onnx::TensorProto &tensor : *graph.mutable_initializer())
    if (Error error = embedTensor(model, tensor))
      return error;
  for (onnx::NodeProto &node : *graph.mutable_node())
    if (Error error = embedInNode(model, node))
      return error;
  return Error::success();
}

void mezzo::collectReads(const onnx::GraphProto &graph,
                         std::set<std::string> &reads) {
  for (const onnx::NodeProto &node : graph.node()) {
    reads.insert(node.input().begin(), node.input().end());
    for (const onnx::AttributeProto &attribute : node.attribute()) {
      if (attribute.has_g())
        collectReads(attribute.g(), reads);
      for (const onnx::GraphProto &inner : attribute.graphs())
        collectReads(inner, reads);
    }
  }
  for (const onnx::ValueInfoProto &output : graph.output())
    reads.insert(output.name());
}

void mezzo::dropUnread(onnx::GraphProto &graph) {
  for (bool changed = true; changed;) {
    std::set<std::string> reads;
    collectReads(graph, reads);
    auto unread = [&](const onnx::NodeProto &node) {
      return llvm::none_of(node.output(), [&](const std::string &name) {
        return !name.empty() && reads.count(name);
      });
    };
    auto *nodes = graph.mutable_node();
    auto kept = std::remove_if(nodes->begin(), nodes->end(), unread);
    changed = kept != nodes->end();
    nodes->erase(kept, nodes->end());
    auto *tensors = graph.mutable_initializer();
    tensors->erase(std::remove_if(tensors->begin(), tensors->end(),
                                  [&](const onnx::TensorProto &tensor) {
                                    return !reads.count(tensor.name());
                                  }),
                   tensors->end());
  }
}

Expected<std::vector<FloatProduct>>
mezzo::listFloatProducts(const OnnxModel &model) {
  Constants constants = constantsOf(model.graph());
  std::vector<FloatProduct> products;
  for (int index = 0; index < model.graph().node_size(); ++index) {
    const onnx::NodeProto &node = model.graph().node(index);
    bool gemm = node.op_type() == "Gemm";
    if (!canonicalDomain(node.domain()).empty() ||
        (!gemm && node.op_type() != "MatMul") || node.input_size() < 2)
      continue;
    auto weight = constants.find(node.input(1));
    if (weight == constants.end() || constants.count(node.input(0)) ||
        weight->second->data_type() != onnx::TensorProto::FLOAT ||
        weight->second->dims_size() != 2)
      continue;
    if (gemm && integerOf(node, "transA", 0) != 0)
      continue; // its activations would be quantized along rows
    bool transposed = gemm && integerOf(node, "transB", 0) != 0;
    int64_t first = weight->second->dims(0), second = weight->second->dims(1);
    if (first == 0 || second == 0)
      continue;
    products.push_back({index, node.input(0), node.input(1), transposed,
                        transposed ? first : second,
                        transposed ? second : first});
  }
  return products;
}

Expected<onnx::ModelProto>
mezzo::withOutputs(const OnnxModel &model, llvm::ArrayRef<std::string> names) {
  onnx::ModelProto proto = model.proto();
  onnx::GraphProto &graph = *proto.mutable_graph();
  if (Error error = embedTensors(model, graph))
    return std::move(error);
  graph.clear_output();
  for (const std::string &name : names) {
    onnx::ValueInfoProto &output = *graph.add_output();
    output.set_name(name);
    output.mutable_type()->mutable_tensor_type()->set_elem_type(
        onnx::TensorProto::FLOAT);
  }
  dropUnread(graph);
  return proto;
}
