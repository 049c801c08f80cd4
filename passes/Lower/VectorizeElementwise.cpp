//===- VectorizeElementwise.cpp - loops over elements, many at a time -----===//
//
// A linalg.generic that computes each element by itself becomes loops whose
// innermost one takes a vector of neighbours per round, and what is left one by
// one. Lanes do what the scalar body does, so results are the same bits.
//
// The trailing dimensions that all operands go through in step are one loop:
//
//     y[n, c, h, w] = x[n, c, h, w] * s[c]      loops n, c, and one over h * w
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mezzo {
#define GEN_PASS_DEF_VECTORIZEELEMENTWISE
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;

namespace {

/// Lanes of arithmetic, and of elementary functions, which need registers for
/// more than their operands.
constexpr int64_t Lanes = 16, LanesOfFunctions = 8;

/// Flags are stored as bytes, but a vector of them is bits; `index` has no
/// width.
bool hasVectors(Type type) {
  return isa<FloatType>(type) ||
         (isa<IntegerType>(type) && type.getIntOrFloatBitWidth() >= 8);
}

/// Functions that mezzo-expand-math writes for vectors.
bool isElementaryFunction(Operation &op) {
  return isa<math::ExpOp, math::LogOp, math::TanhOp, math::ErfOp, math::SinOp,
             math::CosOp, math::PowFOp>(op) &&
         op.getResult(0).getType().isF32();
}

/// Operations of `math` that are instructions.
bool isInstruction(Operation &op) {
  return isa<math::SqrtOp, math::FmaOp, math::FloorOp, math::CeilOp,
             math::TruncOp, math::RoundEvenOp, math::AbsFOp, math::AbsIOp,
             math::CopySignOp>(op);
}

bool isVectorizable(Operation &op) {
  if (isa<linalg::YieldOp, arith::ConstantOp>(op))
    return true;
  if (isa<math::MathDialect>(op.getDialect()) && !isElementaryFunction(op) &&
      !isInstruction(op))
    return false;
  bool scalars = llvm::all_of(op.getResultTypes(), [](Type type) {
    return isa<FloatType, IntegerType>(type);
  });
  return scalars && op.getNumResults() == 1 && op.getNumRegions() == 0 &&
         OpTrait::hasElementwiseMappableTraits(&op) && isMemoryEffectFree(&op);
}

/// One operand: its buffer, and how the loops walk over it.
struct Operand {
  Value buffer;
  AffineMap map;

  MemRefType type() const { return cast<MemRefType>(buffer.getType()); }
  bool uses(unsigned dim) const { return map.isFunctionOfDim(dim); }
  /// Whether the loops from `first` on are its last dimensions, in order and
  /// without gaps, or none of them.
  bool goesInStep(unsigned first, unsigned loops) const;
};

bool Operand::goesInStep(unsigned first, unsigned loops) const {
  bool any = false;
  for (unsigned dim = first; dim < loops; ++dim)
    any |= uses(dim);
  if (!any)
    return true;
  unsigned trailing = loops - first, rank = map.getNumResults();
  if (rank < trailing)
    return false;
  for (unsigned result = 0; result < rank; ++result) {
    AffineExpr expression = map.getResult(result);
    if (result >= rank - trailing) {
      unsigned dim = first + result - (rank - trailing);
      if (expression != getAffineDimExpr(dim, map.getContext()))
        return false;
    } else {
      for (unsigned dim = first; dim < loops; ++dim)
        if (expression.isFunctionOfDim(dim))
          return false;
    }
  }
  if (trailing > 1)
    return type().getLayout().isIdentity();
  SmallVector<int64_t> strides;
  int64_t offset;
  return succeeded(type().getStridesAndOffset(strides, offset)) &&
         strides.back() == 1;
}

class Vectorizer {
public:
  explicit Vectorizer(linalg::GenericOp op)
      : op(op), b(op.getLoc(), op), loops(op.getNumLoops()) {}

  bool isPossible();
  void write();

private:
  void writeBody(ValueRange outer, Value position, int64_t lanes);
  Value load(const Operand &operand, ValueRange outer, Value position,
             int64_t lanes);
  SmallVector<Value> indices(const Operand &operand, ValueRange outer,
                             Value position);
  Value flat(const Operand &operand);

  linalg::GenericOp op;
  ImplicitLocOpBuilder b;
  unsigned loops, first = 0; ///< loops from `first` on are one
  int64_t lanes = Lanes;
  SmallVector<Operand> operands; ///< inputs, then outputs
  SmallVector<Value> buffers;    ///< with the trailing dimensions as one
};

bool Vectorizer::isPossible() {
  if (loops == 0 || op.getNumParallelLoops() != loops ||
      !op.hasPureBufferSemantics())
    return false;
  Block *body = op.getBody();
  if (!llvm::all_of(*body, isVectorizable))
    return false;
  for (Operation &inner : *body)
    if (isElementaryFunction(inner))
      lanes = LanesOfFunctions;
  for (OpOperand &operand : op->getOpOperands()) {
    Type type = operand.get().getType();
    if (!isa<MemRefType>(type))
      return false;
    operands.push_back({operand.get(), op.getMatchingIndexingMap(&operand)});
    const AffineMap &map = operands.back().map;
    if (!hasVectors(cast<MemRefType>(type).getElementType()) ||
        !llvm::all_of(map.getResults(), [](AffineExpr expression) {
          return isa<AffineDimExpr, AffineConstantExpr>(expression);
        }))
      return false;
  }
  for (unsigned output = op.getNumDpsInputs(); output < operands.size();
       ++output)
    if (!operands[output].map.isIdentity())
      return false;
  for (first = 0; first < loops; ++first)
    if (llvm::all_of(operands, [&](const Operand &operand) {
          return operand.goesInStep(first, loops);
        }))
      return true;
  return false;
}

Value Vectorizer::flat(const Operand &operand) {
  unsigned trailing = loops - first, rank = operand.map.getNumResults();
  if (trailing == 1 || !operand.uses(loops - 1))
    return operand.buffer;
  SmallVector<ReassociationIndices> groups;
  for (unsigned dim = 0; dim < rank - trailing; ++dim)
    groups.push_back({dim});
  ReassociationIndices &joined = groups.emplace_back();
  for (unsigned dim = rank - trailing; dim < rank; ++dim)
    joined.push_back(dim);
  return memref::CollapseShapeOp::create(b, operand.buffer, groups);
}

SmallVector<Value> Vectorizer::indices(const Operand &operand, ValueRange outer,
                                       Value position) {
  SmallVector<Value> result;
  bool inStep = operand.uses(loops - 1);
  unsigned leading = operand.map.getNumResults() - (inStep ? loops - first : 0);
  for (unsigned index = 0; index < leading; ++index) {
    AffineExpr expression = operand.map.getResult(index);
    if (auto dim = dyn_cast<AffineDimExpr>(expression))
      result.push_back(outer[dim.getPosition()]);
    else
      result.push_back(arith::ConstantIndexOp::create(
          b, cast<AffineConstantExpr>(expression).getValue()));
  }
  if (inStep)
    result.push_back(position);
  return result;
}

Value Vectorizer::load(const Operand &operand, ValueRange outer, Value position,
                       int64_t lanes) {
  size_t number = &operand - operands.data();
  SmallVector<Value> at = indices(operand, outer, position);
  Type element = operand.type().getElementType();
  if (lanes == 1)
    return memref::LoadOp::create(b, buffers[number], at);
  auto vector = VectorType::get(lanes, element);
  if (operand.uses(loops - 1))
    return vector::LoadOp::create(b, vector, buffers[number], at);
  Value scalar = memref::LoadOp::create(b, buffers[number], at);
  return vector::BroadcastOp::create(b, vector, scalar);
}

/// The body for `lanes` elements from `position` on.
void Vectorizer::writeBody(ValueRange outer, Value position, int64_t lanes) {
  IRMapping map;
  Block *body = op.getBody();
  for (auto [argument, operand] :
       llvm::zip_equal(body->getArguments(), operands))
    if (!argument.use_empty())
      map.map(argument, load(operand, outer, position, lanes));
  auto vector = [&](Type type) { return VectorType::get(lanes, type); };
  for (Operation &inner : *body) {
    if (isa<linalg::YieldOp>(inner))
      break;
    if (lanes == 1) {
      b.clone(inner, map);
      continue;
    }
    for (Value operand : inner.getOperands())
      if (!map.contains(operand)) // from outside: the same for all lanes
        map.map(operand, vector::BroadcastOp::create(
                             b, vector(operand.getType()), operand));
    if (auto constant = dyn_cast<arith::ConstantOp>(inner)) {
      auto type = vector(constant.getType());
      map.map(inner.getResult(0),
              arith::ConstantOp::create(
                  b, DenseElementsAttr::get(type, constant.getValue())));
      continue;
    }
    Operation *wide = b.clone(inner, map);
    wide->getResult(0).setType(vector(inner.getResult(0).getType()));
  }
  auto yield = cast<linalg::YieldOp>(body->getTerminator());
  for (auto [output, value] : llvm::enumerate(yield.getOperands())) {
    size_t number = op.getNumDpsInputs() + output;
    Value result = map.lookupOrDefault(value);
    if (lanes > 1 && !isa<VectorType>(result.getType()))
      result = vector::BroadcastOp::create(b, vector(result.getType()), result);
    SmallVector<Value> at = indices(operands[number], outer, position);
    if (lanes == 1)
      memref::StoreOp::create(b, result, buffers[number], at);
    else
      vector::StoreOp::create(b, result, buffers[number], at);
  }
}

void Vectorizer::write() {
  for (const Operand &operand : operands)
    buffers.push_back(flat(operand));
  Value output = operands.back().buffer;
  Value zero = arith::ConstantIndexOp::create(b, 0),
        one = arith::ConstantIndexOp::create(b, 1),
        width = arith::ConstantIndexOp::create(b, lanes);
  SmallVector<Value> outer, sizes;
  for (unsigned dim = 0; dim < loops; ++dim)
    sizes.push_back(memref::DimOp::create(b, output, dim));
  Value count = sizes[first];
  for (Value size : ArrayRef<Value>(sizes).drop_front(first + 1))
    count = arith::MulIOp::create(b, count, size);
  Value rest = arith::RemUIOp::create(b, count, width),
        whole = arith::SubIOp::create(b, count, rest);
  for (unsigned dim = 0; dim < first; ++dim) {
    auto loop = scf::ForOp::create(b, zero, sizes[dim], one);
    b.setInsertionPointToStart(loop.getBody());
    outer.push_back(loop.getInductionVar());
  }
  for (auto [begin, end, step, lanesOfStep] :
       {std::tuple(zero, whole, width, lanes),
        std::tuple(whole, count, one, int64_t(1))}) {
    auto loop = scf::ForOp::create(b, begin, end, step);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    writeBody(outer, loop.getInductionVar(), lanesOfStep);
  }
  op.erase();
}

class VectorizeElementwisePass
    : public mezzo::impl::VectorizeElementwiseBase<VectorizeElementwisePass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    for (linalg::LinalgOp op : ops) {
      if (isa<linalg::FillOp, linalg::CopyOp, linalg::MapOp>(op)) {
        rewriter.setInsertionPoint(op);
        FailureOr<linalg::GenericOp> generic =
            linalg::generalizeNamedOp(rewriter, op);
        if (failed(generic))
          continue;
        op = *generic;
      }
      auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
      if (!generic)
        continue;
      Vectorizer vectorizer(generic);
      if (vectorizer.isPossible())
        vectorizer.write();
    }
  }
};

} // namespace
