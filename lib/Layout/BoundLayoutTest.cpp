//===- BoundLayoutTest.cpp - Addresses, bijection, pictures ---------------===//

#include "lib/Layout/BoundLayout.h"
#include "lib/Layout/Catalogue.h"
#include "lib/Layout/Picture.h"
#include "lib/Layout/RandomLayout.h"
#include "gtest/gtest.h"
#include <map>

using namespace llvm;
using namespace mezzo;
using test::RandomLayout;

namespace {

Layout parse(StringRef text) { return cantFail(Layout::parse(text)); }

BoundLayout bindTo(StringRef text, const Extents &extents) {
  return cantFail(parse(text).bind(extents));
}

std::string why(StringRef text, const Extents &extents) {
  Expected<BoundLayout> bound = parse(text).bind(extents);
  return bound ? "" : toString(bound.takeError());
}

// Calls body(coordinates) for every element.
template <typename Body>
void forEach(const Extents &extents, Body body) {
  SmallVector<int64_t, 4> x(extents.size(), 0);
  for (;;) {
    body(x);
    int axis = int(x.size()) - 1;
    while (axis >= 0 && ++x[axis] == extents[axis].second)
      x[axis--] = 0;
    if (axis < 0)
      return;
  }
}

TEST(BoundLayout, TheWorkedExample) {
  BoundLayout b = bindTo("bit=[b:4, k:2], line=[k@2:*], tile=[n:*]",
                         {{'n', 4}, {'k', 4}, {'b', 4}});
  EXPECT_EQ(b.bitAddress({2, 3, 1}), 45);
  EXPECT_EQ(b.totalBytes(), 8);
  EXPECT_EQ(*b.elementAt(45), (SmallVector<int64_t, 4>{2, 3, 1}));
  EXPECT_EQ(b.spaces()[1].place, 8);
  EXPECT_EQ(b.spaces()[2].size, 4);
}

TEST(BoundLayout, OddRowsInOneStream) {
  BoundLayout b =
      bindTo("flat=[b:3, k:*, n:*]", {{'n', 3}, {'k', 5}, {'b', 3}});
  EXPECT_EQ(b.bitAddress({2, 4, 2}), 44);
  EXPECT_EQ(b.totalUnits(), 45);
  EXPECT_EQ(b.totalBytes(), 6);
  EXPECT_TRUE(b.isBijective());
}

TEST(BoundLayout, PiecesCountFromTheirBounds) {
  // The eight row groups of the 3-bit panel, from the text of Layout.h.
  BoundLayout b =
      cantFail(panel(3).bind({{'n', 128}, {'g', 2}, {'k', 8}, {'b', 3}}));
  EXPECT_EQ(b.totalBytes(), 2 * 2 * 2 * 96);
  EXPECT_EQ(b.bitAddress({0, 0, 0, 2}), 2);
  EXPECT_EQ(b.bitAddress({8, 0, 0, 2}), 5);
  EXPECT_EQ(b.bitAddress({16, 0, 1, 0}), 256 + 8);
  EXPECT_EQ(b.bitAddress({48, 0, 0, 1}), 7);
  EXPECT_EQ(b.bitAddress({56, 0, 0, 0}), 256 + 6);
  EXPECT_EQ(b.bitAddress({48, 0, 0, 2}), 512 + 6);
  EXPECT_EQ(b.bitAddress({56, 0, 0, 2}), 512 + 7);
  EXPECT_EQ(b.bitAddress({64, 0, 0, 0}), 4 * 96 * 8);
  EXPECT_TRUE(b.isBijective());
}

TEST(BoundLayout, SwizzleAndCopies) {
  Extents e = {{'n', 8}, {'k', 8}, {'b', 1}};
  BoundLayout b =
      bindTo("bit=[b:1], lane=[k:8^n:8], tile=[n:8], copy=[r:2]", e);
  EXPECT_EQ(b.bitAddress({5, 3, 0}), 8 * ((3 ^ 5) + 8 * 5));
  EXPECT_EQ(b.totalBytes(), 128);
  EXPECT_EQ(b.pieces()[0].replicas.size(), 2u);
  EXPECT_EQ(*b.elementAt(512 + b.bitAddress({5, 3, 0})),
            (SmallVector<int64_t, 4>{5, 3, 0}));
  forEach(e, [&](ArrayRef<int64_t> x) {
    EXPECT_EQ(ArrayRef<int64_t>(*b.elementAt(b.bitAddress(x))), x);
  });
}

TEST(BoundLayout, PositionalDigits) {
  BoundLayout b = cantFail(trit5().bind({{'n', 2}, {'k', 7}, {'b', 2}}));
  EXPECT_EQ(b.totalBytes(), 4);
  EXPECT_EQ(b.wordBits(), 8);
  EXPECT_EQ(b.wordDigits(), 5);
  EXPECT_EQ(b.bitAddress({1, 6, 0}), 24);
  EXPECT_EQ(b.digitIndex({1, 6, 0}), 1u);
  EXPECT_EQ(*b.elementAt(24, 1), (SmallVector<int64_t, 4>{1, 6, 0}));
  EXPECT_FALSE(b.elementAt(24, 2));
}

TEST(BoundLayout, RandomLayoutsAreBijectiveByCounting) {
  RandomLayout random(3);
  int pieces = 0;
  for (int i = 0; i < 300; ++i) {
    Extents extents = random.extents(i % 2);
    Layout layout = random.layout(extents);
    BoundLayout bound = cantFail(layout.bind(extents));
    pieces += bound.pieces().size() > 1;
    std::string reason;
    ASSERT_TRUE(bound.isBijective(&reason)) << layout.str() << ": " << reason;
    std::vector<bool> used(bound.totalUnits());
    forEach(extents, [&](ArrayRef<int64_t> x) {
      int64_t at = bound.bitAddress(x);
      ASSERT_GE(at, 0);
      ASSERT_LT(at, bound.totalUnits());
      ASSERT_FALSE(used[at]) << layout.str();
      used[at] = true;
      auto back = bound.elementAt(at);
      ASSERT_TRUE(back) << layout.str();
      ASSERT_EQ(ArrayRef<int64_t>(*back), x) << layout.str();
    });
    // What no element uses is padding.
    for (int64_t at = 0; at < bound.totalUnits(); ++at)
      ASSERT_EQ(bound.elementAt(at).has_value(), bool(used[at]))
          << layout.str() << " at " << at;
  }
  EXPECT_GT(pieces, 50);
}

// isBijective fixes digits that all pieces share; counting everything must
// agree, on good layouts and on bad ones.
TEST(BoundLayout, CollisionsAreFoundExactlyWhereTheyAre) {
  RandomLayout random(4);
  int bad = 0;
  for (int i = 0; i < 400; ++i) {
    int64_t c = 1 + random.below(3), base = random.below(5);
    std::string text = "n@2:4<" + std::to_string(c) +
                       ": bit=[b:2, n:2], cut(9)=[n@2:" + std::to_string(c) +
                       "], tile=[k:4, n@8:*], rest=[k@4:*]; n@2:4>=" +
                       std::to_string(random.below(4)) +
                       ": bit=" + std::to_string(random.below(3)) +
                       "+[b:2, n:2], cut(9)=" + std::to_string(base) +
                       "+[n@2:4], tile=[k:4, n@8:*], rest=[k@4:*]";
    Extents extents = {
        {'n', 1 + random.below(20)}, {'k', 1 + random.below(9)}, {'b', 2}};
    Expected<Layout> layout = Layout::parse(text);
    if (!layout) { // digits that overlap are refused before that
      consumeError(layout.takeError());
      continue;
    }
    BoundLayout bound = cantFail(layout->bind(extents));
    std::map<int64_t, int> count;
    bool good = true;
    forEach(extents, [&](ArrayRef<int64_t> x) {
      int covers = 0;
      for (const BoundPiece &piece : bound.pieces()) {
        bool inside = true;
        for (const BoundCondition &c : piece.conditions)
          inside &= c.condition.holds(x[c.axis]);
        covers += inside;
      }
      good &= covers == 1;
      good &= ++count[bound.bitAddress(x)] == 1;
    });
    std::string reason;
    EXPECT_EQ(bound.isBijective(&reason), good) << text;
    EXPECT_EQ(reason.empty(), good);
    bad += !good;
  }
  EXPECT_GT(bad, 50);
  EXPECT_LT(bad, 400);
}

TEST(BoundLayout, SaysWhyItIsNotBijective) {
  std::string reason;
  Extents e = {{'n', 4}, {'b', 2}};
  EXPECT_FALSE(bindTo("b<1: bit=[b:1], t=[n:*]; b>=1: bit=[], t=[n:*]", e)
                   .isBijective(&reason));
  EXPECT_EQ(reason, "elements (n=0, b=0) and (n=0, b=1) share address 0");
  EXPECT_FALSE(bindTo("b<1: bit=[b:1], t=[n:*]", e).isBijective(&reason));
  EXPECT_EQ(reason, "element (n=0, b=1) lies in 0 pieces; conditions must "
                    "cover each element once");
  EXPECT_EQ(bindTo("b<1: bit=[b:1], t=[n:*]", e).bitAddress({0, 1}), -1);
}

TEST(BoundLayout, IsBijectiveIsFastWhereTheMatrixIsLarge) {
  Extents e = {{'n', 65536}, {'g', 512}, {'k', 32}, {'b', 7}};
  EXPECT_TRUE(cantFail(panel(7).bind(e)).isBijective());
}

TEST(BoundLayout, Messages) {
  EXPECT_EQ(why("bit=[b:4], x=[k:8], t=[n:*]", {{'n', 1}, {'k', 9}, {'b', 4}}),
            "layout: axis k has 9 positions but the digits cover 8; end it "
            "with k@8:*");
  EXPECT_EQ(why("bit=[b:4], t=[n:*]", {{'n', 1}, {'k', 9}, {'b', 4}}),
            "layout: axis k has 9 positions but the digits cover 1; add digits "
            "of k");
  EXPECT_EQ(why("bit=[b:4], t=[n:*], r=[r:*]", {{'n', 1}, {'b', 4}}),
            "layout: axis r has no extent, so its digit replicates and needs a "
            "number instead of '*'");
  EXPECT_EQ(why("bit=[b:4], t(3)=[n:*]", {{'n', 4}, {'b', 4}}),
            "layout: space t has 3 positions but needs 4 for these extents");
  EXPECT_EQ(why("b<2: bit=[b:2], x=[]; b>=2: bit=[b:2], x=2+[]", {{'b', 4}}),
            "layout: pieces disagree on the size of space x, 1 and 3; declare "
            "it, as in x(3)=[...]");
  EXPECT_EQ(why("b>=2: bit=[b:2]", {{'b', 2}}),
            "layout: no piece covers an element of this tensor");
  EXPECT_EQ(
      why("b<2: bit=[b:2], x(2)=[]; b>=2: bit=[b:2], x(2)=1+[]", {{'b', 5}}),
      "layout: axis b: 3 values of the constrained digit b are placed by "
      "digits for 2");
  EXPECT_EQ(why("t=[n:*]", {{'n', 0}}),
            "layout: axis n has extent 0; extents must be at least 1");
  EXPECT_EQ(why("t=[n:*]", {{'n', 2}, {'n', 3}}),
            "layout: axis n has two extents");
  EXPECT_EQ(why("t=[n:*, k:*]", {{'n', 1ll << 40}, {'k', 1ll << 40}}),
            "layout: the extents multiply to more than 2^56 elements");
  EXPECT_EQ(why("x(1000000000)=[], y(1000000000)=[n:*]", {{'n', 2}}),
            "layout: the tensor takes more than 2^56 bits");
  EXPECT_EQ(why("x=[k:2^n:2], y=[n:*]", {{'n', 4}}),
            "layout: the swizzle of k by n needs extents of both axes");
  EXPECT_EQ(why("x=[n:*], y=[r:70000]", {{'n', 4}}),
            "layout: more than 65536 copies of each element");
  EXPECT_EQ(why("byte=radix 3 [k:50], y=[k@50:*]", {{'k', 4}}),
            "layout: 50 digits to base 3 do not fit whole bytes of a 64-bit "
            "number; use fewer");
  EXPECT_EQ(why("byte(8)=radix 3 [k:6], y=[k@6:*]", {{'k', 4}}),
            "layout: space byte has 8 bits but 6 digits to base 3 need 16");
}

TEST(Picture, BitsOfABox) {
  BoundLayout b = cantFail(matMulNBits(4).bind({{'n', 2}, {'k', 3}, {'b', 4}}));
  EXPECT_EQ(picture(b, 16), R"(         7  6  5  4  3  2  1  0 
byte 0 +-----------+-----------+
     n | 0  0  0  0| 0  0  0  0|
     k | 1  1  1  1| 0  0  0  0|
     b | 3  2  1  0| 3  2  1  0|
byte 1 +-----------+-----------+
     n | .  .  .  .| 0  0  0  0|
     k | .  .  .  .| 2  2  2  2|
     b | .  .  .  .| 3  2  1  0|
       +-----------+-----------+
)");
}

TEST(Picture, NumbersToABase) {
  BoundLayout b = cantFail(trit5().bind({{'n', 1}, {'k', 7}, {'b', 2}}));
  EXPECT_EQ(picture(b),
            "byte 0 = (n0 k0) + 3*(n0 k1) + 9*(n0 k2) + 27*(n0 k3) + "
            "81*(n0 k4)\nbyte 1 = (n0 k5) + 3*(n0 k6)\n");
}

} // namespace
