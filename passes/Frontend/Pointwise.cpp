//===- Pointwise.cpp - element-wise operators from scalar functions -------===//

#include "passes/Frontend/Pointwise.h"

#include "passes/Frontend/Types.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mezzo;

static bool isIn(ElementType type, Domain domain) {
  if (isSmallFloat(type))
    return false;
  switch (domain) {
  case Domain::Float32:
    return isFloat(type) && type != ElementType::F64;
  case Domain::Float:
    return isFloat(type);
  case Domain::Number:
    return isFloat(type) || isInteger(type);
  case Domain::Bool:
    return type == ElementType::Bool;
  case Domain::NumberOrBool:
    return true;
  }
  llvm_unreachable("all domains are covered");
}

static StringRef domainName(Domain domain) {
  switch (domain) {
  case Domain::Float32:
    return "f32, f16 or bf16";
  case Domain::Float:
    return "a floating point type";
  case Domain::Number:
    return "a floating point or integer type";
  case Domain::Bool:
    return "bool";
  case Domain::NumberOrBool:
    return "bool, or a floating point or integer type";
  }
  llvm_unreachable("all domains are covered");
}

LogicalResult mezzo::checkBroadcast(Node &node, ArrayRef<Sizes> shapes) {
  if (node.tensors.broadcastSizes(shapes))
    return success();
  auto texts = llvm::map_to_vector(
      shapes, [](const Sizes &shape) { return mezzo::describe(shape); });
  return node.error() << "shapes " << llvm::join(texts, ", ")
                      << " cannot be broadcast: sizes must be equal, or one of "
                         "them 1; check the model, --dim and --shape";
}

LogicalResult mezzo::importPointwise(Node &node, Domain domain,
                                     ScalarFunction function,
                                     ArrayRef<SizedTensor> operands,
                                     ElementType type, ElementType result) {
  if (!isIn(type, domain))
    return node.error() << "elements of type " << name(type)
                        << " are not supported here: use " << domainName(domain)
                        << ", for example by a Cast";
  auto shapes = llvm::map_to_vector(
      operands, [](const SizedTensor &operand) { return operand.sizes; });
  if (failed(checkBroadcast(node, shapes)))
    return failure();
  Type given = operands[0].elementType(), computed = computeType(given);
  Type out = result == ElementType::Undefined
                 ? given
                 : irType(node.b.getContext(), result);
  SizedTensor y = node.tensors.elementwise(
      operands, out, [&](ImplicitLocOpBuilder &b, ValueRange elements) {
        ScalarBuilder scalars(b, computed, type);
        auto widened =
            llvm::map_to_vector(elements, [&](Value element) -> Value {
              return given == computed
                         ? element
                         : convertFloatScalar(b, element, computed);
            });
        Value value = function(scalars, widened);
        return value.getType() == out ? value
                                      : convertFloatScalar(b, value, out);
      });
  return node.result(y, result == ElementType::Undefined ? type : result);
}

LogicalResult mezzo::importPointwise(Node &node, Domain domain,
                                     ScalarFunction function, unsigned first,
                                     unsigned count, ElementType result) {
  ElementType type = node.type(first);
  SmallVector<SizedTensor> operands;
  for (unsigned input = first; input < first + count; ++input) {
    if (!node.has(input))
      return node.error() << "its input " << input
                          << " is missing; export the model again";
    if (node.type(input) != type)
      return node.error() << "its inputs are of types " << name(type) << " and "
                          << name(node.type(input))
                          << ", but must be of one type; insert a Cast";
    operands.push_back(node.numbers(input));
  }
  return importPointwise(node, domain, function, operands, type, result);
}

LogicalResult mezzo::importPointwise(Node &node, Domain domain,
                                     ScalarFunction function,
                                     ElementType result) {
  return importPointwise(node, domain, function, 0, node.numInputs(), result);
}
