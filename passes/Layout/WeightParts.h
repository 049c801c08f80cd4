//===- WeightParts.h - the parts of a weight in the weight file -----------===//

#ifndef MEZZO_PASSES_LAYOUT_WEIGHTPARTS_H
#define MEZZO_PASSES_LAYOUT_WEIGHTPARTS_H

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Layout/BoundLayout.h"

namespace mezzo {

/// One contiguous array of the payload.
struct WeightPart {
  enum Kind { Plain, Codes, Scales, Offsets };
  static constexpr int64_t Alignment = 64;

  Kind kind;
  int64_t elements;       ///< length of the array
  mlir::Type elementType; ///< as kernels read it; bytes for codes
  int64_t bytes() const {
    return elements * int64_t(elementType.getIntOrFloatBitWidth() / 8);
  }
};

/// The parts of a weight, in the order of its `parts` attribute. The
/// permutation of a quantized weight is none of them: it is written as a plain
/// weight.
llvm::SmallVector<WeightPart> weightParts(WeightOp weight);

/// Extents of a quantized weight as its source has them (n, k, b), and as
/// kernels read it (n, g, k, b).
Extents sourceExtents(WeightOp weight);
Extents packedExtents(WeightOp weight);

/// Rows in a panel of the packed layout.
int64_t rowsPerPanel(WeightOp weight);

/// Called with the parts of all weights in the order of their offsets, a piece
/// at a time: `offset` from the start of the payload, and the bytes to write
/// there.
using PartSink = llvm::function_ref<llvm::Error(int64_t offset,
                                                llvm::ArrayRef<uint8_t> bytes)>;

/// Packs all weights of a module, streaming: at no time is more than one slice
/// of one weight in memory.
llvm::Error writeWeights(mlir::ModuleOp module, PartSink sink);

/// Attribute of the module: bytes of the payload.
inline llvm::StringRef weightBytesAttrName() { return "mezzo.weight_bytes"; }

} // namespace mezzo

#endif // MEZZO_PASSES_LAYOUT_WEIGHTPARTS_H
