//===- SmallFloats.cpp - floats of eight bits and fewer -------------------===//
//
// A small float is sign, exponent, mantissa, as an f32 is, so its normal
// numbers are those bits shifted to their place and the exponent moved by the
// difference of the biases, and its subnormal ones are a small integer times a
// power of two.
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/SmallFloats.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace mezzo;

namespace {

/// `mantissa` bits and the bias of the exponent; `largest` is the code of the
/// largest number, `infinity` and `nan` codes without sign, -1 where there is
/// none.
struct Shape {
  int mantissa, bias, signBit, largest, infinity, nan;
  bool hasMinusZero;
};

Shape shapeOf(ElementType type) {
  switch (type) {
  case ElementType::F8E4M3FN:
    return {3, 7, 7, 0x7e, -1, 0x7f, true};
  case ElementType::F8E4M3FNUZ:
    return {3, 8, 7, 0x7f, -1, 0x80, false};
  case ElementType::F8E5M2:
    return {2, 15, 7, 0x7b, 0x7c, 0x7f, true};
  case ElementType::F8E5M2FNUZ:
    return {2, 16, 7, 0x7f, -1, 0x80, false};
  case ElementType::F4E2M1:
    return {1, 1, 3, 0x7, -1, -1, true};
  default:
    llvm_unreachable("f8e8m0 has no sign and no mantissa");
  }
}

/// i32 and f32 arithmetic with constants.
struct Bits {
  ImplicitLocOpBuilder &b;

  Value integer(int64_t value) {
    return arith::ConstantOp::create(b, b.getI32IntegerAttr(int32_t(value)));
  }
  Value real(float value) {
    return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
  }
  Value nan() { return real(std::nanf("")); }
  Value band(Value x, int64_t mask) {
    return arith::AndIOp::create(b, x, integer(mask));
  }
  Value bor(Value x, Value y) { return arith::OrIOp::create(b, x, y); }
  Value shl(Value x, int bits) {
    return arith::ShLIOp::create(b, x, integer(bits));
  }
  Value shr(Value x, int bits) {
    return arith::ShRUIOp::create(b, x, integer(bits));
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value is(Value x, int64_t value) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x,
                                 integer(value));
  }
  Value below(Value x, int64_t value) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, x,
                                 integer(value));
  }
  Value above(Value x, int64_t value) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, x,
                                 integer(value));
  }
  Value select(Value condition, Value x, Value y) {
    return arith::SelectOp::create(b, condition, x, y);
  }
  Value asFloat(Value x) {
    return arith::BitcastOp::create(b, b.getF32Type(), x);
  }
  Value asInt(Value x) {
    return arith::BitcastOp::create(b, b.getI32Type(), x);
  }
};

/// 2^(code - 127), and NaN.
Value decodePower(Bits o, Value code) {
  Value power = o.select(o.is(code, 0), o.integer(1 << 22), o.shl(code, 23));
  return o.select(o.is(code, 255), o.nan(), o.asFloat(power));
}

/// The exponent of |x|, rounded as asked for. There is no zero: what is too
/// small becomes 2^-127.
Value encodePower(Bits o, Value x, SmallFloatRounding rounding) {
  Value bits = o.band(o.asInt(x), 0x7fffffff);
  int increment = rounding.powers == "up"     ? 0x7fffff
                  : rounding.powers == "down" ? 0
                                              : 0x400000;
  // Below 2^-126 the exponent field is 0, and only whether the number is above
  // 2^-127 (or half-way from there) matters.
  Value code = o.shr(o.add(bits, o.integer(increment)), 23);
  Value subnormal = o.below(bits, 0x800000);
  int most = rounding.powers == "up"     ? 0x400000
             : rounding.powers == "down" ? 0x7fffff
                                         : 0x5fffff;
  code =
      o.select(subnormal,
               o.select(o.above(bits, most), o.integer(1), o.integer(0)), code);
  Value over = o.above(code, 254);
  code = o.select(over, o.integer(rounding.saturate ? 254 : 255), code);
  // Infinity has no code of its own, and is NaN as in ONNX's reference.
  return o.select(o.above(bits, 0x7f7fffff), o.integer(255), code);
}

} // namespace

Value mezzo::decodeSmallFloat(ImplicitLocOpBuilder &b, Value stored,
                              ElementType type) {
  Bits o{b};
  Value code = arith::ExtUIOp::create(b, b.getI32Type(), stored);
  if (type == ElementType::F8E8M0)
    return decodePower(o, code);
  Shape shape = shapeOf(type);
  int top = 1 << shape.signBit;
  Value magnitude = o.band(code, top - 1), sign = o.band(code, top);
  Value normal = o.asFloat(o.add(o.shl(magnitude, 23 - shape.mantissa),
                                 o.integer((127 - shape.bias) << 23)));
  Value small = arith::MulFOp::create(
      b, arith::SIToFPOp::create(b, b.getF32Type(), magnitude),
      o.real(std::ldexp(1.0f, 1 - shape.bias - shape.mantissa)));
  Value y = o.select(o.below(magnitude, 1 << shape.mantissa), small, normal);
  if (shape.infinity >= 0) {
    y = o.select(o.is(magnitude, shape.infinity), o.real(HUGE_VALF), y);
    y = o.select(o.above(magnitude, shape.infinity), o.nan(), y);
  } else if (shape.nan >= 0) {
    y = o.select(o.is(shape.hasMinusZero ? magnitude : code, shape.nan),
                 o.nan(), y);
  }
  return o.asFloat(o.bor(o.asInt(y), o.shl(sign, 31 - shape.signBit)));
}

Value mezzo::encodeSmallFloat(ImplicitLocOpBuilder &b, Value x,
                              ElementType type, SmallFloatRounding rounding) {
  Bits o{b};
  auto stored = [&](Value code) -> Value {
    return arith::TruncIOp::create(b, b.getI8Type(), code);
  };
  if (type == ElementType::F8E8M0)
    return stored(encodePower(o, x, rounding));
  Shape shape = shapeOf(type);
  Value all = o.asInt(x), bits = o.band(all, 0x7fffffff);
  int drop = 23 - shape.mantissa;
  // Normal: the bits that go are rounded to even by adding almost half.
  Value odd = o.band(o.shr(bits, drop), 1);
  Value rounded =
      o.shr(o.add(o.add(bits, odd), o.integer((1 << (drop - 1)) - 1)), drop);
  Value normal =
      o.add(rounded, o.integer(-((127 - shape.bias) << shape.mantissa)));
  // Subnormal: adding 2^23 of the smallest steps leaves the number of steps.
  float step = std::ldexp(1.0f, 1 - shape.bias - shape.mantissa);
  Value magic = o.real(step * 0x1p23f);
  Value sum = arith::AddFOp::create(b, o.asFloat(bits), magic);
  Value small = arith::SubIOp::create(b, o.asInt(sum), o.asInt(magic));
  int firstNormal = (128 - shape.bias) << 23;
  Value code = o.select(o.below(bits, firstNormal), small, normal);
  // Overflow, infinity included; then NaN.
  bool hasNone = shape.infinity < 0 && shape.nan < 0;
  int beyond = rounding.saturate || hasNone ? shape.largest
               : shape.infinity >= 0        ? shape.infinity
                                            : shape.nan;
  code = o.select(o.above(code, shape.largest), o.integer(beyond), code);
  Value sign = o.shl(o.shr(all, 31), shape.signBit);
  if (!shape.hasMinusZero) // the code of -0 is NaN
    sign = o.select(o.is(code, 0), o.integer(0), sign);
  code = o.bor(code, sign);
  // Without NaN, it becomes 0 with its sign turned on, as in ml_dtypes.
  int nan = hasNone ? 1 << shape.signBit : shape.nan;
  Value isNaN = o.above(bits, 0x7f800000);
  Value nanCode = shape.hasMinusZero && !hasNone ? o.bor(o.integer(nan), sign)
                                                 : o.integer(nan);
  return stored(o.select(isNaN, nanCode, code));
}
