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
