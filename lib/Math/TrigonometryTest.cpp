//===- TrigonometryTest.cpp - ulp bounds and special values ---------------===//

#include "lib/Math/Trigonometry.h"
#include "lib/Math/Double.h"

#include "gtest/gtest.h"

#include <cmath>
#include <limits>
#include <random>

using namespace mezzo;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();

/// |y - exact| in units of the spacing of floats around `exact`.
double ulps(float y, double exact) {
  if (std::isnan(exact))
    return std::isnan(y) ? 0 : HUGE_VAL;
  const float nearest = float(exact);
  if (std::isinf(nearest) || std::isinf(y))
    return y == nearest ? 0 : HUGE_VAL;
  const int exponent = exact == 0 ? -126 : std::max(std::ilogb(exact), -126);
  return std::fabs(y - exact) / std::ldexp(1.0, exponent - 23);
}

/// Over every 503rd float, NaNs included.
template <typename Function, typename Exact>
void checkUlps(Function f, Exact exact, double bound, float limit = inf) {
  double worst = 0;
  float at = 0;
  for (uint64_t bits = 0; bits < (uint64_t(1) << 32); bits += 503) {
    const float x = ScalarOps().asFloat(int32_t(uint32_t(bits)));
    if (std::fabs(x) > limit)
      continue;
    const double error = ulps(f(x), exact(double(x)));
    if (error > worst) {
      worst = error;
      at = x;
    }
  }
  EXPECT_LE(worst, bound) << "at x = " << at;
  EXPECT_GT(worst, 0.4) << "no rounding error at all: the check is broken";
}

TEST(Trigonometry, TanWithinFiveUlpsUpTo2To20) {
  checkUlps(
      elementary::tan, [](double x) { return std::tan(x); }, 5.0, 0x1p20f);
}

TEST(Trigonometry, AsinAndAcosWithinTwoAndAHalfUlps) {
  checkUlps(elementary::asin, [](double x) { return std::asin(x); }, 2.5);
  checkUlps(elementary::acos, [](double x) { return std::acos(x); }, 2.5);
}

TEST(Trigonometry, AtanWithinTwoAndAHalfUlps) {
  checkUlps(elementary::atan, [](double x) { return std::atan(x); }, 2.5);
}

TEST(Trigonometry, SinhAndCoshWithinFourUlps) {
  checkUlps(elementary::sinh, [](double x) { return std::sinh(x); }, 4.0);
  checkUlps(elementary::cosh, [](double x) { return std::cosh(x); }, 4.0);
}

TEST(Trigonometry, InverseHyperbolicWithinThreeOrFourUlps) {
  checkUlps(elementary::asinh, [](double x) { return std::asinh(x); }, 4.0);
  checkUlps(elementary::acosh, [](double x) { return std::acosh(x); }, 3.0);
  checkUlps(elementary::atanh, [](double x) { return std::atanh(x); }, 4.0);
}

TEST(Trigonometry, OddFunctionsKeepMinusZero) {
  for (auto f : {elementary::asin, elementary::atan, elementary::sinh,
                 elementary::asinh, elementary::atanh, elementary::tan})
    EXPECT_TRUE(std::signbit(f(-0.0f)));
}

TEST(Trigonometry, Ends) {
  EXPECT_EQ(elementary::acos(1.0f), 0.0f);
  EXPECT_EQ(elementary::atanh(1.0f), inf);
  EXPECT_EQ(elementary::atanh(-1.0f), -inf);
  EXPECT_EQ(elementary::asinh(inf), inf);
  EXPECT_EQ(elementary::acosh(1.0f), 0.0f);
  EXPECT_TRUE(std::isnan(elementary::asin(1.5f)));
  EXPECT_TRUE(std::isnan(elementary::acosh(0.5f)));
}

/// Random bit patterns, and a dense range where results are normal.
template <typename Function, typename Exact>
void checkDouble(Function f, Exact exact, double low, double high) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform(low, high);
  double worst = 0, at = 0;
  for (int i = 0; i < 400000; ++i) {
    double x = i % 2 ? uniform(random) : DoubleOps().asFloat(int64_t(random()));
    double y = f(x);
    long double want = exact((long double)(x));
    if (std::isnan(want)) {
      ASSERT_TRUE(std::isnan(y)) << x;
      continue;
    }
    if (std::isinf(double(want)) || std::isinf(y)) {
      ASSERT_EQ(y, double(want)) << x;
      continue;
    }
    int exponent = want == 0 ? -1022 : std::max(std::ilogb(want), -1022);
    double error =
        double(std::fabs(y - want) / std::ldexp(1.0L, exponent - 52));
    if (error > worst) {
      worst = error;
      at = x;
    }
  }
  EXPECT_LE(worst, 1.0) << "at x = " << at;
  EXPECT_GT(worst, 0.4) << "no rounding error at all: the check is broken";
}

TEST(Double, ExpAndLogWithinOneUlp) {
  checkDouble(
      elementary::exp64, [](long double x) { return std::exp(x); }, -745, 709);
  checkDouble(
      elementary::log64, [](long double x) { return std::log(x); }, 0, 4);
}

TEST(Double, Specials) {
  EXPECT_EQ(elementary::exp64(-HUGE_VAL), 0);
  EXPECT_EQ(elementary::log64(0.0), -HUGE_VAL);
  EXPECT_EQ(elementary::log64(HUGE_VAL), HUGE_VAL);
  EXPECT_EQ(elementary::log64(1.0), 0.0);
  EXPECT_TRUE(std::isnan(elementary::exp64(NAN)));
  EXPECT_TRUE(std::isnan(elementary::log64(-1.0)));
}

} // namespace
