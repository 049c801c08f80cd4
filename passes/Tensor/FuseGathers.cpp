//===- FuseGathers.cpp - elements that are gathered are computed there ----===//
//
// A gather reads some elements of a tensor (tensor.extract, in the body of
// another op). Where that tensor is computed element by element, only those
// need to be computed: of a dequantized table of embeddings, the rows that are
// looked up, and not the whole table in every run. The arithmetic of an element
// is the same in both places, and so are its bits.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mezzo {
#define GEN_PASS_DEF_FUSEGATHERS
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;
using namespace mezzo;

namespace {

/// Whether each element of the result is computed by itself, of inputs alone.
bool isElementwise(linalg::GenericOp op) {
  return op.getNumDpsInits() == 1 && op.hasPureTensorSemantics() &&
         op.getNumParallelLoops() == op.getNumLoops() &&
         op.getIndexingMapsArray().back().isIdentity() &&
         op.getBody()->getArguments().back().use_empty() &&
         llvm::all_of(op.getBody()->without_terminator(), [](Operation &inner) {
           return inner.getNumRegions() == 0 && isPure(&inner);
         });
}

//   %d = linalg.generic ins(%q, %s : ...) { %v = f(q, s); yield %v }
//   %e = tensor.extract %d[%i, %j]
//   -->
//   %e = f(tensor.extract %q[%i, %j], tensor.extract %s[map(%i, %j)])
struct ComputeWhatIsExtracted : OpRewritePattern<tensor::ExtractOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::ExtractOp op,
                                PatternRewriter &rewriter) const override {
    auto producer = op.getTensor().getDefiningOp<linalg::GenericOp>();
    if (!producer || !isElementwise(producer))
      return rewriter.notifyMatchFailure(
          op, "its tensor is not computed element by element");
    if (!llvm::all_of(producer->getUsers(), llvm::IsaPred<tensor::ExtractOp>))
      return rewriter.notifyMatchFailure(
          op, "others read the tensor, so that it is there anyway");
    Location loc = op.getLoc();
    SmallVector<Value> indices(op.getIndices());
    IRMapping mapping;
    for (OpOperand *input : producer.getDpsInputOperands()) {
      Value value = input->get();
      if (isa<RankedTensorType>(value.getType())) {
        AffineMap map = producer.getMatchingIndexingMap(input);
        SmallVector<Value> at;
        for (unsigned dim = 0; dim < map.getNumResults(); ++dim)
          at.push_back(affine::AffineApplyOp::create(
              rewriter, loc, map.getSubMap(dim), indices));
        value = tensor::ExtractOp::create(rewriter, loc, value, at);
      }
      mapping.map(producer.getMatchingBlockArgument(input), value);
    }
    for (Operation &inner : producer.getBody()->without_terminator()) {
      if (auto index = dyn_cast<linalg::IndexOp>(inner))
        mapping.map(index.getResult(), indices[index.getDim()]);
      else
        rewriter.clone(inner, mapping);
    }
    Value result = producer.getBody()->getTerminator()->getOperand(0);
    rewriter.replaceOp(op, mapping.lookupOrDefault(result));
    return success();
  }
};

class FuseGathersPass : public mezzo::impl::FuseGathersBase<FuseGathersPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ComputeWhatIsExtracted>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
