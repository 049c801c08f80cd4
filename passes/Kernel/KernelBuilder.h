//===- KernelBuilder.h - the words that kernels are written in ------------===//

#ifndef MEZZO_PASSES_KERNEL_KERNELBUILDER_H
#define MEZZO_PASSES_KERNEL_KERNELBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mezzo {

/// Values that a loop carries: accumulators, mostly.
using Values = llvm::SmallVector<mlir::Value>;

/// An ImplicitLocOpBuilder that knows index arithmetic on constants, vectors
/// with a lane for each row of one or more row groups, and loops that carry
/// values. What is constant is folded while it is written, so that emitters
/// need no special cases for offsets of zero.
class KernelBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  /// Weight rows of a vector: 8 unless somebody says otherwise.
  void setLanes(unsigned count) { lanes = count; }
  unsigned getLanes() const { return lanes; }

  //===------------------------------------------------------------------===//
  // Index arithmetic
  //===------------------------------------------------------------------===//

  mlir::Value index(int64_t value);
  mlir::Value add(mlir::Value left, mlir::Value right);
  mlir::Value add(mlir::Value left, int64_t right);
  mlir::Value sub(mlir::Value left, mlir::Value right);
  mlir::Value mul(mlir::Value left, mlir::Value right);
  mlir::Value mul(mlir::Value left, int64_t right);
  /// Of values that are not negative.
  mlir::Value min(mlir::Value left, mlir::Value right);
  mlir::Value divide(mlir::Value left, int64_t right);
  mlir::Value ceilDivide(mlir::Value left, int64_t right);
  mlir::Value remainder(mlir::Value left, int64_t right);
  /// The largest multiple of `step` up to `value`.
  mlir::Value roundDown(mlir::Value value, int64_t step);

  //===------------------------------------------------------------------===//
  // Vectors
  //===------------------------------------------------------------------===//

  /// One lane for each row.
  mlir::VectorType lanesOf(mlir::Type element);
  /// The bytes of one 32-bit lane for each row, and their 16-bit words.
  mlir::VectorType laneBytes() {
    return mlir::VectorType::get(4 * lanes, getI8Type());
  }
  mlir::VectorType laneWords() {
    return mlir::VectorType::get(2 * lanes, getI16Type());
  }
  /// All zeros.
  mlir::Value zeros(mlir::VectorType type);
  /// `value` in every element of a vector of integers, cut to their width.
  mlir::Value splat(mlir::VectorType type, int64_t value);
  mlir::Value splatFloat(mlir::VectorType type, float value);
  /// A scalar in all of these lanes.
  mlir::Value broadcast(mlir::Value scalar);
  mlir::Value bitcast(mlir::VectorType type, mlir::Value vector);
  /// One vector of the lanes of several, in their order: one or two of them.
  mlir::Value concatenate(llvm::ArrayRef<mlir::Value> vectors);
  /// A vector from, or to, the bytes at `offset` of a flat memref of i8.
  mlir::Value loadBytes(mlir::VectorType type, mlir::Value memory,
                        mlir::Value offset);
  void storeBytes(mlir::Value vector, mlir::Value memory, mlir::Value offset);

  //===------------------------------------------------------------------===//
  // Loops
  //===------------------------------------------------------------------===//

  using Body = llvm::function_ref<Values(mlir::Value index, Values carried)>;
  using PlainBody = llvm::function_ref<void(mlir::Value index)>;

  /// for (index = begin; index < end; index += step) carried = body(...)
  Values loop(mlir::Value begin, mlir::Value end, int64_t step, Values carried,
              Body body);
  void loop(mlir::Value begin, mlir::Value end, int64_t step, PlainBody body);

  /// A loop of a constant number of rounds, `unroll` of them written out in
  /// each; the position among those is the body's second argument. What does
  /// not fill a round is written out behind the loop.
  using UnrolledBody = llvm::function_ref<Values(
      mlir::Value index, unsigned position, Values carried)>;
  Values unrolled(int64_t count, int64_t unroll, Values carried,
                  UnrolledBody body);

  /// `begin` to `end` in tiles of `rows`, then what is left in tiles of the
  /// powers of two below that, down to 1.
  void tiles(mlir::Value begin, mlir::Value end, int64_t rows,
             llvm::function_ref<void(mlir::Value first, int64_t rows)> body);

private:
  unsigned lanes = 8;
};

} // namespace mezzo

#endif // MEZZO_PASSES_KERNEL_KERNELBUILDER_H
