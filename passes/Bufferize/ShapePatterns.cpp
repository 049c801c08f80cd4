//===- ShapePatterns.cpp - sizes without the tensors they come from -------===//

#include "passes/Bufferize/ShapePatterns.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// Whether `value`, a tensor inside a loop, is `start` with other elements: the
/// shape of it, whatever was written.
bool hasShapeOf(Value value, Value start) {
  while (value != start) {
    if (auto insert = value.getDefiningOp<tensor::InsertOp>())
      value = insert.getDest();
    else if (auto slice = value.getDefiningOp<tensor::InsertSliceOp>())
      value = slice.getDest();
    else if (auto generic = value.getDefiningOp<linalg::LinalgOp>())
      value =
          generic.getDpsInitOperand(cast<OpResult>(value).getResultNumber())
              ->get();
    else if (auto loop = value.getDefiningOp<scf::ForOp>()) {
      unsigned number = cast<OpResult>(value).getResultNumber();
      if (!hasShapeOf(loop.getYieldedValues()[number],
                      loop.getRegionIterArg(number)))
        return false;
      value = loop.getInitArgs()[number];
    } else {
      return false;
    }
  }
  return true;
}

//   %y = scf.for ... iter_args(%a = %x) { ... yield %a with other elements }
//   tensor.dim %y
//   -->
//   tensor.dim %x
struct DimOfLoop : OpRewritePattern<tensor::DimOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::DimOp op,
                                PatternRewriter &rewriter) const override {
    auto loop = op.getSource().getDefiningOp<scf::ForOp>();
    if (!loop)
      return rewriter.notifyMatchFailure(op, "of no loop");
    unsigned number = cast<OpResult>(op.getSource()).getResultNumber();
    if (!hasShapeOf(loop.getYieldedValues()[number],
                    loop.getRegionIterArg(number)))
      return rewriter.notifyMatchFailure(op, "the loop may change the shape");
    rewriter.modifyOpInPlace(
        op, [&] { op.getSourceMutable().assign(loop.getInitArgs()[number]); });
    return success();
  }
};

//   %y = linalg.generic ins(%x) { body }
//   tensor.extract %y[%i]
//   -->
//   body on tensor.extract %x[map(%i)]
struct ExtractOfGeneric : OpRewritePattern<tensor::ExtractOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::ExtractOp op,
                                PatternRewriter &rewriter) const override {
    auto generic = op.getTensor().getDefiningOp<linalg::GenericOp>();
    if (!generic || generic.getNumResults() != 1 ||
        generic.getNumParallelLoops() != generic.getNumLoops() ||
        !generic.getIndexingMapsArray().back().isIdentity())
      return rewriter.notifyMatchFailure(op, "of nothing element-wise");
    Block &body = generic.getRegion().front();
    if (!body.getArguments().back().use_empty())
      return rewriter.notifyMatchFailure(op, "the body reads its output");
    for (Operation &inner : body.without_terminator())
      if (inner.getNumRegions() > 0)
        return rewriter.notifyMatchFailure(op, "the body has control flow");
    IRMapping mapping;
    for (auto [input, map, argument] :
         llvm::zip(generic.getDpsInputs(), generic.getIndexingMapsArray(),
                   body.getArguments())) {
      SmallVector<Value> place;
      for (AffineExpr expr : map.getResults()) {
        if (auto dim = dyn_cast<AffineDimExpr>(expr))
          place.push_back(op.getIndices()[dim.getPosition()]);
        else if (auto constant = dyn_cast<AffineConstantExpr>(expr))
          place.push_back(arith::ConstantIndexOp::create(rewriter, op.getLoc(),
                                                         constant.getValue()));
        else
          return rewriter.notifyMatchFailure(op, "an index is computed");
      }
      Value element = input;
      if (isa<RankedTensorType>(input.getType()))
        element =
            tensor::ExtractOp::create(rewriter, op.getLoc(), input, place);
      mapping.map(argument, element);
    }
    for (Operation &inner : body.without_terminator()) {
      if (auto index = dyn_cast<linalg::IndexOp>(inner))
        mapping.map(index.getResult(), op.getIndices()[index.getDim()]);
      else
        rewriter.clone(inner, mapping);
    }
    rewriter.replaceOp(
        op, mapping.lookupOrDefault(body.getTerminator()->getOperand(0)));
    return success();
  }
};

//   tensor.extract (linalg.fill ins(%x))
//   -->
//   %x
struct ExtractOfFill : OpRewritePattern<tensor::ExtractOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::ExtractOp op,
                                PatternRewriter &rewriter) const override {
    auto fill = op.getTensor().getDefiningOp<linalg::FillOp>();
    if (!fill)
      return rewriter.notifyMatchFailure(op, "of no fill");
    rewriter.replaceOp(op, fill.getInputs()[0]);
    return success();
  }
};

//   tensor.extract (tensor.expand_shape %x : tensor<f32>, tensor<1x1xf32>)
//   -->
//   tensor.extract %x, the one element that there is
template <typename Reshape>
struct ExtractOfReshape : OpRewritePattern<tensor::ExtractOp> {
  using OpRewritePattern<tensor::ExtractOp>::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::ExtractOp op,
                                PatternRewriter &rewriter) const override {
    auto reshape = op.getTensor().template getDefiningOp<Reshape>();
    if (!reshape || !reshape.getSrcType().hasStaticShape() ||
        reshape.getSrcType().getNumElements() != 1)
      return rewriter.notifyMatchFailure(op, "of more than one element");
    Value zero = arith::ConstantIndexOp::create(rewriter, op.getLoc(), 0);
    SmallVector<Value> place(reshape.getSrcType().getRank(), zero);
    rewriter.replaceOpWithNewOp<tensor::ExtractOp>(op, reshape.getSrc(), place);
    return success();
  }
};

//   tensor.extract (tensor.extract_slice %x[%o] [..] [%s])[%i]
//   -->
//   tensor.extract %x[%o + %i * %s]
struct ExtractOfSlice : OpRewritePattern<tensor::ExtractOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::ExtractOp op,
                                PatternRewriter &rewriter) const override {
    auto slice = op.getTensor().getDefiningOp<tensor::ExtractSliceOp>();
    if (!slice || slice.getSourceType().getRank() != slice.getType().getRank())
      return rewriter.notifyMatchFailure(op, "of no slice of its rank");
    auto value = [&](OpFoldResult size) {
      return getValueOrCreateConstantIndexOp(rewriter, op.getLoc(), size);
    };
    SmallVector<Value> place;
    for (auto [index, offset, stride] :
         llvm::zip_equal(op.getIndices(), slice.getMixedOffsets(),
                         slice.getMixedStrides())) {
      Value scaled =
          arith::MulIOp::create(rewriter, op.getLoc(), index, value(stride));
      place.push_back(
          arith::AddIOp::create(rewriter, op.getLoc(), value(offset), scaled));
    }
    rewriter.replaceOpWithNewOp<tensor::ExtractOp>(op, slice.getSource(),
                                                   place);
    return success();
  }
};

} // namespace

void mezzo::populateShapePatterns(RewritePatternSet &patterns) {
  patterns.add<DimOfLoop, ExtractOfGeneric, ExtractOfFill, ExtractOfSlice,
               ExtractOfReshape<tensor::ExpandShapeOp>,
               ExtractOfReshape<tensor::CollapseShapeOp>>(
      patterns.getContext());
}
