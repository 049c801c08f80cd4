//===- Panel.h - How a kernel reads a panel of packed weights -------------===//

#ifndef MEZZO_LIB_LAYOUT_PANEL_H
#define MEZZO_LIB_LAYOUT_PANEL_H

#include "lib/Layout/Layout.h"
#include <array>

namespace mezzo {

/// A run of bits of one code inside a byte of a vector:
/// code bits [codeBit, codeBit + width) are byte bits [shift, shift + width).
struct Field {
  unsigned unit; ///< Index of the 32-byte vector inside a step.
  unsigned shift;
  unsigned width;
  unsigned codeBit;

  bool operator==(const Field &o) const {
    return unit == o.unit && shift == o.shift && width == o.width &&
           codeBit == o.codeBit;
  }
};

/// What byte of a vector of indices belongs to what: a plane of sixteen rows,
/// which are half 0 or half 1 of a row group.
struct PlaneByte {
  unsigned plane, half;

  bool operator==(const PlaneByte &o) const {
    return plane == o.plane && half == o.half;
  }
};

/// A panel as a kernel sees it. The rows of a panel come in groups, a step is
/// four k. `fields[r]` are the runs of bits that row group r is read from, each
/// at the same place of every byte of its vector. What they mean depends on the
/// kind of the panel:
///
/// * Panels of codes (`panelFields`). The code at row 8*r + i, column j of a
///   step is the union of `fields[r]`, each read from byte j + 4*i: an int32
///   lane holds four consecutive k of one row, and the lanes of a vector are
///   eight rows.
/// * Panels of indices (`lutFields`, LutPanel.h). A field is four bits, one of
///   each k of the step, all of one plane: an index into a table. A 16-bit lane
///   holds two of them, and the lanes of a vector are sixteen rows: byte p of
///   lane i of the field v is row 16*half + i of its group, as `planes[v][p]`
///   says, the same for all groups.
struct PanelFields {
  static constexpr unsigned VectorBytes = 32;
  static constexpr unsigned ColumnsPerStep = 4;

  unsigned bits;
  unsigned rowsPerPanel;
  unsigned rowsPerGroup;
  unsigned vectorsPerStep;
  llvm::SmallVector<llvm::SmallVector<Field, 3>, 8> fields; ///< By row group.
  llvm::SmallVector<std::array<PlaneByte, 2>, 3> planes; ///< Or empty: codes.

  unsigned stepBytes() const { return vectorsPerStep * VectorBytes; }
  bool holdsIndices() const { return !planes.empty(); }
};

/// What a weight holds beside its codes, in bits for each of its rows.
struct RecordParts {
  int64_t group;                     ///< columns of a group
  int64_t scaleBits, offsetBits = 0; ///< for each group
  /// For each super-block of `superGroups` groups, 0: for the whole row.
  int64_t superScaleBits = 0, superOffsetBits = 0, superGroups = 0;
  int64_t tableBytes = 0; ///< for the panel: its code books
  bool hasSums = false;   ///< sums of the codes, 32 bits for each group
};

/// Where one group of one panel lies in a packed weight, and what belongs to
/// it. A weight is a sequence of panels, so that a kernel that walks a panel
/// reads one stream of memory:
///
///     tables | head | record record record ... | head | record record ...
///
/// A record is a group's codes (`steps` steps of the panel), then the scales of
/// the panel's rows, then their offsets and the sums of their codes, if any. A
/// head has what a super-block of groups shares, where scales are quantized
/// themselves. Most weights have records alone.
///
/// A row's numbers of less than a byte lie in planes, for each row group by
/// itself: six bits are a plane of four bits, then one of two. A plane of w
/// bits of R rows takes R*w/8 bytes; byte i has those of rows i, i + R*w/8, ...
/// from its lowest bits on.
struct PanelRecord {
  static constexpr int64_t Alignment = 32;

  int64_t steps;   ///< of four columns; the last one may be padded
  int64_t scales;  ///< byte offset of the scales in the record
  int64_t offsets; ///< byte offset of the offsets; `bytes` where there are none
  int64_t sums;    ///< of the sums, int32; `bytes` where there are none
  int64_t bytes;   ///< of a whole record, a multiple of Alignment

  int64_t superGroups;  ///< groups that share a head; 0: all of a panel
  int64_t superOffsets; ///< byte offset, in a head, behind the super-scales
  int64_t headBytes;    ///< of a whole head, a multiple of Alignment, or 0
  int64_t tableBytes;   ///< at the start of a panel, a multiple of Alignment

  /// Of a panel of `groups` groups.
  int64_t panelBytes(int64_t groups) const;
  /// Byte offsets in the panel.
  int64_t recordAt(int64_t group) const;
  int64_t headAt(int64_t super) const;
};

PanelRecord panelRecord(const PanelFields &panel, const RecordParts &parts);

/// The widths of the planes of a number of `bits` bits, 1 to 8, in their order:
/// 8, or the powers of two that it is the sum of, from the largest on.
llvm::SmallVector<unsigned, 3> planesOf(unsigned bits);

/// Derives the fields of a panel of codes: a layout with axes n, (g,) k, b for
/// codes of `bits` bits is evaluated at every position of a step. Fails, naming
/// the first position that lies elsewhere, where it is not of this form.
llvm::Expected<PanelFields> panelFields(const Layout &layout, unsigned bits);

} // namespace mezzo

#endif // MEZZO_LIB_LAYOUT_PANEL_H
