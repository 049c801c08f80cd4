//===- Lut8.cpp - compute mode `lut8` -------------------------------------===//
//
// With C(q) = sum_b w_b q_b + c, a group's sum is
//
//     sum (C(q) - z) a  =  sum_b w_b (sum of a where q_b is set)  +  (c - z) A
//                       ~  sum_b w_b (t * entries + N)            +  (c - z) A
//
// so y += s t D, D = sum_b w_b (sum of entries) an exact integer, and then
// y += s (W N + (c - z) A), W = sum_b w_b.
//
//===----------------------------------------------------------------------===//

#include "lib/Golden/Lut8.h"

#include "lib/Golden/Matmul.h"
#include "lib/Number/Rounding.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace mezzo::golden {

LutGroup::LutGroup(llvm::ArrayRef<float> a) {
  const size_t blocks = (a.size() + 3) / 4;
  auto at = [&](size_t k) { return k < a.size() ? a[k] : 0.0f; };

  float widest = 0;
  negatives = activations = 0;
  std::vector<float> blockNegatives(blocks);
  for (size_t block = 0; block < blocks; ++block) {
    float width = 0, negative = 0;
    for (size_t j = 0; j < 4; ++j) {
      const float x = at(4 * block + j);
      width += std::fabs(x);
      negative += x < 0 ? x : 0;
    }
    widest = widest < width ? width : widest;
    blockNegatives[block] = negative;
    negatives += negative;
  }
  for (float x : a)
    activations += x;
  step = widest / 255.0f;
  step = step == 0 ? 1.0f : step;

  tables.resize(blocks);
  for (size_t block = 0; block < blocks; ++block) {
    for (unsigned index = 0; index < 16; ++index) {
      float sum = 0;
      for (size_t j = 0; j < 4; ++j)
        if (index >> j & 1)
          sum += at(4 * block + j);
      const float entry = (sum - blockNegatives[block]) / step;
      // NaN and infinities poison y through N and A; here they only must not be
      // converted.
      tables[block][index] =
          std::isnan(entry)
              ? 0
              : uint8_t(std::clamp(roundToIntegral(entry), 0.0, 255.0));
    }
  }
}

namespace {

/// The bit planes of row n, group g as table indices: for each plane, one
/// index per block of 4. Bits beyond the group's end are 0.
std::vector<std::vector<uint8_t>> planeIndices(const QuantizedMatrix &w,
                                               int64_t n, int64_t g) {
  const unsigned bits = w.spec.format.bits();
  const int64_t length = w.lengthOf(g);
  std::vector<std::vector<uint8_t>> planes(
      bits, std::vector<uint8_t>((length + 3) / 4));
  for (int64_t k = 0; k < length; ++k) {
    const unsigned raw = w.code(n, g * w.groupLength + k);
    for (unsigned b = 0; b < bits; ++b)
      planes[b][k / 4] |= (raw >> b & 1) << (k % 4);
  }
  return planes;
}

} // namespace

void matmulLut8(llvm::ArrayRef<float> a, int64_t m, const QuantizedMatrix &w,
                llvm::ArrayRef<float> bias, llvm::MutableArrayRef<float> y) {
  const int64_t n = w.rows, k = w.cols;
  assert(w.spec.format.isInteger() && "mode lut8 needs an integer format");
  assert(int64_t(a.size()) == m * k && int64_t(y.size()) == m * n);
  assert(bias.empty() || int64_t(bias.size()) == n);
  std::vector<float> gathered;
  if (!w.permutation.empty()) {
    gathered = gatherColumns(a, m, k, w.permutation);
    a = gathered;
  }
  const std::vector<float> weights = w.spec.format.planeWeights();
  const float c = w.spec.format.planeConstant();
  float weightSum = 0; // W; small integers, exact
  for (float weight : weights)
    weightSum += weight;

  // y counts as the running sum of each element, so that a group's tables are
  // made once: the order of the steps of one element is what the mode fixes.
  std::fill(y.begin(), y.end(), 0.0f);
  for (int64_t g = 0; g < w.groups(); ++g) {
    std::vector<LutGroup> luts;
    for (int64_t row = 0; row < m; ++row)
      luts.emplace_back(a.slice(row * k + g * w.groupLength, w.lengthOf(g)));

    for (int64_t column = 0; column < n; ++column) {
      const auto planes = planeIndices(w, column, g);
      const int64_t at = w.groupIndex(column, g);
      const float s = w.scales[at];
      const float zero = w.zeros.empty() ? 0.0f : float(w.zeros[at]);
      for (int64_t row = 0; row < m; ++row) {
        const LutGroup &lut = luts[row];
        int64_t dot = 0;
        for (size_t b = 0; b < planes.size(); ++b) {
          int64_t entries = 0;
          for (size_t block = 0; block < planes[b].size(); ++block)
            entries += lut.tables[block][planes[b][block]];
          dot += int64_t(weights[b]) * entries;
        }

        float &result = y[row * n + column];
        result = __builtin_fmaf(s * lut.step, float(dot), result);
        const float constant = weightSum * lut.negatives;
        const float shift = (c - zero) * lut.activations;
        result = __builtin_fmaf(s, constant + shift, result);
        if (!w.minima.empty())
          result = __builtin_fmaf(w.minima[at], lut.activations, result);
        if (!w.floatZeros.empty())
          result =
              __builtin_fmaf(-s * w.floatZeros[at], lut.activations, result);
      }
    }
  }
  if (!bias.empty())
    for (int64_t i = 0; i < m * n; ++i)
      y[i] += bias[i % n];
}

} // namespace mezzo::golden
