//===- LutPanel.h - How a kernel reads a panel of table indices -----------===//
//
// A look-up kernel takes four bits of one plane at once, those of four
// consecutive k of a row: an index into the sixteen sums that four activations
// can make. Two bits, rows 0 to 63, one step; a vector is 32 bytes:
//
//     byte    bits 0-3                      bits 4-7
//        0    row 0, k 0..3 of plane 0      row 16, plane 0
//        1    row 0, k 0..3 of plane 1      row 16, plane 1
//        2    row 1, plane 0                row 17, plane 0
//      ...
//       32    row 32, plane 0               row 48, plane 0
//
// So the indices of sixteen rows are one mask or one shift away, and what is
// looked up lies in pairs of bytes: two planes of one row, which one
// instruction multiplies by their weights and adds. A plane without a partner
// (one bit, three bits) has two groups of sixteen rows in a pair instead; those
// 32 rows are one row group then.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_LIB_LAYOUT_LUTPANEL_H
#define MEZZO_LIB_LAYOUT_LUTPANEL_H

#include "lib/Layout/Panel.h"

namespace mezzo {

/// Widths that have panels of indices: the time of a look-up kernel grows with
/// the bits, and beyond four products of codes are faster.
inline constexpr unsigned MostLutBits = 4;

/// Derives the fields of a panel of indices from a layout with axes n, (g,) k,
/// b for codes of `bits` bits, by evaluating it at every position of a step.
/// Fails, naming the first position that lies elsewhere, where it is not of
/// this form.
llvm::Expected<PanelFields> lutFields(const Layout &layout, unsigned bits);

/// Of either kind, whichever the layout is.
llvm::Expected<PanelFields> fieldsOfAnyPanel(const Layout &layout,
                                             unsigned bits);

} // namespace mezzo

#endif // MEZZO_LIB_LAYOUT_LUTPANEL_H
