//===- WindowGeometry.h - kernels, strides, pads and what follows ---------===//

#ifndef MEZZO_PASSES_FRONTEND_WINDOWGEOMETRY_H
#define MEZZO_PASSES_FRONTEND_WINDOWGEOMETRY_H

#include "passes/Frontend/Node.h"

namespace mezzo {

/// The windows of a convolution or pool: one entry per spatial dimension.
struct WindowGeometry {
  Sizes image, kernel, padsBegin, padsEnd, output;
  llvm::SmallVector<int64_t> strides, dilations;

  size_t rank() const { return image.size(); }
};

/// Reads `strides`, `dilations`, `pads`, `auto_pad` and, where `rounds`,
/// `ceil_mode`, and computes the sizes of the output. `image` and `kernel` are
/// the spatial sizes. Errors: lists of another length, steps below 1, a window
/// that is larger than the padded image; where that depends on sizes that are
/// not known, the run fails.
mlir::FailureOr<WindowGeometry> readWindow(Node &node,
                                           llvm::ArrayRef<Size> image,
                                           llvm::ArrayRef<Size> kernel,
                                           bool rounds = false);

/// The list of `rank` integers of an attribute, by default all `absent`; an
/// error where it has another length, or a number below `least`.
mlir::FailureOr<llvm::SmallVector<int64_t>>
perDimension(Node &node, llvm::StringRef attribute, size_t rank, int64_t absent,
             int64_t least);

/// Fails the run with `message` where `condition` does not hold, an error at
/// once where it surely does not: `condition` is lhs <= rhs.
mlir::LogicalResult requireLessOrEqual(Node &node, Size lhs, Size rhs,
                                       const llvm::Twine &message);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_WINDOWGEOMETRY_H
