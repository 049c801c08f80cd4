//===- Convert.cpp - cvt between integers and floats ----------------------===//

#include "lib/Ptx/FloatMath.h"

#include <cmath>

using namespace mezzo::ptx;

namespace {

enum class Rounding { None, Nearest, Zero, Down, Up };

Rounding takeIntegerRounding(Decoder &d) {
  return Rounding(1 + d.takeOneOf({"rni", "rzi", "rmi", "rpi"}));
}

double roundToInteger(double value, Rounding rounding) {
  switch (rounding) {
  case Rounding::None:
    return value;
  case Rounding::Nearest:
    return std::nearbyint(value); // The environment's default: nearest-even.
  case Rounding::Zero:
    return std::trunc(value);
  case Rounding::Down:
    return std::floor(value);
  case Rounding::Up:
    return std::ceil(value);
  }
  llvm_unreachable("unknown rounding");
}

/// Out of range saturates; NaN is 0, or the smallest number of 64 bits.
uint64_t floatToInteger(double value, Type to) {
  if (std::isnan(value))
    return to.bits == 64 ? 1ull << 63 : 0;
  if (to.kind == Type::Signed) {
    double limit = std::ldexp(1.0, to.bits - 1);
    if (value >= limit)
      return maskOf(to.bits - 1);
    return uint64_t(value < -limit ? -int64_t(maskOf(to.bits - 1)) - 1
                                   : int64_t(value));
  }
  if (value <= 0)
    return 0;
  return value >= std::ldexp(1.0, to.bits) ? maskOf(to.bits) : uint64_t(value);
}

uint64_t integerToFloat(uint64_t bits, Type from, Type to) {
  bool isSigned = from.kind == Type::Signed;
  int64_t value = signExtend(bits, from.bits);
  if (to.bits == 32) // Straight, in one rounding.
    return fromDouble(isSigned ? float(value) : float(bits), to);
  return fromDouble(isSigned ? double(value) : double(bits), to);
}

uint64_t integerToInteger(uint64_t bits, Type from, Type to, bool saturate) {
  bool fromSigned = from.kind == Type::Signed;
  int64_t value = fromSigned ? signExtend(bits, from.bits) : int64_t(bits);
  if (!saturate)
    return uint64_t(value);
  if (to.kind == Type::Signed) {
    int64_t most = int64_t(maskOf(to.bits - 1));
    if (!fromSigned && bits > uint64_t(most))
      return uint64_t(most);
    return uint64_t(std::clamp(value, -most - 1, most));
  }
  if (fromSigned && value < 0)
    return 0;
  return std::min(uint64_t(value), maskOf(to.bits));
}

/// cvt.rn.f16x2.f32 d, a, b: a becomes the upper half, b the lower.
Action decodePacked(Decoder &d, Type to, Type from) {
  if (from.bits != 32 || !from.isFloat() || to.bits != 16)
    return d.complain("a packed conversion that is not from f32");
  d.expectOperands(3);
  Type half{to.kind, 16, 1};
  return binary(d.destination(0), 32, d.source(1, from), d.source(2, from),
                [=](uint64_t high, uint64_t low) {
                  return fromDouble(toDouble(high, from), half) << 16 |
                         fromDouble(toDouble(low, from), half);
                });
}

Action decodeCvt(Decoder &d) {
  bool nearest = d.take("rn");
  Rounding rounding = takeIntegerRounding(d);
  bool ftz = d.take("ftz");
  bool saturate = d.take("sat");
  Type to = d.type(), from = d.type();
  if (to.lanes == 2)
    return decodePacked(d, to, from);
  if (from.lanes == 2 || to.kind == Type::Pred || from.kind == Type::Pred)
    return d.complain("a conversion between types that have none");
  d.expectOperands(2);
  int32_t dst = d.destination(0);
  // A register wider than the type receives the value, sign and all.
  unsigned width = d.widthOf(dst);
  Reader a = d.source(1, from);
  if (!to.isFloat() && !from.isFloat())
    return unary(dst, width, a, [=](uint64_t bits) {
      uint64_t value = integerToInteger(bits, from, to, saturate);
      return to.kind == Type::Signed ? uint64_t(signExtend(value, to.bits))
                                     : value & maskOf(to.bits);
    });
  if (!from.isFloat())
    return unary(dst, width, a,
                 [=](uint64_t bits) { return integerToFloat(bits, from, to); });
  if (!to.isFloat() && rounding == Rounding::None)
    return d.complain("a conversion from float to integer needs '.rni', "
                      "'.rzi', '.rmi' or '.rpi'");
  if (to.isFloat() && to.bits < from.bits && !nearest)
    return d.complain("a conversion to a smaller float needs '.rn', the only "
                      "rounding that is known");
  return unary(dst, width, a, [=](uint64_t bits) -> uint64_t {
    double value = toDouble(bits, from);
    if (ftz && from.bits == 32)
      value = flush(float(value));
    value = roundToInteger(value, rounding);
    if (!to.isFloat()) {
      uint64_t integer = floatToInteger(value, to);
      return to.kind == Type::Signed ? uint64_t(signExtend(integer, to.bits))
                                     : integer;
    }
    if (saturate)
      value = std::isnan(value) ? 0.0 : std::min(std::max(value, 0.0), 1.0);
    uint64_t result = fromDouble(value, to);
    return ftz && to.bits == 32 ? fromDouble(flush(float(value)), to) : result;
  });
}

} // namespace

void mezzo::ptx::addConversions(OpcodeTable &table) {
  table["cvt"] = decodeCvt;
}
