//===- Windows.cpp - sixteen windows side by side -------------------------===//

#include "passes/Kernel/Windows.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mezzo;

Value Windows::outputRows() {
  Value rows = b.index(1);
  for (const Dim &dim : ArrayRef<Dim>(dims).drop_back())
    rows = b.mul(rows, dim.output);
  return rows;
}

/// The digits of a number in a mixed radix, the last one fastest. A radix may
/// be 0 where nothing is computed; dividing by it would trap.
static Values digits(KernelBuilder &b, Value number, ArrayRef<Value> radices) {
  Values result(radices.size());
  for (size_t dim = radices.size(); dim-- > 1;) {
    Value radix = arith::MaxUIOp::create(b, radices[dim], b.index(1));
    result[dim] = arith::RemUIOp::create(b, number, radix);
    number = arith::DivUIOp::create(b, number, radix);
  }
  if (!radices.empty())
    result[0] = number;
  return result;
}

Values Windows::rowIndices(Value row) {
  Values sizes;
  for (const Dim &dim : ArrayRef<Dim>(dims).drop_back())
    sizes.push_back(dim.output);
  return digits(b, row, sizes);
}

Value Windows::taps() {
  Value taps = b.index(1);
  for (const Dim &dim : dims)
    taps = b.mul(taps, dim.kernel);
  return taps;
}

Values Windows::tapIndices(Value tap) {
  Values sizes;
  for (const Dim &dim : dims)
    sizes.push_back(dim.kernel);
  return digits(b, tap, sizes);
}

Values
Windows::forEachTap(Values carried,
                    llvm::function_ref<Values(ArrayRef<Value>, Values)> body) {
  Values tap;
  std::function<Values(size_t, Values)> nest = [&](size_t dim, Values values) {
    if (dim == dims.size())
      return body(tap, std::move(values));
    return b.loop(b.index(0), dims[dim].kernel, 1, std::move(values),
                  [&](Value index, Values inner) {
                    tap.push_back(index);
                    inner = nest(dim + 1, std::move(inner));
                    tap.pop_back();
                    return inner;
                  });
  };
  return nest(0, std::move(carried));
}

Windows::Tap Windows::at(ArrayRef<Value> row, Value firstColumn,
                         ArrayRef<Value> tap) {
  auto position = [&](size_t dim, Value output) {
    Value from = b.sub(b.mul(output, dims[dim].stride), dims[dim].pad);
    return b.add(from, b.mul(tap[dim], dims[dim].dilation));
  };
  Tap result;
  result.inRow = arith::ConstantOp::create(b, b.getBoolAttr(true));
  for (size_t dim = 0; dim + 1 < dims.size(); ++dim) {
    Value index = position(dim, row[dim]);
    // Unsigned: what is negative is beyond the end.
    Value inside = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, index,
                                         dims[dim].size);
    result.inRow = arith::AndIOp::create(b, result.inRow, inside);
    result.outer.push_back(
        arith::SelectOp::create(b, inside, index, b.index(0)));
  }
  result.column = position(dims.size() - 1, firstColumn);
  if (lastStride == 0) {
    result.whole = arith::ConstantOp::create(b, b.getBoolAttr(false));
    return result;
  }
  Value begins = arith::CmpIOp::create(b, arith::CmpIPredicate::sge,
                                       result.column, b.index(0));
  Value ends = arith::CmpIOp::create(b, arith::CmpIPredicate::sle,
                                     b.add(result.column, Lanes * lastStride),
                                     dims.back().size);
  result.whole = arith::AndIOp::create(b, result.inRow,
                                       arith::AndIOp::create(b, begins, ends));
  return result;
}

Values Windows::indices(Value batch, Value channel, const Tap &tap) {
  Values result{batch, channel};
  llvm::append_range(result, tap.outer);
  result.push_back(tap.column);
  return result;
}

Value Windows::load(Value batch, Value channel, const Tap &tap) {
  Type element = cast<MemRefType>(image.getType()).getElementType();
  auto type = VectorType::get(Lanes * lastStride, element);
  Value loaded =
      vector::LoadOp::create(b, type, image, indices(batch, channel, tap));
  if (lastStride == 1)
    return loaded;
  return vector::DeinterleaveOp::create(b, loaded).getRes1();
}

Value Windows::laneNumbers() {
  SmallVector<int32_t> numbers =
      llvm::to_vector(llvm::seq<int32_t>(0, int32_t(Lanes)));
  auto type = VectorType::get(Lanes, b.getI32Type());
  return arith::ConstantOp::create(
      b, DenseElementsAttr::get(type, ArrayRef<int32_t>(numbers)));
}

static Value splatIndex(KernelBuilder &b, Value index) {
  auto type = VectorType::get(Windows::Lanes, b.getI32Type());
  Value narrow = arith::IndexCastOp::create(b, b.getI32Type(), index);
  return vector::BroadcastOp::create(b, type, narrow);
}

Value Windows::steps() {
  return arith::MulIOp::create(b, laneNumbers(),
                               splatIndex(b, dims.back().stride));
}

Value Windows::mask(const Tap &tap) {
  Value columns = arith::AddIOp::create(b, steps(), splatIndex(b, tap.column));
  Value inside = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, columns,
                                       splatIndex(b, dims.back().size));
  Value row = vector::BroadcastOp::create(
      b, VectorType::get(Lanes, b.getI1Type()), tap.inRow);
  return arith::AndIOp::create(b, inside, row);
}

Value Windows::loadMasked(Value batch, Value channel, const Tap &tap,
                          Value mask, Value outside) {
  auto type = cast<VectorType>(outside.getType());
  if (lastStride == 1)
    return vector::MaskedLoadOp::create(
        b, type, image, indices(batch, channel, tap), mask, outside);
  return vector::GatherOp::create(b, type, image, indices(batch, channel, tap),
                                  steps(), mask, outside);
}

Value Windows::loadAny(Value batch, Value channel, const Tap &tap,
                       Value outside) {
  if (lastStride == 0)
    return loadMasked(batch, channel, tap, mask(tap), outside);
  auto either = scf::IfOp::create(b, TypeRange{outside.getType()}, tap.whole,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(either.thenBlock());
  Value inside = load(batch, channel, tap);
  scf::YieldOp::create(b, inside);
  b.setInsertionPointToStart(either.elseBlock());
  Value partly = loadMasked(batch, channel, tap, mask(tap), outside);
  scf::YieldOp::create(b, partly);
  return either.getResult(0);
}

Value Windows::counted(const Tap &tap, Value margin, Value end) {
  Value columns = arith::AddIOp::create(
      b, steps(), splatIndex(b, b.add(tap.column, margin)));
  Value extent = b.add(b.add(dims.back().size, margin), end);
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, columns,
                               splatIndex(b, extent));
}

//===----------------------------------------------------------------------===//
// Output
//===----------------------------------------------------------------------===//

Value Windows::columnMask(Value firstColumn) {
  Value left = b.sub(dims.back().output, firstColumn);
  return vector::CreateMaskOp::create(b, VectorType::get(Lanes, b.getI1Type()),
                                      ValueRange{left});
}

void Windows::store(Value value, Value output, Values indices,
                    Value firstColumn) {
  indices.push_back(firstColumn);
  Value whole =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ule,
                            b.add(firstColumn, Lanes), dims.back().output);
  auto either = scf::IfOp::create(b, TypeRange(), whole, /*withElse=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(either.thenBlock());
  vector::StoreOp::create(b, value, output, indices);
  b.setInsertionPointToStart(either.elseBlock());
  vector::MaskedStoreOp::create(b, output, indices, columnMask(firstColumn),
                                value);
}

Value Windows::reload(Value output, Values indices, Value firstColumn,
                      Type element) {
  indices.push_back(firstColumn);
  auto type = VectorType::get(Lanes, element);
  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(type));
  return vector::MaskedLoadOp::create(b, type, output, indices,
                                      columnMask(firstColumn), zero);
}
