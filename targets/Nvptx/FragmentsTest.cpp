//===- FragmentsTest.cpp --------------------------------------------------===//

#include "targets/Nvptx/Fragments.h"

#include "lib/Golden/TestData.h"
#include "lib/Layout/BoundLayout.h"

#include "gtest/gtest.h"

using namespace mezzo;
using namespace mezzo::nvptx;

namespace {

/// What the widening code of a lane reads, against where the mma wants it: the
/// lane map is written down here a second time, from the PTX manual.
void checkLanes(Arithmetic arithmetic, unsigned bits) {
  bool half = arithmetic == Arithmetic::HalfFloat;
  constexpr int64_t N = 70, K = 130; // Tails in both.
  QuantizedMatrix w =
      golden::test::weight("uint" + std::to_string(bits) + "/ch", N, K, bits);
  PackedWeight packed = llvm::cantFail(packWeight(w, arithmetic));
  int64_t chunks = (K + 63) / 64, tiles = (N + 63) / 64;
  ASSERT_EQ(packed.codes.size(), size_t(tiles * chunks * 64 * 64 * bits / 8));
  unsigned per = half ? 2 : 4, room = 32 / per, depth = depthOfMma(arithmetic);
  for (int64_t tile = 0; tile < tiles; ++tile)
    for (int64_t chunk = 0; chunk < chunks; ++chunk)
      for (unsigned lane = 0; lane < 32; ++lane)
        for (unsigned step = 0; step < 64 / depth; ++step)
          for (unsigned column = 0; column < 8; ++column)
            for (unsigned h = 0; h < 2; ++h)
              for (unsigned i = 0; i < per; ++i) {
                unsigned code = 0;
                for (const CodePart &piece : partsOfCode(bits)) {
                  FieldPlace place =
                      fieldOf(arithmetic, piece.bits, step, column, h);
                  int64_t vector = (tile * chunks + chunk) * bits +
                                   piece.vector + place.word / 4;
                  const uint8_t *word = packed.codes.data() +
                                        (vector * 32 + lane) * 16 +
                                        place.word % 4 * 4;
                  uint32_t value;
                  std::memcpy(&value, word, 4);
                  code |= (value >> (place.shift + i * room) &
                           ((1u << piece.bits) - 1))
                          << piece.low;
                }
                int64_t k = chunk * 64 + step * depth + h * depth / 2 +
                            lane % 4 * per + i;
                int64_t n = tile * 64 + column * 8 + lane / 4;
                ASSERT_EQ(code, n < N && k < K ? w.code(n, k) : 0)
                    << "n " << n << ", k " << k;
              }
}

TEST(NvptxFragments, LanesFindTheirCodes) {
  for (unsigned bits = 1; bits <= 8; ++bits) {
    checkLanes(Arithmetic::HalfFloat, bits);
    checkLanes(Arithmetic::Integer, bits);
  }
}

TEST(NvptxFragments, EveryCodeHasOnePlace) {
  for (unsigned bits = 1; bits <= 8; ++bits)
    for (Arithmetic arithmetic : {Arithmetic::HalfFloat, Arithmetic::Integer}) {
      Layout layout = fragmentLayout(arithmetic, bits);
      auto bound = layout.bind({{'n', 64}, {'k', 128}, {'b', bits}});
      ASSERT_TRUE(bool(bound)) << llvm::toString(bound.takeError());
      std::string why;
      EXPECT_TRUE(bound->isBijective(&why)) << why;
      EXPECT_EQ(bound->totalBytes(), 64 * 128 * int64_t(bits) / 8);
    }
}

TEST(NvptxFragments, SaysWhatItCannotPack) {
  auto error = [](const char *spec) {
    auto packed =
        packWeight(golden::test::weight(spec, 8, 64), Arithmetic::HalfFloat);
    return packed ? "" : llvm::toString(packed.takeError());
  };
  EXPECT_EQ(error("int4/g32:f16"), "");
  EXPECT_EQ(error("ternary/g32"), "");
  EXPECT_NE(error("e2m1/g32").find("are no integers of up to 8 bits"),
            std::string::npos);
  EXPECT_NE(error("odd3/g32").find("steps by 2"), std::string::npos);
  EXPECT_NE(error("uint4/g32+min").find("offsets that are floats"),
            std::string::npos);
}

} // namespace
