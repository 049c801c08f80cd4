//===- Dequant.cpp - `float` mode: decode, then multiply-add --------------===//
//
// Per group, d = left fold over ascending k of fma(C(q) - z, x, d) from 0, then
// y = fma(s, d, y). The order is the promise; lanes run over rows of the
// weight, so it costs nothing.
//
// Decoding. A column of a step is one byte of every int32 lane, and a code is
// some bits of that byte. Where they lie together, at bit t of the lane, no
// shift and no conversion is needed: put into the mantissa of a float whose
// unit in place t is 1, they are a number,
//
//     (word & mask << t) | bits of 2^(23-t)   =   2^(23-t) + c
//
// exactly, and one exact subtraction of 2^(23-t) + z - offset leaves C(q) - z.
// Bytes 2 and 3 are brought to the place of bytes 0 and 1 first, together, so
// that the code ends below the exponent.
//
//===----------------------------------------------------------------------===//

#include "passes/Kernel/ProductKernel.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mezzo;

namespace {

constexpr int64_t Columns = PanelFields::ColumnsPerStep;

/// Decodes the codes of one row group in one step.
class Decoder {
public:
  /// `zeros`: what Dequant::decodeContext gives.
  Decoder(KernelBuilder &builder, const ProductFacts &facts, Value zeros)
      : builder(builder), facts(facts), code(facts.code), zeros(zeros),
        integers(builder.lanesOf(builder.getI32Type())),
        floats(builder.lanesOf(builder.getF32Type())) {}

  /// C(q) - z in columns 0 to 3 of codes that are `width` bits at bit `shift`
  /// of each byte.
  Values run(Value bytes, unsigned shift, unsigned width);

private:
  Value column(Value words, unsigned place, unsigned width);
  Value minusZero(Value value, float exact);

  KernelBuilder &builder;
  const ProductFacts &facts;
  const Format::Stored &code;
  Value zeros;
  VectorType integers, floats;
};

/// value - (exact + t), where t is what a stored code is away from C(q) - z:
/// z - offset, or -offset where there is no integer zero. All of it are
/// integers below 2^24.
Value Decoder::minusZero(Value value, float exact) {
  Value subtrahend;
  if (!facts.hasIntegerZeros())
    subtrahend = builder.splatFloat(floats, exact - float(code.offset));
  else if (exact == 0)
    subtrahend = zeros;
  else
    subtrahend = arith::AddFOp::create(builder, zeros,
                                       builder.splatFloat(floats, exact));
  return arith::SubFOp::create(builder, value, subtrahend);
}

Value Decoder::column(Value words, unsigned place, unsigned width) {
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
  if (code.scale == 1) {
    value = minusZero(value, unit);
  } else { // 2c - t: the scale first, exactly
    value =
        arith::SubFOp::create(builder, value, builder.splatFloat(floats, unit));
    value = arith::MulFOp::create(builder, value,
                                  builder.splatFloat(floats, code.scale));
    value = minusZero(value, 0);
  }
  if (facts.hasFloatZeros()) // fl(C(q) - z), the one rounding there is
    value = arith::SubFOp::create(builder, value, zeros);
  return value;
}

Values Decoder::run(Value bytes, unsigned shift, unsigned width) {
  Value low = builder.bitcast(integers, bytes);
  Value high =
      arith::ShRUIOp::create(builder, low, builder.splat(integers, 16));
  Values columns;
  for (unsigned byte = 0; byte < Columns; ++byte)
    columns.push_back(
        column(byte < 2 ? low : high, byte % 2 * 8 + shift, width));
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

  Value decodeContext(KernelBuilder &builder, const ProductFacts &facts,
                      Value weight, const RowGroupRecord &at) const override;
  bool needsContext(const ProductFacts &facts) const override {
    return facts.offsetType != nullptr;
  }
  Values decode(KernelBuilder &builder, const ProductFacts &facts,
                ArrayRef<Value> packed, unsigned rowGroup,
                Value context) const override;
  Values accumulate(KernelBuilder &builder, const ProductFacts &facts,
                    const ProductOperands &operands, const Segment &segment,
                    Values sums) const override;
  Values finish(KernelBuilder &builder, const ProductFacts &facts,
                const ProductOperands &operands, ArrayRef<Value> rows,
                Value group, const RowGroupRecord &at, ArrayRef<Value> sums,
                Values y) const override;
};

ConfigAttr Dequant::defaultConfig(MLIRContext *context, const Format &,
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
  return ConfigAttr::get(context, StrategyKind::Dequant, rows,
                         /*groups=*/isWide ? 4 : 2, /*unroll=*/1,
                         defaultStreams(panel, target),
                         /*block=*/columns, /*chunk=*/0);
}

/// Zeros as floats: of integer zeros less the format's offset, which is what
/// is subtracted from the stored code.
Value Dequant::decodeContext(KernelBuilder &builder, const ProductFacts &facts,
                             Value weight, const RowGroupRecord &at) const {
  if (facts.hasFloatZeros())
    return loadFloatZeros(builder, facts, weight, at);
  if (!facts.hasIntegerZeros())
    return Value();
  return arith::SIToFPOp::create(builder, builder.lanesOf(builder.getF32Type()),
                                 loadIntegerZeros(builder, facts, weight, at));
}

Values Dequant::decode(KernelBuilder &builder, const ProductFacts &facts,
                       ArrayRef<Value> packed, unsigned rowGroup,
                       Value context) const {
  ArrayRef<Field> fields = facts.panel.fields[rowGroup];
  Decoder decoder(builder, facts, context);
  if (fields.size() == 1)
    return decoder.run(packed[fields[0].unit], fields[0].shift,
                       fields[0].width);
  return decoder.run(gatherCode(builder, facts, packed, rowGroup), 0,
                     facts.panel.bits);
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
  return y;
}

} // namespace

const ProductStrategy &mezzo::dequantStrategy() {
  static const Dequant strategy;
  return strategy;
}
