//===- Panel.cpp - How a kernel reads a panel of packed weights -----------===//

#include "lib/Layout/Panel.h"
#include "lib/Layout/Detail.h"
#include "lib/Layout/PanelRows.h"

using namespace llvm;
using namespace mezzo;
using namespace mezzo::layout_detail;

constexpr unsigned RowsPerGroup = 8;

Expected<int64_t> layout_detail::panelRows(const Layout &layout,
                                           unsigned multiple) {
  int64_t rows = 0;
  for (const Piece &piece : layout.pieces())
    for (const Space &space : piece.spaces)
      for (const Digit &d : space.digits) {
        if (d.isSwizzled() || space.positional != 2)
          return error("not a panel: it has swizzles or positional digits");
        if (d.axis == 'k' && d.isRest() &&
            d.stride != PanelFields::ColumnsPerStep)
          return error("not a panel: steps must be counted by k@4:*, not k@" +
                       Twine(d.stride) + ":*");
        if (d.axis == 'n' && d.isRest())
          rows = rows && rows != d.stride ? -1 : d.stride;
      }
  if (rows <= 0 || rows % multiple != 0 || rows > 4096)
    return error("not a panel: the last digit of n must be n@R:*, R a multiple "
                 "of " +
                 Twine(multiple) + " and equal in all pieces");
  for (const Piece &piece : layout.pieces())
    for (const Condition &c : piece.conditions)
      if (c.axis != 'b' && (c.axis != 'n' || c.radix == Digit::Rest ||
                            c.stride > rows || c.radix > rows / c.stride))
        return error("not a panel: a piece has conditions beyond " +
                     Twine(rows) + " rows");
  return rows;
}

Expected<StepAddresses> StepAddresses::get(const Layout &layout, int64_t rows,
                                           unsigned bits) {
  StepAddresses steps;
  steps.grouped = layout.mentions('g');
  Extents extents = {{'n', 2 * rows}};
  if (steps.grouped)
    extents.push_back({'g', 1});
  extents.push_back({'k', 2 * PanelFields::ColumnsPerStep});
  extents.push_back({'b', bits});
  Expected<BoundLayout> bound = layout.bind(extents);
  if (!bound)
    return bound.takeError();
  steps.bound = std::move(*bound);
  return steps;
}

PanelRecord mezzo::panelRecord(const PanelFields &panel,
                               const RecordParts &parts) {
  // Panels have multiples of eight rows, so bits for each row are bytes.
  auto perRow = [&](int64_t bits) { return panel.rowsPerPanel * bits / 8; };
  PanelRecord record;
  record.steps = divideCeil(parts.group, int64_t(PanelFields::ColumnsPerStep));
  record.scales = record.steps * panel.stepBytes();
  record.offsets = record.scales + perRow(parts.scaleBits);
  record.sums = record.offsets + perRow(parts.offsetBits);
  record.bytes = alignTo(record.sums + perRow(parts.hasSums ? 32 : 0),
                         PanelRecord::Alignment);
  if (parts.offsetBits == 0)
    record.offsets = record.bytes;
  if (!parts.hasSums)
    record.sums = record.bytes;
  record.superGroups = parts.superGroups;
  record.superOffsets = perRow(parts.superScaleBits);
  record.headBytes =
      alignTo(record.superOffsets + perRow(parts.superOffsetBits),
              PanelRecord::Alignment);
  record.tableBytes = alignTo(parts.tableBytes, PanelRecord::Alignment);
  return record;
}

int64_t PanelRecord::panelBytes(int64_t groups) const {
  int64_t heads = superGroups ? divideCeil(groups, superGroups) : 1;
  return tableBytes + heads * headBytes + groups * bytes;
}

int64_t PanelRecord::recordAt(int64_t group) const {
  int64_t heads = superGroups ? group / superGroups + 1 : 1;
  return tableBytes + heads * headBytes + group * bytes;
}

int64_t PanelRecord::headAt(int64_t super) const {
  return tableBytes + super * (headBytes + superGroups * bytes);
}

SmallVector<unsigned, 3> mezzo::planesOf(unsigned bits) {
  SmallVector<unsigned, 3> widths;
  for (unsigned width = 8; width >= 1; width /= 2)
    if (bits & width)
      widths.push_back(width);
  return widths;
}

Expected<PanelFields> mezzo::panelFields(const Layout &layout, unsigned bits) {
  constexpr int64_t Rows = RowsPerGroup, Columns = PanelFields::ColumnsPerStep,
                    VectorBits = 8 * PanelFields::VectorBytes;
  if (bits < 1 || bits > 8)
    return error("a panel holds codes of 1 to 8 bits, not " + Twine(bits));
  Expected<int64_t> shape = panelRows(layout, Rows);
  if (!shape)
    return shape.takeError();
  int64_t rows = *shape;
  Expected<StepAddresses> steps = StepAddresses::get(layout, rows, bits);
  if (!steps)
    return steps.takeError();
  const StepAddresses &address = *steps;

  PanelFields panel = {bits, unsigned(rows), RowsPerGroup, 0, {}, {}};
  for (int64_t group = 0; group < rows / Rows; ++group) {
    SmallVector<Field, 3> &fields = panel.fields.emplace_back();
    for (unsigned b = 0; b < bits; ++b) {
      int64_t at = address(group * Rows, 0, b);
      if (at < 0 || at % VectorBits >= 8 || at / VectorBits >= 64)
        return error("not a panel: bit " + Twine(b) + " of row " +
                     Twine(group * Rows) + " lies at bit " + Twine(at) +
                     ", not in the first byte of a 32-byte vector");
      Field f = {unsigned(at / VectorBits), unsigned(at % VectorBits), 1, b};
      panel.vectorsPerStep = std::max(panel.vectorsPerStep, f.unit + 1);
      Field *last = fields.empty() ? nullptr : &fields.back();
      if (last && last->unit == f.unit && last->shift + last->width == f.shift)
        ++last->width;
      else
        fields.push_back(f);
    }
  }

  int64_t step = panel.vectorsPerStep * VectorBits;
  for (int64_t n = 0; n < 2 * rows; ++n)
    for (int64_t k = 0; k < 2 * Columns; ++k)
      for (unsigned b = 0; b < bits; ++b) {
        int64_t expected = address(n % rows / Rows * Rows, 0, b) +
                           n / rows * 2 * step + k / Columns * step +
                           8 * (k % Columns + Columns * (n % Rows));
        if (address(n, k, b) != expected)
          return error("not a panel: bit " + Twine(b) +
                       " of the code at n=" + Twine(n) + ", k=" + Twine(k) +
                       " lies at bit " + Twine(address(n, k, b)) +
                       " instead of " + Twine(expected) +
                       "; byte k + 4*(n mod 8) of its vector "
                       "is wanted");
      }
  return panel;
}
