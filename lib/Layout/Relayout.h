//===- Relayout.h - Packing, unpacking and moving between layouts ---------===//
//
// Weights are laid out once, at compile time, over hundreds of megabytes. There
// are three ways, from general to fast, and tests hold each to the one before:
//
//   by digits   evaluate the layout for every bit; any layout.
//   by tables   in a layout without swizzles an address is a sum of one term
//               per axis, so a table per axis replaces the arithmetic
//               (CodeMap).
//   by vectors  codes that lie densely along k are spread to bytes eight at a
//               time, and bytes are merged into the fields of a kernel panel
//               32 at a time (PanelWriter).
//
// Whoever calls sees none of this: the best way is taken on its own.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_LIB_LAYOUT_RELAYOUT_H
#define MEZZO_LIB_LAYOUT_RELAYOUT_H

#include "lib/Layout/BoundLayout.h"

namespace mezzo {

/// Packs one code per byte, row-major in the order of the extents without `b`,
/// into `out` (exactly `to.totalBytes()` bytes). Padding becomes zero bits.
/// Fails on a code that needs more than the layout's bits or base.
llvm::Error pack(const BoundLayout &to, llvm::ArrayRef<uint8_t> codes,
                 llvm::MutableArrayRef<uint8_t> out);

/// The inverse of `pack`.
llvm::Error unpack(const BoundLayout &from, llvm::ArrayRef<uint8_t> in,
                   llvm::MutableArrayRef<uint8_t> codes);

/// Moves codes from one layout to another. Both tensors have axes n, k and b,
/// or n, g, k and b, in which case g * (extent of k) + k is the column; the
/// last group may be cut short by the other side's number of columns, and its
/// missing positions then become `padCode`. All other padding becomes zero.
llvm::Error relayout(const BoundLayout &from, llvm::ArrayRef<uint8_t> in,
                     const BoundLayout &to, llvm::MutableArrayRef<uint8_t> out,
                     uint32_t flip = 0, uint8_t padCode = 0);

/// Bytes that the rows [rowBegin, rowEnd) occupy in `to`, for streaming. Fails
/// unless the rows are whole panels: n must be the outermost digit, and both
/// ends multiples of its stride (or the end of the tensor).
llvm::Expected<int64_t> sliceBytes(const BoundLayout &to, int64_t rowBegin,
                                   int64_t rowEnd);

/// As `relayout`, for the rows [rowBegin, rowEnd) only, into a buffer of
/// `sliceBytes` bytes. Slices written one after the other give what `relayout`
/// gives, so peak memory is one slice.
llvm::Error relayoutRows(const BoundLayout &from, llvm::ArrayRef<uint8_t> in,
                         const BoundLayout &to,
                         llvm::MutableArrayRef<uint8_t> out, int64_t rowBegin,
                         int64_t rowEnd, uint32_t flip = 0,
                         uint8_t padCode = 0);

/// As `relayoutRows`, with the columns in another order: column j of the result
/// is column order[j] of the source.
llvm::Error
relayoutRowsSorted(const BoundLayout &from, llvm::ArrayRef<uint8_t> in,
                   llvm::ArrayRef<int32_t> order, const BoundLayout &to,
                   llvm::MutableArrayRef<uint8_t> out, int64_t rowBegin,
                   int64_t rowEnd, uint32_t flip = 0, uint8_t padCode = 0);

/// The oracle: the same as `relayout`, evaluating the digits for every bit.
llvm::Error relayoutByDigits(const BoundLayout &from,
                             llvm::ArrayRef<uint8_t> in, const BoundLayout &to,
                             llvm::MutableArrayRef<uint8_t> out,
                             uint32_t flip = 0, uint8_t padCode = 0);

} // namespace mezzo

#endif // MEZZO_LIB_LAYOUT_RELAYOUT_H
