//===- Quotient.cpp - The layout of scales --------------------------------===//

#include "lib/Layout/Detail.h"
#include "lib/Layout/Layout.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace mezzo;
using namespace mezzo::layout_detail;

// The part of a digit of k at and above the group length, as a digit of g; a
// radix of 1 where nothing is left.
static Expected<Digit> splitAtGroup(const Digit &d, int64_t length) {
  Digit upper = d;
  upper.axis = 'g';
  int64_t end = d.isRest() ? 0 : d.stride * d.radix;
  if (!d.isRest() && end <= length) {
    upper.stride = upper.radix = 1;
    return upper;
  }
  bool below = d.stride < length;
  if (below ? length % d.stride != 0 : d.stride % length != 0)
    return error("quotient: group length " + Twine(length) +
                 " does not fall on a boundary of the digit k@" +
                 Twine(d.stride) + "; use a multiple of " + Twine(d.stride));
  if (below && !d.isRest() && end % length != 0)
    return error("quotient: group length " + Twine(length) +
                 " does not divide " + Twine(end) + ", where the digit k@" +
                 Twine(d.stride) + ":" + Twine(d.radix) + " ends");
  upper.stride = below ? 1 : d.stride / length;
  if (!d.isRest())
    upper.radix = end / std::max(length, d.stride);
  return upper;
}

namespace {

/// Takes the quotient of one piece: what is left of its spaces, where the run
/// of a constrained digit is represented by that digit as a whole.
class PieceQuotient {
public:
  PieceQuotient(StringRef drop, int64_t groupLength)
      : drop(drop), groupLength(groupLength) {}

  Error take(const Piece &piece) {
    for (const Condition &c : piece.conditions)
      if (c.axis == 'k' && groupLength && !drop.contains('k'))
        return error("quotient: a piece has a condition on k, which the group "
                     "length splits");
    for (const Space &space : piece.spaces) {
      Space left;
      left.name = space.name;
      for (const Digit &d : space.digits)
        if (Error e = takeDigit(piece, d, left))
          return e;
      spaces.push_back(std::move(left));
    }
    return Error::success();
  }

  /// The digits outside constrained runs, in order: equal in all pieces, or
  /// their elements would be ordered differently.
  SmallVector<Digit, 8> plain;
  SmallVector<Space, 4> spaces;
  /// Whether every constrained run kept a digit, and so has its place.
  bool complete(const Piece &piece) const {
    return all_of(piece.conditions, [&](const Condition &c) {
      return drop.contains(c.axis) || is_contained(placed, runOf(c));
    });
  }

private:
  static Digit runOf(const Condition &c) { return {c.axis, c.stride, c.radix}; }

  Error takeDigit(const Piece &piece, Digit d, Space &left) {
    if (drop.contains(d.axis))
      return Error::success();
    if (d.axis == 'k' && groupLength) {
      Expected<Digit> upper = splitAtGroup(d, groupLength);
      if (!upper)
        return upper.takeError();
      d = *upper;
    }
    if (d.radix == 1)
      return Error::success();
    if (d.isSwizzled())
      return error("quotient: the digit " + Twine(d.axis) + "@" +
                   Twine(d.stride) +
                   " is swizzled, so its elements have no "
                   "common order");
    for (const Condition &c : piece.conditions) {
      bool inside = c.axis == d.axis && c.stride <= d.stride &&
                    (c.radix == Digit::Rest || d.stride < c.stride * c.radix);
      if (!inside)
        continue;
      // The first digit of the run stands for all of it.
      if (!is_contained(placed, runOf(c))) {
        placed.push_back(runOf(c));
        left.digits.push_back(runOf(c));
      }
      return Error::success();
    }
    plain.push_back(d);
    left.digits.push_back(d);
    return Error::success();
  }

  StringRef drop;
  int64_t groupLength;
  SmallVector<Digit, 2> placed;
};

} // namespace

Expected<Layout> Layout::quotient(StringRef drop, int64_t groupLength) const {
  if (groupLength < 0 || groupLength > Largest)
    return error("quotient: group length " + Twine(groupLength) +
                 " is out of range");
  if (groupLength > 0 && mentions('g'))
    return error("quotient: the layout has groups already; drop k instead of "
                 "giving a group length");
  SmallVector<PieceQuotient, 4> pieces(list.size(),
                                       PieceQuotient(drop, groupLength));
  const PieceQuotient *chosen = nullptr;
  for (const auto &[i, piece] : enumerate(list)) {
    if (Error e = pieces[i].take(piece))
      return std::move(e);
    if (pieces[i].plain != pieces[0].plain)
      return error("quotient: the pieces order their elements differently");
    if (!chosen && pieces[i].complete(piece))
      chosen = &pieces[i];
  }
  if (!chosen)
    return error("quotient: no piece places all of its constrained digits");

  // Fields of one byte are different rows of one vector: they come after its
  // lanes, so that the scales of a vector's lanes lie beside each other.
  Piece result;
  result.spaces = chosen->spaces;
  if (result.spaces.front().name == "bit") {
    result.spaces.front().name = "field";
    if (result.spaces.size() > 1)
      std::swap(result.spaces[0], result.spaces[1]);
  }
  erase_if(result.spaces, [](const Space &s) { return s.digits.empty(); });
  if (result.spaces.empty()) {
    result.spaces.emplace_back();
    result.spaces.back().name = "scalar";
  }
  Expected<Layout> layout = Layout::get({std::move(result)});
  if (!layout)
    return layout.takeError();
  return layout->canonical();
}
