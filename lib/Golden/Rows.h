//===- Rows.h - reductions of rows, in one order ----------------*- C++ -*-===//

#ifndef MEZZO_LIB_GOLDEN_ROWS_H
#define MEZZO_LIB_GOLDEN_ROWS_H

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>

namespace mezzo::golden {

/// Reduces element(0) ... element(n - 1) in the order that every row reduction
/// of Mezzo has, whatever the width of the machine's vectors.
///
/// Sixteen lanes start at `start`. Lane j folds the elements i = j mod 16 in
/// ascending order; then lanes meet in pairs, l with l + 8, + 4, + 2, + 1.
/// A machine with vectors of 16 floats does this with one register, one with
/// vectors of 8 or 4 with two or four, and a scalar one with an array: the
/// same additions in each case. For n = 20 and a sum:
///
///     lane  0        1        2        3        4   ...  15
///           x0+x16   x1+x17   x2+x18   x3+x19   x4       x15
///     +8    lane 0 += lane 8, ..., lane 7 += lane 15      (then +4, +2, +1)
template <typename Element, typename Combine>
float reduce16(int64_t n, float start, Element element, Combine combine) {
  float lane[16];
  for (float &l : lane)
    l = start;
  for (int64_t i = 0; i < n; ++i)
    lane[i % 16] = combine(lane[i % 16], element(i));
  for (int step : {8, 4, 2, 1})
    for (int l = 0; l < step; ++l)
      lane[l] = combine(lane[l], lane[l + step]);
  return lane[0];
}

/// The sum of a row; lanes start at +0.
float reduce16Sum(llvm::ArrayRef<float> row);

/// The maximum of a row; lanes start at -inf, and max(l, x) is `l < x ? x : l`,
/// so NaN is passed over and of equal elements the first stays.
float reduce16Max(llvm::ArrayRef<float> row);

/// Softmax of each row of x[rows, cols]: the maximum, e = exp(fl(x - max)) by
/// lib/Math, their sum, and one division per element. A row of nothing but -inf
/// gives NaN, as ONNX has it.
void softmax(llvm::ArrayRef<float> x, int64_t rows, int64_t cols,
             llvm::MutableArrayRef<float> y);

/// Layer normalization of each row of x[rows, cols]:
///
///     mean = fl(sum(x) / cols)        d   = fl(x - mean)
///     var  = fl(sum(fl(d*d)) / cols)  inv = fl(1 / fl(sqrt(fl(var + eps))))
///     y    = fl(fl(fl(d * inv) * gamma) + beta)
///
/// Every operation rounds by itself, so that the decomposed form in a model
/// (ReduceMean, Sub, Mul, ...) and the fused operator agree bit for bit where
/// they do the same steps. gamma and beta have `cols` elements or are empty,
/// which leaves their step out. x and y may be the same array.
void layerNorm(llvm::ArrayRef<float> x, int64_t rows, int64_t cols,
               llvm::ArrayRef<float> gamma, llvm::ArrayRef<float> beta,
               float eps, llvm::MutableArrayRef<float> y);

/// Root mean square normalization of each row: as layerNorm with mean 0,
/// without beta: y = fl(fl(x * inv) * gamma), inv from sum(fl(x*x)).
void rmsNorm(llvm::ArrayRef<float> x, int64_t rows, int64_t cols,
             llvm::ArrayRef<float> gamma, float eps,
             llvm::MutableArrayRef<float> y);

} // namespace mezzo::golden

#endif // MEZZO_LIB_GOLDEN_ROWS_H
