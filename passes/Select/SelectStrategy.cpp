//===- SelectStrategy.cpp - strategy, tile and layout of every product ----===//

#include "passes/Passes.h"

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Layout/Catalogue.h"
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

  /// The tile of the option `config`, or failure with a message; none where the
  /// option is empty.
  FailureOr<std::optional<SmallVector<int64_t>>> forcedTile() {
    if (config.empty())
      return std::optional<SmallVector<int64_t>>();
    SmallVector<StringRef> parts;
    StringRef(config).split(parts, ',');
    SmallVector<int64_t> tile(parts.size());
    bool numbers = llvm::all_of(llvm::zip(parts, tile), [](auto pair) {
      auto [text, number] = pair;
      return !text.getAsInteger(10, number);
    });
    if (parts.size() != 3 || !numbers) {
      getOperation().emitError()
          << "cannot read the tile '" << config
          << "': write rows,groups,unroll, such as 4,2,2";
      return failure();
    }
    return std::optional<SmallVector<int64_t>>(tile);
  }

  void runOnOperation() override {
    FailureOr<std::optional<SmallVector<int64_t>>> forced = forcedTile();
    if (failed(forced))
      return signalPassFailure();
    SymbolTableCollection symbols;
    WalkResult result = getOperation().walk([&](MatmulOp op) {
      FailureOr<WeightOp> weight = weightOf(op, symbols);
      if (failed(weight))
        return WalkResult::interrupt();
      Format format = weight->getFormat();
      Layout layout = panel(format.bits());
      PanelFields fields = llvm::cantFail(panelFields(layout, format.bits()));
      StrategyKind kind = strategyFor(op.getMode());
      ConfigAttr chosen = productStrategy(kind).defaultConfig(
          &getContext(), op.getInput().getType().getDimSize(0), fields);
      if (*forced) {
        ArrayRef<int64_t> tile = **forced;
        chosen = ConfigAttr::getChecked([&] { return op.emitError(); },
                                        &getContext(), kind, tile[0], tile[1],
                                        tile[2]);
        if (!chosen)
          return WalkResult::interrupt();
      }
      op.setConfigAttr(chosen);
      weight->setPackedAttr(LayoutAttr::get(&getContext(), layout.str()));
      op.emitRemark() << "strategy " << stringifyStrategyKind(kind) << " for "
                      << *weight->getSpec() << " in mode "
                      << stringifyComputeMode(op.getMode()) << ": tile of "
                      << chosen.getRows() << " rows by "
                      << chosen.getGroups() * PanelFields::RowsPerGroup
                      << " weight rows, unrolled " << chosen.getUnroll()
                      << (*forced ? " (forced)" : " (default)");
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
