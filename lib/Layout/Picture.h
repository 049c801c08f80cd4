//===- Picture.h - A layout as a drawing ----------------------------------===//

#ifndef MEZZO_LIB_LAYOUT_PICTURE_H
#define MEZZO_LIB_LAYOUT_PICTURE_H

#include "lib/Layout/BoundLayout.h"

namespace mezzo {

/// Draws the first `firstBits` bits (rounded up to bytes), a box per byte, the
/// most significant bit on the left, a line per axis, a bar between codes, dots
/// for padding. `bit=[b:4, k:2], ...` begins
///
///            7  6  5  4  3  2  1  0
///   byte 0 +-----------+-----------+
///        n | 0  0  0  0| 0  0  0  0|
///        k | 1  1  1  1| 0  0  0  0|
///        b | 3  2  1  0| 3  2  1  0|
///          +-----------+-----------+
///
/// Positional packing is written as a sum: `byte 0 = (n0 k0) + 3*(n0 k1) +
/// ...`.
std::string picture(const BoundLayout &bound, unsigned firstBits = 64);

} // namespace mezzo

#endif // MEZZO_LIB_LAYOUT_PICTURE_H
