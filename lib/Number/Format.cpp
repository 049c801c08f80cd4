//===- Format.cpp - what the bits of one code mean ------------------------===//

#include "lib/Number/FormatTable.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/FormatVariadic.h"

#include <cassert>
#include <climits>
#include <cmath>

using namespace mezzo;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// Construction
//===----------------------------------------------------------------------===//

Format::Format(Kind kind, unsigned bits) : kind_(kind), bits_(bits) {
  switch (kind) {
  case Kind::Int:
    lo = -(1 << (bits - 1));
    hi = (1 << (bits - 1)) - 1;
    break;
  case Kind::UInt:
    hi = (1 << bits) - 1;
    break;
  case Kind::Odd:
    hi = (1 << bits) - 1;
    lo = -hi;
    break;
  case Kind::Ternary:
    lo = -1;
    hi = 1;
    break;
  case Kind::Float:
  case Kind::Codebook:
    break;
  }
}

Format Format::integer(unsigned n) {
  assert((n >= 1 && n <= 8) || n == 16);
  return Format(Kind::Int, n);
}

Format Format::unsignedInteger(unsigned n) {
  assert((n >= 1 && n <= 8) || n == 16);
  return Format(Kind::UInt, n);
}

Format Format::odd(unsigned n) {
  assert(n >= 1 && n <= 8);
  return Format(Kind::Odd, n);
}

Format Format::ternary() { return Format(Kind::Ternary, 2); }

Format Format::smallFloat(SmallFloat format) {
  assert(format.bits() <= 8);
  Format result(Kind::Float, format.bits());
  result.float_ = format;
  return result;
}

Format Format::codebook(unsigned n) {
  assert(n >= 1 && n <= 8);
  return Format(Kind::Codebook, n);
}

Format Format::codebook(llvm::ArrayRef<float> table) {
  unsigned n = 1;
  while ((size_t(1) << n) < table.size())
    ++n;
  assert(table.size() == size_t(1) << n && n <= 8);
  assert(llvm::all_of(table, [](float v) { return std::isfinite(v); }));
  Format result(Kind::Codebook, n);
  result.table = std::make_shared<const Table>(table);
  return result;
}

Format Format::nf4() {
  // The quantiles of a normal distribution, scaled to [-1, 1], with an exact 0.
  static const float kEntries[16] = {
      -1.0f,
      -0.6961928009986877f,
      -0.5250730514526367f,
      -0.39491748809814453f,
      -0.28444138169288635f,
      -0.18477343022823334f,
      -0.09105003625154495f,
      0.0f,
      0.07958029955625534f,
      0.16093020141124725f,
      0.24611230194568634f,
      0.33791524171829224f,
      0.44070982933044434f,
      0.5626170039176941f,
      0.7229568362236023f,
      1.0f,
  };
  static const std::shared_ptr<const Table> kTable = [] {
    auto table = std::make_shared<Table>(kEntries);
    table->name = "nf4";
    return table;
  }();
  Format result(Kind::Codebook, 4);
  result.table = kTable;
  return result;
}

bool Format::allowsRange(int32_t low, int32_t high) const {
  if (!isInteger())
    return false;
  Format full(kind_, bits_);
  if (low > high || low < full.lo || high > full.hi)
    return false;
  return kind_ != Kind::Odd || ((low & 1) && (high & 1));
}

Format Format::withRange(int32_t low, int32_t high) const {
  assert(allowsRange(low, high));
  Format result = *this;
  result.lo = low;
  result.hi = high;
  return result;
}

bool Format::isNarrow() const {
  if (!isInteger())
    return false;
  Format full(kind_, bits_);
  return lo != full.lo || hi != full.hi;
}

bool Format::operator==(const Format &other) const {
  if (kind_ != other.kind_ || bits_ != other.bits_ || lo != other.lo ||
      hi != other.hi)
    return false;
  if (isFloat())
    return float_ == other.float_;
  if (table == other.table)
    return true;
  return table && other.table && table->entries == other.table->entries;
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

static llvm::Error badFormat(StringRef text, const llvm::Twine &why) {
  return llvm::createStringError("'" + text + "' is not a format: " + why);
}

/// "int8" of "int8[-127,127]"; the rest in `range` without brackets.
static bool splitRange(StringRef text, StringRef &head, StringRef &range) {
  head = text;
  if (!text.ends_with("]"))
    return false;
  auto [before, after] = text.split('[');
  head = before;
  range = after.drop_back();
  return true;
}

static llvm::Expected<Format> parseUnranged(StringRef text) {
  if (text == "ternary")
    return Format::ternary();
  if (text == "nf4")
    return Format::nf4();
  if (SmallFloat::looksLike(text)) {
    llvm::Expected<SmallFloat> format = SmallFloat::parse(text);
    if (!format)
      return format.takeError();
    if (format->bits() > 8)
      return badFormat(text, llvm::Twine(format->bits()) +
                                 " bits; a code has at most 8, so leave the "
                                 "tensor unquantized");
    return Format::smallFloat(*format);
  }
  StringRef digits = text;
  Format::Kind kind;
  if (digits.consume_front("int"))
    kind = Format::Kind::Int;
  else if (digits.consume_front("uint"))
    kind = Format::Kind::UInt;
  else if (digits.consume_front("odd"))
    kind = Format::Kind::Odd;
  else if (digits.consume_front("codebook"))
    kind = Format::Kind::Codebook;
  else
    return badFormat(text, "unknown name; write int<n>, uint<n>, odd<n>, "
                           "ternary, codebook<n>, nf4 or a small float such as "
                           "e2m1 or e4m3fn");
  unsigned n;
  bool wide = kind == Format::Kind::Int || kind == Format::Kind::UInt;
  if (digits.empty() || digits.getAsInteger(10, n))
    return badFormat(text, "a number of bits belongs after the name, as in " +
                               text.drop_back(digits.size()) + "4");
  if (n < 1 || (n > 8 && !(wide && n == 16)))
    return badFormat(text,
                     llvm::Twine(digits) + (wide ? " bits; it has 1 to 8, or 16"
                                                 : " bits; it has 1 to 8"));
  switch (kind) {
  case Format::Kind::Int:
    return Format::integer(n);
  case Format::Kind::UInt:
    return Format::unsignedInteger(n);
  case Format::Kind::Odd:
    return Format::odd(n);
  default:
    return Format::codebook(n);
  }
}

llvm::Expected<Format> Format::parse(StringRef text) {
  StringRef head, range;
  bool ranged = splitRange(text, head, range);
  llvm::Expected<Format> format = parseUnranged(head);
  if (!format || !ranged)
    return format;
  auto [low, high] = range.split(',');
  int32_t lo, hi;
  if (low.getAsInteger(10, lo) || high.getAsInteger(10, hi))
    return badFormat(text, "a range is written [lowest,highest]");
  if (!format->isInteger())
    return badFormat(text, "only integer formats have a range");
  if (!format->allowsRange(lo, hi))
    return badFormat(
        text, llvm::formatv("the range of {0} lies within [{1},{2}]{3}", head,
                            format->lo, format->hi,
                            format->kind_ == Kind::Odd ? ", with odd ends" : "")
                  .str());
  return format->withRange(lo, hi);
}

std::string Format::str() const {
  std::string text;
  switch (kind_) {
  case Kind::Int:
    text = "int" + std::to_string(bits_);
    break;
  case Kind::UInt:
    text = "uint" + std::to_string(bits_);
    break;
  case Kind::Odd:
    text = "odd" + std::to_string(bits_);
    break;
  case Kind::Ternary:
    text = "ternary";
    break;
  case Kind::Float:
    return float_.str();
  case Kind::Codebook:
    return table && table->name ? table->name
                                : "codebook" + std::to_string(bits_);
  }
  if (isNarrow())
    text += llvm::formatv("[{0},{1}]", lo, hi);
  return text;
}

//===----------------------------------------------------------------------===//
// Raw field to value
//===----------------------------------------------------------------------===//

const SmallFloat &Format::floatFormat() const {
  assert(isFloat());
  return float_;
}

llvm::ArrayRef<float> Format::codebookTable() const {
  return table ? llvm::ArrayRef<float>(table->entries)
               : llvm::ArrayRef<float>();
}

Format::Affine Format::affine() const {
  switch (kind_) {
  case Kind::Int:
  case Kind::Ternary: {
    int32_t half = 1 << (bits_ - 1);
    return {1, -half, static_cast<uint32_t>(half)};
  }
  case Kind::UInt:
    return {1, 0, 0};
  case Kind::Odd:
    return {2, 1 - (1 << bits_), 0};
  case Kind::Float:
  case Kind::Codebook:
    break;
  }
  llvm_unreachable("not an integer format");
}

std::optional<Format::WholeNumbers> Format::wholeNumbers() const {
  if (!hasValues())
    return std::nullopt;
  // The lowest bit that is set in any value is the unit.
  int exponent = INT_MAX;
  for (uint32_t raw = 0; raw < numCodes(); ++raw) {
    float value = decode(raw);
    if (!std::isfinite(value))
      return std::nullopt;
    if (value == 0)
      continue;
    int power;
    auto mantissa = static_cast<uint32_t>(
        std::ldexp(std::frexp(std::fabs(value), &power), 24));
    exponent = std::min(exponent, power - 24 + llvm::countr_zero(mantissa));
  }
  WholeNumbers whole{{}, exponent == INT_MAX ? 0 : exponent};
  for (uint32_t raw = 0; raw < numCodes(); ++raw) {
    double number = std::ldexp(double(decode(raw)), -whole.exponent);
    if (number < INT8_MIN || number > UINT8_MAX)
      return std::nullopt;
    whole.numbers.push_back(static_cast<int32_t>(number));
  }
  auto [low, high] =
      std::minmax_element(whole.numbers.begin(), whole.numbers.end());
  if (*high > INT8_MAX && *high - *low > INT8_MAX)
    return std::nullopt;
  return whole;
}

/// Of a format that is a table of whole numbers.
static Format::Stored storedTable(const Format::WholeNumbers &whole) {
  auto [least, most] =
      std::minmax_element(whole.numbers.begin(), whole.numbers.end());
  bool isSigned = *most - *least > INT8_MAX;
  int32_t offset = isSigned ? 0 : *least;
  Format::Stored stored{/*scale=*/1,    offset,
                        /*flip=*/0,     *least - offset,
                        *most - offset, whole.exponent};
  for (int32_t number : whole.numbers)
    stored.table.push_back(static_cast<uint8_t>(number - offset));
  return stored;
}

Format::Stored Format::stored() const {
  if (!isInteger()) {
    std::optional<WholeNumbers> whole = wholeNumbers();
    assert(whole && "values that are no whole numbers");
    return storedTable(*whole);
  }
  Affine map = affine();
  Stored stored{map.scale, map.offset, map.flip, 0, (1 << bits_) - 1};
  if (bits_ == 8) { // u - 128 is u with its top bit flipped, read as signed
    stored.offset += 128 * map.scale;
    stored.flip ^= 128;
    stored.low -= 128;
    stored.high -= 128;
  }
  return stored;
}

int64_t Format::Stored::exactPairs(int32_t amax) const {
  int32_t largest = std::max(high - centre(), centre() - low);
  int32_t pairs = INT16_MAX / (2 * largest * amax);
  return pairs ? llvm::bit_floor(uint32_t(pairs)) : 0;
}

std::vector<float> Format::planeWeights() const {
  // Without the flip, two's complement is a sum over bits of its own: the top
  // bit counts negative.
  int32_t scale = affine().scale;
  std::vector<float> weights;
  for (unsigned b = 0; b < bits_; ++b)
    weights.push_back(static_cast<float>(scale * (1 << b)));
  if (kind_ == Kind::Int || kind_ == Kind::Ternary)
    weights.back() = -weights.back();
  return weights;
}

float Format::planeConstant() const {
  return kind_ == Kind::Odd ? static_cast<float>(affine().offset) : 0.0f;
}

int64_t Format::exactPlaneSums(int32_t largest) const {
  int32_t sums = UINT16_MAX / ((int32_t(numCodes()) - 1) * largest);
  return sums ? llvm::bit_floor(uint32_t(sums)) : 0;
}

int32_t Format::integerValue(uint32_t raw) const {
  Affine map = affine();
  uint32_t field = (raw & (numCodes() - 1)) ^ map.flip;
  return map.scale * static_cast<int32_t>(field) + map.offset;
}

uint32_t Format::rawOf(int32_t value) const {
  Affine map = affine();
  int32_t field = (value - map.offset) / map.scale;
  assert(field * map.scale + map.offset == value && field >= 0 &&
         static_cast<uint32_t>(field) < numCodes() &&
         "not a number of the format");
  return static_cast<uint32_t>(field) ^ map.flip;
}

float Format::decode(uint32_t raw) const {
  if (isInteger())
    return static_cast<float>(integerValue(raw));
  raw &= numCodes() - 1;
  if (isFloat())
    return float_.decode(raw);
  assert(table && "a code book without its table has no values");
  return table->entries[raw];
}

float Format::lowestValue() const {
  if (isInteger())
    return static_cast<float>(lo);
  if (isFloat())
    return -float_.maxFinite();
  assert(table && "a code book without its table has no values");
  return table->entries[table->sorted.front()];
}

float Format::highestValue() const {
  if (isInteger())
    return static_cast<float>(hi);
  if (isFloat())
    return float_.maxFinite();
  assert(table && "a code book without its table has no values");
  return table->entries[table->sorted.back()];
}

std::optional<uint32_t> Format::zeroCode() const {
  if (isInteger()) {
    if (kind_ == Kind::Odd || lo > 0 || hi < 0)
      return std::nullopt;
    return rawOf(0);
  }
  if (isFloat())
    return 0;
  if (table)
    for (uint8_t raw : table->sorted)
      if (table->entries[raw] == 0)
        return raw;
  return std::nullopt;
}
