//===- ExpandMath.cpp - elementary functions by the programs of lib/Math --===//

#include "passes/Passes.h"

#include "lib/Math/Double.h"
#include "lib/Math/Elementary.h"
#include "lib/Math/Trigonometry.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mezzo {
#define GEN_PASS_DEF_EXPANDMATH
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;
using namespace mezzo;

namespace {

/// The algebra of lib/Math/Elementary.h that builds IR: the same programs that
/// ScalarOps evaluates, so the compiled function and the reference are equal
/// bit for bit. Works on f32, f64 and on vectors of them.
class BuilderOps {
public:
  using Value = mlir::Value;
  using Int = mlir::Value;
  using Bool = mlir::Value;

  BuilderOps(OpBuilder &builder, Location loc, Type type)
      : b(loc, builder), floats(type) {
    Type element = getElementTypeOrSelf(type),
         word = b.getIntegerType(element.getIntOrFloatBitWidth());
    auto vector = dyn_cast<VectorType>(type);
    integers = vector ? Type(vector.clone(word)) : word;
  }

  Value constant(double x) {
    return splat(b.getFloatAttr(getElementTypeOrSelf(floats), x), floats);
  }
  Int integer(int64_t x) {
    return splat(b.getIntegerAttr(getElementTypeOrSelf(integers), x), integers);
  }

  Value add(Value x, Value y) { return arith::AddFOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(b, x, y); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, x, y); }
  Value div(Value x, Value y) { return arith::DivFOp::create(b, x, y); }
  Value fma(Value x, Value y, Value z) {
    return math::FmaOp::create(b, x, y, z);
  }
  Value sqrt(Value x) { return math::SqrtOp::create(b, x); }
  Value neg(Value x) { return arith::NegFOp::create(b, x); }
  Value abs(Value x) { return math::AbsFOp::create(b, x); }

  Bool lessThan(Value x, Value y) {
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, y);
  }
  Value select(Bool c, Value x, Value y) {
    return arith::SelectOp::create(b, c, x, y);
  }

  Int iadd(Int x, Int y) { return arith::AddIOp::create(b, x, y); }
  Int isub(Int x, Int y) { return arith::SubIOp::create(b, x, y); }
  Int iand(Int x, Int y) { return arith::AndIOp::create(b, x, y); }
  Int ior(Int x, Int y) { return arith::OrIOp::create(b, x, y); }
  Int ishl(Int x, unsigned bits) {
    return arith::ShLIOp::create(b, x, integer(bits));
  }
  Int isar(Int x, unsigned bits) {
    return arith::ShRSIOp::create(b, x, integer(bits));
  }
  Bool iequal(Int x, Int y) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, y);
  }

  Int asInt(Value x) { return arith::BitcastOp::create(b, integers, x); }
  Value asFloat(Int x) { return arith::BitcastOp::create(b, floats, x); }

private:
  Value splat(TypedAttr scalar, Type type) {
    if (auto vector = dyn_cast<VectorType>(type))
      return arith::ConstantOp::create(b,
                                       DenseElementsAttr::get(vector, scalar));
    return arith::ConstantOp::create(b, scalar);
  }

  ImplicitLocOpBuilder b;
  Type floats, integers;
};

//   %y = math.exp %x : f32 or vector<16xf32>
//   -->
//   the program of lib/Math/Elementary.h
template <typename Op, typename Program>
struct Expand : OpRewritePattern<Op> {
  Expand(MLIRContext *context, unsigned bits, Program program)
      : OpRewritePattern<Op>(context), bits(bits), program(program) {}

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    if (getElementTypeOrSelf(op.getType()).getIntOrFloatBitWidth() != bits)
      return rewriter.notifyMatchFailure(op, "the program is of another type");
    BuilderOps ops(rewriter, op.getLoc(), op.getType());
    rewriter.replaceOp(op, program(ops, op.getOperand()));
    return success();
  }
  unsigned bits;
  Program program;
};

template <typename Op, typename Program>
void addProgram(RewritePatternSet &patterns, Program program,
                unsigned bits = 32) {
  patterns.add(std::make_unique<Expand<Op, Program>>(patterns.getContext(),
                                                     bits, program));
}

//   %y = math.powf %a, %b : f32
//   -->
//   exp(b * log(a)), which is exact for no argument but good to a few ulps
//   times |b log a|; integer exponents of a model are turned into products by
//   the frontend
struct ExpandPow : OpRewritePattern<math::PowFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::PowFOp op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "programs are in f32");
    Location loc = op.getLoc();
    Value log = math::LogOp::create(rewriter, loc, op.getLhs());
    Value product = arith::MulFOp::create(rewriter, loc, op.getRhs(), log);
    rewriter.replaceOpWithNewOp<math::ExpOp>(op, product);
    return success();
  }
};

class ExpandMathPass : public mezzo::impl::ExpandMathBase<ExpandMathPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    addProgram<math::ExpOp>(
        patterns, [](BuilderOps &o, Value x) { return expProgram(o, x); });
    addProgram<math::LogOp>(
        patterns, [](BuilderOps &o, Value x) { return logProgram(o, x); });
    addProgram<math::TanhOp>(
        patterns, [](BuilderOps &o, Value x) { return tanhProgram(o, x); });
    addProgram<math::ErfOp>(
        patterns, [](BuilderOps &o, Value x) { return erfProgram(o, x); });
    addProgram<math::SinOp>(patterns, [](BuilderOps &o, Value x) {
      return sincosProgram(o, x, false);
    });
    addProgram<math::CosOp>(patterns, [](BuilderOps &o, Value x) {
      return sincosProgram(o, x, true);
    });
    addProgram<math::TanOp>(
        patterns, [](BuilderOps &o, Value x) { return tanProgram(o, x); });
    addProgram<math::AsinOp>(
        patterns, [](BuilderOps &o, Value x) { return asinProgram(o, x); });
    addProgram<math::AcosOp>(
        patterns, [](BuilderOps &o, Value x) { return acosProgram(o, x); });
    addProgram<math::AtanOp>(
        patterns, [](BuilderOps &o, Value x) { return atanProgram(o, x); });
    addProgram<math::SinhOp>(
        patterns, [](BuilderOps &o, Value x) { return sinhProgram(o, x); });
    addProgram<math::CoshOp>(
        patterns, [](BuilderOps &o, Value x) { return coshProgram(o, x); });
    addProgram<math::AsinhOp>(
        patterns, [](BuilderOps &o, Value x) { return asinhProgram(o, x); });
    addProgram<math::AcoshOp>(
        patterns, [](BuilderOps &o, Value x) { return acoshProgram(o, x); });
    addProgram<math::AtanhOp>(
        patterns, [](BuilderOps &o, Value x) { return atanhProgram(o, x); });
    addProgram<math::ExpOp>(
        patterns, [](BuilderOps &o, Value x) { return exp64Program(o, x); },
        64);
    addProgram<math::LogOp>(
        patterns, [](BuilderOps &o, Value x) { return log64Program(o, x); },
        64);
    patterns.add<ExpandPow>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
