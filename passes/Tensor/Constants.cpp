//===- Constants.cpp - reading constants behind values --------------------===//

#include "passes/Tensor/Constants.h"

#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace mezzo;

WeightOp mezzo::plainWeightOf(Value value) {
  auto load = value.getDefiningOp<LoadWeightOp>();
  if (!load)
    return {};
  auto weight = SymbolTable::lookupNearestSymbolFrom<WeightOp>(
      load, load.getWeightAttr());
  return weight && !weight.isQuantized() ? weight : WeightOp();
}

ElementsAttr mezzo::constantOf(Value value) {
  if (auto constant = value.getDefiningOp<arith::ConstantOp>())
    return dyn_cast<ElementsAttr>(constant.getValue());
  if (WeightOp weight = plainWeightOf(value))
    if (!isa<QType>(weight.getTensorType().getElementType()))
      return weight.getData();
  return {};
}

/// Raw bytes of a resource or of dense elements that are no splat.
static std::optional<ArrayRef<char>> rawBytes(ElementsAttr attr) {
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    return blob ? std::optional(blob->getData()) : std::nullopt;
  }
  auto dense = dyn_cast<DenseElementsAttr>(attr);
  return dense && !dense.isSplat() ? std::optional(dense.getRawData())
                                   : std::nullopt;
}

std::optional<SmallVector<float>> mezzo::floatsOf(ElementsAttr attr) {
  auto type = dyn_cast<FloatType>(attr.getElementType());
  if (!type)
    return std::nullopt;
  int64_t count = attr.getNumElements();
  if (auto splat = dyn_cast<SplatElementsAttr>(attr))
    return SmallVector<float>(count,
                              splat.getSplatValue<APFloat>().convertToDouble());
  std::optional<ArrayRef<char>> bytes = rawBytes(attr);
  unsigned size = type.getWidth() / 8;
  if (!bytes || int64_t(bytes->size()) < count * size)
    return std::nullopt;
  SmallVector<float> values(count);
  for (int64_t i = 0; i < count; ++i) {
    uint64_t bits = 0;
    std::memcpy(&bits, bytes->data() + i * size, size);
    values[i] = APFloat(type.getFloatSemantics(), APInt(type.getWidth(), bits))
                    .convertToDouble();
  }
  return values;
}

std::optional<SmallVector<int32_t>> mezzo::integersOf(Value value) {
  if (auto constant = value.getDefiningOp<arith::ConstantOp>()) {
    auto dense = dyn_cast<DenseIntElementsAttr>(constant.getValue());
    if (!dense)
      return std::nullopt;
    SmallVector<int32_t> values;
    for (const APInt &element : dense.getValues<APInt>())
      values.push_back(element.getSExtValue());
    return values;
  }
  WeightOp weight = plainWeightOf(value);
  if (!weight)
    return std::nullopt;
  Type element = weight.getTensorType().getElementType();
  std::optional<Format> format;
  if (auto code = dyn_cast<QType>(element))
    format = code.getNumberFormat();
  else if (element.isInteger() && element.getIntOrFloatBitWidth() <= 16)
    format = Format::integer(element.getIntOrFloatBitWidth());
  std::optional<ArrayRef<char>> bytes = rawBytes(weight.getData());
  if (!format || !format->isInteger() || !bytes)
    return std::nullopt;
  int64_t count = weight.getTensorType().getNumElements(),
          bits = format->bits();
  if (int64_t(bytes->size()) * 8 < count * bits)
    return std::nullopt;
  SmallVector<int32_t> values(count);
  for (int64_t i = 0; i < count; ++i) {
    uint32_t raw = 0;
    for (int64_t bit = 0; bit < bits; ++bit)
      raw |= uint32_t(uint8_t((*bytes)[(i * bits + bit) / 8]) >>
                          ((i * bits + bit) % 8) &
                      1)
             << bit;
    values[i] = format->integerValue(raw);
  }
  return values;
}
