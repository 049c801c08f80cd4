//===- LowerQuantize.cpp - quantize and dequantize in arithmetic ----------===//

#include "passes/Passes.h"

#include "dialects/Mezzo/Mezzo.h"
#include "passes/Tensor/LowerDynamicQuantize.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mezzo {
#define GEN_PASS_DEF_LOWERQUANTIZE
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;
using namespace mezzo;

namespace {

/// Where an element's scale is: the empty map for a scalar, (d_axis) for a
/// vector, d_axis floordiv block for blocks.
AffineMap scaleMap(MLIRContext *context, int64_t rank, int64_t scaleRank,
                   int64_t axis, int64_t block) {
  if (scaleRank == 0)
    return AffineMap::get(rank, 0, context);
  if (block == 0)
    return AffineMap::get(rank, 0, getAffineDimExpr(axis, context));
  SmallVector<AffineExpr> dims;
  for (int64_t dim = 0; dim < rank; ++dim) {
    AffineExpr expr = getAffineDimExpr(dim, context);
    dims.push_back(dim == axis ? expr.floorDiv(block) : expr);
  }
  return AffineMap::get(rank, 0, dims, context);
}

/// The format of an integer tensor: its codes', or that of a signless integer.
std::optional<Format> integerFormat(Type element) {
  if (auto code = dyn_cast<QType>(element)) {
    Format format = code.getNumberFormat();
    return format.isInteger() ? std::optional(format) : std::nullopt;
  }
  return std::nullopt;
}

/// A code as i32. Bytes hold signed codes sign-extended, unsigned ones
/// zero-extended.
Value widen(ImplicitLocOpBuilder &b, Value stored,
            std::optional<Format> format) {
  if (stored.getType().isInteger(32))
    return stored;
  if (format && format->minValue() >= 0)
    return arith::ExtUIOp::create(b, b.getI32Type(), stored);
  return arith::ExtSIOp::create(b, b.getI32Type(), stored);
}

Value toF32(ImplicitLocOpBuilder &b, Value value) {
  return value.getType().isF32()
             ? value
             : arith::ExtFOp::create(b, b.getF32Type(), value).getResult();
}

/// Builds the element-wise op over input, scales and perhaps zero points.
/// `storage` is what codes are kept in meanwhile.
template <typename Op>
linalg::GenericOp elementwise(
    Op op, RankedTensorType resultType, PatternRewriter &rewriter,
    llvm::function_ref<Value(ImplicitLocOpBuilder &, Value, Value, Value)>
        body) {
  Location loc = op.getLoc();
  int64_t rank = resultType.getRank();
  AffineMap identity = rewriter.getMultiDimIdentityMap(rank);
  AffineMap scale =
      scaleMap(op.getContext(), rank, op.getScales().getType().getRank(),
               op.getAxis(), op.getBlock());
  SmallVector<Value> inputs{op.getInput(), op.getScales()};
  SmallVector<AffineMap> maps{identity, scale};
  if (op.getZeros()) {
    inputs.push_back(op.getZeros());
    maps.push_back(scale);
  }
  maps.push_back(identity);
  Value init = tensor::EmptyOp::create(
      rewriter, loc, tensor::getMixedSizes(rewriter, loc, op.getInput()),
      resultType.getElementType());
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
      rewriter, loc, TypeRange{resultType}, inputs, ValueRange{init}, maps,
      loops, [&](OpBuilder &builder, Location at, ValueRange elements) {
        ImplicitLocOpBuilder b(at, builder);
        Value zero = op.getZeros() ? elements[2] : Value();
        linalg::YieldOp::create(b, body(b, elements[0], elements[1], zero));
      });
}

//   mezzo.dequantize %q scales(%s) zeros(%z)
//   -->
//   (int(q) - int(z)) as float * s. The product of an integer of at most 16
//   bits and a scale rounds once in either type.
struct LowerDequantize : OpRewritePattern<DequantizeOp> {
  LowerDequantize(MLIRContext *context,
                  const llvm::DenseMap<Value, Format> &formats)
      : OpRewritePattern(context), formats(formats) {}
  LogicalResult matchAndRewrite(DequantizeOp op,
                                PatternRewriter &rewriter) const override {
    auto formatOf = [&](Value value) {
      auto known = formats.find(value);
      return known == formats.end() ? std::optional<Format>()
                                    : std::optional(known->second);
    };
    std::optional<Format> format = formatOf(op.getInput()), zeroFormat;
    if (op.getZeros())
      zeroFormat = formatOf(op.getZeros());
    auto type = cast<RankedTensorType>(op.getOutput().getType());
    auto generic = elementwise(
        op, type, rewriter,
        [&](ImplicitLocOpBuilder &b, Value code, Value scale, Value zero) {
          Value value = widen(b, code, format);
          if (zero)
            value = arith::SubIOp::create(b, value, widen(b, zero, zeroFormat));
          value = arith::SIToFPOp::create(b, b.getF32Type(), value);
          value = arith::MulFOp::create(b, value, toF32(b, scale));
          return type.getElementType().isF32()
                     ? value
                     : arith::TruncFOp::create(b, type.getElementType(), value)
                           .getResult();
        });
    rewriter.replaceOp(op, generic.getResults());
    return success();
  }
  const llvm::DenseMap<Value, Format> &formats;
};

//   mezzo.quantize %x scales(%s) zeros(%z)
//   -->
//   clamp(round_half_even(x / s) + z, qmin, qmax), the division rounded to the
//   type of the scale; NaN is the code of zero
struct LowerQuantizeOp : OpRewritePattern<QuantizeOp> {
  LowerQuantizeOp(MLIRContext *context,
                  const llvm::DenseMap<Value, Format> &formats)
      : OpRewritePattern(context), formats(formats) {}
  LogicalResult matchAndRewrite(QuantizeOp op,
                                PatternRewriter &rewriter) const override {
    auto known = formats.find(op.getOutput());
    if (known == formats.end())
      return rewriter.notifyMatchFailure(
          op, "quantizes to something that is no integer format");
    Format format = known->second;
    auto zeroKnown =
        op.getZeros() ? formats.find(op.getZeros()) : formats.end();
    std::optional<Format> zeroFormat = zeroKnown == formats.end()
                                           ? std::optional<Format>()
                                           : std::optional(zeroKnown->second);
    auto type = cast<RankedTensorType>(op.getOutput().getType());
    auto generic = elementwise(
        op, type, rewriter,
        [&](ImplicitLocOpBuilder &b, Value x, Value scale, Value zero) {
          auto f32 = [&](double value) -> Value {
            return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
          };
          Value quotient =
              arith::DivFOp::create(b, toF32(b, x), toF32(b, scale));
          if (!scale.getType().isF32()) // both have few enough bits for this to
                                        // be the narrow division
            quotient =
                toF32(b, arith::TruncFOp::create(b, scale.getType(), quotient));
          Value code = math::RoundEvenOp::create(b, quotient);
          if (zero) {
            Value shift = arith::SIToFPOp::create(b, b.getF32Type(),
                                                  widen(b, zero, zeroFormat));
            code = arith::AddFOp::create(b, code, shift);
            Value ordered = arith::CmpFOp::create(b, arith::CmpFPredicate::ORD,
                                                  quotient, quotient);
            code = arith::SelectOp::create(b, ordered, code, shift);
          } else {
            Value ordered = arith::CmpFOp::create(b, arith::CmpFPredicate::ORD,
                                                  quotient, quotient);
            code = arith::SelectOp::create(b, ordered, code, f32(0));
          }
          code = arith::MaxNumFOp::create(b, code, f32(format.minValue()));
          code = arith::MinNumFOp::create(b, code, f32(format.maxValue()));
          code = arith::FPToSIOp::create(b, b.getI32Type(), code);
          Type storage = type.getElementType();
          return storage.isInteger(32)
                     ? code
                     : arith::TruncIOp::create(b, storage, code).getResult();
        });
    rewriter.replaceOp(op, generic.getResults());
    return success();
  }
  const llvm::DenseMap<Value, Format> &formats;
};

class LowerQuantizePass
    : public mezzo::impl::LowerQuantizeBase<LowerQuantizePass> {
  void runOnOperation() override {
    // Storage first: all values of codes become bytes (or 16 bits), and their
    // formats are remembered for the arithmetic. Values are tensors, or, in the
    // body of an op that moves codes, single ones.
    llvm::DenseMap<Value, Format> formats;
    bool refused = false;
    auto store = [&](Value value) {
      Type element = getElementTypeOrSelf(value.getType());
      if (!isa<QType>(element))
        return;
      std::optional<Format> format = integerFormat(element);
      if (!format) {
        mlir::emitError(value.getLoc())
            << "has codes of format " << element
            << " outside a product, which is not supported yet: use an integer "
               "format";
        refused = true;
        return;
      }
      formats.try_emplace(value, *format);
      Type storage =
          IntegerType::get(&getContext(), format->bits() <= 8 ? 8 : 16);
      auto tensor = dyn_cast<RankedTensorType>(value.getType());
      value.setType(tensor ? Type(tensor.clone(storage)) : storage);
    };
    getOperation().walk([&](func::FuncOp function) {
      function.walk(
          [&](Block *block) { llvm::for_each(block->getArguments(), store); });
      function.walk(
          [&](Operation *op) { llvm::for_each(op->getResults(), store); });
      if (!function.isExternal())
        function.setType(FunctionType::get(
            &getContext(), function.front().getArgumentTypes(),
            function.front().getTerminator()->getOperandTypes()));
    });
    if (refused)
      return signalPassFailure();
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerDequantize, LowerQuantizeOp>(&getContext(), formats);
    populateLowerDynamicQuantize(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
