//===- Bits.cpp - operators on the bits of integers -----------------------===//

#include "passes/Frontend/Pointwise.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"

using namespace mlir;
using namespace mezzo;

namespace {

using Values = ArrayRef<Value>;

LogicalResult checkInteger(Node &node, bool isUnsigned = false) {
  ElementType type = node.type(0);
  if (isInteger(type) && !(isUnsigned && isSignedInteger(type)))
    return success();
  return node.error() << "elements of type " << name(type)
                      << " are not supported here: use "
                      << (isUnsigned ? "unsigned integers" : "integers");
}

template <typename Op>
LogicalResult importBitwise(Node &node) {
  if (failed(checkInteger(node)))
    return failure();
  return importPointwise(node, Domain::Number,
                         [](ScalarBuilder &s, Values x) -> Value {
                           return Op::create(s.b, x[0], x[1]);
                         });
}

LogicalResult importBitwiseNot(Node &node) {
  if (failed(checkInteger(node)))
    return failure();
  return importPointwise(
      node, Domain::Number, [](ScalarBuilder &s, Values x) -> Value {
        return arith::XOrIOp::create(s.b, x[0], s.constant(-1));
      });
}

/// All bits are gone where the distance is the width or more.
LogicalResult importBitShift(Node &node) {
  std::string direction = node.text("direction", "");
  if (direction != "LEFT" && direction != "RIGHT")
    return node.error() << "its attribute 'direction' is " << quoted(direction)
                        << ": use LEFT or RIGHT";
  if (failed(checkInteger(node, /*isUnsigned=*/true)))
    return failure();
  unsigned bits = bitWidth(node.type(0));
  return importPointwise(
      node, Domain::Number, [&](ScalarBuilder &s, Values x) -> Value {
        Value within = s.less(x[1], s.constant(bits));
        Value zero = s.constant(0), distance = s.select(within, x[1], zero);
        Value shifted =
            direction == "LEFT"
                ? arith::ShLIOp::create(s.b, x[0], distance).getResult()
                : arith::ShRUIOp::create(s.b, x[0], distance).getResult();
        return s.select(within, shifted, zero);
      });
}

/// The same bits as another type of the same width.
LogicalResult importBitCast(Node &node) {
  llvm::Expected<ElementType> to = elementType(node.integer("to", 0));
  if (!to)
    return node.error(to.takeError());
  ElementType from = node.type(0);
  MLIRContext *context = node.b.getContext();
  Type given = irType(context, from), wanted = irType(context, *to);
  if (!wanted || bitWidth(from) != bitWidth(*to) || bitWidth(from) < 8)
    return node.error() << "a cast of the bits of " << name(from) << " to "
                        << name(*to)
                        << " is not supported: use types of one width of 8 to "
                           "64 bits";
  if (given == wanted) {
    OnnxValue value = node.in(0);
    if (!value.constant || value.tensor)
      return node.result(node.tensor(0), *to);
    TensorView view = *value.constant;
    view.type = value.type = *to;
    value.elements.reset();
    value.constant = std::make_shared<const TensorView>(std::move(view));
    return node.result(std::move(value));
  }
  SizedTensor y = node.tensors.elementwise(
      {node.tensor(0)}, wanted,
      [&](ImplicitLocOpBuilder &b, ValueRange x) -> Value {
        // A flag is one bit in IR, and a byte of 0 or 1 in memory.
        if (given.isInteger(1))
          return arith::ExtUIOp::create(b, wanted, x[0]);
        if (wanted.isInteger(1))
          return arith::CmpIOp::create(
              b, arith::CmpIPredicate::ne, x[0],
              arith::ConstantOp::create(b,
                                        cast<TypedAttr>(b.getZeroAttr(given))));
        return arith::BitcastOp::create(b, wanted, x[0]);
      });
  return node.result(y, *to);
}

const OperatorRow rows[] = {
    {OnnxDomain, "BitwiseAnd", 18, 2, 2, importBitwise<arith::AndIOp>},
    {OnnxDomain, "BitwiseOr", 18, 2, 2, importBitwise<arith::OrIOp>},
    {OnnxDomain, "BitwiseXor", 18, 2, 2, importBitwise<arith::XOrIOp>},
    {OnnxDomain, "BitwiseNot", 18, 1, 1, importBitwiseNot},
    {OnnxDomain, "BitShift", 11, 2, 2, importBitShift},
    {OnnxDomain, "BitCast", 26, 1, 1, importBitCast},
};

} // namespace

ArrayRef<OperatorRow> mezzo::bitOperators() { return rows; }
