//===- Half.cpp - f16 and bf16 as bits ------------------------------------===//

#include "lib/Number/Half.h"

using namespace mezzo;

/// Drops the low `count` bits (1..31) of a magnitude, nearest-even. A carry out
/// of the mantissa runs into the exponent field, which is just what it should
/// do: the next value up, or infinity after the largest.
static uint32_t dropBits(uint32_t bits, unsigned count) {
  uint32_t kept = bits >> count;
  uint32_t dropped = bits & ((1u << count) - 1);
  uint32_t half = 1u << (count - 1);
  return kept + (dropped > half || (dropped == half && (kept & 1)));
}

uint16_t mezzo::f32ToF16(float value) {
  uint32_t bits = bitsOf(value);
  uint32_t sign = bits >> 16 & 0x8000;
  uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) // NaN: set the quiet bit, keep the upper payload
    return sign | 0x7E00 | (magnitude >> 13 & 0x3FF);
  if (magnitude >= 0x47800000) // 2^16 and up, infinity too
    return sign | 0x7C00;
  if (magnitude >= 0x38800000) // 2^-14 and up: a normal number, re-biased
    return sign | dropBits(magnitude - ((127 - 15) << 23), 13);
  // A subnormal counts in steps of 2^-24. The significand, with its hidden bit,
  // counts in steps of 2^(exponent - 150).
  unsigned exponent = magnitude >> 23;
  if (exponent < 102) // below 2^-25, half of the smallest step
    return sign;
  uint32_t significand = (magnitude & 0x7FFFFF) | 0x800000;
  return sign | dropBits(significand, 126 - exponent);
}

float mezzo::f16ToF32(uint16_t bits) {
  uint32_t sign = uint32_t(bits & 0x8000) << 16;
  uint32_t exponent = bits >> 10 & 0x1F;
  uint32_t mantissa = bits & 0x3FF;
  if (exponent == 0x1F) {
    uint32_t quiet = mantissa ? 0x400000 : 0;
    return floatOf(sign | 0x7F800000 | quiet | mantissa << 13);
  }
  if (exponent == 0) {
    // An integer times 2^-24: exact in f32, by one multiplication.
    float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return floatOf(sign | bitsOf(magnitude));
  }
  return floatOf(sign | (exponent + 127 - 15) << 23 | mantissa << 13);
}

uint16_t mezzo::f32ToBF16(float value) {
  uint32_t bits = bitsOf(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000)
    return bits >> 16 | 0x40;
  return (bits >> 16 & 0x8000) | dropBits(bits & 0x7FFFFFFF, 16);
}

float mezzo::bf16ToF32(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  if ((wide & 0x7FFFFFFF) > 0x7F800000)
    wide |= 0x400000;
  return floatOf(wide);
}
