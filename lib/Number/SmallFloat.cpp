//===- SmallFloat.cpp - floats of up to sixteen bits ----------------------===//

#include "lib/Number/SmallFloat.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

using namespace mezzo;
using llvm::StringRef;

namespace {
struct NamedFloat {
  const char *name;
  unsigned exponentBits, mantissaBits;
  int bias;
  SmallFloat::Kind kind;
};
} // namespace

static constexpr NamedFloat kNamed[] = {
    {"e4m3fn", 4, 3, 7, SmallFloat::Kind::FN},
    {"e4m3", 4, 3, 7, SmallFloat::Kind::IEEE},
    {"e4m3fnuz", 4, 3, 8, SmallFloat::Kind::FNUZ},
    {"e5m2", 5, 2, 15, SmallFloat::Kind::IEEE},
    {"e5m2fnuz", 5, 2, 16, SmallFloat::Kind::FNUZ},
    {"e3m2", 3, 2, 3, SmallFloat::Kind::Finite},
    {"e2m3", 2, 3, 1, SmallFloat::Kind::Finite},
    {"e2m1", 2, 1, 1, SmallFloat::Kind::Finite},
    {"f16", 5, 10, 15, SmallFloat::Kind::IEEE},
    {"bf16", 8, 7, 127, SmallFloat::Kind::IEEE},
};

static constexpr struct {
  SmallFloat::Kind kind;
  const char *name;
} kKinds[] = {
    {SmallFloat::Kind::IEEE, "ieee"},
    {SmallFloat::Kind::FN, "fn"},
    {SmallFloat::Kind::FNUZ, "fnuz"},
    {SmallFloat::Kind::Finite, "finite"},
};

//===----------------------------------------------------------------------===//
// Construction and text
//===----------------------------------------------------------------------===//

llvm::Expected<SmallFloat> SmallFloat::get(unsigned exponentBits,
                                           unsigned mantissaBits, int bias,
                                           Kind kind, bool subnormals) {
  if (exponentBits < 1 || exponentBits > 8 || mantissaBits > 15 ||
      1 + exponentBits + mantissaBits > 16)
    return llvm::createStringError(
        llvm::formatv("a small float of {0} exponent and {1} mantissa bits is "
                      "not supported; it has 1 to 8 exponent bits and at most "
                      "16 bits with its sign",
                      exponentBits, mantissaBits)
            .str());
  if (kind == Kind::IEEE && mantissaBits == 0)
    return llvm::createStringError(
        "an ieee float without mantissa bits has no room for NaN; take kind "
        "fn, fnuz or finite");
  // The largest exponent below 2^128, the last mantissa bit of a subnormal not
  // below f32's own.
  int top = (1 << exponentBits) - 1 - bias;
  int bottom = 1 - bias - static_cast<int>(mantissaBits);
  bool topIsTaken =
      kind == Kind::IEEE || (kind == Kind::FN && mantissaBits == 0);
  int highest = topIsTaken ? top - 1 : top;
  if (bias < -300 || bias > 300 || highest > 127 || bottom < -149)
    return llvm::createStringError(
        llvm::formatv("with bias {0} a float of {1} exponent and {2} mantissa "
                      "bits spans 2^{3} to 2^{4}, more than f32's 2^-149 to "
                      "2^127; the usual bias is {5}",
                      bias, exponentBits, mantissaBits, bottom, highest,
                      (1 << (exponentBits - 1)) - 1)
            .str());
  SmallFloat format(exponentBits, mantissaBits, bias, kind, subnormals);
  if (format.maxFiniteBits() == 0 || !(format.maxFinite() > 0))
    return llvm::createStringError(
        llvm::formatv("a float of {0} exponent and {1} mantissa bits of this "
                      "kind has no finite value but zero; add a bit",
                      exponentBits, mantissaBits)
            .str());
  return format;
}

bool SmallFloat::looksLike(StringRef text) {
  return text.starts_with("float<") ||
         llvm::any_of(kNamed,
                      [&](const NamedFloat &f) { return text == f.name; });
}

llvm::Expected<SmallFloat> SmallFloat::parse(StringRef text) {
  for (const NamedFloat &named : kNamed)
    if (text == named.name)
      return SmallFloat(named.exponentBits, named.mantissaBits, named.bias,
                        named.kind, true);
  auto malformed = [&](const std::string &why) {
    return llvm::createStringError(
        "'" + text.str() + "' is not a small float: " + why +
        "; write e4m3fn, e4m3, e4m3fnuz, e5m2, e5m2fnuz, e3m2, e2m3, e2m1, "
        "f16, bf16 or float<e,m,bias,ieee|fn|fnuz|finite>");
  };
  StringRef body = text;
  if (!body.consume_front("float<") || !body.consume_back(">"))
    return malformed("no such name");
  llvm::SmallVector<StringRef, 5> parts;
  body.split(parts, ',');
  if (parts.size() != 4 && parts.size() != 5)
    return malformed(llvm::formatv("{0} parameters, not 4", parts.size()));
  for (StringRef &part : parts)
    part = part.trim();
  unsigned exponentBits, mantissaBits;
  int bias;
  if (parts[0].getAsInteger(10, exponentBits) ||
      parts[1].getAsInteger(10, mantissaBits) ||
      parts[2].getAsInteger(10, bias))
    return malformed("e, m and bias are integers");
  const auto *kind = llvm::find_if(
      kKinds, [&](const auto &entry) { return parts[3] == entry.name; });
  if (kind == std::end(kKinds))
    return malformed("unknown kind '" + parts[3].str() + "'");
  if (parts.size() == 5 && parts[4] != "nosub")
    return malformed("the fifth parameter may only be nosub");
  return get(exponentBits, mantissaBits, bias, kind->kind, parts.size() == 4);
}

std::string SmallFloat::str() const {
  for (const NamedFloat &named : kNamed)
    if (*this == SmallFloat(named.exponentBits, named.mantissaBits, named.bias,
                            named.kind, true))
      return named.name;
  const auto *entry = llvm::find_if(
      kKinds, [&](const auto &entry) { return entry.kind == kind; });
  return llvm::formatv("float<{0},{1},{2},{3}{4}>", unsigned(exponentBits),
                       unsigned(mantissaBits), int(bias), entry->name,
                       subnormals ? "" : ",nosub");
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

uint32_t SmallFloat::maxFiniteBits() const {
  uint32_t allOnes = (1u << (exponentBits + mantissaBits)) - 1;
  switch (kind) {
  case Kind::IEEE: // below the exponent of infinity and NaN
    return allOnes - (1u << mantissaBits);
  case Kind::FN: // below the only NaN
    return allOnes - 1;
  case Kind::FNUZ:
  case Kind::Finite:
    return allOnes;
  }
  llvm_unreachable("unknown kind");
}

float SmallFloat::minPositive() const {
  bool lowest = subnormals && mantissaBits > 0;
  return decode(lowest ? 1u : 1u << mantissaBits);
}

uint32_t SmallFloat::nanBits() const {
  uint32_t allOnes = (1u << (exponentBits + mantissaBits)) - 1;
  switch (kind) {
  case Kind::IEEE: { // the quiet bit
    uint32_t infinity = allOnes - ((1u << mantissaBits) - 1);
    return infinity | 1u << (mantissaBits - 1);
  }
  case Kind::FN:
    return allOnes;
  case Kind::FNUZ:
    return allOnes + 1;
  case Kind::Finite:
    break;
  }
  llvm_unreachable("a finite format has no NaN");
}

float SmallFloat::decode(uint32_t raw) const {
  assert(raw >> bits() == 0 && "bits above the format's are set");
  uint32_t mantissa = raw & ((1u << mantissaBits) - 1);
  uint32_t topExponent = (1u << exponentBits) - 1;
  uint32_t exponent = raw >> mantissaBits & topExponent;
  bool negative = raw >> (exponentBits + mantissaBits);
  const float nan = std::numeric_limits<float>::quiet_NaN();

  if (kind == Kind::FNUZ && raw == nanBits())
    return nan;
  if (kind == Kind::IEEE && exponent == topExponent) {
    if (mantissa)
      return nan;
    float infinity = std::numeric_limits<float>::infinity();
    return negative ? -infinity : infinity;
  }
  if (kind == Kind::FN &&
      (raw & ~(1u << (exponentBits + mantissaBits))) == nanBits())
    return nan;

  float magnitude;
  if (exponent > 0)
    magnitude = std::ldexp(static_cast<float>(mantissa | 1u << mantissaBits),
                           static_cast<int>(exponent) - bias - mantissaBits);
  else
    magnitude = subnormals ? std::ldexp(static_cast<float>(mantissa),
                                        1 - bias - mantissaBits)
                           : 0.0f;
  if (magnitude == 0 && kind == Kind::FNUZ) // there is no -0
    return 0.0f;
  return negative ? -magnitude : magnitude;
}

std::vector<float> SmallFloat::decodeTable() const {
  std::vector<float> table(size_t(1) << bits());
  for (uint32_t raw = 0; raw < table.size(); ++raw)
    table[raw] = decode(raw);
  return table;
}

uint32_t SmallFloat::encode(double value, Rounding rounding, bool saturate,
                            uint64_t random) const {
  const uint32_t signBit = 1u << (exponentBits + mantissaBits);
  if (std::isnan(value))
    return hasNaN() ? nanBits() : 0;
  const bool negative = std::signbit(value);
  const uint32_t sign = negative ? signBit : 0;

  auto overflow = [&]() -> uint32_t {
    if (saturate || kind == Kind::Finite)
      return sign | maxFiniteBits();
    if (kind == Kind::IEEE)
      return sign | (maxFiniteBits() + 1); // the infinity above it
    return kind == Kind::FN ? sign | nanBits() : nanBits();
  };
  double magnitude = std::fabs(value);
  if (std::isinf(magnitude))
    return overflow();

  // Count the magnitude in steps of its binade, the last mantissa bit. Below
  // the smallest normal number the steps stop shrinking.
  const int minExponent = 1 - bias;
  int exponent = magnitude == 0 ? minExponent
                                : std::max(std::ilogb(magnitude), minExponent);
  if (exponent > 200) // far above any format; keeps the shifts below in range
    return overflow();
  double steps = std::ldexp(magnitude, mantissaBits - exponent);
  double near = std::floor(steps);
  double fraction = steps - near;
  const uint64_t oneDotZero = uint64_t(1) << mantissaBits;
  uint64_t count = static_cast<uint64_t>(near);

  if (!subnormals && count < oneDotZero) {
    // The neighbours are zero and the smallest normal number.
    Gap gap{negative, false, steps / double(oneDotZero)};
    count = roundsToFar(rounding, gap, random) ? oneDotZero : 0;
  } else {
    // Parity is that of the whole field: without mantissa bits it is the
    // exponent's, and 1.0 is odd where the exponent field is.
    uint64_t field = count + (uint64_t(exponent - minExponent) << mantissaBits);
    count +=
        roundsToFar(rounding, Gap{negative, bool(field & 1), fraction}, random);
  }

  // 1.xxx * 2^E is the field (E - minExponent) * 2^m + count: the hidden bit
  // adds the 1 that tells a normal number from a subnormal, and a carry
  // to 10.000 lands on the next binade.
  uint64_t field = count + (uint64_t(exponent - minExponent) << mantissaBits);
  if (field > maxFiniteBits())
    return overflow();
  // There is no -0 in fnuz: those bits are its NaN.
  if (field == 0 && kind == Kind::FNUZ)
    return 0;
  return sign | static_cast<uint32_t>(field);
}

//===----------------------------------------------------------------------===//
// e8m0
//===----------------------------------------------------------------------===//

float mezzo::decodeE8M0(uint8_t raw) {
  if (raw == 0xFF)
    return std::numeric_limits<float>::quiet_NaN();
  return std::ldexp(1.0f, int(raw) - 127);
}

uint8_t mezzo::encodeE8M0(double value, bool up) {
  if (std::isnan(value) || value < 0)
    return 0xFF;
  if (value == 0)
    return 0;
  if (std::isinf(value))
    return 0xFE;
  int exponent = std::ilogb(value);
  if (up && std::ldexp(1.0, exponent) != value)
    ++exponent;
  return static_cast<uint8_t>(std::clamp(exponent, -127, 127) + 127);
}
