//===- Lut.cpp - `lut8` mode: sums of four activations from tables --------===//
//
// A code is a sum over its bits, C(q) = sum_b w_b * q_b + c, and so a product
// is one over bit planes, of sums of those activations whose bit is set. Four
// bits of a plane are an index, and the sixteen sums that four activations can
// make are a table of bytes E (`mezzo.lut_build`), in steps of t above N, the
// sum of the negative activations. With D = sum_b w_b * (sum of entries), an
// integer, and A the sum of the group's activations (docs/numbers.md):
//
//     y = fma(fl(s * t), float(D), y)
//     y = fma(s, fl(fl(W * N) + fl((c - z) * A)), y),      W = sum_b w_b
//
// Entries are added up in 16-bit lanes over a *chunk* of columns, while these
// tell all sums apart: they start where the least sum ends at 0, and are read
// as unsigned. The layout puts two bytes into such a lane (LutPanel.h).
//
// * Two planes of one row: `tile.dot_pairs` with their weights multiplies and
//   adds both at once.
// * One plane of two rows: no multiplication. One accumulator adds up the lanes
//   as they are, even + 256 * odd, another one the odd bytes; 256 times the
//   latter, taken off the former at the end, modulo 2^16, leaves the even ones.
//   The weight comes after that.
//
//===----------------------------------------------------------------------===//

#include "dialects/Tile/Tile.h"
#include "passes/Kernel/ProductKernel.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <numeric>

using namespace mlir;
using namespace mezzo;

namespace {

constexpr int64_t Columns = PanelFields::ColumnsPerStep;
constexpr int64_t LaneRows = PanelFields::VectorBytes / 2;

/// The 16-bit accumulators of one row group, as its planes want them.
struct Accumulators {
  Accumulators(const PanelFields &panel, const Format &format);

  unsigned count() const { return halves.size() + 2 * split.size(); }

  SmallVector<int64_t> weights; ///< w_b over the format's scale
  SmallVector<unsigned> halves; ///< those with lanes of two planes
  SmallVector<unsigned> split;  ///< vectors whose lanes are of two rows
};

Accumulators::Accumulators(const PanelFields &panel, const Format &format) {
  for (float weight : format.planeWeights())
    weights.push_back(int64_t(weight) / format.affine().scale);
  for (auto [index, bytes] : llvm::enumerate(panel.planes))
    if (bytes[0].half != bytes[1].half)
      split.push_back(index);
    else if (!llvm::is_contained(halves, bytes[0].half))
      halves.push_back(bytes[0].half);
}

/// Writes the sums of one register tile over a run of columns.
class LutWriter {
public:
  LutWriter(KernelBuilder &builder, const ProductFacts &facts,
            const ProductOperands &operands, const Segment &segment)
      : builder(builder), facts(facts), operands(operands), segment(segment),
        accumulators(facts.panel, facts.format),
        bytes(VectorType::get(2 * LaneRows, builder.getI8Type())),
        words(VectorType::get(LaneRows, builder.getI16Type())),
        lanes(VectorType::get(LaneRows, builder.getI32Type())),
        firstStep(builder.add(builder.mul(segment.group, facts.record.steps),
                              segment.firstStep)) {}

  Values run(Values sums);

private:
  Values addChunk(Value step, int64_t steps, Values sums);
  void addEntries(Value entries, unsigned vector, MutableArrayRef<Value> sums);
  int64_t startOf(unsigned half, int64_t steps) const;
  Value widened(ArrayRef<Value> sums, int64_t steps);
  Value weightsOf(unsigned vector);

  KernelBuilder &builder;
  const ProductFacts &facts;
  const ProductOperands &operands;
  const Segment &segment;
  Accumulators accumulators;
  VectorType bytes, words, lanes;
  Value firstStep; ///< of the run, in the tables
};

/// The weights of the two planes of a vector, over and over.
Value LutWriter::weightsOf(unsigned vector) {
  SmallVector<int8_t> pattern;
  for (int64_t byte = 0; byte < 2 * LaneRows; ++byte)
    pattern.push_back(
        accumulators.weights[facts.panel.planes[vector][byte % 2].plane]);
  return arith::ConstantOp::create(
      builder, DenseElementsAttr::get(bytes, ArrayRef<int8_t>(pattern)));
}

/// Where the lanes of a half start, for the least sum of so many steps to end
/// at 0.
int64_t LutWriter::startOf(unsigned half, int64_t steps) const {
  int64_t least = 0;
  for (const auto &pair : facts.panel.planes)
    if (pair[0].half == half && pair[1].half == half)
      for (PlaneByte byte : pair)
        least += std::min<int64_t>(0, accumulators.weights[byte.plane]);
  return -least * LutEntryMax * steps;
}

/// Adds the entries of one vector to the accumulators of its row group.
void LutWriter::addEntries(Value entries, unsigned vector,
                           MutableArrayRef<Value> sums) {
  auto indexIn = [](ArrayRef<unsigned> list, unsigned value) {
    return size_t(llvm::find(list, value) - list.begin());
  };
  size_t pairs = accumulators.halves.size(),
         index = indexIn(accumulators.split, vector);
  if (index == accumulators.split.size()) {
    unsigned half = facts.panel.planes[vector][0].half;
    Value &sum = sums[indexIn(accumulators.halves, half)];
    int64_t largest = int64_t(1) << (facts.panel.bits - 1);
    sum = tile::DotPairsOp::create(builder, sum, entries, weightsOf(vector),
                                   /*low=*/0, /*high=*/LutEntryMax, largest);
    return;
  }
  Value &both = sums[pairs + 2 * index], &odd = sums[pairs + 2 * index + 1];
  Value pair = builder.bitcast(words, entries);
  Value high = arith::ShRUIOp::create(builder, pair, builder.splat(words, 8));
  both = arith::AddIOp::create(builder, both, pair);
  odd = arith::AddIOp::create(builder, odd, high);
}

/// What the accumulators of a row group have added up, a 32-bit lane for each
/// of its rows.
Value LutWriter::widened(ArrayRef<Value> sums, int64_t steps) {
  SmallVector<Value, 2> perHalf(facts.panel.rowsPerGroup / LaneRows);
  auto add = [&](unsigned half, Value word, int64_t weight) {
    Value value = arith::ExtUIOp::create(builder, lanes, word);
    if (weight != 1)
      value =
          arith::MulIOp::create(builder, value, builder.splat(lanes, weight));
    Value &sum = perHalf[half];
    sum = sum ? arith::AddIOp::create(builder, sum, value).getResult() : value;
  };
  for (auto [index, half] : llvm::enumerate(accumulators.halves)) {
    add(half, sums[index], 1);
    if (int64_t start = startOf(half, steps))
      perHalf[half] = arith::SubIOp::create(builder, perHalf[half],
                                            builder.splat(lanes, start));
  }
  sums = sums.drop_front(accumulators.halves.size());
  for (auto [index, vector] : llvm::enumerate(accumulators.split)) {
    Value both = sums[2 * index], odd = sums[2 * index + 1];
    Value high = arith::ShLIOp::create(builder, odd, builder.splat(words, 8));
    Value even = arith::SubIOp::create(builder, both, high);
    const auto &planes = facts.panel.planes[vector];
    add(planes[0].half, even, accumulators.weights[planes[0].plane]);
    add(planes[1].half, odd, accumulators.weights[planes[1].plane]);
  }
  if (perHalf.size() == 1)
    return perHalf[0];
  SmallVector<int64_t> order(2 * LaneRows);
  std::iota(order.begin(), order.end(), 0);
  return vector::ShuffleOp::create(builder, perHalf[0], perHalf[1], order);
}

/// sums + one chunk of `steps` steps from `step` of the run on.
Values LutWriter::addChunk(Value step, int64_t steps, Values sums) {
  unsigned perGroup = accumulators.count();
  Values starts;
  for (unsigned i = 0; i < segment.tileSize(); ++i) {
    for (unsigned half : accumulators.halves)
      starts.push_back(builder.splat(words, startOf(half, steps)));
    starts.append(2 * accumulators.split.size(), builder.zeros(words));
  }
  auto table = VectorType::get(LutEntries, builder.getI8Type());
  Values ends = builder.unrolled(
      steps, facts.config.getUnroll(), std::move(starts),
      [&](Value index, unsigned position, Values carried) {
        Value at = builder.add(step, index);
        Values indices = segment.codes(at, position);
        Value column = builder.mul(builder.add(firstStep, at), LutEntries);
        // Tables stay in registers, which there are more of than activation
        // rows; an index vector is used for all of them and forgotten.
        Values tables;
        for (Value row : segment.rows)
          tables.push_back(vector::LoadOp::create(builder, table,
                                                  operands.activations[0],
                                                  ValueRange{row, column}));
        for (unsigned i = 0; i < segment.width; ++i)
          for (unsigned v = 0; v < facts.panel.planes.size(); ++v)
            for (unsigned row = 0; row < tables.size(); ++row) {
              Value entries = tile::LookupOp::create(
                  builder, tables[row], indices[v * segment.width + i]);
              addEntries(entries, v,
                         MutableArrayRef(carried).slice(
                             (row * segment.width + i) * perGroup, perGroup));
            }
        return carried;
      });
  for (auto [index, sum] : llvm::enumerate(sums))
    sum = arith::AddIOp::create(
        builder, sum,
        widened(ArrayRef(ends).slice(index * perGroup, perGroup), steps));
  return sums;
}

Values LutWriter::run(Values sums) {
  // Columns beyond the group are zeros, and so are their tables.
  int64_t steps = llvm::divideCeil(segment.columns, Columns);
  int64_t chunkSteps = std::max<int64_t>(1, facts.config.getChunk() / Columns);
  int64_t whole = steps / chunkSteps;
  sums = builder.unrolled(whole, /*unroll=*/1, std::move(sums),
                          [&](Value chunk, unsigned, Values carried) {
                            return addChunk(builder.mul(chunk, chunkSteps),
                                            chunkSteps, std::move(carried));
                          });
  if (steps % chunkSteps)
    sums = addChunk(builder.index(whole * chunkSteps), steps % chunkSteps,
                    std::move(sums));
  return sums;
}

struct Lut : ProductStrategy {
  ConfigAttr defaultConfig(MLIRContext *context, const Format &format,
                           const PanelFields &panel,
                           const Target &target) const override;

  int64_t longestChunk(const Format &format, const PanelFields &,
                       int64_t) const override {
    return format.exactPlaneSums(LutEntryMax) * Columns;
  }
  int64_t sumsPerRowGroup(const Format &format,
                          const PanelFields &panel) const override {
    return Accumulators(panel, format).count();
  }

  unsigned vectorsPerStep(const ProductFacts &facts) const override {
    return facts.panel.planes.size();
  }
  bool readsPacked(const ProductFacts &) const override { return false; }
  bool ignoresPadding() const override { return true; }
  Type sumElement(Builder &builder) const override {
    return builder.getI32Type();
  }

  /// Indices, a byte each.
  Values decode(KernelBuilder &builder, const ProductFacts &facts,
                ArrayRef<Value> packed, unsigned rowGroup,
                ArrayRef<Value>) const override {
    Values indices;
    for (const Field &field : facts.panel.fields[rowGroup])
      indices.push_back(tile::FieldOp::create(
          builder, packed[field.unit], field.shift, field.width, /*to=*/0));
    return indices;
  }

  Values accumulate(KernelBuilder &builder, const ProductFacts &facts,
                    const ProductOperands &operands, const Segment &segment,
                    Values sums) const override {
    return LutWriter(builder, facts, operands, segment).run(std::move(sums));
  }

  Values finish(KernelBuilder &builder, const ProductFacts &facts,
                const ProductOperands &operands, ArrayRef<Value> rows,
                Value group, const RowGroupRecord &at, ArrayRef<Value> sums,
                Values y) const override;
};

ConfigAttr Lut::defaultConfig(MLIRContext *context, const Format &format,
                              const PanelFields &panel,
                              const Target &target) const {
  // 16-bit sums of a register tile: half of sixteen registers.
  constexpr int64_t tileSums = 8;
  int64_t perGroup = Accumulators(panel, format).count();
  int64_t rows =
      std::clamp<int64_t>(tileSums / perGroup, /*at least*/ 1, /*at most*/ 4);
  int64_t groups = std::max<int64_t>(1, tileSums / (rows * perGroup));
  int64_t stepBytes =
      panel.planes.size() * panel.fields.size() * PanelFields::VectorBytes;
  int64_t block = DecodedBytes / stepBytes * Columns;
  int64_t chunk =
      std::min<int64_t>(Columns * format.exactPlaneSums(LutEntryMax),
                        llvm::bit_floor(uint64_t(block)));
  return ConfigAttr::get(context, StrategyKind::Lut, rows, groups,
                         /*unroll=*/1, defaultStreams(panel, target),
                         block / chunk * chunk, chunk);
}

Values Lut::finish(KernelBuilder &builder, const ProductFacts &facts,
                   const ProductOperands &operands, ArrayRef<Value> rows,
                   Value group, const RowGroupRecord &at, ArrayRef<Value> sums,
                   Values y) const {
  auto integers = builder.lanesOf(builder.getI32Type()),
       floats = builder.lanesOf(builder.getF32Type());
  auto scalar = [&](float value) -> Value {
    return arith::ConstantOp::create(builder, builder.getF32FloatAttr(value));
  };
  auto mul = [&](Value left, Value right) -> Value {
    return arith::MulFOp::create(builder, left, right);
  };
  auto perGroup = [&](unsigned operand, Value row) -> Value {
    return memref::LoadOp::create(builder, operands.activations[operand],
                                  ValueRange{row, group});
  };
  float weightSum = 0; // W; small integers, exact
  for (float weight : facts.format.planeWeights())
    weightSum += weight;
  int64_t constant = int64_t(facts.format.planeConstant()) - facts.zero;

  Value weight = operands.weight;
  Value scale = loadScales(builder, facts, weight, at);
  Value difference; // c - z of each row, where they are not all the same
  if (facts.hasIntegerZeros()) { // stored less the format's offset
    Value shifted = builder.splat(integers, constant - facts.code.offset);
    Value zeros = loadIntegerZeros(builder, facts, weight, at);
    difference = arith::SIToFPOp::create(
        builder, floats,
        arith::SubIOp::create(builder, shifted, zeros).getResult());
  }
  Value minimum = loadMinima(builder, facts, weight, at, scale);
  for (auto [index, row] : llvm::enumerate(rows)) {
    Value step = perGroup(1, row), negatives = perGroup(2, row),
          activations = perGroup(3, row);
    Value dot = sums[index];
    if (facts.code.scale != 1)
      dot = arith::MulIOp::create(builder, dot,
                                  builder.splat(integers, facts.code.scale));
    Value &result = y[index];
    result = math::FmaOp::create(builder, mul(scale, builder.broadcast(step)),
                                 arith::SIToFPOp::create(builder, floats, dot),
                                 result);
    Value below = mul(scalar(weightSum), negatives), shift;
    if (difference)
      shift = arith::AddFOp::create(
          builder, builder.broadcast(below),
          mul(difference, builder.broadcast(activations)));
    else
      shift = builder.broadcast(arith::AddFOp::create(
          builder, below, mul(scalar(constant), activations)));
    result = math::FmaOp::create(builder, scale, shift, result);
    if (minimum)
      result = math::FmaOp::create(builder, minimum,
                                   builder.broadcast(activations), result);
  }
  return y;
}

} // namespace

const ProductStrategy &mezzo::lutStrategy() {
  static const Lut strategy;
  return strategy;
}
