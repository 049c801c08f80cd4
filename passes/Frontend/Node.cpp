//===- Node.cpp - one node of the graph, under import ---------------------===//

#include "passes/Frontend/Node.h"

#include "lib/Onnx/Opsets.h"
#include "lib/Support/CheckedInt.h"
#include "passes/Frontend/Importer.h"
#include "passes/Frontend/SmallFloats.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mezzo;

std::string mezzo::describe(ArrayRef<Size> sizes) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << '[';
  llvm::interleaveComma(sizes, os, [&](Size size) {
    if (std::optional<int64_t> constant = getConstantIntValue(size))
      os << *constant;
    else
      os << '?';
  });
  os << ']';
  return text;
}

Node::Node(Importer &importer, const onnx::NodeProto &proto)
    : b(importer.b), sizes(importer.sizes), tensors(importer.tensors),
      constants(importer.constants), options(importer.options),
      importer(importer), proto(proto) {}

StringRef Node::domain() const { return canonicalDomain(proto.domain()); }

int64_t Node::opset() const { return importer.model->opset(proto.domain()); }

StringRef Node::name() const {
  if (!proto.name().empty())
    return proto.name();
  for (const std::string &output : proto.output())
    if (!output.empty())
      return output;
  return proto.op_type();
}

std::string Node::subject() const {
  return (proto.name().empty() ? "node that makes " : "node ") +
         quoted(name()) + " (" + toPrintable(op()) + ")";
}

InFlightDiagnostic Node::error() {
  InFlightDiagnostic diagnostic = mlir::emitError(b.getLoc());
  diagnostic << subject() << ": ";
  return diagnostic;
}

LogicalResult Node::error(llvm::Error failure) {
  return error() << llvm::toString(std::move(failure));
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

OnnxValue &Node::in(unsigned input) {
  assert(has(input) && "an optional input that is not there");
  return importer.value(proto.input(input));
}

SizedTensor Node::held(unsigned input) {
  return {importer.materialize(in(input)), in(input).sizes};
}

SizedTensor Node::tensor(unsigned input) {
  SizedTensor tensor = held(input);
  Type declared = irType(b.getContext(), type(input));
  if (tensor.elementType() == declared)
    return tensor;
  if (isa<FloatType>(declared))
    return tensors.convertFloat(tensor, declared);
  // Codes of whole bytes are stored as the integers that they are.
  Value integers =
      UnrealizedConversionCastOp::create(
          b, TypeRange{tensor.type().clone(declared)}, ValueRange{tensor.value})
          .getResult(0);
  return {integers, tensor.sizes};
}

SizedTensor Node::numbers(unsigned input) {
  SizedTensor tensor = this->tensor(input);
  if (!isa<QType>(tensor.elementType()))
    return tensor;
  Type byte = b.getI8Type();
  Value integers =
      UnrealizedConversionCastOp::create(
          b, TypeRange{tensor.type().clone(byte)}, ValueRange{tensor.value})
          .getResult(0);
  return {integers, tensor.sizes};
}

SizedTensor Node::f32(unsigned input) {
  SizedTensor tensor = options.strictDq ? this->tensor(input) : held(input);
  if (isSmallFloat(type(input)))
    return tensors.elementwise(numbers(input), b.getF32Type(),
                               [&](ImplicitLocOpBuilder &b, ValueRange code) {
                                 return decodeSmallFloat(b, code[0],
                                                         type(input));
                               });
  return tensors.convertFloat(tensor, b.getF32Type());
}

SizedTensor Node::codes(unsigned input) {
  OnnxValue &value = in(input);
  // Products read weights of up to 8 bits in place.
  if (!value.tensor && value.constant && bitWidth(value.type) <= 8)
    return {constants.codes(*value.constant), value.sizes};
  SizedTensor tensor = held(input);
  if (isa<QType>(tensor.elementType())) // perhaps of a narrower format
    return tensor;
  Type wanted = codeType(b.getContext(), value.type);
  Value cast =
      UnrealizedConversionCastOp::create(
          b, TypeRange{tensor.type().clone(wanted)}, ValueRange{tensor.value})
          .getResult(0);
  return {cast, tensor.sizes};
}

std::optional<Sizes> Node::elements(unsigned input) {
  OnnxValue &value = in(input);
  if (value.elements || !value.constant ||
      value.constant->elements() > OnnxValue::MaxElements)
    return value.elements;
  if (!isInteger(value.type) && value.type != ElementType::Bool)
    return std::nullopt;
  llvm::Expected<SmallVector<int64_t>> integers = value.constant->toInts();
  if (!integers) { // an unsigned number beyond 63 bits is no size
    llvm::consumeError(integers.takeError());
    return std::nullopt;
  }
  return value.elements = sizes.constants(*integers);
}

std::optional<Sizes> Node::shapeElements(unsigned input) {
  OnnxValue &value = in(input);
  if (std::optional<Sizes> tracked = elements(input))
    return tracked;
  std::optional<int64_t> count =
      value.rank() > 1 ? std::nullopt
                       : getConstantIntValue(sizes.product(value.sizes));
  if (!count || *count > OnnxValue::MaxElements ||
      (value.type != ElementType::I32 && value.type != ElementType::I64))
    return std::nullopt;
  // Not remembered: this may be inside of a branch, the tensor outside.
  SizedTensor integers = tensor(input);
  Sizes result;
  for (int64_t position = 0; position < *count; ++position) {
    SmallVector<Value> place;
    if (value.rank() == 1)
      place.push_back(sizes.value(sizes.constant(position)));
    Value element = tensor::ExtractOp::create(b, integers.value, place);
    result.push_back(sizes.unknown(
        arith::IndexCastOp::create(b, b.getIndexType(), element), false));
  }
  return result;
}

std::optional<SmallVector<int64_t>> Node::knownIntegers(unsigned input) {
  std::optional<Sizes> known = elements(input);
  if (!known)
    return std::nullopt;
  return getConstantIntValues(*known);
}

FailureOr<SmallVector<int64_t>> Node::integers(unsigned input, StringRef what) {
  if (in(input).constant) { // also when there are many
    llvm::Expected<SmallVector<int64_t>> all = in(input).constant->toInts();
    if (!all)
      return error(all.takeError());
    return *all;
  }
  if (std::optional<SmallVector<int64_t>> known = knownIntegers(input))
    return *known;
  return error() << "its " << what
                 << " are computed at run time, which is not supported; fix "
                    "the shapes that they follow from with --dim or "
                    "--shape, or make them an initializer";
}

std::optional<double> Node::constantScalar(unsigned input) {
  OnnxValue &value = in(input);
  if (std::optional<SmallVector<int64_t>> known = knownIntegers(input))
    return known->size() == 1 ? std::optional<double>((*known)[0])
                              : std::nullopt;
  if (!value.constant || value.constant->elements() != 1 ||
      !isFloat(value.type))
    return std::nullopt;
  if (value.type == ElementType::F64)
    return llvm::bit_cast<double>(rawElement(*value.constant, 0));
  llvm::Expected<SmallVector<float>> floats = value.constant->toFloats();
  if (!floats) {
    llvm::consumeError(floats.takeError());
    return std::nullopt;
  }
  return (*floats)[0];
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

const onnx::AttributeProto *Node::find(StringRef name) const {
  for (const onnx::AttributeProto &attribute : proto.attribute())
    if (StringRef(attribute.name()) == name)
      return &attribute;
  return nullptr;
}

/// The attribute if it is there and of this kind; reports one of another kind.
static const onnx::AttributeProto *
findOfKind(Node &node, StringRef name, onnx::AttributeProto::AttributeType kind,
           StringRef what, bool &bad) {
  const onnx::AttributeProto *attribute = node.find(name);
  // Files of before IR version 2 leave the kind open.
  if (!attribute || attribute->type() == kind ||
      attribute->type() == onnx::AttributeProto::UNDEFINED)
    return attribute;
  node.error() << "its attribute '" << name << "' must be " << what
               << "; export the model again";
  bad = true;
  return nullptr;
}

int64_t Node::integer(StringRef name, int64_t absent) {
  const onnx::AttributeProto *attribute =
      findOfKind(*this, name, onnx::AttributeProto::INT, "an integer", bad);
  return attribute ? attribute->i() : absent;
}

float Node::real(StringRef name, float absent) {
  const onnx::AttributeProto *attribute =
      findOfKind(*this, name, onnx::AttributeProto::FLOAT, "a number", bad);
  return attribute ? attribute->f() : absent;
}

std::string Node::text(StringRef name, StringRef absent) {
  const onnx::AttributeProto *attribute =
      findOfKind(*this, name, onnx::AttributeProto::STRING, "a string", bad);
  return attribute ? attribute->s() : absent.str();
}

std::optional<SmallVector<int64_t>> Node::integerList(StringRef name) {
  const onnx::AttributeProto *attribute = findOfKind(
      *this, name, onnx::AttributeProto::INTS, "a list of integers", bad);
  if (!attribute)
    return std::nullopt;
  return SmallVector<int64_t>(attribute->ints().begin(),
                              attribute->ints().end());
}

FailureOr<int64_t> Node::axis(int64_t axis, int64_t rank, bool end) {
  int64_t last = end ? rank : rank - 1;
  if (axis < -rank || axis > last)
    return error() << "axis " << axis << " is out of range for rank " << rank
                   << ": use " << -rank << ".." << last;
  return axis < 0 ? axis + rank : axis;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

bool Node::wants(unsigned output) const {
  return output < numOutputs() && !proto.output(output).empty() &&
         importer.isRead(proto.output(output));
}

LogicalResult Node::result(OnnxValue value, unsigned output) {
  // No buffer is larger than an address space; a size beyond is the model's
  // mistake, or its attack.
  constexpr int64_t MaxBytes = int64_t(1) << 46;
  CheckedInt bytes = std::max(1u, bitWidth(value.type) / 8);
  for (Size size : value.sizes)
    if (std::optional<int64_t> constant = getConstantIntValue(size))
      bytes *= *constant;
  if (!bytes.isValid() || *bytes > MaxBytes)
    return error() << "its output " << output << " has the shape "
                   << describe(value.sizes)
                   << ", which is beyond all memory; check the shapes of the "
                      "inputs and the constants of the model";
  if (output < numOutputs() && !proto.output(output).empty())
    importer.value(proto.output(output)) = std::move(value);
  return success();
}

LogicalResult Node::result(SizedTensor tensor, ElementType type,
                           unsigned output) {
  OnnxValue value;
  value.type = type;
  value.sizes = std::move(tensor.sizes);
  value.tensor = tensor.value;
  return result(std::move(value), output);
}

LogicalResult Node::result(Sizes elements, ArrayRef<int64_t> shape,
                           ElementType type, unsigned output) {
  OnnxValue value;
  value.type = type;
  value.sizes = sizes.constants(shape);
  value.elements = std::move(elements);
  return result(std::move(value), output);
}
