//===- NativeDot.cpp - `int` mode: integer dot products of bytes ----------===//
//
// Activations are int8 with one scale per row (`quantize_rows`), so a group is
// an exact integer sum and the order of its terms is free. Codes are unpacked
// to bytes c, with value scale * c + offset, and for a zero point z
//
//     sum (C(q) - z) * a  =  scale * sum (c - m) * a
//                            + (scale * m + offset - z) * sum a
//
// for any m, where the last sum comes ready with the activations. Activations
// with a zero point z_a are taken less of it at the end: their differences are
// of nine bits, their codes of eight.
//
//     sum (C(q) - z) * (a - z_a) = sum (C(q) - z) * a - z_a * sum (C(q) - z)
//
// where the last sum comes ready with the weight. Then
// y = fma(fl(s * s_a), float(dot), y).
//
// Adding in 16 bits. Machines multiply bytes in pairs and add the two products
// in 16 bits; widening each pair to 32 is half of the work. So pairs are added
// up in 16-bit lanes over a *chunk* of columns, as long as the end fits. It
// fits longest for centred codes, m = (low + high + 1) / 2: n-bit codes by
// activations up to 127 for 2^(10-n) steps of four columns. The codes in
// registers are not centred, but additions wrap, and only the end counts: each
// lane starts at -m times the sum of the activations that it will see, which
// `quantize_rows` has ready as well (`pairs`), and what wraps on the way wraps
// back.
//
//     int4, m = 8, chunk of 64 columns: 16 steps, each |2 products| <= 2*8*127,
//     16 * 2032 = 32512 <= 32767
//
//===----------------------------------------------------------------------===//

#include "dialects/Tile/Tile.h"
#include "passes/Kernel/DecodeTable.h"
#include "passes/Kernel/ProductKernel.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <cmath>

using namespace mlir;
using namespace mezzo;

namespace {

constexpr int64_t Columns = PanelFields::ColumnsPerStep;
/// What signed codes have too much where the machine multiplies unsigned ones.
constexpr int64_t Bias = 128;
/// Short chunks are written out, so many steps together.
constexpr int64_t WrittenOut = 8;

/// Writes the sums of one register tile over a run of columns.
class DotWriter {
public:
  DotWriter(KernelBuilder &builder, const ProductFacts &facts,
            const ProductOperands &operands, const Segment &segment)
      : builder(builder), facts(facts), operands(operands), segment(segment),
        firstColumn(builder.add(
            builder.mul(segment.group, facts.record.steps * Columns),
            builder.mul(segment.firstStep, Columns))) {}

  Values run(Values sums);

private:
  Values dots(Value firstStep, int64_t steps, Values sums);
  Values addChunk(Value chunk, int64_t steps, Values sums);
  Value product(Value sum, Value codes, Value activations);

  KernelBuilder &builder;
  const ProductFacts &facts;
  const ProductOperands &operands;
  const Segment &segment;
  Value firstColumn; ///< of the run, in the activations
};

/// Four products a lane in 32 bits, or two in 16: as the sum is.
Value DotWriter::product(Value sum, Value codes, Value activations) {
  auto type = cast<VectorType>(sum.getType());
  int64_t bias = facts.biasesCodes ? Bias : 0;
  int64_t low = facts.code.low + bias, high = facts.code.high + bias;
  if (type.getElementType().isInteger(16))
    return tile::DotPairsOp::create(builder, sum, codes, activations, low, high,
                                    facts.amax);
  return tile::DotOp::create(builder, sum, codes, activations, low, high,
                             facts.amax);
}

/// sums + products of `steps` steps; every code is used for all rows.
Values DotWriter::dots(Value firstStep, int64_t steps, Values sums) {
  VectorType bytes = builder.laneBytes();
  bool isShort = segment.decoded && steps <= WrittenOut / 2;
  int64_t unroll = isShort ? steps : facts.config.getUnroll();
  return builder.unrolled(
      steps, unroll, std::move(sums),
      [&](Value index, unsigned position, Values carried) {
        Value step = builder.add(firstStep, index);
        Values codes = segment.codes(step, position);
        if (facts.biasesCodes)
          for (Value &code : codes)
            code = arith::XOrIOp::create(builder, code,
                                         builder.splat(bytes, Bias));
        Value column = builder.add(firstColumn, builder.mul(step, Columns));
        for (unsigned row = 0; row < segment.rows.size(); ++row) {
          Value activations = tile::BroadcastGroupOp::create(
              builder, bytes, operands.activations[0],
              ValueRange{segment.rows[row], column});
          for (unsigned i = 0; i < segment.width; ++i) {
            Value &sum = carried[row * segment.width + i];
            sum = product(sum, codes[i], activations);
          }
        }
        return carried;
      });
}

/// sums + one chunk of `steps` steps, added up in 16 bits.
Values DotWriter::addChunk(Value chunk, int64_t steps, Values sums) {
  int64_t chunkSteps = facts.config.getChunk() / Columns;
  int64_t perGroup = llvm::divideCeil(facts.record.steps, chunkSteps);
  Value index =
      builder.add(builder.add(builder.mul(segment.group, perGroup),
                              builder.divide(segment.firstStep, chunkSteps)),
                  chunk);
  VectorType words = builder.laneWords();
  Values starts;
  for (Value row : segment.rows) {
    Value pair = memref::LoadOp::create(builder, operands.activations[3],
                                        ValueRange{row, index});
    Value start = builder.bitcast(words, builder.broadcast(pair));
    starts.append(segment.width, start);
  }
  Values pairs = dots(builder.mul(chunk, chunkSteps), steps, std::move(starts));
  for (auto [sum, pair] : llvm::zip_equal(sums, pairs))
    sum = tile::AddPairsOp::create(builder, sum, pair);
  return sums;
}

Values DotWriter::run(Values sums) {
  // Columns beyond the group are zero in the activations.
  int64_t steps = llvm::divideCeil(segment.columns, Columns);
  if (facts.config.getChunk() == 0)
    return dots(builder.index(0), steps, std::move(sums));
  int64_t chunkSteps = facts.config.getChunk() / Columns;
  int64_t whole = steps / chunkSteps;
  int64_t unroll =
      segment.decoded ? std::max<int64_t>(1, WrittenOut / chunkSteps) : 1;
  sums =
      builder.unrolled(whole, unroll, std::move(sums),
                       [&](Value chunk, unsigned, Values carried) {
                         return addChunk(chunk, chunkSteps, std::move(carried));
                       });
  if (steps % chunkSteps)
    sums = addChunk(builder.index(whole), steps % chunkSteps, std::move(sums));
  return sums;
}

/// What is left of a group's offset once its codes are centred, scale * m +
/// offset - z, times the sum of its activations, for the rows of a vector. Null
/// where it is zero for all.
Value offsetTerm(KernelBuilder &builder, const ProductFacts &facts,
                 Value weight, const RowGroupRecord &at, Value rowSum) {
  auto lanes = builder.lanesOf(builder.getI32Type());
  const Format::Stored &code = facts.code;
  int64_t centre = facts.config.getChunk() ? code.centre()
                   : facts.biasesCodes     ? -Bias
                                           : 0;
  if (facts.hasIntegerZeros()) {
    Value offset = arith::SubIOp::create(
        builder, builder.splat(lanes, code.scale * centre),
        loadIntegerZeros(builder, facts, weight, at));
    return arith::MulIOp::create(builder, offset, builder.broadcast(rowSum));
  }
  int64_t constant = code.scale * centre + code.offset;
  if (!constant)
    return Value();
  // One number for all weight rows: multiplied once, not in every vector.
  Value factor = arith::ConstantIntOp::create(builder, constant, 32);
  return builder.broadcast(arith::MulIOp::create(builder, rowSum, factor));
}

/// sum (a - z_a) over the group, from sum a: one z_a for each of its columns.
Value differences(KernelBuilder &builder, const ProductFacts &facts,
                  const ProductOperands &operands, Value group, Value sum,
                  Value zero) {
  Value length = builder.min(
      builder.sub(operands.columns, builder.mul(group, facts.group)),
      builder.index(facts.group));
  Value count = arith::IndexCastOp::create(builder, sum.getType(), length);
  return arith::SubIOp::create(
      builder, sum, arith::MulIOp::create(builder, zero, count).getResult());
}

struct NativeDot : ProductStrategy {
  ConfigAttr defaultConfig(MLIRContext *context, const Format &format,
                           const PanelFields &panel,
                           const Target &target) const override;

  int64_t longestChunk(const Format &format, const PanelFields &,
                       int64_t amax) const override {
    int64_t longest = format.stored().exactPairs(amax) * Columns;
    return longest < ShortestChunk ? 0 : longest;
  }

  unsigned vectorsPerStep(const ProductFacts &) const override { return 1; }
  bool readsPacked(const ProductFacts &facts) const override {
    // eight bits: a code is its byte
    return facts.code.isSigned() && facts.code.table.empty();
  }
  bool ignoresPadding() const override { return true; }
  Type sumElement(Builder &builder) const override {
    return builder.getI32Type();
  }

  /// The codes of eight rows by four columns, a byte each.
  Values decode(KernelBuilder &builder, const ProductFacts &facts,
                ArrayRef<Value> packed, unsigned rowGroup,
                ArrayRef<Value>) const override {
    Value codes = gatherCode(builder, facts, packed, rowGroup);
    if (facts.code.table.empty())
      return {codes};
    return {lookupBytes(builder, facts.code.table, codes)};
  }

  Values accumulate(KernelBuilder &builder, const ProductFacts &facts,
                    const ProductOperands &operands, const Segment &segment,
                    Values sums) const override {
    return DotWriter(builder, facts, operands, segment).run(std::move(sums));
  }

  Values finish(KernelBuilder &builder, const ProductFacts &facts,
                const ProductOperands &operands, ArrayRef<Value> rows,
                Value group, const RowGroupRecord &at, ArrayRef<Value> sums,
                Values y) const override;
};

ConfigAttr NativeDot::defaultConfig(MLIRContext *context, const Format &format,
                                    const PanelFields &panel,
                                    const Target &target) const {
  int64_t block = DecodedBytes / PanelFields::VectorBytes /
                  int64_t(panel.fields.size()) * Columns;
  int64_t pairs = format.stored().exactPairs(ActivationMax);
  bool pays = target.pairsWorthAdding && pairs >= target.pairsWorthAdding;
  int64_t chunk = pays ? std::min(pairs * Columns, block) : 0;
  // Tiles of eight vectors, or with twice as many registers sixteen.
  bool isWide = target.vectorBytes > PanelFields::VectorBytes;
  return ConfigAttr::get(context, StrategyKind::NativeDot,
                         /*rows=*/isWide ? 8 : 4,
                         /*groups=*/isWide ? 4 : 2, /*unroll=*/2,
                         defaultStreams(panel, target), block, chunk);
}

Values NativeDot::finish(KernelBuilder &builder, const ProductFacts &facts,
                         const ProductOperands &operands, ArrayRef<Value> rows,
                         Value group, const RowGroupRecord &at,
                         ArrayRef<Value> sums, Values y) const {
  auto lanes = builder.lanesOf(builder.getI32Type());
  auto toFloat = [&](Value value) -> Value {
    return arith::SIToFPOp::create(
        builder, builder.lanesOf(builder.getF32Type()), value);
  };
  Value weight = operands.weight;
  Value scale = loadScales(builder, facts, weight, at);
  Value codeSums;
  if (operands.inputZeros)
    codeSums = loadCodeSums(builder, facts, weight, at);
  Value minimum = loadMinima(builder, facts, weight, at, scale);
  Value scales = operands.activations[1];
  bool scalePerGroup = cast<ShapedType>(scales.getType()).getRank() == 2;
  for (auto [index, row] : llvm::enumerate(rows)) {
    Value rowSum = memref::LoadOp::create(builder, operands.activations[2],
                                          ValueRange{row, group});
    Value rowZero;
    if (operands.inputZeros)
      rowZero = memref::LoadOp::create(builder, operands.inputZeros, row);
    Value dot = sums[index];
    if (facts.code.scale != 1)
      dot = arith::MulIOp::create(builder, dot,
                                  builder.splat(lanes, facts.code.scale));
    if (Value term = offsetTerm(builder, facts, weight, at, rowSum))
      dot = arith::AddIOp::create(builder, dot, term);
    if (rowZero)
      dot = arith::SubIOp::create(
          builder, dot,
          arith::MulIOp::create(builder, codeSums, builder.broadcast(rowZero))
              .getResult());
    if (facts.accumulates) {
      y[index] = builder.bitcast(builder.lanesOf(builder.getF32Type()), dot);
      continue;
    }
    SmallVector<Value> place{row};
    if (scalePerGroup)
      place.push_back(group);
    Value rowScale =
        builder.broadcast(memref::LoadOp::create(builder, scales, place));
    Value both = arith::MulFOp::create(builder, scale, rowScale);
    Value sum = toFloat(dot);
    if (facts.code.exponent) // exact
      sum = arith::MulFOp::create(
          builder, sum,
          builder.splatFloat(builder.lanesOf(builder.getF32Type()),
                             std::ldexp(1.0f, facts.code.exponent)));
    y[index] = math::FmaOp::create(builder, both, sum, y[index]);
    if (minimum) {
      if (rowZero)
        rowSum = differences(builder, facts, operands, group, rowSum, rowZero);
      Value scaled = arith::MulFOp::create(builder, minimum, rowScale);
      y[index] = math::FmaOp::create(
          builder, scaled, toFloat(builder.broadcast(rowSum)), y[index]);
    }
  }
  return y;
}

} // namespace

const ProductStrategy &mezzo::nativeDotStrategy() {
  static const NativeDot strategy;
  return strategy;
}
