//===- TestModel.h - Small models for tests -------------------------------===//

#ifndef MEZZO_LIB_ONNX_TESTMODEL_H
#define MEZZO_LIB_ONNX_TESTMODEL_H

#include "lib/Onnx/Model.h"

#include "llvm/ADT/StringExtras.h"

#include "gtest/gtest.h"

namespace mezzo {

/// A model of opset 21 with one float input "x" and one output "y".
inline onnx::ModelProto emptyModel() {
  onnx::ModelProto model;
  model.set_ir_version(10);
  onnx::OperatorSetIdProto &opset = *model.add_opset_import();
  opset.set_version(21);
  model.mutable_graph()->set_name("g");
  auto describe = [](onnx::ValueInfoProto &value, const char *name) {
    value.set_name(name);
    auto &type = *value.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    type.mutable_shape()->add_dim()->set_dim_value(4);
  };
  describe(*model.mutable_graph()->add_input(), "x");
  describe(*model.mutable_graph()->add_output(), "y");
  return model;
}

using Names = std::vector<std::string>;

template <typename Parent> // GraphProto or FunctionProto
onnx::NodeProto &addNode(Parent &parent, const char *type, Names inputs,
                         Names outputs) {
  onnx::NodeProto &node = *parent.add_node();
  node.set_op_type(type);
  for (const std::string &name : inputs)
    node.add_input(name);
  for (const std::string &name : outputs)
    node.add_output(name);
  return node;
}

inline onnx::AttributeProto &
addAttribute(onnx::NodeProto &node, const char *name,
             onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto &attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

/// y = Relu(x).
inline onnx::ModelProto reluModel() {
  onnx::ModelProto model = emptyModel();
  addNode(*model.mutable_graph(), "Relu", {"x"}, {"y"});
  return model;
}

/// A u8 tensor with `bytes` in raw_data.
inline onnx::TensorProto rawTensor(const char *name, const std::string &bytes) {
  onnx::TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::UINT8);
  tensor.add_dims(int64_t(bytes.size()));
  tensor.set_raw_data(bytes);
  return tensor;
}

/// Reads the model from a copy of its bytes that lives as long as it.
inline llvm::Expected<std::unique_ptr<OnnxModel>>
readBytes(std::string bytes, llvm::StringRef directory = "",
          const OnnxLimits &limits = {}) {
  auto owner = std::make_shared<std::string>(std::move(bytes));
  return OnnxModel::parse(llvm::arrayRefFromStringRef(*owner), directory,
                          limits, owner);
}

inline llvm::Expected<std::unique_ptr<OnnxModel>>
readModel(const onnx::ModelProto &model, llvm::StringRef directory = "",
          const OnnxLimits &limits = {}) {
  return readBytes(model.SerializeAsString(), directory, limits);
}

/// The message with which something is refused, or "accepted".
template <typename T>
std::string messageOf(llvm::Expected<T> result) {
  return result ? "accepted" : llvm::toString(result.takeError());
}

/// `message` is one line without end mark and contains `part`.
inline void expectRefusal(const std::string &message, llvm::StringRef part) {
  EXPECT_TRUE(llvm::StringRef(message).contains(part))
      << "message: " << message << "\nwanted: " << part.str();
  EXPECT_NE(message, "accepted");
  EXPECT_EQ(message.find('\n'), std::string::npos);
  EXPECT_FALSE(llvm::StringRef(message).ends_with(".")) << message;
}

} // namespace mezzo

#endif // MEZZO_LIB_ONNX_TESTMODEL_H
