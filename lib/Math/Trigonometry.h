//===- Trigonometry.h - circular and hyperbolic functions, and back -------===//

#ifndef MEZZO_LIB_MATH_TRIGONOMETRY_H
#define MEZZO_LIB_MATH_TRIGONOMETRY_H

#include "lib/Math/Elementary.h"

/// The rest of the elementary functions, in the manner of Elementary.h: each is
/// a template over an algebra, which here also has
///
///     sqrt(Value)        rounded once
///
/// Small arguments go by an odd polynomial x + x^3 P(x^2), which keeps -0 and
/// all of their digits; large ones by exp, log and sqrt.
namespace mezzo {

/// x + x^3 P(x^2).
template <typename Ops, size_t N>
typename Ops::Value oddPolynomial(Ops &o, typename Ops::Value x,
                                  const float (&c)[N]) {
  auto z = o.mul(x, x);
  return o.fma(o.mul(x, z), polynomial(o, z, c), x);
}

/// tan(x) within 5 ulps for |x| <= 2^20, as far as sin and cos go.
template <typename Ops>
typename Ops::Value tanProgram(Ops &o, typename Ops::Value x) {
  return o.div(sincosProgram(o, x, false), sincosProgram(o, x, true));
}

/// asin(z) for 0 <= z <= 1/2.
template <typename Ops>
typename Ops::Value asinOfSmall(Ops &o, typename Ops::Value z) {
  return oddPolynomial(o, z,
                       {0x1.5555c8p-3f, 0x1.3301fep-4f, 0x1.747cccp-5f,
                        0x1.8c308ep-6f, 0x1.596aaap-5f});
}

/// asin(x) within 2.5 ulps; NaN outside [-1, 1].
template <typename Ops>
typename Ops::Value asinProgram(Ops &o, typename Ops::Value x) {
  // From 1/2 on by way of asin(a) = pi/2 - 2 asin(sqrt((1 - a) / 2)).
  auto a = o.abs(x), half = o.constant(0.5f);
  auto isSmall = o.lessThan(a, half);
  auto root = o.sqrt(o.mul(half, o.sub(o.constant(1.0f), a)));
  auto y = asinOfSmall(o, o.select(isSmall, a, root));
  auto far = o.fma(o.constant(-2.0f), y, o.constant(-0x1.777a5cp-25f));
  far = o.add(o.constant(0x1.921fb6p+0f), far);
  return withSignOf(o, o.select(isSmall, y, far), x);
}

/// acos(x) within 2.5 ulps; NaN outside [-1, 1].
template <typename Ops>
typename Ops::Value acosProgram(Ops &o, typename Ops::Value x) {
  auto a = o.abs(x), half = o.constant(0.5f);
  auto isSmall = o.lessThan(a, half);
  auto root = o.sqrt(o.mul(half, o.sub(o.constant(1.0f), a)));
  auto y = asinOfSmall(o, o.select(isSmall, a, root));
  // pi/2 - asin(x) near 0; 2 asin(root) at the right end; pi - that at the
  // left.
  auto low = o.constant(-0x1.777a5cp-25f);
  auto near = o.sub(low, withSignOf(o, y, x));
  near = o.add(o.constant(0x1.921fb6p+0f), near);
  auto right = o.add(y, y);
  auto left = o.sub(o.add(low, low), right);
  left = o.add(o.constant(0x1.921fb6p+1f), left);
  auto far = o.select(o.lessThan(x, o.constant(0.0f)), left, right);
  return o.select(isSmall, near, far);
}

/// atan(x) within 2.5 ulps.
template <typename Ops>
typename Ops::Value atanProgram(Ops &o, typename Ops::Value x) {
  // [0, tan(pi/8)] as it is; from there to tan(3 pi/8) about pi/4; beyond by
  // the inverse, about pi/2.
  auto a = o.abs(x), one = o.constant(1.0f);
  auto isSmall = o.lessThan(a, o.constant(0x1.a8279ap-2f));
  auto isLarge = o.lessThan(o.constant(0x1.3504f4p+1f), a);
  auto above = o.select(isLarge, o.constant(-1.0f), o.sub(a, one));
  auto below = o.select(isLarge, a, o.add(a, one));
  auto r = o.select(isSmall, a, o.div(above, below));
  auto y = oddPolynomial(o, r,
                         {-0x1.55554ap-2f, 0x1.9991e2p-3f, -0x1.23b99cp-3f,
                          0x1.b2239ap-4f, -0x1.f2e012p-5f});
  auto high =
      o.select(isLarge, o.constant(0x1.921fb6p+0f), o.constant(0x1.921fb6p-1f));
  auto low = o.select(isLarge, o.constant(-0x1.777a5cp-25f),
                      o.constant(-0x1.777a5cp-26f));
  auto far = o.add(high, o.add(y, low));
  return withSignOf(o, o.select(isSmall, y, far), x);
}

/// e^a / 2 and e^-a / 2 for a >= 0, by e^(a/2), which does not overflow before
/// the result does.
template <typename Ops>
struct HalfExponentials {
  typename Ops::Value rising, falling;

  HalfExponentials(Ops &o, typename Ops::Value a) {
    auto root = expProgram(o, o.mul(a, o.constant(0.5f)));
    rising = o.mul(o.mul(o.constant(0.5f), root), root);
    falling = o.div(o.div(o.constant(0.5f), root), root);
  }
};

/// sinh(x) within 4 ulps.
template <typename Ops>
typename Ops::Value sinhProgram(Ops &o, typename Ops::Value x) {
  auto a = o.abs(x);
  auto near = oddPolynomial(
      o, a, {0x1.555556p-3f, 0x1.1110ep-7f, 0x1.a022bp-13f, 0x1.756fd4p-19f});
  HalfExponentials<Ops> e(o, a);
  auto far = o.sub(e.rising, e.falling);
  return withSignOf(o, o.select(o.lessThan(a, o.constant(1.0f)), near, far), x);
}

/// cosh(x) within 4 ulps.
template <typename Ops>
typename Ops::Value coshProgram(Ops &o, typename Ops::Value x) {
  HalfExponentials<Ops> e(o, o.abs(x));
  return o.add(e.rising, e.falling);
}

/// log(1 + u) within 3 ulps for u >= 0: what 1 + u loses of u is put back as a
/// factor, log(w) * (u / (w - 1)).
template <typename Ops>
typename Ops::Value log1pOfPositive(Ops &o, typename Ops::Value u) {
  auto one = o.constant(1.0f);
  auto w = o.add(one, u);
  auto rest = o.sub(w, one);
  auto y = o.mul(logProgram(o, w), o.div(u, rest));
  y = o.select(o.lessThan(o.constant(0.0f), rest), y, u);
  // Infinite: inf / inf is NaN.
  return o.select(o.lessThan(o.constant(0x1p60f), u), logProgram(o, u), y);
}

/// asinh(x) within 4 ulps.
template <typename Ops>
typename Ops::Value asinhProgram(Ops &o, typename Ops::Value x) {
  auto a = o.abs(x), one = o.constant(1.0f);
  auto near = oddPolynomial(o, a,
                            {-0x1.555556p-3f, 0x1.333392p-4f, -0x1.6dc7d6p-5f,
                             0x1.f311bp-6f, -0x1.736d94p-6f, 0x1.187f0cp-6f,
                             -0x1.2d439cp-7f});
  // log(a + sqrt(a^2 + 1)); where the square would overflow, log(a) + log 2.
  auto isLarge = o.lessThan(o.constant(0x1p30f), a);
  auto root = o.sqrt(o.fma(a, a, one));
  auto far = logProgram(o, o.select(isLarge, a, o.add(a, root)));
  far = o.select(isLarge, o.add(far, o.constant(0x1.62e43p-1f)), far);
  return withSignOf(o, o.select(o.lessThan(a, o.constant(0.5f)), near, far), x);
}

/// acosh(x) within 3 ulps; NaN below 1.
template <typename Ops>
typename Ops::Value acoshProgram(Ops &o, typename Ops::Value x) {
  // With t = x - 1, which is exact below 2: log1p(t + sqrt(2 t + t^2)).
  auto t = o.sub(x, o.constant(1.0f));
  auto root = o.sqrt(o.fma(t, t, o.add(t, t)));
  auto near = log1pOfPositive(o, o.add(t, root));
  auto far = o.add(logProgram(o, x), o.constant(0x1.62e43p-1f));
  auto y = o.select(o.lessThan(o.constant(0x1p30f), x), far, near);
  return o.select(o.lessThan(x, o.constant(1.0f)),
                  o.constant(__builtin_nanf("")), y);
}

/// atanh(x) within 4 ulps; NaN outside [-1, 1].
template <typename Ops>
typename Ops::Value atanhProgram(Ops &o, typename Ops::Value x) {
  auto a = o.abs(x), one = o.constant(1.0f);
  auto near = oddPolynomial(o, a,
                            {0x1.555558p-2f, 0x1.99979ep-3f, 0x1.24d1bap-3f,
                             0x1.bfab1p-4f, 0x1.af154ap-4f, 0x1.15da7cp-6f,
                             0x1.7b2b48p-3f});
  // 1 - a is exact from 1/2 on.
  auto far = log1pOfPositive(o, o.div(o.add(a, a), o.sub(one, a)));
  far = o.mul(o.constant(0.5f), far);
  auto y =
      withSignOf(o, o.select(o.lessThan(a, o.constant(0.5f)), near, far), x);
  return o.select(o.lessThan(one, a), o.constant(__builtin_nanf("")), y);
}

namespace elementary {
float tan(float x);
float asin(float x);
float acos(float x);
float atan(float x);
float sinh(float x);
float cosh(float x);
float asinh(float x);
float acosh(float x);
float atanh(float x);
} // namespace elementary

} // namespace mezzo

#endif // MEZZO_LIB_MATH_TRIGONOMETRY_H
