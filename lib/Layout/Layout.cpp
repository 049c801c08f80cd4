//===- Layout.cpp - Printing, comparing, normal form ----------------------===//

#include "lib/Layout/Layout.h"
#include "lib/Layout/Detail.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <tuple>

using namespace llvm;
using namespace mezzo;
using namespace mezzo::layout_detail;

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

static auto key(const Digit &d) {
  return std::tuple(d.axis, d.stride, d.radix, d.xorAxis, d.xorStride);
}

static auto key(const Condition &c) {
  return std::tuple(c.axis, c.stride, c.radix, c.lower, c.upper);
}

bool Digit::operator==(const Digit &o) const { return key(*this) == key(o); }

bool Condition::operator==(const Condition &o) const {
  return key(*this) == key(o);
}

bool Space::operator==(const Space &o) const {
  return name == o.name && size == o.size && base == o.base &&
         positional == o.positional && digits == o.digits;
}

bool Piece::operator==(const Piece &o) const {
  return conditions == o.conditions && spaces == o.spaces;
}

bool Condition::holds(int64_t x) const {
  int64_t value = x / stride;
  if (radix != Digit::Rest)
    value %= radix;
  return lower <= value && value < upper;
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

static void printTerm(raw_ostream &os, char axis, int64_t stride,
                      int64_t radix) {
  os << axis;
  if (stride != 1)
    os << '@' << stride;
  os << ':';
  if (radix == Digit::Rest)
    os << '*';
  else
    os << radix;
}

static void print(raw_ostream &os, const Digit &d) {
  printTerm(os, d.axis, d.stride, d.radix);
  if (!d.isSwizzled())
    return;
  os << '^';
  printTerm(os, d.xorAxis, d.xorStride, d.radix);
}

static void print(raw_ostream &os, const Condition &c) {
  auto term = [&](StringRef relation, int64_t bound) {
    os << c.axis;
    if (c.stride != 1)
      os << '@' << c.stride;
    if (c.radix != Digit::Rest)
      os << ':' << c.radix;
    os << relation << bound;
  };
  if (c.lower > 0 || c.upper == Condition::Unbounded)
    term(">=", c.lower);
  if (c.lower > 0 && c.upper != Condition::Unbounded)
    os << ", ";
  if (c.upper != Condition::Unbounded)
    term("<", c.upper);
}

static void print(raw_ostream &os, const Space &s) {
  os << s.name;
  if (s.size)
    os << '(' << s.size << ')';
  os << '=';
  if (s.base)
    os << s.base << '+';
  if (s.positional != 2)
    os << "radix " << s.positional << ' ';
  os << '[';
  interleave(s.digits, os, [&](const Digit &d) { print(os, d); }, ", ");
  os << ']';
}

std::string Layout::str() const {
  std::string text;
  raw_string_ostream os(text);
  auto piece = [&](const Piece &p) {
    interleave(
        p.conditions, os, [&](const Condition &c) { print(os, c); }, ", ");
    if (!p.conditions.empty())
      os << ": ";
    interleave(p.spaces, os, [&](const Space &s) { print(os, s); }, ", ");
  };
  interleave(list, os, piece, "; ");
  return text;
}

llvm::hash_code mezzo::hash_value(const Layout &layout) {
  return hash_value(StringRef(layout.str()));
}

bool Layout::mentions(char axis) const {
  for (const Piece &piece : list) {
    for (const Condition &c : piece.conditions)
      if (c.axis == axis)
        return true;
    for (const Space &space : piece.spaces)
      for (const Digit &d : space.digits)
        if (d.axis == axis || d.xorAxis == axis)
          return true;
  }
  return false;
}

//===----------------------------------------------------------------------===//
// Normal form
//===----------------------------------------------------------------------===//

// Whether a run of a constrained digit begins or ends at d: its digits count
// from the condition's lower bound, so they do not merge with those outside.
static bool isBoundary(ArrayRef<Condition> conditions, const Digit &d) {
  return any_of(conditions, [&](const Condition &c) {
    return c.axis == d.axis &&
           (c.stride == d.stride || c.stride * c.radix == d.stride);
  });
}

// x mod a + a * ((x div a) mod b) = x mod ab: neighbours of one axis merge. Not
// so into a `*`: [k:4, k@4:*] pads k to a multiple of four and [k:*] does not.
static void mergeDigits(Space &space, ArrayRef<Condition> conditions) {
  SmallVector<Digit, 4> merged;
  for (const Digit &d : space.digits) {
    if (d.radix == 1)
      continue;
    Digit *last = merged.empty() ? nullptr : &merged.back();
    bool joins = last && last->axis == d.axis && !last->isRest() &&
                 !d.isRest() && !last->isSwizzled() && !d.isSwizzled() &&
                 last->stride * last->radix == d.stride &&
                 !isBoundary(conditions, d);
    if (joins)
      last->radix *= d.radix;
    else
      merged.push_back(d);
  }
  space.digits = std::move(merged);
}

// What the digits need, or 0 where a `*` leaves that to the extents.
static int64_t neededSize(const Space &space) {
  int64_t product = 1;
  for (const Digit &d : space.digits)
    product *= d.radix;
  if (product == 0 || space.positional != 2)
    return 0;
  product += space.base;
  return space.name == "bit" ? int64_t(alignTo(uint64_t(product), 8)) : product;
}

Layout Layout::canonical() const {
  std::vector<Piece> pieces = list;
  for (Piece &piece : pieces) {
    for (Space &space : piece.spaces)
      mergeDigits(space, piece.conditions);
    sort(piece.conditions, [](const Condition &a, const Condition &b) {
      return key(a) < key(b);
    });
  }

  size_t spaceCount = pieces.front().spaces.size();
  auto inAll = [&](size_t i, auto predicate) {
    return all_of(pieces,
                  [&](const Piece &p) { return predicate(p.spaces[i]); });
  };
  for (size_t i = spaceCount; i-- > 0;) {
    // A declared size is superfluous if every piece would get it anyway.
    if (inAll(i, [](const Space &s) { return s.size == neededSize(s); }))
      for (Piece &p : pieces)
        p.spaces[i].size = 0;
    bool empty = inAll(i, [](const Space &s) {
      return s.digits.empty() && s.base == 0 && s.size <= 1 &&
             s.positional == 2 && s.name != "bit";
    });
    if (empty && pieces.front().spaces.size() > 1)
      for (Piece &p : pieces)
        p.spaces.erase(p.spaces.begin() + i);
  }

  sort(pieces, [](const Piece &a, const Piece &b) {
    return std::lexicographical_compare(
        a.conditions.begin(), a.conditions.end(), b.conditions.begin(),
        b.conditions.end(),
        [](const Condition &x, const Condition &y) { return key(x) < key(y); });
  });
  return Layout(std::move(pieces));
}
