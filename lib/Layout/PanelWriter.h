//===- PanelWriter.h - Merging code bytes into the fields of a panel ------===//

#ifndef MEZZO_LIB_LAYOUT_PANELWRITER_H
#define MEZZO_LIB_LAYOUT_PANELWRITER_H

#include "lib/Layout/Panel.h"

namespace mezzo {

/// Writes `steps` consecutive steps of one panel into `out`
/// (steps * panel.stepBytes() bytes, zero where fields go).
/// `codes` holds one code per byte, row r of the panel at r * stride, four
/// bytes per step; steps beyond a multiple of four are read up to there, so the
/// rows must be padded to 16 bytes. Rows from `rows` on do not exist.
///
/// Eight rows of four consecutive steps are a matrix of 8 x 4 int32, whose
/// transpose is four vectors. Each is shifted and masked to every field of its
/// row group and ORed in place: 3 instructions per field and 16 bytes.
void writePanelSteps(const PanelFields &panel, const uint8_t *codes,
                     int64_t stride, int64_t rows, int64_t steps, uint8_t *out);

} // namespace mezzo

#endif // MEZZO_LIB_LAYOUT_PANELWRITER_H
