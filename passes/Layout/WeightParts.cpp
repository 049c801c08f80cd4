//===- WeightParts.cpp - the parts of a weight, and their bytes -----------===//

#include "passes/Layout/WeightParts.h"

#include "passes/Layout/ConstantBytes.h"
#include "passes/Layout/PackedWriter.h"

#include "mlir/IR/BuiltinOps.h"

#include <cstring>

using namespace mlir;
using namespace mezzo;

/// How offsets of type `source` of a format are stored.
static Type storedOffsetType(Type source, const Format &format) {
  if (!source.isInteger())
    return source;
  Format::Stored code = format.stored();
  bool fits = format.minValue() - code.offset >= INT8_MIN &&
              format.maxValue() - code.offset <= INT8_MAX;
  return IntegerType::get(source.getContext(), fits ? 8 : 16);
}

/// The one value that integer zero points have, if it is one.
static std::optional<int64_t> commonZero(ElementsAttr zeros) {
  if (!zeros.getElementType().isInteger(16))
    return std::nullopt;
  if (auto splat = dyn_cast<SplatElementsAttr>(zeros))
    return splat.getSplatValue<APInt>().getSExtValue();
  ConstantBytes data(zeros);
  size_t count = zeros.getNumElements();
  if (count == 0 || data.bytes().size() < count * sizeof(int16_t))
    return std::nullopt;
  auto at = [&](size_t index) {
    int16_t value;
    std::memcpy(&value, data.bytes().data() + index * sizeof value,
                sizeof value);
    return value;
  };
  int16_t first = at(0);
  for (size_t index = 1; index < count; ++index)
    if (at(index) != first)
      return std::nullopt;
  return first;
}

/// The type in which numbers of an array are stored: integers that have a sign,
/// or none, with the bits that the spec gives them.
static Type storedNumberType(ElementsAttr numbers, const ScaleType &spec) {
  auto integer = dyn_cast<IntegerType>(numbers.getElementType());
  if (!integer || integer.isSignless())
    return numbers.getElementType();
  return IntegerType::get(numbers.getContext(), spec.bits,
                          integer.getSignedness());
}

/// Whether f32 entries are their upper halves.
static bool areHalves(ElementsAttr entries) {
  ConstantBytes data(entries);
  for (size_t at = 0; at + 4 <= data.bytes().size(); at += 4)
    if (data.bytes()[at] || data.bytes()[at + 1])
      return false;
  return true;
}

/// Tables of sixteen entries or less, the same for all rows, are looked up
/// byte by byte.
static TableForm tableForm(ElementsAttr codebook, const Format &format) {
  if (codebook.getShapedType().getRank() == 2)
    return TableForm::FloatsPerRow;
  if (format.bits() > 4)
    return TableForm::Floats;
  return areHalves(codebook) ? TableForm::Halves : TableForm::Bytes;
}

std::vector<float> mezzo::readCodebook(WeightOp weight) {
  ConstantBytes data(*weight.getCodebook());
  std::vector<float> entries(data.bytes().size() / sizeof(float));
  std::memcpy(entries.data(), data.bytes().data(),
              entries.size() * sizeof(float));
  return entries;
}

int64_t mezzo::tableBytes(TableForm form, int64_t entries, int64_t rows) {
  switch (form) {
  case TableForm::None:
    return 0;
  case TableForm::Halves:
    return 2 * LookupEntries;
  case TableForm::Bytes:
    return 4 * LookupEntries;
  case TableForm::Floats:
    return 4 * entries;
  case TableForm::FloatsPerRow:
    return 4 * entries * rows;
  }
  llvm_unreachable("unknown form of a table");
}

PackedWeight::PackedWeight(WeightOp weight)
    : groups(llvm::divideCeil(weight.getColumns(), weight.getRecordColumns())),
      columns(weight.getRecordColumns()) {
  Format format = weight.getFormat();
  QuantSpec spec = llvm::cantFail(QuantSpec::parse(*weight.getSpec()));
  panel = llvm::cantFail(
      fieldsOfAnyPanel(weight.getPacked()->getLayout(), format.bits()));
  scaleType = storedNumberType(*weight.getScales(), spec.scale.type);
  minima = spec.offset.kind == OffsetSpec::Kind::Minimum;
  if (auto offsets = weight.getOffsets()) {
    if (minima)
      offsetType = storedNumberType(*offsets, spec.offset.minimum.type);
    else if (std::optional<int64_t> common = commonZero(*offsets))
      zero = *common;
    else
      offsetType = storedOffsetType(offsets->getElementType(), format);
  }
  if (auto supers = weight.getSuperScales())
    superScaleType = supers->getElementType();
  if (auto supers = weight.getSuperOffsets())
    superOffsetType = supers->getElementType();
  super = weight.getSuper().value_or(0);
  if (auto codebook = weight.getCodebook())
    table = tableForm(*codebook, format);
  auto bits = [](Type type) {
    return type ? int64_t(type.getIntOrFloatBitWidth()) : 0;
  };
  record = panelRecord(
      panel, {columns, bits(scaleType), bits(offsetType), bits(superScaleType),
              bits(superOffsetType), super / columns,
              tableBytes(table, format.numCodes(), panel.rowsPerPanel),
              weight.getSums()});
  panels = llvm::divideCeil(weight.getRows(), panel.rowsPerPanel);
}

WeightPart mezzo::weightPart(WeightOp weight) {
  Type byte = IntegerType::get(weight.getContext(), 8);
  RankedTensorType type = weight.getTensorType();
  if (weight.isQuantized() && weight.getPacked())
    return {WeightPart::Packed, PackedWeight(weight).bytes(), byte};
  Type element = type.getElementType();
  // Codes outside products are read as bytes, flags as bytes too.
  if (isa<QType>(element) || element.isInteger(1))
    element = byte;
  return {WeightPart::Plain, type.getNumElements(), element};
}

namespace {

/// Plain bytes as they are; plain codes one per byte.
llvm::Error writePlain(WeightOp weight, const WeightPart &part, int64_t offset,
                       PartSink sink) {
  ConstantBytes source(weight.getData());
  auto element = dyn_cast<QType>(weight.getTensorType().getElementType());
  if (!element) {
    if (int64_t(source.bytes().size()) < part.bytes())
      return missingBytes(weight, source.bytes().size(), part.bytes());
    return sink(offset, source.bytes().take_front(part.bytes()));
  }
  unsigned bits = element.getNumberFormat().bits();
  int64_t packedBytes = (part.elements * bits + 7) / 8;
  if (int64_t(source.bytes().size()) < packedBytes)
    return missingBytes(weight, source.bytes().size(), packedBytes);
  bool isSigned = element.getNumberFormat().affine().offset < 0;
  std::vector<uint8_t> codes(part.elements);
  for (int64_t i = 0; i < part.elements; ++i) {
    unsigned value = 0;
    for (unsigned bit = 0; bit < bits; ++bit)
      value |=
          (source.bytes()[(i * bits + bit) / 8] >> ((i * bits + bit) % 8) & 1u)
          << bit;
    if (isSigned &&
        value >> (bits - 1)) // sign-extended, as every int8 tensor is
      value |= 0xffu << bits;
    codes[i] = value;
  }
  return sink(offset, codes);
}

} // namespace

llvm::Error mezzo::writeWeights(ModuleOp module, PartSink sink) {
  for (WeightOp weight : module.getOps<WeightOp>()) {
    WeightPart part = weightPart(weight);
    int64_t offset = *weight.getPlace();
    if (llvm::Error error = part.kind == WeightPart::Packed
                                ? writePacked(weight, offset, sink)
                                : writePlain(weight, part, offset, sink))
      return error;
  }
  return llvm::Error::success();
}
