//===- Dyadic.cpp - rescaling by integers alone ---------------------------===//

#include "lib/Number/Dyadic.h"
#include "lib/Number/Rounding.h"

#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

using namespace mezzo;
using llvm::StringRef;

static constexpr struct {
  TieRule rule;
  const char *name;
} kNames[] = {
    {TieRule::HalfUp, "half-up"},
    {TieRule::HalfAway, "half-away"},
    {TieRule::HalfEven, "half-even"},
    {TieRule::DoubleRounding, "double-rounding"},
};

StringRef mezzo::name(TieRule rule) {
  for (const auto &entry : kNames)
    if (entry.rule == rule)
      return entry.name;
  llvm_unreachable("unknown tie rule");
}

llvm::Expected<TieRule> mezzo::parseTieRule(StringRef text) {
  for (const auto &entry : kNames)
    if (text == entry.name)
      return entry.rule;
  return llvm::createStringError("unknown tie rule '" + text +
                                 "'; there are half-up, half-away, half-even "
                                 "and double-rounding");
}

llvm::Expected<Dyadic> Dyadic::fromScale(double scale) {
  if (!std::isfinite(scale))
    return llvm::createStringError(
        "a rescale by a scale that is not finite; check the scales of the "
        "input, the weight and the output");
  if (scale < 0)
    return llvm::createStringError(
        llvm::formatv("a rescale by {0:e}, which is negative; negate the "
                      "weights of that channel instead",
                      scale)
            .str());
  if (scale < 0x1p-32)
    return Dyadic{0, 1};
  int exponent;
  double mantissa = std::frexp(scale, &exponent); // [0.5, 1)
  // 0.99999999999 * 2^31 rounds to 2^31, which int32 does not hold: it is
  // half of that in the next binade.
  double multiplier = roundToIntegral(mantissa * 0x1p31);
  if (multiplier == 0x1p31) {
    multiplier = 0x1p30;
    ++exponent;
  }
  int shift = 31 - exponent;
  if (shift < 1)
    return llvm::createStringError(
        llvm::formatv("a rescale by {0:e}; scales of 2^30 and more have no "
                      "dyadic form, so enlarge the scale of the output",
                      scale)
            .str());
  assert(shift <= 62);
  return Dyadic{static_cast<int32_t>(multiplier), shift};
}

double Dyadic::toDouble() const {
  return std::ldexp(static_cast<double>(multiplier), -shift);
}

/// gemmlowp's SaturatingRoundingDoublingHighMul for b >= 0: z*b / 2^31, ties
/// towards +infinity. (b >= 0 leaves its saturating case unreachable.)
static int64_t doublingHighMul(int64_t z, int64_t b) {
  // gemmlowp divides with truncation after a nudge of the product's own sign,
  // which comes to the floor after half a step.
  return (z * b + (int64_t(1) << 30)) >> 31;
}

/// gemmlowp's RoundingDivideByPOT: z / 2^count, ties away from zero.
static int64_t divideByPowerOfTwo(int64_t z, int count) {
  int64_t mask = (int64_t(1) << count) - 1;
  int64_t remainder = z & mask;
  int64_t threshold = (mask >> 1) + (z < 0);
  return (z >> count) + (remainder > threshold);
}

int64_t Dyadic::apply(int32_t z, TieRule rule) const {
  assert(multiplier >= 0 && shift >= 1 && shift <= 62);
  const int64_t product = int64_t(z) * multiplier;
  const int64_t half = int64_t(1) << (shift - 1);
  switch (rule) {
  case TieRule::HalfUp:
    return (product + half) >> shift;
  case TieRule::HalfAway:
    return product < 0 ? -((-product + half) >> shift)
                       : (product + half) >> shift;
  case TieRule::HalfEven: {
    int64_t below = product >> shift;
    int64_t remainder = product & (2 * half - 1);
    bool up = remainder > half || (remainder == half && (below & 1));
    return below + up;
  }
  case TieRule::DoubleRounding: {
    int exponent = 31 - shift; // of frexp's mantissa
    int64_t shifted = z;
    if (exponent > 0)
      shifted = std::clamp<int64_t>(int64_t(z) * (int64_t(1) << exponent),
                                    std::numeric_limits<int32_t>::min(),
                                    std::numeric_limits<int32_t>::max());
    int64_t high = doublingHighMul(shifted, multiplier);
    return exponent < 0 ? divideByPowerOfTwo(high, -exponent) : high;
  }
  }
  llvm_unreachable("unknown tie rule");
}

int32_t Dyadic::applyAndClamp(int32_t z, TieRule rule, int32_t zeroPoint,
                              int32_t lo, int32_t hi) const {
  // apply stays below 2^61, so the zero point cannot overflow 64 bits.
  int64_t code = apply(z, rule) + zeroPoint;
  return static_cast<int32_t>(std::clamp<int64_t>(code, lo, hi));
}
