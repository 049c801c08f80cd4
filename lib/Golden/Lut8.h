//===- Lut8.h - the tables of compute mode `lut8` ---------------*- C++ -*-===//

#ifndef MEZZO_LIB_GOLDEN_LUT8_H
#define MEZZO_LIB_GOLDEN_LUT8_H

#include "llvm/ADT/ArrayRef.h"

#include <array>
#include <cstdint>
#include <vector>

namespace mezzo::golden {

/// The look-up tables of one group of one row of activations.
///
/// A bit plane of the weight adds up those activations whose bit is set. Four
/// bits are an index, so sixteen precomputed subset sums T[0..15] answer for
/// four k at once. Mode `lut8` rounds them to bytes, since sixteen bytes are
/// one register, and one instruction looks up as many indices as a register
/// holds.
///
/// Subset sums run from N, the sum of the negative a_j, to N + sum|a_j|. So
/// bytes hold E = rne((T - N) / t), with one step t per group that just fits
/// its widest block. Worked example, a = (3, -1, 0.5, 2): N = -1, and with this
/// block alone t = 6.5 / 255 = 0.02549. Index 0b0011 has T = 3 - 1 = 2, so E =
/// rne(3 / t) = 118, read back as 118 t + N = 2.0078.
struct LutGroup {
  /// `a` is the group; blocks of 4 start at its start, a missing tail counts as
  /// zeros.
  explicit LutGroup(llvm::ArrayRef<float> a);

  float step;        ///< t_g
  float negatives;   ///< N_g: the fold of the blocks' N
  float activations; ///< A_g: the fold of a
  /// E of each block; bit j of the index selects the block's a_j.
  std::vector<std::array<uint8_t, 16>> tables;
};

} // namespace mezzo::golden

#endif // MEZZO_LIB_GOLDEN_LUT8_H
