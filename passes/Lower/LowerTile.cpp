//===- LowerTile.cpp - `tile` as the target spells it ---------------------===//

#include "passes/Passes.h"

#include "dialects/Tile/Tile.h"
#include "targets/Target.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mezzo {
#define GEN_PASS_DEF_LOWERTILE
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;
using namespace mezzo;

namespace {

class LowerTilePass : public mezzo::impl::LowerTileBase<LowerTilePass> {
  using LowerTileBase::LowerTileBase;

  void runOnOperation() override {
    llvm::Expected<Target> found = lookupMachine(target);
    if (!found) {
      getOperation().emitError() << llvm::toString(found.takeError());
      return signalPassFailure();
    }
    // Spellings first; what they leave over, the definitions take.
    if (found->populateTileSpellings) {
      RewritePatternSet spellings(&getContext());
      found->populateTileSpellings(spellings);
      if (failed(applyPatternsGreedily(getOperation(), std::move(spellings))))
        return signalPassFailure();
    }
    RewritePatternSet definitions(&getContext());
    tile::populateDefinitionPatterns(definitions);
    if (failed(applyPatternsGreedily(getOperation(), std::move(definitions))))
      signalPassFailure();
  }
};

} // namespace
