//===- FormatEncode.cpp - from a value to the code next to it -------------===//

#include "lib/Number/FormatTable.h"

#include "llvm/Support/ErrorHandling.h"

#include <algorithm>
#include <cassert>
#include <cmath>

using namespace mezzo;

namespace {
/// A number of a format and its field.
struct Neighbour {
  double value;
  uint32_t raw;
};
} // namespace

/// The choice between two neighbours that may lie on either side of zero, or at
/// uneven distances, where near and far mean nothing. `value` lies strictly
/// between them.
static bool takesUpper(Rounding mode, double value, const Neighbour &lower,
                       const Neighbour &upper, uint64_t random) {
  // The sum of two neighbours is exact, where value - lower need not be.
  double sum = lower.value + upper.value;
  bool tie = 2 * value == sum;
  bool upperIsNearer = 2 * value > sum;
  bool straddles = lower.value < 0 && upper.value > 0;
  double lowerMagnitude = std::fabs(lower.value);
  double upperMagnitude = std::fabs(upper.value);
  switch (mode) {
  case Rounding::NearestEven:
    if (!tie)
      return upperIsNearer;
    if (straddles && sum == 0)
      return true;
    return (lower.raw & 1) != (upper.raw & 1) ? lower.raw & 1
                                              : upper.raw < lower.raw;
  case Rounding::NearestAway:
    return tie ? upperMagnitude >= lowerMagnitude : upperIsNearer;
  case Rounding::HalfUp:
    return tie || upperIsNearer;
  case Rounding::TowardZero:
    if (straddles && lowerMagnitude == upperMagnitude)
      return tie || upperIsNearer;
    return upperMagnitude < lowerMagnitude;
  case Rounding::Up:
    return true;
  case Rounding::Down:
    return false;
  case Rounding::ToOdd:
    return (lower.raw & 1) != (upper.raw & 1) ? upper.raw & 1 : upperIsNearer;
  case Rounding::Stochastic:
    return double(random >> 11) * 0x1p-53 <
           (value - lower.value) / (upper.value - lower.value);
  case Rounding::StochasticEqual:
    return random >> 63;
  }
  llvm_unreachable("unknown rounding mode");
}

uint32_t Format::encodeOdd(double value, Rounding rounding,
                           uint64_t random) const {
  double magnitude = std::fabs(value);
  Neighbour lower{-1, 0}, upper{1, 0};
  if (magnitude >= 1) {
    double near = 2 * std::floor((magnitude - 1) / 2) + 1;
    if (magnitude == near)
      return rawOf(static_cast<int32_t>(value));
    lower.value = value < 0 ? -near - 2 : near;
    upper.value = value < 0 ? -near : near + 2;
  }
  // The clamp put both ends on the grid, so neighbours are inside the range,
  // unless the range ends at -1 or begins at +1: then value is an end.
  lower.raw = rawOf(static_cast<int32_t>(lower.value));
  upper.raw = rawOf(static_cast<int32_t>(upper.value));
  return takesUpper(rounding, value, lower, upper, random) ? upper.raw
                                                           : lower.raw;
}

uint32_t Format::encodeTable(double value, Rounding rounding,
                             uint64_t random) const {
  const std::vector<float> &entries = table->entries;
  const std::vector<uint8_t> &sorted = table->sorted;
  const auto *above = std::upper_bound(
      sorted.data(), sorted.data() + sorted.size(), value,
      [&](double v, uint8_t raw) { return v < double(entries[raw]); });
  if (above == sorted.data())
    return sorted.front();
  uint8_t below = above[-1];
  if (above == sorted.data() + sorted.size() || double(entries[below]) == value)
    return below;
  Neighbour lower{entries[below], below}, upper{entries[*above], *above};
  return takesUpper(rounding, value, lower, upper, random) ? *above : below;
}

uint32_t Format::encode(double value, Rounding rounding, bool saturate,
                        uint64_t random) const {
  if (isFloat())
    return float_.encode(value, rounding, saturate, random);
  if (std::isnan(value))
    value = 0;
  if (isCodebook()) {
    assert(table && "a code book without its table has no values");
    return encodeTable(value, rounding, random);
  }
  // Both ends are numbers of the format, so clamping before rounding equals
  // clamping after it, and infinities are gone.
  value = std::clamp<double>(value, lo, hi);
  if (kind_ == Kind::Odd)
    return encodeOdd(value, rounding, random);
  return rawOf(static_cast<int32_t>(roundToIntegral(value, rounding, random)));
}
