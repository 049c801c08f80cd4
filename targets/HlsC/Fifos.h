//===- Fifos.h - how wires become FIFOs, and how deep they are ------------===//

#ifndef MEZZO_TARGETS_HLSC_FIFOS_H
#define MEZZO_TARGETS_HLSC_FIFOS_H

#include "targets/HlsC/Plan.h"

namespace mezzo::hlsc {

/// How many rows a FIFO has to hold.
///
/// A FIFO is written and read at one pace unless its reader waits for a row
/// that takes longer. In the feed-forward block, x goes to the norm and to the
/// addition at the end:
///
///     x --> norm --> codes --> gate, up --> gated --> codes --> down --> add
///      \_________________________________________________________________/
///
/// Five stages on the upper way (norm, codes, gate, codes, down) give out
/// nothing of a row before they have read all of it. So when `add` reads its
/// first element of row 0, x has been read up to row 4, and the lower FIFO
/// holds five rows. With less than one, the process that writes both FIFOs
/// waits for the lower one and never writes what the upper way needs: a
/// deadlock. With one to four, stages wait for each other.
///
/// The rows that the FIFO from `wire` into `stage` holds; 0 where two elements
/// are enough.
int64_t rowsHeld(const Plan &plan, int wire, int stage);

/// Stages that read a whole row before they write any of it.
bool waitsForRow(Stage::Kind kind);

} // namespace mezzo::hlsc

#endif // MEZZO_TARGETS_HLSC_FIFOS_H
