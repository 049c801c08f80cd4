//===- BoundLayout.cpp - A layout applied to a tensor ---------------------===//

#include "lib/Layout/BoundLayout.h"
#include "lib/Layout/Detail.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace mezzo;
using namespace mezzo::layout_detail;

//===----------------------------------------------------------------------===//
// Binding
//===----------------------------------------------------------------------===//

int BoundLayout::axisIndex(char axis) const {
  for (const auto &[i, extent] : enumerate(axes))
    if (extent.first == axis)
      return int(i);
  return -1;
}

int64_t BoundLayout::extent(char axis) const {
  int i = axisIndex(axis);
  return i < 0 ? 1 : axes[i].second;
}

Expected<BoundLayout> Layout::bind(const Extents &extents) const {
  BoundLayout bound(*this, extents);
  if (Error e = bound.resolve())
    return std::move(e);
  return bound;
}

namespace {

/// A piece on its way to a BoundPiece: its open radices and its sizes resolved,
/// the places not yet known because pieces have to agree on the sizes first.
struct HalfBound {
  Piece piece;
  SmallVector<int64_t, 4> sizes;
};

} // namespace

static Error checkExtents(const Extents &axes) {
  int64_t elements = 1;
  for (const auto &[i, extent] : enumerate(axes)) {
    if (extent.second < 1)
      return error("axis " + Twine(extent.first) + " has extent " +
                   Twine(extent.second) + "; extents must be at least 1");
    if (!multiply(elements, extent.second, elements))
      return error("the extents multiply to more than 2^56 elements");
    for (const auto &other : ArrayRef(axes).take_front(i))
      if (other.first == extent.first)
        return error("axis " + Twine(extent.first) + " has two extents");
  }
  return Error::success();
}

// Extent of the axis inside a piece: up to the upper bound of a condition on
// its last digit, counted from the lower.
static int64_t extentInPiece(const Piece &piece, char axis, int64_t extent) {
  for (const Condition &c : piece.conditions)
    if (c.axis == axis && c.radix == Digit::Rest)
      return std::min(extent, c.upper * c.stride) - c.lower * c.stride;
  return extent;
}

// Resolves the piece, or leaves `half` empty where no element can meet its
// conditions (`b>=2` for 2-bit codes).
static Error resolvePiece(Piece piece, const BoundLayout &bound,
                          std::optional<HalfBound> &half) {
  for (Condition &c : piece.conditions) {
    if (bound.axisIndex(c.axis) < 0)
      return error("a condition names axis " + Twine(c.axis) +
                   ", which the tensor does not have");
    int64_t values = ceilDiv(bound.extent(c.axis), c.stride);
    if (c.lower >= values)
      return Error::success();
    if (c.radix == Digit::Rest)
      c.upper = std::min(c.upper, values);
  }
  if (Error e = verifyPiece(piece))
    return e;

  for (const auto &[axis, extent] : bound.extents()) {
    int64_t covered = coverage(piece, axis);
    // To a base other than two a code is placed as a whole.
    bool absorbed = axis == 'b' && piece.spaces.front().positional != 2;
    if (covered < extent && !absorbed)
      return error("axis " + Twine(axis) + " has " + Twine(extent) +
                   " positions but the digits cover " + Twine(covered) +
                   (covered == 1 ? "; add digits of " + Twine(axis)
                                 : "; end it with " + Twine(axis) + "@" +
                                       Twine(covered) + ":*"));
  }

  half.emplace();
  for (Space &space : piece.spaces) {
    int64_t product = 1;
    for (Digit &d : space.digits) {
      if (d.isRest()) {
        if (bound.axisIndex(d.axis) < 0)
          return error("axis " + Twine(d.axis) +
                       " has no extent, so its digit replicates and needs a "
                       "number instead of '*'");
        int64_t extent = extentInPiece(piece, d.axis, bound.extent(d.axis));
        d.radix = std::max<int64_t>(1, ceilDiv(extent, d.stride));
      }
      if (!multiply(product, d.radix, product))
        return error("space " + space.name + " has more than 2^56 positions");
    }
    int64_t needed = product + space.base;
    if (space.name == "bit" && !space.size && space.positional == 2)
      needed = int64_t(alignTo(uint64_t(needed), 8));
    if (space.size && needed > space.size && space.positional == 2)
      return error("space " + space.name + " has " + Twine(space.size) +
                   " positions but needs " + Twine(needed) +
                   " for these extents");
    half->sizes.push_back(space.size && space.positional == 2 ? space.size
                                                              : needed);
  }
  half->piece = std::move(piece);
  return Error::success();
}

// Bits that a number of `digits` digits to `base` needs, in whole bytes; 0
// where that is more than 64.
static int64_t bitsOfNumber(unsigned base, int64_t digits) {
  uint64_t largest = 0;
  for (int64_t i = 0; i < digits; ++i) {
    bool overflow = false;
    largest =
        SaturatingMultiplyAdd<uint64_t>(largest, base, base - 1, &overflow);
    if (overflow)
      return 0;
  }
  return int64_t(alignTo(Log2_64(largest | 1) + 1, 8));
}

// The digit of the piece as arithmetic on a coordinate.
static BoundTerm termOf(const Piece &piece, int index, char axis,
                        int64_t stride, int64_t radix) {
  BoundTerm term = {index, stride, radix, 0, BoundTerm::NoModulus};
  for (const Condition &c : piece.conditions) {
    bool open = c.radix == Digit::Rest;
    if (c.axis != axis || stride < c.stride ||
        (!open && stride >= c.stride * c.radix))
      continue;
    term.lower = c.lower * c.stride;
    term.modulus = open ? BoundTerm::NoModulus : c.stride * c.radix;
  }
  return term;
}

Error BoundLayout::placePiece(const Piece &piece) {
  BoundPiece &bound = list.emplace_back();
  bound.first.assign(axes.size(), 0);
  for (const Condition &c : piece.conditions) {
    bound.conditions.push_back({axisIndex(c.axis), c});
    bound.first[axisIndex(c.axis)] += c.lower * c.stride;
  }
  bound.replicas.push_back(0);
  for (const auto &[i, space] : enumerate(piece.spaces)) {
    bound.bases.push_back(space.base);
    bound.base += space.base * rooms[i].place;
    int64_t at = rooms[i].place;
    for (const Digit &d : space.digits) {
      BoundDigit digit = {unsigned(i), at, {}, {}};
      digit.term = termOf(piece, axisIndex(d.axis), d.axis, d.stride, d.radix);
      if (d.isSwizzled()) {
        digit.operand = termOf(piece, axisIndex(d.xorAxis), d.xorAxis,
                               d.xorStride, d.radix);
        if (digit.operand.axis < 0 || digit.term.axis < 0)
          return error("the swizzle of " + Twine(d.axis) + " by " +
                       Twine(d.xorAxis) + " needs extents of both axes");
      }
      if (digit.term.axis < 0) {
        size_t copies = bound.replicas.size();
        if (int64_t(copies) > MaxCopies / d.radix)
          return error("more than " + Twine(MaxCopies) +
                       " copies of each element");
        for (int64_t r = 1; r < d.radix; ++r)
          for (size_t c = 0; c < copies; ++c)
            bound.replicas.push_back(bound.replicas[c] + r * at);
      }
      bound.digits.push_back(digit);
      at *= d.radix;
    }
  }
  return Error::success();
}

Error BoundLayout::resolve() {
  auto failed = [&](Error e) {
    return error("layout: " + toString(std::move(e)));
  };
  if (Error e = checkExtents(axes))
    return failed(std::move(e));

  SmallVector<HalfBound, 4> halves;
  for (const Piece &piece : source.pieces()) {
    std::optional<HalfBound> half;
    if (Error e = resolvePiece(piece, *this, half))
      return failed(std::move(e));
    if (half)
      halves.push_back(std::move(*half));
  }
  if (halves.empty())
    return error("layout: no piece covers an element of this tensor");

  int64_t place = 1;
  for (const auto &[i, space] : enumerate(halves.front().piece.spaces)) {
    int64_t size = halves.front().sizes[i];
    for (const HalfBound &half : halves)
      if (half.sizes[i] != size) {
        int64_t larger = std::max(size, half.sizes[i]);
        return error("layout: pieces disagree on the size of space " +
                     space.name + ", " + Twine(size) + " and " +
                     Twine(half.sizes[i]) + "; declare it, as in " +
                     space.name + "(" + Twine(larger) + ")=[...]");
      }
    rooms.push_back({space.name, size, place});
    if (!multiply(place, size, place))
      return error("layout: the tensor takes more than 2^56 bits");
  }
  units = place;

  for (const HalfBound &half : halves)
    if (Error e = placePiece(half.piece))
      return failed(std::move(e));

  const Space &lowest = halves.front().piece.spaces.front();
  if (lowest.positional != 2) {
    wordCount = rooms.front().size;
    word = bitsOfNumber(lowest.positional, wordCount);
    if (lowest.size && lowest.size < word)
      return error("layout: space " + lowest.name + " has " +
                   Twine(lowest.size) + " bits but " + Twine(wordCount) +
                   " digits to base " + Twine(lowest.positional) + " need " +
                   Twine(word));
    if (lowest.size)
      word = lowest.size;
    if (word == 0 || word > 64 || word % 8 != 0)
      return error("layout: " + Twine(wordCount) + " digits to base " +
                   Twine(lowest.positional) +
                   " do not fit whole bytes of a 64-bit number; use fewer");
    if (!multiply(units / wordCount, word, units))
      return error("layout: the tensor takes more than 2^56 bits");
  }
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Evaluating
//===----------------------------------------------------------------------===//

const BoundPiece *BoundLayout::pieceOf(ArrayRef<int64_t> x) const {
  for (const BoundPiece &piece : list)
    if (all_of(piece.conditions, [&](const BoundCondition &c) {
          return c.condition.holds(x[c.axis]);
        }))
      return &piece;
  return nullptr;
}

int64_t BoundLayout::slot(const BoundPiece &piece, ArrayRef<int64_t> x) const {
  int64_t sum = piece.base;
  for (const BoundDigit &d : piece.digits) {
    if (d.term.axis < 0)
      continue;
    int64_t value = d.term.value(x[d.term.axis]);
    if (d.isSwizzled())
      value ^= d.operand.value(x[d.operand.axis]);
    sum += value * d.place;
  }
  return sum;
}

int64_t BoundLayout::bitAddress(ArrayRef<int64_t> coordinates) const {
  assert(coordinates.size() == axes.size() && "one coordinate per extent");
  const BoundPiece *piece = pieceOf(coordinates);
  if (!piece)
    return -1;
  return slot(*piece, coordinates) / wordCount * word;
}

unsigned BoundLayout::digitIndex(ArrayRef<int64_t> coordinates) const {
  const BoundPiece *piece = pieceOf(coordinates);
  return piece ? unsigned(slot(*piece, coordinates) % wordCount) : 0;
}

std::optional<SmallVector<int64_t, 4>>
BoundLayout::elementAt(int64_t address, unsigned digit) const {
  if (address < 0 || address >= units || digit >= wordCount)
    return std::nullopt;
  int64_t target = address / word * wordCount + digit;
  for (const BoundPiece &piece : list) {
    // Read the digits off the address; swizzled ones in a second round, when
    // their operands are known. What does not evaluate to the address again
    // was padding, or another piece's.
    SmallVector<int64_t, 4> x(piece.first);
    int64_t copy = 0;
    auto read = [&](const BoundDigit &d) -> int64_t {
      const BoundSpace &room = rooms[d.space];
      int64_t inSpace = target / room.place % room.size - piece.bases[d.space];
      return inSpace < 0 ? -1 : inSpace / (d.place / room.place) % d.term.radix;
    };
    bool fits = true;
    for (bool swizzled : {false, true})
      for (const BoundDigit &d : piece.digits) {
        if (d.isSwizzled() != swizzled)
          continue;
        int64_t value = read(d);
        if (value < 0) {
          fits = false;
          break;
        }
        if (swizzled)
          value ^= d.operand.value(x[d.operand.axis]);
        if (d.term.axis < 0)
          copy += value * d.place;
        else
          x[d.term.axis] += value * d.term.stride;
      }
    for (const auto &[i, extent] : enumerate(axes))
      fits &= x[i] >= 0 && x[i] < extent.second;
    // Without digits of b (positional, or scales) b is not an answer; it is 0.
    if (fits && pieceOf(x) == &piece && slot(piece, x) + copy == target)
      return x;
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Bijection
//===----------------------------------------------------------------------===//

// Digits that all pieces place alike in a space without a base, on an axis run
// that no condition touches and no swizzle reads, can be read off any address.
// Two elements with one address therefore agree in them, and setting them to
// zero in both keeps the collision: it is enough to look at elements where
// they are zero. Of 4096 x 4096 x 3 bits that leaves a few hundred.
static bool isCommon(const BoundDigit &d, ArrayRef<BoundPiece> pieces) {
  const BoundTerm &t = d.term;
  if (t.axis < 0 || d.isSwizzled())
    return false;
  auto overlaps = [&](int axis, int64_t stride, int64_t radix) {
    return axis == t.axis && stride < t.stride * t.radix &&
           (radix == Digit::Rest || t.stride < stride * radix);
  };
  for (const BoundPiece &piece : pieces) {
    bool found = false;
    for (const BoundDigit &o : piece.digits) {
      found |= o.term.axis == t.axis && o.term.stride == t.stride &&
               o.term.radix == t.radix && o.place == d.place &&
               o.space == d.space && !o.isSwizzled();
      if (overlaps(o.operand.axis, o.operand.stride, o.operand.radix))
        return false;
    }
    if (!found || piece.bases[d.space] != 0)
      return false;
    for (const BoundCondition &c : piece.conditions)
      if (overlaps(c.axis, c.condition.stride, c.condition.radix))
        return false;
  }
  return true;
}

static std::string describe(const Extents &axes, ArrayRef<int64_t> x) {
  std::string text;
  raw_string_ostream os(text);
  os << '(';
  interleaveComma(zip(axes, x), os, [&](auto pair) {
    os << std::get<0>(pair).first << '=' << std::get<1>(pair);
  });
  os << ')';
  return text;
}

bool BoundLayout::isBijective(std::string *why) const {
  auto no = [&](const Twine &message) {
    if (why)
      *why = message.str();
    return false;
  };
  // One piece without conditions is injective by construction.
  if (list.size() == 1 && list.front().conditions.empty())
    return true;

  // Per axis, the coordinates whose common digits are zero.
  SmallVector<std::vector<int64_t>, 4> values(axes.size());
  for (const auto &[i, extent] : enumerate(axes)) {
    SmallVector<const BoundDigit *, 8> common;
    for (const BoundDigit &d : list.front().digits)
      if (d.term.axis == int(i) && isCommon(d, list))
        common.push_back(&d);
    for (int64_t x = 0; x < extent.second; ++x) {
      auto clash = find_if(
          common, [&](const BoundDigit *d) { return d->term.value(x) != 0; });
      if (clash == common.end())
        values[i].push_back(x);
    }
  }

  DenseMap<int64_t, SmallVector<int64_t, 4>> seen;
  SmallVector<size_t, 4> index(axes.size(), 0);
  SmallVector<int64_t, 4> x(axes.size());
  for (;;) {
    for (size_t i = 0; i < axes.size(); ++i)
      x[i] = values[i][index[i]];
    int covers = 0;
    for (const BoundPiece &piece : list)
      covers += all_of(piece.conditions, [&](const BoundCondition &c) {
        return c.condition.holds(x[c.axis]);
      });
    if (covers != 1)
      return no("element " + describe(axes, x) + " lies in " + Twine(covers) +
                " pieces; conditions must cover each element once");
    const BoundPiece &piece = *pieceOf(x);
    for (int64_t copy : piece.replicas) {
      int64_t address = slot(piece, x) + copy;
      auto [entry, fresh] = seen.try_emplace(address, x);
      if (!fresh)
        return no("elements " + describe(axes, entry->second) + " and " +
                  describe(axes, x) + " share address " + Twine(address));
    }
    size_t axis = axes.size();
    while (axis > 0 && ++index[axis - 1] == values[axis - 1].size())
      index[--axis] = 0;
    if (axis == 0)
      return true;
  }
}
