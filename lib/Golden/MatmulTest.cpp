//===- MatmulTest.cpp - modes `float` and `lut8` --------------------------===//

#include "lib/Golden/Matmul.h"

#include "lib/Golden/Compare.h"
#include "lib/Golden/Lut8.h"
#include "lib/Golden/TestData.h"

#include "gtest/gtest.h"

#include <cmath>

using namespace mezzo;
using namespace mezzo::golden;
using namespace mezzo::golden::test;

namespace {

std::vector<float> runFloat(const std::vector<float> &a, int64_t m,
                            const QuantizedMatrix &w,
                            const std::vector<float> &bias = {}) {
  std::vector<float> y = poisoned(m * w.rows);
  matmulFloat(a, m, w, bias, y);
  return y;
}

std::vector<float> runLut8(const std::vector<float> &a, int64_t m,
                           const QuantizedMatrix &w,
                           const std::vector<float> &bias = {}) {
  std::vector<float> y = poisoned(m * w.rows);
  matmulLut8(a, m, w, bias, y);
  return y;
}

// The example of Matmul.h, codes without zeros.
TEST(FloatMode, WorkedExample) {
  QuantizedMatrix w = byHand("int4", 1, 4, 2, {1, -1, 2, 0}, {0.5f, 0.25f});
  EXPECT_EQ(runFloat({1, 2, 3, 4}, 1, w), std::vector<float>{1.0f});
  EXPECT_EQ(runFloat({1, 2, 3, 4}, 1, w, {10}), std::vector<float>{11.0f});
  // Zeros 2 and -1: (1-2)*1 + (-1-2)*2 = -7, (2+1)*3 + (0+1)*4 = 13.
  w.zeros = {2, -1};
  EXPECT_EQ(runFloat({1, 2, 3, 4}, 1, w)[0], -3.5f + 3.25f);
  w.zeros.clear();
  w.minima = {8, -1}; // + 8*(1+2) - (3+4)
  EXPECT_EQ(runFloat({1, 2, 3, 4}, 1, w)[0], 1.0f + 24 - 7);
}

TEST(FloatMode, FoldsAscendingAndKeepsGroupsApart) {
  // 2^24 + 1 rounds back to 2^24. So 1 + 1 + 2^24 in ascending order is
  // 2^24 + 2, and 2^24 + 1 + 1 is 2^24.
  const float big = 0x1p24f;
  QuantizedMatrix w = byHand("int4", 1, 3, 3, {1, 1, 1}, {1});
  EXPECT_EQ(runFloat({1, 1, big}, 1, w)[0], big + 2);
  EXPECT_EQ(runFloat({big, 1, 1}, 1, w)[0], big);
  // In two groups the ones meet first, with the fold starting at 0 again.
  QuantizedMatrix split = byHand("int4", 1, 3, 1, {1, 1, 1}, {1, 1, 1});
  EXPECT_EQ(runFloat({big, 1, 1}, 1, split)[0], big);
  QuantizedMatrix pair = byHand("int4", 1, 4, 2, {1, 0, 1, 1}, {1, 1});
  EXPECT_EQ(runFloat({big, 0, 1, 1}, 1, pair)[0], big + 2);
  // Without FMA the product (1 + 2^-12)^2 would lose its 2^-24.
  QuantizedMatrix fused = byHand("int4", 1, 2, 2, {-1, 1}, {1});
  EXPECT_EQ(runFloat({1, 1 + 0x1p-23f}, 1, fused)[0], 0x1p-23f);
}

TEST(FloatMode, MinimumComesDirectlyAfterItsGroup) {
  // Steps of y: 2^24 (scale of group 0), then the minimum's -2^24, then + 1. In
  // any other order the 1 is lost.
  const float big = 0x1p24f;
  QuantizedMatrix w = byHand("int4", 1, 2, 1, {1, 1}, {big, 1});
  w.minima = {-big, 0};
  EXPECT_EQ(runFloat({1, 1}, 1, w)[0], 1.0f);
}

TEST(FloatMode, FloatZeroIsSubtractedFromTheCodeInF32) {
  QuantizedMatrix w = byHand("uint4", 1, 2, 2, {3, 15}, {2});
  w.floatZeros = {2.5f};
  EXPECT_EQ(runFloat({1, 10}, 1, w)[0], 2 * (0.5f + 125));
  w.floatZeros = {0x1.000002p-4f}; // fl(15 - z) drops the last bits of z
  const float d0 = 3 - w.floatZeros[0], d1 = 15 - w.floatZeros[0];
  EXPECT_EQ(runFloat({1, 1}, 1, w)[0], 2 * (d0 + d1));
}

TEST(FloatMode, PermutedColumnsAreGathered) {
  QuantizedMatrix w = weight("int4/g16+zp", 5, 50);
  const std::vector<float> a = normal(3 * 50, 7);
  QuantizedMatrix permuted = w;
  permuted.permutation = permutation(50, 3);
  const std::vector<float> gathered =
      gatherColumns(a, 3, 50, permuted.permutation);
  EXPECT_EQ(gathered[1], a[permuted.permutation[1]]);
  Comparison c =
      compareX0(runFloat(a, 3, permuted), runFloat(gathered, 3, w), 5);
  EXPECT_TRUE(c.ok) << c.message;
  c = compareXF(runFloat(a, 3, permuted), realProduct(a, 3, permuted));
  EXPECT_TRUE(c.ok) << c.message;
  EXPECT_FALSE(compareXF(runFloat(a, 3, w), realProduct(a, 3, permuted)).ok);
  c = compareX0(runLut8(a, 3, permuted), runLut8(gathered, 3, w), 5);
  EXPECT_TRUE(c.ok) << c.message;
}

TEST(FloatMode, UnquantizedIsOneGroupOfScaleOne) {
  const std::vector<float> a = normal(2 * 9, 1);
  std::vector<float> w(3 * 9), y = poisoned(6);
  QuantizedMatrix q = weight("int8/ch", 3, 9);
  for (float &s : q.scales)
    s = 1;
  for (int i = 0; i < 27; ++i)
    w[i] = q.codeValue(i / 9, i % 9);
  matmulFloat(a, 2, w, 3, 9, {1, 2, 3}, y);
  Comparison c = compareX0(y, runFloat(a, 2, q, {1, 2, 3}), 3);
  EXPECT_TRUE(c.ok) << c.message;
}

/// Every format and width crossed with every offset and group.
std::vector<std::string> integerSpecs() {
  std::vector<std::string> specs;
  for (int n = 1; n <= 8; ++n)
    for (std::string kind : {"int", "uint"})
      for (std::string group : {"t", "ch", "g32", "g7"})
        for (std::string offset : {"", "+zp", "+zp:f16", "+min"})
          specs.push_back(kind + std::to_string(n) + "/" + group + offset);
  for (std::string odd : {"odd1/ch", "odd2/g32", "odd4/g5", "odd8/t"})
    specs.push_back(odd);
  specs.push_back("ternary/t");
  specs.push_back("uint4/g32:u6^g256:f16+min:u6^g256:f16");
  specs.push_back("int3/g16:i6^g64:f16");
  return specs;
}

std::vector<std::string> allSpecs() {
  std::vector<std::string> specs = integerSpecs();
  for (std::string other :
       {"e2m1/g16:e4m3^t:f32", "e4m3fn/g32:e8m0", "e3m2/ch", "nf4/g64",
        "codebook3/ch", "e5m2/t", "e2m1/g32:e8m0"})
    specs.push_back(other);
  return specs;
}

TEST(FloatMode, WithinXFForEveryFormatGroupAndOffset) {
  const int64_t n = 5, k = 67;
  for (const std::string &spec : allSpecs()) {
    const QuantizedMatrix w = weight(spec, n, k);
    for (int64_t m : {1, 3}) {
      const std::vector<float> a = normal(m * k, 11), bias = normal(n, 12);
      Comparison c =
          compareXF(runFloat(a, m, w, bias), realProduct(a, m, w, bias));
      EXPECT_TRUE(c.ok) << spec << ": " << c.message;
    }
  }
}

TEST(FloatMode, WithinXFAtLargerSizes) {
  for (std::string spec : {"int4/g128", "uint3/g64+zp", "int8/ch"}) {
    const QuantizedMatrix w = weight(spec, 17, 1031);
    for (int64_t m : {16, 37}) {
      const std::vector<float> a = normal(m * 1031, 5);
      Comparison c = compareXF(runFloat(a, m, w), realProduct(a, m, w));
      EXPECT_TRUE(c.ok) << spec << ": " << c.message;
      EXPECT_GT(c.worst, 1e-4) << "suspiciously exact";
    }
  }
}

TEST(Lut8, GroupByHand) {
  const LutGroup lut({3, -1, 0.5f, 2, 4, 4});
  // The second block, with its tail of zeros, is the wider one: 4 + 4 = 8.
  EXPECT_EQ(lut.step, 8.0f / 255);
  EXPECT_EQ(lut.negatives, -1.0f);
  EXPECT_EQ(lut.activations, 12.5f);
  ASSERT_EQ(lut.tables.size(), 2u);
  EXPECT_EQ(lut.tables[0][0], std::nearbyint(1 * 255 / 8.0)); // T - N = 1
  EXPECT_EQ(lut.tables[0][0b0010], 0);                        // T = N
  EXPECT_EQ(lut.tables[0][0b1101], std::nearbyint(6.5 * 255 / 8));
  EXPECT_EQ(lut.tables[1][0b0011], 255);
  EXPECT_EQ(lut.tables[1][0b1100], 0);
  const LutGroup zeros({0, 0, 0});
  EXPECT_EQ(zeros.step, 1.0f);
  EXPECT_EQ(zeros.tables[0][15], 0);
}

// With integers and sum|a| = 255 in one block of each group the step is 1 and
// no entry is rounded: the result is the exact product.
TEST(Lut8, ExactWhereTheStepIsOne) {
  for (const std::string &spec : integerSpecs()) {
    if (spec.find("/g32") == std::string::npos ||
        spec.find("u6^") != std::string::npos)
      continue;
    QuantizedMatrix w = weight(spec, 4, 70); // last group: 6 columns
    std::vector<float> a(70);
    std::mt19937 engine(4);
    for (float &x : a)
      x = float(int(engine() % 101) - 50);
    for (int64_t group : {0, 32, 64}) {
      a[group] = -100, a[group + 1] = 60, a[group + 2] = -90, a[group + 3] = 5;
    }
    // Powers of two and small integers keep all other steps exact as well.
    for (float &s : w.scales)
      s = std::copysign(0.5f, s);
    for (float &z : w.floatZeros)
      z = 1.5f;
    for (float &m : w.minima)
      m = -0.25f;
    const RealProduct real = realProduct(a, 1, w);
    const std::vector<float> y = runLut8(a, 1, w);
    for (int n = 0; n < 4; ++n)
      EXPECT_EQ(double(y[n]), real.y[n]) << spec << " column " << n;
  }
}

TEST(Lut8, WithinXTForEveryFormatGroupAndOffset) {
  const int64_t n = 5, k = 67;
  for (const std::string &spec : integerSpecs()) {
    const QuantizedMatrix w = weight(spec, n, k);
    const std::vector<float> a = normal(3 * k, 21), bias = normal(n, 22);
    Comparison c =
        compareXT(runLut8(a, 3, w, bias), realProduct(a, 3, w, bias), a, w);
    EXPECT_TRUE(c.ok) << spec << ": " << c.message;
    // The tables' rounding is what the bound is for: XF alone must not do.
    EXPECT_GT(c.worst, 1e-3) << spec;
  }
}

// On N(0, 1) an entry's rounding is uniform over one step, variance t^2 / 12,
// and independent between blocks, and between planes where their bits are. So
// the mean square error is predictable, and one that is much smaller or larger
// means that other tables are in use. In two's complement a small negative code
// sets all upper bits, so the planes look up the same entry with weights of
// both signs, and errors cancel: there the prediction is an upper limit.
TEST(Lut8, MeanSquareErrorOnNormalData) {
  const int64_t m = 8, n = 33, k = 1024;
  for (std::string spec : {"int2/g64", "uint3/g128+zp", "int4/g32", "odd1/g64",
                           "uint4/ch+min", "int4/g128"}) {
    const QuantizedMatrix w = weight(spec, n, k);
    const std::vector<float> a = normal(m * k, 31);
    const std::vector<float> y = runLut8(a, m, w);
    const RealProduct real = realProduct(a, m, w);
    Comparison c = compareXT(y, real, a, w);
    EXPECT_TRUE(c.ok) << spec << ": " << c.message;
    EXPECT_FALSE(compareXF(y, real).ok) << spec;

    double squares = 0, error = 0, power = 0;
    for (float weight : w.spec.format.planeWeights())
      squares += double(weight) * weight;
    for (int64_t row = 0; row < m; ++row)
      for (int64_t g = 0; g < w.groups(); ++g) {
        llvm::ArrayRef<float> group(a.data() + row * k + g * w.groupLength,
                                    w.lengthOf(g));
        const double t = LutGroup(group).step;
        for (int64_t i = 0; i < n; ++i)
          error += std::pow(w.scales[w.groupIndex(i, g)], 2) * squares *
                   double((w.lengthOf(g) + 3) / 4) * t * t / 12;
      }
    for (double v : real.y)
      power += v * v;
    const double measured = normalizedMeanSquareError(y, real);
    EXPECT_LE(measured, 1.25 * error / power) << spec;
    if (w.spec.format.kind() != Format::Kind::Int)
      EXPECT_GE(measured, 0.75 * error / power) << spec;
    // Wide groups have wide steps: only these keep the 1e-4 of XT.
    if (spec == "int4/g32" || spec == "odd1/g64" || spec == "int4/g128")
      EXPECT_LE(measured, 1e-4) << spec;
  }
}

} // namespace
