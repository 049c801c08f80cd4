//===- RecordNumbers.cpp - scales and offsets of a record as vectors ------===//
//
// A number of a row comes as f32, whatever it is stored as: a float is widened;
// the eight exponent bits of e8m0 are put where those of an f32 are; a small
// float is decoded as weights are; an integer is put together from its planes
// (PanelRecord) and multiplied by what its super-block counts in.
//
//===----------------------------------------------------------------------===//

#include "passes/Kernel/DecodeFloat.h"
#include "passes/Kernel/ProductKernel.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// Loads numbers of one row group.
class NumberLoader {
public:
  NumberLoader(KernelBuilder &builder, const ProductFacts &facts, Value weight,
               Value rowGroup)
      : builder(builder), rows(facts.panel.rowsPerGroup), weight(weight),
        rowGroup(rowGroup), integers(builder.lanesOf(builder.getI32Type())),
        floats(builder.lanesOf(builder.getF32Type())) {}

  /// Elements of a machine type, one for each row, of an array at each of the
  /// bases.
  Value elements(Type element, ArrayRef<Value> bases) {
    auto lanes = VectorType::get(builder.getLanes() / bases.size(), element);
    Values parts;
    for (Value base : bases)
      parts.push_back(builder.loadBytes(
          lanes, weight, at(base, element.getIntOrFloatBitWidth())));
    return builder.concatenate(parts);
  }
  /// Numbers of any stored type, as f32. Those that are no machine's have one
  /// base.
  Value numbers(Type type, ArrayRef<Value> bases);

private:
  Value at(Value base, int64_t bits) {
    return builder.add(base, builder.mul(rowGroup, rows * bits / 8));
  }
  Value plane(unsigned width, Value offset);
  Value raw(IntegerType type, Value base);
  Value exponents(Value bytes);
  Value bytes(Value base) {
    return arith::ExtUIOp::create(builder, integers,
                                  elements(builder.getI8Type(), base));
  }
  Value shiftLeft(Value lanes, unsigned count) {
    return arith::ShLIOp::create(builder, lanes,
                                 builder.splat(integers, count));
  }

  /// Each row's lane by its own count.
  Value shiftRight(Value lanes,
                   llvm::function_ref<int64_t(int64_t row)> countOf) {
    SmallVector<int32_t> counts;
    for (int64_t row = 0; row < rows; ++row)
      counts.push_back(countOf(row));
    Value vector = arith::ConstantOp::create(
        builder, DenseElementsAttr::get(integers, ArrayRef(counts)));
    return arith::ShRUIOp::create(builder, lanes, vector);
  }

  KernelBuilder &builder;
  int64_t rows;
  Value weight, rowGroup;
  VectorType integers, floats;
};

/// The bits of every row of a plane, at the lowest bits of its lane; above them
/// are others'.
Value NumberLoader::plane(unsigned width, Value offset) {
  int64_t length = rows * width / 8;
  auto type = VectorType::get(length, builder.getI8Type());
  if (length <= 4) { // one word for all lanes, each shifts to its place
    auto word = builder.getIntegerType(8 * length);
    Value all = vector::ExtractOp::create(
        builder, builder.loadBytes(VectorType::get(1, word), weight, offset),
        int64_t(0));
    if (length < 4)
      all = arith::ExtUIOp::create(builder, builder.getI32Type(), all);
    return shiftRight(builder.broadcast(all), [&](int64_t row) {
      return row % length * 8 + row / length * width;
    });
  }
  SmallVector<int64_t> repeated(rows);
  for (int64_t row = 0; row < rows; ++row)
    repeated[row] = row % length;
  Value bytes = builder.loadBytes(type, weight, offset);
  bytes = vector::ShuffleOp::create(builder, bytes, bytes, repeated);
  Value lanes = arith::ExtUIOp::create(builder, integers, bytes);
  if (width == 8)
    return lanes;
  return shiftRight(lanes, [&](int64_t row) { return row / length * width; });
}

/// An integer without its meaning: the planes, side by side.
Value NumberLoader::raw(IntegerType type, Value base) {
  unsigned bits = type.getWidth(), done = 0;
  Value offset = at(base, bits), result;
  for (unsigned width : planesOf(bits)) {
    Value field = plane(width, offset);
    if (width < 8)
      field = arith::AndIOp::create(builder, field,
                                    builder.splat(integers, (1 << width) - 1));
    if (done)
      field = shiftLeft(field, done);
    result = result ? arith::OrIOp::create(builder, result, field).getResult()
                    : field;
    offset = builder.add(offset, rows * width / 8);
    done += width;
  }
  return result;
}

/// 2^(r - 127) of e8m0's r, and NaN of 255. Shifted into place r is that but at
/// its ends, where a half has to be added: 2^-127 is half of the smallest
/// normal number, and infinity becomes a NaN.
Value NumberLoader::exponents(Value bytes) {
  Value wrapped = arith::AndIOp::create(
      builder,
      arith::AddIOp::create(builder, bytes, builder.splat(integers, 1))
          .getResult(),
      builder.splat(integers, 255));
  Value isEnd = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt,
                                      wrapped, builder.splat(integers, 2));
  Value half =
      arith::SelectOp::create(builder, isEnd, builder.splat(integers, 1 << 22),
                              builder.splat(integers, 0));
  Value lanes = arith::OrIOp::create(builder, shiftLeft(bytes, 23), half);
  return builder.bitcast(floats, lanes);
}

Value NumberLoader::numbers(Type type, ArrayRef<Value> bases) {
  if (type.isF32())
    return elements(type, bases);
  if (type.isF16() || type.isBF16())
    return arith::ExtFOp::create(builder, floats, elements(type, bases));
  assert(bases.size() == 1 && "vectors of one row group");
  Value base = bases[0];
  if (isa<Float8E8M0FNUType>(type))
    return exponents(bytes(base));
  if (isa<Float8E4M3FNType>(type)) {
    Value halves =
        arith::ExtUIOp::create(builder, builder.lanesOf(builder.getI16Type()),
                               elements(builder.getI8Type(), base));
    return decodeSmallFloat(
        builder, SmallFloat::e4m3fn(),
        arith::ShLIOp::create(
            builder, halves,
            builder.splat(cast<VectorType>(halves.getType()), 8))
            .getResult());
  }
  auto integer = cast<IntegerType>(type);
  Value lanes = raw(integer, base);
  if (integer.isSigned()) {
    Value unused = builder.splat(integers, 32 - integer.getWidth());
    lanes = arith::ShLIOp::create(builder, lanes, unused);
    lanes = arith::ShRSIOp::create(builder, lanes, unused);
  }
  return arith::SIToFPOp::create(builder, floats, lanes);
}

} // namespace

/// Where an array begins in each of the records.
static Values arraysAt(KernelBuilder &builder, const RowGroupRecord &at,
                       int64_t array) {
  Values bases;
  for (Value record : at.records)
    bases.push_back(builder.add(record, array));
  return bases;
}

Value mezzo::loadScales(KernelBuilder &builder, const ProductFacts &facts,
                        Value weight, const RowGroupRecord &at) {
  NumberLoader loader(builder, facts, weight, at.rowGroup);
  Value scales = loader.numbers(facts.scaleType,
                                arraysAt(builder, at, facts.record.scales));
  if (!facts.superScaleType)
    return scales;
  Value supers = loader.numbers(facts.superScaleType, at.head);
  return arith::MulFOp::create(builder, supers, scales);
}

Value mezzo::loadFloatZeros(KernelBuilder &builder, const ProductFacts &facts,
                            Value weight, const RowGroupRecord &at) {
  return NumberLoader(builder, facts, weight, at.rowGroup)
      .numbers(facts.offsetType, arraysAt(builder, at, facts.record.offsets));
}

Value mezzo::loadIntegerZeros(KernelBuilder &builder, const ProductFacts &facts,
                              Value weight, const RowGroupRecord &at) {
  Value zeros = NumberLoader(builder, facts, weight, at.rowGroup)
                    .elements(facts.offsetType,
                              arraysAt(builder, at, facts.record.offsets));
  return arith::ExtSIOp::create(builder, builder.lanesOf(builder.getI32Type()),
                                zeros);
}

Value mezzo::loadCodeSums(KernelBuilder &builder, const ProductFacts &facts,
                          Value weight, const RowGroupRecord &at) {
  return NumberLoader(builder, facts, weight, at.rowGroup)
      .elements(builder.getI32Type(), arraysAt(builder, at, facts.record.sums));
}

Value mezzo::loadMinima(KernelBuilder &builder, const ProductFacts &facts,
                        Value weight, const RowGroupRecord &at, Value scales) {
  if (facts.hasFloatZeros())
    return arith::MulFOp::create(
        builder, arith::NegFOp::create(builder, scales).getResult(),
        loadFloatZeros(builder, facts, weight, at));
  if (!facts.minima)
    return {};
  Value minima = loadFloatZeros(builder, facts, weight, at);
  if (!facts.superOffsetType)
    return minima;
  Value supers = NumberLoader(builder, facts, weight, at.rowGroup)
                     .numbers(facts.superOffsetType,
                              builder.add(at.head, facts.record.superOffsets));
  return arith::MulFOp::create(builder, supers, minima);
}
