//===- PairSums.h - sums of quantized activations over chunks -------------===//

#ifndef MEZZO_PASSES_KERNEL_PAIRSUMS_H
#define MEZZO_PASSES_KERNEL_PAIRSUMS_H

#include "passes/Kernel/KernelBuilder.h"

namespace mezzo {

/// One group of one row of quantized activations.
struct CodeRun {
  mlir::Value codes;  ///< [M, columns], i8
  mlir::Value row;    ///< index of the row
  mlir::Value column; ///< where the group begins
  int64_t columns;    ///< of the group, a multiple of four
  int64_t chunk;      ///< columns of a chunk, a power of two from 8 on
  int64_t centre;     ///< sums are taken -centre times
};

/// pairs[row, group * ceil(columns / chunk) + i] for all chunks of the group,
/// as `mezzo.quantize_rows` describes them.
void writePairSums(KernelBuilder &builder, const CodeRun &run,
                   mlir::Value pairs, mlir::Value group);

} // namespace mezzo

#endif // MEZZO_PASSES_KERNEL_PAIRSUMS_H
