//===- IntegerTest.cpp - quantized activations, `int`, `integer-only` -----===//

#include "lib/Golden/Compare.h"
#include "lib/Golden/Matmul.h"
#include "lib/Golden/TestData.h"

#include "gtest/gtest.h"

#include <cmath>
#include <limits>
#include <map>

using namespace mezzo;
using namespace mezzo::golden;
using namespace mezzo::golden::test;

namespace {

const Group perTensor = {Group::Kind::Tensor, 0};
const Group perRow = {Group::Kind::Row, 0};
Group perBlock(int64_t length) { return {Group::Kind::Block, length}; }

std::vector<float> runInt(const QuantizedActivations &a,
                          const QuantizedMatrix &w,
                          const std::vector<float> &bias = {}) {
  std::vector<float> y = poisoned(a.rows * w.rows);
  matmulInt(a, w, bias, y);
  return y;
}

TEST(Activations, Int8ByHand) {
  const std::vector<float> x = {127, -63.5f, 0.5f, 1.5f, 0, 0, 0, 0};
  QuantizedActivations q = quantizeRows(x, 2, 4);
  EXPECT_EQ(q.scales, (std::vector<float>{1, 1})); // a row of zeros gets 1
  EXPECT_EQ(q.codes, (std::vector<int32_t>{127, -64, 0, 2, 0, 0, 0, 0}));
  EXPECT_EQ(quantizeInt8(x, 2, 4, perTensor).scales,
            (std::vector<float>{1, 1}));
  q = quantizeInt8({254, 1, -127, 3, 1}, 1, 5, perBlock(2));
  EXPECT_EQ(q.scales, (std::vector<float>{2, 1, 1 / 127.0f}));
  EXPECT_EQ(q.codes, (std::vector<int32_t>{127, 0, -127, 3, 127}));
}

TEST(Activations, RowsAgreeWithNumber) {
  const std::vector<float> x = normal(7 * 53, 2);
  const QuantizedActivations q = quantizeRows(x, 7, 53);
  const QuantizedRows other =
      llvm::cantFail(quantizeActivationsInt8PerRow(x, 7, 53));
  EXPECT_EQ(q.scales, other.scales);
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_EQ(q.codes[i], other.codes[i]) << i;
}

TEST(Activations, NaNAndInfinity) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  QuantizedActivations q = quantizeRows({nan, 127, -1, nan, inf, 1}, 2, 3);
  EXPECT_EQ(q.codes, (std::vector<int32_t>{0, 127, -1, 0, 0, 0}));
  EXPECT_EQ(q.scales, (std::vector<float>{1, inf}));
  const QuantizedMatrix w = byHand("int4", 1, 3, 3, {1, 1, 1}, {1});
  const std::vector<float> y = runInt(q, w);
  EXPECT_EQ(y[0], 126.0f);
  EXPECT_FALSE(std::isfinite(y[1]));
  q = quantizeUint8({nan, -1, 1.55f}, 1, 3, perRow);
  EXPECT_EQ(q.codes[0], q.zeros[0]);
}

// The three examples of ONNX's DynamicQuantizeLinear.
TEST(Activations, Uint8AsOnnxHasIt) {
  QuantizedActivations q =
      quantizeUint8({0, 2, -3, -2.5f, 1.34f, 0.5f}, 1, 6, perTensor);
  EXPECT_EQ(q.scales[0], 0.0196078438f);
  EXPECT_EQ(q.zeros[0], 153);
  EXPECT_EQ(q.codes, (std::vector<int32_t>{153, 255, 0, 26, 221, 179}));

  q = quantizeUint8({-1, -2.1f, -1.3f, -2.5f, -3.34f, -4}, 1, 6, perTensor);
  EXPECT_EQ(q.zeros[0], 255);
  EXPECT_EQ(q.codes, (std::vector<int32_t>{191, 121, 172, 96, 42, 0}));

  q = quantizeUint8(
      {1, 2.1f, 1.3f, 2.5f, 3.34f, 4, 1.5f, 2.6f, 3.9f, 4, 3, 2.345f}, 3, 4,
      perTensor);
  EXPECT_EQ(q.zeros[0], 0);
  EXPECT_EQ(q.codes, (std::vector<int32_t>{64, 134, 83, 159, 213, 255, 96, 166,
                                           249, 255, 191, 149}));
  // Per row the second row has its own range; a tensor's scale is repeated.
  EXPECT_EQ(q.scales[0], q.scales[2]);
  q = quantizeUint8({0, 255, 0, 2.55f}, 2, 2, perRow);
  EXPECT_EQ(q.scales, (std::vector<float>{1, 2.55f / 255}));
}

TEST(Activations, Static) {
  QuantizedActivations q =
      quantizeStatic({-300, 0, 0.25f, 0.75f, 300}, 1, 5, 0.5f, 10, -20, 100);
  EXPECT_EQ(q.codes, (std::vector<int32_t>{-20, 10, 10, 12, 100}));
}

TEST(IntMode, ByHand) {
  const QuantizedMatrix w =
      byHand("int4", 1, 4, 2, {1, -1, 2, 0}, {0.5f, 0.25f});
  QuantizedActivations a;
  a.rows = 1, a.cols = 4, a.block = 4;
  a.codes = {11, 12, 13, 14}, a.scales = {2}, a.zeros = {10};
  // (1 - 2)*0.5*2 + (2*3)*0.25*2
  EXPECT_EQ(runInt(a, w, {100})[0], 100 - 1 + 3.0f);
}

/// Mode `int` said differently: sums are collected in a map by (weight group,
/// activation block), from the last column to the first, and read out in order.
std::vector<float> otherwise(const QuantizedActivations &a,
                             const QuantizedMatrix &w) {
  std::vector<float> y;
  for (int64_t m = 0; m < a.rows; ++m) {
    for (int64_t n = 0; n < w.rows; ++n) {
      std::map<std::pair<int64_t, int64_t>, std::pair<int64_t, int64_t>> pieces;
      for (int64_t j = w.cols - 1; j >= 0; --j) {
        const int64_t k = w.permutation.empty() ? j : w.permutation[j];
        const int64_t g = j / w.groupLength, b = k / a.block;
        const int64_t z = w.zeros.empty() ? 0 : w.zeros[n * w.groups() + g];
        const int64_t qa =
            a.codes[m * a.cols + k] - a.zeros[m * a.blocks() + b];
        auto &[dot, sum] = pieces[{g, b}];
        dot += (w.integerCode(n, j) - z) * qa;
        sum += qa;
      }
      float result = 0;
      for (auto &[where, sums] : pieces) {
        const int64_t at = n * w.groups() + where.first;
        const float sa = a.scales[m * a.blocks() + where.second];
        result = std::fma(w.scales[at] * sa, float(sums.first), result);
        float minimum = w.minima.empty() ? 0 : w.minima[at];
        if (!w.floatZeros.empty())
          minimum = -(w.scales[at] * w.floatZeros[at]);
        if (!w.minima.empty() || !w.floatZeros.empty())
          result = std::fma(minimum * sa, float(sums.second), result);
      }
      y.push_back(result);
    }
  }
  return y;
}

TEST(IntMode, EqualsTheIntegerSumsAndApproximatesTheProduct) {
  const int64_t m = 3, n = 5, k = 67;
  const std::vector<float> x = normal(m * k, 41);
  for (int bits = 1; bits <= 8; ++bits)
    for (std::string group : {"t", "ch", "g32", "g7"})
      for (std::string offset : {"", "+zp", "+zp:f16", "+min"}) {
        const std::string spec =
            "uint" + std::to_string(bits) + "/" + group + offset;
        const QuantizedMatrix w = weight(spec, n, k);
        // Blocks of 24 cut the weight's groups of 32 and 7, and are cut by
        // them.
        for (const QuantizedActivations &a :
             {quantizeRows(x, m, k), quantizeInt8(x, m, k, perBlock(24)),
              quantizeUint8(x, m, k, perRow),
              quantizeUint8(x, m, k, perBlock(24))}) {
          const std::vector<float> y = runInt(a, w);
          Comparison c = compareX0(y, otherwise(a, w), n);
          EXPECT_TRUE(c.ok) << spec << ": " << c.message;
          c = compareXF(y, realProduct(a, w));
          EXPECT_TRUE(c.ok) << spec << ": " << c.message;
        }
      }
  for (std::string spec : {"int4/g16", "odd3/g16", "ternary/ch", "int8/t"}) {
    QuantizedMatrix w = weight(spec, n, k);
    w.permutation = permutation(k, 9);
    const QuantizedActivations a = quantizeRows(x, m, k);
    Comparison c = compareX0(runInt(a, w), otherwise(a, w), n);
    EXPECT_TRUE(c.ok) << spec << ": " << c.message;
  }
}

TEST(IntMode, NegativeControl) {
  for (std::string spec : {"int4/g32", "uint3/ch+zp", "int8/t"}) {
    const QuantizedMatrix w = weight(spec, 16, 256);
    const std::vector<float> x = normal(3 * 256, 51);
    const std::vector<float> y = runInt(quantizeRows(x, 3, 256), w);
    Comparison c = negativeControl(y, realProduct(x, 3, w));
    EXPECT_TRUE(c.ok) << spec << ": " << c.message;
    EXPECT_GT(c.worst, 10) << spec;
  }
  // Where int8 loses nothing, the control has to complain.
  const QuantizedMatrix w = byHand("int4", 1, 2, 2, {1, 3}, {1});
  const std::vector<float> x = {127, 5};
  Comparison c =
      negativeControl(runInt(quantizeRows(x, 1, 2), w), realProduct(x, 1, w));
  EXPECT_FALSE(c.ok);
  EXPECT_NE(c.message.find("proves nothing"), std::string::npos) << c.message;
}

// 255 * -128 at every k leaves int32 after 65794 columns.
TEST(IntMode, ExactBeyondInt32) {
  const int64_t k = 100001;
  QuantizedMatrix w = byHand("uint8", 1, k, k, std::vector<int>(k, 255), {1});
  const std::vector<float> x(k, -128);
  const QuantizedActivations a = quantizeStatic(x, 1, k, 1, 0, -128, 127);
  const int64_t dot = -255 * 128 * k;
  ASSERT_LT(dot, int64_t(INT32_MIN));
  EXPECT_EQ(runInt(a, w)[0], float(dot));
  std::vector<int32_t> y(1);
  Requantization r;
  r.factors = {llvm::cantFail(Dyadic::fromScale(1e-6))};
  const std::string message = llvm::toString(matmulIntegerOnly(a, w, {}, r, y));
  EXPECT_NE(message.find("is -3264032640, beyond int32"), std::string::npos)
      << message;
}

TEST(IntegerOnly, ByHandUnderEachTieRule) {
  // Accumulators 1*3 + 2*1 + bias: 6 - 1 = 5, -7 and 7; halves are ties.
  QuantizedMatrix w = byHand("int4", 3, 2, 2, {1, 2, -1, -2, 1, 2}, {9, 9, 9});
  QuantizedActivations a = quantizeStatic({3, 1}, 1, 2, 1, 0, -128, 127);
  const std::vector<int32_t> bias = {0, -2, 2};
  Requantization r;
  r.factors = {llvm::cantFail(Dyadic::fromScale(0.5))};
  r.zeroPoint = 10, r.lo = 0, r.hi = 13;
  struct Case {
    TieRule rule;
    std::vector<int32_t> y;
  };
  for (const Case &c :
       {Case{TieRule::HalfUp, {13, 7, 13}}, // 2.5 -> 3, -3.5 -> -3, 3.5 -> 4
        Case{TieRule::HalfAway, {13, 6, 13}},
        Case{TieRule::HalfEven, {12, 6, 13}}}) {
    r.rule = c.rule;
    std::vector<int32_t> y(3, -1);
    llvm::cantFail(matmulIntegerOnly(a, w, bias, r, y));
    Comparison x0 = compareX0(y, c.y, 3);
    EXPECT_TRUE(x0.ok) << name(c.rule).str() << ": " << x0.message;
  }
}

TEST(IntegerOnly, NextToTheRealQuotient) {
  const int64_t m = 3, n = 6, k = 67;
  const QuantizedMatrix w = weight("uint4/ch+zp", n, k);
  const QuantizedActivations a =
      quantizeStatic(normal(m * k, 61), m, k, 0.02f, 3, -128, 127);
  Requantization r;
  for (int64_t i = 0; i < n; ++i)
    r.factors.push_back(llvm::cantFail(
        Dyadic::fromScale(std::fabs(double(w.scales[i])) * 0.02f / 0.1)));
  r.zeroPoint = -5;
  std::vector<int32_t> bias(n, 77), y(m * n, 9999);
  llvm::cantFail(matmulIntegerOnly(a, w, bias, r, y));
  for (int64_t row = 0; row < m; ++row)
    for (int64_t i = 0; i < n; ++i) {
      int64_t z = bias[i];
      for (int64_t j = 0; j < k; ++j)
        z += int64_t(w.integerCode(i, j) - w.zeros[i]) * a.difference(row, j);
      const double real = z * r.factors[i].toDouble() - 5;
      const double clamped = std::min(127.0, std::max(-128.0, real));
      EXPECT_LE(std::fabs(y[row * n + i] - clamped), 0.5 + 0x1p-7);
    }
}

TEST(IntegerOnly, RefusesGroupsAlongKAndFloatOffsets) {
  const std::vector<float> x = normal(64, 1);
  std::vector<int32_t> y(2);
  Requantization r;
  r.factors = {llvm::cantFail(Dyadic::fromScale(0.01))};
  auto refusal = [&](const QuantizedActivations &a, const std::string &spec) {
    return llvm::toString(matmulIntegerOnly(a, weight(spec, 2, 64), {}, r, y));
  };
  const QuantizedActivations rows = quantizeRows(x, 1, 64);
  std::string message = refusal(rows, "int4/g32");
  EXPECT_NE(message.find("has 2 and 1 along K: use weights per tensor (/t)"),
            std::string::npos)
      << message;
  message = refusal(quantizeInt8(x, 1, 64, perBlock(16)), "int4/ch");
  EXPECT_NE(message.find("has 1 and 4 along K"), std::string::npos) << message;
  for (std::string spec : {"uint4/ch+min", "uint4/ch+zp:f32"}) {
    message = refusal(rows, spec);
    EXPECT_NE(message.find("use an integer zero point"), std::string::npos)
        << message;
  }
}

} // namespace
