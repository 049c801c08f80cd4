//===- Quantize.h - from floats to codes and back ---------------*- C++ -*-===//

#ifndef MEZZO_LIB_NUMBER_QUANTIZE_H
#define MEZZO_LIB_NUMBER_QUANTIZE_H

#include "lib/Number/QuantizedMatrix.h"
#include "lib/Number/Rounding.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <vector>

namespace mezzo {

struct QuantizeOptions {
  Rounding rounding = Rounding::NearestEven;
  /// Of the stochastic modes; element i of W draws the i-th number.
  uint64_t seed = 0;
  /// The type x/s is divided in: f32, f16 or bf16 (ONNX's `precision`).
  ScaleType precision = {};
  /// The 2^bits entries of a code book whose format does not say them; empty:
  /// they are fitted to the weights.
  std::vector<float> codebook;
};

/// Quantizes W[n, k], row-major.
///
/// Scales. Without an offset, the smallest one under which nothing is clipped:
/// s = max(max(w) / C_max, min(w) / C_min) over the group, where a side that
/// the format does not have is left out. ternary and odd1 take the mean of |w|,
/// which minimizes the error of a sign and is what BitNet trains with. With
/// `zp` the range is first made to contain 0, then s = (max - min) / (C_max -
/// C_min) and z = rne(C_min - min/s), clamped; float zeros and minima do
/// without the first step (but for minima without a sign). e8m0 takes
/// floor(log2 max|w|) - floor(log2 C_max), as OCP's MX does: a power of two,
/// large elements saturate; with an offset the next power of two above. On two
/// levels, D is the largest scale of the super-block over the type's largest
/// value, and sc = round(s / D). Everything after is computed with the
/// *rounded* scale, which is never 0 where the group is not.
///
/// Codes. ONNX's order, clamp(rne(x/s) + z); for a float zero QONNX's,
/// rne(clamp(x/s + z)); for a minimum rne((x - m)/s), clamped. Divisions are
/// true divisions in options.precision.
///
/// A group whose maximum is 0 gets scale 1 (sc = 1 on two levels) and codes of
/// exact zero. Where the format has no zero, as odd<n>, the scale is 0 instead,
/// or the type's smallest value. NaN is left out of the scale and becomes the
/// code nearest to zero (and is counted). A code book without a table is
/// fitted: one-dimensional k-means over w/s, and its entries, up to four bits,
/// are rounded to bf16: 2^-9 of a value is far below a step, and kernels look
/// up half as many bytes.
///
/// `row` is taken for one group per row, like `ch`.
/// Errors: sizes that do not match, an infinite weight (named), a format of
/// more than eight bits, a code book that is not the format's.
llvm::Expected<QuantizedMatrix> quantize(llvm::ArrayRef<float> w, int64_t n,
                                         int64_t k, const QuantSpec &spec,
                                         const QuantizeOptions &options = {});

/// W[n, k] as f32 in the order of the *original* columns (a permutation is
/// undone): fl(s * (C - z)), or fma(s, C, m) with one rounding. Scales of e4m3
/// on two levels multiply from left to right, fl(fl(C * sc) * D), as NVFP4
/// says.
std::vector<float> dequantize(const QuantizedMatrix &matrix);

/// Activations [m, k] quantized dynamically per row: `int8/row`.
struct QuantizedRows {
  int64_t rows = 0, cols = 0;
  std::vector<int8_t> codes; ///< [m, k], in [-127, 127]
  std::vector<float> scales; ///< [m]
};

/// The normative `int8/row` of compute mode `int`: per row
/// s = fl(max|x| / 127), 0 becomes 1; q = clamp(rne(fl(x/s)), -127, 127). NaN
/// is left out of the maximum and gets code 0; a row with an infinity has an
/// infinite scale, so its products are not finite either.
/// Errors: x does not have m*k elements.
llvm::Expected<QuantizedRows>
quantizeActivationsInt8PerRow(llvm::ArrayRef<float> x, int64_t m, int64_t k);

} // namespace mezzo

#endif // MEZZO_LIB_NUMBER_QUANTIZE_H
