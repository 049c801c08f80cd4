//===- KernelBuilder.cpp - the words that kernels are written in ----------===//

#include "passes/Kernel/KernelBuilder.h"

#include "lib/Layout/Panel.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/bit.h"

#include <numeric>

using namespace mlir;
using namespace mezzo;

//===----------------------------------------------------------------------===//
// Index arithmetic
//===----------------------------------------------------------------------===//

Value KernelBuilder::index(int64_t value) {
  return arith::ConstantIndexOp::create(*this, value);
}

Value KernelBuilder::add(Value left, Value right) {
  if (getConstantIntValue(left) == 0)
    return right;
  if (getConstantIntValue(right) == 0)
    return left;
  return arith::AddIOp::create(*this, left, right);
}

Value KernelBuilder::add(Value left, int64_t right) {
  if (std::optional<int64_t> constant = getConstantIntValue(left))
    return index(*constant + right);
  return right == 0 ? left : add(left, index(right));
}

Value KernelBuilder::sub(Value left, Value right) {
  return arith::SubIOp::create(*this, left, right);
}

Value KernelBuilder::mul(Value left, Value right) {
  return arith::MulIOp::create(*this, left, right);
}

Value KernelBuilder::mul(Value left, int64_t right) {
  if (std::optional<int64_t> constant = getConstantIntValue(left))
    return index(*constant * right);
  return right == 1 ? left : mul(left, index(right));
}

Value KernelBuilder::min(Value left, Value right) {
  return arith::MinUIOp::create(*this, left, right);
}

Value KernelBuilder::divide(Value left, int64_t right) {
  if (right == 1)
    return left;
  return arith::DivUIOp::create(*this, left, index(right));
}

Value KernelBuilder::ceilDivide(Value left, int64_t right) {
  return divide(add(left, right - 1), right);
}

Value KernelBuilder::remainder(Value left, int64_t right) {
  return arith::RemUIOp::create(*this, left, index(right));
}

Value KernelBuilder::roundDown(Value value, int64_t step) {
  return step == 1 ? value : sub(value, remainder(value, step));
}

//===----------------------------------------------------------------------===//
// Vectors
//===----------------------------------------------------------------------===//

VectorType KernelBuilder::lanesOf(Type element) {
  return VectorType::get(lanes, element);
}

Value KernelBuilder::zeros(VectorType type) {
  return arith::ConstantOp::create(*this, getZeroAttr(type));
}

Value KernelBuilder::splat(VectorType type, int64_t value) {
  APInt bits(type.getElementTypeBitWidth(), value, /*isSigned=*/true,
             /*implicitTrunc=*/true);
  return arith::ConstantOp::create(*this, DenseElementsAttr::get(type, bits));
}

Value KernelBuilder::splatFloat(VectorType type, float value) {
  return arith::ConstantOp::create(
      *this, DenseElementsAttr::get(type, APFloat(value)));
}

Value KernelBuilder::broadcast(Value scalar) {
  return vector::BroadcastOp::create(*this, lanesOf(scalar.getType()), scalar);
}

Value KernelBuilder::bitcast(VectorType type, Value vector) {
  if (vector.getType() == type)
    return vector;
  return vector::BitCastOp::create(*this, type, vector);
}

Value KernelBuilder::concatenate(ArrayRef<Value> vectors) {
  if (vectors.size() == 1)
    return vectors[0];
  assert(vectors.size() == 2 && "no machine has vectors of four row groups");
  auto type = cast<VectorType>(vectors[0].getType());
  SmallVector<int64_t> order(2 * type.getNumElements());
  std::iota(order.begin(), order.end(), 0);
  return vector::ShuffleOp::create(*this, vectors[0], vectors[1], order);
}

static VectorType bytesOf(VectorType type) {
  return VectorType::get(type.getNumElements() * type.getElementTypeBitWidth() /
                             8,
                         IntegerType::get(type.getContext(), 8));
}

Value KernelBuilder::loadBytes(VectorType type, Value memory, Value offset) {
  Value bytes =
      vector::LoadOp::create(*this, bytesOf(type), memory, ValueRange{offset});
  return bitcast(type, bytes);
}

void KernelBuilder::storeBytes(Value vector, Value memory, Value offset) {
  Value bytes = bitcast(bytesOf(cast<VectorType>(vector.getType())), vector);
  vector::StoreOp::create(*this, bytes, memory, ValueRange{offset});
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

Values KernelBuilder::loop(Value begin, Value end, int64_t step, Values carried,
                           Body body) {
  auto op = scf::ForOp::create(*this, begin, end, index(step), carried);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(op.getBody());
  Values next =
      body(op.getInductionVar(), Values(op.getRegionIterArgs().begin(),
                                        op.getRegionIterArgs().end()));
  if (!carried.empty())
    scf::YieldOp::create(*this, next);
  return Values(op.getResults().begin(), op.getResults().end());
}

void KernelBuilder::loop(Value begin, Value end, int64_t step, PlainBody body) {
  loop(begin, end, step, {}, [&](Value index, Values) {
    body(index);
    return Values();
  });
}

Values KernelBuilder::unrolled(int64_t count, int64_t unroll, Values carried,
                               UnrolledBody body) {
  auto round = [&](Value first, int64_t steps, Values values) {
    for (int64_t position = 0; position < steps; ++position)
      values = body(add(first, position), position, std::move(values));
    return values;
  };
  int64_t whole = count / unroll * unroll;
  if (whole > unroll)
    carried = loop(index(0), index(whole), unroll, std::move(carried),
                   [&](Value first, Values values) {
                     return round(first, unroll, std::move(values));
                   });
  else
    carried = round(index(0), whole, std::move(carried));
  return round(index(whole), count - whole, std::move(carried));
}

void KernelBuilder::tiles(
    Value begin, Value end, int64_t rows,
    llvm::function_ref<void(Value first, int64_t rows)> body) {
  while (rows >= 1) {
    Value whole = add(begin, roundDown(sub(end, begin), rows));
    loop(begin, whole, rows, [&](Value first) { body(first, rows); });
    begin = whole;
    rows = rows == 1 ? 0 : llvm::bit_ceil(uint64_t(rows)) / 2;
  }
}
