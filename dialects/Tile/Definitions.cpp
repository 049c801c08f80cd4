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

/// Byte `index` of every lane, brought to the lane's low end and extended: two
/// shifts, the second one arithmetic or logical.
Value byteOfLanes(PatternRewriter &rewriter, Location loc, Value lanes,
                  int64_t index, bool isSigned) {
  Type type = lanes.getType();
  int64_t width = cast<VectorType>(type).getElementTypeBitWidth();
  Value up = arith::ShLIOp::create(
      rewriter, loc, lanes, splat(rewriter, loc, type, width - 8 - 8 * index));
  Value by = splat(rewriter, loc, type, width - 8);
  if (isSigned)
    return arith::ShRSIOp::create(rewriter, loc, up, by);
  return arith::ShRUIOp::create(rewriter, loc, up, by);
}

//   tile.dot %acc, %c in [low, high], %a       (or dot_pairs, two bytes a lane)
//   -->
//   for each byte j of a lane: acc += ext(c.j) * sext(a.j)
template <typename Op>
struct DefineProduct : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto lanes = cast<VectorType>(op.getType());
    Value c = vector::BitCastOp::create(rewriter, loc, lanes, op.getCodes());
    Value a =
        vector::BitCastOp::create(rewriter, loc, lanes, op.getActivations());
    Value sum = op.getAcc();
    for (int64_t byte = 0; byte < lanes.getElementTypeBitWidth() / 8; ++byte) {
      Value code = byteOfLanes(rewriter, loc, c, byte, op.getLow() < 0);
      Value activation = byteOfLanes(rewriter, loc, a, byte, true);
      sum = arith::AddIOp::create(
          rewriter, loc, sum,
          arith::MulIOp::create(rewriter, loc, code, activation));
    }
    rewriter.replaceOp(op, sum);
    return success();
  }
};

//   tile.add_pairs %acc, %w
//   -->
//   acc + sext(low word of each lane) + sext(high word)
struct DefineAddPairs : OpRewritePattern<AddPairsOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AddPairsOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type lanes = op.getType();
    Value words =
        vector::BitCastOp::create(rewriter, loc, lanes, op.getWords());
    Value half = splat(rewriter, loc, lanes, 16);
    Value low = arith::ShRSIOp::create(
        rewriter, loc, arith::ShLIOp::create(rewriter, loc, words, half), half);
    Value high = arith::ShRSIOp::create(rewriter, loc, words, half);
    Value sum = arith::AddIOp::create(rewriter, loc, op.getAcc(), low);
    rewriter.replaceOpWithNewOp<arith::AddIOp>(op, sum, high);
    return success();
  }
};

//   tile.lookup %t[%i]
//   -->
//   i == 15 ? t[15] : ... i == 1 ? t[1] : t[0]
struct DefineLookup : OpRewritePattern<LookupOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LookupOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type bytes = op.getType();
    auto entry = [&](int64_t index) -> Value {
      Value scalar =
          vector::ExtractOp::create(rewriter, loc, op.getTable(), index);
      return vector::BroadcastOp::create(rewriter, loc, bytes, scalar);
    };
    Value result = entry(0);
    for (int64_t index = 1; index < op.getTable().getType().getNumElements();
         ++index) {
      Value isIndex = arith::CmpIOp::create(
          rewriter, loc, arith::CmpIPredicate::eq, op.getIndices(),
          splat(rewriter, loc, bytes, index));
      result =
          arith::SelectOp::create(rewriter, loc, isIndex, entry(index), result);
    }
    rewriter.replaceOp(op, result);
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
  patterns.add<DefineField, DefineProduct<DotOp>, DefineProduct<DotPairsOp>,
               DefineAddPairs, DefineLookup, DefineBroadcastGroup>(
      patterns.getContext());
}
