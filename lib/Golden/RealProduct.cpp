//===- RealProduct.cpp - products in double, with their magnitudes --------===//

#include "lib/Golden/Compare.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace mezzo::golden {

namespace {

/// One weight: its value and the magnitude with which its rounding errors
/// scale.
struct Term {
  double value, magnitude;
};

/// `zeroApart`: a float zero is applied as a minimum -s*z (modes `int` and
/// `lut8`), so that errors scale with |s||C| + |s*z|, not with the difference.
Term term(const QuantizedMatrix &w, int64_t n, int64_t k, bool zeroApart) {
  const int64_t at = w.groupIndex(n, w.groupOf(k));
  const double s = w.scales[at];
  double code = w.codeValue(n, k), minimum = 0;
  if (!w.zeros.empty())
    code -= w.zeros[at];
  if (!w.minima.empty())
    minimum = w.minima[at];
  if (!w.floatZeros.empty()) {
    if (zeroApart)
      minimum = -s * w.floatZeros[at];
    else
      code -= w.floatZeros[at];
  }
  return {s * code + minimum, std::fabs(s * code) + std::fabs(minimum)};
}

/// The sums of both over every row and column. `activation(m, j)` is what
/// column j of W meets in row m.
template <typename Activation>
void accumulate(RealProduct &real, const QuantizedMatrix &w, bool zeroApart,
                llvm::ArrayRef<float> bias, Activation activation) {
  const int64_t n = w.rows;
  real.cols = n;
  real.y.assign(real.rows * n, 0);
  real.magnitude.assign(real.rows * n, 0);
  std::vector<Term> terms(w.cols);
  for (int64_t column = 0; column < n; ++column) {
    for (int64_t j = 0; j < w.cols; ++j)
      terms[j] = term(w, column, j, zeroApart);
    for (int64_t row = 0; row < real.rows; ++row) {
      double y = bias.empty() ? 0 : bias[column];
      double magnitude = std::fabs(y);
      for (int64_t j = 0; j < w.cols; ++j) {
        const double x = activation(row, j);
        y += terms[j].value * x;
        magnitude += terms[j].magnitude * std::fabs(x);
      }
      real.y[row * n + column] = y;
      real.magnitude[row * n + column] = magnitude;
    }
  }
}

} // namespace

RealProduct realProduct(llvm::ArrayRef<float> a, int64_t m,
                        const QuantizedMatrix &w, llvm::ArrayRef<float> bias) {
  assert(int64_t(a.size()) == m * w.cols);
  RealProduct real;
  real.rows = m;
  real.groups = w.groups();
  real.longestGroup = std::min(w.groupLength, w.cols);
  const llvm::ArrayRef<int32_t> permutation = w.permutation;
  accumulate(real, w, /*zeroApart=*/false, bias, [&](int64_t row, int64_t j) {
    return double(a[row * w.cols + (permutation.empty() ? j : permutation[j])]);
  });
  return real;
}

RealProduct realProduct(const QuantizedActivations &a, const QuantizedMatrix &w,
                        llvm::ArrayRef<float> bias) {
  assert(a.cols == w.cols);
  RealProduct real;
  real.rows = a.rows;
  for (int64_t begin = 0, end; begin < w.cols; begin = end) {
    end = std::min({w.cols, (begin / w.groupLength + 1) * w.groupLength,
                    (begin / a.block + 1) * a.block});
    ++real.groups;
    real.longestGroup = std::max(real.longestGroup, end - begin);
  }
  const llvm::ArrayRef<int32_t> permutation = w.permutation;
  accumulate(real, w, /*zeroApart=*/true, bias, [&](int64_t row, int64_t j) {
    const int64_t k = permutation.empty() ? j : permutation[j];
    return double(a.scale(row, k / a.block)) * a.difference(row, k);
  });
  return real;
}

double roundingGamma(int64_t n) {
  const double nu = double(n) * 0x1p-24;
  return nu / (1 - nu);
}

} // namespace mezzo::golden
