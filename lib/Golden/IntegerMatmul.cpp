//===- IntegerMatmul.cpp - compute modes `int` and `integer-only` ---------===//
//
// Both take an integer dot product that is exact, so its order does not matter;
// they differ in what happens to it afterwards.
//
//===----------------------------------------------------------------------===//

#include "lib/Golden/Matmul.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace mezzo::golden {

namespace {

/// The exact integer sums over one piece of a row of W and a row of a.
struct Sums {
  int64_t dot = 0;         ///< sum (C(q) - z) (qa - z_a)
  int64_t activations = 0; ///< sum (qa - z_a)
};

/// Differences are below 2^17 (codes of 16 bits), so 2^28 products fit.
Sums sums(const int32_t *w, const int32_t *a, int64_t length) {
  Sums s;
  for (int64_t k = 0; k < length; ++k) {
    s.dot += int64_t(w[k]) * a[k];
    s.activations += a[k];
  }
  return s;
}

/// The numbers that codes stand for, up to one power of two.
Format::WholeNumbers wholeNumbers(const QuantizedMatrix &w) {
  if (w.spec.format.isInteger()) { // as they are: zero points count in them
    Format::WholeNumbers integers{{}, 0};
    for (uint32_t raw = 0; raw < w.spec.format.numCodes(); ++raw)
      integers.numbers.push_back(w.spec.format.integerValue(raw));
    return integers;
  }
  std::optional<Format::WholeNumbers> whole = w.format().wholeNumbers();
  assert(whole && "the codes stand for no whole numbers");
  return *whole;
}

/// C(q) - z of row n, z an integer zero point (a float one stays outside).
std::vector<int32_t> differences(const QuantizedMatrix &w,
                                 llvm::ArrayRef<int32_t> numbers, int64_t n) {
  std::vector<int32_t> out(w.cols);
  for (int64_t k = 0; k < w.cols; ++k) {
    out[k] = numbers[w.code(n, k)];
    if (!w.zeros.empty())
      out[k] -= w.zeros[w.groupIndex(n, w.groupOf(k))];
  }
  return out;
}

/// qa - z_a of every row, its columns in the order in which W reads them.
std::vector<int32_t> differences(const QuantizedActivations &a,
                                 llvm::ArrayRef<int32_t> permutation) {
  std::vector<int32_t> out(a.rows * a.cols);
  for (int64_t row = 0; row < a.rows; ++row)
    for (int64_t j = 0; j < a.cols; ++j)
      out[row * a.cols + j] =
          a.difference(row, permutation.empty() ? j : permutation[j]);
  return out;
}

} // namespace

void matmulInt(const QuantizedActivations &a, const QuantizedMatrix &w,
               llvm::ArrayRef<float> bias, llvm::MutableArrayRef<float> y) {
  const int64_t m = a.rows, n = w.rows, k = w.cols;
  assert(a.cols == k && int64_t(y.size()) == m * n);
  assert(bias.empty() || int64_t(bias.size()) == n);
  assert((w.permutation.empty() || a.blocks() <= 1) &&
         "blocks of activations are quantized after the gather");

  const Format::WholeNumbers whole = wholeNumbers(w);
  const std::vector<int32_t> da = differences(a, w.permutation);
  for (int64_t column = 0; column < n; ++column) {
    const std::vector<int32_t> dw = differences(w, whole.numbers, column);
    for (int64_t row = 0; row < m; ++row) {
      float result = 0;
      // The groups of a sum are the common refinement of both groupings: a
      // piece ends where the weight's group or the activation's block ends.
      for (int64_t begin = 0, end; begin < k; begin = end) {
        const int64_t g = begin / w.groupLength, b = begin / a.block;
        end = std::min({k, (g + 1) * w.groupLength, (b + 1) * a.block});
        const int64_t at = w.groupIndex(column, g);
        const float s = w.scales[at], sa = a.scale(row, b);

        Sums piece =
            sums(dw.data() + begin, da.data() + row * k + begin, end - begin);
        // The power of two that the numbers are counted in is exact.
        const float dot = std::ldexp(float(piece.dot), whole.exponent);
        result = __builtin_fmaf(s * sa, dot, result);
        if (!w.minima.empty())
          result = __builtin_fmaf(w.minima[at] * sa, float(piece.activations),
                                  result);
        if (!w.floatZeros.empty()) {
          // A float zero cannot enter an integer dot: it is the minimum -s*z.
          const float minimum = -s * w.floatZeros[at];
          result =
              __builtin_fmaf(minimum * sa, float(piece.activations), result);
        }
      }
      y[row * n + column] = bias.empty() ? result : result + bias[column];
    }
  }
}

llvm::Error matmulIntegerOnly(const QuantizedActivations &a,
                              const QuantizedMatrix &w,
                              llvm::ArrayRef<int32_t> bias,
                              const Requantization &requantization,
                              llvm::MutableArrayRef<int32_t> y) {
  const int64_t m = a.rows, n = w.rows, k = w.cols;
  assert(w.spec.format.isInteger() && "integer-only needs an integer format");
  assert(a.cols == k && int64_t(y.size()) == m * n);
  assert(bias.empty() || int64_t(bias.size()) == n);
  const llvm::ArrayRef<Dyadic> factors = requantization.factors;
  assert(int64_t(factors.size()) == 1 || int64_t(factors.size()) == n);

  if (w.groups() > 1 || a.blocks() > 1)
    return llvm::createStringError(
        "integer-only needs one scale per row of a weight and per row of "
        "activations, this product has %lld and %lld along K: use weights per "
        "tensor (/t) or channel (/ch), or compute mode int",
        (long long)w.groups(), (long long)a.blocks());
  if (!w.floatZeros.empty() || !w.minima.empty())
    return llvm::createStringError(
        "integer-only cannot add a float zero point or minimum: use an integer "
        "zero point (+zp), or compute mode int");

  const Format::WholeNumbers whole = wholeNumbers(w);
  const std::vector<int32_t> da = differences(a, w.permutation);
  for (int64_t column = 0; column < n; ++column) {
    const std::vector<int32_t> dw = differences(w, whole.numbers, column);
    const Dyadic &factor = factors[factors.size() == 1 ? 0 : column];
    for (int64_t row = 0; row < m; ++row) {
      int64_t z = sums(dw.data(), da.data() + row * k, k).dot;
      z += bias.empty() ? 0 : bias[column];
      if (z < INT32_MIN || z > INT32_MAX)
        return llvm::createStringError(
            "the accumulator of row %lld, column %lld is %lld, beyond int32: "
            "narrow the declared code ranges or split K",
            (long long)row, (long long)column, (long long)z);
      y[row * n + column] = factor.applyAndClamp(
          int32_t(z), requantization.rule, requantization.zeroPoint,
          requantization.lo, requantization.hi);
    }
  }
  return llvm::Error::success();
}

} // namespace mezzo::golden
