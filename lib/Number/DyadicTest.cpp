//===- DyadicTest.cpp - against exact arithmetic in 128 bits --------------===//

#include "lib/Number/Dyadic.h"

#include "gtest/gtest.h"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

using namespace mezzo;

namespace {

using Wide = __int128;

/// floor(a / 2^e) and the rest, by division, not by shifts.
void divide(Wide a, int e, Wide &quotient, Wide &rest) {
  Wide d = Wide(1) << e;
  quotient = a / d;
  rest = a % d;
  if (rest < 0) {
    rest += d;
    --quotient;
  }
}

int64_t exactly(int32_t z, const Dyadic &d, TieRule rule) {
  Wide quotient, rest;
  divide(Wide(z) * d.multiplier, d.shift, quotient, rest);
  Wide twice = 2 * rest, step = Wide(1) << d.shift;
  bool up = twice > step;
  if (twice == step)
    up = rule == TieRule::HalfUp || (rule == TieRule::HalfAway && z > 0) ||
         (rule == TieRule::HalfEven && (quotient & 1));
  return static_cast<int64_t>(quotient + up);
}

/// gemmlowp's fixedpoint.h, line by line.
int32_t saturatingRoundingDoublingHighMul(int32_t a, int32_t b) {
  bool overflow = a == b && a == std::numeric_limits<int32_t>::min();
  int64_t ab = int64_t(a) * int64_t(b);
  int32_t nudge = ab >= 0 ? (1 << 30) : (1 - (1 << 30));
  int32_t high = static_cast<int32_t>((ab + nudge) / (int64_t(1) << 31));
  return overflow ? std::numeric_limits<int32_t>::max() : high;
}

int32_t roundingDivideByPOT(int32_t x, int exponent) {
  int32_t mask = static_cast<int32_t>((int64_t(1) << exponent) - 1);
  int32_t remainder = x & mask;
  int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

const TieRule kSingle[] = {TieRule::HalfUp, TieRule::HalfAway,
                           TieRule::HalfEven};

TEST(Dyadic, FromScale) {
  Dyadic half = llvm::cantFail(Dyadic::fromScale(0.5));
  EXPECT_EQ(half.multiplier, 1 << 30);
  EXPECT_EQ(half.shift, 31);
  Dyadic example = llvm::cantFail(Dyadic::fromScale(0.0217));
  EXPECT_EQ(example.multiplier, 1491212645);
  EXPECT_EQ(example.shift, 36);
  EXPECT_EQ(example.apply(1000, TieRule::HalfUp), 22);

  EXPECT_EQ(llvm::cantFail(Dyadic::fromScale(0)).multiplier, 0);
  EXPECT_EQ(llvm::cantFail(Dyadic::fromScale(0x1.fffp-33)).multiplier, 0);
  Dyadic least = llvm::cantFail(Dyadic::fromScale(0x1p-32));
  EXPECT_EQ(least.multiplier, 1 << 30);
  EXPECT_EQ(least.shift, 62);
  Dyadic most = llvm::cantFail(Dyadic::fromScale(0x1.fffffp29));
  EXPECT_EQ(most.shift, 1);
}

TEST(Dyadic, AMantissaThatRoundsUpIsRenormalized) {
  double justBelowOne = std::nextafter(1.0, 0.0);
  Dyadic one = llvm::cantFail(Dyadic::fromScale(justBelowOne));
  EXPECT_EQ(one.multiplier, 1 << 30);
  EXPECT_EQ(one.shift, 30);
  EXPECT_EQ(one.toDouble(), 1.0);
}

TEST(Dyadic, Errors) {
  auto message = [](double scale) {
    llvm::Expected<Dyadic> result = Dyadic::fromScale(scale);
    return result ? "none" : llvm::toString(result.takeError());
  };
  EXPECT_EQ(message(-0.5),
            "a rescale by -5.000000e-01, which is negative; negate the weights "
            "of that channel instead");
  EXPECT_EQ(message(0x1p30),
            "a rescale by 1.073742e+09; scales of 2^30 and more have no dyadic "
            "form, so enlarge the scale of the output");
  // Just below 2^30 rounds up to it.
  EXPECT_NE(message(std::nextafter(0x1p30, 0)), "none");
  EXPECT_EQ(message(std::nan("")),
            "a rescale by a scale that is not finite; check the scales of the "
            "input, the weight and the output");
}

TEST(Dyadic, TiesOfEveryRule) {
  Dyadic half = llvm::cantFail(Dyadic::fromScale(0.5));
  const int32_t inputs[] = {-5, -3, -1, 1, 3, 5};
  const struct {
    TieRule rule;
    int64_t expected[6];
  } rows[] = {{TieRule::HalfUp, {-2, -1, 0, 1, 2, 3}},
              {TieRule::HalfAway, {-3, -2, -1, 1, 2, 3}},
              {TieRule::HalfEven, {-2, -2, 0, 0, 2, 2}},
              // All of the scale is in the first, ties-up step.
              {TieRule::DoubleRounding, {-2, -1, 0, 1, 2, 3}}};
  for (const auto &row : rows)
    for (int i = 0; i < 6; ++i)
      EXPECT_EQ(half.apply(inputs[i], row.rule), row.expected[i])
          << name(row.rule).str() << " of " << inputs[i];
  // 1/4: the first step halves (ties up), the second halves ties away.
  Dyadic quarter = llvm::cantFail(Dyadic::fromScale(0.25));
  EXPECT_EQ(quarter.apply(5, TieRule::HalfUp), 1);         // 1.25
  EXPECT_EQ(quarter.apply(5, TieRule::DoubleRounding), 2); // 2.5 -> 3 -> 2
}

TEST(Dyadic, SingleRoundingRulesMatchExactArithmetic) {
  std::mt19937_64 generator(11);
  for (int i = 0; i < 200000; ++i) {
    Dyadic d;
    d.shift = 1 + static_cast<int32_t>(generator() % 62);
    d.multiplier = (1 << 30) + static_cast<int32_t>(generator() % (1 << 30));
    if (i % 3 == 0) // coarse multipliers make ties common
      d.multiplier &= ~((1 << 28) - 1);
    int32_t z = static_cast<int32_t>(generator()) >> (generator() % 31);
    for (TieRule rule : kSingle)
      ASSERT_EQ(d.apply(z, rule), exactly(z, d, rule))
          << z << " * " << d.multiplier << " / 2^" << d.shift;
  }
  // The corners, where 64 bits are nearly full.
  const int32_t least = std::numeric_limits<int32_t>::min();
  const int32_t most = std::numeric_limits<int32_t>::max();
  for (int32_t shift : {1, 2, 31, 61, 62})
    for (int32_t multiplier : {0, 1 << 30, most})
      for (int32_t z : {least, least + 1, -1, 0, 1, most})
        for (TieRule rule : kSingle) {
          Dyadic d{multiplier, shift};
          EXPECT_EQ(d.apply(z, rule), exactly(z, d, rule));
        }
}

TEST(Dyadic, DoubleRoundingMatchesGemmlowp) {
  std::mt19937_64 generator(12);
  for (int i = 0; i < 200000; ++i) {
    int exponent = static_cast<int>(generator() % 41) - 31; // -31 .. 9
    int32_t multiplier =
        (1 << 30) + static_cast<int32_t>(generator() % (1 << 30));
    int32_t z = static_cast<int32_t>(generator()) >> (generator() % 31);
    int64_t left = exponent > 0 ? int64_t(z) * (int64_t(1) << exponent) : z;
    if (left != static_cast<int32_t>(left))
      continue; // gemmlowp overflows where this saturates
    int32_t high = saturatingRoundingDoublingHighMul(static_cast<int32_t>(left),
                                                     multiplier);
    int32_t expected =
        exponent < 0 ? roundingDivideByPOT(high, -exponent) : high;
    Dyadic d{multiplier, 31 - exponent};
    ASSERT_EQ(d.apply(z, TieRule::DoubleRounding), expected)
        << z << " * " << multiplier << " * 2^" << exponent;
  }
  Dyadic large = llvm::cantFail(Dyadic::fromScale(1024.0 * 1.5));
  EXPECT_EQ(
      large.apply(std::numeric_limits<int32_t>::max(), TieRule::DoubleRounding),
      1610612735); // saturated before the product
}

TEST(Dyadic, ErrorAgainstTheRealQuotient) {
  // The promise: m/2^e <= 1 and |z| < 2^24 give at most 0.5 + 2^-7 steps.
  std::mt19937_64 generator(13);
  std::uniform_real_distribution<double> exponent(-20, 0);
  double worst = 0;
  for (int i = 0; i < 200000; ++i) {
    double scale = std::exp2(exponent(generator));
    Dyadic d = llvm::cantFail(Dyadic::fromScale(scale));
    int32_t z = static_cast<int32_t>(generator() % (1 << 25)) - (1 << 24);
    long double real = static_cast<long double>(z) * scale;
    for (TieRule rule : kSingle) {
      double error = std::fabs(double(d.apply(z, rule) - real));
      worst = std::max(worst, error);
    }
  }
  EXPECT_LE(worst, 0.5 + 0x1p-7);
  EXPECT_GT(worst, 0.49);
}

TEST(Dyadic, ClampAfterTheZeroPoint) {
  Dyadic one = llvm::cantFail(Dyadic::fromScale(1));
  EXPECT_EQ(one.applyAndClamp(100, TieRule::HalfEven, -20, -128, 127), 80);
  EXPECT_EQ(one.applyAndClamp(1000, TieRule::HalfEven, -20, -128, 127), 127);
  EXPECT_EQ(one.applyAndClamp(std::numeric_limits<int32_t>::min(),
                              TieRule::HalfEven, -20, -128, 127),
            -128);
}

TEST(Dyadic, NamesRoundTrip) {
  for (TieRule rule : {TieRule::HalfUp, TieRule::HalfAway, TieRule::HalfEven,
                       TieRule::DoubleRounding})
    EXPECT_EQ(llvm::cantFail(parseTieRule(name(rule))), rule);
  llvm::Expected<TieRule> bad = parseTieRule("half");
  ASSERT_FALSE(bool(bad));
  EXPECT_EQ(llvm::toString(bad.takeError()),
            "unknown tie rule 'half'; there are half-up, half-away, half-even "
            "and double-rounding");
}

} // namespace
