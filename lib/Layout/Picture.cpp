//===- Picture.cpp - A layout as a drawing --------------------------------===//

#include "lib/Layout/Picture.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace mezzo;

using Element = std::optional<SmallVector<int64_t, 4>>;

// Whether two neighbouring bits belong to one code (or both to padding).
static bool sameCode(const BoundLayout &bound, const Element &a,
                     const Element &b) {
  if (!a || !b)
    return !a && !b;
  for (const auto &[i, extent] : enumerate(bound.extents()))
    if (extent.first != 'b' && (*a)[i] != (*b)[i])
      return false;
  return true;
}

static std::string pictureOfNumbers(const BoundLayout &bound, int64_t numbers) {
  std::string text;
  raw_string_ostream os(text);
  for (int64_t i = 0; i < numbers; ++i) {
    int64_t at = i * bound.wordBits();
    os << (bound.wordBits() == 8 ? "byte " : "bytes from ") << at / 8 << " = ";
    uint64_t weight = 1;
    ListSeparator plus(" + ");
    for (int64_t d = 0; d < bound.wordDigits(); ++d) {
      if (Element x = bound.elementAt(at, unsigned(d))) {
        os << plus;
        if (weight != 1)
          os << weight << '*';
        os << '(';
        ListSeparator space(" ");
        for (const auto &[i, extent] : enumerate(bound.extents()))
          if (extent.first != 'b')
            os << space << extent.first << (*x)[i];
        os << ')';
      }
      weight *= bound.layout().positional();
    }
    os << '\n';
  }
  return text;
}

std::string mezzo::picture(const BoundLayout &bound, unsigned firstBits) {
  int64_t bytes = std::min<int64_t>(bound.totalBytes(), (firstBits + 7) / 8);
  if (bound.layout().positional() != 2)
    return pictureOfNumbers(bound, bytes * 8 / bound.wordBits());

  // bits[8 * i + j] is bit j of byte i; the widest number sets the column.
  std::vector<Element> bits;
  size_t width = 2;
  for (int64_t at = 0; at < bytes * 8; ++at) {
    bits.push_back(bound.elementAt(at));
    if (bits.back())
      for (int64_t value : *bits.back())
        width = std::max(width, std::to_string(value).size() + 1);
  }
  size_t margin = ("byte " + Twine(bytes - 1) + " ").str().size();

  std::string text;
  raw_string_ostream os(text);
  os.indent(margin + 1);
  for (int bit = 7; bit >= 0; --bit)
    os << right_justify(std::to_string(bit), width) << ' ';
  os << '\n';
  for (int64_t byte = 0; byte < bytes; ++byte) {
    ArrayRef<Element> row = ArrayRef(bits).slice(byte * 8, 8);
    auto edge = [&](int bit) {
      return bit == 0 || !sameCode(bound, row[bit], row[bit - 1]);
    };
    auto rule = [&](StringRef label) {
      os << left_justify(label, margin) << '+';
      for (int bit = 7; bit >= 0; --bit)
        os << std::string(width, '-') << (edge(bit) ? '+' : '-');
      os << '\n';
    };
    rule(("byte " + Twine(byte)).str());
    for (const auto &[i, extent] : enumerate(bound.extents())) {
      os << right_justify(StringRef(&extent.first, 1), margin - 1) << " |";
      for (int bit = 7; bit >= 0; --bit)
        os << right_justify(row[bit] ? std::to_string((*row[bit])[i]) : ".",
                            width)
           << (edge(bit) ? '|' : ' ');
      os << '\n';
    }
    if (byte + 1 == bytes)
      rule("");
  }
  return text;
}
