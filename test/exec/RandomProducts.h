//===- RandomProducts.h - Products to test kernels with -------------------===//

#ifndef MEZZO_TEST_EXEC_RANDOMPRODUCTS_H
#define MEZZO_TEST_EXEC_RANDOMPRODUCTS_H

#include "lib/Golden/Matmul.h"
#include "tools/driver/ProductModule.h"

#include <cmath>
#include <random>

namespace mezzo::test {

/// Random numbers for the parts of a weight.
class RandomParts {
public:
  explicit RandomParts(unsigned seed) : engine(seed) {}

  int uniform(int lo, int hi) {
    return std::uniform_int_distribution<int>(lo, hi)(engine);
  }
  float normal(float deviation) {
    return std::normal_distribution<float>(0, deviation)(engine);
  }
  /// A value of the type, of either sign where it has one; nothing rounds to 0
  /// too often.
  float number(const ScaleType &type, float deviation) {
    if (type.isInteger())
      return uniform(type.isSigned() ? -int(type.maxFinite()) - 1 : 0,
                     int(type.maxFinite()));
    if (type.kind == ScaleType::Kind::E8M0)
      return std::ldexp(1.0f, uniform(-12, 3));
    return type.round(normal(deviation));
  }

private:
  std::mt19937 engine;
};

/// Raw codes. Extreme ones are as likely as all others together: sums must not
/// overflow. Those of a float that are not finite are left out.
inline std::vector<uint8_t> randomCodes(const Format &format, int64_t count,
                                        RandomParts &random) {
  std::vector<uint8_t> codes;
  int most = format.numCodes() - 1;
  for (int64_t i = 0; i < count; ++i) {
    int kind = random.uniform(0, 3);
    if (format.kind() == Format::Kind::Ternary) {
      codes.push_back(format.rawOf(random.uniform(-1, 1)));
    } else if (format.isInteger()) {
      int32_t value = kind == 0 ? format.minValue() : format.maxValue();
      codes.push_back(kind <= 1 ? format.rawOf(value)
                                : format.rawOf(format.integerValue(
                                      random.uniform(0, most))));
    } else {
      uint8_t code;
      do
        code = random.uniform(0, most);
      while (format.hasValues() && !std::isfinite(format.decode(code)));
      codes.push_back(code);
    }
  }
  return codes;
}

/// One number per group, on one level or two.
inline std::vector<float> randomNumbers(const QuantizedMatrix &w,
                                        const ScaleSpec &spec,
                                        QuantizedMatrix::Levels &levels,
                                        float deviation, RandomParts &random) {
  std::vector<float> numbers;
  int64_t groups = w.groups();
  if (!spec.super) {
    for (int64_t i = 0; i < w.rows * groups; ++i)
      numbers.push_back(random.number(spec.type, deviation));
    return numbers;
  }
  const Group &super = spec.super->group;
  levels.length =
      super.kind == Group::Kind::Block ? super.length / w.groupLength : groups;
  float whole = random.number(spec.super->type, deviation);
  for (int64_t i = 0; i < w.rows * llvm::divideCeil(groups, levels.length); ++i)
    levels.outer.push_back(super.kind == Group::Kind::Tensor
                               ? whole
                               : random.number(spec.super->type, deviation));
  for (int64_t i = 0; i < w.rows * groups; ++i)
    levels.inner.push_back(random.number(spec.type, 1));
  for (int64_t n = 0; n < w.rows; ++n)
    for (int64_t g = 0; g < groups; ++g)
      numbers.push_back(levels.product(n, g, groups));
  return numbers;
}

/// A weight with random codes, scales of both signs and random offsets of the
/// spec's kind: nothing that a quantizer would have to agree with, so every
/// code and corner occurs. A code book without a table gets a random one, or
/// with `tablePerRow` one for each row.
inline QuantizedMatrix randomMatrix(llvm::StringRef specText, int64_t rows,
                                    int64_t cols, unsigned seed,
                                    bool tablePerRow = false) {
  QuantizedMatrix w;
  w.spec = llvm::cantFail(QuantSpec::parse(specText));
  w.rows = rows;
  w.cols = cols;
  w.groupLength =
      w.spec.group.kind == Group::Kind::Block ? w.spec.group.length : cols;
  RandomParts random(seed);
  const Format &format = w.spec.format;
  w.codes = randomCodes(format, rows * cols, random);
  if (!format.hasValues())
    for (int64_t i = 0; i < (tablePerRow ? rows : 1) * format.numCodes(); ++i)
      w.codebook.push_back(random.normal(1));
  w.scales = randomNumbers(w, w.spec.scale, w.scaleLevels, 0.1f, random);
  int64_t perGroup = rows * w.groups();
  switch (w.spec.offset.kind) {
  case OffsetSpec::Kind::IntegerZero:
    for (int64_t i = 0; i < perGroup; ++i)
      w.zeros.push_back(random.uniform(format.minValue(), format.maxValue()));
    break;
  case OffsetSpec::Kind::FloatZero:
    for (int64_t i = 0; i < perGroup; ++i)
      w.floatZeros.push_back(random.number(w.spec.offset.zeroType, 4));
    break;
  case OffsetSpec::Kind::Minimum:
    w.minima =
        randomNumbers(w, w.spec.offset.minimum, w.minimumLevels, 0.1f, random);
    break;
  case OffsetSpec::Kind::None:
    break;
  }
  // A group may be longer than a row here, as blocks of models are.
  if (w.groupLength <= cols)
    llvm::cantFail(w.validate());
  return w;
}

/// The activations of mode `int`, in the order in which `weight` reads them.
inline golden::QuantizedActivations
quantizedActivations(llvm::ArrayRef<float> x, int64_t m, int64_t k,
                     const ActivationSpec &spec) {
  Group group;
  switch (spec.kind) {
  case ActivationSpec::Kind::Dynamic:
    return golden::quantizeUint8(x, m, k, group);
  case ActivationSpec::Kind::Static: {
    Format format = llvm::cantFail(Format::parse(spec.format));
    return golden::quantizeStatic(x, m, k, spec.scale, spec.zero,
                                  format.minValue(), format.maxValue());
  }
  case ActivationSpec::Kind::Int8:
    break;
  }
  group.kind = spec.block ? Group::Kind::Block : Group::Kind::Row;
  group.length = spec.block;
  return golden::quantizeInt8(x, m, k, group);
}

/// What the scalar program of the mode makes of x [m, K].
inline std::vector<float> expected(const Product &product, ComputeMode mode,
                                   llvm::ArrayRef<float> x, int64_t m,
                                   const ActivationSpec &spec = {}) {
  std::vector<float> y(m * product.weight.rows);
  if (mode == ComputeMode::Float) {
    golden::matmulFloat(x, m, product.weight, product.bias, y);
    return y;
  }
  if (mode == ComputeMode::Lut8) {
    golden::matmulLut8(x, m, product.weight, product.bias, y);
    return y;
  }
  // Blocks of activations are blocks of the order in which the weight has its
  // columns.
  QuantizedMatrix weight = product.weight;
  int64_t k = weight.cols;
  std::vector<float> gathered;
  if (!weight.permutation.empty()) {
    gathered = golden::gatherColumns(x, m, k, weight.permutation);
    x = gathered;
    weight.permutation.clear();
  }
  golden::matmulInt(quantizedActivations(x, m, k, spec), weight, product.bias,
                    y);
  return y;
}

} // namespace mezzo::test

#endif // MEZZO_TEST_EXEC_RANDOMPRODUCTS_H
