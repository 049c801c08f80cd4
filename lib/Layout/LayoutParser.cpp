//===- LayoutParser.cpp - The text form of layouts ------------------------===//

#include "lib/Layout/Detail.h"
#include "lib/Layout/Layout.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;
using namespace mezzo;
using namespace mezzo::layout_detail;

namespace {

/// Recursive descent over the grammar at the head of Layout.h. A failing rule
/// records the first error and returns false; the rest unwinds.
class Parser {
public:
  explicit Parser(StringRef text) : text(text), rest(text) {}

  Expected<Layout> parse() {
    std::vector<Piece> pieces;
    do {
      if (pieces.size() == MaxPieces) {
        fail("more than " + Twine(MaxPieces) + " pieces");
        return error(message);
      }
      pieces.emplace_back();
      if (!parsePiece(pieces.back()))
        return error(message);
      // A last ';' may end the text.
    } while (consume(';') && !atEnd());
    if (!atEnd()) {
      fail("expected ',' or ';' or the end");
      return error(message);
    }
    return Layout::get(std::move(pieces));
  }

private:
  static constexpr size_t MaxPieces = 64;

  bool parsePiece(Piece &piece) {
    // A condition starts with a letter and one of @ : < >, a space with a name
    // and ( or =, so one look ahead decides.
    if (startsCondition()) {
      do {
        if (!parseCondition(piece))
          return false;
      } while (consume(','));
      if (!expect(':', "after the conditions of a piece"))
        return false;
    }
    do {
      piece.spaces.emplace_back();
      if (!parseSpace(piece.spaces.back()))
        return false;
    } while (consume(','));
    return true;
  }

  bool startsCondition() {
    skipSpace();
    if (rest.empty() || !isAlpha(rest.front()))
      return false;
    StringRef next = rest.drop_front().ltrim();
    return !next.empty() && StringRef("@:<>").contains(next.front());
  }

  bool parseCondition(Piece &piece) {
    Condition c;
    if (!parseAxis(c.axis) || !parseStride(c.stride))
      return false;
    if (consume(':') && !parseRadix(c.radix))
      return false;
    if (consume('<')) {
      if (!parseNumber(c.upper))
        return false;
    } else if (consume('>')) {
      if (!expect('=', "after '>'; use >= or <") || !parseNumber(c.lower))
        return false;
    } else {
      return fail("expected '<' or '>=' in a condition");
    }
    // Both bounds of one digit make one condition.
    for (Condition &old : piece.conditions)
      if (old.axis == c.axis && old.stride == c.stride &&
          old.radix == c.radix) {
        old.lower = std::max(old.lower, c.lower);
        old.upper = std::min(old.upper, c.upper);
        return true;
      }
    piece.conditions.push_back(c);
    return true;
  }

  bool parseSpace(Space &space) {
    skipSpace();
    StringRef name =
        rest.take_while([](char c) { return isAlnum(c) || c == '_'; });
    if (name.empty() || isDigit(name.front()))
      return fail("expected the name of a space, as in bit=[...]");
    space.name = name.str();
    rest = rest.drop_front(name.size());
    if (consume('(')) {
      if (!parseNumber(space.size) || !expect(')', "after the size of a space"))
        return false;
      if (space.size == 0)
        return fail("the size of a space must be at least 1");
    }
    if (!expect('=', "after the name of a space"))
      return false;
    skipSpace();
    if (rest.starts_with("radix")) {
      rest = rest.drop_front(5);
      int64_t base = 0;
      if (!parseNumber(base))
        return false;
      if (base < 3 || base > 256)
        return fail("positional packing needs a radix from 3 to 256, not " +
                    Twine(base));
      space.positional = unsigned(base);
    } else if (!rest.empty() && isDigit(rest.front())) {
      if (!parseNumber(space.base) ||
          !expect('+', "between the base and the digits of a space"))
        return false;
    }
    if (!expect('[', "before the digits of a space"))
      return false;
    if (consume(']'))
      return true;
    do {
      space.digits.emplace_back();
      if (!parseDigit(space.digits.back()))
        return false;
    } while (consume(','));
    return expect(']', "after the digits of a space");
  }

  bool parseDigit(Digit &d) {
    if (!parseAxis(d.axis) || !parseStride(d.stride) ||
        !expect(':', "before the radix of a digit") || !parseRadix(d.radix))
      return false;
    if (!consume('^'))
      return true;
    int64_t radix = 0;
    if (!parseAxis(d.xorAxis) || !parseStride(d.xorStride) ||
        !expect(':', "before the radix of a digit") || !parseRadix(radix))
      return false;
    if (radix != d.radix)
      return fail("both sides of '^' must have the same radix");
    return true;
  }

  bool parseAxis(char &axis) {
    skipSpace();
    if (rest.empty() || !isAlpha(rest.front()))
      return fail("expected an axis, a single letter such as n, k or b");
    axis = rest.front();
    rest = rest.drop_front();
    if (!rest.empty() && isAlnum(rest.front()))
      return fail("an axis is a single letter");
    return true;
  }

  bool parseStride(int64_t &stride) {
    if (!consume('@'))
      return true;
    if (!parseNumber(stride))
      return false;
    return stride > 0 || fail("a stride must be at least 1");
  }

  bool parseRadix(int64_t &radix) {
    if (consume('*')) {
      radix = Digit::Rest;
      return true;
    }
    if (!parseNumber(radix))
      return false;
    return radix > 0 || fail("a radix must be at least 1, or '*'");
  }

  bool parseNumber(int64_t &number) {
    skipSpace();
    StringRef digits = rest.take_while(isDigit);
    if (digits.empty())
      return fail("expected a number");
    if (digits.getAsInteger(10, number) || number > Largest)
      return fail("number " + digits + " is larger than 2^56");
    rest = rest.drop_front(digits.size());
    return true;
  }

  void skipSpace() { rest = rest.ltrim(); }

  bool atEnd() {
    skipSpace();
    return rest.empty();
  }

  bool consume(char c) {
    skipSpace();
    return rest.consume_front(StringRef(&c, 1));
  }

  bool expect(char c, StringRef where) {
    return consume(c) || fail("expected '" + Twine(c) + "' " + where);
  }

  bool fail(const Twine &what) {
    skipSpace();
    size_t column = text.size() - rest.size();
    message = ("layout, column " + Twine(column + 1) + ": " + what +
               (rest.empty() ? Twine(", found the end")
                             : ", found '" + rest.take_front(12) + "'"))
                  .str();
    return false;
  }

  StringRef text, rest;
  std::string message;
};

} // namespace

Expected<Layout> Layout::parse(StringRef text) { return Parser(text).parse(); }
