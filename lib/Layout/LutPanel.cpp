//===- LutPanel.cpp - How a kernel reads a panel of table indices ---------===//

#include "lib/Layout/LutPanel.h"
#include "lib/Layout/Detail.h"
#include "lib/Layout/PanelRows.h"

using namespace llvm;
using namespace mezzo;
using namespace mezzo::layout_detail;

namespace {

constexpr int64_t LaneRows = PanelFields::VectorBytes / 2;
constexpr int64_t Columns = PanelFields::ColumnsPerStep;
constexpr int64_t VectorBits = 8 * PanelFields::VectorBytes;

/// Finds the fields of row groups, sixteen rows after the other.
class Finder {
public:
  Finder(const StepAddresses &address, int64_t rows, unsigned bits)
      : address(address), rows(rows), bits(bits) {}

  Expected<PanelFields> run();

private:
  using Planes = decltype(PanelFields::planes);

  Error addPlane(unsigned group, unsigned half, unsigned plane, Planes &planes);
  bool isShared() const;
  Error checkPositions() const;
  int64_t first(int64_t row, unsigned plane) const {
    return address(row / LaneRows * LaneRows, 0, plane);
  }

  const StepAddresses &address;
  int64_t rows;
  unsigned bits;
  PanelFields panel;
};

} // namespace

/// Whether a pair of bytes of some vector belongs to two groups of sixteen
/// rows.
bool Finder::isShared() const {
  for (unsigned b = 0; b < bits && rows > LaneRows; ++b)
    for (unsigned other = 0; other < bits; ++other)
      if (first(0, b) / 16 == first(LaneRows, other) / 16 &&
          first(0, b) % 8 == first(LaneRows, other) % 8)
        return true;
  return false;
}

/// Notes where a plane of sixteen rows lies: in a field that its group has
/// already, or in a new one.
Error Finder::addPlane(unsigned group, unsigned half, unsigned plane,
                       Planes &planes) {
  int64_t row = int64_t(group) * panel.rowsPerGroup + half * LaneRows;
  int64_t at = first(row, plane);
  if (at < 0 || at % VectorBits >= 16 || at % Columns != 0 ||
      at / VectorBits >= 64)
    return error(
        "not a panel of indices: bit " + Twine(plane) + " of row " +
        Twine(row) + " lies at bit " + Twine(at) +
        ", not in a nibble of the first two bytes of a 32-byte vector");
  Field field = {unsigned(at / VectorBits), unsigned(at % 8), unsigned(Columns),
                 plane};
  panel.vectorsPerStep = std::max(panel.vectorsPerStep, field.unit + 1);
  auto &fields = panel.fields[group];
  auto *known = find_if(fields, [&](const Field &f) {
    return f.unit == field.unit && f.shift == field.shift;
  });
  size_t index = known - fields.begin();
  if (known == fields.end()) {
    fields.push_back(field);
    planes.push_back({PlaneByte{bits, 0}, PlaneByte{bits, 0}});
  }
  planes[index][at % 16 / 8] = {plane, half};
  return Error::success();
}

Error Finder::checkPositions() const {
  int64_t step = panel.vectorsPerStep * VectorBits;
  for (int64_t n = 0; n < 2 * rows; ++n)
    for (int64_t k = 0; k < 2 * Columns; ++k)
      for (unsigned b = 0; b < bits; ++b) {
        int64_t expected = first(n % rows, b) + n / rows * 2 * step +
                           k / Columns * step + k % Columns +
                           16 * (n % LaneRows);
        if (address(n, k, b) != expected)
          return error("not a panel of indices: bit " + Twine(b) +
                       " of the code at n=" + Twine(n) + ", k=" + Twine(k) +
                       " lies at bit " + Twine(address(n, k, b)) +
                       " instead of " + Twine(expected) +
                       "; bit k mod 4 of a nibble of the 16-bit lane n mod 16 "
                       "is wanted");
      }
  return Error::success();
}

Expected<PanelFields> Finder::run() {
  panel = {bits, unsigned(rows), unsigned(LaneRows), 0, {}, {}};
  if (isShared())
    panel.rowsPerGroup = 2 * LaneRows;
  if (rows % panel.rowsPerGroup != 0)
    return error("not a panel of indices: " + Twine(rows) +
                 " rows are no row groups of " + Twine(panel.rowsPerGroup));
  unsigned groups = rows / panel.rowsPerGroup,
           halves = panel.rowsPerGroup / LaneRows;
  panel.fields.resize(groups);
  for (unsigned group = 0; group < groups; ++group) {
    Planes planes;
    for (unsigned half = 0; half < halves; ++half)
      for (unsigned b = 0; b < bits; ++b)
        if (Error problem = addPlane(group, half, b, planes))
          return std::move(problem);
    for (const auto &pair : planes)
      for (PlaneByte byte : pair)
        if (byte.plane == bits)
          return error("not a panel of indices: a plane of row group " +
                       Twine(group) + " has no other beside it in its lanes");
    if (group == 0)
      panel.planes = planes;
    else if (panel.planes != planes)
      return error("not a panel of indices: the planes of row group " +
                   Twine(group) + " lie unlike those of row group 0");
  }
  if (Error problem = checkPositions())
    return std::move(problem);
  return std::move(panel);
}

Expected<PanelFields> mezzo::lutFields(const Layout &layout, unsigned bits) {
  if (bits < 1 || bits > MostLutBits)
    return error("a panel of indices holds codes of 1 to " +
                 Twine(MostLutBits) + " bits, not " + Twine(bits));
  Expected<int64_t> rows = panelRows(layout, LaneRows);
  if (!rows)
    return rows.takeError();
  Expected<StepAddresses> address = StepAddresses::get(layout, *rows, bits);
  if (!address)
    return address.takeError();
  return Finder(*address, *rows, bits).run();
}

Expected<PanelFields> mezzo::fieldsOfAnyPanel(const Layout &layout,
                                              unsigned bits) {
  Expected<PanelFields> codes = panelFields(layout, bits);
  if (codes)
    return codes;
  Expected<PanelFields> indices = lutFields(layout, bits);
  if (indices) {
    consumeError(codes.takeError());
    return indices;
  }
  consumeError(indices.takeError());
  return codes;
}
