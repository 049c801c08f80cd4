//===- Rounding.cpp - rounding modes, once and exactly --------------------===//

#include "lib/Number/Rounding.h"

#include "llvm/Support/ErrorHandling.h"

#include <cassert>
#include <cmath>
#include <iterator>

using namespace mezzo;
using llvm::StringRef;

static constexpr struct {
  Rounding mode;
  const char *name;
} kNames[] = {
    {Rounding::NearestEven, "nearest-even"},
    {Rounding::NearestAway, "nearest-away"},
    {Rounding::HalfUp, "half-up"},
    {Rounding::TowardZero, "toward-zero"},
    {Rounding::Up, "up"},
    {Rounding::Down, "down"},
    {Rounding::ToOdd, "to-odd"},
    {Rounding::Stochastic, "stochastic"},
    {Rounding::StochasticEqual, "stochastic-equal"},
};

StringRef mezzo::name(Rounding mode) {
  for (const auto &entry : kNames)
    if (entry.mode == mode)
      return entry.name;
  llvm_unreachable("unknown rounding mode");
}

llvm::Expected<Rounding> mezzo::parseRounding(StringRef text) {
  for (const auto &entry : kNames)
    if (text == entry.name)
      return entry.mode;
  std::string all;
  for (const auto &entry : kNames)
    all += (all.empty() ? "" : ", ") + std::string(entry.name);
  return llvm::createStringError("unknown rounding mode '" + text.str() +
                                 "'; there are " + all);
}

bool mezzo::roundsToFar(Rounding mode, const Gap &gap, uint64_t random) {
  assert(gap.fraction >= 0 && gap.fraction < 1);
  if (gap.fraction == 0)
    return false;
  switch (mode) {
  case Rounding::NearestEven:
    return gap.fraction > 0.5 || (gap.fraction == 0.5 && gap.nearIsOdd);
  case Rounding::NearestAway:
    return gap.fraction >= 0.5;
  case Rounding::HalfUp:
    // Below zero "up" is the near neighbour.
    return gap.fraction > 0.5 || (gap.fraction == 0.5 && !gap.negative);
  case Rounding::TowardZero:
    return false;
  case Rounding::Up:
    return !gap.negative;
  case Rounding::Down:
    return gap.negative;
  case Rounding::ToOdd:
    return !gap.nearIsOdd;
  case Rounding::Stochastic:
    // 53 bits make a double of the unit interval with no rounding of its own.
    return double(random >> 11) * 0x1p-53 < gap.fraction;
  case Rounding::StochasticEqual:
    return random >> 63;
  }
  llvm_unreachable("unknown rounding mode");
}

double mezzo::roundToIntegral(double x, Rounding mode, uint64_t random) {
  double magnitude = std::fabs(x);
  if (!(magnitude < 0x1p52)) // integral already, or an infinity, or NaN
    return x;
  double near = std::floor(magnitude);
  bool nearIsOdd = static_cast<uint64_t>(near) & 1;
  Gap gap{x < 0, nearIsOdd, magnitude - near};
  double rounded = roundsToFar(mode, gap, random) ? near + 1 : near;
  return std::copysign(rounded, x);
}

CounterRandom::Block CounterRandom::philox4x32(Block counter, uint64_t key) {
  uint32_t k0 = static_cast<uint32_t>(key);
  uint32_t k1 = static_cast<uint32_t>(key >> 32);
  uint32_t *c = counter.word;
  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = uint64_t(0xD2511F53) * c[0];
    uint64_t p1 = uint64_t(0xCD9E8D57) * c[2];
    counter = {{static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0,
                static_cast<uint32_t>(p1),
                static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1,
                static_cast<uint32_t>(p0)}};
    k0 += 0x9E3779B9; // the golden ratio
    k1 += 0xBB67AE85; // the square root of three
  }
  return counter;
}

uint64_t CounterRandom::at(uint64_t index) const {
  // One block serves two indices.
  uint64_t half = index >> 1;
  Block block = philox4x32(
      {{static_cast<uint32_t>(half), static_cast<uint32_t>(half >> 32), 0, 0}},
      seed);
  const uint32_t *word = block.word + 2 * (index & 1);
  return uint64_t(word[1]) << 32 | word[0];
}
