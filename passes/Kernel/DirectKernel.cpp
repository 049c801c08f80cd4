//===- DirectKernel.cpp - the product of one activation row ---------------===//
//
// Each code is used once, so nothing is gained by keeping it decoded, and what
// takes time is reading the weight. Two things help memory: several panels are
// walked side by side, since more than one stream of addresses keeps more
// requests in flight; and every line is asked for ahead of its use, always the
// same distance, whole records where they are short, so that no line is left
// out (asking for every other line is slower than asking for none).
//
// Panels of few rows are put into one register tile, whose chains of additions
// then hide each other's latency. Panels of many rows take turns, group by
// group.
//
//===----------------------------------------------------------------------===//

#include "passes/Kernel/ProductKernel.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <numeric>

using namespace mlir;
using namespace mezzo;

namespace {

constexpr int64_t CacheLine = 64;
/// How far ahead of their use lines are asked for, in bytes.
constexpr int64_t PrefetchDistance = 3072;
/// Weight rows that one register tile holds.
constexpr unsigned TileRows = 64;

class DirectWriter {
public:
  DirectWriter(ProductKernel &kernel, ArrayRef<Value> panels)
      : kernel(kernel), builder(kernel.builder), facts(kernel.facts),
        panels(panels), row(builder.index(0)), rowGroups(facts.rowGroups()) {
    std::iota(rowGroups.begin(), rowGroups.end(), 0);
    int64_t record = facts.record.bytes;
    distance = record <= PrefetchDistance
                   ? llvm::alignTo(PrefetchDistance, record)
                   : PrefetchDistance;
  }

  void write();

private:
  Values addGroup(Value group, int64_t columns, Values y);
  Values addTile(ArrayRef<unsigned> tile, Value group, int64_t columns,
                 Values y);
  Values codes(ArrayRef<Value> bases, ArrayRef<Value> contexts, Value step,
               unsigned position);
  void prefetch(Value base, int64_t begin, int64_t end);

  ProductKernel &kernel;
  KernelBuilder &builder;
  const ProductFacts &facts;
  ArrayRef<Value> panels;
  Value row;
  SmallVector<unsigned> rowGroups;
  int64_t distance;
};

/// Asks for the lines that begin in [begin, end) behind `base`, one distance
/// ahead. An address beyond the weight does no harm.
void DirectWriter::prefetch(Value base, int64_t begin, int64_t end) {
  for (int64_t line = llvm::alignTo(begin, CacheLine); line < end;
       line += CacheLine)
    memref::PrefetchOp::create(builder, kernel.operands.weight,
                               builder.add(base, line - begin + distance),
                               /*isWrite=*/false, /*localityHint=*/3,
                               /*isDataCache=*/true);
}

/// The decoded row groups of some panels in one step: `bases` are the first
/// steps, `contexts` what decoding needs.
Values DirectWriter::codes(ArrayRef<Value> bases, ArrayRef<Value> contexts,
                           Value step, unsigned position) {
  unsigned perStep = kernel.strategy.vectorsPerStep(facts),
           width = contexts.size();
  Values decoded(perStep * width);
  int64_t stepBytes = facts.panel.stepBytes();
  for (auto [index, base] : llvm::enumerate(bases)) {
    Value at = builder.add(base, builder.mul(step, stepBytes));
    prefetch(at, position * stepBytes, (position + 1) * stepBytes);
    Values packed = kernel.loadPacked(at, rowGroups);
    for (unsigned rowGroup : rowGroups) {
      unsigned column = index * rowGroups.size() + rowGroup;
      Values vectors = kernel.strategy.decode(builder, facts, packed, rowGroup,
                                              contexts[column]);
      for (unsigned vector = 0; vector < perStep; ++vector)
        decoded[vector * width + column] = vectors[vector];
    }
  }
  return decoded;
}

/// One group of the panels in `tile`, which share a register tile.
Values DirectWriter::addTile(ArrayRef<unsigned> tile, Value group,
                             int64_t columns, Values y) {
  Values records, contexts;
  for (unsigned index : tile) {
    records.push_back(kernel.record(panels[index], group));
    for (unsigned rowGroup : rowGroups)
      contexts.push_back(kernel.strategy.decodeContext(
          builder, facts, kernel.operands.weight,
          {records.back(), builder.index(rowGroup)}));
  }
  auto codesOfStep = [&](Value step, unsigned position) {
    return codes(records, contexts, step, position);
  };
  Segment segment{
      {row},   unsigned(contexts.size()), group,      builder.index(0),
      columns, /*decoded=*/false,         codesOfStep};
  auto lanes = builder.lanesOf(kernel.strategy.sumElement(builder));
  Values sums(segment.tileSize(), builder.zeros(lanes));
  sums = kernel.strategy.accumulate(builder, facts, kernel.operands, segment,
                                    std::move(sums));
  for (auto [position, index] : llvm::enumerate(tile)) {
    if (facts.record.bytes <= PrefetchDistance)
      prefetch(builder.add(records[position], facts.record.scales),
               facts.record.scales, facts.record.bytes);
    for (unsigned rowGroup : rowGroups) {
      Value &lane = y[index * rowGroups.size() + rowGroup];
      lane = kernel.strategy.finish(
          builder, facts, kernel.operands, {row}, group,
          {records[position], builder.index(rowGroup)},
          {sums[position * rowGroups.size() + rowGroup]}, {lane})[0];
    }
  }
  return y;
}

Values DirectWriter::addGroup(Value group, int64_t columns, Values y) {
  SmallVector<unsigned> all(panels.size());
  std::iota(all.begin(), all.end(), 0);
  if (panels.size() * facts.panel.rowsPerPanel <= TileRows)
    return addTile(all, group, columns, std::move(y));
  for (unsigned panel : all)
    y = addTile({panel}, group, columns, std::move(y));
  return y;
}

void DirectWriter::write() {
  auto lanes = builder.lanesOf(builder.getF32Type());
  Values y(panels.size() * rowGroups.size(), builder.zeros(lanes));
  Value groups = kernel.wholeGroups();
  y = builder.loop(builder.index(0), groups, 1, std::move(y),
                   [&](Value group, Values carried) {
                     return addGroup(group, facts.group, std::move(carried));
                   });
  if (kernel.hasTail())
    y = addGroup(groups, facts.tail, std::move(y));
  for (auto [index, panel] : llvm::enumerate(panels)) {
    Value firstRow = builder.mul(panel, facts.panel.rowsPerPanel);
    for (unsigned rowGroup : rowGroups)
      kernel.store(row,
                   builder.add(firstRow, rowGroup * facts.panel.rowsPerGroup),
                   y[index * rowGroups.size() + rowGroup]);
  }
}

} // namespace

void mezzo::writeDirectKernel(ProductKernel &kernel, Value begin, Value end) {
  KernelBuilder &builder = kernel.builder;
  auto write = [&](Value from, Value to, int64_t streams) {
    builder.loop(from, to, streams, [&](Value first) {
      Values panels;
      for (int64_t stream = 0; stream < streams; ++stream)
        panels.push_back(builder.add(first, stream));
      DirectWriter(kernel, panels).write();
    });
  };
  // Tasks are whole numbers of streams, but for the last one.
  int64_t streams = kernel.facts.config.getStreams();
  Value whole =
      builder.add(begin, builder.roundDown(builder.sub(end, begin), streams));
  write(begin, whole, streams);
  if (streams > 1)
    write(whole, end, 1);
}
