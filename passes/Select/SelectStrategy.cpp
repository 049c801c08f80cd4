//===- SelectStrategy.cpp - strategy, knobs and layout of products --------===//

#include "passes/Passes.h"

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Layout/Catalogue.h"
#include "passes/Kernel/Knobs.h"
#include "passes/Kernel/ProductKernel.h"

namespace mezzo {
#define GEN_PASS_DEF_SELECTSTRATEGY
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;
using namespace mezzo;

namespace {

/// The weight behind the codes of a product. Products of run-time codes have no
/// packed form yet.
FailureOr<WeightOp> weightOf(MatmulOp op, SymbolTableCollection &symbols) {
  auto load = op.getCodes().getDefiningOp<LoadWeightOp>();
  if (!load)
    return op.emitError("multiplies by codes that are computed at run time, "
                        "which no strategy does yet: use a constant "
                        "weight, or dequantize it");
  return symbols.lookupNearestSymbolFrom<WeightOp>(op, load.getWeightAttr());
}

StrategyKind strategyFor(ComputeMode mode) {
  return mode == ComputeMode::Int ? StrategyKind::NativeDot
                                  : StrategyKind::Dequant;
}

class SelectStrategyPass
    : public mezzo::impl::SelectStrategyBase<SelectStrategyPass> {
  using SelectStrategyBase::SelectStrategyBase;

  void runOnOperation() override {
    llvm::Expected<Target> found = lookupTarget(target);
    if (!found) {
      getOperation().emitError() << llvm::toString(found.takeError());
      return signalPassFailure();
    }
    SymbolTableCollection symbols;
    WalkResult result = getOperation().walk([&](MatmulOp op) {
      FailureOr<WeightOp> weight = weightOf(op, symbols);
      return succeeded(weight) && succeeded(choose(op, *weight, *found))
                 ? WalkResult::advance()
                 : WalkResult::interrupt();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

  LogicalResult choose(MatmulOp op, WeightOp weight, const Target &machine) {
    Format format = weight.getFormat();
    Layout layout = panel(format.bits());
    PanelFields fields = llvm::cantFail(panelFields(layout, format.bits()));
    StrategyKind kind = strategyFor(op.getMode());
    ConfigAttr chosen = productStrategy(kind).defaultConfig(
        &getContext(), format, fields, machine);
    FailureOr<ConfigAttr> forced =
        overrideKnobs(chosen, config, [&] { return op.emitError(); });
    if (failed(forced))
      return failure();
    op.setConfigAttr(*forced);
    weight.setPackedAttr(LayoutAttr::get(&getContext(), layout.str()));
    op.emitRemark() << "strategy " << stringifyStrategyKind(kind) << " for "
                    << *weight.getSpec() << " in mode "
                    << stringifyComputeMode(op.getMode()) << ": "
                    << describeKnobs(*forced)
                    << (*forced == chosen ? " (default)" : " (forced)");
    return success();
  }
};

} // namespace
