//===- WeightParts.cpp - the parts of a weight, and their bytes -----------===//

#include "passes/Layout/WeightParts.h"

#include "lib/Layout/Panel.h"
#include "lib/Layout/Relayout.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace mezzo;

int64_t mezzo::rowsPerPanel(WeightOp weight) {
  Layout layout = weight.getPacked()->getLayout();
  return llvm::cantFail(panelFields(layout, weight.getFormat().bits()))
      .rowsPerPanel;
}

Extents mezzo::sourceExtents(WeightOp weight) {
  return {{'n', weight.getRows()},
          {'k', weight.getColumns()},
          {'b', weight.getFormat().bits()}};
}

Extents mezzo::packedExtents(WeightOp weight) {
  return {{'n', weight.getRows()},
          {'g', weight.getGroups()},
          {'k', *weight.getGroup()},
          {'b', weight.getFormat().bits()}};
}

SmallVector<WeightPart> mezzo::weightParts(WeightOp weight) {
  MLIRContext *context = weight.getContext();
  Type byte = IntegerType::get(context, 8);
  RankedTensorType type = weight.getTensorType();
  if (!weight.isQuantized() || !weight.getPacked()) {
    Type element = type.getElementType();
    // Codes outside products are read as bytes, flags as bytes too.
    if (isa<QType>(element) || element.isInteger(1))
      element = byte;
    return {{WeightPart::Plain, type.getNumElements(), element}};
  }
  BoundLayout packed = llvm::cantFail(
      weight.getPacked()->getLayout().bind(packedExtents(weight)));
  SmallVector<WeightPart> parts{{WeightPart::Codes, packed.totalBytes(), byte}};
  int64_t perGroup = llvm::alignTo(weight.getRows(), rowsPerPanel(weight)) *
                     weight.getGroups();
  parts.push_back(
      {WeightPart::Scales, perGroup, weight.getScales()->getElementType()});
  if (auto offsets = weight.getOffsets())
    parts.push_back({WeightPart::Offsets, perGroup, offsets->getElementType()});
  return parts;
}

namespace {

/// The raw bytes of a constant: a resource, or dense elements (which may be a
/// splat).
class ConstantBytes {
public:
  explicit ConstantBytes(ElementsAttr attr) {
    int64_t count = attr.getNumElements();
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr)) {
      if (AsmResourceBlob *blob = resource.getRawHandle().getBlob())
        view = ArrayRef<uint8_t>(
            reinterpret_cast<const uint8_t *>(blob->getData().data()),
            blob->getData().size());
      return;
    }
    auto dense = cast<DenseElementsAttr>(attr);
    Type element = attr.getElementType();
    ArrayRef<char> raw = dense.getRawData();
    if (element.isInteger(1)) { // packed bits: one byte each
      for (bool value : dense.getValues<bool>())
        copy.push_back(value);
      view = copy;
      return;
    }
    if (!dense.isSplat()) {
      view = ArrayRef<uint8_t>(reinterpret_cast<const uint8_t *>(raw.data()),
                               raw.size());
      return;
    }
    for (int64_t i = 0; i < count; ++i)
      copy.insert(copy.end(), raw.begin(), raw.end());
    view = copy;
  }
  ArrayRef<uint8_t> bytes() const { return view; }

private:
  ArrayRef<uint8_t> view;
  std::vector<uint8_t> copy;
};

llvm::Error missing(WeightOp weight, int64_t have, int64_t want) {
  return llvm::createStringError(
      "weight '" + weight.getSymName().str() + "' has " + std::to_string(have) +
      " bytes of data, but " + std::to_string(want) + " are needed");
}

/// Slices of whole panels of about this size: large enough to stream, small
/// enough to forget.
constexpr int64_t SliceBytes = int64_t(4) << 20;

llvm::Error writeCodes(WeightOp weight, int64_t offset, PartSink sink) {
  llvm::Expected<BoundLayout> from =
      weight.getLayout()->getLayout().bind(sourceExtents(weight));
  if (!from)
    return from.takeError();
  Extents extents = packedExtents(weight);
  BoundLayout to =
      llvm::cantFail(weight.getPacked()->getLayout().bind(extents));
  ConstantBytes source(weight.getData());
  if (int64_t(source.bytes().size()) < from->totalBytes())
    return missing(weight, source.bytes().size(), from->totalBytes());
  Format format = weight.getFormat();
  uint32_t flip = format.affine().flip;
  int64_t rows = extents[0].second, panel = rowsPerPanel(weight);
  int64_t perPanel = to.totalBytes() / llvm::divideCeil(rows, panel);
  int64_t step = std::max<int64_t>(1, SliceBytes / perPanel) * panel;
  std::vector<uint8_t> slice;
  for (int64_t row = 0; row < rows; row += step) {
    int64_t end = std::min(row + step, rows);
    slice.assign(llvm::divideCeil(end - row, panel) * perPanel, 0);
    if (llvm::Error error =
            relayoutRows(*from, source.bytes().take_front(from->totalBytes()),
                         to, slice, row, end, flip))
      return error;
    if (llvm::Error error = sink(offset, slice))
      return error;
    offset += slice.size();
  }
  return llvm::Error::success();
}

/// [N, G] to [panel][group][row]; rows beyond N are zero.
llvm::Error writePerGroup(WeightOp weight, ElementsAttr values, int64_t offset,
                          PartSink sink) {
  ConstantBytes source(values);
  int64_t size = values.getElementType().getIntOrFloatBitWidth() / 8;
  int64_t rows = weight.getRows(), groups = weight.getGroups(),
          panel = rowsPerPanel(weight);
  if (int64_t(source.bytes().size()) < rows * groups * size)
    return missing(weight, source.bytes().size(), rows * groups * size);
  std::vector<uint8_t> slice(groups * panel * size);
  for (int64_t first = 0; first < rows; first += panel) {
    std::fill(slice.begin(), slice.end(), 0);
    for (int64_t row = first; row < std::min(first + panel, rows); ++row)
      for (int64_t group = 0; group < groups; ++group)
        std::copy_n(source.bytes().data() + (row * groups + group) * size, size,
                    slice.data() + (group * panel + row - first) * size);
    if (llvm::Error error = sink(offset, slice))
      return error;
    offset += slice.size();
  }
  return llvm::Error::success();
}

/// Plain bytes as they are; plain codes one per byte.
llvm::Error writePlain(WeightOp weight, const WeightPart &part, int64_t offset,
                       PartSink sink) {
  ConstantBytes source(weight.getData());
  auto element = dyn_cast<QType>(weight.getTensorType().getElementType());
  if (!element) {
    if (int64_t(source.bytes().size()) < part.bytes())
      return missing(weight, source.bytes().size(), part.bytes());
    return sink(offset, source.bytes().take_front(part.bytes()));
  }
  unsigned bits = element.getNumberFormat().bits();
  int64_t packedBytes = (part.elements * bits + 7) / 8;
  if (int64_t(source.bytes().size()) < packedBytes)
    return missing(weight, source.bytes().size(), packedBytes);
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
    for (auto [part, offset] :
         llvm::zip_equal(weightParts(weight), *weight.getParts())) {
      llvm::Error error = llvm::Error::success();
      switch (part.kind) {
      case WeightPart::Plain:
        error = writePlain(weight, part, offset, sink);
        break;
      case WeightPart::Codes:
        error = writeCodes(weight, offset, sink);
        break;
      case WeightPart::Scales:
        error = writePerGroup(weight, *weight.getScales(), offset, sink);
        break;
      case WeightPart::Offsets:
        error = writePerGroup(weight, *weight.getOffsets(), offset, sink);
        break;
      }
      if (error)
        return error;
    }
  }
  return llvm::Error::success();
}
