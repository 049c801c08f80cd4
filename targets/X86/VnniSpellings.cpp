//===- VnniSpellings.cpp - Dot products in one instruction ----------------===//
//
// `vpdpbusd` multiplies four unsigned bytes of an int32 lane by four signed
// ones and adds all products to the lane. It does not saturate (`vpdpbusds`
// does): four products of 255 * 128 are far below 2^31, and the lane wraps as
// `tile.dot` says. So it is exact for every range of unsigned codes.
//
// Signed codes are taken as c + 128, which is one exclusive or; what that adds,
// 128 times the sum of the activations, is another product. Kernels know that
// sum and do so themselves (Target::multipliesUnsignedCodes).
//
//===----------------------------------------------------------------------===//

#include "targets/X86/Register.h"
#include "targets/X86/X86.h"

#include "dialects/Tile/Tile.h"
#include "targets/Common/SpellingWriter.h"

using namespace mlir;
using namespace mezzo;
using x86::Register;

namespace {

//   tile.dot %acc, %c in [l, h], %a
//   -->
//   vpdpbusd(%acc, %c, %a)                                  where l >= 0
//   vpdpbusd(%acc, %c ^ 128, %a) - vpdpbusd(0, 128, %a)     else
struct SpellDot : OpRewritePattern<tile::DotOp> {
  SpellDot(MLIRContext *context, Register in, PatternBenefit benefit)
      : OpRewritePattern(context, benefit), in(in) {}

  LogicalResult matchAndRewrite(tile::DotOp op,
                                PatternRewriter &rewriter) const override {
    VectorType lanes = in.asLanes(rewriter), bytes = in.asBytes(rewriter);
    if (op.getType() != lanes)
      return rewriter.notifyMatchFailure(op, "not a vector of that length");
    SpellingWriter write{rewriter, op.getLoc()};
    auto dot = [&](Value acc, Value codes) {
      return write.call(in.isWide ? "llvm.x86.avx512.vpdpbusd.512"
                                  : "llvm.x86.avx512.vpdpbusd.256",
                        lanes, {acc, codes, op.getActivations()});
    };
    if (op.getLow() >= 0) {
      rewriter.replaceOp(op, dot(op.getAcc(), op.getCodes()));
      return success();
    }
    Value bias = write.splat(bytes, 128);
    Value biased =
        arith::XOrIOp::create(rewriter, op.getLoc(), op.getCodes(), bias);
    rewriter.replaceOpWithNewOp<arith::SubIOp>(
        op, dot(op.getAcc(), biased), dot(write.splat(lanes, 0), bias));
    return success();
  }

  Register in;
};

/// Above the dot products of machines without the instruction.
constexpr unsigned Preferred = 3;

} // namespace

void x86::populateAvxVnniSpellings(RewritePatternSet &patterns) {
  populateAvx2Spellings(patterns);
  patterns.add<SpellDot>(patterns.getContext(), Register{/*isWide=*/false},
                         PatternBenefit(Preferred));
}

void x86::populateAvx512VnniSpellings(RewritePatternSet &patterns) {
  populateAvx512Spellings(patterns);
  for (bool isWide : {false, true})
    patterns.add<SpellDot>(patterns.getContext(), Register{isWide},
                           PatternBenefit(Preferred));
}
