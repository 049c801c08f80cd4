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
  switch (mode) {
  case ComputeMode::Int:
    return StrategyKind::NativeDot;
  case ComputeMode::Lut8:
    return StrategyKind::Lut;
  default:
    return StrategyKind::Dequant;
  }
}

/// The layout that a strategy reads codes of so many bits in.
Layout layoutFor(StrategyKind kind, unsigned bits) {
  return kind == StrategyKind::Lut ? lutPanel(bits) : panel(bits);
}

class SelectStrategyPass
    : public mezzo::impl::SelectStrategyBase<SelectStrategyPass> {
  using SelectStrategyBase::SelectStrategyBase;

  void runOnOperation() override {
    llvm::Expected<Target> found = lookupMachine(target);
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
    StrategyKind kind = strategyFor(op.getMode());
    Layout layout = layoutFor(kind, format.bits());
    PanelFields fields =
        llvm::cantFail(fieldsOfAnyPanel(layout, format.bits()));
    ConfigAttr chosen = productStrategy(kind).defaultConfig(
        &getContext(), format, fields, machine);
    chosen = fitChunk(chosen, format, op.getActivationMax());
    FailureOr<ConfigAttr> forced =
        overrideKnobs(chosen, config, [&] { return op.emitError(); });
    if (failed(forced))
      return failure();
    op.setConfigAttr(*forced);
    auto packed = LayoutAttr::get(&getContext(), layout.str());
    if (weight.getPacked() && *weight.getPacked() != packed)
      return op.emitError()
             << "reads " << weight.getSymName() << " in mode `"
             << stringifyComputeMode(op.getMode())
             << "`, which wants another layout than a product before it: give "
                "both one mode, or each a weight of its own";
    weight.setPackedAttr(packed);
    op.emitRemark() << "strategy " << stringifyStrategyKind(kind) << " for "
                    << *weight.getSpec() << " in mode "
                    << stringifyComputeMode(op.getMode()) << ": "
                    << describeKnobs(*forced)
                    << (*forced == chosen ? " (default)" : " (forced)");
    return success();
  }
};

} // namespace
