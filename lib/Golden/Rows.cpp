//===- Rows.cpp - reductions of rows, in one order ------------------------===//

#include "lib/Golden/Rows.h"

#include "lib/Math/Elementary.h"

#include <cassert>
#include <cmath>
#include <limits>

namespace mezzo::golden {

namespace {
float add(float a, float b) { return a + b; }

/// 1 / sqrt(sum / cols + eps), each operation rounded.
float inverseRoot(float sumOfSquares, int64_t cols, float eps) {
  return 1.0f / std::sqrt(sumOfSquares / float(cols) + eps);
}
} // namespace

float reduce16Sum(llvm::ArrayRef<float> row) {
  return reduce16(row.size(), 0.0f, [&](int64_t i) { return row[i]; }, add);
}

float reduce16Max(llvm::ArrayRef<float> row) {
  return reduce16(
      row.size(), -std::numeric_limits<float>::infinity(),
      [&](int64_t i) { return row[i]; },
      [](float l, float x) { return l < x ? x : l; });
}

void softmax(llvm::ArrayRef<float> x, int64_t rows, int64_t cols,
             llvm::MutableArrayRef<float> y) {
  assert(int64_t(x.size()) == rows * cols && x.size() == y.size());
  for (int64_t row = 0; row < rows; ++row) {
    const llvm::ArrayRef<float> in = x.slice(row * cols, cols);
    const llvm::MutableArrayRef<float> out = y.slice(row * cols, cols);
    const float max = reduce16Max(in);
    for (int64_t i = 0; i < cols; ++i)
      out[i] = elementary::exp(in[i] - max);
    const float sum = reduce16Sum(out);
    for (float &e : out)
      e /= sum;
  }
}

void layerNorm(llvm::ArrayRef<float> x, int64_t rows, int64_t cols,
               llvm::ArrayRef<float> gamma, llvm::ArrayRef<float> beta,
               float eps, llvm::MutableArrayRef<float> y) {
  assert(int64_t(x.size()) == rows * cols && x.size() == y.size());
  assert(gamma.empty() || int64_t(gamma.size()) == cols);
  assert(beta.empty() || int64_t(beta.size()) == cols);
  for (int64_t row = 0; row < rows; ++row) {
    const llvm::ArrayRef<float> in = x.slice(row * cols, cols);
    const llvm::MutableArrayRef<float> out = y.slice(row * cols, cols);
    const float mean = reduce16Sum(in) / float(cols);
    for (int64_t i = 0; i < cols; ++i)
      out[i] = in[i] - mean;
    const float squares =
        reduce16(cols, 0.0f, [&](int64_t i) { return out[i] * out[i]; }, add);
    const float inv = inverseRoot(squares, cols, eps);
    for (int64_t i = 0; i < cols; ++i) {
      out[i] *= inv;
      if (!gamma.empty())
        out[i] *= gamma[i];
      if (!beta.empty())
        out[i] += beta[i];
    }
  }
}

void rmsNorm(llvm::ArrayRef<float> x, int64_t rows, int64_t cols,
             llvm::ArrayRef<float> gamma, float eps,
             llvm::MutableArrayRef<float> y) {
  assert(int64_t(x.size()) == rows * cols && x.size() == y.size());
  assert(gamma.empty() || int64_t(gamma.size()) == cols);
  for (int64_t row = 0; row < rows; ++row) {
    const llvm::ArrayRef<float> in = x.slice(row * cols, cols);
    const llvm::MutableArrayRef<float> out = y.slice(row * cols, cols);
    const float squares =
        reduce16(cols, 0.0f, [&](int64_t i) { return in[i] * in[i]; }, add);
    const float inv = inverseRoot(squares, cols, eps);
    for (int64_t i = 0; i < cols; ++i) {
      out[i] = in[i] * inv;
      if (!gamma.empty())
        out[i] *= gamma[i];
    }
  }
}

} // namespace mezzo::golden
