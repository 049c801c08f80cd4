//===- Definitions.cpp - what the ops of `tile` mean ----------------------===//
//
// One pattern per op, in `vector` and `arith` on one-dimensional vectors only:
// readable, and lowered by every backend.
//
//===----------------------------------------------------------------------===//

#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mezzo::tile;

namespace {

Value splat(PatternRewriter &rewriter, Location loc, Type type, int64_t value) {
  auto vector = cast<VectorType>(type);
  return arith::ConstantOp::create(
      rewriter, loc,
      DenseElementsAttr::get(
          vector, rewriter.getIntegerAttr(vector.getElementType(), value)));
}

//   tile.field %v shift = s width = w to = t
//   -->
//   ((%v >> s) & (2^w - 1)) << t, byte by byte
struct DefineField : OpRewritePattern<FieldOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(FieldOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type type = op.getType();
    Value value = op.getSource();
    if (op.getShift() != 0)
      value = arith::ShRUIOp::create(rewriter, loc, value,
                                     splat(rewriter, loc, type, op.getShift()));
    if (op.getShift() + op.getWidth() != 8)
      value = arith::AndIOp::create(
          rewriter, loc, value,
          splat(rewriter, loc, type, (1 << op.getWidth()) - 1));
    if (op.getTo() != 0)
      value = arith::ShLIOp::create(rewriter, loc, value,
                                    splat(rewriter, loc, type, op.getTo()));
    rewriter.replaceOp(op, value);
    return success();
  }
};

//   tile.dot %acc, %u, %s
//   -->
//   for each byte j of a lane: acc += zext(u.j) * sext(s.j)
struct DefineDot : OpRewritePattern<DotOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DotOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type lanes = op.getType();
    Value u = vector::BitCastOp::create(rewriter, loc, lanes, op.getU());
    Value s = vector::BitCastOp::create(rewriter, loc, lanes, op.getS());
    Value sum = op.getAcc();
    for (int64_t byte = 0; byte < 4; ++byte) {
      Value left = arith::ShRUIOp::create(
          rewriter, loc, u, splat(rewriter, loc, lanes, 8 * byte));
      left = arith::AndIOp::create(rewriter, loc, left,
                                   splat(rewriter, loc, lanes, 255));
      Value right = arith::ShLIOp::create(
          rewriter, loc, s, splat(rewriter, loc, lanes, 24 - 8 * byte));
      right = arith::ShRSIOp::create(rewriter, loc, right,
                                     splat(rewriter, loc, lanes, 24));
      sum = arith::AddIOp::create(
          rewriter, loc, sum,
          arith::MulIOp::create(rewriter, loc, left, right));
    }
    rewriter.replaceOp(op, sum);
    return success();
  }
};

//   tile.broadcast_group %m[%i] : memref<..xi8> -> vector<32xi8>
//   -->
//   vector.load of four bytes, as one i32, to all lanes
struct DefineBroadcastGroup : OpRewritePattern<BroadcastGroupOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BroadcastGroupOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto bytes = cast<VectorType>(op.getType());
    Type i32 = rewriter.getI32Type();
    Value four = vector::LoadOp::create(
        rewriter, loc, VectorType::get(4, rewriter.getI8Type()), op.getBase(),
        op.getIndices());
    Value word =
        vector::BitCastOp::create(rewriter, loc, VectorType::get(1, i32), four);
    Value scalar = vector::ExtractOp::create(rewriter, loc, word, int64_t(0));
    Value lanes = vector::BroadcastOp::create(
        rewriter, loc, VectorType::get(bytes.getNumElements() / 4, i32),
        scalar);
    rewriter.replaceOpWithNewOp<vector::BitCastOp>(op, bytes, lanes);
    return success();
  }
};

} // namespace

void mezzo::tile::populateDefinitionPatterns(RewritePatternSet &patterns) {
  patterns.add<DefineField, DefineDot, DefineBroadcastGroup>(
      patterns.getContext());
}
