//===- TileSpellings.cpp - `tile` ops as AVX2 and AVX-512 instructions ----===//
//
// Both have the same instructions, for 32 bytes and for 64; the latter is
// short of one, `vpsignb`. They have no arithmetic on bytes beyond
// addition, no shift of bytes, and one multiplication of them, which saturates.
// The spellings live with that:
//
//  * a shift of bytes is a shift of 16-bit lanes, and a mask that removes what
//    came over from the neighbour;
//  * a dot product of bytes is `vpmaddubsw` (u8 x s8, pairs added to int16) and
//    `vpmaddwd` by ones (pairs of int16 added to int32) where the declared
//    ranges rule saturation out, and else two `vpmaddwd` over the even and the
//    odd bytes, widened to 16 bits in place;
//  * signed codes give their sign to the activations first: |c| * sign(c) a.
//
// LLVM is told the instructions, as intrinsics, instead of being trusted to
// find them: left to itself it made kernels 3 to 5 times slower.
//
//===----------------------------------------------------------------------===//

#include "targets/X86/Register.h"
#include "targets/X86/X86.h"

#include "dialects/Tile/Tile.h"
#include "targets/Common/SpellingWriter.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mezzo;

namespace {

using Writer = SpellingWriter;
using x86::Register;

/// A pattern for the vectors of one register.
template <typename Op>
struct RegisterPattern : OpRewritePattern<Op> {
  RegisterPattern(MLIRContext *context, Register in, PatternBenefit benefit)
      : OpRewritePattern<Op>(context, benefit), in(in) {}
  Register in;
};

//   tile.field %v shift = s width = w to = t
//   -->
//   (16-bit lanes of %v shifted by s - t) & ((2^w - 1) << t in every byte)
//
// One shift where the definition has two: the mask is applied at the place
// where the field ends up, and there it also removes the neighbour's bits,
// which lie outside of it by construction: they enter at the end that the field
// moved away from. So the mask stays even where the field reaches the end of
// its byte.
struct SpellField : RegisterPattern<tile::FieldOp> {
  using RegisterPattern::RegisterPattern;
  LogicalResult matchAndRewrite(tile::FieldOp op,
                                PatternRewriter &rewriter) const override {
    VectorType bytes = in.asBytes(rewriter), words = in.asWords(rewriter);
    if (op.getType() != bytes)
      return rewriter.notifyMatchFailure(op, "not a vector of that length");
    int64_t shift = op.getShift(), width = op.getWidth(), to = op.getTo();
    if (width == 8) {
      rewriter.replaceOp(op, op.getSource());
      return success();
    }
    Writer write{rewriter, op.getLoc()};
    Value value = op.getSource();
    if (shift > to)
      value = write.shift<arith::ShRUIOp>(write.as(words, value), shift - to);
    if (shift < to)
      value = write.shift<arith::ShLIOp>(write.as(words, value), to - shift);
    Value mask = write.splat(bytes, ((1 << width) - 1) << to);
    rewriter.replaceOp(op, write.and_(write.as(bytes, value), mask));
    return success();
  }
};

/// Whether two products of the declared ranges fit in 16 bits. For signed codes
/// the sign goes to the activation, and -(-128) is no byte.
template <typename Op>
bool pairsFit(Op op) {
  int64_t largest = std::max(-op.getLow(), op.getHigh());
  return 2 * largest * op.getAmax() <= INT16_MAX &&
         (op.getLow() >= 0 || op.getAmax() <= 127);
}

/// Activations less than 0 where codes are. (At codes of 0 `vpsignb` gives 0,
/// and its replacement something that is multiplied by 0.)
Value withSignOf(Writer &write, Register in, Value activations, Value codes) {
  VectorType bytes = in.asBytes(write.rewriter);
  if (!in.isWide)
    return write.call("llvm.x86.avx2.psign.b", bytes, {activations, codes});
  Value zero = write.splat(bytes, 0);
  Value isLess = arith::CmpIOp::create(write.rewriter, write.loc,
                                       arith::CmpIPredicate::slt, codes, zero);
  Value negated =
      arith::SubIOp::create(write.rewriter, write.loc, zero, activations);
  return arith::SelectOp::create(write.rewriter, write.loc, isLess, negated,
                                 activations);
}

/// Sums of two products, in 16 bits. Precondition: pairsFit.
///
/// `vpmaddubsw` takes unsigned bytes by signed ones and saturates at 32767,
/// which within the bounds never happens. (7-bit codes by any int8 activation
/// but -128 fit, 2 * 127 * 127 = 32258, and so do signed 8-bit ones, 2 * 128 *
/// 127 = 32512. Unsigned 8-bit codes do not: 2 * 255 * 127 = 64770.)
template <typename Op>
Value pairProducts(Writer &write, Register in, Op op) {
  Value codes = op.getCodes(), activations = op.getActivations();
  if (op.getLow() < 0) {
    activations = withSignOf(write, in, activations, codes);
    codes = math::AbsIOp::create(write.rewriter, write.loc, codes);
  }
  return write.call(in.isWide ? "llvm.x86.avx512.pmaddubs.w.512"
                              : "llvm.x86.avx2.pmadd.ub.sw",
                    in.asWords(write.rewriter), {codes, activations});
}

/// Products of words, pairs of them added to int32.
Value wordProducts(Writer &write, Register in, Value left, Value right) {
  return write.call(in.isWide ? "llvm.x86.avx512.pmaddw.d.512"
                              : "llvm.x86.avx2.pmadd.wd",
                    in.asLanes(write.rewriter), {left, right});
}

/// Pairs of words added to int32: `vpmaddwd` by ones.
Value sumOfPairs(Writer &write, Register in, Value words) {
  return wordProducts(write, in, words,
                      write.splat(in.asWords(write.rewriter), 1));
}

//   tile.dot %acc, %c in [l, h], %a          where pairs of products fit
//   -->
//   %acc + vpmaddwd(vpmaddubsw(%c, %a), 1)
struct SpellNarrowDot : RegisterPattern<tile::DotOp> {
  using RegisterPattern::RegisterPattern;
  LogicalResult matchAndRewrite(tile::DotOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getType() != in.asLanes(rewriter))
      return rewriter.notifyMatchFailure(op, "not a vector of that length");
    if (!pairsFit(op))
      return rewriter.notifyMatchFailure(op, "vpmaddubsw could saturate");
    Writer write{rewriter, op.getLoc()};
    Value sums = sumOfPairs(write, in, pairProducts(write, in, op));
    rewriter.replaceOp(op, write.add(op.getAcc(), sums));
    return success();
  }
};

//   tile.dot_pairs %acc, %c in [l, h], %a
//   -->
//   vpaddw %acc, vpmaddubsw(%c, %a)
struct SpellDotPairs : RegisterPattern<tile::DotPairsOp> {
  using RegisterPattern::RegisterPattern;
  LogicalResult matchAndRewrite(tile::DotPairsOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getType() != in.asWords(rewriter))
      return rewriter.notifyMatchFailure(op, "not a vector of that length");
    if (!pairsFit(op))
      return rewriter.notifyMatchFailure(op, "vpmaddubsw could saturate");
    Writer write{rewriter, op.getLoc()};
    rewriter.replaceOp(op, write.add(op.getAcc(), pairProducts(write, in, op)));
    return success();
  }
};

//   tile.add_pairs %acc, %w
//   -->
//   vpaddd %acc, vpmaddwd(%w, 1)
struct SpellAddPairs : RegisterPattern<tile::AddPairsOp> {
  using RegisterPattern::RegisterPattern;
  LogicalResult matchAndRewrite(tile::AddPairsOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getType() != in.asLanes(rewriter))
      return rewriter.notifyMatchFailure(op, "not a vector of that length");
    Writer write{rewriter, op.getLoc()};
    rewriter.replaceOp(
        op, write.add(op.getAcc(), sumOfPairs(write, in, op.getWords())));
    return success();
  }
};

//   tile.dot %acc, %c in [l, h], %a          where pairs of products do not fit
//   -->
//   %acc + (vpmaddwd(c.even, a.even) + vpmaddwd(c.odd, a.odd))
//
// where the even bytes of each 16-bit lane are widened by a mask (unsigned) or
// two shifts (signed), and the odd ones by a shift. Exact for all bytes: a
// product is at most 255 * 128 and `vpmaddwd` adds two of them in 32 bits.
struct SpellWideDot : RegisterPattern<tile::DotOp> {
  using RegisterPattern::RegisterPattern;
  LogicalResult matchAndRewrite(tile::DotOp op,
                                PatternRewriter &rewriter) const override {
    VectorType words = in.asWords(rewriter), lanes = in.asLanes(rewriter);
    if (op.getType() != lanes)
      return rewriter.notifyMatchFailure(op, "not a vector of that length");
    if (pairsFit(op))
      return rewriter.notifyMatchFailure(op, "vpmaddubsw is exact and faster");
    Writer write{rewriter, op.getLoc()};
    Value c = write.as(words, op.getCodes()),
          a = write.as(words, op.getActivations());
    auto even = [&](Value value) {
      return write.shift<arith::ShRSIOp>(write.shift<arith::ShLIOp>(value, 8),
                                         8);
    };
    bool isSigned = op.getLow() < 0;
    Value evenC = isSigned ? even(c) : write.and_(c, write.splat(words, 0xff));
    Value oddC = isSigned ? write.shift<arith::ShRSIOp>(c, 8)
                          : write.shift<arith::ShRUIOp>(c, 8);
    Value oddA = write.shift<arith::ShRSIOp>(a, 8);
    Value evens = wordProducts(write, in, evenC, even(a));
    Value odds = wordProducts(write, in, oddC, oddA);
    rewriter.replaceOp(op, write.add(op.getAcc(), write.add(evens, odds)));
    return success();
  }
};

//   tile.lookup %t[%i]
//   -->
//   vpshufb, whose 16-byte parts look up a table of as many each: the same
struct SpellLookup : RegisterPattern<tile::LookupOp> {
  using RegisterPattern::RegisterPattern;
  LogicalResult matchAndRewrite(tile::LookupOp op,
                                PatternRewriter &rewriter) const override {
    VectorType bytes = in.asBytes(rewriter);
    if (op.getType() != bytes)
      return rewriter.notifyMatchFailure(op, "not a vector of that length");
    Writer write{rewriter, op.getLoc()};
    SmallVector<int64_t> repeated;
    for (int64_t i = 0; i < bytes.getNumElements(); ++i)
      repeated.push_back(i % op.getTable().getType().getNumElements());
    Value table = vector::ShuffleOp::create(
        rewriter, op.getLoc(), op.getTable(), op.getTable(), repeated);
    rewriter.replaceOp(op, write.call(in.isWide ? "llvm.x86.avx512.pshuf.b.512"
                                                : "llvm.x86.avx2.pshuf.b",
                                      bytes, {table, op.getIndices()}));
    return success();
  }
};

} // namespace

static void addPatterns(RewritePatternSet &patterns, Register in) {
  // Above the definitions, should somebody put both into one set. There is no
  // spelling of broadcast_group: LLVM makes a `vpbroadcastd` from memory of its
  // definition.
  patterns.add<SpellField, SpellNarrowDot, SpellWideDot, SpellDotPairs,
               SpellAddPairs, SpellLookup>(patterns.getContext(), in,
                                           PatternBenefit(2));
}

void x86::populateAvx2Spellings(RewritePatternSet &patterns) {
  addPatterns(patterns, {/*isWide=*/false});
}

void x86::populateAvx512Spellings(RewritePatternSet &patterns) {
  addPatterns(patterns, {/*isWide=*/false});
  addPatterns(patterns, {/*isWide=*/true});
}
