//===- Dequant.cpp - `float` mode: decode, then multiply-add --------------===//
//
// Per group, d = left fold over ascending k of fma(C(q) - z, x, d) from 0, then
// y = fma(s, d, y). The order is the promise; lanes run over rows of the
// weight, so it costs nothing.
//
//===----------------------------------------------------------------------===//

#include "passes/Kernel/ProductKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// Writes the steps of one group for one register tile.
class DequantGroup {
public:
  DequantGroup(ImplicitLocOpBuilder &builder, const ProductArguments &arguments,
               const GroupTile &tile)
      : builder(builder), arguments(arguments), tile(tile) {}

  Accumulators run(Accumulators y);

private:
  Accumulators step(Value index, Accumulators d, ValueRange lanesInStep);
  Value decode(ArrayRef<Value> vectors, unsigned position, Value lane);
  Value splat(Value scalar) {
    return vector::BroadcastOp::create(builder, lanesOf(scalar.getType()),
                                       scalar);
  }

  ImplicitLocOpBuilder &builder;
  const ProductArguments &arguments;
  const GroupTile &tile;
  SmallVector<Value>
      zeros; ///< per row group: z as i32, or f32 where it is a float, or null
  Value firstColumn;
};

/// float(C(q) - z) of column `lane` of a step, for eight rows. A column is a
/// byte of each int32 lane, so one shift brings a field down, whatever its
/// width; pieces of a code are or-ed together.
Value DequantGroup::decode(ArrayRef<Value> vectors, unsigned position,
                           Value lane) {
  VectorType i32 = lanesOf(builder.getI32Type());
  Value code;
  for (const Field &field : arguments.panel.fields[tile.groups[position]]) {
    Value words = vector::BitCastOp::create(builder, i32, vectors[field.unit]);
    Value shift = arith::AddIOp::create(
        builder,
        arith::MulIOp::create(builder, lane,
                              arith::ConstantIntOp::create(builder, 8, 32))
            .getResult(),
        arith::ConstantIntOp::create(builder, field.shift, 32));
    Value bits = arith::ShRUIOp::create(builder, words, splat(shift));
    bits = arith::AndIOp::create(builder, bits,
                                 splatI32(builder, (1 << field.width) - 1));
    if (field.codeBit != 0)
      bits = arith::ShLIOp::create(builder, bits,
                                   splatI32(builder, field.codeBit));
    code = code ? arith::OrIOp::create(builder, code, bits).getResult() : bits;
  }
  if (arguments.affine.scale != 1)
    code = arith::MulIOp::create(builder, code,
                                 splatI32(builder, arguments.affine.scale));
  Value zero = zeros[position];
  bool integerZero =
      zero && cast<VectorType>(zero.getType()).getElementType().isInteger();
  if (integerZero) // holds z minus the offset of the format: one subtraction
    code = arith::SubIOp::create(builder, code, zero);
  else if (arguments.affine.offset != 0)
    code = arith::AddIOp::create(builder, code,
                                 splatI32(builder, arguments.affine.offset));
  Value value =
      arith::SIToFPOp::create(builder, lanesOf(builder.getF32Type()), code);
  if (zero && !integerZero)
    value = arith::SubFOp::create(builder, value, zero);
  return value;
}

/// The columns `lanesInStep` of step `index`: every code is decoded once and
/// used for all rows of the tile.
Accumulators DequantGroup::step(Value index, Accumulators d,
                                ValueRange lanesInStep) {
  SmallVector<Value> vectors = loadStep(builder, arguments, tile, index);
  Value column = arith::AddIOp::create(
      builder, firstColumn,
      arith::MulIOp::create(builder, index,
                            indexConstant(builder, PanelFields::ColumnsPerStep))
          .getResult());
  for (Value lane : lanesInStep) {
    Value at = arith::AddIOp::create(
        builder, column,
        arith::IndexCastOp::create(builder, builder.getIndexType(), lane)
            .getResult());
    SmallVector<Value> inputs;
    for (Value row : tile.rows)
      inputs.push_back(splat(memref::LoadOp::create(
          builder, arguments.activations[0], ValueRange{row, at})));
    for (unsigned position = 0; position < tile.groups.size(); ++position) {
      Value value = decode(vectors, position, lane);
      for (unsigned row = 0; row < tile.rows.size(); ++row) {
        Value &sum = d[row * tile.groups.size() + position];
        sum = math::FmaOp::create(builder, value, inputs[row], sum);
      }
    }
  }
  return d;
}

Accumulators DequantGroup::run(Accumulators y) {
  for (unsigned group : tile.groups) {
    Value zero;
    if (hasIntegerZeros(arguments)) {
      zero = loadGroupIntegers(builder, arguments.offsets, tile, group);
      if (arguments.affine.offset != 0)
        zero = arith::SubIOp::create(
            builder, zero, splatI32(builder, arguments.affine.offset));
    } else if (hasFloatZeros(arguments)) {
      zero = loadGroupFloats(builder, arguments.offsets, tile, group);
    }
    zeros.push_back(zero);
  }
  firstColumn =
      arith::MulIOp::create(builder, tile.group, arguments.groupLength);
  Value left = arith::SubIOp::create(builder, arguments.columns, firstColumn);
  Value length = arith::MinUIOp::create(builder, left, arguments.groupLength);
  Value four = indexConstant(builder, PanelFields::ColumnsPerStep);
  Value whole = arith::DivUIOp::create(builder, length, four);
  Value rest = arith::RemUIOp::create(builder, length, four);

  Value none = arith::ConstantOp::create(
      builder, builder.getZeroAttr(lanesOf(builder.getF32Type())));
  Accumulators d(y.size(), none);
  SmallVector<Value> lanes;
  for (int64_t lane = 0; lane < PanelFields::ColumnsPerStep; ++lane)
    lanes.push_back(arith::ConstantIntOp::create(builder, lane, 32));
  d = accumulateUnrolled(builder, whole, tile.unroll, std::move(d),
                         [&](Value index, Accumulators carried) {
                           return step(index, std::move(carried), lanes);
                         });
  // A group whose length is no multiple of four ends inside a step. Padding it
  // with zeros would be wrong: adding +0 turns a sum of -0 into +0.
  d = accumulateOver(builder, indexConstant(builder, 0), rest, 1, std::move(d),
                     [&](Value index, Accumulators carried) {
                       Value lane = arith::IndexCastOp::create(
                           builder, builder.getI32Type(), index);
                       return step(whole, std::move(carried), lane);
                     });

  for (auto [position, group] : llvm::enumerate(tile.groups)) {
    Value scale = loadGroupFloats(builder, arguments.scales, tile, group);
    for (unsigned row = 0; row < tile.rows.size(); ++row) {
      Value &sum = y[row * tile.groups.size() + position];
      sum = math::FmaOp::create(builder, scale,
                                d[row * tile.groups.size() + position], sum);
    }
  }
  return y;
}

struct Dequant : ProductStrategy {
  ConfigAttr defaultConfig(MLIRContext *context, int64_t m,
                           const PanelFields &panel) const override {
    // Four rows by two groups keep eight sums, two decoded vectors and the
    // broadcasts in sixteen registers.
    int64_t rows = m == 1 ? 1 : 4;
    return ConfigAttr::get(context, StrategyKind::Dequant, rows,
                           std::min<int64_t>(2, panel.fields.size()), 1);
  }
  Accumulators groupStep(ImplicitLocOpBuilder &builder,
                         const ProductArguments &arguments,
                         const GroupTile &tile, Accumulators y) const override {
    return DequantGroup(builder, arguments, tile).run(std::move(y));
  }
};

} // namespace

const ProductStrategy &mezzo::dequantStrategy() {
  static const Dequant strategy;
  return strategy;
}
