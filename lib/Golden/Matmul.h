//===- Matmul.h - the scalar programs of the compute modes ------*- C++ -*-===//

#ifndef MEZZO_LIB_GOLDEN_MATMUL_H
#define MEZZO_LIB_GOLDEN_MATMUL_H

#include "lib/Golden/Activations.h"
#include "lib/Number/Dyadic.h"
#include "lib/Number/QuantizedMatrix.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>

/// The reference arithmetic of quantized products,
///
///     y[M, N] = a[M, K] * W[N, K]^T (+ bias[N]),
///
/// one function per compute mode. A mode fixes the order and the rounding of
/// every operation, so "correct" means equal to these programs in all bits.
/// They are written to be read, and hoist only what changes no bit.
///
/// Worked example of what a mode is. Let one row have K = 4 and groups of 2,
/// a = (1, 2, 3, 4), codes minus zeros (1, -1 | 2, 0), scales (0.5 | 0.25):
///
///     d_0 = fma(-1, 2, fma(1, 1, 0)) = -1       y = fma(0.5,  -1, 0)   = -0.5
///     d_1 = fma( 0, 4, fma(2, 3, 0)) =  6       y = fma(0.25,  6, -0.5) = 1.0
///
/// Mode `float` says: inside a group by ascending k, the scale after the group,
/// groups ascending. Multiplying the scale into each weight first, or starting
/// d_1 from y, would be as good an approximation of the real sum; but it would
/// be another program, with other last bits.
///
/// Everywhere below: N, K and the groups come from `w`; `w` passes validate();
/// arrays have the sizes stated (asserted); bias is empty or has N elements and
/// is added last, in one f32 addition; with a permutation, column j of W meets
/// a's column permutation[j] and everything, groups included, runs over j.
namespace mezzo::golden {

/// Mode `float`, for every format and offset. a is [m, K], y is [m, N].
void matmulFloat(llvm::ArrayRef<float> a, int64_t m, const QuantizedMatrix &w,
                 llvm::ArrayRef<float> bias, llvm::MutableArrayRef<float> y);

/// The same mode without quantization: one group with scale 1. w is [n, k].
void matmulFloat(llvm::ArrayRef<float> a, int64_t m, llvm::ArrayRef<float> w,
                 int64_t n, int64_t k, llvm::ArrayRef<float> bias,
                 llvm::MutableArrayRef<float> y);

/// Mode `int`, for formats whose values are whole numbers times one power of
/// two (Format::wholeNumbers). Dots are exact (64 bits). With a
/// permutation, activations in blocks must have been quantized after
/// gatherColumns, and `w` carry no permutation any more (asserted): blocks of
/// another order would belong to no group.
void matmulInt(const QuantizedActivations &a, const QuantizedMatrix &w,
               llvm::ArrayRef<float> bias, llvm::MutableArrayRef<float> y);

/// Mode `lut8`, for integer formats: see Lut8.cpp. a is [m, K], y is [m, N].
void matmulLut8(llvm::ArrayRef<float> a, int64_t m, const QuantizedMatrix &w,
                llvm::ArrayRef<float> bias, llvm::MutableArrayRef<float> y);

/// From int32 accumulators to codes without a float: a factor per tensor or per
/// row of W, then clamp(round(z * factor) + zeroPoint, lo, hi).
struct Requantization {
  std::vector<Dyadic> factors; ///< one, or N
  TieRule rule = TieRule::HalfEven;
  int32_t zeroPoint = 0;
  int32_t lo = -128, hi = 127;
};

/// Mode `integer-only`, for integer formats: z = sum (C(q)-z_w)(qa-z_a) + bias
/// exactly, then the rescale. The scales of `a` and `w` are not read; they are
/// in the factors. y is [a.rows, N]. Errors: weight groups or activation blocks
/// along K, float offsets, and an accumulator that leaves int32.
llvm::Error matmulIntegerOnly(const QuantizedActivations &a,
                              const QuantizedMatrix &w,
                              llvm::ArrayRef<int32_t> bias,
                              const Requantization &requantization,
                              llvm::MutableArrayRef<int32_t> y);

} // namespace mezzo::golden

#endif // MEZZO_LIB_GOLDEN_MATMUL_H
