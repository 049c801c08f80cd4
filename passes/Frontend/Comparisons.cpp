//===- Comparisons.cpp - comparisons, flags, and the choice between two ---===//

#include "passes/Frontend/Pointwise.h"
#include "passes/Frontend/Registry.h"

using namespace mlir;
using namespace mezzo;

namespace {

using Values = ArrayRef<Value>;

LogicalResult importEqual(Node &node) {
  return importPointwise(
      node, Domain::NumberOrBool,
      [](ScalarBuilder &s, Values x) { return s.equal(x[0], x[1]); },
      ElementType::Bool);
}

template <Value (ScalarBuilder::*Compare)(Value, Value), bool Swapped>
LogicalResult importOrder(Node &node) {
  return importPointwise(
      node, Domain::Number,
      [](ScalarBuilder &s, Values x) {
        return (s.*Compare)(x[Swapped ? 1 : 0], x[Swapped ? 0 : 1]);
      },
      ElementType::Bool);
}

template <typename Op>
LogicalResult importLogic(Node &node) {
  return importPointwise(node, Domain::Bool,
                         [](ScalarBuilder &s, Values x) -> Value {
                           return Op::create(s.b, x[0], x[1]);
                         });
}

LogicalResult importNot(Node &node) {
  return importPointwise(
      node, Domain::Bool, [](ScalarBuilder &s, Values x) -> Value {
        Value one = arith::ConstantOp::create(s.b, s.b.getBoolAttr(true));
        return arith::XOrIOp::create(s.b, x[0], one);
      });
}

LogicalResult importIsNaN(Node &node) {
  return importPointwise(
      node, Domain::Float,
      [](ScalarBuilder &s, Values x) -> Value {
        return arith::CmpFOp::create(s.b, arith::CmpFPredicate::UNO, x[0],
                                     x[0]);
      },
      ElementType::Bool);
}

LogicalResult importIsInf(Node &node) {
  bool positive = node.integer("detect_positive", 1) != 0,
       negative = node.integer("detect_negative", 1) != 0;
  return importPointwise(
      node, Domain::Float,
      [&](ScalarBuilder &s, Values x) -> Value {
        Value none = arith::ConstantOp::create(s.b, s.b.getBoolAttr(false));
        Value above = s.equal(x[0], s.constant(HUGE_VAL)),
              below = s.equal(x[0], s.constant(-HUGE_VAL));
        return arith::OrIOp::create(s.b, positive ? above : none,
                                    negative ? below : none);
      },
      ElementType::Bool);
}

LogicalResult importWhere(Node &node) {
  if (node.type(0) != ElementType::Bool)
    return node.error() << "its condition is of type " << name(node.type(0))
                        << ", but must be bool; insert a Cast";
  if (node.type(1) != node.type(2))
    return node.error() << "its branches are of types " << name(node.type(1))
                        << " and " << name(node.type(2))
                        << ", but must be of one type; insert a Cast";
  if (failed(checkBroadcast(
          node, {node.in(0).sizes, node.in(1).sizes, node.in(2).sizes})))
    return failure();
  SizedTensor x = node.numbers(1), y = node.numbers(2);
  SizedTensor chosen = node.tensors.elementwise(
      {node.tensor(0), x, y}, x.elementType(),
      [](ImplicitLocOpBuilder &b, ValueRange elements) -> Value {
        return arith::SelectOp::create(b, elements[0], elements[1],
                                       elements[2]);
      });
  return node.result(chosen, node.type(1));
}

const OperatorRow rows[] = {
    {OnnxDomain, "Equal", 7, 2, 2, importEqual},
    {OnnxDomain, "Less", 7, 2, 2, importOrder<&ScalarBuilder::less, false>},
    {OnnxDomain, "LessOrEqual", 12, 2, 2,
     importOrder<&ScalarBuilder::lessOrEqual, false>},
    {OnnxDomain, "Greater", 7, 2, 2, importOrder<&ScalarBuilder::less, true>},
    {OnnxDomain, "GreaterOrEqual", 12, 2, 2,
     importOrder<&ScalarBuilder::lessOrEqual, true>},
    {OnnxDomain, "And", 7, 2, 2, importLogic<arith::AndIOp>},
    {OnnxDomain, "Or", 7, 2, 2, importLogic<arith::OrIOp>},
    {OnnxDomain, "Xor", 7, 2, 2, importLogic<arith::XOrIOp>},
    {OnnxDomain, "Not", 1, 1, 1, importNot},
    {OnnxDomain, "IsInf", 10, 1, 1, importIsInf},
    {OnnxDomain, "IsNaN", 9, 1, 1, importIsNaN},
    {OnnxDomain, "Where", 9, 3, 3, importWhere},
};

} // namespace

ArrayRef<OperatorRow> mezzo::comparisonOperators() { return rows; }
