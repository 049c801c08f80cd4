//===- LayoutVerifier.cpp - What makes a layout well formed ---------------===//
//
// The heart is that the digits of an axis *tile* it: sorted by stride, each
// starts where the one before ended (k:4, then k@4:8, then k@32:*). Then every
// coordinate has exactly one digit string, so that a piece cannot put two
// elements into one place: injective by construction, nothing to solve.
//
// A condition lo <= digit(s, r) < hi narrows one step of this walk: inside
// [s, s*r) only hi - lo values occur, and the digits there need to tell only
// those apart. Under n@8:8<6 the digits n@8:2, n@16:3 do; what follows resumes
// at s*r = 64.
//
//===----------------------------------------------------------------------===//

#include "lib/Layout/Detail.h"
#include "lib/Layout/Layout.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;
using namespace mezzo;
using namespace mezzo::layout_detail;

static std::string name(char axis, int64_t stride) {
  std::string text(1, axis);
  return stride == 1 ? text : text + "@" + std::to_string(stride);
}

// First position of the axis above the run [stride, stride * radix).
static int64_t runEnd(int64_t stride, int64_t radix) {
  int64_t end;
  if (radix == Digit::Rest || !multiply(stride, radix, end))
    return Condition::Unbounded;
  return end;
}

static Error verifyConditions(const Piece &piece) {
  for (const Condition &c : piece.conditions) {
    if (c.lower >= c.upper)
      return error("the conditions on " + name(c.axis, c.stride) +
                   " leave nothing: at least " + Twine(c.lower) +
                   " and less than " + Twine(c.upper));
    if (c.radix != Digit::Rest && c.lower >= c.radix)
      return error("the condition " + name(c.axis, c.stride) + ":" +
                   Twine(c.radix) + ">=" + Twine(c.lower) + " never holds");
    for (const Condition &o : piece.conditions)
      if (&o != &c && o.axis == c.axis && c.stride <= o.stride &&
          o.stride < runEnd(c.stride, c.radix))
        return error("two conditions of a piece overlap on axis " +
                     Twine(c.axis) + "; constrain one digit");
  }
  return Error::success();
}

static Error verifySpaces(const Piece &piece) {
  StringSet<> names;
  for (const auto &[i, space] : enumerate(piece.spaces)) {
    if (!names.insert(space.name).second)
      return error("space " + space.name + " is declared twice");
    int64_t product = 1;
    bool open = false;
    for (const Digit &d : space.digits) {
      open |= d.isRest();
      if (!d.isRest() && !multiply(product, d.radix, product))
        return error("the digits of space " + space.name +
                     " have more than 2^56 positions");
      if (d.isSwizzled() && (d.isRest() || !isPowerOf2_64(d.radix)))
        return error("the swizzle of " + name(d.axis, d.stride) +
                     " needs a radix that is a power of two");
    }
    if (space.positional != 2) {
      if (i != 0)
        return error("positional packing must be the first space, not " +
                     space.name);
      if (open || !piece.conditions.empty())
        return error("positional packing takes neither '*' nor conditions");
      continue;
    }
    if (space.size && !open && product + space.base > space.size)
      return error("space " + space.name + " has " + Twine(space.size) +
                   " positions but its digits need " +
                   Twine(product + space.base) + "; declare " + space.name +
                   "(" + Twine(product + space.base) + ")");
  }
  return Error::success();
}

// Digits of one axis, by stride; those of radix 1 tell nothing apart.
static SmallVector<const Digit *, 8> digitsOf(const Piece &piece, char axis) {
  SmallVector<const Digit *, 8> digits;
  for (const Space &space : piece.spaces)
    for (const Digit &d : space.digits)
      if (d.axis == axis && d.radix != 1)
        digits.push_back(&d);
  sort(digits,
       [](const Digit *a, const Digit *b) { return a->stride < b->stride; });
  return digits;
}

namespace {

/// The walk of the head of this file, along one axis of one piece.
class Tiling {
public:
  Tiling(const Piece &piece, char axis)
      : axis(axis), digits(digitsOf(piece, axis)) {
    for (const Condition &c : piece.conditions)
      if (c.axis == axis)
        conditions.push_back(c);
    sort(conditions, [](const Condition &a, const Condition &b) {
      return a.stride < b.stride;
    });
  }

  /// How many positions the digits tell apart.
  Expected<int64_t> walk() {
    int64_t end = 1;
    while (end != Condition::Unbounded &&
           (next < digits.size() || !conditions.empty())) {
      if (!conditions.empty() && conditions.front().stride <= end) {
        if (Error e = takeConstrained(end))
          return std::move(e);
        continue;
      }
      if (next == digits.size())
        break; // A condition beyond the digits; `bind` compares extents.
      if (Error e = takeDigit(end, Condition::Unbounded))
        return std::move(e);
    }
    if (next < digits.size())
      return error("digit " + name(axis, digits[next]->stride) +
                   " comes after the '*' of axis " + Twine(axis));
    return end;
  }

private:
  // Takes the digit that starts at `end`, which it moves on.
  Error takeDigit(int64_t &end, int64_t limit) {
    const Digit &d = *digits[next];
    if (d.stride != end)
      return error(
          "axis " + Twine(axis) + ": " +
          (d.stride < end
               ? "digit " + name(axis, d.stride) + " overlaps the one below it"
               : "nothing places " + name(axis, end) + ", the next digit is " +
                     name(axis, d.stride)));
    ++next;
    int64_t after = runEnd(d.stride, d.radix);
    // A condition in the middle of a digit would cut it; ask for two digits.
    if (after > limit)
      return error("digit " + name(axis, d.stride) + ":" + Twine(d.radix) +
                   " reaches over the end of the constrained digit at " +
                   name(axis, limit));
    end = after;
    return Error::success();
  }

  Error takeConstrained(int64_t &end) {
    Condition c = conditions.front();
    conditions.erase(conditions.begin());
    if (c.stride != end)
      return error("the condition on " + name(axis, c.stride) +
                   " falls inside a digit; split that digit at " +
                   Twine(c.stride));
    int64_t limit = runEnd(c.stride, c.radix);
    int64_t upper =
        c.radix == Digit::Rest ? c.upper : std::min(c.upper, c.radix);
    int64_t values = upper == Condition::Unbounded ? upper : upper - c.lower;
    int64_t needed = Condition::Unbounded;
    if (values != Condition::Unbounded && !multiply(c.stride, values, needed))
      return error("the condition on " + name(axis, c.stride) +
                   " reaches beyond 2^56");
    while (end < needed && next < digits.size() && digits[next]->stride < limit)
      if (Error e = takeDigit(end, limit))
        return e;
    if (end < needed && needed != Condition::Unbounded)
      return error("axis " + Twine(axis) + ": " + Twine(values) +
                   " values of the constrained digit " + name(axis, c.stride) +
                   " are placed by digits for " + Twine(end / c.stride));
    // With nothing above its upper bound this is also the axis' end: what lies
    // there belongs to other pieces.
    end = limit;
    return Error::success();
  }

  char axis;
  SmallVector<const Digit *, 8> digits;
  size_t next = 0;
  SmallVector<Condition, 2> conditions;
};

} // namespace

// a ^ b can be undone only if b is known from elsewhere: no swizzled digit of
// b's axis may lie in the run that b reads.
static Error verifySwizzles(const Piece &piece) {
  SmallVector<const Digit *, 4> swizzled;
  for (const Space &space : piece.spaces)
    for (const Digit &d : space.digits)
      if (d.isSwizzled())
        swizzled.push_back(&d);
  for (const Digit *d : swizzled)
    for (const Digit *o : swizzled)
      if (o->axis == d->xorAxis && o->stride < runEnd(d->xorStride, d->radix) &&
          d->xorStride < runEnd(o->stride, o->radix))
        return error("the operand " + name(d->xorAxis, d->xorStride) +
                     " of a swizzle is itself swizzled; place it plainly");
  return Error::success();
}

Error mezzo::verifyPiece(const Piece &piece) {
  if (piece.spaces.empty())
    return error("a layout needs at least one space");
  if (Error e = verifyConditions(piece))
    return e;
  if (Error e = verifySpaces(piece))
    return e;
  if (Error e = verifySwizzles(piece))
    return e;
  SmallVector<char, 8> axes;
  for (const Space &space : piece.spaces)
    for (const Digit &d : space.digits)
      if (!is_contained(axes, d.axis))
        axes.push_back(d.axis);
  for (const Condition &c : piece.conditions)
    if (!is_contained(axes, c.axis))
      axes.push_back(c.axis);
  for (char axis : axes)
    if (Expected<int64_t> covered = Tiling(piece, axis).walk(); !covered)
      return covered.takeError();
  if (piece.spaces.front().positional != 2 && is_contained(axes, 'b'))
    return error("positional packing places whole codes; drop the digits of b");
  return Error::success();
}

int64_t mezzo::coverage(const Piece &piece, char axis) {
  return cantFail(Tiling(piece, axis).walk());
}

Expected<Layout> Layout::get(std::vector<Piece> pieces) {
  if (pieces.empty())
    return error("a layout needs at least one piece");
  for (const auto &[i, piece] : enumerate(pieces)) {
    if (Error e = verifyPiece(piece)) {
      if (pieces.size() == 1)
        return error("layout: " + toString(std::move(e)));
      return error("layout, piece " + Twine(i + 1) + ": " +
                   toString(std::move(e)));
    }
    if (pieces.size() > 1 && piece.spaces.front().positional != 2)
      return error("layout: positional packing takes a single piece");
    bool same = piece.spaces.size() == pieces[0].spaces.size() &&
                all_of(zip(piece.spaces, pieces[0].spaces), [](auto pair) {
                  return std::get<0>(pair).name == std::get<1>(pair).name;
                });
    if (!same)
      return error("layout, piece " + Twine(i + 1) +
                   ": all pieces must declare the same spaces in the same "
                   "order as the first");
  }
  return Layout(std::move(pieces));
}
