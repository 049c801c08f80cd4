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
//    odd bytes, widened to 16 bits in place.
//
// LLVM is told the instructions, as intrinsics, instead of being trusted to
// find them: left to itself it made kernels 3 to 5 times slower.
//
//===----------------------------------------------------------------------===//

#include "targets/X86/X86.h"

#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

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

/// Writes ops at one place, so that a pattern reads like the instructions.
struct Writer {
  PatternRewriter &rewriter;
  Location loc;

  Value splat(VectorType type, int64_t value) {
    auto element = cast<IntegerType>(type.getElementType());
    APInt bits(element.getWidth(), value, /*isSigned=*/false,
               /*implicitTrunc=*/true);
    return arith::ConstantOp::create(rewriter, loc,
                                     DenseElementsAttr::get(type, bits));
  }
  Value as(VectorType type, Value value) {
    if (value.getType() == type)
      return value;
    return vector::BitCastOp::create(rewriter, loc, type, value);
  }
  Value call(StringRef intrinsic, VectorType type, ValueRange operands) {
    return LLVM::CallIntrinsicOp::create(
               rewriter, loc, type, rewriter.getStringAttr(intrinsic), operands)
        .getResult(0);
  }
  Value and_(Value left, Value right) {
    return arith::AndIOp::create(rewriter, loc, left, right);
  }
  Value add(Value left, Value right) {
    return arith::AddIOp::create(rewriter, loc, left, right);
  }
  /// Shifts of 16-bit lanes by a constant.
  template <typename Op>
  Value shift(Value words, int64_t by) {
    return Op::create(rewriter, loc, words, splat(wordsType(rewriter), by));
  }
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

//   tile.dot %acc, %u, %s umax = a smax = b,  2ab <= 32767
//   -->
//   %acc + vpmaddwd(vpmaddubsw(%u, %s), 1)
//
// `vpmaddubsw` adds two products of at most ab each and saturates at 32767;
// within the bounds it never does. (7-bit codes by any int8 activation but -128
// fit: 2 * 127 * 127 = 32258. 8-bit codes do not: 2 * 255 * 127 = 64770.)
struct SpellNarrowDot : OpRewritePattern<tile::DotOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tile::DotOp op,
                                PatternRewriter &rewriter) const override {
    VectorType words = wordsType(rewriter), lanes = lanesType(rewriter);
    if (op.getType() != lanes)
      return rewriter.notifyMatchFailure(op, "not a vector of 32 bytes");
    if (2 * op.getUmax() * op.getSmax() > INT16_MAX)
      return rewriter.notifyMatchFailure(op, "vpmaddubsw could saturate");
    Writer write{rewriter, op.getLoc()};
    Value pairs =
        write.call("llvm.x86.avx2.pmadd.ub.sw", words, {op.getU(), op.getS()});
    Value sums = write.call("llvm.x86.avx2.pmadd.wd", lanes,
                            {pairs, write.splat(words, 1)});
    rewriter.replaceOp(op, write.add(op.getAcc(), sums));
    return success();
  }
};

//   tile.dot %acc, %u, %s umax = a smax = b,  2ab > 32767
//   -->
//   %acc + (vpmaddwd(u.even, s.even) + vpmaddwd(u.odd, s.odd))
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
    if (2 * op.getUmax() * op.getSmax() <= INT16_MAX)
      return rewriter.notifyMatchFailure(op, "vpmaddubsw is exact and faster");
    Writer write{rewriter, op.getLoc()};
    Value u = write.as(words, op.getU()), s = write.as(words, op.getS());
    Value evenU = write.and_(u, write.splat(words, 0xff));
    Value oddU = write.shift<arith::ShRUIOp>(u, 8);
    Value evenS =
        write.shift<arith::ShRSIOp>(write.shift<arith::ShLIOp>(s, 8), 8);
    Value oddS = write.shift<arith::ShRSIOp>(s, 8);
    Value even = write.call("llvm.x86.avx2.pmadd.wd", lanes, {evenU, evenS});
    Value odd = write.call("llvm.x86.avx2.pmadd.wd", lanes, {oddU, oddS});
    rewriter.replaceOp(op, write.add(op.getAcc(), write.add(even, odd)));
    return success();
  }
};

} // namespace

void x86::populateAvx2Spellings(RewritePatternSet &patterns) {
  // Above the definitions, should somebody put both into one set. There is no
  // spelling of broadcast_group: LLVM makes a `vpbroadcastd` from memory of its
  // definition.
  patterns.add<SpellField, SpellNarrowDot, SpellWideDot>(patterns.getContext(),
                                                         /*benefit=*/2);
}
