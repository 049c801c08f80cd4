//===- PackedWriter.cpp - the bytes of a packed weight --------------------===//
//
// Codes are moved into the panels of a slice, and from there, with all that
// belongs to them, to the places that PanelRecord says.
//
//===----------------------------------------------------------------------===//

#include "passes/Layout/PackedWriter.h"

#include "lib/Layout/BoundLayout.h"
#include "lib/Layout/Relayout.h"
#include "passes/Layout/ConstantBytes.h"

#include <cstring>

using namespace mlir;
using namespace mezzo;

llvm::Error mezzo::missingBytes(WeightOp weight, int64_t have, int64_t want) {
  return llvm::createStringError(
      "weight '" + weight.getSymName().str() + "' has " + std::to_string(have) +
      " bytes of data, but " + std::to_string(want) + " are needed");
}

/// Ors the lowest `bits` bits of a number into the planes of its row group (see
/// PanelRecord), which begin at `to`.
static void writePlanes(uint8_t *to, unsigned number, unsigned bits,
                        unsigned row, unsigned rowsPerGroup) {
  for (unsigned width : planesOf(bits)) {
    unsigned bytes = rowsPerGroup * width / 8;
    unsigned field = number & ((1u << width) - 1);
    to[row % bytes] |= field << (row / bytes * width);
    to += bytes;
    number >>= width;
  }
}

namespace {

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

/// One of the arrays of a weight, with as many bytes as its type says.
class Part {
public:
  Part(WeightOp weight, ElementsAttr attr) : weight(weight), data(attr) {
    type = attr.getElementType();
    elementBytes = type.getIntOrFloatBitWidth() / 8;
    elements = attr.getNumElements();
  }
  llvm::Error check() const {
    int64_t have = data.bytes().size(), want = elements * elementBytes;
    return have < want ? missingBytes(weight, have, want)
                       : llvm::Error::success();
  }
  const uint8_t *at(int64_t index) const {
    return data.bytes().data() + index * elementBytes;
  }

  Type type;
  int64_t elementBytes, elements;

private:
  WeightOp weight;
  ConstantBytes data;
};

class PackedWriter {
public:
  explicit PackedWriter(WeightOp weight)
      : weight(weight), packed(weight), format(weight.getFormat()) {}

  llvm::Error write(int64_t offset, PartSink sink);

private:
  /// Rows [first, end), whole panels but perhaps the last.
  struct Slice {
    int64_t first, end;
  };

  llvm::Error openParts();
  void placeCodes(int64_t panels);
  void placeNumbers(const Part &part, Type stored, int64_t count, int64_t array,
                    Slice slice,
                    llvm::function_ref<int64_t(int64_t index)> place,
                    int64_t perRow, int64_t sharedBy);
  llvm::Error placeIntegerZeros(Slice slice);
  void placeTables(int64_t panels, Slice slice);
  void placeSums(Slice slice);
  int64_t sumOfCodes(const Format::Stored &stored, const uint8_t *record,
                     int64_t row, int64_t columns) const;

  /// Where something at byte offset `at` of a panel lies for a row of a slice.
  uint8_t *inPanel(int64_t row, Slice slice, int64_t at) {
    int64_t panel = (row - slice.first) / packed.panel.rowsPerPanel;
    return records.data() + panel * packed.record.panelBytes(packed.groups) +
           at;
  }

  /// The index of the weight's group that a record is, or is a piece of.
  int64_t groupOf(int64_t row, int64_t record) {
    return row * weight.getGroups() +
           record * packed.columns / *weight.getGroup();
  }

  WeightOp weight;
  PackedWeight packed;
  Format format;
  std::optional<Part> scales, offsets, superScales, superOffsets, codebook;
  std::vector<uint8_t> codes, records; ///< of one slice
};

llvm::Error PackedWriter::openParts() {
  auto open = [&](std::optional<Part> &part,
                  std::optional<ElementsAttr> attr) -> llvm::Error {
    if (!attr)
      return llvm::Error::success();
    part.emplace(weight, *attr);
    return part->check();
  };
  llvm::Error error = open(scales, weight.getScales());
  if (packed.offsetType)
    error =
        llvm::joinErrors(std::move(error), open(offsets, weight.getOffsets()));
  for (auto [part, attr] : {std::pair(&superScales, weight.getSuperScales()),
                            {&superOffsets, weight.getSuperOffsets()},
                            {&codebook, weight.getCodebook()}})
    error = llvm::joinErrors(std::move(error), open(*part, attr));
  return error;
}

void PackedWriter::placeCodes(int64_t panels) {
  int64_t codeBytes = packed.record.scales,
          panelBytes = packed.record.panelBytes(packed.groups);
  for (int64_t panel = 0; panel < panels; ++panel)
    for (int64_t group = 0; group < packed.groups; ++group)
      std::memcpy(records.data() + panel * panelBytes +
                      packed.record.recordAt(group),
                  codes.data() + (panel * packed.groups + group) * codeBytes,
                  codeBytes);
}

/// For every i < count, element [row, i / sharedBy] of `part`, of `perRow` in a
/// row, goes to byte `array` behind place(i) of its panel.
void PackedWriter::placeNumbers(
    const Part &part, Type stored, int64_t count, int64_t array, Slice slice,
    llvm::function_ref<int64_t(int64_t index)> place, int64_t perRow,
    int64_t sharedBy) {
  unsigned bits = stored.getIntOrFloatBitWidth(),
           rows = packed.panel.rowsPerGroup;
  for (int64_t row = slice.first; row < slice.end; ++row) {
    unsigned inGroup = row % rows;
    int64_t rowGroup = row % packed.panel.rowsPerPanel / rows;
    for (int64_t i = 0; i < count; ++i) {
      uint8_t *to =
          inPanel(row, slice, place(i) + array + rowGroup * (rows * bits / 8));
      const uint8_t *from = part.at(row * perRow + i / sharedBy);
      if (bits < 8)
        writePlanes(to, *from, bits, inGroup, rows);
      else
        std::memcpy(to + inGroup * part.elementBytes, from, part.elementBytes);
    }
  }
}

/// Integer zeros are stored less the offset of the format.
llvm::Error PackedWriter::placeIntegerZeros(Slice slice) {
  int64_t bytes = packed.offsetType.getIntOrFloatBitWidth() / 8;
  int32_t shift = format.stored().offset;
  int32_t low = bytes == 1 ? INT8_MIN : INT16_MIN,
          high = bytes == 1 ? INT8_MAX : INT16_MAX;
  for (int64_t row = slice.first; row < slice.end; ++row)
    for (int64_t group = 0; group < packed.groups; ++group) {
      int16_t zero;
      std::memcpy(&zero, offsets->at(groupOf(row, group)), sizeof zero);
      int32_t stored = zero - shift;
      if (stored < low || stored > high)
        return llvm::createStringError(
            "weight '" + weight.getSymName().str() + "' has the zero point " +
            std::to_string(zero) + ", which is no code of " + format.str() +
            "; quantize it again");
      int16_t value = stored; // little-endian: its first byte is an i8
      int64_t at = packed.record.recordAt(group) + packed.record.offsets +
                   row % packed.panel.rowsPerPanel * bytes;
      std::memcpy(inPanel(row, slice, at), &value, bytes);
    }
  return llvm::Error::success();
}

void PackedWriter::placeTables(int64_t panels, Slice slice) {
  int64_t entries = format.numCodes();
  if (packed.table == TableForm::FloatsPerRow) {
    for (int64_t row = slice.first; row < slice.end; ++row)
      std::memcpy(
          inPanel(row, slice, row % packed.panel.rowsPerPanel * entries * 4),
          codebook->at(row * entries), entries * 4);
    return;
  }
  for (int64_t panel = 0; panel < panels; ++panel) {
    uint8_t *to =
        inPanel(slice.first + panel * packed.panel.rowsPerPanel, slice, 0);
    if (packed.table == TableForm::Floats)
      std::memcpy(to, codebook->at(0), entries * 4);
    unsigned skipped = packed.table == TableForm::Halves ? 2 : 0;
    if (packed.table == TableForm::Halves || packed.table == TableForm::Bytes)
      for (int64_t entry = 0; entry < entries; ++entry)
        for (unsigned byte = skipped; byte < 4; ++byte)
          to[(byte - skipped) * LookupEntries + entry] =
              codebook->at(entry)[byte];
  }
}

/// The sum of the stored codes of a row in the first columns of a record, bit
/// by bit from where the panel's fields say they are.
int64_t PackedWriter::sumOfCodes(const Format::Stored &stored,
                                 const uint8_t *record, int64_t row,
                                 int64_t columns) const {
  const PanelFields &panel = packed.panel;
  int64_t sum = 0;
  for (int64_t column = 0; column < columns; ++column) {
    const uint8_t *lane =
        record + column / PanelFields::ColumnsPerStep * panel.stepBytes() +
        column % PanelFields::ColumnsPerStep +
        row % panel.rowsPerGroup * PanelFields::ColumnsPerStep;
    unsigned code = 0;
    for (const Field &field : panel.fields[row / panel.rowsPerGroup])
      code |= (lane[field.unit * PanelFields::VectorBytes] >> field.shift &
               ((1u << field.width) - 1))
              << field.codeBit;
    if (!stored.table.empty())
      code = stored.table[code];
    sum += stored.isSigned() ? int8_t(code) : int64_t(code);
  }
  return sum;
}

/// The sum of C(q) - z over each record of the slice; of C(q) where the zeros
/// are floats.
void PackedWriter::placeSums(Slice slice) {
  Format::Stored code =
      (codebook ? Format::codebook(readCodebook(weight)) : format).stored();
  bool hasZeros = offsets && packed.offsetType.isSignlessInteger();
  int64_t perPanel = packed.panel.rowsPerPanel;
  for (int64_t row = slice.first; row < slice.end; ++row)
    for (int64_t group = 0; group < packed.groups; ++group) {
      uint8_t *record = inPanel(row, slice, packed.record.recordAt(group));
      int64_t zero = packed.zero;
      if (hasZeros) {
        int16_t stored;
        std::memcpy(&stored, offsets->at(groupOf(row, group)), sizeof stored);
        zero = stored;
      }
      int64_t length = std::min(packed.columns,
                                weight.getColumns() - group * packed.columns);
      int32_t sum =
          code.scale * sumOfCodes(code, record, row % perPanel, length) +
          (code.offset - zero) * length;
      std::memcpy(record + packed.record.sums + row % perPanel * sizeof sum,
                  &sum, sizeof sum);
    }
}

llvm::Error PackedWriter::write(int64_t offset, PartSink sink) {
  int64_t rows = weight.getRows(), bits = format.bits();
  llvm::Expected<BoundLayout> from = weight.getLayout()->getLayout().bind(
      {{'n', rows}, {'k', weight.getColumns()}, {'b', bits}});
  if (!from)
    return from.takeError();
  BoundLayout to = llvm::cantFail(weight.getPacked()->getLayout().bind(
      {{'n', rows}, {'g', packed.groups}, {'k', packed.columns}, {'b', bits}}));
  ConstantBytes source(weight.getData());
  if (int64_t(source.bytes().size()) < int64_t(from->totalBytes()))
    return missingBytes(weight, source.bytes().size(), from->totalBytes());
  if (llvm::Error error = openParts())
    return error;
  std::vector<int32_t> order;
  if (weight.getUnsorted())
    order = readOrder(*weight.getPermutation());
  // Indices are of the format's own planes, and tables have an entry for every
  // raw code.
  bool flips = format.isInteger() && !packed.panel.holdsIndices();
  uint32_t flip = flips ? format.stored().flip : 0;
  const PanelRecord &record = packed.record;
  int64_t perPanel = packed.panel.rowsPerPanel,
          panelBytes = record.panelBytes(packed.groups);
  int64_t slicePanels = std::max<int64_t>(1, SliceBytes / panelBytes);
  auto inRecord = [&](int64_t group) { return record.recordAt(group); };
  auto inHead = [&](int64_t super) { return record.headAt(super); };
  int64_t supers = record.superGroups
                       ? llvm::divideCeil(packed.groups, record.superGroups)
                       : 1;
  for (int64_t row = 0; row < rows; row += slicePanels * perPanel) {
    Slice slice{row, std::min(row + slicePanels * perPanel, rows)};
    int64_t panels = llvm::divideCeil(slice.end - row, perPanel);
    codes.assign(panels * packed.groups * record.scales, 0);
    ArrayRef<uint8_t> in = source.bytes().take_front(from->totalBytes());
    if (llvm::Error error =
            order.empty()
                ? relayoutRows(*from, in, to, codes, row, slice.end, flip)
                : relayoutRowsSorted(*from, in, order, to, codes, row,
                                     slice.end, flip))
      return error;
    records.assign(panels * panelBytes, 0);
    placeCodes(panels);
    int64_t groups = weight.getGroups(),
            pieces = llvm::divideCeil(*weight.getGroup(), packed.columns);
    placeNumbers(*scales, packed.scaleType, packed.groups, record.scales, slice,
                 inRecord, groups, pieces);
    if (superScales)
      placeNumbers(*superScales, packed.superScaleType, supers, 0, slice,
                   inHead, supers, 1);
    if (superOffsets)
      placeNumbers(*superOffsets, packed.superOffsetType, supers,
                   record.superOffsets, slice, inHead, supers, 1);
    if (offsets && packed.offsetType.isSignlessInteger()) {
      if (llvm::Error error = placeIntegerZeros(slice))
        return error;
    } else if (offsets) {
      placeNumbers(*offsets, packed.offsetType, packed.groups, record.offsets,
                   slice, inRecord, groups, pieces);
    }
    placeTables(panels, slice);
    if (weight.getSums())
      placeSums(slice);
    if (llvm::Error error = sink(offset, records))
      return error;
    offset += records.size();
  }
  return llvm::Error::success();
}

} // namespace

llvm::Error mezzo::writePacked(WeightOp weight, int64_t offset, PartSink sink) {
  return PackedWriter(weight).write(offset, sink);
}
