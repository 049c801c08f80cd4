//===- RelayoutTest.cpp - Every way of moving against the slowest ---------===//

#include "lib/Layout/Relayout.h"
#include "lib/Layout/Catalogue.h"
#include "lib/Layout/Panel.h"
#include "lib/Layout/RandomLayout.h"
#include "gtest/gtest.h"

using namespace llvm;
using namespace mezzo;
using test::RandomLayout;

namespace {

using Bytes = std::vector<uint8_t>;

Layout parse(StringRef text) { return cantFail(Layout::parse(text)); }

BoundLayout bindTo(const Layout &layout, const Extents &extents) {
  return cantFail(layout.bind(extents));
}

Bytes randomBytes(RandomLayout &random, size_t size) {
  Bytes bytes(size);
  for (uint8_t &byte : bytes)
    byte = uint8_t(random.below(256));
  return bytes;
}

/// relayout and relayoutByDigits, which must agree.
Bytes moved(const BoundLayout &from, ArrayRef<uint8_t> in,
            const BoundLayout &to, uint32_t flip = 0, uint8_t padCode = 0) {
  // What was in the buffers before must not matter.
  Bytes fast(to.totalBytes(), 0xaa), slow(to.totalBytes(), 0x55);
  EXPECT_FALSE(bool(relayout(from, in, to, fast, flip, padCode)));
  EXPECT_FALSE(bool(relayoutByDigits(from, in, to, slow, flip, padCode)));
  EXPECT_EQ(fast, slow) << from.layout().str() << " --> " << to.layout().str();
  return fast;
}

TEST(Pack, RandomLayoutsReadWhatTheyWrote) {
  RandomLayout random(11);
  for (int i = 0; i < 300; ++i) {
    Extents extents = random.extents(i % 3 == 0);
    BoundLayout bound = bindTo(random.layout(extents), extents);
    int64_t bits = bound.extent('b');
    int64_t count = bound.extent('n') * bound.extent('g') * bound.extent('k');
    Bytes codes = randomBytes(random, count);
    for (uint8_t &code : codes)
      code &= uint8_t((1u << bits) - 1);
    Bytes out(bound.totalBytes(), 0xaa), back(count);
    ASSERT_FALSE(bool(pack(bound, codes, out)));
    ASSERT_FALSE(bool(unpack(bound, out, back)));
    ASSERT_EQ(codes, back) << bound.layout().str();
    // Bit by bit, from the addresses alone.
    Bytes brute(out.size(), 0);
    int64_t length = bound.extent('k'), columns = length * bound.extent('g');
    for (int64_t c = 0; c < count; ++c)
      for (int64_t b = 0; b < bits; ++b) {
        SmallVector<int64_t, 4> x = {c / columns, c % length, b};
        if (bound.axisIndex('g') >= 0)
          x.insert(x.begin() + 1, c % columns / length);
        int64_t at = bound.bitAddress(x);
        brute[at / 8] |= uint8_t((codes[c] >> b & 1) << at % 8);
      }
    ASSERT_EQ(out, brute) << bound.layout().str();
  }
}

TEST(Pack, SwizzlesCopiesAndOtherAxes) {
  RandomLayout random(12);
  struct {
    StringRef text;
    Extents extents;
  } cases[] = {
      {"bit=[b:4, k:2], lane=[k@2:4^n:4], line=[n:4], tile=[k@8:*, n@4:*]",
       {{'n', 9}, {'k', 21}, {'b', 4}}},
      {"bit=[b:4, k:2], line=[k@2:*], copy=[r:2], tile=[n:*]",
       {{'n', 9}, {'k', 21}, {'b', 4}}},
      {"bit=[b:8], head=[h:*], row=[d:*], tile=[s:*]",
       {{'s', 3}, {'h', 2}, {'d', 5}, {'b', 8}}},
      {"bit=[b:4, k:2], line=[k@2:*], tile=[n:*]",
       {{'k', 6}, {'n', 5}, {'b', 4}}}};
  for (auto &[text, extents] : cases) {
    BoundLayout bound = bindTo(parse(text), extents);
    int64_t count = 1;
    for (auto [axis, extent] : extents)
      count *= axis == 'b' ? 1 : extent;
    Bytes codes = randomBytes(random, count), out(bound.totalBytes()),
          back(count);
    for (uint8_t &code : codes)
      code &= uint8_t((1u << bound.extent('b')) - 1);
    ASSERT_FALSE(bool(pack(bound, codes, out)));
    ASSERT_FALSE(bool(unpack(bound, out, back)));
    EXPECT_EQ(codes, back) << text.str();
  }
  // Both copies are written.
  BoundLayout twice =
      bindTo(parse("bit=[b:8], t=[n:*], copy=[r:2]"), {{'n', 2}, {'b', 8}});
  Bytes out(4);
  ASSERT_FALSE(bool(pack(twice, {7, 9}, out)));
  EXPECT_EQ(out, (Bytes{7, 9, 7, 9}));
}

TEST(Relayout, RandomLayouts) {
  RandomLayout random(13);
  for (int i = 0; i < 300; ++i) {
    Extents extents = random.extents();
    BoundLayout from = bindTo(random.layout(extents), extents);
    BoundLayout to = bindTo(random.layout(extents), extents);
    uint32_t flip = uint32_t(random.below(1ll << extents.back().second));
    Bytes in = randomBytes(random, from.totalBytes());
    Bytes out = moved(from, in, to, flip);
    // And back: the codes return, padding becomes zero.
    Bytes back = moved(to, out, from, flip),
          codes(from.extent('n') * from.extent('k')), again(codes.size());
    ASSERT_FALSE(bool(unpack(from, in, codes)));
    ASSERT_FALSE(bool(unpack(from, back, again)));
    ASSERT_EQ(codes, again);
  }
}

struct Shape {
  int64_t rows, columns, group;
};

class ToPanel : public testing::TestWithParam<unsigned> {};

// All tails: rows, groups, steps of four, blocks of sixteen, long groups that
// are read in parts, short groups of which several are.
TEST_P(ToPanel, FromEverySource) {
  unsigned bits = GetParam();
  RandomLayout random(bits);
  for (Shape s : {Shape{64, 64, 32}, Shape{70, 96, 32}, Shape{3, 33, 5},
                  Shape{65, 100, 100}, Shape{129, 40, 7}, Shape{17, 1300, 1300},
                  Shape{16, 2100, 2100}, Shape{40, 50, 64}, Shape{1, 1, 1},
                  Shape{33, 600, 24}}) {
    SCOPED_TRACE(testing::Message()
                 << s.rows << " x " << s.columns << " / " << s.group);
    int64_t groups = (s.columns + s.group - 1) / s.group;
    Extents plain = {{'n', s.rows}, {'k', s.columns}, {'b', bits}};
    BoundLayout to =
        bindTo(panel(bits),
               {{'n', s.rows}, {'g', groups}, {'k', s.group}, {'b', bits}});
    std::vector<Layout> sources = {matMulNBits(bits), matMulNBits(bits, 32),
                                   flat(bits), random.layout(plain)};
    if (bits == 2 || bits == 4 || bits == 8)
      sources.push_back(gptq(bits));
    if (bits == 3)
      sources.push_back(gptq(3));
    if (bits == 4)
      sources.push_back(ggufQ4_0());
    for (const Layout &source : sources) {
      BoundLayout from = bindTo(source, plain);
      Bytes in = randomBytes(random, from.totalBytes());
      uint32_t flip = 1u << (bits - 1);
      uint8_t padCode = uint8_t(flip ^ 1);
      Bytes out = moved(from, in, to, flip, padCode);
      if (s.rows * s.columns > 20000)
        break; // The oracle is slow.
      // And back again.
      Bytes back = moved(to, out, from, flip);
      Bytes codes(s.rows * s.columns), again(codes.size());
      ASSERT_FALSE(bool(unpack(from, in, codes)));
      ASSERT_FALSE(bool(unpack(from, back, again)));
      ASSERT_EQ(codes, again);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, ToPanel, testing::Range(1u, 9u));

TEST(Relayout, PaddedGroupsHoldThePadCodeUnflipped) {
  BoundLayout from = bindTo(matMulNBits(4), {{'n', 1}, {'k', 5}, {'b', 4}});
  BoundLayout to = bindTo(parse("bit=[b:8], l=[k:*], g=[g:*], t=[n:*]"),
                          {{'n', 1}, {'g', 2}, {'k', 4}, {'b', 4}});
  EXPECT_EQ(moved(from, {0x21, 0x43, 0x05}, to, 8, 7),
            (Bytes{9, 10, 11, 12, 13, 7, 7, 7}));
}

TEST(Relayout, NarrowCodesIntoBytePanels) {
  RandomLayout random(14);
  BoundLayout from = bindTo(matMulNBits(5), {{'n', 40}, {'k', 64}, {'b', 5}});
  BoundLayout to = bindTo(panel(8), {{'n', 40}, {'g', 2}, {'k', 32}, {'b', 5}});
  moved(from, randomBytes(random, from.totalBytes()), to, 16);
}

TEST(Relayout, PanelsWithMoreRoomThanTheyNeed) {
  RandomLayout random(15);
  BoundLayout from = bindTo(matMulNBits(8), {{'n', 40}, {'k', 64}, {'b', 8}});
  BoundLayout to = bindTo(parse("bit=[b:8], lane=[k:4, n:8], step=[k@4:*], "
                                "group(3)=1+[g:*], panel=[n@8:*], copy=[r:2]"),
                          {{'n', 40}, {'g', 2}, {'k', 32}, {'b', 8}});
  moved(from, randomBytes(random, from.totalBytes()), to, 16);
  to = bindTo(
      parse("bit=[b:8], lane=[k:4, n:8], step=[k@4:*], group(3)=1+[g:*], "
            "panel=[n@8:*]"),
      {{'n', 40}, {'g', 2}, {'k', 32}, {'b', 8}});
  moved(from, randomBytes(random, from.totalBytes()), to, 16);
}

TEST(Relayout, Ternary) {
  RandomLayout random(16);
  Extents extents = {{'n', 7}, {'k', 23}, {'b', 2}};
  Bytes codes(7 * 23);
  for (uint8_t &code : codes)
    code = uint8_t(random.below(3));
  BoundLayout from = bindTo(trit5(), extents), to = bindTo(lut2(), extents);
  Bytes in(from.totalBytes()), back(codes.size());
  ASSERT_FALSE(bool(pack(from, codes, in)));
  Bytes out = moved(from, in, to);
  ASSERT_FALSE(bool(unpack(to, out, back)));
  EXPECT_EQ(codes, back);
  EXPECT_EQ(moved(to, out, from), in);
  std::fill(out.begin(), out.end(), 0xff);
  Error e = relayout(to, out, from, in);
  EXPECT_EQ(toString(std::move(e)), "relayout: code 3 at row 0, column 0 is "
                                    "not a digit to base 3");
}

TEST(RelayoutRows, SlicesMakeTheWhole) {
  RandomLayout random(17);
  for (unsigned bits = 1; bits <= 8; ++bits) {
    BoundLayout from =
        bindTo(matMulNBits(bits), {{'n', 150}, {'k', 72}, {'b', bits}});
    for (const Layout &layout :
         {panel(bits), parse("bit=[b:8], x=[k:*, g:*], t=[n:*]")}) {
      BoundLayout to =
          bindTo(layout, {{'n', 150}, {'g', 3}, {'k', 24}, {'b', bits}});
      Bytes in = randomBytes(random, from.totalBytes()), joined;
      for (auto [begin, end] : {std::pair(0, 64), std::pair(64, 150)}) {
        Bytes slice(cantFail(sliceBytes(to, begin, end)));
        ASSERT_FALSE(bool(relayoutRows(from, in, to, slice, begin, end, 1)));
        joined.insert(joined.end(), slice.begin(), slice.end());
      }
      EXPECT_EQ(joined, moved(from, in, to, 1));
    }
  }
}

TEST(RelayoutRows, Messages) {
  auto bytes = [](const Layout &layout, int64_t begin, int64_t end) {
    BoundLayout b = bindTo(layout, {{'n', 100}, {'k', 8}, {'b', 4}});
    Expected<int64_t> n = sliceBytes(b, begin, end);
    return n ? std::to_string(*n) : toString(n.takeError());
  };
  EXPECT_EQ(bytes(matMulNBits(4), 3, 5), "8");
  EXPECT_EQ(bytes(gptq(4), 0, 100), "400");
  EXPECT_EQ(bytes(parse("bit=[b:4, k:2], n=[n:*], t=[k@2:*]"), 0, 64),
            "slice: n is not the outermost digit of the layout, so rows are "
            "not contiguous; convert all rows at once");
  EXPECT_EQ(bytes(parse("bit=[b:4], l=[n:32, k:*], p=[n@32:*]"), 0, 40),
            "slice: rows 0 to 40 cut a panel of 32 rows; use multiples of it");
  EXPECT_EQ(bytes(matMulNBits(4), 5, 101),
            "slice: rows 5 to 101 are not part of 100 rows");
  EXPECT_EQ(bytes(parse("s=[b:4, k:9, n:*]"), 1, 2),
            "slice: a panel of 1 rows takes 36 bits, which is not whole bytes");
}

TEST(Relayout, Messages) {
  Extents e = {{'n', 2}, {'k', 8}, {'b', 4}};
  BoundLayout m = bindTo(matMulNBits(4), e);
  Bytes in(m.totalBytes()), out(m.totalBytes());
  auto why = [&](const BoundLayout &to, uint32_t flip = 0) {
    Bytes result(to.totalBytes());
    return toString(relayout(m, in, to, result, flip));
  };
  EXPECT_EQ(toString(relayout(m, ArrayRef(in).drop_back(), m, out)),
            "relayout, source: the buffer has 7 bytes, the layout wants 8");
  EXPECT_EQ(toString(relayout(m, in, m, MutableArrayRef(out).drop_back())),
            "relayout, result: the buffer has 7 bytes, the layout wants 8");
  EXPECT_EQ(why(bindTo(matMulNBits(4), {{'n', 3}, {'k', 8}, {'b', 4}})),
            "relayout: 2 rows cannot become 3");
  EXPECT_EQ(why(bindTo(matMulNBits(8), {{'n', 2}, {'k', 8}, {'b', 8}})),
            "relayout: codes of 4 bits cannot become 8; bind both layouts with "
            "the same extent of b");
  EXPECT_EQ(why(bindTo(matMulNBits(4), {{'n', 2}, {'k', 9}, {'b', 4}})),
            "relayout: 8 columns cannot become 9; they may differ by a short "
            "last group only");
  EXPECT_EQ(why(bindTo(panel(4), {{'n', 2}, {'g', 3}, {'k', 4}, {'b', 4}})),
            "relayout: 8 columns cannot become 12; they may differ by a short "
            "last group only");
  EXPECT_EQ(why(m, 16), "relayout: flip 16 and padding code 0 must fit 4 bits");
  EXPECT_EQ(why(bindTo(trit5(), e), 1),
            "relayout: codes to base 3 cannot be flipped");
  EXPECT_EQ(why(bindTo(parse("bit=[b:8], t=[n:*, x:*]"),
                       {{'n', 2}, {'x', 8}, {'b', 4}})),
            "relayout: the tensor written must have axes n, k, b or n, g, k, "
            "b");
  EXPECT_EQ(why(bindTo(parse("bit=[b:16], t=[n:*, k:*]"),
                       {{'n', 2}, {'k', 8}, {'b', 16}})),
            "relayout: codes of 16 bits; at most 8 are supported");
}

TEST(Pack, Messages) {
  BoundLayout m = bindTo(matMulNBits(4), {{'n', 1}, {'k', 3}, {'b', 4}});
  Bytes out(2), codes(3);
  EXPECT_EQ(toString(pack(m, {1, 16, 3}, out)),
            "pack: code 16 at index 1 does not fit; codes must be less than "
            "16");
  EXPECT_EQ(toString(pack(m, {1, 2}, out)), "pack: 2 codes for a tensor of 3");
  EXPECT_EQ(toString(unpack(m, {1, 2, 3}, codes)),
            "unpack: the buffer has 3 bytes, the layout wants 2");
  EXPECT_EQ(toString(pack(bindTo(trit5(), {{'n', 1}, {'k', 3}, {'b', 2}}),
                          {1, 2, 3}, MutableArrayRef(out).take_front(1))),
            "pack: code 3 at index 2 does not fit; codes must be less than 3");
  EXPECT_EQ(toString(pack(bindTo(matMulNBits(4), {{'n', 1}, {'k', 3}}),
                          {1, 2, 3}, out)),
            "pack: the tensor has no extent of b");
}

TEST(SortColumns, EqualsCodeByCode) {
  RandomLayout random(15);
  for (unsigned bits = 1; bits <= 8; ++bits)
    for (auto [rows, columns, group] :
         {std::tuple<int64_t, int64_t, int64_t>(70, 96, 32), {9, 50, 16}}) {
      Extents flatAxes = {{'n', rows}, {'k', columns}, {'b', bits}};
      BoundLayout from = bindTo(matMulNBits(bits, group), flatAxes);
      int64_t groups = (columns + group - 1) / group;
      BoundLayout to = bindTo(
          panel(bits), {{'n', rows}, {'g', groups}, {'k', group}, {'b', bits}});
      Bytes in = randomBytes(random, from.totalBytes());
      std::vector<int32_t> order(columns);
      for (int64_t i = 0; i < columns; ++i) {
        order[i] = int32_t(i);
        std::swap(order[i], order[random.below(i + 1)]);
      }

      // The same codes, one by one.
      Bytes codes(rows * columns), sorted(rows * columns);
      ASSERT_FALSE(bool(unpack(from, in, codes)));
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j)
          sorted[i * columns + j] = codes[i * columns + order[j]];
      Bytes packed(from.totalBytes());
      ASSERT_FALSE(bool(pack(from, sorted, packed)));
      uint32_t flip = 1u << (bits - 1);
      Bytes expected = moved(from, packed, to, flip);

      Bytes out;
      PanelFields fields = cantFail(panelFields(panel(bits), bits));
      for (int64_t row = 0; row < rows; row += fields.rowsPerPanel) {
        int64_t end = std::min<int64_t>(row + fields.rowsPerPanel, rows);
        Bytes slice(cantFail(sliceBytes(to, row, end)), 0xaa);
        ASSERT_FALSE(bool(
            relayoutRowsSorted(from, in, order, to, slice, row, end, flip)));
        out.insert(out.end(), slice.begin(), slice.end());
      }
      EXPECT_EQ(out, expected) << bits << " bits, " << columns << " columns";
    }
}

TEST(SortColumns, OrdersThatAreNone) {
  BoundLayout bound =
      bindTo(matMulNBits(4, 16), {{'n', 2}, {'k', 16}, {'b', 4}});
  Bytes in(bound.totalBytes()), out(bound.totalBytes());
  std::vector<int32_t> order(16, 3);
  EXPECT_FALSE(bool(relayoutRowsSorted(bound, in, order, bound, out, 0, 2)));
  order[5] = 16;
  EXPECT_EQ(toString(relayoutRowsSorted(bound, in, order, bound, out, 0, 2)),
            "relayout: the order names column 16 of a matrix of 16");
  order[5] = -1;
  EXPECT_EQ(toString(relayoutRowsSorted(bound, in, order, bound, out, 0, 2)),
            "relayout: the order names column -1 of a matrix of 16");
  order.pop_back();
  EXPECT_EQ(toString(relayoutRowsSorted(bound, in, order, bound, out, 0, 2)),
            "relayout: an order of 15 columns for a matrix of 16");
}

} // namespace
