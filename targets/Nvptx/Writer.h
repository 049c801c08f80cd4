//===- Writer.h - The words a GPU kernel is written in ----------*- C++ -*-===//
//
// Integer arithmetic on i32, pointers with byte offsets, and the instructions
// of a warp: a thin layer over the dialects arith, scf, LLVM and NVVM, so that
// an engine reads like the algorithm it is.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_TARGETS_NVPTX_WRITER_H
#define MEZZO_TARGETS_NVPTX_WRITER_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <array>

namespace mezzo::nvptx {

using Values = llvm::SmallVector<mlir::Value, 64>;

class Writer : public mlir::ImplicitLocOpBuilder {
public:
  enum Space : unsigned { Global = 1, Shared = 3 };

  explicit Writer(mlir::ModuleOp module);

  // Kernels.

  /// Opens a kernel of `threads` threads a block; its arguments.
  llvm::SmallVector<mlir::Value> kernel(mlir::ModuleOp module,
                                        llvm::StringRef name,
                                        llvm::ArrayRef<mlir::Type> types,
                                        unsigned threads);
  /// The dynamic shared memory of the launch.
  mlir::Value sharedMemory(mlir::ModuleOp module);
  void ret();

  // Constants and types.

  mlir::Value i32(int32_t value);
  mlir::Value f32(float value);
  mlir::Value zero(mlir::Type type);
  mlir::Type pointer(Space space);
  mlir::Type pairType(); ///< vector<2xf16>

  // i32.

  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value min(mlir::Value a, mlir::Value b);
  mlir::Value divide(mlir::Value a, int32_t b); ///< Of numbers not negative.
  mlir::Value remainder(mlir::Value a, int32_t b);
  mlir::Value ceilDivide(mlir::Value a, int32_t b);
  mlir::Value bitAnd(mlir::Value a, mlir::Value b);
  mlir::Value bitOr(mlir::Value a, mlir::Value b);
  mlir::Value bitXor(mlir::Value a, mlir::Value b);
  mlir::Value shiftLeft(mlir::Value a, unsigned by);
  mlir::Value shiftRight(mlir::Value a, unsigned by);
  /// (a & b) | c, in one instruction.
  mlir::Value andOr(mlir::Value a, mlir::Value b, mlir::Value c);
  mlir::Value less(mlir::Value a, mlir::Value b);
  mlir::Value equal(mlir::Value a, mlir::Value b);
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  mlir::Value bitcast(mlir::Type type, mlir::Value value);

  // i64, where a tensor may be larger than 2 GiB.

  mlir::Value mulWide(mlir::Value a, mlir::Value b);
  /// An i64 and an i32 that is not negative.
  mlir::Value addWide(mlir::Value wide, mlir::Value b);
  mlir::Value shiftLeftWide(mlir::Value wide, unsigned by);

  // Floats.

  mlir::Value fma(mlir::Value a, mlir::Value b, mlir::Value c);
  mlir::Value mulFloat(mlir::Value a, mlir::Value b);
  mlir::Value addFloat(mlir::Value a, mlir::Value b);
  mlir::Value toFloat(mlir::Value integer);
  mlir::Value sub16(mlir::Value a, mlir::Value b); ///< vector<2xf16>

  // Memory. Offsets count bytes.

  mlir::Value at(mlir::Value pointer, mlir::Value offset);
  mlir::Value atWide(mlir::Value pointer, mlir::Value offset);
  mlir::Value load(mlir::Type type, mlir::Value pointer);
  /// Two neighbours in one load.
  std::array<mlir::Value, 2> loadPair(mlir::Type type, mlir::Value pointer);
  /// Four i32 in one load of 16 bytes.
  std::array<mlir::Value, 4> loadVector(mlir::Value pointer);
  void store(mlir::Value value, mlir::Value pointer);
  /// cp.async of 16 bytes; of `bytes`, and zeros after them, where it is given.
  void copyAsync(mlir::Value to, mlir::Value from, mlir::Value bytes);
  void commitGroup();
  void waitGroup(unsigned remaining);

  // Threads.

  mlir::Value threadIndex();
  mlir::Value blockIndex(char axis);
  void barrier();
  /// ldmatrix.x4: a struct of four i32.
  mlir::Value loadMatrix(mlir::Value pointer);
  /// sums += a * b: m16n8k16 of halves, or m16n8k32 of s8 and u8. `a` is what
  /// loadMatrix gave; `b` vector<2xf16>, or i32.
  void multiply(bool half, mlir::Value a, std::array<mlir::Value, 2> b,
                llvm::MutableArrayRef<mlir::Value> sums);

  // Control.

  void ifThen(mlir::Value condition, llvm::function_ref<void()> body);
  /// body() where the condition holds, else `otherwise`.
  Values ifElse(mlir::Value condition, Values otherwise,
                llvm::function_ref<Values()> body);
  Values loop(mlir::Value begin, mlir::Value end, Values carried,
              llvm::function_ref<Values(mlir::Value, Values)> body);
};

} // namespace mezzo::nvptx

#endif // MEZZO_TARGETS_NVPTX_WRITER_H
