//===- RoundingTest.cpp ---------------------------------------------------===//

#include "lib/Number/Rounding.h"

#include "gtest/gtest.h"

#include <cfenv>
#include <cmath>
#include <limits>
#include <random>

using namespace mezzo;

namespace {

struct Row {
  Rounding mode;
  double expected[8];
};

TEST(Rounding, EveryModeOnTiesAndBesideThem) {
  const double inputs[8] = {-2.5, -1.5, -0.75, -0.5, 0.25, 0.5, 1.5, 2.5};
  const Row rows[] = {
      {Rounding::NearestEven, {-2, -2, -1, 0, 0, 0, 2, 2}},
      {Rounding::NearestAway, {-3, -2, -1, -1, 0, 1, 2, 3}},
      {Rounding::HalfUp, {-2, -1, -1, 0, 0, 1, 2, 3}},
      {Rounding::TowardZero, {-2, -1, 0, 0, 0, 0, 1, 2}},
      {Rounding::Up, {-2, -1, 0, 0, 1, 1, 2, 3}},
      {Rounding::Down, {-3, -2, -1, -1, 0, 0, 1, 2}},
      {Rounding::ToOdd, {-3, -1, -1, -1, 1, 1, 1, 3}},
  };
  for (const Row &row : rows)
    for (int i = 0; i < 8; ++i)
      EXPECT_EQ(roundToIntegral(inputs[i], row.mode), row.expected[i])
          << name(row.mode).str() << " of " << inputs[i];
}

TEST(Rounding, ExactValuesStayInEveryMode) {
  for (int mode = 0; mode <= int(Rounding::StochasticEqual); ++mode)
    for (double x : {-7.0, -2.0, 0.0, 1.0, 2.0, 0x1p52, 0x1.8p60, -0x1p53 - 2})
      EXPECT_EQ(roundToIntegral(x, Rounding(mode), ~0ull), x);
}

TEST(Rounding, AgreesWithTheMachineOnRandomDoubles) {
  std::mt19937_64 generator(1);
  std::uniform_real_distribution<double> exponent(-60, 54);
  for (int i = 0; i < 100000; ++i) {
    double x = std::copysign(std::exp2(exponent(generator)),
                             generator() & 1 ? 1.0 : -1.0);
    EXPECT_EQ(roundToIntegral(x), std::nearbyint(x)) << x;
    EXPECT_EQ(roundToIntegral(x, Rounding::Up), std::ceil(x)) << x;
    EXPECT_EQ(roundToIntegral(x, Rounding::Down), std::floor(x)) << x;
    EXPECT_EQ(roundToIntegral(x, Rounding::TowardZero), std::trunc(x)) << x;
    EXPECT_EQ(roundToIntegral(x, Rounding::NearestAway), std::round(x)) << x;
  }
  // floor(x + 0.5) would fail here: the sum rounds to 1.
  EXPECT_EQ(roundToIntegral(0.49999999999999994, Rounding::HalfUp), 0);
  EXPECT_EQ(roundToIntegral(-0x1p-1074, Rounding::Down), -1);
}

TEST(Rounding, SpecialsPass) {
  double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(roundToIntegral(-infinity), -infinity);
  EXPECT_TRUE(std::isnan(roundToIntegral(std::nan(""))));
  EXPECT_TRUE(std::signbit(roundToIntegral(-0.25)));
}

TEST(Rounding, NamesRoundTrip) {
  for (int mode = 0; mode <= int(Rounding::StochasticEqual); ++mode) {
    llvm::Expected<Rounding> parsed = parseRounding(name(Rounding(mode)));
    ASSERT_TRUE(bool(parsed));
    EXPECT_EQ(*parsed, Rounding(mode));
  }
  llvm::Expected<Rounding> bad = parseRounding("nearest");
  ASSERT_FALSE(bool(bad));
  EXPECT_EQ(llvm::toString(bad.takeError()),
            "unknown rounding mode 'nearest'; there are nearest-even, "
            "nearest-away, half-up, toward-zero, up, down, to-odd, stochastic, "
            "stochastic-equal");
}

TEST(Rounding, StochasticIsProportionalAndEqualIsNot) {
  CounterRandom random(42);
  const int draws = 40000;
  for (double x : {3.25, -3.25, 0.9}) {
    double far = 0, equal = 0;
    for (int i = 0; i < draws; ++i) {
      uint64_t bits = random.at(i);
      double a = std::fabs(roundToIntegral(x, Rounding::Stochastic, bits));
      double b = std::fabs(roundToIntegral(x, Rounding::StochasticEqual, bits));
      far += a > std::fabs(x);
      equal += b > std::fabs(x);
    }
    double fraction = std::fabs(x) - std::floor(std::fabs(x));
    // Five standard deviations of a fair coin.
    EXPECT_NEAR(far / draws, fraction, 2.5 / std::sqrt(draws));
    EXPECT_NEAR(equal / draws, 0.5, 2.5 / std::sqrt(draws));
  }
}

TEST(CounterRandom, PublishedVectorsOfPhilox) {
  // Random123's kat_vectors, philox4x32 with 10 rounds.
  using Block = CounterRandom::Block;
  struct {
    Block counter;
    uint64_t key;
    Block expected;
  } vectors[] = {
      {{{0, 0, 0, 0}}, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}},
      {{{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}},
       0xffffffffffffffff,
       {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}},
      {{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
       0x299f31d0a4093822,
       {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}},
  };
  for (const auto &v : vectors) {
    Block block = CounterRandom::philox4x32(v.counter, v.key);
    for (int i = 0; i < 4; ++i)
      EXPECT_EQ(block.word[i], v.expected.word[i]);
  }
}

TEST(CounterRandom, DependsOnSeedAndIndexAlone) {
  CounterRandom a(7), b(7), c(8);
  EXPECT_EQ(a.at(1000003), b.at(1000003));
  EXPECT_NE(a.at(0), a.at(1));
  EXPECT_NE(a.at(0), c.at(0));
}

} // namespace
