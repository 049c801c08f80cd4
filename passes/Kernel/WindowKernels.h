//===- WindowKernels.h - kernels of unquantized products and windows ------===//

#ifndef MEZZO_PASSES_KERNEL_WINDOWKERNELS_H
#define MEZZO_PASSES_KERNEL_WINDOWKERNELS_H

#include "dialects/Mezzo/Mezzo.h"
#include "passes/Kernel/Windows.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace mezzo {

/// Whether `op` is one: dense_matmul, conv, pool.
bool isWindowOp(mlir::Operation *op);

/// What a launch of a window op passes: tensors, then values of type `index`;
/// the number of its tasks, and how many of them are worth a piece.
struct WindowLaunch {
  Values inputs, outputs;
  mlir::Value tasks;
  int64_t grain;
};
WindowLaunch launchOf(mlir::OpBuilder &builder, mlir::Operation *op);

/// The readable key of its kernel: sizes, pads, strides and dilations are
/// arguments and not in it; that the last stride is 1 or 2 is.
std::string windowKernelKey(mlir::Operation *op);

/// Writes the kernel as a function called `name`: inputs and outputs of the
/// launch, then a range of tasks.
mlir::func::FuncOp emitWindowKernel(mlir::ModuleOp module, mlir::Operation *op,
                                    llvm::StringRef name);

//===----------------------------------------------------------------------===//
// Parts of them
//===----------------------------------------------------------------------===//

/// A convolution whose groups have one channel each, computed channel by
/// channel; others are products.
bool isDepthwise(ConvOp op);

/// The arguments of a kernel over windows, by name.
struct WindowArguments {
  WindowArguments(KernelBuilder &b, mlir::func::FuncOp function,
                  unsigned tensors, unsigned spatialDims, bool margins);

  llvm::ArrayRef<mlir::BlockArgument> tensors;
  llvm::SmallVector<Windows::Dim> dims;
  Values margins;     ///< begin, then end, of each dimension
  mlir::Value groups; ///< of a convolution
  mlir::Value output;
  mlir::Value begin, end;
};

/// The bodies, from the start of an empty function on.
void writeDenseMatmul(KernelBuilder &b, mlir::func::FuncOp function,
                      DenseMatmulOp op);
void writeConv(KernelBuilder &b, mlir::func::FuncOp function, ConvOp op);
void writeDepthwise(KernelBuilder &b, mlir::func::FuncOp function, ConvOp op);
void writePool(KernelBuilder &b, mlir::func::FuncOp function, PoolOp op);

/// 1 or 2 where it is the last of these, which have a fast load; else 0.
int64_t fastStride(llvm::ArrayRef<int64_t> strides);

} // namespace mezzo

#endif // MEZZO_PASSES_KERNEL_WINDOWKERNELS_H
