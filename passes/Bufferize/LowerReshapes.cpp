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
                                       ArrayRef<OpFoldResult> sizes,
                                       OpFoldResult stride = {}) {
  SmallVector<OpFoldResult> strides(sizes.size());
  if (!stride)
    stride = builder.getIndexAttr(1);
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
// sequence are two. Of a buffer with gaps, the strides and the offset are read.
struct LowerExpandShape : OpRewritePattern<memref::ExpandShapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(memref::ExpandShapeOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    SmallVector<OpFoldResult> sizes = op.getMixedOutputShape();
    if (op.getSrcType().getLayout().isIdentity() &&
        op.getResultType().getLayout().isIdentity()) {
      // The result type is dense, so its static strides are these.
      rewriter.replaceOpWithNewOp<memref::ReinterpretCastOp>(
          op, op.getResultType(), op.getSrc(), rewriter.getIndexAttr(0), sizes,
          denseStrides(rewriter, loc, sizes));
      return success();
    }
    bool severalOpen = llvm::any_of(
        op.getReassociationIndices(), [&](const ReassociationIndices &group) {
          return llvm::count_if(group, [&](int64_t dim) {
                   return !getConstantIntValue(sizes[dim]);
                 }) > 1;
        });
    if (!severalOpen)
      return rewriter.notifyMatchFailure(op, "upstream does that");
    auto source =
        memref::ExtractStridedMetadataOp::create(rewriter, loc, op.getSrc());
    SmallVector<OpFoldResult> sourceStrides =
        source.getConstifiedMixedStrides();
    SmallVector<OpFoldResult> strides;
    for (auto [group, stride] :
         llvm::zip_equal(op.getReassociationIndices(), sourceStrides)) {
      SmallVector<OpFoldResult> ofGroup;
      for (int64_t dim : group)
        ofGroup.push_back(sizes[dim]);
      llvm::append_range(strides, denseStrides(rewriter, loc, ofGroup, stride));
    }
    rewriter.replaceOpWithNewOp<memref::ReinterpretCastOp>(
        op, op.getResultType(), source.getBaseBuffer(),
        source.getConstifiedMixedOffset(), sizes, strides);
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
