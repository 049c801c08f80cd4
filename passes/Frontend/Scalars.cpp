//===- Scalars.cpp - arithmetic on one element ----------------------------===//

#include "passes/Frontend/Scalars.h"

#include "dialects/Mezzo/Mezzo.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mezzo;

Value ScalarBuilder::constant(double value) {
  TypedAttr attr = isFloat ? TypedAttr(b.getFloatAttr(type, value))
                           : TypedAttr(b.getIntegerAttr(type, int64_t(value)));
  return arith::ConstantOp::create(b, attr);
}

Value ScalarBuilder::add(Value x, Value y) {
  return isFloat ? arith::AddFOp::create(b, x, y).getResult()
                 : arith::AddIOp::create(b, x, y).getResult();
}
Value ScalarBuilder::sub(Value x, Value y) {
  return isFloat ? arith::SubFOp::create(b, x, y).getResult()
                 : arith::SubIOp::create(b, x, y).getResult();
}
Value ScalarBuilder::mul(Value x, Value y) {
  return isFloat ? arith::MulFOp::create(b, x, y).getResult()
                 : arith::MulIOp::create(b, x, y).getResult();
}

Value ScalarBuilder::safeDivisor(Value y, Value &isZero, Value &isMinusOne) {
  isZero = equal(y, constant(0));
  Value traps = isZero;
  if (isSigned) { // the smallest integer divided by -1 is out of range
    isMinusOne = equal(y, constant(-1));
    traps = arith::OrIOp::create(b, isZero, isMinusOne);
  }
  return select(traps, constant(1), y);
}

static void checkDivisor(ImplicitLocOpBuilder &b, Value isZero,
                         const std::string &subject) {
  Value one = arith::ConstantOp::create(b, b.getBoolAttr(true));
  Value nonzero = arith::XOrIOp::create(b, isZero, one);
  CheckOp::create(
      b, nonzero,
      subject + ": an integer is divided by 0; check the inputs of the model");
}

Value ScalarBuilder::div(Value x, Value y, const std::string &subject,
                         bool divisorKnownNonzero) {
  if (isFloat)
    return arith::DivFOp::create(b, x, y);
  Value isZero, isMinusOne;
  Value divisor = safeDivisor(y, isZero, isMinusOne);
  if (!divisorKnownNonzero)
    checkDivisor(b, isZero, subject);
  if (!isSigned)
    return arith::DivUIOp::create(b, x, divisor);
  return select(isMinusOne, neg(x), arith::DivSIOp::create(b, x, divisor));
}

Value ScalarBuilder::remainder(Value x, Value y, bool signOfDivisor,
                               const std::string &subject) {
  Value isZero, isMinusOne;
  Value divisor = safeDivisor(y, isZero, isMinusOne);
  checkDivisor(b, isZero, subject);
  if (!isSigned)
    return arith::RemUIOp::create(b, x, divisor);
  Value remainder = arith::RemSIOp::create(
      b, x, divisor); // 0 where the divisor is -1, as it should be
  if (!signOfDivisor)
    return remainder;
  Value zero = constant(0);
  Value opposite =
      arith::XOrIOp::create(b, less(remainder, zero), less(divisor, zero));
  Value one = arith::ConstantOp::create(b, b.getBoolAttr(true));
  Value nonzero = arith::XOrIOp::create(b, equal(remainder, zero), one);
  Value wrong = arith::AndIOp::create(b, opposite, nonzero);
  return select(wrong, add(remainder, divisor), remainder);
}

Value ScalarBuilder::neg(Value x) {
  return isFloat ? arith::NegFOp::create(b, x).getResult()
                 : sub(constant(0), x);
}

Value ScalarBuilder::abs(Value x) {
  if (isFloat)
    return math::AbsFOp::create(b, x);
  return isSigned ? math::AbsIOp::create(b, x).getResult() : x;
}

Value ScalarBuilder::max(Value x, Value y) {
  if (isFloat)
    return arith::MaximumFOp::create(b, x, y);
  return isSigned ? arith::MaxSIOp::create(b, x, y).getResult()
                  : arith::MaxUIOp::create(b, x, y).getResult();
}
Value ScalarBuilder::min(Value x, Value y) {
  if (isFloat)
    return arith::MinimumFOp::create(b, x, y);
  return isSigned ? arith::MinSIOp::create(b, x, y).getResult()
                  : arith::MinUIOp::create(b, x, y).getResult();
}

Value ScalarBuilder::sign(Value x) {
  Value zero = constant(0);
  Value positive =
      select(less(zero, x), constant(1), isFloat ? x : zero); // keeps NaN and 0
  if (!isFloat && !isSigned)
    return positive;
  return select(less(x, zero), constant(-1), positive);
}

/// By squaring: x^13 = x^8 * x^4 * x, lowest bit first.
Value ScalarBuilder::power(Value x, int64_t exponent) {
  uint64_t rest = exponent < 0 ? -exponent : exponent;
  Value result, square = x;
  for (; rest; rest >>= 1) {
    if (rest & 1)
      result = result ? mul(result, square) : square;
    if (rest > 1)
      square = mul(square, square);
  }
  if (!result)
    return constant(1);
  return exponent < 0
             ? arith::DivFOp::create(b, constant(1), result).getResult()
             : result;
}

Value ScalarBuilder::less(Value x, Value y) {
  if (isFloat)
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, y);
  return arith::CmpIOp::create(
      b, isSigned ? arith::CmpIPredicate::slt : arith::CmpIPredicate::ult, x,
      y);
}
Value ScalarBuilder::lessOrEqual(Value x, Value y) {
  if (isFloat)
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OLE, x, y);
  return arith::CmpIOp::create(
      b, isSigned ? arith::CmpIPredicate::sle : arith::CmpIPredicate::ule, x,
      y);
}
Value ScalarBuilder::equal(Value x, Value y) {
  if (isFloat)
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, y);
  return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, y);
}
Value ScalarBuilder::select(Value condition, Value x, Value y) {
  return arith::SelectOp::create(b, condition, x, y);
}

Value ScalarBuilder::exp(Value x) { return math::ExpOp::create(b, x); }
Value ScalarBuilder::log(Value x) { return math::LogOp::create(b, x); }
Value ScalarBuilder::sqrt(Value x) { return math::SqrtOp::create(b, x); }
Value ScalarBuilder::tanh(Value x) { return math::TanhOp::create(b, x); }
Value ScalarBuilder::erf(Value x) { return math::ErfOp::create(b, x); }

Value ScalarBuilder::sigmoid(Value x) {
  Value one = constant(1), t = exp(neg(abs(x)));
  return arith::DivFOp::create(b, select(less(x, constant(0)), t, one),
                               add(one, t));
}

Value ScalarBuilder::softplus(Value x) {
  return add(max(x, constant(0)), log(add(constant(1), exp(neg(abs(x))))));
}

Value ScalarBuilder::gelu(Value x) {
  Value scaled = mul(x, constant(0.70710678118654752)); // 1 / sqrt(2)
  return mul(mul(constant(0.5), x), add(constant(1), erf(scaled)));
}

Value ScalarBuilder::geluTanh(Value x) {
  Value cube = mul(mul(x, x), x);
  Value inner = add(x, mul(constant(0.044715), cube));
  Value t = tanh(mul(constant(0.79788456080286536), inner)); // sqrt(2 / pi)
  return mul(mul(constant(0.5), x), add(constant(1), t));
}
