//===- Check.cpp ----------------------------------------------------------===//

#include "lib/Onnx/Check.h"

#include "lib/Onnx/Walk.h"
#include "lib/Support/CheckedInt.h"
#include "lib/Support/Sanitize.h"

#include "llvm/ADT/StringSet.h"

using namespace mezzo;
using llvm::createStringError;
using llvm::Error;
using llvm::StringRef;
using llvm::Twine;
using onnx::AttributeProto;

std::string mezzo::describe(const onnx::NodeProto &node) {
  std::string type = " (" + toPrintable(node.op_type()) + ")";
  if (!node.name().empty())
    return "node " + quoted(node.name()) + type;
  for (const std::string &output : node.output())
    if (!output.empty())
      return "the node that computes " + quoted(output) + type;
  return "a node without name" + type;
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

/// The field in which an attribute of this type lies, or 0 for no such type.
static int fieldOf(AttributeProto::AttributeType type) {
  switch (type) {
  case AttributeProto::FLOAT:
    return AttributeProto::kFFieldNumber;
  case AttributeProto::INT:
    return AttributeProto::kIFieldNumber;
  case AttributeProto::STRING:
    return AttributeProto::kSFieldNumber;
  case AttributeProto::TENSOR:
    return AttributeProto::kTFieldNumber;
  case AttributeProto::GRAPH:
    return AttributeProto::kGFieldNumber;
  case AttributeProto::SPARSE_TENSOR:
    return AttributeProto::kSparseTensorFieldNumber;
  case AttributeProto::TYPE_PROTO:
    return AttributeProto::kTpFieldNumber;
  case AttributeProto::FLOATS:
    return AttributeProto::kFloatsFieldNumber;
  case AttributeProto::INTS:
    return AttributeProto::kIntsFieldNumber;
  case AttributeProto::STRINGS:
    return AttributeProto::kStringsFieldNumber;
  case AttributeProto::TENSORS:
    return AttributeProto::kTensorsFieldNumber;
  case AttributeProto::GRAPHS:
    return AttributeProto::kGraphsFieldNumber;
  case AttributeProto::SPARSE_TENSORS:
    return AttributeProto::kSparseTensorsFieldNumber;
  case AttributeProto::TYPE_PROTOS:
    return AttributeProto::kTypeProtosFieldNumber;
  default:
    return 0;
  }
}

/// An attribute has a name, a type, and data of no other type. A number that is
/// zero may be missing, since some writers omit zeros; a message may not.
static Error checkAttribute(const AttributeProto &attribute,
                            const Twine &where) {
  auto bad = [&](const Twine &what) {
    return createStringError(where + ": attribute " + quoted(attribute.name()) +
                             " " + what);
  };
  if (attribute.name().empty())
    return bad("has no name");
  int expected = fieldOf(attribute.type());
  if (expected == 0 && attribute.ref_attr_name().empty())
    return bad("has no type; models this old need conversion with "
               "onnx.version_converter");
  const google::protobuf::Reflection *reflection = attribute.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor *> present;
  reflection->ListFields(attribute, &present);
  bool found = false;
  for (const google::protobuf::FieldDescriptor *field : present) {
    switch (field->number()) {
    case AttributeProto::kNameFieldNumber:
    case AttributeProto::kRefAttrNameFieldNumber:
    case AttributeProto::kDocStringFieldNumber:
    case AttributeProto::kTypeFieldNumber:
      continue;
    default:
      break;
    }
    if (!attribute.ref_attr_name().empty())
      return bad("refers to an attribute of the function and also has data");
    // Writers that know no absence store all scalars, the unused ones as zero.
    bool isZero = !field->is_repeated() && !field->message_type() &&
                  ((field->number() == AttributeProto::kFFieldNumber &&
                    attribute.f() == 0) ||
                   (field->number() == AttributeProto::kIFieldNumber &&
                    attribute.i() == 0) ||
                   (field->number() == AttributeProto::kSFieldNumber &&
                    attribute.s().empty()));
    if (field->number() != expected && !isZero)
      return bad("has type " +
                 AttributeProto::AttributeType_Name(attribute.type()) +
                 ", but data in field '" + field->name() + "'");
    found |= field->number() == expected;
  }
  const auto *field = AttributeProto::descriptor()->FindFieldByNumber(expected);
  if (!found && field && field->message_type() && !field->is_repeated() &&
      attribute.ref_attr_name().empty())
    return bad("has type " +
               AttributeProto::AttributeType_Name(attribute.type()) +
               ", but no data");
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Nodes, graphs, functions
//===----------------------------------------------------------------------===//

static Error checkName(StringRef name, const Twine &what,
                       const OnnxLimits &limits) {
  if (int64_t(name.size()) > limits.maxNameBytes)
    return createStringError("the name of " + what + " has " +
                             Twine(name.size()) + " bytes, the limit is " +
                             Twine(limits.maxNameBytes));
  return Error::success();
}

static Error checkNode(const onnx::NodeProto &node, const OnnxLimits &limits) {
  std::string where = describe(node);
  if (node.op_type().empty())
    return createStringError(where + ": it names no operator");
  for (StringRef name : {StringRef(node.name()), StringRef(node.op_type()),
                         StringRef(node.domain()), StringRef(node.overload())})
    if (Error error = checkName(name, where, limits))
      return error;
  for (const std::string &name : node.input())
    if (Error error = checkName(name, "an input of " + where, limits))
      return error;
  for (const std::string &name : node.output())
    if (Error error = checkName(name, "an output of " + where, limits))
      return error;
  llvm::StringSet<> names;
  for (const AttributeProto &attribute : node.attribute()) {
    if (Error error = checkAttribute(attribute, where))
      return error;
    if (!names.insert(attribute.name()).second)
      return createStringError(where + ": attribute " +
                               quoted(attribute.name()) + " is given twice");
  }
  return Error::success();
}

/// The static dims of a declared value must multiply to a size that exists.
static Error checkValue(const onnx::ValueInfoProto &value,
                        const OnnxLimits &limits) {
  if (Error error = checkName(value.name(), "a value", limits))
    return error;
  if (!value.type().has_tensor_type())
    return Error::success();
  const onnx::TypeProto::Tensor &type = value.type().tensor_type();
  // 128 bits for the widest element.
  CheckedInt bits = 128;
  for (const onnx::TensorShapeProto::Dimension &dim : type.shape().dim())
    // Old exporters write -1 for a dimension that is not known.
    if (dim.has_dim_value() && dim.dim_value() != -1)
      bits *= dim.dim_value() == 0 ? 1 : dim.dim_value();
  if (!bits.isValid())
    return createStringError("value " + quoted(value.name()) +
                             ": its dims are negative, or their product "
                             "overflows");
  return Error::success();
}

static Error checkGraph(const onnx::GraphProto &graph,
                        const OnnxLimits &limits) {
  for (const auto *values :
       {&graph.input(), &graph.output(), &graph.value_info()})
    for (const onnx::ValueInfoProto &value : *values)
      if (Error error = checkValue(value, limits))
        return error;
  for (const onnx::TensorProto &tensor : graph.initializer())
    if (Error error = checkName(tensor.name(), "an initializer", limits))
      return error;
  for (const onnx::SparseTensorProto &sparse : graph.sparse_initializer()) {
    if (Error error =
            checkName(sparse.values().name(), "an initializer", limits))
      return error;
    llvm::SmallVector<int64_t> dims(sparse.dims().begin(), sparse.dims().end());
    if (!(CheckedInt::product(dims) * 128).isValid())
      return createStringError("sparse tensor " +
                               quoted(sparse.values().name()) +
                               ": its dims are negative, or their product "
                               "overflows");
  }
  return Error::success();
}

static Error checkFunction(const onnx::FunctionProto &function,
                           const OnnxLimits &limits) {
  std::string where = "function " + quoted(function.name());
  if (function.name().empty())
    return createStringError("a function has no name");
  for (StringRef name :
       {StringRef(function.name()), StringRef(function.domain()),
        StringRef(function.overload())})
    if (Error error = checkName(name, where, limits))
      return error;
  for (const auto *names : {&function.input(), &function.output()}) {
    llvm::StringSet<> seen;
    for (const std::string &name : *names) {
      if (Error error = checkName(name, "a value of " + where, limits))
        return error;
      if (name.empty() || !seen.insert(name).second)
        return createStringError(where + ": the name " + quoted(name) +
                                 " of an input or output is empty or given "
                                 "twice");
    }
  }
  llvm::StringSet<> names;
  for (const std::string &name : function.attribute())
    if (!names.insert(name).second)
      return createStringError(where + ": attribute " + quoted(name) +
                               " is declared twice");
  for (const AttributeProto &attribute : function.attribute_proto()) {
    if (Error error = checkAttribute(attribute, where))
      return error;
    if (!names.insert(attribute.name()).second)
      return createStringError(where + ": attribute " +
                               quoted(attribute.name()) + " is declared twice");
    if (attribute.has_g() || attribute.graphs_size() != 0 ||
        !attribute.ref_attr_name().empty())
      return createStringError(where + ": the default of attribute " +
                               quoted(attribute.name()) +
                               " must be a value, not a graph or a reference");
  }
  return Error::success();
}

Error mezzo::checkMessages(const onnx::ModelProto &model,
                           const OnnxLimits &limits) {
  if (Error error =
          walkGraphs(model, [&](const onnx::GraphProto &graph) -> Error {
            return checkGraph(graph, limits);
          }))
    return error;
  auto visit = [&](const onnx::NodeProto &node) -> Error {
    return checkNode(node, limits);
  };
  if (Error error = walkNodes(model.graph().node(), visit))
    return error;
  for (const onnx::FunctionProto &function : model.functions()) {
    if (Error error = checkFunction(function, limits))
      return error;
    if (Error error = walkNodes(function.node(), visit))
      return error;
  }
  // A reference is resolved by the call of the function it stands in; outside
  // of functions there is none.
  return walkNodes(
      model.graph().node(), [&](const onnx::NodeProto &node) -> Error {
        for (const AttributeProto &attribute : node.attribute())
          if (!attribute.ref_attr_name().empty())
            return createStringError(describe(node) + ": attribute " +
                                     quoted(attribute.name()) +
                                     " refers to an attribute of a function, "
                                     "but the node is in none");
        return Error::success();
      });
}
