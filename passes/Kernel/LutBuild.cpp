//===- LutBuild.cpp - tables of sums of activations -----------------------===//
//
// Two passes over each group, in blocks of four columns. The first finds the
// step, which the widest block decides, and folds what every product adds
// besides. The order of additions is the promise, and each waits for the one
// before, so eight groups are folded side by side, a lane each: blocks of all
// of them are transposed. The second pass makes the tables, sixteen entries in
// the lanes of a vector:
//
//     T = 0;  for j in 0..3:  T = lanes whose bit j is set ? T + a[j] : T
//
//===----------------------------------------------------------------------===//

#include "passes/Kernel/LutBuild.h"

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Layout/Panel.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mezzo;

namespace {

constexpr int64_t Columns = PanelFields::ColumnsPerStep;
/// Groups that are folded side by side.
constexpr int64_t Together = 8;

class TableWriter {
public:
  TableWriter(KernelBuilder &builder, const LutRow &lut)
      : builder(builder), lut(lut),
        blocks(llvm::divideCeil(lut.group, Columns)),
        four(VectorType::get(Columns, builder.getF32Type())),
        entries(VectorType::get(LutEntries, builder.getF32Type())),
        zero(scalar(0)) {}

  void writeGroup(Value group);
  /// Groups [group, group + Together), none of which is short.
  void writeGroups(Value group);

private:
  using Body = llvm::function_ref<Values(Value block, Value a, Values carried)>;

  Values forEachBlock(Values carried, Body body);
  Value fold(ArrayRef<Value> values);
  Value negativePart(Value a);
  Values addBlock(ArrayRef<Value> columns, ArrayRef<Value> folds);
  Value finishFolds(ArrayRef<Value> folds, Value group);
  Values transposed(ArrayRef<Value> blocks);
  Value table(Value a, Value step);
  void writeTables(Value group, Value step);
  Values elements(Value vector) {
    Values values;
    for (int64_t j = 0; j < Columns; ++j)
      values.push_back(element(vector, j));
    return values;
  }
  Value zeroLike(Value value) {
    return arith::ConstantOp::create(builder,
                                     builder.getZeroAttr(value.getType()));
  }
  Value scalar(float value) {
    return arith::ConstantOp::create(builder, builder.getF32FloatAttr(value));
  }
  Value element(Value vector, int64_t index) {
    return vector::ExtractOp::create(builder, vector, index);
  }
  Value add(Value left, Value right) {
    return arith::AddFOp::create(builder, left, right);
  }
  Value toEntries(Value value) {
    return vector::BroadcastOp::create(builder, entries, value);
  }
  /// left < right ? value : otherwise; false where one of them is NaN.
  Value whereLess(Value left, Value right, Value value, Value otherwise) {
    Value less =
        arith::CmpFOp::create(builder, arith::CmpFPredicate::OLT, left, right);
    return arith::SelectOp::create(builder, less, value, otherwise);
  }
  void storePerGroup(Value value, Value memory, Value group) {
    Value at[] = {lut.row, group};
    if (isa<VectorType>(value.getType()))
      vector::StoreOp::create(builder, value, memory, at);
    else
      memref::StoreOp::create(builder, value, memory, at);
  }

  KernelBuilder &builder;
  const LutRow &lut;
  int64_t blocks; ///< of a group
  VectorType four, entries;
  Value zero;
  Value first, length; ///< column and columns of the group
};

/// All blocks of the group, columns beyond its end as zeros.
Values TableWriter::forEachBlock(Values carried, Body body) {
  Value whole = builder.divide(length, Columns);
  auto columnOf = [&](Value block) {
    return builder.add(first, builder.mul(block, Columns));
  };
  carried = builder.loop(builder.index(0), whole, 1, std::move(carried),
                         [&](Value block, Values values) {
                           Value a = vector::LoadOp::create(
                               builder, four, lut.x,
                               ValueRange{lut.row, columnOf(block)});
                           return body(block, a, std::move(values));
                         });
  return builder.loop(
      whole, builder.index(blocks), 1, std::move(carried),
      [&](Value block, Values values) {
        Value present = arith::MaxSIOp::create(
            builder, builder.sub(length, builder.mul(block, Columns)),
            builder.index(0));
        Value mask = vector::CreateMaskOp::create(
            builder, VectorType::get(Columns, builder.getI1Type()),
            ValueRange{present});
        Value a = vector::MaskedLoadOp::create(
            builder, four, lut.x, ValueRange{lut.row, columnOf(block)}, mask,
            builder.zeros(four));
        return body(block, a, std::move(values));
      });
}

/// The sum of four, ascending.
Value TableWriter::fold(ArrayRef<Value> values) {
  Value sum = values[0];
  for (Value value : values.drop_front())
    sum = add(sum, value);
  return sum;
}

/// min(a, 0), and 0 of NaN.
Value TableWriter::negativePart(Value a) {
  return whereLess(a, zeroLike(a), a, zeroLike(a));
}

/// The widest block so far, N and A, with one block more; the columns are
/// numbers, or vectors with a lane for each of several groups.
Values TableWriter::addBlock(ArrayRef<Value> columns, ArrayRef<Value> folds) {
  Values sizes, negatives;
  Value sum = folds[2];
  for (Value column : columns) {
    sizes.push_back(math::AbsFOp::create(builder, column));
    negatives.push_back(negativePart(column));
    sum = add(sum, column);
  }
  Value width = fold(sizes);
  return {whereLess(folds[0], width, width, folds[0]),
          add(folds[1], fold(negatives)), sum};
}

/// Stores what a group, or several, have come to. The result is the step.
Value TableWriter::finishFolds(ArrayRef<Value> folds, Value group) {
  auto constant = [&](float value) -> Value {
    if (auto type = dyn_cast<VectorType>(folds[0].getType()))
      return builder.splatFloat(type, value);
    return scalar(value);
  };
  Value step =
      arith::DivFOp::create(builder, folds[0], constant(float(LutEntryMax)));
  Value isZero = arith::CmpFOp::create(builder, arith::CmpFPredicate::OEQ, step,
                                       constant(0));
  step = arith::SelectOp::create(builder, isZero, constant(1), step);
  storePerGroup(step, lut.steps, group);
  storePerGroup(folds[1], lut.negatives, group);
  storePerGroup(folds[2], lut.sums, group);
  return step;
}

/// A block of each of eight groups as four columns with a lane for each group:
/// groups i and i + 4 make a vector, whose halves are transposed.
Values TableWriter::transposed(ArrayRef<Value> blocks) {
  auto shuffle = [&](Value left, Value right,
                     ArrayRef<int64_t> order) -> Value {
    return vector::ShuffleOp::create(builder, left, right, order);
  };
  Values rows, columns;
  for (int64_t i = 0; i < Together / 2; ++i)
    rows.push_back(
        shuffle(blocks[i], blocks[i + Together / 2], {0, 1, 2, 3, 4, 5, 6, 7}));
  for (int64_t from : {0, 2}) { // columns `from` and the one behind it
    SmallVector<int64_t> pairs;
    for (int64_t half : {0, 4})
      for (int64_t column : {from, from + 1})
        pairs.append({half + column, half + column + Together});
    Value low = shuffle(rows[0], rows[1], pairs),
          high = shuffle(rows[2], rows[3], pairs);
    columns.push_back(shuffle(low, high, {0, 1, 8, 9, 4, 5, 12, 13}));
    columns.push_back(shuffle(low, high, {2, 3, 10, 11, 6, 7, 14, 15}));
  }
  return columns;
}

/// The sixteen entries of a block, as bytes.
Value TableWriter::table(Value a, Value step) {
  Value zeros = builder.zeros(entries), sum = zeros;
  for (int64_t j = 0; j < Columns; ++j) {
    SmallVector<bool> bits;
    for (int64_t index = 0; index < LutEntries; ++index)
      bits.push_back(index >> j & 1);
    auto type = VectorType::get(LutEntries, builder.getI1Type());
    Value isSet = arith::ConstantOp::create(
        builder, DenseElementsAttr::get(type, ArrayRef<bool>(bits)));
    sum = arith::SelectOp::create(builder, isSet,
                                  add(sum, toEntries(element(a, j))), sum);
  }
  Value above = arith::SubFOp::create(
      builder, sum, toEntries(fold(elements(negativePart(a)))));
  Value entry = arith::DivFOp::create(builder, above, toEntries(step));
  entry = math::RoundEvenOp::create(builder, entry);
  entry = whereLess(zeros, entry, entry, zeros); // NaN becomes 0 here, too
  Value most = builder.splatFloat(entries, float(LutEntryMax));
  entry = whereLess(most, entry, most, entry);
  Value lanes = arith::FPToSIOp::create(
      builder, entries.clone(builder.getI32Type()), entry);
  return arith::TruncIOp::create(builder, entries.clone(builder.getI8Type()),
                                 lanes);
}

void TableWriter::writeTables(Value group, Value step) {
  Value target = builder.mul(group, blocks * LutEntries);
  forEachBlock({}, [&](Value block, Value a, Values) {
    Value at = builder.add(target, builder.mul(block, LutEntries));
    vector::StoreOp::create(builder, table(a, step), lut.tables,
                            ValueRange{lut.row, at});
    return Values();
  });
}

void TableWriter::writeGroup(Value group) {
  first = builder.mul(group, lut.group);
  length =
      builder.min(builder.sub(lut.columns, first), builder.index(lut.group));
  Values folds =
      forEachBlock({zero, zero, zero}, [&](Value, Value a, Values carried) {
        return addBlock(elements(a), carried);
      });
  writeTables(group, finishFolds(folds, group));
}

void TableWriter::writeGroups(Value group) {
  first = builder.mul(group, lut.group);
  length = builder.index(lut.group);
  Value none = builder.zeros(VectorType::get(Together, builder.getF32Type()));
  Values folds = builder.loop(
      builder.index(0), length, Columns, {none, none, none},
      [&](Value column, Values carried) {
        Values blocks;
        for (int64_t i = 0; i < Together; ++i)
          blocks.push_back(vector::LoadOp::create(
              builder, four, lut.x,
              ValueRange{lut.row, builder.add(builder.add(first, column),
                                              i * lut.group)}));
        return addBlock(transposed(blocks), carried);
      });
  Value steps = finishFolds(folds, group);
  for (int64_t i = 0; i < Together; ++i) {
    Value one = builder.add(group, i);
    first = builder.mul(one, lut.group);
    writeTables(one, element(steps, i));
  }
}

} // namespace

void mezzo::writeLutTables(KernelBuilder &builder, const LutRow &lut) {
  Value groups = memref::DimOp::create(builder, lut.steps, builder.index(1));
  Value alone = builder.index(0);
  if (lut.group % Columns == 0) {
    Value whole = builder.divide(lut.columns, lut.group);
    alone = builder.roundDown(whole, Together);
    builder.loop(builder.index(0), alone, Together, [&](Value group) {
      TableWriter(builder, lut).writeGroups(group);
    });
  }
  builder.loop(alone, groups, 1, [&](Value group) {
    TableWriter(builder, lut).writeGroup(group);
  });
}
