//===- Halves.h - Vectors of 32 bytes as two registers --------------------===//
//
// Kernels are written in vectors of 32 bytes. LLVM keeps each in two registers
// of this machine, and the extractions and shuffles below become nothing.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_TARGETS_ARM64_HALVES_H
#define MEZZO_TARGETS_ARM64_HALVES_H

#include "targets/Common/SpellingWriter.h"

namespace mezzo::arm64 {

/// The lower (0) or upper (1) half of a vector.
inline mlir::Value halfOf(SpellingWriter &write, mlir::Value vector,
                          unsigned half) {
  auto type = mlir::cast<mlir::VectorType>(vector.getType());
  int64_t size = type.getNumElements() / 2;
  return mlir::vector::ExtractStridedSliceOp::create(
      write.rewriter, write.loc, vector, half * size, size, /*stride=*/1);
}

/// Both halves side by side.
inline mlir::Value join(SpellingWriter &write,
                        llvm::ArrayRef<mlir::Value> two) {
  auto type = mlir::cast<mlir::VectorType>(two[0].getType());
  llvm::SmallVector<int64_t> all(2 * type.getNumElements());
  std::iota(all.begin(), all.end(), 0);
  return mlir::vector::ShuffleOp::create(write.rewriter, write.loc, two[0],
                                         two[1], all);
}

/// Whether a product is of 32 codes that are signed bytes.
template <typename Op>
llvm::LogicalResult checkSignedBytes(Op op, mlir::PatternRewriter &rewriter) {
  auto bytes = mlir::cast<mlir::VectorType>(op.getCodes().getType());
  if (bytes.getNumElements() != 32)
    return rewriter.notifyMatchFailure(op, "not a vector of 32 bytes");
  if (op.getHigh() > INT8_MAX)
    return rewriter.notifyMatchFailure(op, "codes are no signed bytes");
  return llvm::success();
}

} // namespace mezzo::arm64

#endif // MEZZO_TARGETS_ARM64_HALVES_H
