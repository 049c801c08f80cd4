//===- FormDense.cpp - products without quantized operands ----------------===//

#include "passes/Passes.h"

#include "dialects/Mezzo/Mezzo.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mezzo {
#define GEN_PASS_DEF_FORMDENSE
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;
using namespace mezzo;

namespace {

/// A matrix as a batch of one.
Value asBatch(PatternRewriter &rewriter, Location loc, Value matrix) {
  auto type = cast<RankedTensorType>(matrix.getType());
  if (type.getRank() == 3)
    return matrix;
  SmallVector<int64_t> shape{1};
  llvm::append_range(shape, type.getShape());
  SmallVector<OpFoldResult> sizes{rewriter.getIndexAttr(1)};
  llvm::append_range(sizes, tensor::getMixedSizes(rewriter, loc, matrix));
  SmallVector<ReassociationIndices> groups{{0, 1}, {2}};
  return tensor::ExpandShapeOp::create(
      rewriter, loc, RankedTensorType::get(shape, type.getElementType()),
      matrix, groups, sizes);
}

//   %y = linalg.matmul ins(%x, %w) outs(zero)
//   -->
//   %y = mezzo.dense_matmul %x, %w
template <typename Product>
struct FormDense : OpRewritePattern<Product> {
  using OpRewritePattern<Product>::OpRewritePattern;
  LogicalResult matchAndRewrite(Product op,
                                PatternRewriter &rewriter) const override {
    if (op.getIndexingMapsArray() !=
        Product::getDefaultIndexingMaps(op.getContext()))
      return rewriter.notifyMatchFailure(op, "an operand is transposed");
    auto result = dyn_cast<RankedTensorType>(op.getResult(0).getType());
    Type element = result ? result.getElementType() : Type();
    bool oneType = llvm::all_of(op.getInputs().getTypes(), [&](Type type) {
      return cast<ShapedType>(type).getElementType() == element;
    });
    if (!oneType || !(element.isF32() || element.isInteger(32)))
      return rewriter.notifyMatchFailure(op, "products are in f32 or i32");
    auto fill = op.getOutputs()[0].template getDefiningOp<linalg::FillOp>();
    if (!fill || !(matchPattern(fill.getInputs()[0], m_AnyZeroFloat()) ||
                   matchPattern(fill.getInputs()[0], m_Zero())))
      return rewriter.notifyMatchFailure(op, "the destination is not zero");
    Location loc = op.getLoc();
    Value x = asBatch(rewriter, loc, op.getInputs()[0]),
          w = asBatch(rewriter, loc, op.getInputs()[1]);
    SmallVector<int64_t> shape(result.getShape());
    if (shape.size() == 2)
      shape.insert(shape.begin(), 1);
    Value y = DenseMatmulOp::create(
        rewriter, loc, RankedTensorType::get(shape, element), x, w);
    if (result.getRank() == 2) {
      SmallVector<ReassociationIndices> groups{{0, 1}, {2}};
      y = tensor::CollapseShapeOp::create(rewriter, loc, result, y, groups);
    }
    rewriter.replaceOp(op, y);
    return success();
  }
};

class FormDensePass : public mezzo::impl::FormDenseBase<FormDensePass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FormDense<linalg::MatmulOp>, FormDense<linalg::BatchMatmulOp>>(
        &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
