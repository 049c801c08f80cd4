//===- DenseTile.h - products over a panel of sixteen columns -------------===//

#ifndef MEZZO_PASSES_KERNEL_DENSETILE_H
#define MEZZO_PASSES_KERNEL_DENSETILE_H

#include "passes/Kernel/KernelBuilder.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mezzo {

/// The product of a matrix with a panel: `Lanes` columns of another one, of
/// which a block of at most `MostSteps` steps lies in scratch memory,
/// [step][lane], small enough for a second-level cache.
///
///             panel                    a register tile is six rows by
///             k0 |====|                sixteen lanes; each step adds
///        k    k0+1|===|                x[m + i, k] * panel[k] to row i
///      |---->    |====|
///    m |xxxx|    |yyyy|  y: folded over ascending k, block after block;
///      |xxxx|    |yyyy|  between blocks it lies in the result
///
/// The order of every sum is that of docs/numbers.md: lanes run over columns.
class DenseTile {
public:
  static constexpr int64_t Lanes = 16;
  static constexpr int64_t MostRows = 6;
  static constexpr int64_t MostSteps = 1024;

  /// Scratch memory is made at the beginning of `function`.
  DenseTile(KernelBuilder &b, mlir::func::FuncOp function, mlir::Type element);

  mlir::VectorType lanes() const;
  mlir::Value zeros();
  void putStep(mlir::Value step, mlir::Value vector);

  /// The matrix, flat, and where a row of it begins: what does not depend on k
  /// is computed before the innermost loop.
  struct Matrix {
    mlir::Value flat;
    llvm::function_ref<mlir::Value(mlir::Value row)> rowStart;
  };
  /// A buffer as one row, and the distance of its elements along `dim`.
  static mlir::Value flatten(KernelBuilder &b, mlir::Value buffer);
  static mlir::Value strideOf(KernelBuilder &b, mlir::Value buffer,
                              unsigned dim);

  /// The lanes of a step that is not in scratch memory.
  using Step = llvm::function_ref<mlir::Value(mlir::Value k, int64_t vector)>;
  using Load = llvm::function_ref<mlir::Value(mlir::Value row)>;
  using Store = llvm::function_ref<void(mlir::Value row, mlir::Value sum,
                                        int64_t vector)>;

  /// Adds the block of steps k0 .. k0 + count that lies in scratch memory from
  /// step `place` on to all `rows`; the first block starts from 0, later ones
  /// from what `load` gives.
  void addBlock(mlir::Value rows, mlir::Value k0, mlir::Value count,
                mlir::Value place, mlir::Value isFirst, Matrix matrix,
                Load load, Store store);
  /// A few rows by `vectors` panels side by side, over all steps.
  void product(mlir::Value firstRow, int64_t rows, int64_t vectors,
               mlir::Value count, Matrix matrix, Step step, Store store);

  /// x * y + z, in the arithmetic of the element type.
  mlir::Value multiplyAdd(mlir::Value x, mlir::Value y, mlir::Value z);
  mlir::Value splat(mlir::Value scalar);

private:
  Values fold(mlir::Value firstRow, int64_t rows, int64_t vectors,
              mlir::Value k0, mlir::Value count, Values sums, Matrix matrix,
              Step step);

  KernelBuilder &b;
  mlir::Type element;
  mlir::Value scratch;
};

} // namespace mezzo

#endif // MEZZO_PASSES_KERNEL_DENSETILE_H
