//===- Half.h - f16 and bf16 as bits ----------------------------*- C++ -*-===//

#ifndef MEZZO_LIB_NUMBER_HALF_H
#define MEZZO_LIB_NUMBER_HALF_H

#include <cstdint>
#include <cstring>

namespace mezzo {

inline uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// f32 to IEEE binary16, nearest-even, overflow to infinity, subnormals kept.
/// A NaN becomes quiet and keeps its sign and upper payload, as F16C and FCVT
/// have it, so that compile time and run time agree bit for bit.
uint16_t f32ToF16(float value);
/// Exact. A signalling NaN becomes quiet.
float f16ToF32(uint16_t bits);

/// f32 to bfloat16, nearest-even, same rules.
uint16_t f32ToBF16(float value);
/// Exact; a bfloat16 is the upper half of an f32.
float bf16ToF32(uint16_t bits);

/// The value of `value` after one rounding to the smaller type and back.
inline float roundToF16(float value) { return f16ToF32(f32ToF16(value)); }
inline float roundToBF16(float value) { return bf16ToF32(f32ToBF16(value)); }

} // namespace mezzo

#endif // MEZZO_LIB_NUMBER_HALF_H
