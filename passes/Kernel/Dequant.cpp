//===- Dequant.cpp - `float` mode: decode, then multiply-add --------------===//
//
// Per group, d = left fold over ascending k of fma(C(q) - z, x, d) from 0, then
// y = fma(s, d, y), and where there is a minimum, y = fma(m, sum of x, y). The
// order is the promise; lanes run over rows of the weight, so it costs nothing.
//
// Decoding. A column of a step is one byte of every int32 lane, and a code is
// some bits of that byte. How it becomes a number depends on its format:
//
// * Integers are placed in a mantissa. Where the bits of a code lie together,
//   at bit t of the lane, no shift and no conversion is needed: put into the
//   mantissa of a float whose unit in place t is 1, they are a number,
//
//       (word & mask << t) | bits of 2^(23-t)   =   2^(23-t) + c
//
//   exactly, and one exact subtraction of 2^(23-t) + z - offset leaves C(q) -
//   z. Bytes 2 and 3 are brought to the place of bytes 0 and 1 first, together,
//   so that the code ends below the exponent.
// * Small floats and code books of up to four bits are looked up, byte by byte
//   (DecodeTable.h).
// * Wider small floats have their bits put where a half has them
//   (DecodeFloat.h).
// * Wider code books, and those that each row has of its own, are read from
//   memory, entry by entry.
//
//===----------------------------------------------------------------------===//

#include "dialects/Tile/Tile.h"
#include "passes/Kernel/DecodeFloat.h"
#include "passes/Kernel/DecodeTable.h"
#include "passes/Kernel/ProductKernel.h"
#include "passes/Layout/WeightParts.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mezzo;

namespace {

constexpr int64_t Columns = PanelFields::ColumnsPerStep;

/// Decodes the codes of one row group in one step.
class Decoder {
public:
  /// `context`: what Dequant::decodeContext gives.
  Decoder(KernelBuilder &builder, const ProductFacts &facts,
          ArrayRef<Value> context)
      : builder(builder), facts(facts), code(facts.code), context(context),
        bytes(VectorType::get(PanelFields::VectorBytes, builder.getI8Type())),
        integers(builder.lanesOf(builder.getI32Type())),
        floats(builder.lanesOf(builder.getF32Type())) {}

  /// C(q) - z in columns 0 to 3.
  Values run(WholeCode at);

private:
  Values place(WholeCode at);
  Value placeColumn(Value words, unsigned place, unsigned width);
  Value minusZero(Value value, float exact);
  Values lookUp(WholeCode at);
  Values widen(WholeCode at);
  Values read(WholeCode at);

  /// The bits of a code moved to `to` in their bytes, all others zero.
  Value field(WholeCode at, unsigned to) {
    return tile::FieldOp::create(builder, at.bytes, at.shift, at.width, to);
  }
  Value zeros() { return context.back(); }

  KernelBuilder &builder;
  const ProductFacts &facts;
  const Format::Stored &code;
  ArrayRef<Value> context;
  VectorType bytes, integers, floats;
};

/// value - (exact + t), where t is what a stored code is away from C(q) - z:
/// z - offset, or -offset where there is no integer zero. All of it are
/// integers below 2^24.
Value Decoder::minusZero(Value value, float exact) {
  Value subtrahend;
  if (!facts.hasIntegerZeros())
    subtrahend = builder.splatFloat(floats, exact - float(code.offset));
  else if (exact == 0)
    subtrahend = zeros();
  else
    subtrahend = arith::AddFOp::create(builder, zeros(),
                                       builder.splatFloat(floats, exact));
  return arith::SubFOp::create(builder, value, subtrahend);
}

Value Decoder::placeColumn(Value words, unsigned place, unsigned width) {
  float unit = float(int64_t(1) << (23 - place));
  uint32_t mask = ((1u << width) - 1) << place;
  uint32_t magic = uint32_t(127 + 23 - place) << 23;
  if (code.isSigned()) { // c + 128 instead of c: the top bit flipped
    magic |= 128u << place;
    unit += 128;
  }
  Value bits =
      arith::AndIOp::create(builder, words, builder.splat(integers, mask));
  bits = arith::XOrIOp::create(builder, bits, builder.splat(integers, magic));
  Value value = builder.bitcast(floats, bits);
  if (code.scale == 1)
    return minusZero(value, unit);
  // 2c - t: the scale first, exactly
  value =
      arith::SubFOp::create(builder, value, builder.splatFloat(floats, unit));
  value = arith::MulFOp::create(builder, value,
                                builder.splatFloat(floats, code.scale));
  return minusZero(value, 0);
}

Values Decoder::place(WholeCode at) {
  Value low = builder.bitcast(integers, at.bytes);
  Value high =
      arith::ShRUIOp::create(builder, low, builder.splat(integers, 16));
  Values columns;
  for (unsigned byte = 0; byte < Columns; ++byte)
    columns.push_back(
        placeColumn(byte < 2 ? low : high, byte % 2 * 8 + at.shift, at.width));
  return columns;
}

Values Decoder::lookUp(WholeCode at) {
  BytePlanes planes;
  if (facts.format.hasValues()) {
    SmallVector<float> values;
    for (uint32_t raw = 0; raw < facts.format.numCodes(); ++raw)
      values.push_back(facts.format.decode(raw));
    planes = constantPlanes(builder, values);
  } else {
    unsigned first = facts.table == TableForm::Halves ? 2 : 0;
    for (unsigned plane = first; plane < planes.size(); ++plane)
      planes[plane] = context[plane - first];
  }
  return lookupFloats(builder, planes, field(at, /*to=*/0));
}

/// Column c of eight rows, as bytes, at byte 8*c.
Value columnsTogether(KernelBuilder &builder, Value bytes) {
  constexpr int64_t rows = PanelFields::VectorBytes / Columns;
  SmallVector<int64_t> order;
  for (int64_t column = 0; column < Columns; ++column)
    for (int64_t row = 0; row < rows; ++row)
      order.push_back(column + row * Columns);
  return vector::ShuffleOp::create(builder, bytes, bytes, order);
}

Values Decoder::widen(WholeCode at) {
  const SmallFloat &format = facts.format.floatFormat();
  Value top = field(at, /*to=*/8 - at.width);
  Values columns(Columns);
  if (decodingWordBits(format) == 32) {
    Value lanes = builder.bitcast(integers, top);
    for (unsigned column = 0; column < Columns; ++column)
      columns[column] = decodeSmallFloat(
          builder, format,
          arith::ShLIOp::create(builder, lanes,
                                builder.splat(integers, 24 - 8 * column))
              .getResult());
    return columns;
  }
  // Halves: columns 0 and 2, then 1 and 3, each byte above one of zeros.
  constexpr int64_t rows = PanelFields::VectorBytes / Columns;
  top = columnsTogether(builder, top);
  auto words =
      VectorType::get(PanelFields::VectorBytes / 2, builder.getI16Type());
  for (int64_t first : {0, 1}) {
    SmallVector<int64_t> mask;
    for (int64_t column : {first, first + 2})
      for (int64_t row = 0; row < rows; ++row)
        mask.append({0, PanelFields::VectorBytes + column * rows + row});
    Value pair =
        vector::ShuffleOp::create(builder, builder.zeros(bytes), top, mask);
    pair = placeSmallFloat(builder, format, builder.bitcast(words, pair));
    for (int64_t half : {0, 1})
      columns[first + 2 * half] =
          rebiasSmallFloat(builder, format,
                           vector::ExtractStridedSliceOp::create(
                               builder, pair, half * rows, rows, 1)
                               .getResult());
  }
  return columns;
}

/// Entries in memory: the context has the byte offset of the first one.
Values Decoder::read(WholeCode at) {
  Value codes = builder.bitcast(integers, field(at, /*to=*/0));
  auto entry = VectorType::get(1, builder.getF32Type());
  bool perRow = facts.table == TableForm::FloatsPerRow;
  int64_t tableBytes = perRow ? 4 * facts.format.numCodes() : 0;
  Values columns;
  for (unsigned column = 0; column < Columns; ++column) {
    // Four times the code: a byte offset.
    Value offsets = arith::AndIOp::create(
        builder,
        column == 0
            ? arith::ShLIOp::create(builder, codes, builder.splat(integers, 2))
                  .getResult()
            : arith::ShRUIOp::create(builder, codes,
                                     builder.splat(integers, 8 * column - 2))
                  .getResult(),
        builder.splat(integers, 255 * 4));
    Values values;
    for (int64_t row = 0; row < floats.getNumElements(); ++row) {
      Value offset = arith::IndexCastUIOp::create(
          builder, builder.getIndexType(),
          vector::ExtractOp::create(builder, offsets, row).getResult());
      Value place =
          builder.add(builder.add(context[1], row * tableBytes), offset);
      values.push_back(vector::ExtractOp::create(
          builder, builder.loadBytes(entry, context[0], place), int64_t(0)));
    }
    columns.push_back(vector::FromElementsOp::create(builder, floats, values));
  }
  return columns;
}

/// Whether codes are looked up in byte tables.
bool looksUp(const ProductFacts &facts) {
  if (facts.format.isInteger() || facts.panel.bits > 4)
    return false;
  return facts.format.hasValues() || facts.table == TableForm::Halves ||
         facts.table == TableForm::Bytes;
}

Values Decoder::run(WholeCode at) {
  Values columns;
  if (facts.format.isInteger())
    columns = place(at);
  else if (looksUp(facts))
    columns = lookUp(at);
  else if (facts.format.isFloat())
    columns = widen(at);
  else
    columns = read(at);
  if (facts.hasFloatZeros()) // fl(C(q) - z), the one rounding there is
    for (Value &column : columns)
      column = arith::SubFOp::create(builder, column, zeros());
  return columns;
}

struct Dequant : ProductStrategy {
  ConfigAttr defaultConfig(MLIRContext *context, const Format &format,
                           const PanelFields &panel,
                           const Target &target) const override;

  int64_t longestChunk(const Format &, const PanelFields &,
                       int64_t) const override {
    return 0;
  }

  unsigned vectorsPerStep(const ProductFacts &) const override {
    return Columns;
  }
  bool readsPacked(const ProductFacts &) const override { return false; }
  /// Adding +0 turns a sum of -0 into +0.
  bool ignoresPadding() const override { return false; }
  Type sumElement(Builder &builder) const override {
    return builder.getF32Type();
  }

  Values decodeContext(KernelBuilder &builder, const ProductFacts &facts,
                       Value weight, const RowGroupRecord &at) const override;
  bool needsContext(const ProductFacts &facts) const override {
    bool loadsTable =
        facts.table == TableForm::Halves || facts.table == TableForm::Bytes;
    return loadsTable || facts.hasIntegerZeros() || facts.hasFloatZeros();
  }
  Values decode(KernelBuilder &builder, const ProductFacts &facts,
                ArrayRef<Value> packed, unsigned rowGroup,
                ArrayRef<Value> context) const override {
    return Decoder(builder, facts, context)
        .run(wholeCode(builder, facts, packed, rowGroup));
  }
  Values accumulate(KernelBuilder &builder, const ProductFacts &facts,
                    const ProductOperands &operands, const Segment &segment,
                    Values sums) const override;
  Values finish(KernelBuilder &builder, const ProductFacts &facts,
                const ProductOperands &operands, ArrayRef<Value> rows,
                Value group, const RowGroupRecord &at, ArrayRef<Value> sums,
                Values y) const override;
};

ConfigAttr Dequant::defaultConfig(MLIRContext *context, const Format &format,
                                  const PanelFields &panel,
                                  const Target &target) const {
  int64_t rowGroups = panel.fields.size();
  int64_t columns = DecodedBytes / (rowGroups * PanelFields::VectorBytes);
  // Where a vector takes two registers, six rows leave too few for operands;
  // where it is half of one, four row groups are two vectors.
  bool isWide = target.vectorBytes > PanelFields::VectorBytes;
  int64_t rows = isWide                                          ? 8
                 : target.vectorBytes < PanelFields::VectorBytes ? 4
                                                                 : 6;
  // Where entries are read one by one, nothing else waits for memory.
  bool reads = format.isCodebook() && format.bits() > 4;
  int64_t streams = reads ? 1 : defaultStreams(panel, target);
  return ConfigAttr::get(context, StrategyKind::Dequant, rows,
                         /*groups=*/isWide ? 4 : 2, /*unroll=*/1, streams,
                         /*block=*/columns, /*chunk=*/0);
}

/// The byte tables of a code book, or memory and where its entries begin; then
/// zeros as floats, of integer zeros less the format's offset, which is what is
/// subtracted from the stored code.
Values Dequant::decodeContext(KernelBuilder &builder, const ProductFacts &facts,
                              Value weight, const RowGroupRecord &at) const {
  Values context;
  auto table = VectorType::get(LookupEntries, builder.getI8Type());
  if (looksUp(facts) && !facts.format.hasValues()) {
    for (int64_t byte = 0; byte < facts.record.tableBytes;
         byte += LookupEntries)
      context.push_back(
          builder.loadBytes(table, weight, builder.add(at.panel, byte)));
  } else if (facts.table == TableForm::Floats) {
    context = {weight, at.panel};
  } else if (facts.table == TableForm::FloatsPerRow) {
    int64_t groupBytes = 4 * facts.format.numCodes() * facts.panel.rowsPerGroup;
    context = {weight,
               builder.add(at.panel, builder.mul(at.rowGroup, groupBytes))};
  }
  if (facts.hasFloatZeros())
    context.push_back(loadFloatZeros(builder, facts, weight, at));
  else if (facts.hasIntegerZeros())
    context.push_back(
        arith::SIToFPOp::create(builder, builder.lanesOf(builder.getF32Type()),
                                loadIntegerZeros(builder, facts, weight, at)));
  return context;
}

Values Dequant::accumulate(KernelBuilder &builder, const ProductFacts &facts,
                           const ProductOperands &operands,
                           const Segment &segment, Values sums) const {
  Value firstColumn = builder.add(builder.mul(segment.group, facts.group),
                                  builder.mul(segment.firstStep, Columns));
  auto addStep = [&](Value step, unsigned position, int64_t columns,
                     Values carried) {
    Values codes = segment.codes(step, position);
    for (int64_t column = 0; column < columns; ++column) {
      Value at = builder.add(
          builder.add(firstColumn, builder.mul(step, Columns)), column);
      for (unsigned row = 0; row < segment.rows.size(); ++row) {
        Value x = builder.broadcast(
            memref::LoadOp::create(builder, operands.activations[0],
                                   ValueRange{segment.rows[row], at}));
        for (unsigned i = 0; i < segment.width; ++i) {
          Value code = builder.bitcast(builder.lanesOf(builder.getF32Type()),
                                       codes[column * segment.width + i]);
          Value &sum = carried[row * segment.width + i];
          sum = math::FmaOp::create(builder, code, x, sum);
        }
      }
    }
    return carried;
  };
  int64_t whole = segment.columns / Columns;
  sums = builder.unrolled(whole, facts.config.getUnroll(), std::move(sums),
                          [&](Value step, unsigned position, Values carried) {
                            return addStep(step, position, Columns,
                                           std::move(carried));
                          });
  if (int64_t rest = segment.columns % Columns)
    sums = addStep(builder.index(whole), 0, rest, std::move(sums));
  return sums;
}

Values Dequant::finish(KernelBuilder &builder, const ProductFacts &facts,
                       const ProductOperands &operands, ArrayRef<Value> rows,
                       Value group, const RowGroupRecord &at,
                       ArrayRef<Value> sums, Values y) const {
  Value scale = loadScales(builder, facts, operands.weight, at);
  for (auto [sum, value] : llvm::zip_equal(sums, y))
    value = math::FmaOp::create(builder, scale, sum, value);
  if (!facts.minima)
    return y;
  Value minima = loadMinima(builder, facts, operands.weight, at, scale);
  for (auto [row, value] : llvm::zip_equal(rows, y)) {
    Value sum = memref::LoadOp::create(builder, operands.activations[1],
                                       ValueRange{row, group});
    value = math::FmaOp::create(builder, minima, builder.broadcast(sum), value);
  }
  return y;
}

} // namespace

const ProductStrategy &mezzo::dequantStrategy() {
  static const Dequant strategy;
  return strategy;
}
