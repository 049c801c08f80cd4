//===- Activations.cpp - activations as integer codes ---------------------===//

#include "lib/Golden/Activations.h"

#include "lib/Number/Rounding.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace mezzo::golden {

namespace {

/// What one scale covers is a rectangle; the range of what it holds.
struct Range {
  float min = 0, max = 0;
};

/// clamp(rne(quotient) + zero, lo, hi), and `zero` where the quotient is NaN.
int32_t encode(float quotient, int32_t zero, int32_t lo, int32_t hi) {
  if (std::isnan(quotient))
    return zero;
  // In double the sum is exact wherever the clamp leaves it alone.
  double code = roundToIntegral(quotient) + zero;
  return int32_t(std::clamp<double>(code, lo, hi));
}

/// Walks over the rectangles that share a scale. `choose` turns the range of a
/// rectangle (0 included, NaN left out) into a scale and a zero point.
template <typename Choose>
QuantizedActivations quantizeDynamic(llvm::ArrayRef<float> a, int64_t m,
                                     int64_t k, const Group &group, int32_t lo,
                                     int32_t hi, Choose choose) {
  assert(int64_t(a.size()) == m * k && "a is [m, k]");
  assert(group.kind != Group::Kind::Channel &&
         "activations have one scale per tensor, row or block");
  QuantizedActivations q;
  q.rows = m;
  q.cols = k;
  q.block = group.kind == Group::Kind::Block ? group.length : k;
  q.codes.resize(m * k);
  q.scales.resize(m * q.blocks());
  q.zeros.resize(m * q.blocks());

  const bool wholeTensor = group.kind == Group::Kind::Tensor;
  Range range;
  auto widen = [&](int64_t row, int64_t begin, int64_t end) {
    for (float x : a.slice(row * k + begin, end - begin)) {
      range.min = x < range.min ? x : range.min;
      range.max = range.max < x ? x : range.max;
    }
  };
  if (wholeTensor)
    for (int64_t row = 0; row < m; ++row)
      widen(row, 0, k);

  for (int64_t row = 0; row < m; ++row) {
    for (int64_t b = 0; b < q.blocks(); ++b) {
      const int64_t begin = b * q.block, end = std::min(k, begin + q.block);
      if (!wholeTensor) {
        range = Range();
        widen(row, begin, end);
      }
      auto [scale, zero] = choose(range);
      q.scales[row * q.blocks() + b] = scale;
      q.zeros[row * q.blocks() + b] = zero;
      for (int64_t i = row * k + begin; i < row * k + end; ++i)
        q.codes[i] = encode(a[i] / scale, zero, lo, hi);
    }
  }
  return q;
}

} // namespace

QuantizedActivations quantizeInt8(llvm::ArrayRef<float> a, int64_t m, int64_t k,
                                  const Group &group) {
  return quantizeDynamic(a, m, k, group, -127, 127, [](Range range) {
    float scale = std::max(-range.min, range.max) / 127.0f;
    return std::pair<float, int32_t>(scale == 0 ? 1.0f : scale, 0);
  });
}

QuantizedActivations quantizeRows(llvm::ArrayRef<float> a, int64_t m,
                                  int64_t k) {
  Group perRow;
  perRow.kind = Group::Kind::Row;
  return quantizeInt8(a, m, k, perRow);
}

QuantizedActivations quantizeUint8(llvm::ArrayRef<float> a, int64_t m,
                                   int64_t k, const Group &group) {
  return quantizeDynamic(a, m, k, group, 0, 255, [](Range range) {
    float scale = (range.max - range.min) / 255.0f;
    scale = scale == 0 ? 1.0f : scale;
    return std::pair<float, int32_t>(scale,
                                     encode(-range.min / scale, 0, 0, 255));
  });
}

QuantizedActivations quantizeStatic(llvm::ArrayRef<float> a, int64_t m,
                                    int64_t k, float scale, int32_t zero,
                                    int32_t lo, int32_t hi) {
  Group tensor;
  return quantizeDynamic(a, m, k, tensor, lo, hi, [&](Range) {
    return std::pair<float, int32_t>(scale, zero);
  });
}

std::vector<float> gatherColumns(llvm::ArrayRef<float> a, int64_t m, int64_t k,
                                 llvm::ArrayRef<int32_t> permutation) {
  assert(int64_t(a.size()) == m * k && int64_t(permutation.size()) == k);
  std::vector<float> gathered(a.size());
  for (int64_t row = 0; row < m; ++row)
    for (int64_t j = 0; j < k; ++j)
      gathered[row * k + j] = a[row * k + permutation[j]];
  return gathered;
}

} // namespace mezzo::golden
