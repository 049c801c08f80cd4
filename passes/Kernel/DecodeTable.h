//===- DecodeTable.h - codes as numbers, by look-up -----------------------===//

#ifndef MEZZO_PASSES_KERNEL_DECODETABLE_H
#define MEZZO_PASSES_KERNEL_DECODETABLE_H

#include "passes/Kernel/KernelBuilder.h"

namespace mezzo {

/// The byte of `table`, of up to 256 entries, at each index. More than sixteen
/// take several look-ups, among which the upper bits of the index select.
mlir::Value lookupBytes(KernelBuilder &builder, llvm::ArrayRef<uint8_t> table,
                        mlir::Value indices);

/// Byte p of sixteen floats, p = 0 to 3; null where all of them are zero.
using BytePlanes = std::array<mlir::Value, 4>;

/// The planes of up to sixteen constants.
BytePlanes constantPlanes(KernelBuilder &builder, llvm::ArrayRef<float> values);

/// The floats of columns 0 to 3, lanes of eight rows each, of a vector of 32
/// indices into the planes: those of row r, column c at byte c + 4*r.
///
/// Bytes are looked up for all 32 codes at once, and what is left is to bring
/// the bytes of a float together. A machine does so within 16 bytes, by
/// interleaving, and the order of the indices is chosen so that rows come out
/// where they belong. With two planes, lo and hi, and four rows:
///
///     indices, reordered      r0c0 r0c1 r1c0 r1c1 ... | r0c2 r0c3 r1c2 ...
///     lo and hi interleaved   an int32 lane is (c0, c1) of a row | (c2, c3)
///     column 0, column 1      lane << 16, lane & 0xffff0000
Values lookupFloats(KernelBuilder &builder, const BytePlanes &planes,
                    mlir::Value indices);

} // namespace mezzo

#endif // MEZZO_PASSES_KERNEL_DECODETABLE_H
