//===- KnobsTest.cpp - knobs, and the space of a product ------------------===//

#include "lib/Tuning/Knobs.h"

#include <gtest/gtest.h>

using namespace mezzo;

namespace {

KnobValues valuesOf(llvm::StringRef text) {
  KnobValues values({4, 2, 2, 2, 512, 64});
  llvm::cantFail(values.set(text));
  return values;
}

std::string errorOf(llvm::StringRef text) {
  KnobValues values;
  return llvm::toString(values.set(text));
}

TEST(Knobs, AreWrittenAndRead) {
  KnobValues values = valuesOf("rows=6, chunk=0");
  EXPECT_EQ(values.str(),
            "rows=6,groups=2,unroll=2,streams=2,block=512,chunk=0");
  KnobValues again;
  ASSERT_FALSE(bool(again.set(values.str())));
  EXPECT_EQ(again, values);
}

TEST(Knobs, SayWhatIsWrongWithText) {
  EXPECT_EQ(errorOf("columns=2"),
            "has no knob 'columns': it has rows, groups, unroll, streams, "
            "block, chunk; write rows=4,unroll=2");
  EXPECT_EQ(errorOf("rows=many"),
            "has the knob 'rows=many': write a number, such as rows=4");
  EXPECT_EQ(errorOf("rows"),
            "has the knob 'rows': write a number, such as rows=4");
}

TEST(Knobs, HaveRanges) {
  EXPECT_EQ(refusalOf(valuesOf("")), std::nullopt);
  EXPECT_EQ(refusalOf(valuesOf("rows=17")), "the knob rows is 17: use 1..16");
  EXPECT_EQ(refusalOf(valuesOf("block=6,chunk=0")),
            "a block of 6 and a chunk of 0 columns: use multiples of 4");
  EXPECT_EQ(refusalOf(valuesOf("block=96")),
            "a block of 96 columns is cut by chunks of 64: use a multiple of "
            "the chunk");
}

TEST(KnobSpace, ListsWhatIsLegalAndWorthATry) {
  KnobSpace space(valuesOf(""));
  space.setValues(Knob::Rows, {1, 2, 4, 8});
  space.setValues(Knob::Groups, {1, 2, 4});
  space.setValues(Knob::Chunk, {0, 64, 128});
  space.require("exact", [](const KnobValues &values) {
    return values[Knob::Chunk] > 64
               ? std::optional<std::string>("a chunk of more than 64")
               : std::nullopt;
  });
  space.exclude("registers", [](const KnobValues &values) {
    return values[Knob::Rows] * values[Knob::Groups] > 8
               ? std::optional<std::string>("too many sums")
               : std::nullopt;
  });
  std::vector<KnobValues> all = space.candidates();
  // 4 + 4 + ... : pairs of rows and groups with a product of at most 8, each
  // with two chunks.
  EXPECT_EQ(all.size(), 2u * (3 + 3 + 2 + 1));
  for (const KnobValues &values : all)
    EXPECT_EQ(space.refusal(values), std::nullopt) << values.str();
  // Forced by name, what is only excluded is legal.
  EXPECT_EQ(space.refusal(valuesOf("rows=8,groups=4")), std::nullopt);
  EXPECT_FALSE(space.isWorthTrying(valuesOf("rows=8,groups=4")));
  EXPECT_EQ(space.refusal(valuesOf("chunk=128")), "a chunk of more than 64");

  EXPECT_EQ(space.neighbours(space.seed(), {Knob::Groups}).size(), 2u);
}

TEST(KnobSpace, KeepsItsSeedWhateverIsExcluded) {
  KnobSpace space(valuesOf(""));
  space.exclude("all", [](const KnobValues &) {
    return std::optional<std::string>("no");
  });
  EXPECT_EQ(space.candidates(), std::vector<KnobValues>{space.seed()});
}

TEST(KnobSpace, HashesWhatItIs) {
  KnobSpace a(valuesOf("")), b(valuesOf(""));
  EXPECT_EQ(a.hash(), b.hash());
  b.setValues(Knob::Rows, {1});
  EXPECT_NE(a.hash(), b.hash());
  a.setValues(Knob::Rows, {1});
  a.require("more", [](const KnobValues &) -> std::optional<std::string> {
    return std::nullopt;
  });
  EXPECT_NE(a.hash(), b.hash());
}

} // namespace
