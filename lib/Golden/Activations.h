//===- Activations.h - activations as integer codes -------------*- C++ -*-===//

#ifndef MEZZO_LIB_GOLDEN_ACTIVATIONS_H
#define MEZZO_LIB_GOLDEN_ACTIVATIONS_H

#include "lib/Number/Spec.h"

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>
#include <vector>

namespace mezzo::golden {

/// Activations a[rows, cols] quantized once, as modes `int` and `integer-only`
/// read them: a = s_a * (qa - z_a), one pair (s_a, z_a) per row and block of
/// `block` neighbouring columns. A scale for the whole tensor is stored
/// repeated, so a reader needs no second case.
struct QuantizedActivations {
  std::vector<int32_t> codes; ///< [rows, cols]
  std::vector<float> scales;  ///< [rows, blocks()]
  std::vector<int32_t> zeros; ///< [rows, blocks()]; all 0 where symmetric
  int64_t rows = 0, cols = 0;
  int64_t block = 0; ///< columns per scale; cols where a row has one scale

  int64_t blocks() const { return block > 0 ? (cols + block - 1) / block : 0; }
  float scale(int64_t m, int64_t b) const { return scales[m * blocks() + b]; }
  /// qa - z_a of row m, column k.
  int32_t difference(int64_t m, int64_t k) const {
    return codes[m * cols + k] - zeros[m * blocks() + k / block];
  }
};

/// Symmetric int8: s = fl(max|x| / 127), 0 becomes 1; codes
/// clamp(rne(fl(x / s)), -127, 127). `group` is Tensor, Row or Block. NaN is
/// left out of the maximum and becomes code 0; an infinity makes the scale
/// infinite, so that the products it enters are not finite either.
QuantizedActivations quantizeInt8(llvm::ArrayRef<float> a, int64_t m, int64_t k,
                                  const Group &group);

/// The default of mode `int`: quantizeInt8 with a scale per row.
QuantizedActivations quantizeRows(llvm::ArrayRef<float> a, int64_t m,
                                  int64_t k);

/// Unsigned with a zero point, the formula of ONNX's DynamicQuantizeLinear: the
/// range is made to contain 0, s = fl(fl(max - min) / 255), 0 becomes 1,
/// z = clamp(rne(fl(-min / s)), 0, 255), codes clamp(rne(fl(x / s)) + z, 0,
/// 255). NaN is left out of the range and becomes code z.
QuantizedActivations quantizeUint8(llvm::ArrayRef<float> a, int64_t m,
                                   int64_t k, const Group &group);

/// Static: scale and zero are given, codes clamp(rne(fl(x / s)) + z, lo, hi).
QuantizedActivations quantizeStatic(llvm::ArrayRef<float> a, int64_t m,
                                    int64_t k, float scale, int32_t zero,
                                    int32_t lo, int32_t hi);

/// The columns of a[m, k] in the order in which a permuted weight reads them:
/// result column j is a's column permutation[j].
std::vector<float> gatherColumns(llvm::ArrayRef<float> a, int64_t m, int64_t k,
                                 llvm::ArrayRef<int32_t> permutation);

} // namespace mezzo::golden

#endif // MEZZO_LIB_GOLDEN_ACTIVATIONS_H
