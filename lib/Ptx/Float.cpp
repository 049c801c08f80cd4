//===- Float.cpp - Floating-point arithmetic ------------------------------===//
//
// Every operation rounds once, to nearest-even. Those that hardware only
// approximates (rcp.approx, ex2.approx, ...) give the nearest value here: tests
// of kernels that use them need a tolerance anyway.
//
//===----------------------------------------------------------------------===//

#include "lib/Ptx/FloatMath.h"

#include "lib/Number/Half.h"

#include <cmath>
#include <cstring>

using namespace mezzo;
using namespace mezzo::ptx;

static uint64_t bitsOfDouble(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

double mezzo::ptx::toDouble(uint64_t bits, Type type) {
  if (type.bits == 16)
    return type.kind == Type::BFloat ? bf16ToF32(bits) : f16ToF32(bits);
  if (type.bits == 32)
    return floatOf(uint32_t(bits));
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float mezzo::ptx::floatToOdd(double value) {
  float nearest = float(value);
  if (double(nearest) == value || std::isnan(value))
    return nearest;
  uint32_t bits = bitsOf(nearest);
  if (bits & 1)
    return nearest;
  return floatOf(std::fabs(double(nearest)) > std::fabs(value) ? bits - 1
                                                               : bits + 1);
}

uint64_t mezzo::ptx::fromDouble(double value, Type type) {
  if (std::isnan(value))
    return type.bits == 16   ? 0x7fff
           : type.bits == 32 ? 0x7fffffff
                             : 0x7fffffffffffffff;
  if (type.bits == 64)
    return bitsOfDouble(value);
  if (type.bits == 32)
    return bitsOf(float(value));
  float odd = floatToOdd(value);
  return type.kind == Type::BFloat ? f32ToBF16(odd) : f32ToF16(odd);
}

double mezzo::ptx::sumToOdd(double a, double b) {
  double sum = a + b;
  if (!std::isfinite(sum))
    return sum;
  // Knuth's two-sum: a + b = sum + error, exactly.
  double b2 = sum - a, error = (a - (sum - b2)) + (b - b2);
  uint64_t bits = bitsOfDouble(sum);
  if (error == 0 || (bits & 1))
    return sum;
  // Toward the exact sum: away from zero when the error has the sum's sign.
  bits += (error > 0) == (sum > 0) ? 1 : -1;
  double odd;
  std::memcpy(&odd, &bits, sizeof odd);
  return odd;
}

float mezzo::ptx::flush(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value)
                                                : value;
}

bool mezzo::ptx::isFloatArithmetic(Decoder &d) {
  return Type::parse(d.instruction.words.back()).isFloat();
}

namespace {

/// The modifiers of a floating-point operation.
struct Mode {
  bool ftz = false, sat = false, nan = false, relu = false;
  Type type;
};

Mode takeMode(Decoder &d) {
  Mode mode;
  d.take("rn"); // The default, and the only rounding that is known.
  mode.ftz = d.take("ftz");
  mode.nan = d.take("NaN");
  mode.sat = d.take("sat");
  mode.relu = d.take("relu");
  mode.type = d.type();
  if (mode.ftz && mode.type.bits == 64)
    d.complain("no '.ftz' of f64");
  return mode;
}

double element(uint64_t bits, unsigned lane, const Mode &mode) {
  Type type = mode.type;
  double value = toDouble(bits >> (lane * type.bits) & maskOf(type.bits), type);
  if (!mode.ftz)
    return value;
  if (type.bits == 32)
    return flush(float(value));
  // Subnormals of f16 lie below 2^-14.
  return type.kind == Type::Float && std::fabs(value) < 0x1p-14
             ? std::copysign(0.0, value)
             : value;
}

uint64_t finish(double value, const Mode &mode) {
  if (mode.sat)
    value = std::isnan(value) ? 0.0 : std::min(std::max(value, 0.0), 1.0);
  if (mode.relu && !std::isnan(value))
    value = std::max(value, 0.0);
  Type type = mode.type;
  uint64_t bits = fromDouble(value, type);
  if (mode.ftz && type.bits == 32)
    bits = bitsOf(flush(floatOf(uint32_t(bits))));
  if (mode.ftz && type.kind == Type::Float && type.bits == 16 &&
      (bits & 0x7c00) == 0)
    bits &= 0x8000;
  return bits;
}

/// f on each element, by way of double. Exact in double, or rounded to odd, for
/// 16 bits; f32 and f64 have functions of their own where that is not enough.
template <typename F>
Action eachElement(Decoder &d, const Mode &mode, unsigned arity, F f) {
  d.expectOperands(arity + 1);
  Type type = mode.type;
  auto run = [=](uint64_t a, uint64_t b, uint64_t c) {
    uint64_t result = 0;
    for (unsigned lane = 0; lane < type.lanes; ++lane)
      result |= finish(f(element(a, lane, mode), element(b, lane, mode),
                         element(c, lane, mode)),
                       mode)
                << (lane * type.bits);
    return result;
  };
  int32_t dst = d.destination(0);
  Reader a = d.source(1, type);
  Reader b = arity > 1 ? d.source(2, type) : a;
  Reader c = arity > 2 ? d.source(3, type) : a;
  return ternary(dst, type.width(), a, b, c, run);
}

/// a * b + c in one rounding of the type, in double's range.
double fusedMultiplyAdd(double a, double b, double c, Type type) {
  if (type.bits == 64)
    return std::fma(a, b, c);
  if (type.bits == 32)
    return std::fmaf(float(a), float(b), float(c));
  return sumToOdd(a * b, c); // The product of 16-bit floats is exact.
}

double minimum(double a, double b, bool nan) {
  if (std::isnan(a) || std::isnan(b))
    return nan ? NAN : std::isnan(a) ? b : a;
  if (a == b)
    return std::signbit(a) ? a : b;
  return a < b ? a : b;
}

Action decodeFma(Decoder &d) {
  Mode mode = takeMode(d);
  if (!mode.type.isFloat())
    return d.complain("'" + d.opcode() + "' of a type that is no float");
  return eachElement(d, mode, 3,
                     [type = mode.type](double a, double b, double c) {
                       return fusedMultiplyAdd(a, b, c, type);
                     });
}

/// A function of one f32 or f64, perhaps an approximation.
template <typename F>
Action function(Decoder &d, F f) {
  bool approximate = d.take("approx");
  (void)approximate;
  Mode mode = takeMode(d);
  if (!mode.type.isFloat())
    return d.complain("'" + d.opcode() + "' of a type that is no float");
  return eachElement(d, mode, 1,
                     [f](double a, double, double) { return f(a); });
}

Action decodeRcp(Decoder &d) {
  return function(d, [](double a) { return 1.0 / a; });
}
Action decodeSqrt(Decoder &d) {
  return function(d, [](double a) { return std::sqrt(a); });
}
Action decodeRsqrt(Decoder &d) {
  return function(d, [](double a) { return 1.0 / std::sqrt(a); });
}
Action decodeEx2(Decoder &d) {
  return function(d, [](double a) { return std::exp2(a); });
}
Action decodeLg2(Decoder &d) {
  return function(d, [](double a) { return std::log2(a); });
}
Action decodeSin(Decoder &d) {
  return function(d, [](double a) { return std::sin(a); });
}
Action decodeCos(Decoder &d) {
  return function(d, [](double a) { return std::cos(a); });
}
Action decodeTanh(Decoder &d) {
  return function(d, [](double a) { return std::tanh(a); });
}

/// copysign d, a, b: b with the sign of a.
Action decodeCopysign(Decoder &d) {
  Mode mode = takeMode(d);
  return eachElement(d, mode, 2, [](double a, double b, double) {
    return std::copysign(b, a);
  });
}

} // namespace

Action mezzo::ptx::decodeFloatArithmetic(Decoder &d) {
  llvm::StringRef op = d.opcode();
  if (op == "mad" || op == "fma")
    return decodeFma(d);
  if (op == "div" && !d.take("full"))
    d.take("approx");
  Mode mode = takeMode(d);
  if (op == "abs" || op == "neg") {
    // Bit operations: a NaN keeps its payload.
    uint64_t sign = 1ull << (mode.type.bits - 1);
    if (mode.type.lanes == 2)
      sign |= sign << mode.type.bits;
    d.expectOperands(2);
    return unary(d.destination(0), mode.type.width(), d.source(1, mode.type),
                 [sign, flip = op == "neg"](uint64_t a) {
                   return flip ? a ^ sign : a & ~sign;
                 });
  }
  // Of f32, the double result of +, -, * and / rounds to the same f32 as the
  // exact one: 53 >= 2 * 24 + 2 (Figueroa). Sums of 16-bit floats go to odd.
  bool wide = mode.type.bits == 64;
  if (op == "add" || op == "sub")
    return eachElement(d, mode, 2,
                       [wide, flip = op == "sub"](double a, double b, double) {
                         b = flip ? -b : b;
                         return wide ? a + b : sumToOdd(a, b);
                       });
  if (op == "mul")
    return eachElement(d, mode, 2,
                       [](double a, double b, double) { return a * b; });
  if (op == "div")
    return eachElement(d, mode, 2,
                       [](double a, double b, double) { return a / b; });
  bool nan = mode.nan;
  if (op == "min")
    return eachElement(d, mode, 2, [nan](double a, double b, double) {
      return minimum(a, b, nan);
    });
  if (op == "max")
    return eachElement(d, mode, 2, [nan](double a, double b, double) {
      return -minimum(-a, -b, nan);
    });
  return d.complain("'" + op + "' of floats is not known");
}

void mezzo::ptx::addFloat(OpcodeTable &table) {
  table["fma"] = decodeFma;
  table["rcp"] = decodeRcp;
  table["sqrt"] = decodeSqrt;
  table["rsqrt"] = decodeRsqrt;
  table["ex2"] = decodeEx2;
  table["lg2"] = decodeLg2;
  table["sin"] = decodeSin;
  table["cos"] = decodeCos;
  table["tanh"] = decodeTanh;
  table["copysign"] = decodeCopysign;
}
