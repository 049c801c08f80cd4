//===- KernelTypes.h - what kernels take ----------------------------------===//

#ifndef MEZZO_PASSES_KERNEL_KERNELTYPES_H
#define MEZZO_PASSES_KERNEL_KERNELTYPES_H

#include "mlir/IR/BuiltinTypes.h"

namespace mezzo {

/// A memref of any size whose rows are contiguous: one kernel serves all
/// shapes.
inline mlir::MemRefType anyShape(mlir::ShapedType type) {
  llvm::SmallVector<int64_t> shape(type.getRank(), mlir::ShapedType::kDynamic);
  llvm::SmallVector<int64_t> strides(type.getRank(),
                                     mlir::ShapedType::kDynamic);
  if (!strides.empty())
    strides.back() = 1;
  return mlir::MemRefType::get(
      shape, type.getElementType(),
      mlir::StridedLayoutAttr::get(type.getContext(),
                                   mlir::ShapedType::kDynamic, strides));
}

} // namespace mezzo

#endif // MEZZO_PASSES_KERNEL_KERNELTYPES_H
