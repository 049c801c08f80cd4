//===- PanelTest.cpp ------------------------------------------------------===//

#include "lib/Layout/Panel.h"
#include "lib/Layout/Catalogue.h"
#include "gtest/gtest.h"

using namespace llvm;
using namespace mezzo;

namespace {

struct Shape {
  unsigned bits, rows, vectors;
};

class PanelOfWidth : public testing::TestWithParam<Shape> {};

TEST_P(PanelOfWidth, EveryBitOfEveryRowGroupHasAPlaceOfItsOwn) {
  auto [bits, rows, vectors] = GetParam();
  Expected<PanelFields> panel = panelFields(mezzo::panel(bits), bits);
  ASSERT_TRUE(bool(panel)) << toString(panel.takeError());
  EXPECT_EQ(panel->bits, bits);
  EXPECT_EQ(panel->rowsPerPanel, rows);
  EXPECT_EQ(panel->vectorsPerStep, vectors);
  EXPECT_EQ(panel->stepBytes(), vectors * 32);
  ASSERT_EQ(panel->fields.size(), rows / 8);

  std::vector<uint8_t> used(vectors, 0);
  for (const auto &fields : panel->fields) {
    unsigned codeBits = 0;
    for (const Field &f : fields) {
      ASSERT_LT(f.unit, vectors);
      ASSERT_LE(f.shift + f.width, 8u);
      unsigned mask = ((1u << f.width) - 1) << f.shift;
      EXPECT_EQ(used[f.unit] & mask, 0u);
      used[f.unit] |= uint8_t(mask);
      EXPECT_EQ(f.codeBit, codeBits);
      codeBits += f.width;
    }
    EXPECT_EQ(codeBits, bits);
  }
  // No bit of a panel is wasted.
  for (uint8_t byte : used)
    EXPECT_EQ(byte, 0xff);
}

INSTANTIATE_TEST_SUITE_P(Widths, PanelOfWidth,
                         testing::Values(Shape{1, 64, 1}, Shape{2, 64, 2},
                                         Shape{3, 64, 3}, Shape{4, 32, 2},
                                         Shape{5, 64, 5}, Shape{6, 32, 3},
                                         Shape{7, 64, 7}, Shape{8, 16, 2}),
                         [](const auto &info) {
                           return "W" + std::to_string(info.param.bits);
                         });

unsigned wholeFields(unsigned bits) {
  unsigned count = 0;
  for (const auto &fields : cantFail(panelFields(panel(bits), bits)).fields)
    count += fields.size() == 1;
  return count;
}

TEST(PanelFields, OddWidthsKeepAsManyWholeFieldsAsMeasuredBest) {
  EXPECT_EQ(wholeFields(3), 6u);
  EXPECT_EQ(wholeFields(5), 5u);
  EXPECT_EQ(wholeFields(6), 3u);
  EXPECT_EQ(wholeFields(7), 7u);
  // Row group 6 of 3 bits: two bits at the top of vector 0, one of vector 2.
  auto fields = cantFail(panelFields(panel(3), 3)).fields[6];
  ASSERT_EQ(fields.size(), 2u);
  EXPECT_EQ(fields[0], (Field{0, 6, 2, 0}));
  EXPECT_EQ(fields[1], (Field{2, 6, 1, 2}));
}

TEST(PanelFields, NarrowCodesInAByteEach) {
  PanelFields p = cantFail(panelFields(panel(8), 5));
  EXPECT_EQ(p.rowsPerPanel, 16u);
  ASSERT_EQ(p.fields.size(), 2u);
  EXPECT_EQ(p.fields[1][0], (Field{1, 0, 5, 0}));
}

std::string why(StringRef text, unsigned bits = 4) {
  Expected<PanelFields> p = panelFields(cantFail(Layout::parse(text)), bits);
  return p ? "" : toString(p.takeError());
}

TEST(PanelFields, SaysWhyALayoutIsNoPanel) {
  EXPECT_EQ(why("bit=[b:4, k:2], line=[k@2:*], tile=[n:*]"),
            "not a panel: steps must be counted by k@4:*, not k@2:*");
  EXPECT_EQ(why("bit=[b:8], lane=[k:4], step=[k@4:*], panel=[n:*]"),
            "not a panel: the last digit of n must be n@R:*, R a multiple of 8 "
            "and equal in all pieces");
  EXPECT_EQ(why("bit=[b:8], lane=[n:8, k:4], step=[k@4:*], panel=[n@8:*]"),
            "not a panel: bit 0 of the code at n=0, k=1 lies at bit 64 instead "
            "of 8; byte k + 4*(n mod 8) of its vector is wanted");
  EXPECT_EQ(why("bit=[b:4], lane=[k:4, n:8], line=[n@8:2, b@4:2], "
                "step=[k@4:*], panel=[n@16:*]",
                9),
            "a panel holds codes of 1 to 8 bits, not 9");
  EXPECT_EQ(why("bit=[b:4, n@8:2^n@16:2], lane=[k:4, n:8], step=[k@4:*], "
                "line=[n@16:2], panel=[n@32:*]"),
            "not a panel: it has swizzles or positional digits");
  EXPECT_EQ(why("n@16<5: bit=[b:8], lane=[k:4, n:8], line=[n@8:2], "
                "step=[k@4:*], p(9)=[n@16:*];"
                "n@16>=5: bit=[b:8], lane=[k:4, n:8], line=[n@8:2], "
                "step=[k@4:*], p(9)=5+[n@16:*]"),
            "not a panel: a piece has conditions beyond 16 rows");
}

TEST(PanelRecord, PlacesHeadsAndTables) {
  PanelFields panel = cantFail(panelFields(mezzo::panel(4), 4));
  // Four bits, 32 rows: a step is 64 bytes. Six-bit scales take 24 bytes.
  RecordParts parts{/*group=*/32,          /*scaleBits=*/6,
                    /*offsetBits=*/6,
                    /*superScaleBits=*/16, /*superOffsetBits=*/16,
                    /*superGroups=*/4,     /*tableBytes=*/40};
  PanelRecord record = panelRecord(panel, parts);
  EXPECT_EQ(record.steps, 8);
  EXPECT_EQ(record.scales, 512);
  EXPECT_EQ(record.offsets, 512 + 24);
  EXPECT_EQ(record.bytes, 576);
  EXPECT_EQ(record.superOffsets, 64);
  EXPECT_EQ(record.headBytes, 128);
  EXPECT_EQ(record.tableBytes, 64);
  // 64 of tables, a head, four records, a head, two records.
  EXPECT_EQ(record.headAt(0), 64);
  EXPECT_EQ(record.recordAt(0), 64 + 128);
  EXPECT_EQ(record.recordAt(3), 64 + 128 + 3 * 576);
  EXPECT_EQ(record.headAt(1), 64 + 128 + 4 * 576);
  EXPECT_EQ(record.recordAt(4), record.headAt(1) + 128);
  EXPECT_EQ(record.panelBytes(6), record.recordAt(5) + 576);
  // One head for the whole row, and none.
  parts.superGroups = 0;
  EXPECT_EQ(panelRecord(panel, parts).recordAt(5), 64 + 128 + 5 * 576);
  record = panelRecord(panel, {32, 32});
  EXPECT_EQ(record.recordAt(2), 2 * 640);
  EXPECT_EQ(record.panelBytes(3), 3 * 640);
  EXPECT_EQ(record.offsets, record.bytes);
}

TEST(PanelRecord, SplitsBitsIntoPlanes) {
  auto planes = [](unsigned bits) {
    SmallVector<unsigned, 3> widths = planesOf(bits);
    return std::vector<unsigned>(widths.begin(), widths.end());
  };
  EXPECT_EQ(planes(8), std::vector<unsigned>({8}));
  EXPECT_EQ(planes(7), std::vector<unsigned>({4, 2, 1}));
  EXPECT_EQ(planes(6), std::vector<unsigned>({4, 2}));
  EXPECT_EQ(planes(1), std::vector<unsigned>({1}));
}

} // namespace
