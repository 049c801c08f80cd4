//===- NativeDot.cpp - `int` mode: integer dot products of bytes ----------===//
//
// Activations are int8 with one scale per row (`quantize_rows`), so a group is
// an exact integer sum and the order of its terms is free. Codes are unpacked
// to unsigned bytes u, with value scale * u + offset, and
//
//     sum (C(q) - z) * a  =  scale * sum u * a  +  (offset - z) * sum a
//
// where the last sum comes ready with the activations. Then y = fma(fl(s *
// s_a), float(dot), y).
//
//===----------------------------------------------------------------------===//

#include "dialects/Tile/Tile.h"
#include "passes/Kernel/ProductKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// Activations are symmetric int8: codes in [-127, 127].
constexpr int64_t ActivationMax = 127;

class NativeDotGroup {
public:
  NativeDotGroup(ImplicitLocOpBuilder &builder,
                 const ProductArguments &arguments, const GroupTile &tile)
      : builder(builder), arguments(arguments), tile(tile) {}

  Accumulators run(Accumulators y);

private:
  Accumulators rawDots();
  Value unpack(ArrayRef<Value> vectors, unsigned rowGroup);
  Value splat(Value scalar) {
    return vector::BroadcastOp::create(builder, lanesOf(scalar.getType()),
                                       scalar);
  }
  Value toFloat(Value lanes) {
    return arith::SIToFPOp::create(builder, lanesOf(builder.getF32Type()),
                                   lanes);
  }

  ImplicitLocOpBuilder &builder;
  const ProductArguments &arguments;
  const GroupTile &tile;
};

/// The codes of eight rows by four columns as unsigned bytes.
Value NativeDotGroup::unpack(ArrayRef<Value> vectors, unsigned rowGroup) {
  Value code;
  for (const Field &field : arguments.panel.fields[rowGroup]) {
    Value part = tile::FieldOp::create(builder, vectors[field.unit],
                                       field.shift, field.width, field.codeBit);
    code = code ? arith::OrIOp::create(builder, code, part).getResult() : part;
  }
  return code;
}

/// sum u * a over the group, for every row and row group of the tile. Columns
/// beyond the group are zero in `a`.
Accumulators NativeDotGroup::rawDots() {
  Value four = indexConstant(builder, PanelFields::ColumnsPerStep);
  Value steps =
      arith::CeilDivUIOp::create(builder, arguments.groupLength, four);
  Value firstStep = arith::MulIOp::create(builder, tile.group, steps);
  auto bytes = VectorType::get(PanelFields::VectorBytes, builder.getI8Type());
  Accumulators dots(tile.rows.size() * tile.groups.size(),
                    splatI32(builder, 0));
  return accumulateUnrolled(
      builder, steps, tile.unroll, std::move(dots),
      [&](Value step, Accumulators sums) {
        SmallVector<Value> vectors = loadStep(builder, arguments, tile, step);
        Value column = arith::MulIOp::create(
            builder,
            arith::AddIOp::create(builder, firstStep, step).getResult(), four);
        SmallVector<Value> inputs;
        for (Value row : tile.rows)
          inputs.push_back(tile::BroadcastGroupOp::create(
              builder, bytes, arguments.activations[0],
              ValueRange{row, column}));
        for (auto [position, group] : llvm::enumerate(tile.groups)) {
          Value code = unpack(vectors, group);
          for (unsigned row = 0; row < tile.rows.size(); ++row) {
            Value &sum = sums[row * tile.groups.size() + position];
            sum = tile::DotOp::create(builder, sum, code, inputs[row],
                                      (1 << arguments.bits) - 1, ActivationMax);
          }
        }
        return sums;
      });
}

Accumulators NativeDotGroup::run(Accumulators y) {
  Accumulators dots = rawDots();
  SmallVector<Value> rowScales, rowSums;
  for (Value row : tile.rows) {
    rowScales.push_back(
        splat(memref::LoadOp::create(builder, arguments.activations[1], row)));
    rowSums.push_back(splat(memref::LoadOp::create(
        builder, arguments.activations[2], ValueRange{row, tile.group})));
  }
  for (auto [position, group] : llvm::enumerate(tile.groups)) {
    Value scale = loadGroupFloats(builder, arguments.scales, tile, group);
    Value offset = splatI32(builder, arguments.affine.offset);
    if (hasIntegerZeros(arguments))
      offset = arith::SubIOp::create(
          builder, offset,
          loadGroupIntegers(builder, arguments.offsets, tile, group));
    Value minimum;
    if (hasFloatZeros(arguments)) // m = fl(-s * z)
      minimum = arith::MulFOp::create(
          builder, arith::NegFOp::create(builder, scale).getResult(),
          loadGroupFloats(builder, arguments.offsets, tile, group));
    for (unsigned row = 0; row < tile.rows.size(); ++row) {
      Value dot = dots[row * tile.groups.size() + position];
      if (arguments.affine.scale != 1)
        dot = arith::MulIOp::create(builder, dot,
                                    splatI32(builder, arguments.affine.scale));
      dot = arith::AddIOp::create(
          builder, dot,
          arith::MulIOp::create(builder, offset, rowSums[row]).getResult());
      Value both = arith::MulFOp::create(builder, scale, rowScales[row]);
      Value &sum = y[row * tile.groups.size() + position];
      sum = math::FmaOp::create(builder, both, toFloat(dot), sum);
      if (minimum) {
        Value scaled = arith::MulFOp::create(builder, minimum, rowScales[row]);
        sum = math::FmaOp::create(builder, scaled, toFloat(rowSums[row]), sum);
      }
    }
  }
  return y;
}

struct NativeDot : ProductStrategy {
  ConfigAttr defaultConfig(MLIRContext *context, int64_t m,
                           const PanelFields &panel) const override {
    int64_t rows = m == 1 ? 1 : 4;
    return ConfigAttr::get(context, StrategyKind::NativeDot, rows,
                           std::min<int64_t>(2, panel.fields.size()), 2);
  }
  Accumulators groupStep(ImplicitLocOpBuilder &builder,
                         const ProductArguments &arguments,
                         const GroupTile &tile, Accumulators y) const override {
    return NativeDotGroup(builder, arguments, tile).run(std::move(y));
  }
};

} // namespace

const ProductStrategy &mezzo::nativeDotStrategy() {
  static const NativeDot strategy;
  return strategy;
}
