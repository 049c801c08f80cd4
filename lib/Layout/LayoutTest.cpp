//===- LayoutTest.cpp - Text form, normal form, checks, quotient ----------===//

#include "lib/Layout/Layout.h"
#include "lib/Layout/Catalogue.h"
#include "lib/Layout/RandomLayout.h"
#include "gtest/gtest.h"

using namespace llvm;
using namespace mezzo;
using test::RandomLayout;

namespace {

Layout parse(StringRef text) { return cantFail(Layout::parse(text)); }

std::string why(StringRef text) {
  Expected<Layout> layout = Layout::parse(text);
  return layout ? "" : toString(layout.takeError());
}

TEST(LayoutText, PrintsWhatItReads) {
  for (StringRef text :
       {"bit=[b:4, k:2], line=[k@2:*], tile=[n:*]",
        "bit(32)=[b:3, k:10], line=[k@10:*], tile=[n:*]",
        "byte=radix 3 [k:5], line=[k@5:*], tile=[n:*]",
        "bit=[b:4, n@2:2^k:2], line=[n:2], tile=[k:*, n@4:*], copy=[r:3]",
        "b<2: bit=[b:2], line(3)=[k:*]; b>=2: bit=4+[b:2], line(3)=1+[k:*]",
        "n@8:8>=2, n@8:8<6: bit=[b:1], x(4)=[n:8, n@8:4, n@64:*]"})
    EXPECT_EQ(parse(text).str(), text);
}

TEST(LayoutText, WhiteSpaceAndALastSemicolonAreFree) {
  EXPECT_EQ(parse(" b < 2 :\n bit = [ b : 2 ] , line (3) = 1 + [ ] ;\n").str(),
            "b<2: bit=[b:2], line(3)=1+[]");
}

TEST(LayoutText, RandomLayoutsSurviveTheRoundTrip) {
  RandomLayout random(1);
  for (int i = 0; i < 500; ++i) {
    Layout layout = random.layout(random.extents());
    EXPECT_EQ(parse(layout.str()), layout);
    EXPECT_EQ(hash_value(parse(layout.str())), hash_value(layout));
    Layout normal = layout.canonical();
    EXPECT_EQ(normal.canonical(), normal) << layout.str();
    EXPECT_EQ(parse(normal.str()), normal) << layout.str();
  }
}

TEST(LayoutText, SyntaxErrorsPointAtTheColumn) {
  EXPECT_EQ(why(""), "layout, column 1: expected the name of a space, as in "
                     "bit=[...], found the end");
  EXPECT_EQ(why("bit=[b:4, k:2"),
            "layout, column 14: expected ']' after the digits of a space, "
            "found the end");
  EXPECT_EQ(why("bit=[b4]"), "layout, column 7: an axis is a single letter, "
                             "found '4]'");
  EXPECT_EQ(why("bit=[4:b]"),
            "layout, column 6: expected an axis, a single letter such as n, k "
            "or b, found '4:b]'");
  EXPECT_EQ(why("bit=[b 4]"), "layout, column 8: expected ':' before the radix "
                              "of a digit, found '4]'");
  EXPECT_EQ(why("bit=[b:0]"),
            "layout, column 9: a radix must be at least 1, or '*', found ']'");
  EXPECT_EQ(why("bit=[b@0:2]"),
            "layout, column 9: a stride must be at least 1, found ':2]'");
  EXPECT_EQ(why("bit=[b:x]"),
            "layout, column 8: expected a number, found 'x]'");
  EXPECT_EQ(why("bit=[b:99999999999999999999]"),
            "layout, column 8: number 99999999999999999999 is larger than "
            "2^56, found '999999999999'");
  EXPECT_EQ(why("bit=b:4]"), "layout, column 5: expected '[' before the digits "
                             "of a space, found 'b:4]'");
  EXPECT_EQ(why("bit 3"), "layout, column 5: expected '=' after the name of a "
                          "space, found '3'");
  EXPECT_EQ(why("bit(0)=[]"), "layout, column 7: the size of a space must be "
                              "at least 1, found '=[]'");
  EXPECT_EQ(why("bit(8=[]"), "layout, column 6: expected ')' after the size of "
                             "a space, found '=[]'");
  EXPECT_EQ(why("bit=3[b:1]"), "layout, column 6: expected '+' between the "
                               "base and the digits of a space, found '[b:1]'");
  EXPECT_EQ(why("byte=radix 2 [k:5]"),
            "layout, column 14: positional packing needs a radix from 3 to "
            "256, not 2, found '[k:5]'");
  EXPECT_EQ(why("b>2: bit=[b:1]"),
            "layout, column 3: expected '=' after '>'; use >= or <, found "
            "'2: bit=[b:1]'");
  EXPECT_EQ(why("b: bit=[b:1]"),
            "layout, column 4: expected a number, found 'bit=[b:1]'");
  EXPECT_EQ(why("b:3 bit=[b:1]"), "layout, column 5: expected '<' or '>=' in a "
                                  "condition, found 'bit=[b:1]'");
  EXPECT_EQ(why("b<2 bit=[b:1]"),
            "layout, column 5: expected ':' after the conditions of a piece, "
            "found 'bit=[b:1]'");
  EXPECT_EQ(why("bit=[k:4^n:2]"), "layout, column 13: both sides of '^' must "
                                  "have the same radix, found ']'");
  EXPECT_EQ(why("bit=[b:1] tile=[n:*]"), "layout, column 11: expected ',' or "
                                         "';' or the end, found 'tile=[n:*]'");
  std::string many;
  for (int i = 0; i < 70; ++i)
    many += "bit=[b:1];";
  EXPECT_EQ(why(many),
            "layout, column 641: more than 64 pieces, found 'bit=[b:1];bi'");
}

TEST(LayoutChecks, DigitsMustTileTheirAxis) {
  EXPECT_EQ(why("bit=[b:4, k@2:4]"),
            "layout: axis k: nothing places k, the next digit is k@2");
  EXPECT_EQ(why("bit=[b:4, k:2], line=[k@4:*]"),
            "layout: axis k: nothing places k@2, the next digit is k@4");
  EXPECT_EQ(why("bit=[b:4, k:4], line=[k@2:*]"),
            "layout: axis k: digit k@2 overlaps the one below it");
  EXPECT_EQ(why("line=[k:*, k@4:2]"),
            "layout: digit k@4 comes after the '*' of axis k");
}

TEST(LayoutChecks, Spaces) {
  EXPECT_EQ(why("bit=[b:4], bit=[k:*]"), "layout: space bit is declared twice");
  EXPECT_EQ(why("bit(8)=[b:4, k:4]"), "layout: space bit has 8 positions but "
                                      "its digits need 16; declare bit(16)");
  EXPECT_EQ(why("line(3)=2+[k:2]"), "layout: space line has 3 positions but "
                                    "its digits need 4; declare line(4)");
  EXPECT_EQ(why("x=[k:1000000000, n:1000000000]"),
            "layout: the digits of space x have more than 2^56 positions");
  EXPECT_EQ(why("x=[k:3^n:3, n:*]"),
            "layout: the swizzle of k needs a radix that is a power of two");
  EXPECT_EQ(why("x=[k:4^n:4, n:4^k:4]"),
            "layout: the operand n of a swizzle is itself swizzled; place it "
            "plainly");
  EXPECT_EQ(why("x=[n:*], byte=radix 3 [k:5]"),
            "layout: positional packing must be the first space, not byte");
  EXPECT_EQ(why("byte=radix 3 [k:*]"),
            "layout: positional packing takes neither '*' nor conditions");
  EXPECT_EQ(why("byte=radix 3 [k:5], x=[b:2]"),
            "layout: positional packing places whole codes; drop the digits "
            "of b");
}

TEST(LayoutChecks, Pieces) {
  EXPECT_EQ(why("b<2: bit=[b:2]; b>=2: line=[]"),
            "layout, piece 2: all pieces must declare the same spaces in the "
            "same order as the first");
  EXPECT_EQ(why("b>=2, b<2: bit=[b:2]; bit=[b:2]"),
            "layout, piece 1: the conditions on b leave nothing: at least 2 "
            "and less than 2");
  EXPECT_EQ(why("n:8>=8: bit=[b:2]"),
            "layout: the condition n:8>=8 never holds");
  EXPECT_EQ(why("n:8>=2, n@4:4<2: bit=[n:*]"),
            "layout: two conditions of a piece overlap on axis n; constrain "
            "one digit");
  EXPECT_EQ(why("n@8:8<6: x=[n:8, n@8:4, n@64:*]"),
            "layout: axis n: 6 values of the constrained digit n@8 are placed "
            "by digits for 4");
  EXPECT_EQ(why("n@8:8<6: x=[n:16, n@16:4, n@64:*]"),
            "layout: the condition on n@8 falls inside a digit; split that "
            "digit at 8");
  EXPECT_EQ(why("n@8:8<6: x=[n:8, n@8:16, n@128:*]"),
            "layout: digit n@8:16 reaches over the end of the constrained "
            "digit at n@64");
}

TEST(LayoutCanonical, MergesAndDrops) {
  auto normal = [](StringRef text) { return parse(text).canonical().str(); };
  EXPECT_EQ(normal("x=[k:4, k@4:8]"), "x=[k:32]");
  EXPECT_EQ(normal("x=[k:4, n:1, k@4:8, k@32:*]"), "x=[k:32, k@32:*]");
  EXPECT_EQ(normal("x=[k:4], y=[k@4:8]"), "x=[k:4], y=[k@4:8]");
  EXPECT_EQ(normal("x=[k@4:8, k:4]"), "x=[k@4:8, k:4]");
  EXPECT_EQ(normal("bit(8)=[b:3], line(4)=[k:4], e=[], t=[n:*]"),
            "bit=[b:3], line=[k:4], t=[n:*]");
  EXPECT_EQ(normal("bit(32)=[b:3, k:10]"), "bit=[b:3, k:10]");
  EXPECT_EQ(normal("bit(64)=[b:3, k:10]"), "bit(64)=[b:3, k:10]");
  EXPECT_EQ(normal("b>=2: bit=[], x(3)=2+[]; b<2: bit=[], x(3)=[b:2]"),
            "b<2: bit=[], x(3)=[b:2]; b>=2: bit=[], x(3)=2+[]");
  // A constrained run is counted from its own bound: no merging across.
  StringRef run = "n@8:8>=0: x=[n:8, n@8:8, n@64:2]";
  EXPECT_EQ(normal(run), run);
  EXPECT_EQ(normal("byte=radix 3 [k:2, k@2:2]"), "byte=radix 3 [k:4]");
}

TEST(LayoutCanonical, KeepsTheMeaning) {
  RandomLayout random(2);
  for (int i = 0; i < 200; ++i) {
    Extents extents = random.extents();
    Layout layout = random.layout(extents);
    BoundLayout a = cantFail(layout.bind(extents));
    BoundLayout b = cantFail(layout.canonical().bind(extents));
    ASSERT_EQ(a.totalUnits(), b.totalUnits()) << layout.str();
    for (int64_t n = 0; n < a.extent('n'); ++n)
      for (int64_t k = 0; k < a.extent('k'); ++k)
        ASSERT_EQ(a.bitAddress({n, k, 0}), b.bitAddress({n, k, 0}))
            << layout.str();
  }
}

//===----------------------------------------------------------------------===//
// Quotients
//===----------------------------------------------------------------------===//

std::string quotient(const Layout &layout, StringRef drop, int64_t group = 0) {
  Expected<Layout> q = layout.quotient(drop, group);
  return q ? q->str() : toString(q.takeError());
}

TEST(LayoutQuotient, SplitsColumnsAtTheGroup) {
  EXPECT_EQ(quotient(matMulNBits(4), "b", 32), "line=[g:*], tile=[n:*]");
  EXPECT_EQ(
      quotient(parse("bit=[b:4, k:2], x=[k@2:64], y=[k@128:*, n:*]"), "b", 32),
      "x=[g:4], y=[g@4:*, n:*]");
  EXPECT_EQ(quotient(parse("bit=[b:8], x=[k:8, n:4], y=[k@8:*, n@4:*]"), "bk"),
            "x=[n:4], y=[n@4:*]");
  EXPECT_EQ(quotient(parse("bit=[b:8]"), "b"), "scalar=[]");
}

TEST(LayoutQuotient, ScalesOfAVectorLieBesideEachOther) {
  StringRef outside = ", group=[g:*], panel=[n@64:*]";
  EXPECT_EQ(quotient(panel(1), "bk"),
            ("lane=[n:8], field=[n@8:8]" + outside).str());
  EXPECT_EQ(quotient(panel(4), "bk"),
            "lane=[n:8], field=[n@8:2], line=[n@16:2], group=[g:*], "
            "panel=[n@32:*]");
  EXPECT_EQ(quotient(panel(5), "bk"),
            ("lane=[n:8], line=[n@8:8]" + outside).str());
  EXPECT_EQ(quotient(panel(6), "bk"),
            "lane=[n:8], line=[n@8:4], group=[g:*], panel=[n@32:*]");
  // Whatever the width, the rows of a panel come in their own order.
  for (unsigned bits = 1; bits <= 8; ++bits) {
    Layout scales = cantFail(panel(bits).quotient("bk"));
    BoundLayout bound = cantFail(scales.bind({{'n', 64}, {'g', 3}}));
    EXPECT_TRUE(bound.isBijective());
    EXPECT_EQ(bound.totalUnits(), 64 * 3);
    for (int64_t n = 1; n < 16; ++n)
      EXPECT_EQ(bound.bitAddress({n, 1}), bound.bitAddress({0, 1}) + n);
  }
}

TEST(LayoutQuotient, Messages) {
  EXPECT_EQ(quotient(panel(4), "b", 32),
            "quotient: the layout has groups already; drop k instead of giving "
            "a group length");
  EXPECT_EQ(quotient(parse("bit=[b:8], x=[k:32], y=[k@32:*]"), "b", 48),
            "quotient: group length 48 does not fall on a boundary of the "
            "digit k@32; use a multiple of 32");
  EXPECT_EQ(quotient(parse("bit=[b:8], x=[k:32], y=[k@32:*]"), "b", 20),
            "quotient: group length 20 does not divide 32, where the digit "
            "k@1:32 ends");
  EXPECT_EQ(quotient(parse("x=[n:2^k:2], y=[k:*], z=[n@2:*]"), "b"),
            "quotient: the digit n@1 is swizzled, so its elements have no "
            "common order");
  EXPECT_EQ(quotient(parse("b<1: bit=[b:1], x=[n:*], y(2)=[k:*]; "
                           "b>=1: bit=[b:1], x=[k:*], y(2)=1+[n:*]"),
                     "b"),
            "quotient: the pieces order their elements differently");
  EXPECT_EQ(quotient(gptq(3), "b", 32),
            "quotient: a piece has a condition on k, which the group length "
            "splits");
  EXPECT_EQ(quotient(matMulNBits(4), "b", -1),
            "quotient: group length -1 is out of range");
}

} // namespace
