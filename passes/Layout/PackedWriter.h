//===- PackedWriter.h - the bytes of a packed weight ----------------------===//

#ifndef MEZZO_PASSES_LAYOUT_PACKEDWRITER_H
#define MEZZO_PASSES_LAYOUT_PACKEDWRITER_H

#include "passes/Layout/WeightParts.h"

namespace mezzo {

/// Writes a packed weight to `offset` of the payload, slice by slice.
llvm::Error writePacked(WeightOp weight, int64_t offset, PartSink sink);

/// The error of a constant that is too short.
llvm::Error missingBytes(WeightOp weight, int64_t have, int64_t want);

} // namespace mezzo

#endif // MEZZO_PASSES_LAYOUT_PACKEDWRITER_H
