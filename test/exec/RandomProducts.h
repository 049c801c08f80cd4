//===- RandomProducts.h - Products to test kernels with -------------------===//

#ifndef MEZZO_TEST_EXEC_RANDOMPRODUCTS_H
#define MEZZO_TEST_EXEC_RANDOMPRODUCTS_H

#include "lib/Golden/Matmul.h"
#include "tools/driver/ProductModule.h"

#include <random>

namespace mezzo::test {

/// A weight with random codes, scales of both signs and random offsets of the
/// spec's kind: nothing that a quantizer would have to agree with, so every
/// code and corner occurs.
inline QuantizedMatrix randomMatrix(llvm::StringRef specText, int64_t rows,
                                    int64_t cols, unsigned seed) {
  QuantizedMatrix w;
  w.spec = llvm::cantFail(QuantSpec::parse(specText));
  w.rows = rows;
  w.cols = cols;
  w.groupLength =
      w.spec.group.kind == Group::Kind::Block ? w.spec.group.length : cols;
  std::mt19937 engine(seed);
  auto uniform = [&](int lo, int hi) {
    return std::uniform_int_distribution<int>(lo, hi)(engine);
  };
  const Format &format = w.spec.format;
  for (int64_t i = 0; i < rows * cols; ++i) {
    // Extreme codes are as likely as all others together: sums must not
    // overflow.
    int kind = uniform(0, 3);
    int32_t value = kind == 0 ? format.minValue() : format.maxValue();
    w.codes.push_back(kind <= 1 ? format.rawOf(value)
                                : format.rawOf(format.integerValue(
                                      uniform(0, format.numCodes() - 1))));
  }
  if (format.kind() == Format::Kind::Ternary)
    for (uint8_t &code : w.codes)
      code = format.rawOf(uniform(-1, 1));
  int64_t perGroup = rows * w.groups();
  for (int64_t i = 0; i < perGroup; ++i)
    w.scales.push_back(w.spec.scale.type.round(
        std::normal_distribution<float>(0, 0.1f)(engine)));
  switch (w.spec.offset.kind) {
  case OffsetSpec::Kind::IntegerZero:
    for (int64_t i = 0; i < perGroup; ++i)
      w.zeros.push_back(uniform(format.minValue(), format.maxValue()));
    break;
  case OffsetSpec::Kind::FloatZero:
    for (int64_t i = 0; i < perGroup; ++i)
      w.floatZeros.push_back(w.spec.offset.zeroType.round(
          std::normal_distribution<float>(0, 4)(engine)));
    break;
  default:
    break;
  }
  return w;
}

/// What the scalar program of the mode makes of x [m, K].
inline std::vector<float> expected(const Product &product, ComputeMode mode,
                                   llvm::ArrayRef<float> x, int64_t m) {
  std::vector<float> y(m * product.weight.rows);
  if (mode == ComputeMode::Float) {
    golden::matmulFloat(x, m, product.weight, product.bias, y);
    return y;
  }
  if (mode == ComputeMode::Lut8) {
    golden::matmulLut8(x, m, product.weight, product.bias, y);
    return y;
  }
  golden::matmulInt(golden::quantizeRows(x, m, product.weight.cols),
                    product.weight, product.bias, y);
  return y;
}

} // namespace mezzo::test

#endif // MEZZO_TEST_EXEC_RANDOMPRODUCTS_H
