//===- DotProductSpellings.cpp - Products where one instruction has them --===//
//
// `sdot` is `tile.dot` on signed bytes: four products, added to a 32-bit lane,
// exact whatever their ranges. `usdot` (i8mm) is the same with unsigned bytes
// on one side, for codes above 127.
//
// The matrix instructions of i8mm (`smmla`: 2 x 8 bytes by 8 x 2) are not used.
// They do twice the work of `sdot`, but want eight columns of a row side by
// side, where the packed layout has four, and two activation rows in one
// register, where the register tile has them apart: a layout and a strategy of
// their own, not a spelling.
//
//===----------------------------------------------------------------------===//

#include "targets/Arm64/Arm64.h"

#include "dialects/Tile/Tile.h"
#include "targets/Arm64/Halves.h"

using namespace mlir;
using namespace mezzo;
using namespace mezzo::arm64;

namespace {

/// Both halves of a product by one instruction each.
void replaceByHalves(tile::DotOp op, PatternRewriter &rewriter,
                     StringRef intrinsic) {
  SpellingWriter write{rewriter, op.getLoc()};
  Value halves[2];
  for (unsigned half : {0, 1})
    halves[half] = write.call(intrinsic, write.type(4, 32),
                              {halfOf(write, op.getAcc(), half),
                               halfOf(write, op.getCodes(), half),
                               halfOf(write, op.getActivations(), half)});
  rewriter.replaceOp(op, join(write, halves));
}

//   tile.dot %acc, %c in [l, h], %a          where h <= 127
//   -->
//   per half: sdot(%acc, %c, %a)
struct SpellSignedDot : OpRewritePattern<tile::DotOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tile::DotOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(checkSignedBytes(op, rewriter)))
      return failure();
    replaceByHalves(op, rewriter, "llvm.aarch64.neon.sdot.v4i32.v16i8");
    return success();
  }
};

//   tile.dot %acc, %c in [l, h], %a          where h > 127
//   -->
//   per half: usdot(%acc, %c, %a)
struct SpellUnsignedDot : OpRewritePattern<tile::DotOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tile::DotOp op,
                                PatternRewriter &rewriter) const override {
    SpellingWriter write{rewriter, op.getLoc()};
    if (op.getCodes().getType() != write.type(32, 8))
      return rewriter.notifyMatchFailure(op, "not a vector of 32 bytes");
    if (op.getHigh() <= INT8_MAX)
      return rewriter.notifyMatchFailure(op, "sdot is exact");
    replaceByHalves(op, rewriter, "llvm.aarch64.neon.usdot.v4i32.v16i8");
    return success();
  }
};

} // namespace

void arm64::populateDotprodSpellings(RewritePatternSet &patterns) {
  populateNeonSpellings(patterns);
  patterns.add<SpellSignedDot>(patterns.getContext(), /*benefit=*/4);
}

void arm64::populateI8mmSpellings(RewritePatternSet &patterns) {
  populateDotprodSpellings(patterns);
  patterns.add<SpellUnsignedDot>(patterns.getContext(), /*benefit=*/4);
}
