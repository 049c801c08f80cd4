//===- HalfTest.cpp - against APFloat, every code and every border --------===//

#include "lib/Number/Half.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/APInt.h"
#include "gtest/gtest.h"

#include <cmath>
#include <random>

using namespace mezzo;

namespace {

float toFloatByAPFloat(uint16_t bits, const llvm::fltSemantics &semantics) {
  llvm::APFloat value(semantics, llvm::APInt(16, bits));
  bool losesInfo;
  value.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven,
                &losesInfo);
  return value.convertToFloat();
}

uint16_t toHalfByAPFloat(float input, const llvm::fltSemantics &semantics) {
  llvm::APFloat value(input);
  bool losesInfo;
  value.convert(semantics, llvm::APFloat::rmNearestTiesToEven, &losesInfo);
  return static_cast<uint16_t>(value.bitcastToAPInt().getZExtValue());
}

template <typename Narrow, typename Widen>
void checkType(const llvm::fltSemantics &semantics, Narrow narrow, Widen widen,
               uint16_t infinity) {
  // Widening: all 65536 codes.
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    float expected = toFloatByAPFloat(bits, semantics);
    float actual = widen(bits);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(actual)) << bits;
      continue;
    }
    ASSERT_EQ(bitsOf(actual), bitsOf(expected)) << bits;
    ASSERT_EQ(narrow(actual), bits);
  }
  // Narrowing is a step function. It is right everywhere if it is right at each
  // value, at each midpoint of neighbours, and one unit to either side of both.
  for (uint32_t bits = 0; bits < infinity; ++bits) {
    float lower = widen(bits);
    // Above the largest value the border is where the next one would be.
    double upper = bits + 1 == infinity ? 2.0 * lower - double(widen(bits - 1))
                                        : double(widen(bits + 1));
    float middle = static_cast<float>((lower + upper) / 2);
    for (float centre : {lower, middle})
      for (float x : {std::nextafterf(centre, -INFINITY), centre,
                      std::nextafterf(centre, INFINITY)})
        for (float signedX : {x, -x})
          ASSERT_EQ(narrow(signedX), toHalfByAPFloat(signedX, semantics))
              << std::hexfloat << signedX;
  }
  std::mt19937 generator(3);
  for (int i = 0; i < 200000; ++i) {
    float x = floatOf(generator());
    if (!std::isnan(x))
      ASSERT_EQ(narrow(x), toHalfByAPFloat(x, semantics)) << x;
  }
}

TEST(Half, F16MatchesAPFloat) {
  checkType(llvm::APFloat::IEEEhalf(), f32ToF16, f16ToF32, 0x7C00);
}

TEST(Half, BF16MatchesAPFloat) {
  checkType(llvm::APFloat::BFloat(), f32ToBF16, bf16ToF32, 0x7F80);
}

TEST(Half, NaNsBecomeQuietAndKeepSignAndPayload) {
  EXPECT_EQ(f32ToF16(floatOf(0x7F800001)), 0x7E00); // payload below f16's
  EXPECT_EQ(f32ToF16(floatOf(0xFF802000)), 0xFE01);
  EXPECT_EQ(f32ToBF16(floatOf(0x7F800001)), 0x7FC0);
  EXPECT_EQ(f32ToBF16(floatOf(0xFFA10000)), 0xFFE1);
  EXPECT_EQ(bitsOf(f16ToF32(0x7C01)), 0x7FC02000u);
  EXPECT_EQ(bitsOf(bf16ToF32(0xFF81)), 0xFFC10000u);
}

} // namespace
