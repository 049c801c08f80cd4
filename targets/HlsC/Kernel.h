//===- Kernel.h - the code of a plan, as it grows -------------------------===//

#ifndef MEZZO_TARGETS_HLSC_KERNEL_H
#define MEZZO_TARGETS_HLSC_KERNEL_H

#include "lib/Support/Sanitize.h"
#include "targets/HlsC/CodeBuilder.h"
#include "targets/HlsC/Knobs.h"
#include "targets/HlsC/Plan.h"

namespace mezzo::hlsc {

/// A constant array of the header of weights: floats, integers or words.
struct ConstantArray {
  std::string name, element; ///< element: its type in C
  std::vector<int64_t> shape;
  std::vector<float> floats;
  std::vector<int64_t> integers;
  std::vector<uint64_t> words;
  int64_t wordBytes = 0;
};

/// What the writers of stages share.
struct Kernel {
  CodeBuilder &c;
  const Plan &plan;
  const Knobs &knobs;
  UniqueIdentifiers names; ///< of functions and constants
  std::vector<ConstantArray> constants;
  /// The function of each stage.
  std::vector<mlir::emitc::FuncOp> functions;
  mlir::emitc::FuncOp rescale; ///< null where nothing is integer-only

  Kernel(CodeBuilder &c, const Plan &plan, const Knobs &knobs);

  /// Adds a constant; its name, by which c.element() finds it.
  std::string addConstant(ConstantArray constant, mlir::Type element,
                          llvm::ArrayRef<Partition> partitions = {});
  std::string addFloats(llvm::StringRef name, std::vector<int64_t> shape,
                        std::vector<float> values,
                        llvm::ArrayRef<Partition> partitions = {});

  const Wire &input(const Stage &stage, unsigned index = 0) const {
    return plan.wires[stage.inputs[index]];
  }
  const Wire &output(const Stage &stage) const {
    return plan.wires[stage.output];
  }

  // A wire at the end of a stage: an array of one row in C, a FIFO in HLS.

  /// Half tables of 4 columns have 8 entries of 10 bits.
  static constexpr int64_t TableEntries = 8;
  mlir::Type elementType(const Wire &wire);
  mlir::Type codeType() { return c.signedBits(8); }
  mlir::Type tableType() { return c.signedBits(10); }
  /// Elements of a row, apart from the scale.
  std::vector<int64_t> rowShape(const Wire &wire) const;
  int64_t rowElements(const Wire &wire) const;
  /// The parameters of a stage for a wire that it reads or writes: the row, and
  /// the scale where there is one.
  void addParameters(llvm::SmallVectorImpl<CodeBuilder::Parameter> &parameters,
                     const Wire &wire, llvm::StringRef name, bool isInput);
  /// Runs `body` for every row: in C, once.
  void forRows(llvm::function_ref<void()> body);
  /// The next element of an input, which in C is that at `index`.
  Expr read(mlir::Value input, llvm::ArrayRef<Expr> index);
  void write(mlir::Value output, llvm::ArrayRef<Expr> index, Expr value);
  /// The function of a stage, in which `body` is run for every row.
  void stageFunction(const Stage &stage, llvm::StringRef what,
                     CodeBuilder::Body body);
  /// Clamps a float and rounds it to the nearest integer, ties to even; NaN
  /// becomes 0.
  void clampAndRound(Place code, float low, float high);
  /// A whole row of floats as an array.
  mlir::Value readRow(mlir::Value input, llvm::StringRef name, int64_t columns);
};

/// The stages, one writer each; every function is appended to the kernel.
void writeQuantize(Kernel &k, const Stage &stage);
void writeTables(Kernel &k, const Stage &stage);
void writeStaticQuantize(Kernel &k, const Stage &stage);
void writeStaticDequantize(Kernel &k, const Stage &stage);
llvm::Error writeProduct(Kernel &k, const Stage &stage);
void writeNorm(Kernel &k, const Stage &stage);
void writeSoftmax(Kernel &k, const Stage &stage);
void writeElementwise(Kernel &k, const Stage &stage);

/// The function that all products of mode `integer-only` end with.
void writeRescale(Kernel &k);

/// The function that multiplies `parallelK` codes by as many activations.
mlir::emitc::FuncOp writeEngine(Kernel &k, const Stage &stage,
                                const ProductShape &shape);

/// The function of the whole model.
void writeTop(Kernel &k);

} // namespace mezzo::hlsc

#endif // MEZZO_TARGETS_HLSC_KERNEL_H
