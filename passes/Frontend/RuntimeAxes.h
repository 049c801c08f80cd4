//===- RuntimeAxes.h - axes that only the run knows -------------*- C++ -*-===//

#ifndef MEZZO_PASSES_FRONTEND_RUNTIMEAXES_H
#define MEZZO_PASSES_FRONTEND_RUNTIMEAXES_H

#include "passes/Frontend/Node.h"

namespace mezzo {

/// For each of `rank` dimensions an i1, whether it is among `axes`. A run in
/// which one of them is out of range, or named twice, ends with an error.
llvm::SmallVector<mlir::Value> flagAxes(Node &node, llvm::ArrayRef<Size> axes,
                                        int64_t rank);

/// `shape` without its flagged dimensions, of which there are `count`: the k-th
/// size of the result is that of the k-th dimension without a flag.
Sizes withoutFlagged(Node &node, llvm::ArrayRef<Size> shape,
                     llvm::ArrayRef<mlir::Value> flags, int64_t count);

/// The inverse: sizes of 1 where there is a flag, those of `shape` elsewhere.
Sizes withFlagged(Node &node, llvm::ArrayRef<Size> shape,
                  llvm::ArrayRef<mlir::Value> flags);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_RUNTIMEAXES_H
