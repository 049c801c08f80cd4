//===- WeightParts.cpp - the parts of a weight, and their bytes -----------===//

#include "passes/Layout/WeightParts.h"

#include "lib/Layout/BoundLayout.h"
#include "lib/Layout/Relayout.h"
#include "lib/Support/FileOpen.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include <cstring>

using namespace mlir;
using namespace mezzo;

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
  /// Pages of the model's file that have been packed are not kept.
  ~ConstantBytes() { forgetPages(view); }
  ConstantBytes(const ConstantBytes &) = delete;

private:
  ArrayRef<uint8_t> view;
  std::vector<uint8_t> copy;
};

} // namespace

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

PackedWeight::PackedWeight(WeightOp weight)
    : groups(llvm::divideCeil(weight.getColumns(), weight.getRecordColumns())),
      columns(weight.getRecordColumns()) {
  Format format = weight.getFormat();
  panel = llvm::cantFail(
      fieldsOfAnyPanel(weight.getPacked()->getLayout(), format.bits()));
  scaleType = weight.getScales()->getElementType();
  if (auto offsets = weight.getOffsets()) {
    if (std::optional<int64_t> common = commonZero(*offsets))
      zero = *common;
    else
      offsetType = storedOffsetType(offsets->getElementType(), format);
  }
  auto bytesOf = [](Type type) {
    return type ? type.getIntOrFloatBitWidth() / 8 : 0;
  };
  record = panelRecord(panel, columns, bytesOf(scaleType), bytesOf(offsetType),
                       weight.getSums());
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

llvm::Error missing(WeightOp weight, int64_t have, int64_t want) {
  return llvm::createStringError(
      "weight '" + weight.getSymName().str() + "' has " + std::to_string(have) +
      " bytes of data, but " + std::to_string(want) + " are needed");
}

/// Slices of whole panels of about this size: large enough to stream, small
/// enough to forget.
constexpr int64_t SliceBytes = int64_t(4) << 20;

/// The permutation of an unsorted weight.
std::vector<int32_t> readOrder(ElementsAttr permutation) {
  ConstantBytes bytes(permutation);
  std::vector<int32_t> order(bytes.bytes().size() / sizeof(int32_t));
  std::memcpy(order.data(), bytes.bytes().data(),
              order.size() * sizeof(int32_t));
  return order;
}

/// Writes a packed weight slice by slice: codes are moved into the panels of a
/// slice, and from there, with scales and offsets, into its records.
class PackedWriter {
public:
  PackedWriter(WeightOp weight) : weight(weight), packed(weight) {}

  llvm::Error write(int64_t offset, PartSink sink);

private:
  template <typename Convert>
  void fillPerRow(ArrayRef<uint8_t> source, int64_t sourceBytes, int64_t array,
                  int64_t bytes, int64_t firstRow, int64_t panels,
                  Convert convert);
  llvm::Error fillOffsets(ArrayRef<uint8_t> source, int64_t firstRow,
                          int64_t panels);
  void fillSums(ArrayRef<uint8_t> zeros, int64_t firstRow, int64_t panels);
  int64_t sumOfCodes(const uint8_t *record, int64_t row, bool isSigned) const;

  WeightOp weight;
  PackedWeight packed;
  std::vector<uint8_t> codes, records; ///< of one slice
};

/// Puts element [row, group] of `source` into the records, through `convert`,
/// which copies one element; into those of all pieces of a group.
template <typename Convert>
void PackedWriter::fillPerRow(ArrayRef<uint8_t> source, int64_t sourceBytes,
                              int64_t array, int64_t bytes, int64_t firstRow,
                              int64_t panels, Convert convert) {
  int64_t perPanel = packed.panel.rowsPerPanel, groups = packed.groups;
  int64_t end = std::min(firstRow + panels * perPanel, weight.getRows());
  for (int64_t row = firstRow; row < end; ++row) {
    int64_t panel = (row - firstRow) / perPanel;
    uint8_t *to = records.data() + panel * groups * packed.record.bytes +
                  array + row % perPanel * bytes;
    const uint8_t *from =
        source.data() + row * weight.getGroups() * sourceBytes;
    for (int64_t group = 0; group < groups; ++group)
      convert(to + group * packed.record.bytes,
              from + group * packed.columns / *weight.getGroup() * sourceBytes);
  }
}

/// The sum of the stored codes of a row in one record, bit by bit from where
/// the panel's fields say they are. Columns that pad it are codes of 0.
int64_t PackedWriter::sumOfCodes(const uint8_t *record, int64_t row,
                                 bool isSigned) const {
  const PanelFields &panel = packed.panel;
  int64_t sum = 0;
  for (int64_t step = 0; step < packed.record.steps; ++step)
    for (int64_t column = 0; column < PanelFields::ColumnsPerStep; ++column) {
      unsigned code = 0;
      for (const Field &field : panel.fields[row / panel.rowsPerGroup]) {
        uint8_t byte =
            record[step * panel.stepBytes() +
                   field.unit * PanelFields::VectorBytes + column +
                   row % panel.rowsPerGroup * PanelFields::ColumnsPerStep];
        code |= (byte >> field.shift & ((1u << field.width) - 1))
                << field.codeBit;
      }
      sum += isSigned ? int8_t(code) : int64_t(code);
    }
  return sum;
}

/// The sum of C(q) - z over each record of the slice; of C(q) where the zeros
/// are floats. `zeros` are the integer ones, or none.
void PackedWriter::fillSums(ArrayRef<uint8_t> zeros, int64_t firstRow,
                            int64_t panels) {
  Format::Stored code = weight.getFormat().stored();
  int64_t perPanel = packed.panel.rowsPerPanel;
  int64_t end = std::min(firstRow + panels * perPanel, weight.getRows());
  for (int64_t row = firstRow; row < end; ++row)
    for (int64_t group = 0; group < packed.groups; ++group) {
      int64_t first = group * packed.columns;
      uint8_t *record = records.data() +
                        ((row - firstRow) / perPanel * packed.groups + group) *
                            packed.record.bytes;
      int64_t zero = packed.zero;
      if (!zeros.empty()) {
        int16_t stored;
        std::memcpy(&stored,
                    zeros.data() + (row * weight.getGroups() +
                                    first / *weight.getGroup()) *
                                       sizeof stored,
                    sizeof stored);
        zero = stored;
      }
      int64_t length = std::min(packed.columns, weight.getColumns() - first);
      int32_t sum =
          code.scale * sumOfCodes(record, row % perPanel, code.isSigned()) +
          (code.offset - zero) * length;
      std::memcpy(record + packed.record.sums + row % perPanel * sizeof sum,
                  &sum, sizeof sum);
    }
}

/// Integer zeros are stored less the offset of the format.
llvm::Error PackedWriter::fillOffsets(ArrayRef<uint8_t> source,
                                      int64_t firstRow, int64_t panels) {
  int64_t bytes = packed.offsetType.getIntOrFloatBitWidth() / 8;
  if (!packed.offsetType.isInteger()) {
    fillPerRow(source, bytes, packed.record.offsets, bytes, firstRow, panels,
               [&](uint8_t *to, const uint8_t *from) {
                 std::memcpy(to, from, bytes);
               });
    return llvm::Error::success();
  }
  int32_t shift = weight.getFormat().stored().offset;
  int32_t low = bytes == 1 ? INT8_MIN : INT16_MIN,
          high = bytes == 1 ? INT8_MAX : INT16_MAX;
  std::optional<int32_t> outside;
  fillPerRow(source, sizeof(int16_t), packed.record.offsets, bytes, firstRow,
             panels, [&](uint8_t *to, const uint8_t *from) {
               int16_t zero;
               std::memcpy(&zero, from, sizeof zero);
               int32_t stored = zero - shift;
               if (stored < low || stored > high)
                 outside = zero;
               int16_t value = stored; // little-endian: its first byte is an i8
               std::memcpy(to, &value, bytes);
             });
  if (outside)
    return llvm::createStringError(
        "weight '" + weight.getSymName().str() + "' has the zero point " +
        std::to_string(*outside) + ", which is no code of " +
        weight.getFormat().str() + "; quantize it again");
  return llvm::Error::success();
}

llvm::Error PackedWriter::write(int64_t offset, PartSink sink) {
  int64_t rows = weight.getRows(), bits = weight.getFormat().bits();
  llvm::Expected<BoundLayout> from = weight.getLayout()->getLayout().bind(
      {{'n', rows}, {'k', weight.getColumns()}, {'b', bits}});
  if (!from)
    return from.takeError();
  BoundLayout to = llvm::cantFail(weight.getPacked()->getLayout().bind(
      {{'n', rows}, {'g', packed.groups}, {'k', packed.columns}, {'b', bits}}));
  ConstantBytes source(weight.getData()), scales(*weight.getScales());
  std::optional<ConstantBytes> offsets;
  if (packed.offsetType)
    offsets.emplace(*weight.getOffsets());
  int64_t perRow = rows * weight.getGroups(),
          scaleBytes = packed.scaleType.getIntOrFloatBitWidth() / 8;
  auto check = [&](const ConstantBytes &part, int64_t want) -> llvm::Error {
    if (int64_t(part.bytes().size()) < want)
      return missing(weight, part.bytes().size(), want);
    return llvm::Error::success();
  };
  if (llvm::Error error = check(source, from->totalBytes()))
    return error;
  if (llvm::Error error = check(scales, perRow * scaleBytes))
    return error;
  if (offsets)
    if (llvm::Error error =
            check(*offsets, perRow * int64_t(weight.getOffsets()
                                                 ->getElementType()
                                                 .getIntOrFloatBitWidth() /
                                             8)))
      return error;

  std::vector<int32_t> order;
  if (weight.getUnsorted())
    order = readOrder(*weight.getPermutation());
  // Indices are of the format's own planes.
  uint32_t flip =
      packed.panel.holdsIndices() ? 0 : weight.getFormat().stored().flip;
  int64_t perPanel = packed.panel.rowsPerPanel,
          codeBytes = packed.record.scales,
          panelBytes = packed.groups * packed.record.bytes;
  int64_t slicePanels = std::max<int64_t>(1, SliceBytes / panelBytes);
  for (int64_t row = 0; row < rows; row += slicePanels * perPanel) {
    int64_t end = std::min(row + slicePanels * perPanel, rows);
    int64_t panels = llvm::divideCeil(end - row, perPanel);
    codes.assign(panels * packed.groups * codeBytes, 0);
    ArrayRef<uint8_t> in = source.bytes().take_front(from->totalBytes());
    if (llvm::Error error =
            order.empty() ? relayoutRows(*from, in, to, codes, row, end, flip)
                          : relayoutRowsSorted(*from, in, order, to, codes, row,
                                               end, flip))
      return error;
    records.assign(panels * panelBytes, 0);
    for (int64_t record = 0; record < panels * packed.groups; ++record)
      std::memcpy(records.data() + record * packed.record.bytes,
                  codes.data() + record * codeBytes, codeBytes);
    fillPerRow(scales.bytes(), scaleBytes, packed.record.scales, scaleBytes,
               row, panels, [&](uint8_t *to, const uint8_t *from) {
                 std::memcpy(to, from, scaleBytes);
               });
    if (offsets)
      if (llvm::Error error = fillOffsets(offsets->bytes(), row, panels))
        return error;
    if (weight.getSums()) {
      bool integers = offsets && packed.offsetType.isInteger();
      fillSums(integers ? offsets->bytes() : ArrayRef<uint8_t>(), row, panels);
    }
    if (llvm::Error error = sink(offset, records))
      return error;
    offset += records.size();
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
    WeightPart part = weightPart(weight);
    int64_t offset = *weight.getPlace();
    if (llvm::Error error = part.kind == WeightPart::Packed
                                ? PackedWriter(weight).write(offset, sink)
                                : writePlain(weight, part, offset, sink))
      return error;
  }
  return llvm::Error::success();
}
