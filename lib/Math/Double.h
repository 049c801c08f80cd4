//===- Double.h - exp and log of f64 ----------------------------*- C++ -*-===//

#ifndef MEZZO_LIB_MATH_DOUBLE_H
#define MEZZO_LIB_MATH_DOUBLE_H

#include <cstddef>
#include <cstdint>

/// The two elementary functions that models ask for in f64 (softmax, sums of
/// logarithms), in the manner of Elementary.h: templates over an algebra whose
/// Value is an f64 and whose Int has 64 bits.
namespace mezzo {

template <typename Ops, size_t N>
typename Ops::Value polynomial64(Ops &o, typename Ops::Value x,
                                 const double (&c)[N]) {
  auto sum = o.constant(c[N - 1]);
  for (size_t i = N - 1; i-- > 0;)
    sum = o.fma(sum, x, o.constant(c[i]));
  return sum;
}

/// e^x within 1 ulp.
template <typename Ops>
typename Ops::Value exp64Program(Ops &o, typename Ops::Value x) {
  constexpr double magic = 0x1.8p52;
  constexpr int64_t magicBits = 0x4338000000000000;
  auto lo = o.constant(-746.0), hi = o.constant(710.0);
  x = o.select(o.lessThan(x, lo), lo, x);
  x = o.select(o.lessThan(hi, x), hi, x);
  // x = n ln 2 + r; ln 2 in two parts, of which n times the first is exact.
  auto sum = o.fma(x, o.constant(0x1.71547652b82fep+0), o.constant(magic));
  auto minusN = o.neg(o.sub(sum, o.constant(magic)));
  auto n = o.isub(o.asInt(sum), o.integer(magicBits));
  auto r = o.fma(minusN, o.constant(0x1.62e42fefa39efp-1), x);
  r = o.fma(minusN, o.constant(0x1.abc9e3b39803fp-56), r);
  // The series: |r| <= 0.347, so the 14th power and what follows is < 2^-57.
  auto p =
      polynomial64(o, r,
                   {1.0, 1.0, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720,
                    1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800,
                    1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800});
  // 2^n is no float for some n, so it is applied in two halves.
  auto half = o.isar(n, 1), rest = o.isub(n, half);
  auto power = [&](typename Ops::Int e) {
    return o.asFloat(o.ishl(o.iadd(e, o.integer(1023)), 52));
  };
  return o.mul(o.mul(p, power(half)), power(rest));
}

/// log(x) within 1 ulp; -inf of 0, NaN of negative numbers.
template <typename Ops>
typename Ops::Value log64Program(Ops &o, typename Ops::Value x) {
  auto zero = o.constant(0.0), inf = o.constant(__builtin_inf());
  // Subnormal numbers are made normal, which the exponent then undoes.
  auto isTiny = o.lessThan(x, o.constant(0x1p-1022));
  auto scaled = o.select(isTiny, o.mul(x, o.constant(0x1p54)), x);
  // x = 2^e m, m from sqrt(1/2) to sqrt(2).
  auto bits = o.asInt(scaled);
  auto e = o.isar(o.isub(bits, o.integer(0x3fe6a09e667f3bcd)), 52);
  auto m = o.asFloat(o.isub(bits, o.ishl(e, 52)));
  constexpr double magic = 0x1.8p52;
  constexpr int64_t magicBits = 0x4338000000000000;
  auto exponent =
      o.sub(o.asFloat(o.iadd(e, o.integer(magicBits))), o.constant(magic));
  exponent = o.select(isTiny, o.sub(exponent, o.constant(54.0)), exponent);
  // log(1 + f) = f - (f^2/2 - s (f^2/2 + R(s^2))), s = f / (2 + f); the
  // coefficients are those of fdlibm's e_log.c.
  auto f = o.sub(m, o.constant(1.0));
  auto s = o.div(f, o.add(o.constant(2.0), f));
  auto z = o.mul(s, s);
  auto R =
      o.mul(z, polynomial64(o, z,
                            {6.666666666666735130e-01, 3.999999999940941908e-01,
                             2.857142874366239149e-01, 2.222219843214978396e-01,
                             1.818357216161805012e-01, 1.531383769920937332e-01,
                             1.479819860511658591e-01}));
  auto square = o.mul(o.mul(o.constant(0.5), f), f);
  auto low = o.fma(exponent, o.constant(0x1.ef35793c76730p-45),
                   o.mul(s, o.add(square, R)));
  auto y = o.sub(f, o.sub(square, low));
  y = o.fma(exponent, o.constant(0x1.62e42fefa3800p-1), y);
  y = o.select(o.lessThan(zero, o.abs(x)), y, o.neg(inf));
  y = o.select(o.lessThan(x, inf), y, x); // +inf, NaN
  return o.select(o.lessThan(x, zero), o.constant(__builtin_nan("")), y);
}

namespace elementary {
double exp64(double x);
double log64(double x);
} // namespace elementary

} // namespace mezzo

#endif // MEZZO_LIB_MATH_DOUBLE_H
