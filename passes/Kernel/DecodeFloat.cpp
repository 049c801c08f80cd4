//===- DecodeFloat.cpp - small floats as f32, by arithmetic ---------------===//

#include "passes/Kernel/DecodeFloat.h"

#include <cmath>

using namespace mlir;
using namespace mezzo;

namespace {

/// The float that codes are placed in.
struct Wide {
  explicit Wide(unsigned bits)
      : exponentBits(bits == 16 ? 5 : 8), mantissaBits(bits - 1 - exponentBits),
        bias((1 << (exponentBits - 1)) - 1), sign(int64_t(1) << (bits - 1)) {}

  int64_t exponentMask() const {
    return ((int64_t(1) << exponentBits) - 1) << mantissaBits;
  }
  /// A quiet NaN.
  int64_t nan() const {
    return exponentMask() | int64_t(1) << (mantissaBits - 1);
  }

  unsigned exponentBits, mantissaBits;
  int bias;
  int64_t sign;
};

} // namespace

unsigned mezzo::decodingWordBits(const SmallFloat &format) {
  // A half's largest exponent is taken by its infinity and its NaN.
  unsigned exponents = format.getExponentBits();
  bool isHalf = exponents < 5 ||
                (exponents == 5 && format.getKind() == SmallFloat::Kind::IEEE);
  return isHalf && format.getMantissaBits() <= 10 ? 16 : 32;
}

Value mezzo::placeSmallFloat(KernelBuilder &builder, const SmallFloat &format,
                             Value words) {
  auto type = cast<VectorType>(words.getType());
  Wide wide(type.getElementTypeBitWidth());
  auto splat = [&](int64_t value) { return builder.splat(type, value); };
  auto and_ = [&](Value value, int64_t mask) -> Value {
    return arith::AndIOp::create(builder, value, splat(mask));
  };
  auto orWhere = [&](Value bits, Value condition, int64_t added) -> Value {
    Value chosen =
        arith::SelectOp::create(builder, condition, splat(added), splat(0));
    return arith::OrIOp::create(builder, bits, chosen);
  };
  auto equal = [&](Value value, int64_t constant) -> Value {
    return arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, value,
                                 splat(constant));
  };

  unsigned e = format.getExponentBits(), m = format.getMantissaBits(),
           skipped = wide.exponentBits - e;
  int64_t exponents = ((int64_t(1) << e) - 1) << wide.mantissaBits;
  int64_t magnitude = ((int64_t(1) << (e + m)) - 1) << (wide.mantissaBits - m);
  Value bits = words;
  if (skipped)
    bits = arith::ShRSIOp::create(builder, bits, splat(skipped));
  if (skipped || type.getElementTypeBitWidth() == 32)
    bits = and_(bits, wide.sign | magnitude);

  if (!format.hasSubnormals()) {
    Value isZero = equal(and_(bits, exponents), 0);
    bits =
        arith::SelectOp::create(builder, isZero, and_(bits, wide.sign), bits);
  }
  switch (format.getKind()) {
  case SmallFloat::Kind::IEEE: // infinity and NaN keep their mantissa
    if (skipped)
      bits = orWhere(bits, equal(and_(bits, exponents), exponents),
                     wide.exponentMask());
    break;
  case SmallFloat::Kind::FN:
    bits = orWhere(bits, equal(and_(bits, magnitude), magnitude), wide.nan());
    break;
  case SmallFloat::Kind::FNUZ:
    bits = orWhere(bits, equal(bits, wide.sign), wide.nan());
    break;
  case SmallFloat::Kind::Finite:
    break;
  }
  return bits;
}

Value mezzo::rebiasSmallFloat(KernelBuilder &builder, const SmallFloat &format,
                              Value placed) {
  auto type = cast<VectorType>(placed.getType());
  auto floats = type.clone(builder.getF32Type());
  Wide wide(type.getElementTypeBitWidth());
  Value value;
  if (type.getElementTypeBitWidth() == 16)
    value = arith::ExtFOp::create(
        builder, floats,
        builder.bitcast(type.clone(builder.getF16Type()), placed));
  else
    value = builder.bitcast(floats, placed);
  // A factor that no f32 is takes two steps; what is between is normal.
  int power = wide.bias - format.getBias();
  SmallVector<int, 2> steps;
  if (power < -126 || power > 127)
    steps = {power / 2, power - power / 2};
  else if (power)
    steps = {power};
  for (int step : steps)
    value = arith::MulFOp::create(
        builder, value, builder.splatFloat(floats, std::ldexp(1.0f, step)));
  return value;
}

Value mezzo::decodeSmallFloat(KernelBuilder &builder, const SmallFloat &format,
                              Value words) {
  return rebiasSmallFloat(builder, format,
                          placeSmallFloat(builder, format, words));
}
