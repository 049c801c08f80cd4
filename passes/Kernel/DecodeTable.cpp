//===- DecodeTable.cpp - codes as numbers, by look-up ---------------------===//

#include "passes/Kernel/DecodeTable.h"

#include "dialects/Tile/Tile.h"
#include "lib/Layout/Panel.h"
#include "lib/Number/Half.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mezzo;

/// Entries of one look-up.
static constexpr int64_t Entries = 16;
/// What a vector is interleaved within.
static constexpr int64_t HalfBytes = 16;

/// Sixteen bytes as a constant.
static Value tableOf(KernelBuilder &builder, ArrayRef<uint8_t> bytes) {
  SmallVector<int8_t> entries(Entries, 0);
  for (auto [index, byte] : llvm::enumerate(bytes))
    entries[index] = int8_t(byte);
  auto type = VectorType::get(Entries, builder.getI8Type());
  return arith::ConstantOp::create(
      builder, DenseElementsAttr::get(type, ArrayRef<int8_t>(entries)));
}

Value mezzo::lookupBytes(KernelBuilder &builder, ArrayRef<uint8_t> table,
                         Value indices) {
  if (int64_t(table.size()) <= Entries)
    return tile::LookupOp::create(builder, tableOf(builder, table), indices);
  auto type = cast<VectorType>(indices.getType());
  auto and_ = [&](int64_t mask) -> Value {
    return arith::AndIOp::create(builder, indices, builder.splat(type, mask));
  };
  Value low = and_(Entries - 1);
  Values found;
  for (; !table.empty();
       table = table.drop_front(std::min<size_t>(Entries, table.size())))
    found.push_back(tile::LookupOp::create(
        builder, tableOf(builder, table.take_front(Entries)), low));
  for (int64_t bit = Entries; found.size() > 1; bit *= 2) {
    Value isSet = arith::CmpIOp::create(builder, arith::CmpIPredicate::ne,
                                        and_(bit), builder.splat(type, 0));
    Values chosen;
    for (size_t i = 0; i + 1 < found.size(); i += 2)
      chosen.push_back(
          arith::SelectOp::create(builder, isSet, found[i + 1], found[i]));
    found = std::move(chosen);
  }
  return found[0];
}

BytePlanes mezzo::constantPlanes(KernelBuilder &builder,
                                 ArrayRef<float> values) {
  BytePlanes planes;
  for (unsigned plane = 0; plane < planes.size(); ++plane) {
    SmallVector<uint8_t> bytes;
    for (float value : values)
      bytes.push_back(bitsOf(value) >> (8 * plane) & 255);
    if (llvm::any_of(bytes, [](uint8_t byte) { return byte != 0; }))
      planes[plane] = tableOf(builder, bytes);
  }
  return planes;
}

/// The same order of bytes in every half of a vector.
static Value reorder(KernelBuilder &builder, Value bytes,
                     ArrayRef<int64_t> order) {
  SmallVector<int64_t> mask;
  int64_t count = cast<VectorType>(bytes.getType()).getNumElements();
  for (int64_t half = 0; half < count; half += HalfBytes)
    for (int64_t at : order)
      mask.push_back(half + at);
  return vector::ShuffleOp::create(builder, bytes, bytes, mask);
}

/// Elements of two vectors in turns, of the first or the second half of every
/// sixteen bytes.
static Value interleave(KernelBuilder &builder, Value even, Value odd,
                        unsigned part) {
  auto type = cast<VectorType>(even.getType());
  int64_t count = type.getNumElements(),
          perHalf = HalfBytes * 8 / type.getElementTypeBitWidth();
  SmallVector<int64_t> mask;
  for (int64_t half = 0; half < count; half += perHalf)
    for (int64_t i = 0; i < perHalf / 2; ++i) {
      int64_t at = half + part * perHalf / 2 + i;
      mask.push_back(at);
      mask.push_back(count + at);
    }
  return vector::ShuffleOp::create(builder, even, odd, mask);
}

Values mezzo::lookupFloats(KernelBuilder &builder, const BytePlanes &planes,
                           Value indices) {
  auto bytes = cast<VectorType>(indices.getType());
  auto words =
      VectorType::get(bytes.getNumElements() / 2, builder.getI16Type());
  VectorType lanes = builder.lanesOf(builder.getI32Type()),
             floats = builder.lanesOf(builder.getF32Type());
  bool isUpperHalf = !planes[0] && !planes[1];
  SmallVector<int64_t> order;
  if (isUpperHalf)
    order = {0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15};
  else // four rows of each column together
    order = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
  indices = reorder(builder, indices, order);
  auto plane = [&](unsigned which) -> Value {
    if (!planes[which])
      return builder.zeros(bytes);
    return tile::LookupOp::create(builder, planes[which], indices);
  };

  Values columns;
  Value top[2];
  for (unsigned part : {0u, 1u})
    top[part] = interleave(builder, plane(2), plane(3), part);
  if (isUpperHalf) {
    for (Value pair : top) {
      Value both = builder.bitcast(lanes, pair);
      Value first =
          arith::ShLIOp::create(builder, both, builder.splat(lanes, 16));
      Value second = arith::AndIOp::create(builder, both,
                                           builder.splat(lanes, 0xffff0000));
      columns.push_back(builder.bitcast(floats, first));
      columns.push_back(builder.bitcast(floats, second));
    }
    return columns;
  }
  for (unsigned part : {0u, 1u}) {
    Value below =
        builder.bitcast(words, interleave(builder, plane(0), plane(1), part));
    Value above = builder.bitcast(words, top[part]);
    for (unsigned column : {0u, 1u})
      columns.push_back(
          builder.bitcast(floats, interleave(builder, below, above, column)));
  }
  return columns;
}
