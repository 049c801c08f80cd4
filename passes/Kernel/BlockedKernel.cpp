//===- BlockedKernel.cpp - the product of many activation rows ------------===//
//
// A block of columns of one panel is decoded into scratch memory that stays in
// the first-level cache, and all activation rows of a block run over it. Sums
// of a group stay in registers where a block holds whole groups; a group that
// is longer than a block leaves them in memory between its blocks. Either way y
// changes once per group, in ascending order, as the modes want it.
//
// The scratch memory is on the stack of the thread that runs the task.
// Codes are decoded a row group at a time. Where the machine's vectors are
// longer, tiles take those of two row groups as one, since these lie side by
// side in all three arrays:
//
//     decoded   [step][vector of the step][row group]   32 bytes each
//     results   [activation row][row group]             y, a float per row
//     partial   [activation row][row group]             d, for long groups only
//
// Meanwhile memory fetches the packed bytes of the next block: the tiles of the
// first activation rows ask for them, a group's worth with each group, since
// all at once would fill the queue of misses and wait for it.
//
//===----------------------------------------------------------------------===//

#include "passes/Kernel/ProductKernel.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <numeric>

using namespace mlir;
using namespace mezzo;

namespace {

/// Activation rows that run over one decoded block. More would amortize the
/// decoding further, but their results would no longer fit beside it.
constexpr int64_t RowBlock = 64;
constexpr int64_t VectorBytes = PanelFields::VectorBytes;
constexpr int64_t Columns = PanelFields::ColumnsPerStep;
constexpr int64_t CacheLine = 64;

class BlockedWriter {
public:
  explicit BlockedWriter(ProductKernel &kernel);

  void writePanel(Value panel);

private:
  using TileBody = llvm::function_ref<void(ArrayRef<Value> rows, Value rowGroup,
                                           int64_t width)>;

  Value allocate(int64_t bytes);
  void forEachTile(TileBody body);
  void writeGroups(Value groups, Value first, int64_t columns);
  void addShortGroups(Value first, Value count, int64_t columns);
  void addLongGroup(Value group, int64_t columns);
  void decode(Value group, Value firstStep, int64_t steps, Value target);
  Values accumulate(ArrayRef<Value> rows, Value rowGroup, int64_t width,
                    Value group, Value firstStep, int64_t columns,
                    Value decodedBase, Values sums);
  void finish(ArrayRef<Value> rows, Value rowGroup, int64_t width, Value group,
              ArrayRef<Value> sums);
  void prefetch(Value base, int64_t bytes);
  void prefetchShare(Value firstRow, Value rowGroup, int64_t width, Value base,
                     int64_t bytes);
  void clear(Value scratch);
  Value place(Value row, Value rowGroup);
  /// Lanes of the vectors that tiles work on.
  unsigned tileLanes() const { return facts.panel.rowsPerGroup * facts.span; }
  Values load(Value scratch, Type element, ArrayRef<Value> rows, Value rowGroup,
              int64_t width);
  void store(Value scratch, ArrayRef<Value> values, ArrayRef<Value> rows,
             Value rowGroup, int64_t width);
  Value record(Value group) { return kernel.record(panel, group); }

  /// Bytes of one decoded step.
  int64_t stepBytes() const {
    return kernel.strategy.vectorsPerStep(facts) * rowGroups * VectorBytes;
  }

  ProductKernel &kernel;
  KernelBuilder &builder;
  const ProductFacts &facts;
  int64_t rowGroups;
  int64_t laneBytes; ///< of a row group's y, or d
  int64_t blockSteps;
  bool inPlace; ///< packed codes are decoded codes
  Value decoded, results, partial;
  Value panel;
  Value rowBegin, rowEnd; ///< the block of activation rows
};

BlockedWriter::BlockedWriter(ProductKernel &kernel)
    : kernel(kernel), builder(kernel.builder), facts(kernel.facts),
      rowGroups(facts.rowGroups()), laneBytes(4 * facts.panel.rowsPerGroup),
      blockSteps(facts.config.getBlock() / Columns),
      inPlace(kernel.strategy.readsPacked(facts)) {
  if (!inPlace)
    decoded = allocate(blockSteps * stepBytes());
  results = allocate(RowBlock * rowGroups * laneBytes);
  if (facts.record.steps > blockSteps)
    partial = allocate(RowBlock * rowGroups * laneBytes);
}

/// Scratch memory of the whole kernel: on the stack, once per call.
Value BlockedWriter::allocate(int64_t bytes) {
  OpBuilder::InsertionGuard guard(builder);
  Operation *function = builder.getInsertionBlock()->getParentOp();
  while (!isa<func::FuncOp>(function))
    function = function->getParentOp();
  builder.setInsertionPointToStart(&function->getRegion(0).front());
  return memref::AllocaOp::create(builder,
                                  MemRefType::get({bytes}, builder.getI8Type()),
                                  builder.getI64IntegerAttr(64));
}

//===----------------------------------------------------------------------===//
// Scratch memory
//===----------------------------------------------------------------------===//

/// Of a row's and row group's lanes in `results` and `partial`.
Value BlockedWriter::place(Value row, Value rowGroup) {
  Value local = builder.sub(row, rowBegin);
  return builder.add(builder.mul(local, rowGroups * laneBytes),
                     builder.mul(rowGroup, laneBytes));
}

void BlockedWriter::clear(Value scratch) {
  auto lanes = builder.lanesOf(builder.getI32Type());
  Value end = builder.mul(builder.sub(rowEnd, rowBegin), rowGroups * laneBytes);
  builder.loop(builder.index(0), end, laneBytes, [&](Value at) {
    builder.storeBytes(builder.zeros(lanes), scratch, at);
  });
}

Values BlockedWriter::load(Value scratch, Type element, ArrayRef<Value> rows,
                           Value rowGroup, int64_t width) {
  Values values;
  int64_t vectorBytes = facts.span * laneBytes;
  for (Value row : rows)
    for (int64_t i = 0; i < width; ++i)
      values.push_back(builder.loadBytes(
          builder.lanesOf(element), scratch,
          builder.add(place(row, rowGroup), i * vectorBytes)));
  return values;
}

void BlockedWriter::store(Value scratch, ArrayRef<Value> values,
                          ArrayRef<Value> rows, Value rowGroup, int64_t width) {
  int64_t vectorBytes = facts.span * laneBytes;
  for (auto [index, row] : llvm::enumerate(rows))
    for (int64_t i = 0; i < width; ++i)
      builder.storeBytes(values[index * width + i], scratch,
                         builder.add(place(row, rowGroup), i * vectorBytes));
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

/// All rows of the block by all row groups of the panel, in register tiles of
/// `width` vectors. A tile of fewer rows takes more row groups.
void BlockedWriter::forEachTile(TileBody body) {
  int64_t most = facts.config.getRows();
  builder.tiles(rowBegin, rowEnd, most, [&](Value first, int64_t count) {
    Values rows;
    for (int64_t i = 0; i < count; ++i)
      rows.push_back(builder.add(first, i));
    int64_t groups = facts.config.getGroups(), span = facts.span;
    if (count != most)
      groups = std::max(groups, facts.tileSums / count);
    int64_t width =
        std::gcd(std::max(groups / span, int64_t(1)), rowGroups / span);
    builder.setLanes(tileLanes());
    builder.loop(builder.index(0), builder.index(rowGroups), width * span,
                 [&](Value rowGroup) { body(rows, rowGroup, width); });
    builder.setLanes(facts.panel.rowsPerGroup);
  });
}

/// `decodedBase` is the byte offset of the segment's first step, in the decoded
/// block or, where nothing is decoded, in the weight.
Values BlockedWriter::accumulate(ArrayRef<Value> rows, Value rowGroup,
                                 int64_t width, Value group, Value firstStep,
                                 int64_t columns, Value decodedBase,
                                 Values sums) {
  int64_t vectorBytes = facts.span * VectorBytes;
  auto bytes = VectorType::get(vectorBytes, builder.getI8Type());
  auto codes = [&](Value step, unsigned) {
    Value base = builder.add(
        builder.add(decodedBase, builder.mul(rowGroup, VectorBytes)),
        builder.mul(step, stepBytes()));
    Values vectors;
    for (unsigned v = 0; v < kernel.strategy.vectorsPerStep(facts); ++v)
      for (int64_t i = 0; i < width; ++i)
        vectors.push_back(builder.loadBytes(
            bytes, inPlace ? kernel.operands.weight : decoded,
            builder.add(base, v * rowGroups * VectorBytes + i * vectorBytes)));
    return vectors;
  };
  Segment segment{Values(rows), unsigned(width),  group, firstStep,
                  columns,      /*decoded=*/true, codes};
  return kernel.strategy.accumulate(builder, facts, kernel.operands, segment,
                                    std::move(sums));
}

/// y += scale * sums for a tile.
void BlockedWriter::finish(ArrayRef<Value> rows, Value rowGroup, int64_t width,
                           Value group, ArrayRef<Value> sums) {
  Values y = load(results, builder.getF32Type(), rows, rowGroup, width);
  for (int64_t i = 0; i < width; ++i) {
    Values column, columnSums;
    for (unsigned row = 0; row < rows.size(); ++row) {
      column.push_back(y[row * width + i]);
      columnSums.push_back(sums[row * width + i]);
    }
    column = kernel.strategy.finish(
        builder, facts, kernel.operands, rows, group,
        kernel.place({panel}, group, builder.add(rowGroup, i * facts.span)),
        columnSums, column);
    for (unsigned row = 0; row < rows.size(); ++row)
      y[row * width + i] = column[row];
  }
  store(results, y, rows, rowGroup, width);
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

/// Asks for the lines of `bytes` bytes. They go to the second-level cache: the
/// first has no room beside the block that is in use. An address beyond the
/// weight does no harm.
void BlockedWriter::prefetch(Value base, int64_t bytes) {
  for (int64_t line = 0; line < bytes; line += CacheLine)
    memref::PrefetchOp::create(builder, kernel.operands.weight,
                               builder.add(base, line), /*isWrite=*/false,
                               /*localityHint=*/2, /*isDataCache=*/true);
}

/// The tiles of the first activation rows share the `bytes` bytes at `base`
/// among them, by row groups; the other tiles find them asked for.
void BlockedWriter::prefetchShare(Value firstRow, Value rowGroup, int64_t width,
                                  Value base, int64_t bytes) {
  int64_t share = llvm::divideCeil(bytes, rowGroups);
  Value isFirst = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq,
                                        firstRow, rowBegin);
  auto branch = scf::IfOp::create(builder, isFirst, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  prefetch(builder.add(base, builder.mul(rowGroup, share)),
           share * width * facts.span);
}

/// `steps` steps of a group, decoded to byte offset `target`.
void BlockedWriter::decode(Value group, Value firstStep, int64_t steps,
                           Value target) {
  SmallVector<Values> contexts;
  SmallVector<unsigned> all(rowGroups);
  std::iota(all.begin(), all.end(), 0);
  for (unsigned rowGroup : all)
    contexts.push_back(kernel.strategy.decodeContext(
        builder, facts, kernel.operands.weight,
        kernel.place({panel}, group, builder.index(rowGroup))));
  Value source = builder.add(record(group),
                             builder.mul(firstStep, facts.panel.stepBytes()));
  builder.loop(builder.index(0), builder.index(steps), 1, [&](Value step) {
    Values packed = kernel.loadPacked(
        builder.add(source, builder.mul(step, facts.panel.stepBytes())), all);
    Value to = builder.add(target, builder.mul(step, stepBytes()));
    for (unsigned rowGroup : all)
      for (auto [v, vector] : llvm::enumerate(kernel.strategy.decode(
               builder, facts, packed, rowGroup, contexts[rowGroup])))
        builder.storeBytes(
            vector, decoded,
            builder.add(to, (v * rowGroups + rowGroup) * VectorBytes));
  });
}

/// Groups [first, first + count), which fit into a block together.
void BlockedWriter::addShortGroups(Value first, Value count, int64_t columns) {
  int64_t steps = llvm::divideCeil(columns, Columns);
  int64_t groupBytes = steps * stepBytes();
  int64_t packedBlock = blockSteps / steps * facts.record.bytes;
  Value zero = builder.index(0);
  if (!inPlace)
    builder.loop(zero, count, 1, [&](Value i) {
      decode(builder.add(first, i), zero, steps, builder.mul(i, groupBytes));
    });
  forEachTile([&](ArrayRef<Value> rows, Value rowGroup, int64_t width) {
    auto lanes = builder.lanesOf(kernel.strategy.sumElement(builder));
    builder.loop(zero, count, 1, [&](Value i) {
      Value group = builder.add(first, i);
      prefetchShare(rows[0], rowGroup, width,
                    builder.add(record(group), packedBlock),
                    facts.record.bytes);
      Values sums(rows.size() * width, builder.zeros(lanes));
      sums = accumulate(rows, rowGroup, width, group, zero, columns,
                        inPlace ? record(group) : builder.mul(i, groupBytes),
                        std::move(sums));
      finish(rows, rowGroup, width, group, sums);
    });
  });
}

/// One group, block by block; its sums wait in `partial`.
void BlockedWriter::addLongGroup(Value group, int64_t columns) {
  Type element = kernel.strategy.sumElement(builder);
  clear(partial);
  auto addBlock = [&](Value firstStep, int64_t blockColumns) {
    if (!inPlace)
      decode(group, firstStep, llvm::divideCeil(blockColumns, Columns),
             builder.index(0));
    Value base = inPlace ? builder.add(record(group),
                                       builder.mul(firstStep, stepBytes()))
                         : builder.index(0);
    forEachTile([&](ArrayRef<Value> rows, Value rowGroup, int64_t width) {
      Value next = builder.add(record(group),
                               builder.mul(builder.add(firstStep, blockSteps),
                                           facts.panel.stepBytes()));
      prefetchShare(rows[0], rowGroup, width, next,
                    blockSteps * facts.panel.stepBytes());
      Values sums = load(partial, element, rows, rowGroup, width);
      sums = accumulate(rows, rowGroup, width, group, firstStep, blockColumns,
                        base, std::move(sums));
      store(partial, sums, rows, rowGroup, width);
    });
  };
  int64_t block = blockSteps * Columns, whole = columns / block * block;
  if (whole)
    builder.loop(builder.index(0), builder.index(whole / Columns), blockSteps,
                 [&](Value firstStep) { addBlock(firstStep, block); });
  if (whole != columns)
    addBlock(builder.index(whole / Columns), columns - whole);
  forEachTile([&](ArrayRef<Value> rows, Value rowGroup, int64_t width) {
    finish(rows, rowGroup, width, group,
           load(partial, element, rows, rowGroup, width));
  });
}

/// Groups [first, first + groups) of `columns` columns each.
void BlockedWriter::writeGroups(Value groups, Value first, int64_t columns) {
  int64_t steps = llvm::divideCeil(columns, Columns);
  Value zero = builder.index(0);
  if (steps > blockSteps) {
    builder.loop(zero, groups, 1, [&](Value i) {
      addLongGroup(builder.add(first, i), columns);
    });
    return;
  }
  int64_t perBlock = blockSteps / steps;
  builder.loop(zero, groups, perBlock, [&](Value i) {
    Value count = builder.min(builder.sub(groups, i), builder.index(perBlock));
    addShortGroups(builder.add(first, i), count, columns);
  });
}

void BlockedWriter::writePanel(Value which) {
  panel = which;
  Value m =
      memref::DimOp::create(builder, kernel.operands.output, builder.index(0));
  builder.loop(builder.index(0), m, RowBlock, [&](Value begin) {
    rowBegin = begin;
    rowEnd = builder.min(builder.add(begin, RowBlock), m);
    clear(results);
    Value groups = kernel.wholeGroups();
    writeGroups(groups, builder.index(0), facts.group);
    if (kernel.hasTail())
      writeGroups(builder.index(1), groups, facts.tail);
    Value firstRow = builder.mul(panel, facts.panel.rowsPerPanel);
    builder.loop(rowBegin, rowEnd, 1, [&](Value row) {
      for (int64_t rowGroup = 0; rowGroup < rowGroups; ++rowGroup) {
        Value y =
            builder.loadBytes(builder.lanesOf(builder.getF32Type()), results,
                              place(row, builder.index(rowGroup)));
        kernel.store(
            row, builder.add(firstRow, rowGroup * facts.panel.rowsPerGroup), y);
      }
    });
  });
}

} // namespace

void mezzo::writeBlockedKernel(ProductKernel &kernel, Value begin, Value end) {
  BlockedWriter writer(kernel);
  kernel.builder.loop(begin, end, 1,
                      [&](Value panel) { writer.writePanel(panel); });
}
