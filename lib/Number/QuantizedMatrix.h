//===- QuantizedMatrix.h - a quantized weight as plain arrays ---*- C++ -*-===//

#ifndef MEZZO_LIB_NUMBER_QUANTIZEDMATRIX_H
#define MEZZO_LIB_NUMBER_QUANTIZEDMATRIX_H

#include "lib/Number/Spec.h"

#include "llvm/Support/Error.h"

#include <cstdint>
#include <vector>

namespace mezzo {

/// A quantized weight W[N, K] with nothing packed: what the reference
/// arithmetic reads, and what packers are tested with.
///
///     W[n, k] = s * (C(q) - z)        or  s * C(q) + m
///
/// with q = codes[n*K + k] and s, z, m at [n*G + g], g = k div groupLength.
/// A group of several rows (`t`) is stored repeated per row, so a reader needs
/// no second case.
struct QuantizedMatrix {
  QuantSpec spec;
  int64_t rows = 0;        ///< N
  int64_t cols = 0;        ///< K
  int64_t groupLength = 0; ///< along K; K where the group is not a block

  std::vector<uint8_t> codes; ///< [N, K] raw fields, one per byte
  std::vector<float> scales;  ///< [N, G]; fl(D*sc) where there are two levels
  std::vector<int32_t> zeros; ///< [N, G] integer zero points, or empty
  std::vector<float> floatZeros; ///< [N, G] or empty
  std::vector<float> minima;     ///< [N, G] or empty; fl(E*mn) on two levels
  /// Where the spec has two levels, the factors of `scales` and of `minima`, if
  /// they are known: inner * outer, rounded once. Without them a product stores
  /// what they make.
  struct Levels {
    std::vector<float> inner; ///< [N, G]: sc, of the type before the '^'
    std::vector<float> outer; ///< [N, S]: D, of the type behind it
    int64_t length = 0;       ///< groups that share one D; G where a row does
    bool empty() const { return inner.empty(); }
    float product(int64_t n, int64_t g, int64_t groups) const;
  };
  Levels scaleLevels, minimumLevels;
  /// Column j of W multiplies a[permutation[j]]; K entries, or empty.
  std::vector<int32_t> permutation;
  /// Of a code book: 2^bits entries for the tensor, or N times as many, one
  /// table per row. Empty where the format carries the table itself.
  std::vector<float> codebook;
  /// How many inputs were NaN and became the code of zero.
  int64_t nans = 0;

  /// G: how many groups a row has.
  int64_t groups() const {
    return groupLength > 0 ? (cols + groupLength - 1) / groupLength : 0;
  }
  int64_t groupOf(int64_t k) const { return k / groupLength; }
  /// How many columns group g has; the last may be short.
  int64_t lengthOf(int64_t g) const;
  /// The position of row n, group g in `scales` and its sisters.
  int64_t groupIndex(int64_t n, int64_t g) const { return n * groups() + g; }

  /// The spec's format, with the table of the code book in it, if all rows have
  /// one table.
  Format format() const;

  uint8_t code(int64_t n, int64_t k) const { return codes[n * cols + k]; }
  /// C(q) as an integer; integer formats only.
  int32_t integerCode(int64_t n, int64_t k) const {
    return spec.format.integerValue(code(n, k));
  }
  /// C(q), exact, in every format.
  float codeValue(int64_t n, int64_t k) const;
  /// W[n, k] in double: exact, but for the last addition of a float zero or a
  /// minimum, which rounds once.
  double value(int64_t n, int64_t k) const;

  /// Checks that every array has the size that rows, cols and groupLength ask
  /// for, that codes fit the format, and that the permutation is one.
  llvm::Error validate() const;
};

} // namespace mezzo

#endif // MEZZO_LIB_NUMBER_QUANTIZEDMATRIX_H
