//===- CompareTest.cpp - the oracles can fail, and say where --------------===//

#include "lib/Golden/Compare.h"

#include "lib/Golden/Matmul.h"
#include "lib/Golden/TestData.h"

#include "gtest/gtest.h"

#include <cmath>
#include <limits>

using namespace mezzo;
using namespace mezzo::golden;
using namespace mezzo::golden::test;

namespace {

const float nan = std::numeric_limits<float>::quiet_NaN();
const float inf = std::numeric_limits<float>::infinity();

TEST(CompareX0, EqualBitsPass) {
  const std::vector<float> y = {1, -0.0f, inf, nan, 0x1p-149f};
  const Comparison c = compareX0(y, y, 5);
  EXPECT_TRUE(c.ok);
  EXPECT_EQ(c.message, "");
  EXPECT_EQ(c.worst, 0);
  EXPECT_TRUE(
      compareX0(std::vector<float>{nan}, std::vector<float>{-nan}, 1).ok);
}

TEST(CompareX0, NamesTheFirstMismatch) {
  std::vector<float> y(12, 1), expected(12, 1);
  y[7] = std::nextafter(1.0f, 2.0f);
  y[9] = 1 + 0x1p-20f;
  const Comparison c = compareX0(y, expected, 4);
  EXPECT_FALSE(c.ok);
  EXPECT_EQ(c.message, "row 1, column 3: got 1.00000012 (0x3f800001), expected "
                       "1 (0x3f800000); 2 of 12 differ, by up to 8 ulps");
  EXPECT_EQ(c.worst, 8);
}

TEST(CompareX0, ZerosDifferBySignAndNaNFromNumbers) {
  const Comparison c =
      compareX0(std::vector<float>{0.0f}, std::vector<float>{-0.0f}, 1);
  EXPECT_FALSE(c.ok);
  EXPECT_EQ(c.worst, 1);
  EXPECT_FALSE(compareX0(std::vector<float>{nan}, std::vector<float>{1}, 1).ok);
  EXPECT_FALSE(
      compareX0(std::vector<float>{1}, std::vector<float>{1, 2}, 1).ok);
}

TEST(CompareX0, Codes) {
  const Comparison c = compareX0(std::vector<int32_t>{1, 2, 3, 4},
                                 std::vector<int32_t>{1, 2, 5, 4}, 2);
  EXPECT_EQ(c.message, "row 1, column 0: got 3, expected 5; 1 of 4 differ, by "
                       "up to 2 codes");
}

/// One row, one column: 0.5*(1*1 - 1*2) + 0.25*(2*3 + 0*4), magnitude 3.
QuantizedMatrix example() {
  return byHand("int4", 1, 4, 2, {1, -1, 2, 0}, {0.5f, 0.25f});
}

TEST(CompareXF, TheBoundByHand) {
  const std::vector<float> a = {1, 2, 3, 4};
  const RealProduct real = realProduct(a, 1, example());
  EXPECT_EQ(real.y[0], 1.0);
  EXPECT_EQ(real.magnitude[0], 3.0);
  EXPECT_EQ(real.longestGroup, 2);
  EXPECT_EQ(real.groups, 2);
  EXPECT_EQ(realProduct(a, 1, example(), {-5}).y[0], -4.0);
  EXPECT_EQ(realProduct(a, 1, example(), {-5}).magnitude[0], 8.0);

  // gamma(2 + 2*2 + 4) * 3 = 1.79e-6: 15 ulps of 1 pass, 16 do not.
  const double bound = roundingGamma(10) * 3;
  EXPECT_NEAR(bound, 30 * 0x1p-24, 1e-11);
  Comparison c = compareXF(std::vector<float>{1 + 15 * 0x1p-23f}, real);
  EXPECT_TRUE(c.ok) << c.message;
  EXPECT_GT(c.worst, 0.99);
  c = compareXF(std::vector<float>{1 + 16 * 0x1p-23f}, real);
  EXPECT_FALSE(c.ok);
  EXPECT_NE(c.message.find("row 0, column 0: got 1.00000191"),
            std::string::npos)
      << c.message;
}

TEST(CompareXF, WhatIsNotFiniteFails) {
  const std::vector<float> a = {1, 2, 3, 4};
  const RealProduct real = realProduct(a, 1, example());
  for (float y : {nan, inf, -inf})
    EXPECT_FALSE(compareXF(std::vector<float>{y}, real).ok);
  const RealProduct poisonedReal =
      realProduct(std::vector<float>{1, nan, 3, 4}, 1, example());
  EXPECT_TRUE(compareXF(std::vector<float>{nan}, poisonedReal).ok);
  EXPECT_FALSE(compareXF(std::vector<float>{1}, poisonedReal).ok);
}

TEST(CompareXF, NoticesAWrongElementAnywhere) {
  const QuantizedMatrix w = weight("int4/g32+zp", 7, 100);
  const std::vector<float> a = normal(3 * 100, 3);
  std::vector<float> y = poisoned(21);
  matmulFloat(a, 3, w, {}, y);
  const RealProduct real = realProduct(a, 3, w);
  ASSERT_TRUE(compareXF(y, real).ok);
  for (int i = 0; i < 21; ++i) {
    const float right = y[i];
    y[i] += float(2 * roundingGamma(32 + 2 * 4 + 4) * real.magnitude[i]);
    const Comparison c = compareXF(y, real);
    EXPECT_FALSE(c.ok);
    const std::string where = "row " + std::to_string(i / 7) + ", column " +
                              std::to_string(i % 7) + ":";
    EXPECT_EQ(c.message.find(where), 0u) << c.message;
    y[i] = right;
  }
}

TEST(CompareXT, TheTablesPartByHand) {
  // uint2, scale 2, one group of 4: (1 + 2) * 2 * 1 * t/2 with t = 10/255.
  const QuantizedMatrix w = byHand("uint2", 1, 4, 4, {1, 3, 0, 2}, {2});
  const std::vector<float> a = {1, -2, 3, 4};
  const RealProduct real = realProduct(a, 1, w);
  EXPECT_EQ(real.y[0], 2 * (1 - 6 + 8));
  const float allowed = 3 * 10 / 255.0f;
  EXPECT_TRUE(
      compareXT(std::vector<float>{6 + 0.999f * allowed}, real, a, w).ok);
  const Comparison c =
      compareXT(std::vector<float>{6 - 1.001f * allowed}, real, a, w);
  EXPECT_FALSE(c.ok);
  EXPECT_NEAR(c.worst, 1.001, 1e-3);
}

TEST(Compare, NormalizedMeanSquareError) {
  const std::vector<float> a = {1, 2, 3, 4};
  const RealProduct real = realProduct(a, 1, example());
  EXPECT_EQ(normalizedMeanSquareError(std::vector<float>{1}, real), 0);
  EXPECT_EQ(normalizedMeanSquareError(std::vector<float>{1.5f}, real), 0.25);
}

} // namespace
