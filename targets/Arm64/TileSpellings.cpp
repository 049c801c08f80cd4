//===- TileSpellings.cpp - Ops that multiply nothing, in NEON ------------===//

#include "targets/Arm64/Arm64.h"

#include "dialects/Tile/Tile.h"
#include "targets/Arm64/Halves.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mezzo;
using namespace mezzo::arm64;

namespace {

//   tile.field %v shift = s width = w to = t
//   -->
//   (bytes of %v shifted by s - t) & ((2^w - 1) << t)
//
// One shift where the definition has two, and no mask where the shift pushes
// all other bits out.
struct SpellField : OpRewritePattern<tile::FieldOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tile::FieldOp op,
                                PatternRewriter &rewriter) const override {
    int64_t shift = op.getShift(), width = op.getWidth(), to = op.getTo();
    SpellingWriter write{rewriter, op.getLoc()};
    Value value = op.getSource();
    if (shift > to)
      value = write.shift<arith::ShRUIOp>(value, shift - to);
    if (shift < to)
      value = write.shift<arith::ShLIOp>(value, to - shift);
    bool alone =
        (shift + width == 8 && to == 0) || (shift == 0 && to + width == 8);
    if (!alone) {
      auto bytes = cast<VectorType>(op.getType());
      value = write.and_(value, write.splat(bytes, ((1 << width) - 1) << to));
    }
    rewriter.replaceOp(op, value);
    return success();
  }
};

//   tile.broadcast_group %m[%i] : memref<..xi8> -> vector<32xi8>
//   -->
//   ld1r: the four bytes at the address of %m[%i], as one i32, to all lanes
//
// The definition loads a vector of four bytes, which LLVM spreads over 16-bit
// lanes and packs again; hence the address by hand.
struct SpellBroadcastGroup : OpRewritePattern<tile::BroadcastGroupOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tile::BroadcastGroupOp op,
                                PatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder builder(op.getLoc(), rewriter);
    auto memory =
        memref::ExtractStridedMetadataOp::create(builder, op.getBase());
    Value address =
        memref::ExtractAlignedPointerAsIndexOp::create(builder, op.getBase());
    address = arith::AddIOp::create(builder, address, memory.getOffset());
    for (auto [index, stride] :
         llvm::zip_equal(op.getIndices(), memory.getStrides())) {
      Value bytes = arith::MulIOp::create(builder, index, stride);
      address = arith::AddIOp::create(builder, address, bytes);
    }
    Value number =
        arith::IndexCastOp::create(builder, builder.getI64Type(), address);
    Value pointer = LLVM::IntToPtrOp::create(
        builder, LLVM::LLVMPointerType::get(builder.getContext()), number);
    Value four = LLVM::LoadOp::create(builder, builder.getI32Type(), pointer,
                                      /*alignment=*/1);
    auto bytes = cast<VectorType>(op.getType());
    auto lanes =
        VectorType::get(bytes.getNumElements() / 4, builder.getI32Type());
    Value all = vector::BroadcastOp::create(builder, lanes, four);
    rewriter.replaceOpWithNewOp<vector::BitCastOp>(op, bytes, all);
    return success();
  }
};

//   tile.lookup %t[%i]
//   -->
//   per half: tbl
struct SpellLookup : OpRewritePattern<tile::LookupOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tile::LookupOp op,
                                PatternRewriter &rewriter) const override {
    SpellingWriter write{rewriter, op.getLoc()};
    if (op.getType() != write.type(32, 8))
      return rewriter.notifyMatchFailure(op, "not a vector of 32 bytes");
    Value halves[2];
    for (unsigned half : {0, 1})
      halves[half] =
          write.call("llvm.aarch64.neon.tbl1.v16i8", write.type(16, 8),
                     {op.getTable(), halfOf(write, op.getIndices(), half)});
    rewriter.replaceOp(op, join(write, halves));
    return success();
  }
};

} // namespace

void arm64::populateTileSpellings(RewritePatternSet &patterns) {
  patterns.add<SpellField, SpellLookup, SpellBroadcastGroup>(
      patterns.getContext(), /*benefit=*/2);
}
