//===- FormatTest.cpp -----------------------------------------------------===//

#include "lib/Number/Format.h"

#include "gtest/gtest.h"

#include <cmath>
#include <limits>
#include <random>
#include <set>

using namespace mezzo;

namespace {

Format parsed(llvm::StringRef text) {
  llvm::Expected<Format> format = Format::parse(text);
  EXPECT_TRUE(bool(format)) << text.str();
  return llvm::cantFail(std::move(format));
}

std::string messageOf(llvm::StringRef text) {
  llvm::Expected<Format> format = Format::parse(text);
  return format ? "parsed" : llvm::toString(format.takeError());
}

std::vector<Format> integerFormats() {
  std::vector<Format> formats = {Format::ternary()};
  for (unsigned n = 1; n <= 8; ++n) {
    formats.push_back(Format::integer(n));
    formats.push_back(Format::unsignedInteger(n));
    formats.push_back(Format::odd(n));
  }
  formats.push_back(Format::integer(16));
  formats.push_back(Format::unsignedInteger(16));
  return formats;
}

/// The meaning of a field, from the definitions and not from affine().
int32_t meaning(const Format &format, uint32_t raw) {
  int n = static_cast<int>(format.bits());
  switch (format.kind()) {
  case Format::Kind::Int:
  case Format::Kind::Ternary:
    return raw >> (n - 1) ? int32_t(raw) - (1 << n) : int32_t(raw);
  case Format::Kind::UInt:
    return raw;
  default:
    return 2 * int32_t(raw) - ((1 << n) - 1);
  }
}

TEST(Format, PlaneSumsThatSixteenBitsTellApart) {
  auto sums = [](const char *name) {
    return llvm::cantFail(Format::parse(name)).exactPlaneSums(255);
  };
  EXPECT_EQ(sums("uint1"), 256);
  EXPECT_EQ(sums("odd1"), 256); // the scale of two comes later
  EXPECT_EQ(sums("ternary"), 64);
  EXPECT_EQ(sums("int3"), 32);
  EXPECT_EQ(sums("uint4"), 16);
  EXPECT_EQ(sums("uint8"), 1);
}

TEST(Format, EveryFieldOfEveryIntegerFormat) {
  for (const Format &format : integerFormats()) {
    std::vector<float> weights = format.planeWeights();
    ASSERT_EQ(weights.size(), format.bits());
    int32_t least = 1 << 20, most = -(1 << 20);
    for (uint32_t raw = 0; raw < format.numCodes(); ++raw) {
      int32_t value = meaning(format, raw);
      ASSERT_EQ(format.integerValue(raw), value) << format.str() << " " << raw;
      ASSERT_EQ(format.decode(raw), value);
      ASSERT_EQ(format.rawOf(value), raw);
      float sum = format.planeConstant();
      for (unsigned b = 0; b < format.bits(); ++b)
        sum += weights[b] * float(raw >> b & 1);
      ASSERT_EQ(sum, value) << format.str() << " " << raw;
      if (value < format.minValue() || value > format.maxValue())
        continue; // ternary's unused field
      least = std::min(least, value);
      most = std::max(most, value);
      ASSERT_EQ(format.encode(value), raw);
    }
    EXPECT_EQ(format.minValue(), least) << format.str();
    EXPECT_EQ(format.maxValue(), most) << format.str();
  }
  EXPECT_EQ(Format::ternary().integerValue(3), -1);
  EXPECT_EQ(Format::odd(1).minValue(), -1);
  EXPECT_EQ(Format::integer(1).integerValue(1), -1);
}

TEST(Format, EncodeTakesTheNearestNumber) {
  std::mt19937 generator(21);
  for (const Format &format : integerFormats()) {
    if (format.bits() > 8)
      continue;
    double reach = std::max(std::abs(format.minValue()), format.maxValue()) + 3;
    std::uniform_real_distribution<double> uniform(-reach, reach);
    for (int i = 0; i < 500; ++i) {
      double x =
          i % 4 ? uniform(generator) : std::round(uniform(generator)) / 2;
      double best = 1e9;
      for (uint32_t raw = 0; raw < format.numCodes(); ++raw) {
        int32_t value = format.integerValue(raw);
        if (value >= format.minValue() && value <= format.maxValue())
          best = std::min(best, std::fabs(value - x));
      }
      for (Rounding mode :
           {Rounding::NearestEven, Rounding::NearestAway, Rounding::HalfUp}) {
        int32_t value = format.integerValue(format.encode(x, mode));
        ASSERT_GE(value, format.minValue());
        ASSERT_LE(value, format.maxValue());
        ASSERT_EQ(std::fabs(value - x), best)
            << format.str() << " " << x << " " << name(mode).str();
      }
    }
  }
}

TEST(Format, RoundingOnTheOddGrid) {
  Format format = Format::odd(3); // -7 -5 -3 -1 1 3 5 7
  auto value = [&](double x, Rounding mode) {
    return format.integerValue(format.encode(x, mode));
  };
  // -4 lies between fields 1 (-5) and 2 (-3).
  EXPECT_EQ(value(-4, Rounding::NearestEven), -3);
  EXPECT_EQ(value(-4, Rounding::NearestAway), -5);
  EXPECT_EQ(value(-4, Rounding::HalfUp), -3);
  EXPECT_EQ(value(-4.5, Rounding::TowardZero), -3);
  EXPECT_EQ(value(-3.5, Rounding::Down), -5);
  EXPECT_EQ(value(3.1, Rounding::Up), 5);
  EXPECT_EQ(value(3.1, Rounding::ToOdd), 3); // fields 5 and 6
  for (Rounding mode :
       {Rounding::NearestEven, Rounding::NearestAway, Rounding::HalfUp}) {
    EXPECT_EQ(value(0, mode), 1);
    EXPECT_EQ(value(-1e-300, mode), -1);
    EXPECT_EQ(value(1e-300, mode), 1);
  }
  EXPECT_EQ(value(-std::nextafter(1.0, 2.0), Rounding::Down), -3);
  EXPECT_EQ(value(100, Rounding::Down), 7);
  EXPECT_EQ(Format::odd(1).encode(0), 1u); // sign(0) = +1
}

TEST(Format, Specials) {
  float infinity = std::numeric_limits<float>::infinity();
  for (const Format &format : integerFormats()) {
    EXPECT_EQ(format.integerValue(format.encode(infinity)), format.maxValue());
    EXPECT_EQ(format.integerValue(format.encode(-infinity)), format.minValue());
    EXPECT_EQ(format.encode(std::nan("")), format.encode(0));
  }
  EXPECT_EQ(parsed("e2m1").encode(std::nan("")), 0u);
  EXPECT_TRUE(std::isnan(
      parsed("e4m3fn").decode(parsed("e4m3fn").encode(std::nan("")))));
}

TEST(Format, NarrowRanges) {
  Format narrow = parsed("int8[-127,127]");
  EXPECT_EQ(narrow, Format::integer(8).withRange(-127, 127));
  EXPECT_NE(narrow, Format::integer(8));
  EXPECT_TRUE(narrow.isNarrow());
  EXPECT_EQ(narrow.str(), "int8[-127,127]");
  EXPECT_EQ(narrow.integerValue(narrow.encode(-1000)), -127);
  EXPECT_EQ(parsed("int8[-128,127]").str(), "int8");
  EXPECT_EQ(parsed("uint4[3,10]").zeroCode(), std::nullopt);
  EXPECT_EQ(parsed("odd4[-7,9]").encode(-15), parsed("odd4").rawOf(-7));
  EXPECT_EQ(messageOf("int8[-129,0]"),
            "'int8[-129,0]' is not a format: the range of int8 lies within "
            "[-128,127]");
  EXPECT_EQ(messageOf("odd2[-2,3]"),
            "'odd2[-2,3]' is not a format: the range of odd2 lies within "
            "[-3,3], with odd ends");
  EXPECT_EQ(messageOf("e2m1[0,1]"),
            "'e2m1[0,1]' is not a format: only integer formats have a range");
  EXPECT_EQ(messageOf("int4[1]"),
            "'int4[1]' is not a format: a range is written [lowest,highest]");
}

TEST(Format, TextRoundTripsAndErrors) {
  for (const Format &format : integerFormats())
    EXPECT_EQ(parsed(format.str()), format);
  for (const char *text :
       {"ternary", "e2m1", "e4m3fn", "e4m3", "e5m2", "e3m2", "e2m3",
        "float<3,3,4,fnuz>", "float<3,3,4,fnuz,nosub>", "codebook4", "nf4"})
    EXPECT_EQ(parsed(text).str(), text);
  const char *menu = "unknown name; write int<n>, uint<n>, odd<n>, ternary, "
                     "codebook<n>, nf4 or a small float such as e2m1 or e4m3fn";
  EXPECT_EQ(messageOf("fp4"), std::string("'fp4' is not a format: ") + menu);
  EXPECT_EQ(messageOf(""), std::string("'' is not a format: ") + menu);
  EXPECT_EQ(messageOf("int"), "'int' is not a format: a number of bits belongs "
                              "after the name, as in int4");
  EXPECT_EQ(messageOf("uint4x"),
            "'uint4x' is not a format: a number of bits belongs after the "
            "name, as in uint4");
  EXPECT_EQ(messageOf("int9"),
            "'int9' is not a format: 9 bits; it has 1 to 8, or 16");
  EXPECT_EQ(messageOf("odd16"),
            "'odd16' is not a format: 16 bits; it has 1 to 8");
  EXPECT_EQ(messageOf("codebook0"),
            "'codebook0' is not a format: 0 bits; it has 1 to 8");
  EXPECT_EQ(messageOf("bf16"),
            "'bf16' is not a format: 16 bits; a code has at most 8, so leave "
            "the tensor unquantized");
}

TEST(Format, Codebooks) {
  Format nf4 = Format::nf4();
  EXPECT_EQ(nf4.lowestValue(), -1);
  EXPECT_EQ(nf4.highestValue(), 1);
  EXPECT_EQ(nf4.zeroCode(), 7u);
  for (uint32_t raw = 0; raw < 16; ++raw)
    EXPECT_EQ(nf4.encode(nf4.decode(raw)), raw);
  std::mt19937 generator(22);
  std::uniform_real_distribution<double> uniform(-1.2, 1.2);
  for (int i = 0; i < 2000; ++i) {
    double x = uniform(generator), best = 10;
    for (uint32_t raw = 0; raw < 16; ++raw)
      best = std::min(best, std::fabs(nf4.decode(raw) - x));
    ASSERT_EQ(std::fabs(nf4.decode(nf4.encode(x)) - x), best);
  }

  // Unsorted, with a repeated entry, which only its first field stands for.
  Format table = Format::codebook(llvm::ArrayRef<float>({3, -2, 0, 3}));
  EXPECT_EQ(table.bits(), 2u);
  EXPECT_EQ(table.encode(2.9), 0u);
  EXPECT_EQ(table.encode(-1), 2u);  // the tie of fields 1 and 2
  EXPECT_EQ(table.encode(1.5), 0u); // the tie of fields 2 and 0: both even
  EXPECT_EQ(table.encode(1.5, Rounding::Down), 2u);
  EXPECT_EQ(table.encode(-9), 1u);
  EXPECT_NE(table, Format::codebook(2));
  EXPECT_EQ(table, Format::codebook(llvm::ArrayRef<float>({3, -2, 0, 3})));
  EXPECT_FALSE(parsed("codebook4").hasValues());
}

TEST(Format, ZeroCodes) {
  EXPECT_EQ(Format::integer(4).zeroCode(), 0u);
  EXPECT_EQ(Format::ternary().zeroCode(), 0u);
  EXPECT_EQ(Format::odd(4).zeroCode(), std::nullopt);
  EXPECT_EQ(parsed("e2m1").zeroCode(), 0u);
  EXPECT_EQ(Format::codebook(4).zeroCode(), std::nullopt);
}

TEST(Format, WholeNumbers) {
  auto whole = parsed("e2m1").wholeNumbers();
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->exponent, -1);
  EXPECT_EQ(whole->numbers[0b0111], 12);
  EXPECT_EQ(whole->numbers[0b1001], -1);
  EXPECT_EQ(parsed("e2m3").wholeNumbers()->exponent, -3);
  EXPECT_FALSE(parsed("e3m2").wholeNumbers());   // 448 sixteenths
  EXPECT_FALSE(parsed("e4m3fn").wholeNumbers()); // NaN
  EXPECT_FALSE(parsed("nf4").wholeNumbers());
  EXPECT_FALSE(Format::codebook(4).wholeNumbers()); // no table yet
  auto table = [](llvm::ArrayRef<float> values) {
    return Format::codebook(values).wholeNumbers();
  };
  EXPECT_EQ(table({0, 24, -40, 8})->exponent, 3);
  EXPECT_EQ(table({0, 0})->exponent, 0);
  EXPECT_EQ(table({0x1p-149f, 0})->exponent, -149);
  EXPECT_TRUE(table({-128, 127}));
  EXPECT_TRUE(table({128, 255}));
  EXPECT_FALSE(table({-1, 129}));
  EXPECT_FALSE(table({1, 0.001f}));
}

/// value = 2^exponent * (scale * c + offset) for every code of every format
/// that integer instructions multiply.
TEST(Format, StoredBytesAreTheValues) {
  for (const char *name : {"int1", "int4", "uint7", "int8", "uint8", "odd3",
                           "odd8", "ternary", "e2m1", "e2m3"}) {
    Format format = parsed(name);
    Format::Stored stored = format.stored();
    for (uint32_t raw = 0; raw < format.numCodes(); ++raw) {
      uint8_t byte =
          stored.table.empty() ? raw ^ stored.flip : stored.table[raw];
      int32_t c = stored.isSigned() ? int8_t(byte) : byte;
      EXPECT_GE(c, stored.low) << name;
      EXPECT_LE(c, stored.high) << name;
      EXPECT_EQ(
          std::ldexp(float(stored.scale * c + stored.offset), stored.exponent),
          format.decode(raw))
          << name << " " << raw;
    }
  }
}

} // namespace
