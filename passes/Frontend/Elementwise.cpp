//===- Elementwise.cpp - arithmetic, element by element -------------------===//

#include "passes/Frontend/ConstantCodes.h"
#include "passes/Frontend/Pointwise.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mezzo;

namespace {

using Values = ArrayRef<Value>;

LogicalResult importAdd(Node &node) {
  return importPointwise(node, Domain::Number, [](ScalarBuilder &s, Values x) {
    return s.add(x[0], x[1]);
  });
}
LogicalResult importSub(Node &node) {
  return importPointwise(node, Domain::Number, [](ScalarBuilder &s, Values x) {
    return s.sub(x[0], x[1]);
  });
}
LogicalResult importMul(Node &node) {
  return importPointwise(node, Domain::Number, [](ScalarBuilder &s, Values x) {
    return s.mul(x[0], x[1]);
  });
}

LogicalResult importDiv(Node &node) {
  std::string subject = node.subject();
  std::optional<double> divisor = node.constantScalar(1);
  bool nonzero = divisor && *divisor != 0;
  return importPointwise(node, Domain::Number, [&](ScalarBuilder &s, Values x) {
    return s.div(x[0], x[1], subject, nonzero);
  });
}

/// Min, Max, Sum and Mean of any number of inputs, folded from the left.
template <Value (ScalarBuilder::*Fold)(Value, Value), bool IsMean = false>
LogicalResult importFold(Node &node) {
  unsigned count = node.numInputs();
  return importPointwise(node, IsMean ? Domain::Float : Domain::Number,
                         [&](ScalarBuilder &s, Values x) {
                           Value result = x[0];
                           for (Value next : x.drop_front())
                             result = (s.*Fold)(result, next);
                           return IsMean ? s.div(result, s.constant(count), "")
                                         : result;
                         });
}

template <Value (ScalarBuilder::*Function)(Value), Domain D>
LogicalResult importUnary(Node &node) {
  return importPointwise(
      node, D, [](ScalarBuilder &s, Values x) { return (s.*Function)(x[0]); });
}

template <typename Op, Domain D>
LogicalResult importMath(Node &node) {
  return importPointwise(node, D, [](ScalarBuilder &s, Values x) -> Value {
    return Op::create(s.b, x[0]);
  });
}

/// Floor, Ceil and Round leave integers alone.
template <typename Op>
LogicalResult importRounding(Node &node) {
  return importMath<Op, Domain::Float>(node);
}

LogicalResult importReciprocal(Node &node) {
  return importPointwise(node, Domain::Float, [](ScalarBuilder &s, Values x) {
    return s.div(s.constant(1), x[0], "");
  });
}

LogicalResult importClip(Node &node) {
  if (narrowCodes(node))
    return success();
  SmallVector<SizedTensor> operands{node.numbers(0)};
  for (unsigned input : {1u, 2u}) {
    if (!node.has(input))
      continue;
    if (!node.sizes.surelyEqual(node.sizes.product(node.in(input).sizes),
                                node.sizes.constant(1)))
      return node.error() << "its bound " << input << " has the shape "
                          << describe(node.in(input).sizes)
                          << ", but must be a scalar; use Min and Max instead";
    if (node.type(input) != node.type(0))
      return node.error() << "its bound " << input << " is of type "
                          << name(node.type(input))
                          << ", but its input of type " << name(node.type(0))
                          << "; insert a Cast";
    operands.push_back(node.tensors.reshape(node.numbers(input), {}));
  }
  bool hasLow = node.has(1), hasHigh = node.has(2);
  return importPointwise(
      node, Domain::Number,
      [&](ScalarBuilder &s, Values x) {
        Value value = hasLow ? s.max(x[0], x[1]) : x[0];
        return hasHigh ? s.min(value, x.back()) : value;
      },
      operands, node.type(0));
}

/// Before opset 11 the bounds were attributes.
LogicalResult importClipAttributes(Node &node) {
  bool hasLow = node.hasAttribute("min"), hasHigh = node.hasAttribute("max");
  float low = node.real("min", 0), high = node.real("max", 0);
  return importPointwise(node, Domain::Float, [&](ScalarBuilder &s, Values x) {
    Value value = hasLow ? s.max(x[0], s.constant(low)) : x[0];
    return hasHigh ? s.min(value, s.constant(high)) : value;
  });
}

constexpr unsigned Variadic = OperatorRow::Variadic;

const OperatorRow rows[] = {
    {OnnxDomain, "Add", 7, 2, 2, importAdd},
    {OnnxDomain, "Sub", 7, 2, 2, importSub},
    {OnnxDomain, "Mul", 7, 2, 2, importMul},
    {OnnxDomain, "Div", 7, 2, 2, importDiv},
    {OnnxDomain, "Min", 8, 1, Variadic, importFold<&ScalarBuilder::min>},
    {OnnxDomain, "Max", 8, 1, Variadic, importFold<&ScalarBuilder::max>},
    {OnnxDomain, "Sum", 8, 1, Variadic, importFold<&ScalarBuilder::add>},
    {OnnxDomain, "Mean", 8, 1, Variadic, importFold<&ScalarBuilder::add, true>},
    {OnnxDomain, "Neg", 6, 1, 1,
     importUnary<&ScalarBuilder::neg, Domain::Number>},
    {OnnxDomain, "Abs", 6, 1, 1,
     importUnary<&ScalarBuilder::abs, Domain::Number>},
    {OnnxDomain, "Sign", 9, 1, 1,
     importUnary<&ScalarBuilder::sign, Domain::Number>},
    {OnnxDomain, "Sqrt", 6, 1, 1,
     importUnary<&ScalarBuilder::sqrt, Domain::Float>},
    {OnnxDomain, "Exp", 6, 1, 1,
     importUnary<&ScalarBuilder::exp, Domain::Float>},
    {OnnxDomain, "Log", 6, 1, 1,
     importUnary<&ScalarBuilder::log, Domain::Float>},
    {OnnxDomain, "Erf", 9, 1, 1,
     importUnary<&ScalarBuilder::erf, Domain::Float32>},
    {OnnxDomain, "Tanh", 6, 1, 1,
     importUnary<&ScalarBuilder::tanh, Domain::Float32>},
    {OnnxDomain, "Sin", 7, 1, 1, importMath<math::SinOp, Domain::Float32>},
    {OnnxDomain, "Cos", 7, 1, 1, importMath<math::CosOp, Domain::Float32>},
    {OnnxDomain, "Tan", 7, 1, 1, importMath<math::TanOp, Domain::Float32>},
    {OnnxDomain, "Asin", 7, 1, 1, importMath<math::AsinOp, Domain::Float32>},
    {OnnxDomain, "Acos", 7, 1, 1, importMath<math::AcosOp, Domain::Float32>},
    {OnnxDomain, "Atan", 7, 1, 1, importMath<math::AtanOp, Domain::Float32>},
    {OnnxDomain, "Sinh", 9, 1, 1, importMath<math::SinhOp, Domain::Float32>},
    {OnnxDomain, "Cosh", 9, 1, 1, importMath<math::CoshOp, Domain::Float32>},
    {OnnxDomain, "Asinh", 9, 1, 1, importMath<math::AsinhOp, Domain::Float32>},
    {OnnxDomain, "Acosh", 9, 1, 1, importMath<math::AcoshOp, Domain::Float32>},
    {OnnxDomain, "Atanh", 9, 1, 1, importMath<math::AtanhOp, Domain::Float32>},
    {OnnxDomain, "Floor", 6, 1, 1, importRounding<math::FloorOp>},
    {OnnxDomain, "Ceil", 6, 1, 1, importRounding<math::CeilOp>},
    {OnnxDomain, "Round", 11, 1, 1, importRounding<math::RoundEvenOp>},
    {OnnxDomain, "Reciprocal", 6, 1, 1, importReciprocal},
    {OnnxDomain, "Clip", 6, 1, 1, importClipAttributes},
    {OnnxDomain, "Clip", 11, 1, 3, importClip},
};

} // namespace

ArrayRef<OperatorRow> mezzo::elementwiseOperators() { return rows; }
