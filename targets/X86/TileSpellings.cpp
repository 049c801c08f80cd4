//===- TileSpellings.cpp - `tile` ops as AVX2 instructions ----------------===//
//
// AVX2 has no arithmetic on bytes beyond addition, no shift of bytes, and one
// multiplication of them, which saturates. The spellings live with that:
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

#include "targets/X86/X86.h"

#include "dialects/Tile/Tile.h"
#include "targets/Common/SpellingWriter.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mezzo;

namespace {

constexpr int64_t vectorBytes = 32;

/// The three views of a ymm register.
VectorType bytesType(Builder &builder) {
  return VectorType::get(vectorBytes, builder.getI8Type());
}
VectorType wordsType(Builder &builder) {
  return VectorType::get(vectorBytes / 2, builder.getI16Type());
}
VectorType lanesType(Builder &builder) {
  return VectorType::get(vectorBytes / 4, builder.getI32Type());
}

using Writer = SpellingWriter;

//   tile.field %v shift = s width = w to = t
//   -->
//   (16-bit lanes of %v shifted by s - t) & ((2^w - 1) << t in every byte)
//
// One shift where the definition has two: the mask is applied at the place
// where the field ends up, and there it also removes the neighbour's bits,
// which lie outside of it by construction: they enter at the end that the field
// moved away from. So the mask stays even where the field reaches the end of
// its byte.
struct SpellField : OpRewritePattern<tile::FieldOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tile::FieldOp op,
                                PatternRewriter &rewriter) const override {
    VectorType bytes = bytesType(rewriter), words = wordsType(rewriter);
    if (op.getType() != bytes)
      return rewriter.notifyMatchFailure(op, "not a vector of 32 bytes");
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

/// Sums of two products, in 16 bits. Precondition: pairsFit.
///
/// `vpmaddubsw` takes unsigned bytes by signed ones and saturates at 32767,
/// which within the bounds never happens. (7-bit codes by any int8 activation
/// but -128 fit, 2 * 127 * 127 = 32258, and so do signed 8-bit ones, 2 * 128 *
/// 127 = 32512. Unsigned 8-bit codes do not: 2 * 255 * 127 = 64770.)
template <typename Op>
Value pairProducts(Writer &write, Op op) {
  VectorType bytes = bytesType(write.rewriter);
  Value codes = op.getCodes(), activations = op.getActivations();
  if (op.getLow() < 0) {
    activations =
        write.call("llvm.x86.avx2.psign.b", bytes, {activations, codes});
    codes = math::AbsIOp::create(write.rewriter, write.loc, codes);
  }
  return write.call("llvm.x86.avx2.pmadd.ub.sw", wordsType(write.rewriter),
                    {codes, activations});
}

/// Pairs of words added to int32: `vpmaddwd` by ones.
Value sumOfPairs(Writer &write, Value words) {
  return write.call("llvm.x86.avx2.pmadd.wd", lanesType(write.rewriter),
                    {words, write.splat(wordsType(write.rewriter), 1)});
}

//   tile.dot %acc, %c in [l, h], %a          where pairs of products fit
//   -->
//   %acc + vpmaddwd(vpmaddubsw(%c, %a), 1)
struct SpellNarrowDot : OpRewritePattern<tile::DotOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tile::DotOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getType() != lanesType(rewriter))
      return rewriter.notifyMatchFailure(op, "not a vector of 32 bytes");
    if (!pairsFit(op))
      return rewriter.notifyMatchFailure(op, "vpmaddubsw could saturate");
    Writer write{rewriter, op.getLoc()};
    Value sums = sumOfPairs(write, pairProducts(write, op));
    rewriter.replaceOp(op, write.add(op.getAcc(), sums));
    return success();
  }
};

//   tile.dot_pairs %acc, %c in [l, h], %a
//   -->
//   vpaddw %acc, vpmaddubsw(%c, %a)
struct SpellDotPairs : OpRewritePattern<tile::DotPairsOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tile::DotPairsOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getType() != wordsType(rewriter))
      return rewriter.notifyMatchFailure(op, "not a vector of 32 bytes");
    if (!pairsFit(op))
      return rewriter.notifyMatchFailure(op, "vpmaddubsw could saturate");
    Writer write{rewriter, op.getLoc()};
    rewriter.replaceOp(op, write.add(op.getAcc(), pairProducts(write, op)));
    return success();
  }
};

//   tile.add_pairs %acc, %w
//   -->
//   vpaddd %acc, vpmaddwd(%w, 1)
struct SpellAddPairs : OpRewritePattern<tile::AddPairsOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tile::AddPairsOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getType() != lanesType(rewriter))
      return rewriter.notifyMatchFailure(op, "not a vector of 16 words");
    Writer write{rewriter, op.getLoc()};
    rewriter.replaceOp(
        op, write.add(op.getAcc(), sumOfPairs(write, op.getWords())));
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
struct SpellWideDot : OpRewritePattern<tile::DotOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tile::DotOp op,
                                PatternRewriter &rewriter) const override {
    VectorType words = wordsType(rewriter), lanes = lanesType(rewriter);
    if (op.getType() != lanes)
      return rewriter.notifyMatchFailure(op, "not a vector of 32 bytes");
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
    Value evens = write.call("llvm.x86.avx2.pmadd.wd", lanes, {evenC, even(a)});
    Value odds = write.call("llvm.x86.avx2.pmadd.wd", lanes, {oddC, oddA});
    rewriter.replaceOp(op, write.add(op.getAcc(), write.add(evens, odds)));
    return success();
  }
};

//   tile.lookup %t[%i]
//   -->
//   vpshufb, whose two halves look up a table of sixteen bytes each: the same
struct SpellLookup : OpRewritePattern<tile::LookupOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tile::LookupOp op,
                                PatternRewriter &rewriter) const override {
    VectorType bytes = bytesType(rewriter);
    if (op.getType() != bytes)
      return rewriter.notifyMatchFailure(op, "not a vector of 32 bytes");
    Writer write{rewriter, op.getLoc()};
    SmallVector<int64_t> twice(vectorBytes);
    for (int64_t i = 0; i < vectorBytes; ++i)
      twice[i] = i % (vectorBytes / 2);
    Value table = vector::ShuffleOp::create(
        rewriter, op.getLoc(), op.getTable(), op.getTable(), twice);
    rewriter.replaceOp(op, write.call("llvm.x86.avx2.pshuf.b", bytes,
                                      {table, op.getIndices()}));
    return success();
  }
};

} // namespace

void x86::populateAvx2Spellings(RewritePatternSet &patterns) {
  // Above the definitions, should somebody put both into one set. There is no
  // spelling of broadcast_group: LLVM makes a `vpbroadcastd` from memory of its
  // definition.
  patterns.add<SpellField, SpellNarrowDot, SpellWideDot, SpellDotPairs,
               SpellAddPairs, SpellLookup>(patterns.getContext(),
                                           /*benefit=*/2);
}
