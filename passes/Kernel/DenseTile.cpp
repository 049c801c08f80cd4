//===- DenseTile.cpp - products over a panel of sixteen columns -----------===//

#include "passes/Kernel/DenseTile.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mezzo;

/// Steps that a round of the inner loop writes out.
static constexpr int64_t Unroll = 2;

DenseTile::DenseTile(KernelBuilder &b, func::FuncOp function, Type element)
    : b(b), element(element) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&function.front());
  scratch = memref::AllocaOp::create(
      b, MemRefType::get({MostSteps, Lanes}, element), b.getI64IntegerAttr(64));
}

VectorType DenseTile::lanes() const { return VectorType::get(Lanes, element); }

Value DenseTile::zeros() {
  return arith::ConstantOp::create(b, b.getZeroAttr(lanes()));
}

Value DenseTile::splat(Value scalar) {
  return vector::BroadcastOp::create(b, lanes(), scalar);
}

Value DenseTile::multiplyAdd(Value x, Value y, Value z) {
  if (isa<FloatType>(element))
    return math::FmaOp::create(b, x, y, z);
  return arith::AddIOp::create(b, z, arith::MulIOp::create(b, x, y));
}

void DenseTile::putStep(Value step, Value vector) {
  vector::StoreOp::create(b, vector, scratch, ValueRange{step, b.index(0)});
}

Value DenseTile::flatten(KernelBuilder &b, Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  auto parts = memref::ExtractStridedMetadataOp::create(b, buffer);
  auto flat = MemRefType::get(
      {ShapedType::kDynamic}, type.getElementType(),
      StridedLayoutAttr::get(b.getContext(), ShapedType::kDynamic, {1}));
  // Its length is known to those who index it.
  Value length = b.index(std::numeric_limits<int64_t>::max());
  return memref::ReinterpretCastOp::create(
      b, flat, parts.getBaseBuffer(), OpFoldResult(parts.getOffset()),
      ArrayRef<OpFoldResult>{length},
      ArrayRef<OpFoldResult>{b.getIndexAttr(1)});
}

Value DenseTile::strideOf(KernelBuilder &b, Value buffer, unsigned dim) {
  return memref::ExtractStridedMetadataOp::create(b, buffer).getStrides()[dim];
}

/// `sums` are [row][vector].
Values DenseTile::fold(Value firstRow, int64_t rows, int64_t vectors, Value k0,
                       Value count, Values sums, Matrix matrix, Step step) {
  Values starts;
  for (int64_t row = 0; row < rows; ++row)
    starts.push_back(b.add(matrix.rowStart(b.add(firstRow, row)), k0));
  auto oneStep = [&](Value at, Values sums) {
    Values panel;
    for (int64_t vector = 0; vector < vectors; ++vector)
      panel.push_back(step(at, vector));
    for (int64_t row = 0; row < rows; ++row) {
      Value x = splat(memref::LoadOp::create(
          b, matrix.flat, ValueRange{b.add(starts[row], at)}));
      for (int64_t vector = 0; vector < vectors; ++vector) {
        Value &sum = sums[row * vectors + vector];
        sum = multiplyAdd(x, panel[vector], sum);
      }
    }
    return sums;
  };
  Value whole = b.roundDown(count, Unroll);
  sums = b.loop(b.index(0), whole, Unroll, sums, [&](Value at, Values values) {
    for (int64_t i = 0; i < Unroll; ++i)
      values = oneStep(b.add(at, i), std::move(values));
    return values;
  });
  return b.loop(whole, count, 1, sums, [&](Value at, Values values) {
    return oneStep(at, std::move(values));
  });
}

void DenseTile::addBlock(Value rows, Value k0, Value count, Value place,
                         Value isFirst, Matrix matrix, Load load, Store store) {
  auto fromScratch = [&](Value at, int64_t) -> Value {
    return vector::LoadOp::create(b, lanes(), scratch,
                                  ValueRange{b.add(place, at), b.index(0)});
  };
  b.tiles(b.index(0), rows, MostRows, [&](Value first, int64_t tile) {
    Values sums;
    SmallVector<Type> types(tile, lanes());
    auto start = scf::IfOp::create(b, types, isFirst, /*withElse=*/true);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(start.thenBlock());
      scf::YieldOp::create(b, Values(tile, zeros()));
      b.setInsertionPointToStart(start.elseBlock());
      Values loaded;
      for (int64_t row = 0; row < tile; ++row)
        loaded.push_back(load(b.add(first, row)));
      scf::YieldOp::create(b, loaded);
    }
    sums.append(start.getResults().begin(), start.getResults().end());
    sums = fold(first, tile, 1, k0, count, sums, matrix, fromScratch);
    for (int64_t row = 0; row < tile; ++row)
      store(b.add(first, row), sums[row], 0);
  });
}

void DenseTile::product(Value firstRow, int64_t rows, int64_t vectors,
                        Value count, Matrix matrix, Step step, Store store) {
  Values sums(rows * vectors, zeros());
  sums = fold(firstRow, rows, vectors, b.index(0), count, sums, matrix, step);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t vector = 0; vector < vectors; ++vector)
      store(b.add(firstRow, row), sums[row * vectors + vector], vector);
}
