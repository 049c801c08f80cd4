//===- LowerReshapes.cpp - reshapes of dense buffers ----------------------===//

#include "passes/Passes.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mezzo {
#define GEN_PASS_DEF_LOWERRESHAPES
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;

namespace {

/// Row-major strides of these sizes.
SmallVector<OpFoldResult> denseStrides(OpBuilder &builder, Location loc,
                                       ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> strides(sizes.size());
  OpFoldResult stride = builder.getIndexAttr(1);
  for (size_t dim = sizes.size(); dim-- > 0;) {
    strides[dim] = stride;
    std::optional<int64_t> known = getConstantIntValue(stride),
                           size = getConstantIntValue(sizes[dim]);
    if (known && size)
      stride = builder.getIndexAttr(*known * *size);
    else
      stride = arith::MulIOp::create(
                   builder, loc,
                   getValueOrCreateConstantIndexOp(builder, loc, stride),
                   getValueOrCreateConstantIndexOp(builder, loc, sizes[dim]))
                   .getResult();
  }
  return strides;
}

//   memref.expand_shape %m [[0, 1], [2]] output_shape [%b, %s, 64]
//   -->
//   memref.reinterpret_cast %m to offset: 0, sizes: [%b, %s, 64], strides: [..]
//
// Upstream's expansion takes one open size per group of dimensions; batch and
// sequence are two.
struct LowerExpandShape : OpRewritePattern<memref::ExpandShapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(memref::ExpandShapeOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.getSrcType().getLayout().isIdentity() ||
        !op.getResultType().getLayout().isIdentity())
      return rewriter.notifyMatchFailure(op, "the buffer is not dense");
    SmallVector<OpFoldResult> sizes = op.getMixedOutputShape();
    SmallVector<OpFoldResult> strides =
        denseStrides(rewriter, op.getLoc(), sizes);
    // The result type is dense, so its static strides are these.
    rewriter.replaceOpWithNewOp<memref::ReinterpretCastOp>(
        op, op.getResultType(), op.getSrc(), rewriter.getIndexAttr(0), sizes,
        strides);
    return success();
  }
};

class LowerReshapesPass
    : public mezzo::impl::LowerReshapesBase<LowerReshapesPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerExpandShape>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
