//===- Compare.h - the oracles X0, XF and XT --------------------*- C++ -*-===//

#ifndef MEZZO_LIB_GOLDEN_COMPARE_H
#define MEZZO_LIB_GOLDEN_COMPARE_H

#include "lib/Golden/Activations.h"
#include "lib/Number/QuantizedMatrix.h"

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>
#include <string>
#include <vector>

/// How a result is judged. There are three questions, and each has one answer
/// that leaves no tolerance to taste:
///
///     X0   Is it the mode's program?             Equal in all bits.
///     XF   Does the program approximate the      |y - y64| within the a priori
///          real product well?                    bound of f32 accumulation
///     XT   And with rounded tables?              XF plus the tables' rounding
///
/// XF's bound. Let u = 2^-24. A term that passes through n roundings carries a
/// relative error of at most gamma(n) = n*u / (1 - n*u) (Higham, "Accuracy and
/// Stability of Numerical Algorithms", lemma 3.1). A term of the first group
/// passes at most g roundings in the group's fold (g: the longest group), then
/// one per group and offset of the row (2G), and a few for the scales. So
///
///     |y - y64| <= gamma(g + 2G + 4) * sum (|s| |C(q) - z| + |m|) |a|.
///
/// For g = 128 and G = 32 that is 196 u, 1.2e-5 of the sum of magnitudes. A
/// bound proves nothing if it lets everything through: quantizing the
/// activations to int8 errs by up to 1/254 of a term, and the *negative
/// control* checks that this is seen.
namespace mezzo::golden {

struct Comparison {
  bool ok = true;
  /// Why not: the first element that fails, by coordinates, with both values;
  /// empty where ok.
  std::string message;
  /// X0: the largest distance in ulps. XF, XT: the largest |error| / bound.
  double worst = 0;
};

/// A product in double, with what its bounds are made of.
struct RealProduct {
  int64_t rows = 0, cols = 0;
  std::vector<double> y;         ///< [rows, cols]
  std::vector<double> magnitude; ///< [rows, cols], the sum in XF, plus |bias|
  int64_t longestGroup = 0;      ///< g
  int64_t groups = 0;            ///< G
};

/// a[m, K] * W^T (+ bias) of unrounded activations: what modes `float` and
/// `lut8` approximate.
RealProduct realProduct(llvm::ArrayRef<float> a, int64_t m,
                        const QuantizedMatrix &w,
                        llvm::ArrayRef<float> bias = {});

/// The same of quantized activations: what mode `int` approximates. Groups are
/// the common refinement of weight groups and activation blocks.
RealProduct realProduct(const QuantizedActivations &a, const QuantizedMatrix &w,
                        llvm::ArrayRef<float> bias = {});

/// gamma(n) = n*u / (1 - n*u) with u = 2^-24.
double roundingGamma(int64_t n);

/// Bit equality, row by row of `cols` elements. +0 and -0 differ. Two NaNs are
/// equal whatever their payloads, which IEEE 754 leaves open.
Comparison compareX0(llvm::ArrayRef<float> y, llvm::ArrayRef<float> expected,
                     int64_t cols);
/// The same for integer codes.
Comparison compareX0(llvm::ArrayRef<int32_t> y,
                     llvm::ArrayRef<int32_t> expected, int64_t cols);

/// |y - y64| within XF's bound, for every element. An element that is not
/// finite fails unless y64 is not finite either.
Comparison compareXF(llvm::ArrayRef<float> y, const RealProduct &real);

/// The negative control of XF: it is ok if and only if `y`, computed from
/// activations rounded to int8, *fails* against the product of unrounded ones.
Comparison negativeControl(llvm::ArrayRef<float> yOfInt8,
                           const RealProduct &realOfUnrounded);

/// |y - y64| within XF's bound plus the rounding of lut8's tables, that is
/// sum over g of |s_g| * (sum_b |w_b|) * ceil(len_g / 4) * t_g / 2.
Comparison compareXT(llvm::ArrayRef<float> y, const RealProduct &real,
                     llvm::ArrayRef<float> a, const QuantizedMatrix &w);

/// sum (y - y64)^2 / sum y64^2: XT's other half. It grows with the group, whose
/// widest block sets the step: on N(0, 1) from 4e-5 (int4/g32) to 3e-4 (int2/ch
/// with K = 1024).
double normalizedMeanSquareError(llvm::ArrayRef<float> y,
                                 const RealProduct &real);

} // namespace mezzo::golden

#endif // MEZZO_LIB_GOLDEN_COMPARE_H
