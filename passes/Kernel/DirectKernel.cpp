//===- DirectKernel.cpp - the product of one activation row ---------------===//
//
// Each code is used once, so nothing is gained by keeping it decoded, and what
// takes time is reading the weight. Two things help memory: several panels are
// walked side by side, since more than one stream of addresses keeps more
// requests in flight; and every line is asked for ahead of its use, always the
// same distance, whole records where they are short, so that no line is left
// out (asking for every other line is slower than asking for none).
//
// A register tile has as many row groups as there are registers for: of several
// panels, whose chains of additions then hide each other's latency, or of a
// part of one. Tiles take turns, group by group.
//
// Where the machine's vectors are longer than the layout's, a vector is made of
// the same row group in two of the panels.
//
//===----------------------------------------------------------------------===//

#include "passes/Kernel/ProductKernel.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/Sequence.h"

using namespace mlir;
using namespace mezzo;

namespace {

constexpr int64_t CacheLine = 64;
/// How far ahead of their use lines are asked for, in bytes.
constexpr int64_t PrefetchDistance = 3072;
/// Panels whose row groups are the parts of vectors: one, or two of them.
using Panels = Values;

class DirectWriter {
public:
  DirectWriter(ProductKernel &kernel, ArrayRef<Value> panels);

  void write();

private:
  /// Row groups of some of the `sets` that share a register tile.
  struct Tile {
    SmallVector<unsigned> sets, rowGroups;
  };
  SmallVector<Tile> tiles() const;
  Values addGroup(Value group, int64_t columns, Values y);
  Values addTile(const Tile &tile, Value group, int64_t columns, Values y);
  Values codes(const Tile &tile, ArrayRef<Panels> records,
               ArrayRef<Values> contexts, Value step, unsigned position);
  void prefetch(Value base, int64_t begin, int64_t end);
  void store(unsigned set, unsigned rowGroup, Value y);

  ProductKernel &kernel;
  KernelBuilder &builder;
  const ProductFacts &facts;
  SmallVector<Panels> sets;
  Value row;
  int64_t distance;
};

DirectWriter::DirectWriter(ProductKernel &kernel, ArrayRef<Value> panels)
    : kernel(kernel), builder(kernel.builder), facts(kernel.facts),
      row(builder.index(0)) {
  unsigned span = panels.size() % facts.span == 0 ? facts.span : 1;
  for (; !panels.empty(); panels = panels.drop_front(span))
    sets.push_back(Panels(panels.take_front(span)));
  int64_t record = facts.record.bytes;
  distance = record <= PrefetchDistance
                 ? llvm::alignTo(PrefetchDistance, record)
                 : PrefetchDistance;
}

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

/// All sets in one tile if there are registers for their sums, and for what
/// decoding needs beside them; else as many sets as make four chains of
/// additions. If one set is too much, some of its row groups.
SmallVector<DirectWriter::Tile> DirectWriter::tiles() const {
  // In weight rows, since row groups of indices have more than eight.
  int64_t room =
      8 * facts.tileSums / (kernel.strategy.needsContext(facts) ? 2 : 1);
  int64_t rowsOfSet = sets[0].size() * facts.panel.rowsPerPanel;
  unsigned rowGroups = facts.rowGroups(), parts = 1;
  int64_t fourChains = 4 * 8 * sets[0].size();
  unsigned setsOfTile = rowsOfSet * int64_t(sets.size()) <= room
                            ? sets.size()
                            : std::max<int64_t>(1, fourChains / rowsOfSet);
  if (!facts.panel.holdsIndices())
    while (rowsOfSet > room * parts && rowGroups % (2 * parts) == 0)
      parts *= 2;
  SmallVector<Tile> tiles;
  for (unsigned first = 0; first < sets.size(); first += setsOfTile)
    for (unsigned part = 0; part < parts; ++part) {
      Tile &tile = tiles.emplace_back();
      unsigned end = std::min<unsigned>(first + setsOfTile, sets.size());
      llvm::append_range(tile.sets, llvm::seq(first, end));
      unsigned perPart = rowGroups / parts;
      llvm::append_range(tile.rowGroups,
                         llvm::seq(part * perPart, (part + 1) * perPart));
    }
  return tiles;
}

/// The decoded row groups of a tile in one step, whose groups have `records`;
/// `contexts` are what decoding needs. The tile with the first row group asks
/// for what comes later.
Values DirectWriter::codes(const Tile &tile, ArrayRef<Panels> records,
                           ArrayRef<Values> contexts, Value step,
                           unsigned position) {
  unsigned perStep = kernel.strategy.vectorsPerStep(facts),
           width = contexts.size();
  Values decoded(perStep * width);
  int64_t stepBytes = facts.panel.stepBytes();
  unsigned column = 0;
  for (const Panels &panels : records) {
    Values bases;
    for (Value record : panels) {
      bases.push_back(builder.add(record, builder.mul(step, stepBytes)));
      if (tile.rowGroups[0] == 0)
        prefetch(bases.back(), position * stepBytes,
                 (position + 1) * stepBytes);
    }
    Values packed = kernel.loadPacked(bases, tile.rowGroups);
    for (unsigned rowGroup : tile.rowGroups) {
      Values vectors = kernel.strategy.decode(builder, facts, packed, rowGroup,
                                              contexts[column]);
      for (unsigned vector = 0; vector < perStep; ++vector)
        decoded[vector * width + column] = vectors[vector];
      ++column;
    }
  }
  return decoded;
}

/// One group of a tile.
Values DirectWriter::addTile(const Tile &tile, Value group, int64_t columns,
                             Values y) {
  SmallVector<Panels> records;
  SmallVector<Values> contexts;
  for (unsigned set : tile.sets) {
    Panels &last = records.emplace_back();
    for (Value panel : sets[set])
      last.push_back(kernel.record(panel, group));
    for (unsigned rowGroup : tile.rowGroups)
      contexts.push_back(kernel.strategy.decodeContext(
          builder, facts, kernel.operands.weight,
          kernel.place(sets[set], group, builder.index(rowGroup))));
  }
  auto codesOfStep = [&](Value step, unsigned position) {
    return codes(tile, records, contexts, step, position);
  };
  Segment segment{
      {row},   unsigned(contexts.size()), group,      builder.index(0),
      columns, /*decoded=*/false,         codesOfStep};
  auto lanes = builder.lanesOf(kernel.strategy.sumElement(builder));
  Values sums(segment.tileSize(), builder.zeros(lanes));
  sums = kernel.strategy.accumulate(builder, facts, kernel.operands, segment,
                                    std::move(sums));
  unsigned column = 0;
  for (auto [panels, set] : llvm::zip_equal(records, tile.sets)) {
    if (facts.record.bytes <= PrefetchDistance && tile.rowGroups[0] == 0)
      for (Value record : panels)
        prefetch(builder.add(record, facts.record.scales), facts.record.scales,
                 facts.record.bytes);
    for (unsigned rowGroup : tile.rowGroups) {
      Value &lane = y[set * facts.rowGroups() + rowGroup];
      lane = kernel.strategy.finish(
          builder, facts, kernel.operands, {row}, group,
          kernel.place(sets[set], group, builder.index(rowGroup)),
          {sums[column++]}, {lane})[0];
    }
  }
  return y;
}

Values DirectWriter::addGroup(Value group, int64_t columns, Values y) {
  for (const Tile &tile : tiles())
    y = addTile(tile, group, columns, std::move(y));
  return y;
}

/// The results of a row group in each panel of a set.
void DirectWriter::store(unsigned set, unsigned rowGroup, Value y) {
  int64_t rows = facts.panel.rowsPerGroup;
  for (auto [part, panel] : llvm::enumerate(sets[set])) {
    Value first = builder.add(builder.mul(panel, facts.panel.rowsPerPanel),
                              rowGroup * rows);
    Value lanes = y;
    if (sets[set].size() > 1)
      lanes = vector::ExtractStridedSliceOp::create(builder, y, part * rows,
                                                    rows, 1);
    kernel.store(row, first, lanes);
  }
}

void DirectWriter::write() {
  builder.setLanes(sets[0].size() * facts.panel.rowsPerGroup);
  auto lanes = builder.lanesOf(builder.getF32Type());
  Values y(sets.size() * facts.rowGroups(), builder.zeros(lanes));
  Value groups = kernel.wholeGroups();
  y = builder.loop(builder.index(0), groups, 1, std::move(y),
                   [&](Value group, Values carried) {
                     return addGroup(group, facts.group, std::move(carried));
                   });
  if (kernel.hasTail())
    y = addGroup(groups, facts.tail, std::move(y));
  builder.setLanes(facts.panel.rowsPerGroup);
  for (unsigned set = 0; set < sets.size(); ++set)
    for (unsigned rowGroup = 0; rowGroup < facts.rowGroups(); ++rowGroup)
      store(set, rowGroup, y[set * facts.rowGroups() + rowGroup]);
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
