//===- LutPanelTest.cpp ---------------------------------------------------===//

#include "lib/Layout/LutPanel.h"
#include "lib/Layout/Catalogue.h"
#include "gtest/gtest.h"

using namespace llvm;
using namespace mezzo;

namespace {

struct Shape {
  unsigned bits, rowsPerGroup, vectors;
};

class LutPanelOfWidth : public testing::TestWithParam<Shape> {};

TEST_P(LutPanelOfWidth, EveryPlaneOfEveryRowHasAByteOfItsOwn) {
  auto [bits, rowsPerGroup, vectors] = GetParam();
  Expected<PanelFields> panel = lutFields(lutPanel(bits), bits);
  ASSERT_TRUE(bool(panel)) << toString(panel.takeError());
  EXPECT_TRUE(panel->holdsIndices());
  EXPECT_EQ(panel->bits, bits);
  EXPECT_EQ(panel->rowsPerPanel, 64u);
  EXPECT_EQ(panel->rowsPerGroup, rowsPerGroup);
  EXPECT_EQ(panel->vectorsPerStep, vectors);
  ASSERT_EQ(panel->fields.size(), 64 / rowsPerGroup);

  // No nibble of a step is wasted or used twice.
  std::vector<uint8_t> used(vectors, 0);
  for (const auto &fields : panel->fields) {
    ASSERT_EQ(fields.size(), panel->planes.size());
    for (const Field &f : fields) {
      ASSERT_LT(f.unit, vectors);
      EXPECT_EQ(f.width, 4u);
      EXPECT_EQ(used[f.unit] >> f.shift & 15, 0);
      used[f.unit] |= uint8_t(15 << f.shift);
    }
  }
  for (uint8_t nibbles : used)
    EXPECT_EQ(nibbles, 0xff);

  // And every plane of sixteen rows has one byte of the lanes.
  unsigned halves = rowsPerGroup / 16;
  std::vector<unsigned> seen(bits * halves);
  for (const auto &pair : panel->planes)
    for (PlaneByte byte : pair)
      ++seen[byte.plane * halves + byte.half];
  EXPECT_EQ(seen, std::vector<unsigned>(bits * halves, 1));
}

INSTANTIATE_TEST_SUITE_P(Widths, LutPanelOfWidth,
                         testing::Values(Shape{1, 32, 1}, Shape{2, 16, 2},
                                         Shape{3, 32, 3}, Shape{4, 16, 4}),
                         [](const auto &info) {
                           return "W" + std::to_string(info.param.bits);
                         });

TEST(LutFields, PairsArePlanesOfARowOrRowsOfAPlane) {
  using Pair = std::array<PlaneByte, 2>;
  PanelFields two = cantFail(lutFields(lutPanel(2), 2));
  ASSERT_EQ(two.planes.size(), 1u);
  EXPECT_EQ(two.planes[0], (Pair{PlaneByte{0, 0}, {1, 0}}));
  EXPECT_EQ(two.fields[3][0], (Field{1, 4, 4, 0}));

  PanelFields three = cantFail(lutFields(lutPanel(3), 3));
  ASSERT_EQ(three.planes.size(), 3u);
  EXPECT_EQ(three.planes[0], (Pair{PlaneByte{0, 0}, {1, 0}}));
  EXPECT_EQ(three.planes[1], (Pair{PlaneByte{2, 0}, {2, 1}}));
  EXPECT_EQ(three.planes[2], (Pair{PlaneByte{0, 1}, {1, 1}}));
  EXPECT_EQ(three.fields[1][1], (Field{2, 4, 4, 2}));
}

TEST(LutFields, EitherKindIsFound) {
  EXPECT_TRUE(cantFail(fieldsOfAnyPanel(lutPanel(2), 2)).holdsIndices());
  EXPECT_FALSE(cantFail(fieldsOfAnyPanel(panel(2), 2)).holdsIndices());
  Expected<PanelFields> none = fieldsOfAnyPanel(lut2(), 2);
  ASSERT_FALSE(bool(none));
  EXPECT_EQ(toString(none.takeError()),
            "not a panel: steps must be counted by k@4:*, not k@32:*");
}

std::string why(StringRef text, unsigned bits) {
  Expected<PanelFields> p = lutFields(cantFail(Layout::parse(text)), bits);
  return p ? "" : toString(p.takeError());
}

TEST(LutFields, SaysWhyALayoutIsNoPanelOfIndices) {
  EXPECT_EQ(why(panel(5).str(), 5),
            "a panel of indices holds codes of 1 to 4 bits, not 5");
  EXPECT_EQ(why(panel(2).str(), 2),
            "not a panel of indices: bit 1 of row 0 lies at bit 1, not in a "
            "nibble of the first two bytes of a 32-byte vector");
  EXPECT_EQ(why("bit=[k:4, n@8:2], lane=[b:2, n:8], line=[n@16:2], "
                "step=[k@4:*], panel=[n@32:*]",
                2),
            "not a panel of indices: bit 0 of row 16 lies at bit 128, not in a "
            "nibble of the first two bytes of a 32-byte vector");
  EXPECT_EQ(why("bit=[k:4, n@16:2], lane=[b:2, n@2:8, n:2], step=[k@4:*], "
                "panel=[n@32:*]",
                2),
            "not a panel of indices: bit 0 of the code at n=1, k=0 lies at bit "
            "128 instead of 16; bit k mod 4 of a nibble of the 16-bit lane n "
            "mod 16 is wanted");
  EXPECT_EQ(
      why("bit=[k:4, b:2], lane=[n:32], step=[k@4:*], panel=[n@32:*]", 2),
      "not a panel of indices: a plane of row group 0 has no other beside "
      "it in its lanes");
}

} // namespace
