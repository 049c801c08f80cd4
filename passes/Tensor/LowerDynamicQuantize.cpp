//===- LowerDynamicQuantize.cpp - dynamic quantization in arithmetic ------===//

#include "passes/Tensor/LowerDynamicQuantize.h"

#include "dialects/Mezzo/Mezzo.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mezzo;

namespace {

constexpr float CodeLimit = 255;

Value constant(ImplicitLocOpBuilder &b, float value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
}

Value select(ImplicitLocOpBuilder &b, arith::CmpFPredicate predicate, Value x,
             Value y, Value yes, Value no) {
  return arith::SelectOp::create(
      b, arith::CmpFOp::create(b, predicate, x, y).getResult(), yes, no);
}

/// clamp(rne(x), 0, 255); NaN stays NaN.
Value roundToCode(ImplicitLocOpBuilder &b, Value x) {
  Value low = constant(b, 0), high = constant(b, CodeLimit);
  Value code = math::RoundEvenOp::create(b, x);
  code = select(b, arith::CmpFPredicate::OLT, code, low, low, code);
  return select(b, arith::CmpFPredicate::OLT, high, code, high, code);
}

/// The smallest and the largest element, and 0; NaN is passed over.
std::pair<Value, Value> rangeOf(ImplicitLocOpBuilder &b, Value x) {
  int64_t rank = cast<RankedTensorType>(x.getType()).getRank();
  auto scalar = RankedTensorType::get({}, b.getF32Type());
  Value zero = arith::ConstantOp::create(
      b, DenseElementsAttr::get(scalar, b.getF32FloatAttr(0)));
  AffineMap none = AffineMap::get(rank, 0, b.getContext());
  SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(rank), none, none};
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::reduction);
  // Each of the two has its own destination to fold into.
  auto start = [&]() -> Value {
    Value init =
        tensor::EmptyOp::create(b, ArrayRef<int64_t>{}, b.getF32Type());
    Value first = tensor::ExtractOp::create(b, zero, ValueRange{});
    return linalg::FillOp::create(b, ValueRange{first}, ValueRange{init})
        .getResult(0);
  };
  auto generic = linalg::GenericOp::create(
      b, TypeRange{scalar, scalar}, ValueRange{x}, ValueRange{start(), start()},
      maps, loops, [&](OpBuilder &builder, Location loc, ValueRange e) {
        ImplicitLocOpBuilder inner(loc, builder);
        using Predicate = arith::CmpFPredicate;
        Value low = select(inner, Predicate::OLT, e[0], e[1], e[0], e[1]);
        Value high = select(inner, Predicate::OLT, e[2], e[0], e[0], e[2]);
        linalg::YieldOp::create(inner, ValueRange{low, high});
      });
  auto element = [&](unsigned index) -> Value {
    return tensor::ExtractOp::create(b, generic.getResult(index), ValueRange{});
  };
  return {element(0), element(1)};
}

//   %q, %s, %z = mezzo.dynamic_quantize %x
//   -->
//   min, max over %x and 0
//   s = (max - min) / 255, 1 for 0;  z = clamp(rne(-min / s), 0, 255)
//   q = clamp(rne(x / s) + z, 0, 255), z for NaN
struct LowerDynamicQuantize : OpRewritePattern<DynamicQuantizeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DynamicQuantizeOp op,
                                PatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto type = cast<RankedTensorType>(op.getCodes().getType());
    if (!type.getElementType().isInteger(8))
      return rewriter.notifyMatchFailure(op, "its codes are no bytes yet");
    auto [low, high] = rangeOf(b, op.getInput());
    Value scale = arith::DivFOp::create(
        b, arith::SubFOp::create(b, high, low).getResult(),
        constant(b, CodeLimit));
    scale = select(b, arith::CmpFPredicate::OEQ, scale, constant(b, 0),
                   constant(b, 1), scale);
    Value negative = arith::NegFOp::create(b, low);
    Value zero =
        roundToCode(b, arith::DivFOp::create(b, negative, scale).getResult());
    auto byteOf = [](ImplicitLocOpBuilder &at, Value code) -> Value {
      Value wide = arith::FPToSIOp::create(at, at.getI32Type(), code);
      return arith::TruncIOp::create(at, at.getI8Type(), wide);
    };

    int64_t rank = type.getRank();
    AffineMap identity = b.getMultiDimIdentityMap(rank);
    Value init = tensor::EmptyOp::create(
        b, tensor::getMixedSizes(b, b.getLoc(), op.getInput()), b.getI8Type());
    SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
    auto codes = linalg::GenericOp::create(
        b, TypeRange{init.getType()}, ValueRange{op.getInput()},
        ValueRange{init}, ArrayRef<AffineMap>{identity, identity}, loops,
        [&](OpBuilder &builder, Location loc, ValueRange elements) {
          ImplicitLocOpBuilder inner(loc, builder);
          Value quotient = arith::DivFOp::create(inner, elements[0], scale);
          Value rounded = math::RoundEvenOp::create(inner, quotient);
          Value code = roundToCode(
              inner, arith::AddFOp::create(inner, rounded, zero).getResult());
          code = select(inner, arith::CmpFPredicate::ORD, quotient, quotient,
                        code, zero);
          linalg::YieldOp::create(inner, byteOf(inner, code));
        });
    auto scalarOf = [&](Value value) -> Value {
      return tensor::FromElementsOp::create(
          b, RankedTensorType::get({}, value.getType()), value);
    };
    Value codesResult = codes.getResult(0);
    if (codesResult.getType() != type)
      codesResult = tensor::CastOp::create(b, type, codesResult);
    rewriter.replaceOp(
        op, {codesResult, scalarOf(scale), scalarOf(byteOf(b, zero))});
    return success();
  }
};

} // namespace

void mezzo::populateLowerDynamicQuantize(RewritePatternSet &patterns) {
  patterns.add<LowerDynamicQuantize>(patterns.getContext());
}
