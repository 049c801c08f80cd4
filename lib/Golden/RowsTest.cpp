//===- RowsTest.cpp - the order of row reductions -------------------------===//

#include "lib/Golden/Rows.h"

#include "lib/Golden/TestData.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

using namespace mezzo::golden;
using namespace mezzo::golden::test;

namespace {

const float inf = std::numeric_limits<float>::infinity();

// The order itself, read off: elements are indices into a table of strings, and
// to combine two is to write them down.
TEST(Reduce16, OrderWrittenOut) {
  auto reduce = [](int64_t n) {
    std::vector<std::string> names = {""}; // lanes start with nothing
    auto add = [&](const std::string &text) {
      names.push_back(text);
      return float(names.size() - 1);
    };
    const float result = reduce16(
        n, 0.0f, [&](int64_t i) { return add("x" + std::to_string(i)); },
        [&](float a, float b) {
          const std::string l = names[size_t(a)], r = names[size_t(b)];
          return l.empty() ? b : r.empty() ? a : add("(" + l + " " + r + ")");
        });
    return names[size_t(result)];
  };
  EXPECT_EQ(reduce(0), "");
  EXPECT_EQ(reduce(3), "((x0 x2) x1)");
  EXPECT_EQ(reduce(20), "(((((x0 x16) x8) (x4 x12)) "
                        "(((x2 x18) x10) (x6 x14))) "
                        "((((x1 x17) x9) (x5 x13)) "
                        "(((x3 x19) x11) (x7 x15))))");
}

TEST(Reduce16, SumAndMax) {
  // In this order the two ones of lane 0 and 8 meet the large terms last.
  std::vector<float> x(16, 0);
  x[0] = 0x1p24f, x[8] = 1, x[4] = -0x1p24f, x[12] = 1;
  EXPECT_EQ(reduce16Sum(x), 1.0f); // (2^24 + 1) + (-2^24 + 1) = 2^24 - 16777215
  EXPECT_EQ(reduce16Sum({}), 0.0f);
  EXPECT_EQ(reduce16Max({}), -inf);
  EXPECT_EQ(reduce16Max({-3, -1, -2}), -1.0f);
  for (int64_t n : {1, 15, 16, 17, 100, 1000}) {
    const std::vector<float> r = normal(n, unsigned(n));
    EXPECT_EQ(reduce16Max(r), *std::max_element(r.begin(), r.end()));
    double sum = 0, magnitude = 0;
    for (float v : r)
      sum += v, magnitude += std::fabs(v);
    EXPECT_NEAR(reduce16Sum(r), sum, magnitude * (n / 16 + 5) * 0x1p-24);
  }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(reduce16Max({nan, 2, nan}), 2.0f);
}

TEST(Softmax, AgreesWithDouble) {
  const int64_t rows = 5, cols = 77;
  std::vector<float> x = normal(rows * cols, 3), y = poisoned(rows * cols);
  for (float &v : x)
    v = v * 20 + 1000; // exp alone would overflow
  x[3] = -inf;         // a masked element
  softmax(x, rows, cols, y);
  for (int64_t r = 0; r < rows; ++r) {
    double max = -inf, sum = 0;
    for (int64_t i = 0; i < cols; ++i)
      max = std::max(max, double(x[r * cols + i]));
    for (int64_t i = 0; i < cols; ++i)
      sum += std::exp(x[r * cols + i] - max);
    for (int64_t i = 0; i < cols; ++i) {
      const double exact = std::exp(x[r * cols + i] - max) / sum;
      ASSERT_NEAR(y[r * cols + i], exact, exact * 0x1p-20 + 0x1p-149);
    }
  }
  EXPECT_EQ(y[3], 0.0f);
}

TEST(Softmax, SpecialRows) {
  std::vector<float> y = poisoned(6);
  softmax({5, 5, -inf, -inf, 7, -inf}, 3, 2, y);
  EXPECT_EQ(y[0], 0.5f);
  EXPECT_EQ(y[1], 0.5f);
  EXPECT_TRUE(std::isnan(y[2]) && std::isnan(y[3]));
  EXPECT_EQ(y[4], 1.0f);
  EXPECT_EQ(y[5], 0.0f);
}

TEST(Norms, ByHand) {
  // Mean 2, differences -1 and 1, variance 1, with eps 3 the root is 2.
  std::vector<float> y = poisoned(2);
  layerNorm({1, 3}, 1, 2, {}, {}, 3, y);
  EXPECT_EQ(y, (std::vector<float>{-0.5f, 0.5f}));
  layerNorm({1, 3}, 1, 2, {10, 20}, {100, 200}, 3, y);
  EXPECT_EQ(y, (std::vector<float>{95, 210}));
  // Squares 1 and 49, mean 25; root of 25 is 5, of which fl(1/5) is used.
  rmsNorm({1, -7}, 1, 2, {}, 0, y);
  EXPECT_EQ(y, (std::vector<float>{0.2f, -7 * 0.2f}));
  rmsNorm({1, -7}, 1, 2, {2, 0.5f}, 0, y);
  EXPECT_EQ(y, (std::vector<float>{0.4f, -7 * 0.2f * 0.5f}));
}

TEST(Norms, AgreeWithDouble) {
  const int64_t rows = 3, cols = 197;
  std::vector<float> x = normal(rows * cols, 8);
  for (float &v : x)
    v += 50; // the mean dwarfs the spread: one pass would cancel
  const std::vector<float> gamma = normal(cols, 9), beta = normal(cols, 10);
  std::vector<float> layer = poisoned(rows * cols), rms = layer;
  layerNorm(x, rows, cols, gamma, beta, 1e-5f, layer);
  rmsNorm(x, rows, cols, gamma, 1e-5f, rms);
  for (int64_t r = 0; r < rows; ++r) {
    const float *row = x.data() + r * cols;
    double mean = 0, variance = 0, squares = 0;
    for (int64_t i = 0; i < cols; ++i)
      mean += row[i] / double(cols), squares += double(row[i]) * row[i] / cols;
    for (int64_t i = 0; i < cols; ++i)
      variance += (row[i] - mean) * (row[i] - mean) / cols;
    for (int64_t i = 0; i < cols; ++i) {
      const double l =
          (row[i] - mean) / std::sqrt(variance + 1e-5f) * gamma[i] + beta[i];
      ASSERT_NEAR(layer[r * cols + i], l, 2e-5);
      const double s = row[i] / std::sqrt(squares + 1e-5f) * gamma[i];
      ASSERT_NEAR(rms[r * cols + i], s, 1e-6 * std::fabs(s));
    }
  }
  // In place.
  std::vector<float> same = x;
  layerNorm(same, rows, cols, gamma, beta, 1e-5f, same);
  EXPECT_EQ(same, layer);
}

} // namespace
