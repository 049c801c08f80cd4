//===- LutBuild.cpp - tables of sums of activations -----------------------===//
//
// Two passes over each group, in blocks of four columns. The first finds the
// step, which the widest block decides, and folds what every product adds
// besides: in scalars, since the order of additions is the promise. The second
// makes the tables, sixteen entries in the lanes of a vector:
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

class TableWriter {
public:
  TableWriter(KernelBuilder &builder, const LutRow &lut)
      : builder(builder), lut(lut),
        blocks(llvm::divideCeil(lut.group, Columns)),
        four(VectorType::get(Columns, builder.getF32Type())),
        entries(VectorType::get(LutEntries, builder.getF32Type())),
        zero(scalar(0)) {}

  void writeGroup(Value group);

private:
  using Body = llvm::function_ref<Values(Value block, Value a, Values carried)>;

  Values forEachBlock(Values carried, Body body);
  Value fold(Value vector);
  Value negativeParts(Value a);
  Value table(Value a, Value step);
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
    memref::StoreOp::create(builder, value, memory, ValueRange{lut.row, group});
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
Value TableWriter::fold(Value vector) {
  Value sum = element(vector, 0);
  for (int64_t j = 1; j < Columns; ++j)
    sum = add(sum, element(vector, j));
  return sum;
}

Value TableWriter::negativeParts(Value a) {
  Value zeros = builder.zeros(four);
  return whereLess(a, zeros, a, zeros);
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
  Value above =
      arith::SubFOp::create(builder, sum, toEntries(fold(negativeParts(a))));
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

void TableWriter::writeGroup(Value group) {
  first = builder.mul(group, lut.group);
  length =
      builder.min(builder.sub(lut.columns, first), builder.index(lut.group));
  Values folds =
      forEachBlock({zero, zero, zero}, [&](Value, Value a, Values carried) {
        Value width = fold(math::AbsFOp::create(builder, a));
        Value sum = carried[2];
        for (int64_t j = 0; j < Columns; ++j)
          sum = add(sum, element(a, j));
        return Values{whereLess(carried[0], width, width, carried[0]),
                      add(carried[1], fold(negativeParts(a))), sum};
      });
  Value step =
      arith::DivFOp::create(builder, folds[0], scalar(float(LutEntryMax)));
  Value isZero =
      arith::CmpFOp::create(builder, arith::CmpFPredicate::OEQ, step, zero);
  step = arith::SelectOp::create(builder, isZero, scalar(1), step);
  storePerGroup(step, lut.steps, group);
  storePerGroup(folds[1], lut.negatives, group);
  storePerGroup(folds[2], lut.sums, group);
  Value target = builder.mul(group, blocks * LutEntries);
  forEachBlock({}, [&](Value block, Value a, Values) {
    Value at = builder.add(target, builder.mul(block, LutEntries));
    vector::StoreOp::create(builder, table(a, step), lut.tables,
                            ValueRange{lut.row, at});
    return Values();
  });
}

} // namespace

void mezzo::writeLutTables(KernelBuilder &builder, const LutRow &lut) {
  Value groups = memref::DimOp::create(builder, lut.steps, builder.index(1));
  builder.loop(builder.index(0), groups, 1, [&](Value group) {
    TableWriter(builder, lut).writeGroup(group);
  });
}
