//===- LowerCopies.cpp - copies between buffers with gaps -----------------===//

#include "passes/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mezzo {
#define GEN_PASS_DEF_LOWERCOPIES
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;

namespace {

//   memref.copy %x, %y : memref<4x2xf32> to memref<4x2xf32, strided<[6, 1]>>
//   -->
//   linalg.generic ins(%x) outs(%y) { yield element of %x }
//
// Upstream lowers it to a call of memrefCopy, which is in a library that a
// compiled model does not have. Copies of dense buffers become memcpy there.
struct LowerCopy : OpRewritePattern<memref::CopyOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(memref::CopyOp op,
                                PatternRewriter &rewriter) const override {
    auto isDense = [](Value buffer) {
      auto type = dyn_cast<MemRefType>(buffer.getType());
      return type && type.getLayout().isIdentity();
    };
    if (isDense(op.getSource()) && isDense(op.getTarget()))
      return rewriter.notifyMatchFailure(op, "both buffers are dense");
    linalg::makeMemRefCopyOp(rewriter, op.getLoc(), op.getSource(),
                             op.getTarget());
    rewriter.eraseOp(op);
    return success();
  }
};

class LowerCopiesPass : public mezzo::impl::LowerCopiesBase<LowerCopiesPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerCopy>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
