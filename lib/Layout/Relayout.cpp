//===- Relayout.cpp - Moving codes from one layout to another -------------===//

#include "lib/Layout/Relayout.h"
#include "lib/Layout/CodeAccess.h"
#include "lib/Layout/CodeMap.h"
#include "lib/Layout/Detail.h"
#include "lib/Layout/PanelWriter.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <cstring>

using namespace llvm;
using namespace mezzo;
using namespace mezzo::layout_detail;

//===----------------------------------------------------------------------===//
// By digits
//===----------------------------------------------------------------------===//

namespace {

/// A side of a relayout: its columns are g * (extent of k) + k.
struct Side {
  const BoundLayout &bound;
  int n, g, k;

  explicit Side(const BoundLayout &bound)
      : bound(bound), n(bound.axisIndex('n')), g(bound.axisIndex('g')),
        k(bound.axisIndex('k')) {}

  int64_t length() const { return bound.extent('k'); }
  int64_t columns() const { return bound.extent('g') * length(); }

  SmallVector<int64_t, 4> at(int64_t row, int64_t column) const {
    SmallVector<int64_t, 4> x(bound.extents().size(), 0);
    x[n] = row;
    x[k] = column % length();
    if (g >= 0)
      x[g] = column / length();
    return x;
  }
};

/// What the ways of moving share, after all checks.
struct Task {
  const BoundLayout &from, &to;
  ArrayRef<uint8_t> in;
  MutableArrayRef<uint8_t> out;
  int64_t origin; ///< Bit address of out[0] in `to`.
  int64_t rowBegin, rowEnd;
  int64_t columns;   ///< That both sides have.
  int64_t toColumns; ///< Those beyond `columns` become padCode.
  uint8_t flip, padCode;
};

} // namespace

static Error moveByDigits(const Task &task) {
  std::fill(task.out.begin(), task.out.end(), 0);
  Side from(task.from), to(task.to);
  CodeAccess reader(task.from), writer(task.to);
  unsigned limit = task.to.layout().positional();
  if (limit == 2)
    limit = 256;
  for (int64_t row = task.rowBegin; row < task.rowEnd; ++row)
    for (int64_t column = 0; column < task.toColumns; ++column) {
      uint8_t code = task.padCode;
      if (column < task.columns) {
        SmallVector<int64_t, 4> x = from.at(row, column);
        code = reader.read(task.in, x) ^ task.flip;
      }
      if (code >= limit)
        return error("relayout: code " + Twine(unsigned(code)) + " at row " +
                     Twine(row) + ", column " + Twine(column) +
                     " is not a digit to base " + Twine(limit));
      SmallVector<int64_t, 4> x = to.at(row, column);
      writer.write(task.out, task.origin, x, code);
    }
  return Error::success();
}

//===----------------------------------------------------------------------===//
// By tables and by vectors
//===----------------------------------------------------------------------===//

// Columns of a row that exist on both sides come from `from`, the rest is
// padding.
static void readColumns(const Task &task, const CodeMap &from, int64_t row,
                        int64_t begin, int64_t end, uint8_t *codes) {
  int64_t split = std::clamp(task.columns, begin, end);
  if (begin < split)
    from.read(task.in, row, begin, split, task.flip, codes);
  std::memset(codes + (split - begin), task.padCode, end - split);
}

static void moveByTables(const Task &task, const CodeMap &from,
                         const CodeMap &to) {
  std::fill(task.out.begin(), task.out.end(), 0);
  constexpr int64_t Chunk = 4096;
  std::vector<uint8_t> codes(std::min(Chunk, task.toColumns));
  for (int64_t begin = 0; begin < task.toColumns; begin += Chunk) {
    int64_t end = std::min(begin + Chunk, task.toColumns);
    for (int64_t row = task.rowBegin; row < task.rowEnd; ++row) {
      readColumns(task, from, row, begin, end, codes.data());
      to.write(task.out, task.origin, row, begin, end, codes.data());
    }
  }
}

namespace {

/// Moves whole panels: a block of code bytes, small enough for the first-level
/// cache, is read row by row and merged step by step.
class PanelMover {
public:
  PanelMover(const Task &task, const CodeMap &from, const PanelFields &panel)
      : task(task), from(from), panel(panel), to(task.to),
        block(BlockBytes / panel.rowsPerPanel),
        codes(panel.rowsPerPanel * stride()) {
    // A bit of the first row group, to measure from.
    const Field &first = panel.fields[0][0];
    firstField = first.unit * 8 * PanelFields::VectorBytes + first.shift;
  }

  void run() {
    // What no step covers, if the layout declares more room than it needs.
    int64_t steps = ceilDiv(to.length(), 4) * (task.toColumns / to.length());
    int64_t panels = ceilDiv(task.rowEnd - task.rowBegin, panel.rowsPerPanel);
    if (panels * steps * panel.stepBytes() != int64_t(task.out.size()))
      std::fill(task.out.begin(), task.out.end(), 0);
    for (int64_t row = task.rowBegin; row < task.rowEnd;
         row += panel.rowsPerPanel) {
      rows = std::min<int64_t>(panel.rowsPerPanel, task.rowEnd - row);
      if (to.length() <= block)
        movePanelOfShortGroups(row);
      else
        movePanelOfLongGroups(row);
    }
  }

private:
  static constexpr int64_t BlockBytes = 16384;
  // Off a power of two, so that the rows do not share their cache sets.
  int64_t stride() const { return block + 32; }

  // Several groups are read at once.
  void movePanelOfShortGroups(int64_t row) {
    int64_t length = to.length();
    int64_t span = block / length * length;
    for (int64_t begin = 0; begin < task.toColumns; begin += span) {
      int64_t end = std::min(begin + span, task.toColumns);
      read(row, begin, end);
      for (int64_t column = begin; column < end; column += length)
        write(row, column, length, column - begin);
    }
  }

  // A group is read in several parts, each whole steps.
  void movePanelOfLongGroups(int64_t row) {
    int64_t length = to.length();
    for (int64_t group = 0; group < task.toColumns; group += length)
      for (int64_t k = 0; k < length; k += block) {
        int64_t count = std::min(block, length - k);
        read(row, group + k, group + k + count);
        write(row, group + k, count, 0);
      }
  }

  void read(int64_t row, int64_t begin, int64_t end) {
    for (int64_t i = 0; i < rows; ++i)
      readColumns(task, from, row + i, begin, end, codes.data() + i * stride());
  }

  // Merges `count` columns, all of one group, from `offset` of the block on.
  void write(int64_t row, int64_t column, int64_t count, int64_t offset) {
    int64_t address =
        task.to.bitAddress(to.at(row, column)) - firstField - task.origin;
    uint8_t *out = task.out.data() + address / 8;
    // Zeroed here, while it is about to enter the cache anyway.
    std::memset(out, 0, ceilDiv(count, 4) * panel.stepBytes());
    int64_t whole = count / 16 * 16;
    writePanelSteps(panel, codes.data() + offset, stride(), rows, whole / 4,
                    out);
    if (whole == count)
      return;
    // Columns between the group's end and the step's are padding of the
    // layout, which is zero, whatever the next group left there.
    uint8_t tail[MaxRows * 16] = {};
    for (int64_t i = 0; i < rows; ++i)
      std::memcpy(tail + i * 16, codes.data() + i * stride() + offset + whole,
                  count - whole);
    writePanelSteps(panel, tail, 16, rows, ceilDiv(count - whole, 4),
                    out + whole / 4 * panel.stepBytes());
  }

public:
  static constexpr unsigned MaxRows = 64;

private:
  const Task &task;
  const CodeMap &from;
  const PanelFields &panel;
  Side to;
  int64_t block; ///< Columns of the buffer: a multiple of 16.
  std::vector<uint8_t> codes;
  int64_t firstField;
  int64_t rows = 0;
};

} // namespace

static bool hasCopies(const BoundLayout &bound) {
  return any_of(bound.pieces(), [](const BoundPiece &piece) {
    return piece.replicas.size() > 1;
  });
}

static Error move(const Task &task) {
  std::optional<CodeMap> from = CodeMap::build(task.from);
  if (!from)
    return moveByDigits(task);
  Expected<PanelFields> panel =
      panelFields(task.to.layout(), unsigned(task.to.extent('b')));
  if (panel && PanelMover::MaxRows % panel->rowsPerPanel == 0 &&
      task.rowBegin % panel->rowsPerPanel == 0 && !hasCopies(task.to)) {
    PanelMover(task, *from, *panel).run();
    return Error::success();
  }
  consumeError(panel.takeError());
  std::optional<CodeMap> to = CodeMap::build(task.to);
  if (!to)
    return moveByDigits(task);
  moveByTables(task, *from, *to);
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

static Error checkMatrix(const BoundLayout &bound, StringRef side) {
  bool wellFormed = bound.axisIndex('n') >= 0 && bound.axisIndex('k') >= 0;
  for (const auto &[axis, extent] : bound.extents())
    wellFormed &= StringRef("ngkb").contains(axis);
  if (!wellFormed)
    return error("relayout: the tensor " + side +
                 " must have axes n, k, b or n, g, k, b");
  if (bound.extent('b') > 8)
    return error("relayout: codes of " + Twine(bound.extent('b')) +
                 " bits; at most 8 are supported");
  return Error::success();
}

Error mezzo::checkBufferSize(StringRef what, size_t have, int64_t want) {
  if (int64_t(have) == want)
    return Error::success();
  return error(what + ": the buffer has " + Twine(have) +
               " bytes, the layout wants " + Twine(want));
}

// Columns that both sides have: those of the ungrouped one, if the groups of
// the other fit around them.
static Expected<int64_t> commonColumns(const Side &from, const Side &to) {
  if (from.columns() == to.columns())
    return to.columns();
  const Side &grouped = from.columns() > to.columns() ? from : to;
  const Side &plain = from.columns() > to.columns() ? to : from;
  if (grouped.g >= 0 && plain.g < 0 &&
      grouped.columns() - plain.columns() < grouped.length())
    return plain.columns();
  return error("relayout: " + Twine(from.columns()) +
               " columns cannot become " + Twine(to.columns()) +
               "; they may differ by a short last group only");
}

static Expected<Task> prepare(const BoundLayout &from, ArrayRef<uint8_t> in,
                              const BoundLayout &to,
                              MutableArrayRef<uint8_t> out, uint32_t flip,
                              uint8_t padCode) {
  if (Error e = checkMatrix(from, "read"))
    return std::move(e);
  if (Error e = checkMatrix(to, "written"))
    return std::move(e);
  if (Error e =
          checkBufferSize("relayout, source", in.size(), from.totalBytes()))
    return std::move(e);
  if (from.extent('n') != to.extent('n'))
    return error("relayout: " + Twine(from.extent('n')) +
                 " rows cannot become " + Twine(to.extent('n')));
  if (from.extent('b') != to.extent('b'))
    return error("relayout: codes of " + Twine(from.extent('b')) +
                 " bits cannot become " + Twine(to.extent('b')) +
                 "; bind both layouts with the same extent of b");
  if (flip >> to.extent('b') || padCode >> to.extent('b'))
    return error("relayout: flip " + Twine(flip) + " and padding code " +
                 Twine(unsigned(padCode)) + " must fit " +
                 Twine(to.extent('b')) + " bits");
  if (to.layout().positional() != 2 && flip)
    return error("relayout: codes to base " + Twine(to.layout().positional()) +
                 " cannot be flipped");
  Side fromSide(from), toSide(to);
  Expected<int64_t> columns = commonColumns(fromSide, toSide);
  if (!columns)
    return columns.takeError();
  return Task{from,
              to,
              in,
              out,
              0,
              0,
              to.extent('n'),
              *columns,
              toSide.columns(),
              uint8_t(flip),
              padCode};
}

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

Error mezzo::relayout(const BoundLayout &from, ArrayRef<uint8_t> in,
                      const BoundLayout &to, MutableArrayRef<uint8_t> out,
                      uint32_t flip, uint8_t padCode) {
  Expected<Task> task = prepare(from, in, to, out, flip, padCode);
  if (!task)
    return task.takeError();
  if (Error e =
          checkBufferSize("relayout, result", out.size(), to.totalBytes()))
    return e;
  return move(*task);
}

Error mezzo::relayoutByDigits(const BoundLayout &from, ArrayRef<uint8_t> in,
                              const BoundLayout &to,
                              MutableArrayRef<uint8_t> out, uint32_t flip,
                              uint8_t padCode) {
  Expected<Task> task = prepare(from, in, to, out, flip, padCode);
  if (!task)
    return task.takeError();
  if (Error e =
          checkBufferSize("relayout, result", out.size(), to.totalBytes()))
    return e;
  return moveByDigits(*task);
}

namespace {

/// Bytes [begin, end) of the packed tensor.
struct Slice {
  int64_t begin, end;
};

} // namespace

static Expected<Slice> sliceOf(const BoundLayout &to, int64_t rowBegin,
                               int64_t rowEnd) {
  int n = to.axisIndex('n');
  int64_t rows = to.extent('n');
  if (n < 0 || rowBegin < 0 || rowBegin >= rowEnd || rowEnd > rows)
    return error("slice: rows " + Twine(rowBegin) + " to " + Twine(rowEnd) +
                 " are not part of " + Twine(rows) + " rows");
  if (rowBegin == 0 && rowEnd == rows)
    return Slice{0, to.totalBytes()};

  // The outermost digit of every piece must be the same one of n.
  const BoundDigit *outer = nullptr;
  int64_t slots = to.totalUnits() / to.wordBits() * to.wordDigits();
  for (const BoundPiece &piece : to.pieces()) {
    const BoundDigit *last = nullptr;
    for (const BoundDigit &d : piece.digits)
      if (d.term.radix > 1)
        last = &d;
    bool outermost = last && last->term.axis == n && !last->isSwizzled() &&
                     last->place * last->term.radix == slots;
    if (!outermost || (outer && (outer->term.stride != last->term.stride ||
                                 outer->place != last->place)))
      return error("slice: n is not the outermost digit of the layout, so rows "
                   "are not contiguous; convert all rows at once");
    outer = last;
  }
  int64_t panel = outer->term.stride;
  int64_t panelBits = outer->place / to.wordDigits() * to.wordBits();
  if (rowBegin % panel || (rowEnd % panel && rowEnd != rows))
    return error("slice: rows " + Twine(rowBegin) + " to " + Twine(rowEnd) +
                 " cut a panel of " + Twine(panel) +
                 " rows; use multiples of it");
  if (panelBits % 8)
    return error("slice: a panel of " + Twine(panel) + " rows takes " +
                 Twine(panelBits) + " bits, which is not whole bytes");
  return Slice{rowBegin / panel * panelBits / 8,
               ceilDiv(rowEnd, panel) * panelBits / 8};
}

Expected<int64_t> mezzo::sliceBytes(const BoundLayout &to, int64_t rowBegin,
                                    int64_t rowEnd) {
  Expected<Slice> slice = sliceOf(to, rowBegin, rowEnd);
  if (!slice)
    return slice.takeError();
  return slice->end - slice->begin;
}

Error mezzo::relayoutRows(const BoundLayout &from, ArrayRef<uint8_t> in,
                          const BoundLayout &to, MutableArrayRef<uint8_t> out,
                          int64_t rowBegin, int64_t rowEnd, uint32_t flip,
                          uint8_t padCode) {
  Expected<Task> task = prepare(from, in, to, out, flip, padCode);
  if (!task)
    return task.takeError();
  Expected<Slice> slice = sliceOf(to, rowBegin, rowEnd);
  if (!slice)
    return slice.takeError();
  if (Error e = checkBufferSize("relayout, slice", out.size(),
                                slice->end - slice->begin))
    return e;
  task->origin = slice->begin * 8;
  task->rowBegin = rowBegin;
  task->rowEnd = rowEnd;
  return move(*task);
}
