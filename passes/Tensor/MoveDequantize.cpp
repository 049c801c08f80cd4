//===- MoveDequantize.cpp - data movement on codes ------------------------===//

#include "passes/Passes.h"

#include "dialects/Mezzo/Mezzo.h"
#include "passes/Tensor/Constants.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mezzo {
#define GEN_PASS_DEF_MOVEDEQUANTIZE
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;
using namespace mezzo;

namespace {

/// The dequantized codes that `value` is, if one scale serves all of them. A
/// constant stays where it is: a product looks for it behind a transposition.
DequantizeOp perTensor(Value value) {
  auto dequantize = value.getDefiningOp<DequantizeOp>();
  return dequantize && dequantize.getScales().getType().getRank() == 0 &&
                 !plainWeightOf(dequantize.getInput())
             ? dequantize
             : DequantizeOp();
}

/// `moved` are the codes where the result of `op` was.
void dequantizeBehind(Operation *op, DequantizeOp dequantize, Value moved,
                      PatternRewriter &rewriter) {
  auto behind = DequantizeOp::create(
      rewriter, dequantize.getLoc(), op->getResult(0).getType(), moved,
      dequantize.getScales(), dequantize.getZeros(), 0, 0);
  behind->setDiscardableAttrs(dequantize->getDiscardableAttrDictionary());
  rewriter.replaceOp(op, behind.getOutput());
}

Type codesLike(Type moved, DequantizeOp dequantize) {
  return cast<RankedTensorType>(moved).clone(
      getElementTypeOrSelf(dequantize.getInput().getType()));
}

//   %d = mezzo.dequantize %q scales(%s)          one scale
//   %y = tensor.collapse_shape %d                or another op of one operand
//   -->
//   %c = tensor.collapse_shape %q
//   %y = mezzo.dequantize %c scales(%s)
template <typename Op>
struct MoveCodes : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    DequantizeOp dequantize = perTensor(op->getOperand(0));
    if (!dequantize)
      return rewriter.notifyMatchFailure(
          op, "it moves nothing that is dequantized by one scale");
    IRMapping codes;
    codes.map(op->getOperand(0), dequantize.getInput());
    Operation *moved = rewriter.clone(*op, codes);
    Value result = moved->getResult(0);
    result.setType(codesLike(result.getType(), dequantize));
    dequantizeBehind(op, dequantize, result, rewriter);
    return success();
  }
};

//   %y = linalg.transpose ins(%d) outs(%init) permutation = p
//   -->
//   %c = linalg.transpose ins(%q) outs(%empty) permutation = p
//   %y = mezzo.dequantize %c scales(%s)
struct MoveCodesByTranspose : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(linalg::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    DequantizeOp dequantize = perTensor(op.getInput());
    if (!dequantize)
      return rewriter.notifyMatchFailure(
          op, "it moves nothing that is dequantized by one scale");
    Location loc = op.getLoc();
    auto type = cast<RankedTensorType>(
        codesLike(op->getResult(0).getType(), dequantize));
    Value init = tensor::EmptyOp::create(
        rewriter, loc, tensor::getMixedSizes(rewriter, loc, op.getInit()),
        type.getElementType());
    auto moved = linalg::TransposeOp::create(
        rewriter, loc, dequantize.getInput(), init, op.getPermutation());
    dequantizeBehind(op, dequantize, moved->getResult(0), rewriter);
    return success();
  }
};

class MoveDequantizePass
    : public mezzo::impl::MoveDequantizeBase<MoveDequantizePass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<MoveCodes<tensor::CollapseShapeOp>,
                 MoveCodes<tensor::ExpandShapeOp>, MoveCodes<tensor::CastOp>,
                 MoveCodes<tensor::ExtractSliceOp>, MoveCodesByTranspose>(
        &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
