//===- Powers.cpp - Pow, and remainders of floating point numbers ---------===//

#include "passes/Frontend/Pointwise.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mezzo;

namespace {

using Values = ArrayRef<Value>;

/// base^exponent by squaring, in the wrapping arithmetic of the base; a
/// negative exponent gives what 1 / base^-exponent is when cut to an integer.
Value integerPower(ScalarBuilder &s, Value base, Value exponent,
                   bool exponentIsSigned) {
  ImplicitLocOpBuilder &b = s.b;
  Type type = exponent.getType();
  unsigned bits = type.getIntOrFloatBitWidth();
  auto integer = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(b, b.getIntegerAttr(type, value));
  };
  Value result = s.constant(1), square = base, rest = exponent;
  Value zero = integer(0), one = integer(1);
  // Exponents of small types are short; of large ones only bases of -1, 0 and 1
  // do not overflow long before the last bits, but all are defined.
  for (unsigned bit = 0; bit < bits; ++bit) {
    Value isSet = arith::CmpIOp::create(
        b, arith::CmpIPredicate::ne, arith::AndIOp::create(b, rest, one), zero);
    result = s.select(isSet, s.mul(result, square), result);
    square = s.mul(square, square);
    rest = arith::ShRUIOp::create(b, rest, one);
  }
  if (!exponentIsSigned)
    return result;
  Value negative =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, exponent, zero);
  Value isOdd =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                            arith::AndIOp::create(b, exponent, one), zero);
  Value minusOne = s.constant(-1), unit = s.constant(1);
  Value sign = s.select(isOdd, minusOne, unit);
  Value inverse =
      s.select(s.equal(base, unit), unit,
               s.select(s.equal(base, minusOne), sign, s.constant(0)));
  return s.select(negative, inverse, result);
}

/// exp(y log|x|) with the sign that an odd y gives a negative x, NaN where that
/// x has no such power, and the exact 1 of x^0 and 1^y.
Value floatPower(ScalarBuilder &s, Value x, Value y) {
  ImplicitLocOpBuilder &b = s.b;
  Value zero = s.constant(0), one = s.constant(1);
  Value magnitude = math::PowFOp::create(b, s.abs(x), y);
  Value whole = s.equal(math::FloorOp::create(b, y), y);
  Value half = s.mul(y, s.constant(0.5));
  Value even = s.equal(math::FloorOp::create(b, half), half);
  Value nan = arith::ConstantOp::create(
      b, b.getFloatAttr(x.getType(),
                        llvm::APFloat::getNaN(
                            cast<FloatType>(x.getType()).getFloatSemantics())));
  Value left =
      s.select(whole, s.select(even, magnitude, s.neg(magnitude)), nan);
  Value result = s.select(s.less(x, zero), left, magnitude);
  Value trivial = arith::OrIOp::create(b, s.equal(y, zero), s.equal(x, one));
  return s.select(trivial, one, result);
}

/// Constant exponents become products and roots, which are exact or nearly so.
LogicalResult importConstantPower(Node &node, double exponent) {
  ElementType type = node.type(0);
  // An exponent of shape [1, 1, 1] is a scalar, but its rank counts.
  SizedTensor base = node.numbers(0);
  if (node.rank(1) > node.rank(0)) {
    Sizes shape(node.rank(1) - node.rank(0), node.sizes.constant(1));
    llvm::append_range(shape, base.sizes);
    base = node.tensors.reshape(base, shape);
  }
  return importPointwise(
      node, Domain::Number,
      [&](ScalarBuilder &s, Values x) -> Value {
        if (exponent == std::trunc(exponent))
          return s.power(x[0], exponent);
        Value root = s.sqrt(x[0]);
        return exponent > 0 ? root : s.div(s.constant(1), root, "");
      },
      base, type);
}

/// The type of the result is that of the base. Integers to the power of
/// integers are exact; floats are raised in f32.
LogicalResult importPow(Node &node) {
  constexpr double MaxExponent = 64;
  ElementType type = node.type(0), exponentType = node.type(1);
  std::optional<double> exponent = node.constantScalar(1);
  bool integral = exponent && std::abs(*exponent) <= MaxExponent &&
                  *exponent == std::trunc(*exponent);
  if (integral ? isFloat(type) || *exponent >= 0
               : exponent && std::abs(*exponent) == 0.5 && isFloat(type))
    return importConstantPower(node, *exponent);
  for (ElementType operand : {type, exponentType})
    if (operand == ElementType::F64 || operand == ElementType::Bool)
      return node.error() << "powers of type " << name(operand)
                          << " are supported for constant exponents that are "
                             "integers or 0.5; cast to f32";
  SmallVector<SizedTensor> operands{node.numbers(0), node.numbers(1)};
  if (failed(checkBroadcast(node, {operands[0].sizes, operands[1].sizes})))
    return failure();
  Type element = operands[0].elementType(), f32 = node.b.getF32Type();
  bool exponentIsSigned = isSignedInteger(exponentType);
  SizedTensor y = node.tensors.elementwise(
      operands, element, [&](ImplicitLocOpBuilder &b, ValueRange x) -> Value {
        if (isInteger(type) && isInteger(exponentType)) {
          ScalarBuilder s(b, element, type);
          return integerPower(s, x[0], x[1], exponentIsSigned);
        }
        auto toF32 = [&](Value value, ElementType from) {
          return convertScalar(b, value, from, ElementType::F32, f32);
        };
        ScalarBuilder s(b, f32, ElementType::F32);
        Value power =
            floatPower(s, toF32(x[0], type), toF32(x[1], exponentType));
        Value result = convertScalar(b, power, ElementType::F32, type, element);
        if (isFloat(type))
          return result;
        // 3^6.0 is 729 exactly, not 728.99.
        Type i64 = b.getI64Type();
        Value whole =
            convertScalar(b, x[1], exponentType, ElementType::I64, i64);
        ScalarBuilder wide(b, element, type);
        Value exact = integerPower(wide, x[0], whole, true);
        Value back =
            convertScalar(b, whole, ElementType::I64, ElementType::F32, f32);
        return s.select(s.equal(back, toF32(x[1], exponentType)), exact,
                        result);
      });
  return node.result(y, type);
}

/// The rest of x / y with the sign of x, exactly: x - y * q for the whole q
/// nearest to x / y toward 0. In f64, where each step is exact and leaves a
/// rest 2^52 times smaller, at most `steps` of them.
Value floatRemainder(ImplicitLocOpBuilder &b, Value x, Value y, int steps) {
  ScalarBuilder s(b, b.getF64Type(), ElementType::F64);
  Value size = s.abs(y), rest = s.abs(x), zero = s.constant(0);
  for (int step = 0; step < steps; ++step) {
    Value quotient = math::TruncOp::create(b, s.div(rest, size, ""));
    rest = math::FmaOp::create(b, s.neg(quotient), size, rest);
    // The quotient was rounded, perhaps up.
    rest = s.select(s.less(rest, zero), s.add(rest, size), rest);
  }
  Value infinite = s.equal(size, s.constant(HUGE_VAL));
  Value result = s.select(infinite, s.abs(x), rest);
  return math::CopySignOp::create(b, result, x);
}

/// Of integers with the sign of the divisor, or, with fmod, of the dividend; of
/// floats with fmod only.
LogicalResult importMod(Node &node) {
  bool ofDividend = node.integer("fmod", 0) != 0;
  std::string subject = node.subject();
  ElementType type = node.type(0);
  if (!isFloat(type))
    return importPointwise(
        node, Domain::Number, [&](ScalarBuilder &s, Values x) {
          return s.remainder(x[0], x[1], !ofDividend, subject);
        });
  if (!ofDividend)
    return node.error() << "remainders of floating point numbers need fmod = "
                           "1; set it, or write x - y * Floor(x / y)";
  // Quotients of f32 are below 2^277, of f64 below 2^2098.
  int steps = type == ElementType::F64 ? 41 : 6;
  return importPointwise(
      node, Domain::Float, [&](ScalarBuilder &s, Values x) -> Value {
        Type given = x[0].getType(), wide = s.b.getF64Type();
        Value rest = floatRemainder(s.b, convertFloatScalar(s.b, x[0], wide),
                                    convertFloatScalar(s.b, x[1], wide), steps);
        return convertFloatScalar(s.b, rest, given);
      });
}

const OperatorRow rows[] = {
    {OnnxDomain, "Pow", 7, 2, 2, importPow},
    {OnnxDomain, "Mod", 10, 2, 2, importMod},
};

} // namespace

ArrayRef<OperatorRow> mezzo::powerOperators() { return rows; }
