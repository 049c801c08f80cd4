//===- PairSums.cpp - sums of quantized activations over chunks -----------===//
//
// A vector of 32 codes is eight steps of four columns. Added up in pairs
// (`tile.dot_pairs` with ones) it is eight int32 lanes that hold two 16-bit
// sums each, one lane a step. A chunk is a run of such lanes: several vectors,
// or a part of one. Adjacent lanes are added until there is one lane a chunk.
// What does not fill a vector is added up step by step.
//
//===----------------------------------------------------------------------===//

#include "passes/Kernel/PairSums.h"

#include "dialects/Tile/Tile.h"
#include "lib/Layout/Panel.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mezzo;

namespace {

constexpr int64_t Columns = PanelFields::ColumnsPerStep;
constexpr int64_t VectorSteps = PanelFields::VectorBytes / Columns;

class PairSumWriter {
public:
  PairSumWriter(KernelBuilder &builder, const CodeRun &run, Value pairs,
                Value group)
      : builder(builder), run(run), pairs(pairs), steps(run.columns / Columns),
        chunkSteps(run.chunk / Columns),
        chunks(llvm::divideCeil(steps, chunkSteps)),
        first(builder.mul(group, chunks)) {}

  void write();

private:
  Value addVector(Value sums, Value step);
  Value halve(Value lanes, int64_t times);
  void storeChunks(Value lanes, Value chunk);
  void writeChunkByStep(Value chunk, int64_t count);
  Value columnOf(Value step) {
    return builder.add(run.column, builder.mul(step, Columns));
  }

  KernelBuilder &builder;
  const CodeRun &run;
  Value pairs;
  int64_t steps, chunkSteps, chunks;
  Value first; ///< index of the group's first chunk
};

/// Sums of pairs of eight steps from `step` on, added to 16-bit lanes.
Value PairSumWriter::addVector(Value sums, Value step) {
  auto bytes = VectorType::get(PanelFields::VectorBytes, builder.getI8Type());
  Value codes = vector::LoadOp::create(builder, bytes, run.codes,
                                       ValueRange{run.row, columnOf(step)});
  return tile::DotPairsOp::create(builder, sums, builder.splat(bytes, 1), codes,
                                  /*low=*/1, /*high=*/1, /*amax=*/128);
}

/// Adjacent int32 lanes of two 16-bit sums each, added `times` times.
Value PairSumWriter::halve(Value lanes, int64_t times) {
  auto type = cast<VectorType>(lanes.getType());
  for (; times > 0; --times) {
    auto split = vector::DeinterleaveOp::create(builder, lanes);
    type = VectorType::get(type.getNumElements() / 2, builder.getI32Type());
    auto words =
        VectorType::get(2 * type.getNumElements(), builder.getI16Type());
    Value sum = arith::AddIOp::create(
        builder, builder.bitcast(words, split.getResult(0)),
        builder.bitcast(words, split.getResult(1)));
    lanes = builder.bitcast(type, sum);
  }
  return lanes;
}

/// Lanes of two sums each, -centre times.
void PairSumWriter::storeChunks(Value lanes, Value chunk) {
  auto type = cast<VectorType>(lanes.getType());
  auto words = VectorType::get(2 * type.getNumElements(), builder.getI16Type());
  lanes = builder.bitcast(
      type, arith::MulIOp::create(builder, builder.bitcast(words, lanes),
                                  builder.splat(words, -run.centre)));
  vector::StoreOp::create(builder, lanes, pairs,
                          ValueRange{run.row, builder.add(first, chunk)});
}

/// A chunk of `count` steps, one after the other.
void PairSumWriter::writeChunkByStep(Value chunk, int64_t count) {
  auto i32 = builder.getI32Type();
  Value zero = arith::ConstantIntOp::create(builder, i32, 0);
  Value begin = builder.mul(chunk, chunkSteps);
  Values sums = builder.loop(
      builder.index(0), builder.index(count), 1, {zero, zero},
      [&](Value step, Values carried) {
        Value column = columnOf(builder.add(begin, step));
        for (int64_t i = 0; i < Columns; ++i) {
          Value code = memref::LoadOp::create(
              builder, run.codes, ValueRange{run.row, builder.add(column, i)});
          Value wide = arith::ExtSIOp::create(builder, i32, code);
          carried[i / 2] = arith::AddIOp::create(builder, carried[i / 2], wide);
        }
        return carried;
      });
  Value low = arith::AndIOp::create(
      builder, sums[0], arith::ConstantIntOp::create(builder, i32, 0xffff));
  Value high = arith::ShLIOp::create(
      builder, sums[1], arith::ConstantIntOp::create(builder, i32, 16));
  Value both = arith::OrIOp::create(builder, low, high);
  storeChunks(
      vector::BroadcastOp::create(builder, VectorType::get(1, i32), both),
      chunk);
}

void PairSumWriter::write() {
  auto words =
      VectorType::get(PanelFields::VectorBytes / 2, builder.getI16Type());
  VectorType lanes = builder.lanesOf(builder.getI32Type());
  Value none = builder.zeros(words), zero = builder.index(0);
  int64_t done; // chunks
  if (chunkSteps < VectorSteps) {
    int64_t perVector = VectorSteps / chunkSteps;
    int64_t vectors = steps / VectorSteps;
    builder.loop(zero, builder.index(vectors), 1, [&](Value i) {
      Value sums = addVector(none, builder.mul(i, VectorSteps));
      storeChunks(
          halve(builder.bitcast(lanes, sums), llvm::Log2_64(chunkSteps)),
          builder.mul(i, perVector));
    });
    done = vectors * perVector;
  } else {
    done = steps / chunkSteps;
    builder.loop(zero, builder.index(done), 1, [&](Value chunk) {
      Value begin = builder.mul(chunk, chunkSteps);
      Values sums = builder.loop(
          zero, builder.index(chunkSteps), VectorSteps, {none},
          [&](Value step, Values carried) {
            return Values{addVector(carried[0], builder.add(begin, step))};
          });
      storeChunks(
          halve(builder.bitcast(lanes, sums[0]), llvm::Log2_64(VectorSteps)),
          chunk);
    });
  }
  for (; done < chunks; ++done)
    writeChunkByStep(builder.index(done),
                     std::min(chunkSteps, steps - done * chunkSteps));
}

} // namespace

void mezzo::writePairSums(KernelBuilder &builder, const CodeRun &run,
                          Value pairs, Value group) {
  PairSumWriter(builder, run, pairs, group).write();
}
