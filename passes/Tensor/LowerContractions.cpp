//===- LowerContractions.cpp - the order and rounding of plain products ---===//

#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace mezzo {
#define GEN_PASS_DEF_LOWERCONTRACTIONS
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;

namespace {

//   linalg.generic (contraction) { %p = arith.mulf %a, %b ; %s = arith.addf
//   %acc, %p }
//   -->
//   linalg.generic (contraction) { %s = math.fma %a, %b, %acc }
struct FuseMultiplyAdd : OpRewritePattern<arith::AddFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::AddFOp op,
                                PatternRewriter &rewriter) const override {
    auto generic = dyn_cast<linalg::GenericOp>(op->getParentOp());
    if (!generic || generic.getNumReductionLoops() == 0)
      return rewriter.notifyMatchFailure(op, "not in a reduction");
    for (auto [product, sum] : {std::pair(op.getLhs(), op.getRhs()),
                                std::pair(op.getRhs(), op.getLhs())}) {
      auto mul = product.getDefiningOp<arith::MulFOp>();
      auto accumulator = dyn_cast<BlockArgument>(sum);
      if (!mul || !mul->hasOneUse() || !accumulator ||
          accumulator.getArgNumber() < generic.getNumDpsInputs())
        continue;
      rewriter.replaceOpWithNewOp<math::FmaOp>(op, mul.getLhs(), mul.getRhs(),
                                               sum);
      return success();
    }
    return rewriter.notifyMatchFailure(
        op, "does not add a product to the accumulator");
  }
};

class LowerContractionsPass
    : public mezzo::impl::LowerContractionsBase<LowerContractionsPass> {
  void runOnOperation() override {
    // Upstream's order of loops is (.., m, n, k): k ascends innermost, as the
    // mode wants.
    SmallVector<linalg::LinalgOp> products;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (!isa<linalg::GenericOp>(op) && linalg::isaContractionOpInterface(op))
        products.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp op : products) {
      rewriter.setInsertionPoint(op);
      if (failed(linalg::generalizeNamedOp(rewriter, op))) {
        op.emitError("is a product that cannot be written as loops");
        return signalPassFailure();
      }
    }
    RewritePatternSet patterns(&getContext());
    patterns.add<FuseMultiplyAdd>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
