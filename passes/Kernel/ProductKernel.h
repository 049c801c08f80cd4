//===- ProductKernel.h - the loops around every product kernel ------------===//
//
// A product kernel computes y[M, N] = x[M, K] * W[N, K]^T for a range of weight
// panels. Whatever the strategy, the loops are the same, because the compute
// modes fix the order of additions (docs/numbers.md): lanes run over N, a
// register tile over M and N, groups ascend, and K ascends inside a group:
//
//     for panel in [begin, end)                     rowsPerPanel rows of W,
//     packed next to each other
//       for block of row groups                     unrolled: a row group is 8
//       rows, one lane each
//         for tile of activation rows               `rows` at a time, then one
//         at a time
//           y = 0
//           for group in 0 .. G-1                   carries y[rows][row groups]
//           in registers
//             y = groupStep(...)                    the strategy: K steps, then
//             the scale
//           y += bias, store
//
// A strategy is a class that writes `groupStep`. It names no bit width and no
// machine: which bits of which vector make up a code comes from the layout
// (PanelFields), what they mean from the format (Affine), and what may overflow
// from ranges.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_PASSES_KERNEL_PRODUCTKERNEL_H
#define MEZZO_PASSES_KERNEL_PRODUCTKERNEL_H

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Layout/Panel.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mezzo {

/// What a strategy sees of the product it writes: constants known at compile
/// time and arguments of the kernel.
struct ProductArguments {
  Format::Affine affine{1, 0, 0};
  unsigned bits = 0;
  PanelFields panel;
  mlir::ValueRange activations;
  mlir::Value codes, scales,
      offsets;         ///< flat parts of the packed weight; no offsets: null
  mlir::Value columns; ///< K
  mlir::Value groupLength; ///< columns of a group; the last one may be shorter
};

/// A register tile inside one group: which rows of x, which row groups of W,
/// and where the group starts.
struct GroupTile {
  llvm::SmallVector<mlir::Value> rows; ///< indices of activation rows
  llvm::SmallVector<unsigned> groups;  ///< row groups of the panel
  mlir::Value group;                   ///< index of the group along K
  mlir::Value codeOffset;              ///< of the group's first step, in bytes
  mlir::Value scaleOffset; ///< of the group's first row, in elements
  int64_t unroll = 1;
};

/// Accumulators of a tile, row-major [rows][groups], vectors of eight lanes.
using Accumulators = llvm::SmallVector<mlir::Value>;

class ProductStrategy {
public:
  virtual ~ProductStrategy() = default;

  /// The tile that is good without measuring; M is ShapedType::kDynamic where
  /// it is not known.
  virtual ConfigAttr defaultConfig(mlir::MLIRContext *context, int64_t m,
                                   const PanelFields &panel) const = 0;

  /// One group's contribution, the scale included: y' = y + s * dot.
  virtual Accumulators groupStep(mlir::ImplicitLocOpBuilder &builder,
                                 const ProductArguments &arguments,
                                 const GroupTile &tile,
                                 Accumulators y) const = 0;
};

/// The strategy of a kind. The only place that lists them.
const ProductStrategy &productStrategy(StrategyKind kind);

/// `float` mode: decode to f32, fused multiply-add in ascending k.
const ProductStrategy &dequantStrategy();
/// `int` mode: integer dot products of bytes, one scale after the group.
const ProductStrategy &nativeDotStrategy();

/// Writes the kernel of `op` into `module` as a function called `name`.
mlir::FailureOr<mlir::func::FuncOp> emitProductKernel(mlir::ModuleOp module,
                                                      PackedMatmulOp op,
                                                      llvm::StringRef name);

/// The readable key of the kernel: everything that its body depends on. N, K
/// and strides are arguments and not in it.
std::string productKernelKey(PackedMatmulOp op);

//===----------------------------------------------------------------------===//
// Small helpers that strategies share
//===----------------------------------------------------------------------===//

/// Types of a vector of eight lanes.
mlir::VectorType lanesOf(mlir::Type element);

mlir::Value indexConstant(mlir::ImplicitLocOpBuilder &builder, int64_t value);

/// A vector of eight equal i32.
mlir::Value splatI32(mlir::ImplicitLocOpBuilder &builder, int64_t value);

/// A loop from 0 to `count` in steps of `step` that carries accumulators.
Accumulators accumulateOver(
    mlir::ImplicitLocOpBuilder &builder, mlir::Value begin, mlir::Value end,
    int64_t step, Accumulators init,
    llvm::function_ref<Accumulators(mlir::Value index, Accumulators)> body);

/// `accumulateOver` [0, count) with the body repeated `unroll` times per round,
/// and the rest one by one.
Accumulators accumulateUnrolled(
    mlir::ImplicitLocOpBuilder &builder, mlir::Value count, int64_t unroll,
    Accumulators init,
    llvm::function_ref<Accumulators(mlir::Value index, Accumulators)> body);

/// The vectors of one step that the row groups of a tile need; absent ones are
/// null.
llvm::SmallVector<mlir::Value> loadStep(mlir::ImplicitLocOpBuilder &builder,
                                        const ProductArguments &arguments,
                                        const GroupTile &tile,
                                        mlir::Value step);

/// Eight scales (or float offsets) of a row group as f32, eight integer zeros
/// as i32.
mlir::Value loadGroupFloats(mlir::ImplicitLocOpBuilder &builder,
                            mlir::Value array, const GroupTile &tile,
                            unsigned rowGroup);
mlir::Value loadGroupIntegers(mlir::ImplicitLocOpBuilder &builder,
                              mlir::Value array, const GroupTile &tile,
                              unsigned rowGroup);

/// Whether the offsets of the product are integer zero points.
bool hasIntegerZeros(const ProductArguments &arguments);
bool hasFloatZeros(const ProductArguments &arguments);

} // namespace mezzo

#endif // MEZZO_PASSES_KERNEL_PRODUCTKERNEL_H
