//===- ScalarOps.h - the algebra that computes ------------------*- C++ -*-===//

#ifndef MEZZO_LIB_MATH_SCALAROPS_H
#define MEZZO_LIB_MATH_SCALAROPS_H

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace mezzo {

/// The algebra of Elementary.h that computes: every operation is one exactly
/// rounded IEEE 754 operation on the host, in the default rounding mode.
struct ScalarOps {
  using Value = float;
  using Int = int32_t;
  using Bool = bool;

  Value constant(float x) const { return x; }
  Int integer(int32_t x) const { return x; }

  Value add(Value a, Value b) const { return a + b; }
  Value sub(Value a, Value b) const { return a - b; }
  Value mul(Value a, Value b) const { return a * b; }
  Value div(Value a, Value b) const { return a / b; }
  Value fma(Value a, Value b, Value c) const { return __builtin_fmaf(a, b, c); }
  Value neg(Value a) const { return -a; }
  Value abs(Value a) const { return __builtin_fabsf(a); }

  Bool lessThan(Value a, Value b) const { return a < b; }
  Value select(Bool c, Value a, Value b) const { return c ? a : b; }

  // Through unsigned: wrapping is part of the meaning, and NaN arguments do
  // lead to integers of any size.
  Int iadd(Int a, Int b) const { return Int(uint32_t(a) + uint32_t(b)); }
  Int isub(Int a, Int b) const { return Int(uint32_t(a) - uint32_t(b)); }
  Int iand(Int a, Int b) const { return a & b; }
  Int ior(Int a, Int b) const { return a | b; }
  Int ishl(Int a, unsigned bits) const { return Int(uint32_t(a) << bits); }
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

} // namespace mezzo

#endif // MEZZO_LIB_MATH_SCALAROPS_H
