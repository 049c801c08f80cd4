//===- SmallFloatTest.cpp -------------------------------------------------===//

#include "lib/Number/SmallFloat.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/APInt.h"
#include "gtest/gtest.h"

#include <cmath>
#include <limits>
#include <map>
#include <random>

using namespace mezzo;

namespace {

const float kInfinity = std::numeric_limits<float>::infinity();

SmallFloat parsed(llvm::StringRef text) {
  llvm::Expected<SmallFloat> format = SmallFloat::parse(text);
  EXPECT_TRUE(bool(format)) << text.str();
  return llvm::cantFail(std::move(format));
}

std::string messageOf(llvm::StringRef text) {
  llvm::Expected<SmallFloat> format = SmallFloat::parse(text);
  if (format)
    return "parsed";
  return llvm::toString(format.takeError());
}

TEST(SmallFloat, NamedOnesMatchAPFloat) {
  const std::pair<const char *, const llvm::fltSemantics *> formats[] = {
      {"e4m3fn", &llvm::APFloat::Float8E4M3FN()},
      {"e4m3", &llvm::APFloat::Float8E4M3()},
      {"e4m3fnuz", &llvm::APFloat::Float8E4M3FNUZ()},
      {"e5m2", &llvm::APFloat::Float8E5M2()},
      {"e5m2fnuz", &llvm::APFloat::Float8E5M2FNUZ()},
      {"e3m2", &llvm::APFloat::Float6E3M2FN()},
      {"e2m3", &llvm::APFloat::Float6E2M3FN()},
      {"e2m1", &llvm::APFloat::Float4E2M1FN()},
      {"f16", &llvm::APFloat::IEEEhalf()},
      {"bf16", &llvm::APFloat::BFloat()},
  };
  for (auto [name, semantics] : formats) {
    SmallFloat format = parsed(name);
    EXPECT_EQ(format.str(), name);
    std::vector<float> table = format.decodeTable();
    ASSERT_EQ(table.size(), size_t(1) << format.bits());
    for (uint32_t raw = 0; raw < table.size(); ++raw) {
      llvm::APFloat value(*semantics, llvm::APInt(format.bits(), raw));
      bool losesInfo;
      value.convert(llvm::APFloat::IEEEsingle(),
                    llvm::APFloat::rmNearestTiesToEven, &losesInfo);
      float expected = value.convertToFloat();
      if (std::isnan(expected))
        EXPECT_TRUE(std::isnan(table[raw])) << name << " " << raw;
      else
        EXPECT_EQ(bitsOf(table[raw]), bitsOf(expected)) << name << " " << raw;
    }
  }
}

TEST(SmallFloat, LargestAndSmallest) {
  const std::map<std::string, std::pair<float, float>> expected = {
      {"e4m3fn", {448, 0x1p-9f}},      {"e4m3", {240, 0x1p-9f}},
      {"e4m3fnuz", {240, 0x1p-10f}},   {"e5m2", {57344, 0x1p-16f}},
      {"e5m2fnuz", {57344, 0x1p-17f}}, {"e3m2", {28, 0x1p-4f}},
      {"e2m3", {7.5f, 0.125f}},        {"e2m1", {6, 0.5f}},
      {"f16", {65504, 0x1p-24f}}};
  for (const auto &[name, values] : expected) {
    EXPECT_EQ(parsed(name).maxFinite(), values.first) << name;
    EXPECT_EQ(parsed(name).minPositive(), values.second) << name;
  }
}

/// Nearest-even by looking at every finite code: the largest value is followed
/// by the one that would come next, so that overflow is a code like any other.
uint32_t bruteForce(const SmallFloat &format, double x, bool saturate) {
  double magnitude = std::fabs(x);
  uint32_t sign = std::signbit(x) ? 1u << (format.bits() - 1) : 0;
  uint32_t top = format.maxFiniteBits();
  // The values and one more step. The step above the largest is its own ulp, as
  // the largest never ends a binade where something else follows it, except in
  // formats whose mantissa is full: there the next value is the next power
  // of 2.
  double last = format.decode(top);
  double next = last + (last - format.decode(top - 1));
  double best = std::numeric_limits<double>::infinity();
  uint32_t bestRaw = 0;
  auto consider = [&](double value, uint32_t raw) {
    double distance = std::fabs(magnitude - value);
    if (distance < best || (distance == best && !(raw & 1))) {
      best = distance;
      bestRaw = raw;
    }
  };
  for (uint32_t raw = 0; raw <= top; ++raw)
    consider(format.decode(raw), raw);
  consider(next, top + 1);
  if (std::isinf(x) || bestRaw > top) {
    if (saturate || format.getKind() == SmallFloat::Kind::Finite)
      return sign | top;
    if (format.getKind() == SmallFloat::Kind::FNUZ)
      return format.nanBits();
    return sign | (top + 1); // infinity of ieee, NaN of fn
  }
  if (bestRaw == 0 && format.getKind() == SmallFloat::Kind::FNUZ)
    return 0;
  return sign | bestRaw;
}

TEST(SmallFloat, EncodeMatchesBruteForceOnEveryF16) {
  for (const char *name : {"e4m3fn", "e4m3", "e4m3fnuz", "e5m2", "e5m2fnuz",
                           "e3m2", "e2m3", "e2m1", "float<3,0,3,finite>",
                           "float<2,5,1,fn>", "float<1,3,0,finite>"}) {
    SmallFloat format = parsed(name);
    for (uint32_t bits = 0; bits < 65536; ++bits) {
      float x = f16ToF32(bits);
      if (std::isnan(x)) {
        uint32_t expected = format.hasNaN() ? format.nanBits() : 0;
        EXPECT_EQ(format.encode(x), expected);
        continue;
      }
      for (bool saturate : {true, false})
        ASSERT_EQ(format.encode(x, Rounding::NearestEven, saturate),
                  bruteForce(format, x, saturate))
            << name << " of " << x << (saturate ? " saturating" : "");
    }
  }
}

TEST(SmallFloat, EncodeInvertsDecode) {
  for (const char *name : {"e4m3fn", "e4m3", "e4m3fnuz", "e5m2", "e5m2fnuz",
                           "e3m2", "e2m3", "e2m1", "f16", "bf16",
                           "float<8,0,127,fn>", "float<4,2,6,fnuz,nosub>"}) {
    SmallFloat format = parsed(name);
    for (uint32_t raw = 0; raw < 1u << format.bits(); ++raw) {
      float value = format.decode(raw);
      if (std::isnan(value))
        continue;
      uint32_t again = format.encode(value, Rounding::NearestEven, false);
      EXPECT_EQ(bitsOf(format.decode(again)), bitsOf(value))
          << name << " " << raw;
      if (format.hasSubnormals())
        EXPECT_EQ(again, raw) << name;
    }
  }
}

TEST(SmallFloat, SixteenBitOnesMatchTheConversions) {
  SmallFloat f16 = SmallFloat::f16(), bf16 = SmallFloat::bf16();
  std::mt19937 generator(5);
  for (int i = 0; i < 300000; ++i) {
    float x = floatOf(generator());
    if (std::isnan(x))
      continue;
    ASSERT_EQ(f16.encode(x, Rounding::NearestEven, false), f32ToF16(x)) << x;
    ASSERT_EQ(bf16.encode(x, Rounding::NearestEven, false), f32ToBF16(x)) << x;
  }
}

TEST(SmallFloat, DirectedModesEncloseTheValue) {
  SmallFloat format = parsed("e3m2");
  std::mt19937 generator(6);
  std::uniform_real_distribution<float> uniform(-28, 28);
  for (int i = 0; i < 20000; ++i) {
    float x = uniform(generator);
    auto round = [&](Rounding mode) {
      return format.decode(format.encode(x, mode));
    };
    float down = round(Rounding::Down), up = round(Rounding::Up);
    ASSERT_LE(down, x);
    ASSERT_GE(up, x);
    float nearest = round(Rounding::NearestEven);
    ASSERT_TRUE(nearest == down || nearest == up);
    ASSERT_LE(std::fabs(nearest - x), std::fabs(down - x));
    ASSERT_LE(std::fabs(nearest - x), std::fabs(up - x));
    ASSERT_EQ(round(Rounding::TowardZero), x < 0 ? up : down);
    float odd = round(Rounding::ToOdd);
    if (down != up)
      ASSERT_TRUE(format.encode(odd) & 1);
  }
}

TEST(SmallFloat, TiesOfE2M1) {
  SmallFloat format = SmallFloat::e2m1();
  auto value = [&](double x, Rounding mode) {
    return format.decode(format.encode(x, mode));
  };
  EXPECT_EQ(value(5, Rounding::NearestEven), 4);
  EXPECT_EQ(value(5, Rounding::NearestAway), 6);
  EXPECT_EQ(value(-5, Rounding::HalfUp), -4);
  EXPECT_EQ(value(0.25, Rounding::NearestEven), 0);
  EXPECT_EQ(value(0.75, Rounding::NearestEven), 1);
  EXPECT_EQ(value(7, Rounding::NearestEven), 6);
  EXPECT_EQ(value(-1e30, Rounding::NearestEven), -6);
}

TEST(SmallFloat, OverflowOfE4M3) {
  SmallFloat fn = SmallFloat::e4m3fn();
  auto encode = [&](float x) {
    return fn.encode(x, Rounding::NearestEven, /*saturate=*/false);
  };
  EXPECT_EQ(fn.decode(encode(464)), 448); // the tie to 480, NaN's place
  EXPECT_TRUE(std::isnan(fn.decode(encode(465))));
  EXPECT_TRUE(std::isnan(fn.decode(encode(-kInfinity))));
  EXPECT_EQ(fn.decode(fn.encode(kInfinity)), 448);
  EXPECT_EQ(parsed("e4m3").encode(248, Rounding::NearestEven, false), 0x78u);
}

TEST(SmallFloat, WithoutSubnormals) {
  SmallFloat format = parsed("float<4,3,7,fn,nosub>");
  EXPECT_EQ(format.str(), "float<4,3,7,fn,nosub>");
  EXPECT_EQ(format.minPositive(), 0x1p-6f);
  EXPECT_EQ(format.decode(5), 0);
  EXPECT_EQ(format.decode(format.encode(0x1.fp-8)), 0);
  EXPECT_EQ(format.decode(format.encode(0x1p-7)), 0); // a tie; zero is even
  EXPECT_EQ(format.decode(format.encode(0x1.2p-7)), 0x1p-6f);
  EXPECT_EQ(format.decode(format.encode(-0x1p-20, Rounding::Down)), -0x1p-6f);
  EXPECT_EQ(format.decode(format.encode(0x1.1p-6)), 0x1p-6f); // tie to even
}

TEST(SmallFloat, TextAndItsErrors) {
  EXPECT_EQ(parsed("float<4,3,7,fn>"), SmallFloat::e4m3fn());
  EXPECT_EQ(parsed("float<4,3,7,fn>").str(), "e4m3fn");
  EXPECT_EQ(parsed("float<3, 3, 4, fnuz>").str(), "float<3,3,4,fnuz>");
  const std::string menu =
      "; write e4m3fn, e4m3, e4m3fnuz, e5m2, e5m2fnuz, e3m2, e2m3, e2m1, f16, "
      "bf16 or float<e,m,bias,ieee|fn|fnuz|finite>";
  EXPECT_EQ(messageOf("e4m4"),
            "'e4m4' is not a small float: no such name" + menu);
  EXPECT_EQ(messageOf("float<4,3>"),
            "'float<4,3>' is not a small float: 2 parameters, not 4" + menu);
  EXPECT_EQ(messageOf("float<4,x,7,fn>"),
            "'float<4,x,7,fn>' is not a small float: e, m and bias are "
            "integers" +
                menu);
  EXPECT_EQ(messageOf("float<4,3,7,inf>"),
            "'float<4,3,7,inf>' is not a small float: unknown kind 'inf'" +
                menu);
  EXPECT_EQ(messageOf("float<4,3,7,fn,ftz>"),
            "'float<4,3,7,fn,ftz>' is not a small float: the fifth parameter "
            "may only be nosub" +
                menu);
  EXPECT_EQ(messageOf("float<9,3,7,fn>"),
            "a small float of 9 exponent and 3 mantissa bits is not supported; "
            "it has 1 to 8 exponent bits and at most 16 bits with its sign");
  EXPECT_EQ(messageOf("float<4,0,7,ieee>"),
            "an ieee float without mantissa bits has no room for NaN; take "
            "kind fn, fnuz or finite");
  EXPECT_EQ(messageOf("float<8,3,100,fn>"),
            "with bias 100 a float of 8 exponent and 3 mantissa bits spans "
            "2^-102 to 2^155, more than f32's 2^-149 to 2^127; the usual bias "
            "is 127");
  EXPECT_EQ(messageOf("float<1,0,0,fn>"),
            "a float of 1 exponent and 0 mantissa bits of this kind has no "
            "finite value but zero; add a bit");
}

TEST(E8M0, EveryCodeAndTheEnds) {
  for (int raw = 0; raw < 255; ++raw) {
    float value = decodeE8M0(raw);
    EXPECT_EQ(value, std::exp2(raw - 127.0));
    EXPECT_EQ(encodeE8M0(value), raw);
    EXPECT_EQ(encodeE8M0(value, /*up=*/true), raw);
    EXPECT_EQ(encodeE8M0(value * 1.99), raw); // the floor, not the nearest
    EXPECT_EQ(encodeE8M0(value * 1.01, /*up=*/true), std::min(raw + 1, 254));
  }
  EXPECT_TRUE(std::isnan(decodeE8M0(0xFF)));
  EXPECT_EQ(encodeE8M0(0), 0);
  EXPECT_EQ(encodeE8M0(1e-300), 0);
  EXPECT_EQ(encodeE8M0(kInfinity), 254);
  EXPECT_EQ(encodeE8M0(-1), 255);
  EXPECT_EQ(encodeE8M0(std::nan("")), 255);
}

} // namespace
