//===- ProductSpellings.cpp - Products of bytes as NEON instructions ------===//
//
// A vector of 32 bytes is two registers, and a spelling works on its halves.
// NEON multiplies signed bytes by signed bytes, eight at a time, into 16-bit
// lanes (`smull` the lower eight, `smull2` the upper eight), and does not
// saturate. Codes of up to seven bits are signed bytes as they are, and those
// of eight bits are signed; unsigned codes above 127 are left to the
// definition.
//
// The question is where neighbours meet: products of the bytes of one row have
// to be added to each other.
//
//     smull, smull2, addp     neighbours meet in the addition. A sum in 16 bits
//                             costs four instructions per register: these and
//                             the addition to the accumulator.
//     uzp1, uzp2, smlal x 2   even and odd bytes are parted before, and the
//                             multiplication adds both to the accumulator.
//                             Half of the instructions, besides the parting,
//                             which the register tile shares: codes are parted
//                             once for all activation rows, and activations
//                             once for all row groups.
//
// By LLVM's models (llvm-mca, straight code), a step of 4 rows by 2 row groups,
// 16-bit sums, takes 36 or 37 cycles by parting or by `addp` on Cortex-A72, 68
// or 158 on Cortex-A55, and 32 or 40 on Neoverse N1: `dot_pairs` parts. Where
// each sum of two is widened at once, parting saves less and makes chains of
// three; there it is 44 to 36 on Cortex-A72: `dot` uses `addp`. (Activations
// are four bytes repeated; LLVM sees that their halves are equal, and writes
// `smull` for `smull2`, with an `ext` of the codes, once for all rows.)
//
//===----------------------------------------------------------------------===//

#include "targets/Arm64/Arm64.h"

#include "dialects/Tile/Tile.h"
#include "targets/Arm64/Halves.h"

using namespace mlir;
using namespace mezzo;
using namespace mezzo::arm64;

namespace {

/// Eight products of signed bytes.
Value multiply(SpellingWriter &write, Value codes, Value activations) {
  return write.call("llvm.aarch64.neon.smull.v8i16", write.type(8, 16),
                    {codes, activations});
}

/// Eight words, neighbours added to four lanes.
Value widen(SpellingWriter &write, Value words) {
  return write.call("llvm.aarch64.neon.saddlp.v4i32.v8i16", write.type(4, 32),
                    {words});
}

/// The even (0) or odd (1) bytes of 32: `uzp1` or `uzp2` of both registers.
/// Said as a shuffle of the halves, since LLVM turns the parting of a vector
/// that was just loaded into an `ld2`, which ties two registers together.
Value partOf(SpellingWriter &write, Value bytes, unsigned odd) {
  SmallVector<int64_t> positions;
  for (int64_t i = 0; i < 16; ++i)
    positions.push_back(2 * i + odd);
  return vector::ShuffleOp::create(write.rewriter, write.loc,
                                   halfOf(write, bytes, 0),
                                   halfOf(write, bytes, 1), positions);
}

/// Even and odd bytes of codes and activations: byte i of the former and byte i
/// of the latter are neighbours.
struct Parted {
  template <typename Op>
  Parted(SpellingWriter &write, Op op)
      : codes{partOf(write, op.getCodes(), 0), partOf(write, op.getCodes(), 1)},
        activations{partOf(write, op.getActivations(), 0),
                    partOf(write, op.getActivations(), 1)} {}

  /// Products of the even (0) or odd (1) bytes in a half of the whole.
  Value products(SpellingWriter &write, unsigned odd, unsigned half) {
    return multiply(write, halfOf(write, codes[odd], half),
                    halfOf(write, activations[odd], half));
  }

  Value codes[2], activations[2];
};

//   tile.dot_pairs %acc, %c in [l, h], %a
//   -->
//   per half: smlal(smlal(%acc, even c, even a), odd c, odd a)
struct SpellDotPairs : OpRewritePattern<tile::DotPairsOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tile::DotPairsOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(checkSignedBytes(op, rewriter)))
      return failure();
    SpellingWriter write{rewriter, op.getLoc()};
    Parted parted(write, op);
    Value halves[2];
    for (unsigned half : {0, 1}) {
      Value acc = halfOf(write, op.getAcc(), half);
      for (unsigned odd : {0, 1})
        acc = write.add(acc, parted.products(write, odd, half));
      halves[half] = acc;
    }
    rewriter.replaceOp(op, join(write, halves));
    return success();
  }
};

//   tile.add_pairs %acc, %w
//   -->
//   per half: sadalp(%acc, %w)
struct SpellAddPairs : OpRewritePattern<tile::AddPairsOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tile::AddPairsOp op,
                                PatternRewriter &rewriter) const override {
    SpellingWriter write{rewriter, op.getLoc()};
    if (op.getType() != write.type(8, 32))
      return rewriter.notifyMatchFailure(op, "not a vector of 16 words");
    Value halves[2];
    for (unsigned half : {0, 1})
      halves[half] =
          write.add(halfOf(write, op.getAcc(), half),
                    widen(write, halfOf(write, op.getWords(), half)));
    rewriter.replaceOp(op, join(write, halves));
    return success();
  }
};

//   tile.dot %acc, %c in [l, h], %a          where two products fit in 16 bits
//   -->
//   per half: sadalp(%acc, addp(smull(%c, %a), smull2(%c, %a)))
struct SpellNarrowDot : OpRewritePattern<tile::DotOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tile::DotOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(checkSignedBytes(op, rewriter)))
      return failure();
    if (2 * std::max(-op.getLow(), op.getHigh()) * op.getAmax() > INT16_MAX)
      return rewriter.notifyMatchFailure(op, "two products overflow 16 bits");
    SpellingWriter write{rewriter, op.getLoc()};
    Value halves[2];
    for (unsigned half : {0, 1}) {
      Value c = halfOf(write, op.getCodes(), half),
            a = halfOf(write, op.getActivations(), half), products[2];
      for (unsigned quarter : {0, 1})
        products[quarter] = multiply(write, halfOf(write, c, quarter),
                                     halfOf(write, a, quarter));
      Value pairs = write.call("llvm.aarch64.neon.addp.v8i16",
                               write.type(8, 16), products);
      halves[half] =
          write.add(halfOf(write, op.getAcc(), half), widen(write, pairs));
    }
    rewriter.replaceOp(op, join(write, halves));
    return success();
  }
};

//   tile.dot %acc, %c in [l, h], %a          where they do not: -128 by -128
//   -->
//   per half: sadalp(sadalp(%acc, smull(even)), smull(odd))
//
// A product of two signed bytes always fits, and of even bytes two neighbours
// are of one lane.
struct SpellWideDot : OpRewritePattern<tile::DotOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tile::DotOp op,
                                PatternRewriter &rewriter) const override {
    if (failed(checkSignedBytes(op, rewriter)))
      return failure();
    SpellingWriter write{rewriter, op.getLoc()};
    Parted parted(write, op);
    Value halves[2];
    for (unsigned half : {0, 1}) {
      Value acc = halfOf(write, op.getAcc(), half);
      for (unsigned odd : {0, 1})
        acc = write.add(acc, widen(write, parted.products(write, odd, half)));
      halves[half] = acc;
    }
    rewriter.replaceOp(op, join(write, halves));
    return success();
  }
};

} // namespace

void arm64::populateNeonSpellings(RewritePatternSet &patterns) {
  populateTileSpellings(patterns);
  MLIRContext *context = patterns.getContext();
  patterns.add<SpellDotPairs, SpellAddPairs, SpellWideDot>(context,
                                                           /*benefit=*/2);
  patterns.add<SpellNarrowDot>(context, /*benefit=*/3);
}
