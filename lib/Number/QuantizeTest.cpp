//===- QuantizeTest.cpp ---------------------------------------------------===//

#include "lib/Number/Quantize.h"
#include "lib/Number/FitCodebook.h"
#include "lib/Number/Half.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

using namespace mezzo;

namespace {

const float kNaN = std::numeric_limits<float>::quiet_NaN();
const float kInfinity = std::numeric_limits<float>::infinity();

QuantSpec spec(llvm::StringRef text) {
  return llvm::cantFail(QuantSpec::parse(text));
}

std::vector<float> normal(int64_t size, unsigned seed, float sigma = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> distribution(0, sigma);
  std::vector<float> values(size);
  for (float &value : values)
    value = distribution(generator);
  return values;
}

QuantizedMatrix quantized(llvm::ArrayRef<float> w, int64_t n, int64_t k,
                          llvm::StringRef text,
                          const QuantizeOptions &options = {}) {
  llvm::Expected<QuantizedMatrix> matrix =
      quantize(w, n, k, spec(text), options);
  if (!matrix) {
    ADD_FAILURE() << text.str() << ": " << llvm::toString(matrix.takeError());
    return {};
  }
  if (llvm::Error error = matrix->validate())
    ADD_FAILURE() << text.str() << ": " << llvm::toString(std::move(error));
  return std::move(*matrix);
}

const char *const kSpecs[] = {
    "int1/g16",
    "int2/g16",
    "int3/ch",
    "int4/g128",
    "int5/t",
    "int8/g7",
    "int8[-127,127]/row",
    "uint4/g32+zp",
    "uint4/g32:f16+zp",
    "uint3/g5:bf16+min",
    "int4/g16:f16+min",
    "uint4/g32+zp:f16",
    "int4/g32+zp",
    "int6/ch+zp:f32",
    "odd1/ch",
    "odd2/g16:f16",
    "odd4/g16+zp",
    "ternary/t",
    "ternary/g64:f16",
    "e2m1/g16:e4m3^t:f32",
    "e2m1/g32:e8m0",
    "e4m3fn/g32:e8m0",
    "int8/g32:e8m0",
    "uint4/g32:e8m0+zp",
    "e3m2/ch+min",
    "nf4/g64",
    "codebook3/ch",
    "codebook4/g32:f16+min",
    "uint4/g32:u6^g64:f16+min:u6^g64:f16",
    "uint2/g16:u4^ch:f16+min:u4^ch:f16",
    "int3/g16:i6^g64:f16",
};

TEST(Quantize, EveryCodeIsTheNearestOne) {
  // Whatever the scale, the offset and the format: no other code inside the
  // declared range is nearer to the weight by more than the rounding of x/s +
  // z.
  const int64_t n = 3, k = 131; // a prime: last groups are short
  std::vector<float> w = normal(n * k, 31);
  for (const char *text : kSpecs) {
    QuantizedMatrix matrix = quantized(w, n, k, text);
    const Format &format = matrix.spec.format;
    for (int64_t row = 0; row < n; ++row)
      for (int64_t column = 0; column < k; ++column) {
        double x = w[row * k + column];
        double actual = std::fabs(matrix.value(row, column) - x);
        QuantizedMatrix other = matrix;
        double scale =
            matrix.scales[matrix.groupIndex(row, matrix.groupOf(column))];
        for (uint32_t raw = 0; raw < format.numCodes(); ++raw) {
          if (format.isInteger() &&
              (format.integerValue(raw) < format.minValue() ||
               format.integerValue(raw) > format.maxValue()))
            continue;
          other.codes[row * k + column] = raw;
          double value = other.value(row, column);
          if (std::isnan(value))
            continue;
          // ONNX's order rounds before a zero point is added, which differs on
          // ties alone; f32 arithmetic on codes up to 255 errs by 2^-15.
          double slack = std::fabs(scale) * 0x1p-14 + 1e-12;
          ASSERT_LE(actual, std::fabs(value - x) + slack)
              << text << " [" << row << ", " << column << "]";
        }
      }
  }
}

TEST(Quantize, NothingIsClippedWhereTheRuleSaysSo) {
  const int64_t n = 4, k = 96;
  std::vector<float> w = normal(n * k, 32);
  for (const char *text :
       {"int2/g16", "int4/g32", "int8/ch", "uint4/g32+zp", "uint3/g16+min",
        "int5/g16+min", "uint4/ch+zp:f32", "odd3/g16", "nf4/g32", "e3m2/t"}) {
    QuantizedMatrix matrix = quantized(w, n, k, text);
    // Half a step of the coarsest spacing the format has.
    std::vector<double> values;
    for (uint32_t raw = 0; raw < matrix.spec.format.numCodes(); ++raw)
      values.push_back(matrix.spec.format.decode(raw));
    std::sort(values.begin(), values.end());
    double step = 0;
    for (size_t i = 1; i < values.size(); ++i)
      step = std::max(step, values[i] - values[i - 1]);
    // A rounded zero point may cost another half step.
    double half = matrix.zeros.empty() ? 0.5 : 1.0;
    for (int64_t i = 0; i < n * k; ++i) {
      double scale =
          matrix.scales[matrix.groupIndex(i / k, matrix.groupOf(i % k))];
      ASSERT_LE(std::fabs(matrix.value(i / k, i % k) - w[i]),
                scale * step * half * 1.0001)
          << text << " " << i;
    }
  }
}

TEST(Quantize, ValuesOfTheFormatComeBackExactly) {
  // Weights that *are* quantized, with the extremes present in every group,
  // have to survive: same codes, same values.
  std::mt19937 generator(33);
  for (const char *text :
       {"int3/g16", "int8/g16", "uint4/g16+zp", "uint4/g16+min", "odd2/g16",
        "e2m1/g16", "nf4/g16"}) {
    Format format = spec(text).format;
    std::vector<float> w(64);
    for (size_t i = 0; i < w.size(); ++i) {
      float c = i % 16 == 0   ? format.lowestValue()
                : i % 16 == 1 ? format.highestValue()
                              : format.decode(generator() % format.numCodes());
      if (text == llvm::StringRef("uint4/g16+zp"))
        c -= 5;
      if (text == llvm::StringRef("uint4/g16+min"))
        c += 3;
      w[i] = 0.25f * c;
    }
    QuantizedMatrix matrix = quantized(w, 2, 32, text);
    for (float scale : matrix.scales)
      EXPECT_EQ(scale, 0.25f) << text;
    EXPECT_EQ(dequantize(matrix), w) << text;
  }
}

TEST(Quantize, GroupsOfZeros) {
  // One group of zeros beside a normal one, in every spec.
  std::vector<float> w = normal(2 * 128, 34);
  for (const char *text : kSpecs) {
    std::vector<float> some = w;
    std::fill(some.begin(), some.begin() + 128, 0.0f);
    QuantizedMatrix matrix = quantized(some, 2, 128, text);
    bool ownGroup = matrix.spec.group.kind != Group::Kind::Tensor;
    if (ownGroup)
      for (int64_t k = 0; k < 128; ++k)
        ASSERT_NEAR(matrix.value(0, k), 0,
                    matrix.spec.scale.type.kind == ScaleType::Kind::E8M0 ? 1e-30
                                                                         : 0)
            << text << " " << k;
    std::vector<float> zeros(128, 0.0f);
    for (float value : dequantize(quantized(zeros, 1, 128, text)))
      ASSERT_EQ(value, 0) << text;
  }
  EXPECT_EQ(quantized({0, 0}, 1, 2, "int4").scales[0], 1);
  EXPECT_EQ(quantized({0, 0}, 1, 2, "odd1").scales[0], 0);
}

TEST(Quantize, NaNBecomesZeroAndIsCounted) {
  for (const char *text : {"int4/g8", "uint4/g8+zp", "e2m1/g8", "ternary/t",
                           "e4m3fn/g8", "codebook2/t"}) {
    std::vector<float> w = normal(16, 35);
    w[3] = kNaN;
    QuantizedMatrix matrix = quantized(w, 1, 16, text);
    EXPECT_EQ(matrix.nans, 1);
    std::vector<float> without = w;
    without[3] = 0;
    if (text != llvm::StringRef("codebook2/t") &&
        text != llvm::StringRef("ternary/t")) // 0 moves the mean, NaN does not
      EXPECT_EQ(matrix.codes, quantized(without, 1, 16, text).codes) << text;
    EXPECT_FALSE(std::isnan(matrix.value(0, 3))) << text;
  }
  QuantizedMatrix nothing = quantized({kNaN, kNaN}, 1, 2, "int4/ch");
  EXPECT_EQ(nothing.scales[0], 1);
  EXPECT_EQ(nothing.value(0, 1), 0);
}

TEST(Quantize, Extremes) {
  // Neither the smallest nor the largest floats break a scale.
  const float most = std::numeric_limits<float>::max();
  for (const char *text : kSpecs)
    for (float magnitude : {1e-45f, 1e-38f, most}) {
      std::vector<float> w(64, magnitude);
      for (size_t i = 0; i < w.size(); i += 3)
        w[i] = -magnitude;
      QuantizedMatrix matrix = quantized(w, 1, 64, text);
      for (float scale : matrix.scales)
        ASSERT_TRUE(std::isfinite(scale) && scale > 0) << text;
      for (int64_t k = 0; k < 64; ++k)
        ASSERT_FALSE(std::isnan(matrix.value(0, k))) << text;
    }
  // A constant group has no extent, and is exact where the offset is a float.
  for (const char *text : {"uint4/ch+min", "uint4/ch+zp:f32", "int4/ch+zp:f32"})
    EXPECT_EQ(quantized({-3, -3, -3}, 1, 3, text).value(0, 1), -3) << text;
  for (const char *text : {"int4/ch+zp", "uint4/ch+zp", "int4/ch+min"})
    EXPECT_NEAR(quantized({-3, -3, -3}, 1, 3, text).value(0, 1), -3, 1e-6);
}

TEST(Quantize, KnownConventions) {
  // MX: a power of two from the floor of the exponent; 7.9 is above 6 * 1 and
  // saturates.
  QuantizedMatrix mx = quantized({7.9f, -2, 0.6f, 0}, 1, 4, "e2m1/g32:e8m0");
  EXPECT_EQ(mx.scales[0], 1);
  EXPECT_EQ(mx.value(0, 0), 6);
  EXPECT_EQ(mx.value(0, 2), 0.5);
  // MXINT8: elements in steps of 2^-6 of the shared power.
  EXPECT_EQ(quantized({1.5f, 0.1f}, 1, 2, "int8/g32:e8m0").scales[0], 0x1p-6f);

  // NVFP4: the tensor's scale makes the largest block scale 448.
  std::vector<float> w(32, 0.5f);
  w[0] = 12;
  QuantizedMatrix nv = quantized(w, 1, 32, "e2m1/g16:e4m3^t:f32");
  float outer = static_cast<float>(2.0 / 448);
  EXPECT_EQ(nv.scales[0], outer * 448);
  EXPECT_EQ(nv.scales[1], outer * 18); // 0.5/6/outer = 18.67, between 18 and 20

  // BitNet: ternary by the mean of magnitudes.
  QuantizedMatrix bit = quantized({3, -1, 0.2f, -1.8f}, 1, 4, "ternary/t");
  EXPECT_EQ(bit.scales[0], 1.5f);
  EXPECT_EQ(bit.value(0, 0), 1.5);
  EXPECT_EQ(bit.value(0, 2), 0);

  // DynamicQuantizeLinear's example of the ONNX specification.
  QuantizedMatrix dql =
      quantized({0, 2, -3, -2.5f, 1.34f, 0.5f}, 1, 6, "uint8/t+zp");
  EXPECT_EQ(dql.scales[0], 0.0196078438f);
  EXPECT_EQ(dql.zeros[0], 153);
  EXPECT_EQ(dql.codes, (std::vector<uint8_t>{153, 255, 0, 26, 221, 179}));

  // GGUF's minima count downwards: positive groups start at 0.
  QuantizedMatrix q4k =
      quantized({2, 3, 4, 5}, 1, 4, "uint4/g4:u6^g8:f16+min:u6^g8:f16");
  EXPECT_EQ(q4k.minima[0], 0);
}

TEST(Quantize, OnnxAndQonnxOrdersDiffer) {
  // x/s = 0.5 exactly. ONNX: rne(0.5) + z = z. QONNX with a float z: the sum is
  // rounded, so z = 0.5 gives 1 and z = 1 gives rne(1.5) = 2.
  std::vector<float> w = {0, 15, 0.5f, 1.5f, 2.5f};
  QuantizedMatrix onnx = quantized(w, 1, 5, "uint4/t+zp");
  EXPECT_EQ(onnx.codes, (std::vector<uint8_t>{0, 15, 0, 2, 2}));
  std::vector<float> shifted = {-0.5f, 14.5f, 0, 1, 2};
  QuantizedMatrix qonnx = quantized(shifted, 1, 5, "uint4/t+zp:f32");
  EXPECT_EQ(qonnx.floatZeros[0], 0.5f);
  EXPECT_EQ(qonnx.codes, (std::vector<uint8_t>{0, 15, 0, 2, 2}));
  // With an odd zero point only ONNX's order keeps x/s's own parity.
  std::vector<float> odd = {-1, 14, 0.5f, 1.5f, 2.5f};
  EXPECT_EQ(quantized(odd, 1, 5, "uint4/t+zp").codes,
            (std::vector<uint8_t>{0, 15, 1, 3, 3}));
  EXPECT_EQ(quantized(odd, 1, 5, "uint4/t+zp:f32").codes,
            (std::vector<uint8_t>{0, 15, 2, 2, 4}));
}

TEST(Quantize, PrecisionOfTheDivision) {
  // 1001/1000 of a half step: f32 sees it above the tie, bf16 on it.
  std::vector<float> w = {7, 0.5005f};
  QuantizeOptions coarse;
  coarse.precision = {ScaleType::Kind::BF16, 16};
  EXPECT_EQ(quantized(w, 1, 2, "int4/t").value(0, 1), 1);
  EXPECT_EQ(quantized(w, 1, 2, "int4/t", coarse).value(0, 1), 0);
  coarse.precision = {ScaleType::Kind::E8M0, 8};
  llvm::Expected<QuantizedMatrix> bad = quantize(w, 1, 2, spec("int4"), coarse);
  ASSERT_FALSE(bool(bad));
  EXPECT_EQ(llvm::toString(bad.takeError()),
            "a division in e8m0; the precision is f32, f16 or bf16");
}

TEST(Quantize, StochasticCodesDependOnTheSeedAlone) {
  std::vector<float> w = normal(4096, 36);
  QuantizeOptions options;
  options.rounding = Rounding::Stochastic;
  options.seed = 1;
  QuantizedMatrix a = quantized(w, 16, 256, "int4/ch", options);
  QuantizedMatrix b = quantized(w, 16, 256, "int4/ch", options);
  EXPECT_EQ(a.codes, b.codes);
  options.seed = 2;
  QuantizedMatrix c = quantized(w, 16, 256, "int4/ch", options);
  EXPECT_NE(a.codes, c.codes);
  // Unbiased: the mean error over many seeds tends to zero, where rounding to
  // nearest keeps its own.
  double error = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    options.seed = seed;
    QuantizedMatrix m =
        quantized({7, 0.3f, -2.7f, 1.4f}, 1, 4, "int4/t", options);
    error += m.value(0, 1) - 0.3f;
  }
  EXPECT_NEAR(error / 2000, 0, 0.05);
}

TEST(Quantize, Errors) {
  auto message = [](llvm::ArrayRef<float> w, int64_t n, int64_t k,
                    llvm::StringRef text) {
    llvm::Expected<QuantizedMatrix> matrix = quantize(w, n, k, spec(text));
    return matrix ? "quantized" : llvm::toString(matrix.takeError());
  };
  EXPECT_EQ(message({1, 2, 3}, 2, 2, "int4"),
            "3 weights for a matrix of 2 x 2; give one value per element, row "
            "by row");
  EXPECT_EQ(message({}, int64_t(1) << 62, 4, "int4"),
            "0 weights for a matrix of 4611686018427387904 x 4; give one value "
            "per element, row by row");
  EXPECT_EQ(message({1, 2, 3, -kInfinity}, 2, 2, "int4"),
            "the weight at [1, 1] is infinite, so its group has no scale; clip "
            "the weights before quantizing");
  EXPECT_EQ(message({1, 2}, 1, 2, "int16"),
            "weights of int16; a weight has at most 8 bits, so take int8 or "
            "leave it unquantized");
}

TEST(QuantizedMatrix, ValidateNamesWhatIsWrong) {
  const QuantizedMatrix good = quantized(normal(12, 37), 2, 6, "uint4/g4+zp");
  auto message = [&](auto change) {
    QuantizedMatrix matrix = good;
    change(matrix);
    llvm::Error error = matrix.validate();
    return error ? llvm::toString(std::move(error)) : "valid";
  };
  EXPECT_EQ(message([](QuantizedMatrix &) {}), "valid");
  EXPECT_EQ(message([](QuantizedMatrix &m) { m.scales.pop_back(); }),
            "3 scales for a matrix of 2 x 6 in groups of 4; it needs 4");
  EXPECT_EQ(message([](QuantizedMatrix &m) { m.codes[7] = 16; }),
            "code 16 at [1, 1] does not fit uint4; it has 4 bits");
  EXPECT_EQ(message([](QuantizedMatrix &m) { m.minima = m.scales; }),
            "a matrix with more than one of zero points, float zeros and "
            "minima; keep the one its spec names");
  EXPECT_EQ(
      message([](QuantizedMatrix &m) { m.permutation = {0, 1, 2, 3, 4, 4}; }),
      "column 4 of a permutation of 6 columns is repeated; every column "
      "occurs once");
  EXPECT_EQ(
      message([](QuantizedMatrix &m) { m.permutation = {0, 1, 2, 3, 4, 6}; }),
      "column 6 of a permutation of 6 columns is out of range; every "
      "column occurs once");
  EXPECT_EQ(message([](QuantizedMatrix &m) { m.groupLength = 7; }),
            "groups of 7 along 6 columns; the length lies between 1 and the "
            "number of columns");
  EXPECT_EQ(message([](QuantizedMatrix &m) { m.codebook.resize(16); }),
            "a code book with codes of uint4; drop it");
  EXPECT_EQ(message([](QuantizedMatrix &m) {
              m.spec = spec("codebook4/g4");
              m.zeros.clear();
            }),
            "codes of codebook4 without their table; give 16 entries");
}

TEST(QuantizedMatrix, TablesPerRowAndPermutation) {
  QuantizedMatrix matrix;
  matrix.spec = spec("codebook1/ch");
  matrix.rows = 2;
  matrix.cols = 2;
  matrix.groupLength = 2;
  matrix.codes = {0, 1, 1, 0};
  matrix.scales = {1, 2};
  matrix.codebook = {10, 11, 20, 21};
  ASSERT_FALSE(bool(matrix.validate()));
  EXPECT_EQ(dequantize(matrix), (std::vector<float>{10, 11, 42, 40}));
  matrix.permutation = {1, 0};
  EXPECT_EQ(dequantize(matrix), (std::vector<float>{11, 10, 40, 42}));
}

TEST(QuantizedMatrix, DequantizeRoundsOnce) {
  QuantizedMatrix matrix;
  matrix.spec = spec("uint8/t+min");
  matrix.rows = matrix.cols = matrix.groupLength = 1;
  matrix.codes = {255};
  matrix.scales = {0x1.fffffep-9f};
  matrix.minima = {0x1.000002p0f};
  EXPECT_EQ(dequantize(matrix)[0],
            std::fma(0x1.fffffep-9f, 255.0f, 0x1.000002p0f));
}

TEST(QuantizedMatrix, TwoLevelsKeepTheirFactors) {
  std::vector<float> w = normal(6 * 96, 3);
  QuantizedMatrix q =
      quantized(w, 6, 96, "uint4/g16:u6^g64:f16+min:u6^g64:f16");
  EXPECT_EQ(q.scaleLevels.length, 4);
  EXPECT_EQ(q.scaleLevels.inner.size(), 36u);
  EXPECT_EQ(q.scaleLevels.outer.size(), 12u); // the last super-block is short
  for (int64_t n = 0; n < 6; ++n)
    for (int64_t g = 0; g < 6; ++g) {
      EXPECT_EQ(q.scaleLevels.product(n, g, 6), q.scales[n * 6 + g]);
      EXPECT_EQ(q.minimumLevels.product(n, g, 6), q.minima[n * 6 + g]);
    }
  q.scaleLevels.inner[5] += 1;
  EXPECT_NE(llvm::toString(q.validate()).find("factors on two levels make"),
            std::string::npos);
  EXPECT_TRUE(quantized(w, 6, 96, "int4/g16").scaleLevels.empty());
}

TEST(QuantizedMatrix, NvFp4MultipliesFromLeftToRight) {
  QuantizedMatrix q =
      quantized(normal(4 * 64, 5), 4, 64, "e2m1/g16:e4m3^t:f32");
  std::vector<float> values = dequantize(q);
  for (int64_t n = 0; n < 4; ++n)
    for (int64_t k = 0; k < 64; ++k)
      EXPECT_EQ(values[n * 64 + k], q.codeValue(n, k) *
                                        q.scaleLevels.inner[n * 4 + k / 16] *
                                        q.scaleLevels.outer[n]);
}

TEST(QuantizedMatrix, GivenTables) {
  QuantizeOptions options;
  options.codebook = {-1, -0.25f, 0.25f, 1};
  QuantizedMatrix q =
      quantized(normal(4 * 32, 5), 4, 32, "codebook2/g8", options);
  EXPECT_EQ(q.codebook, options.codebook);
  EXPECT_TRUE(q.format().hasValues());
  // A fitted table of few entries has entries that are their upper halves.
  for (float entry :
       quantized(normal(4 * 32, 5), 4, 32, "codebook3/g8").codebook)
    EXPECT_EQ(entry, roundToBF16(entry));
  options.codebook.push_back(2);
  llvm::Expected<QuantizedMatrix> refused =
      quantize(normal(8, 1), 1, 8, spec("codebook2/g8"), options);
  EXPECT_EQ(llvm::toString(refused.takeError()),
            "a code book of 5 entries for codes of codebook2; write "
            "codebook<n> and give 2^n entries");
}

TEST(Activations, Int8PerRow) {
  std::vector<float> x = normal(3 * 50, 38);
  std::fill(x.begin() + 50, x.begin() + 100, 0.0f);
  x[101] = kNaN;
  QuantizedRows rows = llvm::cantFail(quantizeActivationsInt8PerRow(x, 3, 50));
  EXPECT_EQ(rows.scales[1], 1);
  for (int64_t row = 0; row < 3; ++row) {
    float largest = 0;
    int most = 0;
    for (int64_t k = 0; k < 50; ++k) {
      float value = x[row * 50 + k];
      if (std::isnan(value)) {
        EXPECT_EQ(rows.codes[row * 50 + k], 0);
        continue;
      }
      largest = std::max(largest, std::fabs(value));
      int code = rows.codes[row * 50 + k];
      EXPECT_EQ(code, std::nearbyintf(value / rows.scales[row]));
      most = std::max(most, std::abs(code));
    }
    if (row != 1) {
      EXPECT_EQ(rows.scales[row], largest / 127.0f);
      EXPECT_EQ(most, 127);
    }
  }
  // A maximum so small that maxabs/127 is 0 in f32, and a row with an infinity.
  QuantizedRows odd = llvm::cantFail(
      quantizeActivationsInt8PerRow({1e-45f, -1e-45f, kInfinity, 3}, 2, 2));
  EXPECT_EQ(odd.scales[0], 1);
  EXPECT_EQ(odd.codes[0], 0);
  EXPECT_EQ(odd.scales[1], kInfinity);
  llvm::Expected<QuantizedRows> bad = quantizeActivationsInt8PerRow(x, 3, 51);
  ASSERT_FALSE(bool(bad));
  EXPECT_EQ(llvm::toString(bad.takeError()),
            "150 activations for a matrix of 3 x 51; give one value per "
            "element, row by row");
}

TEST(FitCodebook, FindsSeparateClusters) {
  std::vector<float> values;
  for (float centre : {-3.0f, -0.5f, 0.25f, 8.0f})
    for (int i = -5; i <= 5; ++i)
      values.push_back(centre + 0.01f * i);
  std::vector<float> table = fitCodebook(values, 2);
  ASSERT_EQ(table.size(), 4u);
  EXPECT_NEAR(table[0], -3, 1e-6);
  EXPECT_NEAR(table[1], -0.5, 1e-6);
  EXPECT_NEAR(table[2], 0.25, 1e-6);
  EXPECT_NEAR(table[3], 8, 1e-6);
  // Fewer values than entries: each is an entry.
  std::vector<float> few = fitCodebook({1, 2, 2}, 3);
  EXPECT_EQ(few.size(), 8u);
  EXPECT_TRUE(std::count(few.begin(), few.end(), 1.0f));
  EXPECT_TRUE(std::count(few.begin(), few.end(), 2.0f));
}

TEST(FitCodebook, BeatsAUniformGridOnNormalWeights) {
  std::vector<float> w = normal(4096, 39);
  auto error = [&](llvm::StringRef text) {
    QuantizedMatrix matrix = quantized(w, 1, 4096, text);
    double sum = 0;
    for (int64_t k = 0; k < 4096; ++k)
      sum += std::pow(matrix.value(0, k) - w[k], 2);
    return sum / 4096;
  };
  EXPECT_LT(error("codebook4/ch"), 0.7 * error("int4/ch"));
  EXPECT_LT(error("codebook4/ch"), error("nf4/ch"));
}

} // namespace
