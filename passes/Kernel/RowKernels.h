//===- RowKernels.h - kernels that work on one row at a time --------------===//

#ifndef MEZZO_PASSES_KERNEL_ROWKERNELS_H
#define MEZZO_PASSES_KERNEL_ROWKERNELS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace mezzo {

/// Whether `op` is one: softmax, layer_norm, rms_norm, quantize_rows,
/// arrange_rows, lut_build.
bool isRowOp(mlir::Operation *op);

/// The readable key of its kernel: sizes are arguments and not in it.
std::string rowKernelKey(mlir::Operation *op);

/// Writes the kernel as a function called `name`: operands, then results as
/// destinations, then a range of rows.
mlir::func::FuncOp emitRowKernel(mlir::ModuleOp module, mlir::Operation *op,
                                 llvm::StringRef name);

} // namespace mezzo

#endif // MEZZO_PASSES_KERNEL_ROWKERNELS_H
