//===- LutBuild.h - tables of sums of activations -------------------------===//

#ifndef MEZZO_PASSES_KERNEL_LUTBUILD_H
#define MEZZO_PASSES_KERNEL_LUTBUILD_H

#include "passes/Kernel/KernelBuilder.h"

namespace mezzo {

/// One row of activations and where its tables go, as `mezzo.lut_build` has
/// them.
struct LutRow {
  mlir::Value x;                      ///< [M, K], f32
  mlir::Value tables;                 ///< [M, L], i8
  mlir::Value steps, negatives, sums; ///< [M, G], f32
  mlir::Value row;                    ///< index of the row
  mlir::Value columns;                ///< K
  int64_t group;                      ///< columns of a group
};

void writeLutTables(KernelBuilder &builder, const LutRow &lut);

} // namespace mezzo

#endif // MEZZO_PASSES_KERNEL_LUTBUILD_H
