//===- SortColumns.cpp - Moving codes into another order of columns -------===//
//
// Quantizers with activation order (GPTQ's act-order) give the columns of one
// group places all over a row. Kernels read a group from consecutive columns,
// so rows are sorted on their way from the file to the packed weight:
//
//     columns of the file     0 1 2 3 4 5       order = 0 2 5 1 3 4
//     their groups            0 1 0 1 1 0
//     columns of the weight   0 2 5 | 1 3 4
//
// By way of bytes: no layout says "column order[j]".
//
//===----------------------------------------------------------------------===//

#include "lib/Layout/CodeAccess.h"
#include "lib/Layout/CodeMap.h"
#include "lib/Layout/Detail.h"
#include "lib/Layout/Relayout.h"

using namespace llvm;
using namespace mezzo;
using namespace mezzo::layout_detail;

/// A code to a byte, row after row.
static Expected<BoundLayout> codeBytes(int64_t rows, int64_t columns,
                                       int64_t bits) {
  Layout layout = cantFail(Layout::parse("bit=[b:8], row=[k:*], tile=[n:*]"));
  return layout.bind({{'n', rows}, {'k', columns}, {'b', bits}});
}

static Error checkOrder(ArrayRef<int32_t> order, int64_t columns) {
  if (int64_t(order.size()) != columns)
    return error("relayout: an order of " + Twine(order.size()) +
                 " columns for a matrix of " + Twine(columns));
  for (int32_t column : order)
    if (column < 0 || column >= columns)
      return error("relayout: the order names column " + Twine(column) +
                   " of a matrix of " + Twine(columns));
  return Error::success();
}

Error mezzo::relayoutRowsSorted(const BoundLayout &from, ArrayRef<uint8_t> in,
                                ArrayRef<int32_t> order, const BoundLayout &to,
                                MutableArrayRef<uint8_t> out, int64_t rowBegin,
                                int64_t rowEnd, uint32_t flip,
                                uint8_t padCode) {
  int64_t columns = from.extent('g') * from.extent('k'),
          bits = from.extent('b');
  if (Error e = checkOrder(order, columns))
    return e;
  if (Error e =
          checkBufferSize("relayout, source", in.size(), from.totalBytes()))
    return e;
  Expected<int64_t> room = sliceBytes(to, rowBegin, rowEnd);
  if (!room)
    return room.takeError();
  if (Error e = checkBufferSize("relayout, slice", out.size(), *room))
    return e;

  Expected<BoundLayout> slice = codeBytes(rowEnd - rowBegin, columns, bits);
  if (!slice)
    return slice.takeError();
  std::vector<uint8_t> codes(slice->totalBytes());
  std::optional<CodeMap> map = CodeMap::build(from);
  if (!map)
    return error("relayout: columns of the layout '" + from.layout().str() +
                 "' cannot be sorted; sort before packing");
  std::vector<uint8_t> row(columns);
  for (int64_t i = rowBegin; i < rowEnd; ++i) {
    map->read(in, i, 0, columns, uint8_t(flip), row.data());
    uint8_t *sorted = codes.data() + (i - rowBegin) * columns;
    for (int64_t column = 0; column < columns; ++column)
      sorted[column] = row[order[column]];
  }

  // Rows that are whole panels are packed alike wherever they stand.
  Extents extents = to.extents();
  for (auto &[axis, extent] : extents)
    if (axis == 'n')
      extent = rowEnd - rowBegin;
  Expected<BoundLayout> packed = to.layout().bind(extents);
  if (!packed)
    return packed.takeError();
  return relayout(*slice, codes, *packed, out, /*flip=*/0, padCode);
}
