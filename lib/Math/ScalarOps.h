//===- ScalarOps.h - the algebra that computes ------------------*- C++ -*-===//

#ifndef MEZZO_LIB_MATH_SCALAROPS_H
#define MEZZO_LIB_MATH_SCALAROPS_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace mezzo {

/// The algebra of Elementary.h that computes: every operation is one exactly
/// rounded IEEE 754 operation on the host, in the default rounding mode.
/// `Float` is float or double, `Integer` the integer of its size.
template <typename Float, typename Integer, typename Unsigned>
struct BasicScalarOps {
  using Value = Float;
  using Int = Integer;
  using Bool = bool;

  Value constant(Float x) const { return x; }
  Int integer(Integer x) const { return x; }

  Value add(Value a, Value b) const { return a + b; }
  Value sub(Value a, Value b) const { return a - b; }
  Value mul(Value a, Value b) const { return a * b; }
  Value div(Value a, Value b) const { return a / b; }
  Value fma(Value a, Value b, Value c) const { return std::fma(a, b, c); }
  Value sqrt(Value a) const { return std::sqrt(a); }
  Value neg(Value a) const { return -a; }
  Value abs(Value a) const { return std::fabs(a); }

  Bool lessThan(Value a, Value b) const { return a < b; }
  Value select(Bool c, Value a, Value b) const { return c ? a : b; }

  // Through unsigned: wrapping is part of the meaning, and NaN arguments do
  // lead to integers of any size.
  Int iadd(Int a, Int b) const { return Int(Unsigned(a) + Unsigned(b)); }
  Int isub(Int a, Int b) const { return Int(Unsigned(a) - Unsigned(b)); }
  Int iand(Int a, Int b) const { return a & b; }
  Int ior(Int a, Int b) const { return a | b; }
  Int ishl(Int a, unsigned bits) const { return Int(Unsigned(a) << bits); }
  Int isar(Int a, unsigned bits) const { return a >> bits; }
  Bool iequal(Int a, Int b) const { return a == b; }

  Int asInt(Value a) const {
    Int bits;
    std::memcpy(&bits, &a, sizeof(bits));
    return bits;
  }
  Value asFloat(Int bits) const {
    Value a;
    std::memcpy(&a, &bits, sizeof(a));
    return a;
  }
};

using ScalarOps = BasicScalarOps<float, int32_t, uint32_t>;
using DoubleOps = BasicScalarOps<double, int64_t, uint64_t>;

} // namespace mezzo

#endif // MEZZO_LIB_MATH_SCALAROPS_H
