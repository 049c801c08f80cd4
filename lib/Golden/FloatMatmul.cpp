//===- FloatMatmul.cpp - compute mode `float` -----------------------------===//
//
// Per group, d = left fold over ascending k of fma(C(q) - z, a, d), from 0;
// then y = fma(s, d, y) from y = 0, groups ascending. A float minimum adds y =
// fma(m, A, y) directly after its group, A the same fold of a.
//
//===----------------------------------------------------------------------===//

#include "lib/Golden/Matmul.h"

#include <algorithm>
#include <cassert>

namespace mezzo::golden {

namespace {

/// The left fold of fma(w, a, d) from 0: what a group of a row contributes,
/// before its scale.
float fold(const float *w, const float *a, int64_t length) {
  float d = 0;
  for (int64_t k = 0; k < length; ++k)
    d = __builtin_fmaf(w[k], a[k], d);
  return d;
}

float sum(const float *a, int64_t length) {
  float d = 0;
  for (int64_t k = 0; k < length; ++k)
    d += a[k];
  return d;
}

/// C(q) - z of row n, rounded to f32 (which it is already, unless z is a
/// float).
void differences(const QuantizedMatrix &w, int64_t n,
                 llvm::MutableArrayRef<float> out) {
  for (int64_t k = 0; k < w.cols; ++k) {
    const int64_t g = w.groupIndex(n, w.groupOf(k));
    out[k] = w.codeValue(n, k);
    if (!w.zeros.empty())
      out[k] -= float(w.zeros[g]);
    if (!w.floatZeros.empty())
      out[k] -= w.floatZeros[g];
  }
}

} // namespace

void matmulFloat(llvm::ArrayRef<float> a, int64_t m, const QuantizedMatrix &w,
                 llvm::ArrayRef<float> bias, llvm::MutableArrayRef<float> y) {
  const int64_t n = w.rows, k = w.cols;
  assert(int64_t(a.size()) == m * k && int64_t(y.size()) == m * n);
  assert(bias.empty() || int64_t(bias.size()) == n);
  std::vector<float> gathered;
  if (!w.permutation.empty()) {
    gathered = gatherColumns(a, m, k, w.permutation);
    a = gathered;
  }

  std::vector<float> difference(k);
  for (int64_t column = 0; column < n; ++column) {
    differences(w, column, difference);
    for (int64_t row = 0; row < m; ++row) {
      float result = 0;
      for (int64_t g = 0; g < w.groups(); ++g) {
        const int64_t begin = g * w.groupLength, length = w.lengthOf(g);
        const int64_t at = w.groupIndex(column, g);
        const float *group = a.data() + row * k + begin;
        float d = fold(difference.data() + begin, group, length);
        result = __builtin_fmaf(w.scales[at], d, result);
        if (!w.minima.empty())
          result = __builtin_fmaf(w.minima[at], sum(group, length), result);
      }
      y[row * n + column] = bias.empty() ? result : result + bias[column];
    }
  }
}

void matmulFloat(llvm::ArrayRef<float> a, int64_t m, llvm::ArrayRef<float> w,
                 int64_t n, int64_t k, llvm::ArrayRef<float> bias,
                 llvm::MutableArrayRef<float> y) {
  assert(int64_t(a.size()) == m * k && int64_t(w.size()) == n * k &&
         int64_t(y.size()) == m * n);
  assert(bias.empty() || int64_t(bias.size()) == n);
  for (int64_t column = 0; column < n; ++column) {
    for (int64_t row = 0; row < m; ++row) {
      float d = fold(w.data() + column * k, a.data() + row * k, k);
      float result = __builtin_fmaf(1.0f, d, 0.0f);
      y[row * n + column] = bias.empty() ? result : result + bias[column];
    }
  }
}

} // namespace mezzo::golden
