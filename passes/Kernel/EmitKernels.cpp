//===- EmitKernels.cpp - one function per key, and its launches -----------===//

#include "passes/Passes.h"

#include "dialects/Mezzo/Mezzo.h"
#include "dialects/Tile/Tile.h"
#include "passes/Kernel/ProductKernel.h"
#include "passes/Kernel/RowKernels.h"
#include "passes/Kernel/WindowKernels.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mezzo {
#define GEN_PASS_DEF_EMITKERNELS
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;
using namespace mezzo;

namespace {

/// Rows of a weight that one task of a product computes at least: small enough
/// to balance two threads, large enough that claiming a task costs nothing.
constexpr int64_t ProductRowsPerTask = 64;
/// Elements of a row kernel that are worth a task.
constexpr int64_t RowElementsPerTask = 1 << 14;

class EmitKernelsPass : public mezzo::impl::EmitKernelsBase<EmitKernelsPass> {
  using EmitKernelsBase::EmitKernelsBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::Expected<Target> found = lookupMachine(target);
    if (!found) {
      module.emitError() << llvm::toString(found.takeError());
      return signalPassFailure();
    }
    SmallVector<Operation *> ops;
    module.walk([&](Operation *op) {
      if (isa<PackedMatmulOp>(op) || isRowOp(op) || isWindowOp(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      auto product = dyn_cast<PackedMatmulOp>(op);
      if (failed(product          ? launchProduct(product, *found)
                 : isWindowOp(op) ? launchWindows(op)
                                  : launchRows(op)))
        return signalPassFailure();
    }
  }

  /// Tensors for the results of an op to be written into.
  FailureOr<SmallVector<Value>> destinations(OpBuilder &builder,
                                             Operation *op) {
    ReifiedRankedShapedTypeDims shapes;
    if (failed(reifyResultShapes(builder, op, shapes)))
      return op->emitError("has results of unknown shape");
    SmallVector<Value> values;
    for (auto [result, shape] : llvm::zip_equal(op->getResults(), shapes))
      values.push_back(tensor::EmptyOp::create(
          builder, op->getLoc(), shape,
          cast<RankedTensorType>(result.getType()).getElementType()));
    return values;
  }

  //   %y = mezzo.packed_matmul (%x), %w
  //   -->
  //   %y = mezzo.launch @matmul.float.uint4... count(panels)
  //          ins(%x, %w, N, K) outs(empty)
  LogicalResult launchProduct(PackedMatmulOp op, const Target &machine) {
    ModuleOp module = getOperation();
    std::string key = productKernelKey(op, machine);
    if (!module.lookupSymbol(key))
      emitProductKernel(module, op, machine, key);
    OpBuilder builder(op);
    FailureOr<SmallVector<Value>> outputs = destinations(builder, op);
    if (failed(outputs))
      return failure();
    ProductFacts facts(op, machine);
    auto constant = [&](int64_t value) -> Value {
      return arith::ConstantIndexOp::create(builder, op.getLoc(), value);
    };
    SmallVector<Value> inputs(op.getActivation());
    if (op.getInputZeros())
      inputs.push_back(op.getInputZeros());
    inputs.push_back(op.getWeight());
    if (op.getBias())
      inputs.push_back(op.getBias());
    for (int64_t size : {op.getRows(), op.getColumns()})
      inputs.push_back(constant(size));
    int64_t perPanel = facts.panel.rowsPerPanel;
    int64_t panels = llvm::divideCeil(op.getRows(), perPanel);
    int64_t grain =
        std::max(facts.config.getStreams(), ProductRowsPerTask / perPanel);
    replaceByLaunch(builder, op, key, constant(panels), inputs, *outputs,
                    grain);
    return success();
  }

  LogicalResult launchRows(Operation *op) {
    ModuleOp module = getOperation();
    std::string key = rowKernelKey(op);
    if (!module.lookupSymbol(key))
      emitRowKernel(module, op, key);
    OpBuilder builder(op);
    FailureOr<SmallVector<Value>> outputs = destinations(builder, op);
    if (failed(outputs))
      return failure();
    Value rows =
        tensor::DimOp::create(builder, op->getLoc(), op->getOperand(0), 0);
    int64_t columns =
        cast<ShapedType>(op->getOperand(0).getType()).getDimSize(1);
    int64_t grain =
        ShapedType::isDynamic(columns)
            ? 1
            : std::max<int64_t>(1, RowElementsPerTask /
                                       std::max<int64_t>(1, columns));
    replaceByLaunch(builder, op, key, rows, op->getOperands(), *outputs, grain);
    return success();
  }

  LogicalResult launchWindows(Operation *op) {
    std::string key = windowKernelKey(op);
    if (!getOperation().lookupSymbol(key))
      emitWindowKernel(getOperation(), op, key);
    OpBuilder builder(op);
    WindowLaunch launch = launchOf(builder, op);
    replaceByLaunch(builder, op, key, launch.tasks, launch.inputs,
                    launch.outputs, launch.grain);
    return success();
  }

  static void replaceByLaunch(OpBuilder &builder, Operation *op,
                              StringRef kernel, Value count, ValueRange inputs,
                              ValueRange outputs, int64_t grain) {
    auto launch = LaunchOp::create(builder, op->getLoc(), outputs.getTypes(),
                                   kernel, count, inputs, outputs, grain);
    op->replaceAllUsesWith(launch.getResults());
    op->erase();
  }
};

} // namespace
