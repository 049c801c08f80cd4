//===- Pack.cpp - Code bytes to packed bytes and back ---------------------===//

#include "lib/Layout/CodeAccess.h"
#include "lib/Layout/Detail.h"
#include "lib/Layout/Relayout.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>

using namespace llvm;
using namespace mezzo;
using namespace mezzo::layout_detail;

// Calls body(index of the code, coordinates) in row-major order.
template <typename Body>
static void forEachCode(const BoundLayout &bound, Body body) {
  int b = bound.axisIndex('b');
  SmallVector<int64_t, 4> x(bound.extents().size(), 0);
  for (int64_t index = 0;; ++index) {
    body(index, MutableArrayRef<int64_t>(x));
    int axis = int(x.size()) - 1;
    for (; axis >= 0; --axis) {
      if (axis == b)
        continue;
      if (++x[axis] < bound.extents()[axis].second)
        break;
      x[axis] = 0;
    }
    if (axis < 0)
      return;
  }
}

static Expected<int64_t> checkCodes(const BoundLayout &bound, size_t codes,
                                    size_t bytes, StringRef verb) {
  int64_t count = 1;
  for (const auto &[axis, extent] : bound.extents())
    count *= axis == 'b' ? 1 : extent;
  if (bound.axisIndex('b') < 0 && bound.layout().positional() == 2 &&
      bound.layout().mentions('b'))
    return error(verb + ": the tensor has no extent of b");
  if (bound.extent('b') > 8)
    return error(verb + ": codes of " + Twine(bound.extent('b')) +
                 " bits; at most 8 are supported");
  if (int64_t(codes) != count)
    return error(verb + ": " + Twine(codes) + " codes for a tensor of " +
                 Twine(count));
  if (Error e = checkBufferSize(verb, bytes, bound.totalBytes()))
    return std::move(e);
  return count;
}

// The plain matrix of code bytes, in the axes of `bound`; a relayout from or to
// it is packing by tables. Nothing where that does not apply: other axes, an
// order of axes that is not n, (g,) k, or positional codes.
static std::optional<BoundLayout> codeBytes(const BoundLayout &bound) {
  std::string order;
  for (const auto &[axis, extent] : bound.extents())
    order += axis;
  if (order != "nkb" && order != "ngkb")
    return std::nullopt;
  Expected<Layout> layout =
      Layout::parse(order == "nkb" ? "bit=[b:8], row=[k:*], tile=[n:*]"
                                   : "bit=[b:8], row=[k:*, g:*], tile=[n:*]");
  Expected<BoundLayout> bytes =
      cantFail(std::move(layout)).bind(bound.extents());
  if (bytes)
    return std::move(*bytes);
  consumeError(bytes.takeError());
  return std::nullopt;
}

Error mezzo::pack(const BoundLayout &to, ArrayRef<uint8_t> codes,
                  MutableArrayRef<uint8_t> out) {
  Expected<int64_t> count = checkCodes(to, codes.size(), out.size(), "pack");
  if (!count)
    return count.takeError();
  unsigned radix = to.layout().positional();
  unsigned limit = radix == 2 ? 1u << to.extent('b') : radix;
  uint8_t largest = *std::max_element(codes.begin(), codes.end());
  if (largest >= limit) {
    int64_t index =
        find_if(codes, [&](uint8_t c) { return c >= limit; }) - codes.begin();
    return error("pack: code " + Twine(unsigned(codes[index])) + " at index " +
                 Twine(index) + " does not fit; codes must be less than " +
                 Twine(limit));
  }
  if (radix == 2)
    if (std::optional<BoundLayout> from = codeBytes(to))
      return relayout(*from, codes, to, out);
  std::fill(out.begin(), out.end(), 0);
  CodeAccess writer(to);
  forEachCode(to, [&](int64_t index, MutableArrayRef<int64_t> x) {
    writer.write(out, 0, x, codes[index]);
    if (int b = to.axisIndex('b'); b >= 0)
      x[b] = 0;
  });
  return Error::success();
}

Error mezzo::unpack(const BoundLayout &from, ArrayRef<uint8_t> in,
                    MutableArrayRef<uint8_t> codes) {
  Expected<int64_t> count = checkCodes(from, codes.size(), in.size(), "unpack");
  if (!count)
    return count.takeError();
  if (from.layout().positional() == 2)
    if (std::optional<BoundLayout> to = codeBytes(from))
      return relayout(from, in, *to, codes);
  CodeAccess reader(from);
  forEachCode(from, [&](int64_t index, MutableArrayRef<int64_t> x) {
    codes[index] = reader.read(in, x);
    if (int b = from.axisIndex('b'); b >= 0)
      x[b] = 0;
  });
  return Error::success();
}
