//===- Elementary.h - elementary functions, written once --------*- C++ -*-===//

#ifndef MEZZO_LIB_MATH_ELEMENTARY_H
#define MEZZO_LIB_MATH_ELEMENTARY_H

#include "lib/Math/ScalarOps.h"

/// Elementary functions on f32, written once and evaluated twice
/// =============================================================
///
/// A model's numbers must not depend on the libm of the system it runs on, and
/// what the compiler folds at compile time, what the reference computes and
/// what the compiled model computes must be equal bit for bit. So each function
/// stands here once, as a template over an *algebra* `Ops`: the handful of
/// operations that it needs. With ScalarOps the template computes; with an
/// algebra whose operations append instructions to a function it is a code
/// generator. Each operation is exactly rounded, hence the same on every
/// machine, so the two agree by construction, provided that nobody reassociates
/// or contracts (no fast-math flags; -ffp-contract=off).
///
/// An algebra has three types and these operations:
///
///     Value   an f32                     Int  32 bits, wraps      Bool
///     constant(float)                    integer(int32_t)
///     add sub mul div fma neg abs        iadd isub iand ior
///     select(Bool, Value, Value)         ishl(Int, unsigned)
///     lessThan(Value, Value)             isar(Int, unsigned)  (keeps the sign)
///                                        iequal(Int, Int)
///     asInt(Value)                       asFloat(Int)      (the same 32 bits)
///
/// `fma` rounds once; `lessThan` is false where an operand is NaN. There are no
/// branches, so that a Value may as well be a vector, and no rounding or
/// conversion: adding 1.5 * 2^23 to a small x leaves the nearest integer (ties
/// to even) in the low bits of the sum, since the spacing of floats there is 1.
///
/// A worked example, exp(10): 10 / ln 2 = 14.43, so n = 14 and the rest is
/// r = 10 - 14 ln 2 = 0.2959. The subtraction is one fma with the leading 24
/// bits of ln 2 (exact: the difference needs at most 24 bits) and one with the
/// next 24. A polynomial gives e^r = 1.3444, and 1.3444 * 2^14 = 22026.5.
///
/// The bounds in ulps below are those that lib/Math's tests check against the
/// double precision functions of the host. Subnormal arguments and results are
/// computed as such, never flushed. Where the result is NaN its payload is
/// unspecified, as IEEE 754 leaves it. The coefficients come from fit.py.
namespace mezzo {

/// x rounded to the nearest integer, ties to even, as a number and as an
/// integer. For |x| < 2^22; `scale` multiplies x first, in the same rounding.
template <typename Ops>
struct Nearest {
  typename Ops::Value value;
  typename Ops::Int integer;

  Nearest(Ops &o, typename Ops::Value x, float scale) {
    constexpr float magic = 0x1.8p23f;
    constexpr int32_t magicBits = 0x4b400000;
    auto sum = o.fma(x, o.constant(scale), o.constant(magic));
    value = o.sub(sum, o.constant(magic));
    integer = o.isub(o.asInt(sum), o.integer(magicBits));
  }
};

/// c[0] + c[1] x + c[2] x^2 + ... by Horner's rule, one fma per step.
template <typename Ops, size_t N>
typename Ops::Value polynomial(Ops &o, typename Ops::Value x,
                               const float (&c)[N]) {
  auto sum = o.constant(c[N - 1]);
  for (size_t i = N - 1; i-- > 0;)
    sum = o.fma(sum, x, o.constant(c[i]));
  return sum;
}

/// `magnitude` (not negative) with the sign of `x`; keeps -0.
template <typename Ops>
typename Ops::Value withSignOf(Ops &o, typename Ops::Value magnitude,
                               typename Ops::Value x) {
  auto sign = o.iand(o.asInt(x), o.integer(INT32_MIN));
  return o.asFloat(o.ior(o.asInt(magnitude), sign));
}

/// e^x within 1 ulp. Overflows to +inf above 88.72, underflows through the
/// subnormals to 0 below -103.97.
template <typename Ops>
typename Ops::Value expProgram(Ops &o, typename Ops::Value x) {
  // Beyond these ends the result is inf or 0 in any case, and inside them n
  // fits into the two factors below. A NaN passes both selects.
  auto lo = o.constant(-104.0f), hi = o.constant(89.0f);
  x = o.select(o.lessThan(x, lo), lo, x);
  x = o.select(o.lessThan(hi, x), hi, x);

  Nearest<Ops> n(o, x, 0x1.715476p+0f); // 1 / ln 2
  auto minusN = o.neg(n.value);
  auto r = o.fma(minusN, o.constant(0x1.62e43p-1f), x);
  r = o.fma(minusN, o.constant(-0x1.05c61p-29f), r);
  auto p = polynomial(o, r,
                      {1.0f, 1.0f, 0x1.fffffcp-2f, 0x1.55549p-3f,
                       0x1.5558acp-5f, 0x1.123b0cp-7f, 0x1.6a540ep-10f});

  // 2^n is no float for n = 128 or n < -126, so it is applied in two halves.
  // Only the second product can be subnormal: one rounding, not two.
  auto half = o.isar(n.integer, 1);
  auto rest = o.isub(n.integer, half);
  auto powerOfTwo = [&](typename Ops::Int e) {
    return o.asFloat(o.ishl(o.iadd(e, o.integer(127)), 23));
  };
  return o.mul(o.mul(p, powerOfTwo(half)), powerOfTwo(rest));
}

/// The natural logarithm within 1 ulp. log(+-0) = -inf, log(x < 0) = NaN.
template <typename Ops>
typename Ops::Value logProgram(Ops &o, typename Ops::Value x) {
  auto zero = o.constant(0.0f);
  // A subnormal has fewer bits and another exponent rule: multiply by 2^23.
  auto tiny = o.lessThan(x, o.constant(0x1p-126f));
  auto scaled = o.select(tiny, o.mul(x, o.constant(0x1p23f)), x);
  auto shift = o.select(tiny, o.constant(-23.0f), zero);

  // x = m * 2^e with m from sqrt(1/2) to sqrt(2), all in the bits: subtracting
  // those of sqrt(1/2) makes the exponent field step at the wanted place.
  auto root = o.integer(0x3f3504f3);
  auto offset = o.isub(o.asInt(scaled), root);
  auto m = o.asFloat(o.iadd(o.iand(offset, o.integer(0x007fffff)), root));
  // float(e), by the trick of Nearest run backwards.
  auto e = o.sub(o.asFloat(o.iadd(o.isar(offset, 23), o.integer(0x4b400000))),
                 o.constant(0x1.8p23f));
  e = o.add(e, shift);

  auto f = o.sub(m, o.constant(1.0f));
  auto p = polynomial(o, f,
                      {-0.5f, 0x1.555554p-2f, -0x1.000226p-2f, 0x1.99a01cp-3f,
                       -0x1.54728ap-3f, 0x1.22d93p-3f, -0x1.0d8246p-3f,
                       0x1.055eacp-3f, -0x1.38c968p-4f});
  auto y = o.fma(o.mul(f, f), p, o.mul(e, o.constant(-0x1.05c61p-29f)));
  y = o.add(f, y);
  y = o.fma(e, o.constant(0x1.62e43p-1f), y);

  auto inf = o.constant(__builtin_inff());
  y = o.select(o.lessThan(zero, o.abs(x)), y, o.neg(inf));
  y = o.select(o.lessThan(x, inf), y, x); // +inf, NaN
  return o.select(o.lessThan(x, zero), o.constant(__builtin_nanf("")), y);
}

/// 1 / (1 + e^-x) within 2.5 ulps, tails included (no overflow on either side).
template <typename Ops>
typename Ops::Value sigmoidProgram(Ops &o, typename Ops::Value x) {
  // With t = e^-|x| <= 1: 1 / (1 + t) to the right of 0, t / (1 + t) left.
  auto one = o.constant(1.0f);
  auto t = expProgram(o, o.neg(o.abs(x)));
  auto left = o.lessThan(x, o.constant(0.0f));
  return o.div(o.select(left, t, one), o.add(one, t));
}

/// The hyperbolic tangent within 1.5 ulps, odd, -0 kept.
template <typename Ops>
typename Ops::Value tanhProgram(Ops &o, typename Ops::Value x) {
  auto a = o.abs(x);
  // Near 0 the formula by exp cancels, so the series takes over: a + a^3 P.
  auto z = o.mul(a, a);
  auto p = polynomial(o, z,
                      {-0x1.555532p-2f, 0x1.1106fap-3f, -0x1.b8368ep-5f,
                       0x1.5200cap-6f, -0x1.7537fcp-8f});
  auto near = o.fma(o.mul(a, z), p, a);
  auto one = o.constant(1.0f);
  auto far = o.add(expProgram(o, o.add(a, a)), one);
  far = o.sub(one, o.div(o.constant(2.0f), far));
  return withSignOf(o, o.select(o.lessThan(a, o.constant(0.625f)), near, far),
                    x);
}

/// The error function within 1 ulp, odd, -0 kept.
template <typename Ops>
typename Ops::Value erfProgram(Ops &o, typename Ops::Value x) {
  auto a = o.abs(x);
  auto p = polynomial(o, o.mul(a, a),
                      {0x1.06eba8p-3f, -0x1.81274p-2f, 0x1.ce2d64p-4f,
                       -0x1.b8012p-6f, 0x1.544aa8p-8f, -0x1.a6126ep-11f,
                       0x1.4f8e5ap-14f});
  auto near = o.fma(p, a, a);
  // 1 - erf falls so steeply that its logarithm is the smooth thing to fit.
  // From 3.92 on erf is 1 in f32; the clamp keeps the polynomial in its range.
  auto four = o.constant(4.0f);
  auto t = o.select(o.lessThan(four, a), four, a);
  auto q = polynomial(o, t,
                      {0x1.077e16p-3f, 0x1.452d46p-1f, 0x1.b36af6p-4f,
                       -0x1.863fb8p-6f, 0x1.e0ee42p-9f, -0x1.595a1ep-12f,
                       0x1.8eb7fap-17f});
  auto tail = expProgram(o, o.neg(o.fma(q, t, t)));
  auto far = o.sub(o.constant(1.0f), tail);
  return withSignOf(o, o.select(o.lessThan(a, o.constant(0.9375f)), near, far),
                    x);
}

/// sin(x), or cos(x) where `cosine`, within 2 ulps for |x| <= 2^20 = 1048576.
/// Beyond that f32 arguments need a reduction by hundreds of digits of pi; the
/// result there is NaN rather than a wrong number.
template <typename Ops>
typename Ops::Value sincosProgram(Ops &o, typename Ops::Value x, bool cosine) {
  // x = n * pi/2 + r. The first subtraction is exact (both terms are multiples
  // of 2^-23 or the difference is short), the second rounds relative to r, and
  // the third adds what lies below. Near |x| = 2^20 the product inside Nearest
  // is off by up to 2^-5, so |r| may exceed pi/4 a little.
  Nearest<Ops> n(o, x, 0x1.45f306p-1f); // 2 / pi
  auto minusN = o.neg(n.value);
  auto r = o.fma(minusN, o.constant(0x1.921fb6p+0f), x);
  r = o.fma(minusN, o.constant(-0x1.777a5cp-25f), r);
  r = o.fma(minusN, o.constant(-0x1.ee59dap-50f), r);

  auto z = o.mul(r, r);
  auto s = polynomial(
      o, z,
      {-0x1.555556p-3f, 0x1.111156p-7f, -0x1.a035bep-13f, 0x1.7277f8p-19f});
  s = o.fma(o.mul(r, z), s, r);
  auto c = polynomial(
      o, z, {1.0f, -0.5f, 0x1.55553cp-5f, -0x1.6c04a0p-10f, 0x1.98009ap-16f});

  // Quadrants: sin runs through s, c, -s, -c; cos is one quadrant ahead.
  auto quadrant = o.iadd(n.integer, o.integer(cosine ? 1 : 0));
  auto bit = [&](int32_t mask) {
    return o.iequal(o.iand(quadrant, o.integer(mask)), o.integer(0));
  };
  auto y = o.select(bit(1), s, c);
  y = o.select(bit(2), y, o.neg(y));
  // Adding +0 terms has lost the sign of -0, and sin(x) = x there.
  if (!cosine)
    y = o.select(o.lessThan(o.constant(0.0f), o.abs(x)), y, x);
  auto inRange = o.lessThan(o.abs(x), o.constant(0x1.000002p20f));
  return o.select(inRange, y, o.constant(__builtin_nanf("")));
}

/// The programs above run by ScalarOps: what the reference and constant folding
/// call. Compiled without contraction, whatever the caller's flags are.
namespace elementary {
float exp(float x);
float log(float x);
float sigmoid(float x);
float tanh(float x);
float erf(float x);
float sin(float x);
float cos(float x);
} // namespace elementary

} // namespace mezzo

#endif // MEZZO_LIB_MATH_ELEMENTARY_H
