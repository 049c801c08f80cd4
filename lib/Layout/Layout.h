//===- Layout.h - Where every bit of a packed matrix lies -----------------===//
//
// A matrix of B-bit codes W[n, k] is an array of bits W[n, k, b]: the position
// of a bit inside its code is just another axis. A *layout* says where the bit
// (n, k, b) lies. It is an ordered list of *digits*
//
//     axis@stride:radix        meaning (axis div stride) mod radix,
//
// grouped into named *spaces* (a byte, a vector, a tile), least significant
// first, digits and spaces alike. The address of a bit is the mixed-radix
// number that all digits form together.
//
// A worked example. A 4x4 matrix of 4-bit codes, two codes to a byte, rows one
// after the other:
//
//     bit=[b:4, k:2], line=[k@2:*], tile=[n:*]
//
// Take W[2, 3], bit 1, so n = 2, k = 3, b = 1:
//
//     digit    value                place (product of the radices before it)
//     b:4      1 mod 4        = 1      1
//     k:2      3 mod 2        = 1      4
//     k@2:*    3 div 2        = 1      8       the * takes what is left: 2
//     n:*      2              = 2     16       the * takes what is left: 4
//
// Address 1*1 + 1*4 + 1*8 + 2*16 = 45: byte 5, bit 5. The high nibble (k is
// odd) of the second byte of row 2, as it should be. Exchange two digits and
// the matrix is stored by columns, or as bit planes, or interleaved for a
// vector unit; nothing else in the compiler has to know.
//
// The text form, white space being free:
//
//     layout    := piece (';' piece)* [';']
//     piece     := [condition (',' condition)* ':'] space (',' space)*
//     condition := letter ['@' number] [':' radix] ('<' | '>=') number
//     space     := name ['(' size ')'] '=' [base '+' | 'radix' number] '['
//     [digit (',' digit)*] ']' digit     := letter ['@' number] ':' radix ['^'
//     letter ['@' number] ':' radix] radix     := number | '*'
//
// * Axes are single letters: n (row), k (column), g (group; then k counts
//   inside the group), b (bit of a code). Extents come later, at `bind`.
//   A digit whose axis has no extent then *replicates* (`r:2`: two copies).
// * `*` ends an axis: ceil(extent / stride) positions.
// * `name(size)` declares more room than the digits fill: padding. Without it
//   a space is as large as its digits; the space called `bit` is rounded up to
//   whole bytes, so `bit=[b:3, k:10]` fills 30 of 32 positions.
// * `name=base+[...]` starts at position `base` of the space.
// * `name=radix 3 [k:5]`, allowed as the first space of a layout in one piece:
//   the codes themselves are digits of a number to base 3, so that five
//   ternary codes fit a byte (3^5 = 243). The number occupies whole bytes.
// * `k@4:8^n@2:8` is an XOR swizzle: the digit's value is the exclusive or of
//   both. The radices must be one power of two, and the operand after `^` must
//   be placed by plain digits elsewhere.
//
// *Pieces* serve widths that do not divide a byte. Each piece covers the
// elements that meet its conditions, `n@8:8<6` meaning (n div 8) mod 8 < 6.
// Inside a piece a constrained digit counts from its lower bound: under
// `n@8:8>=6` the digit `n@8:2` is ((n div 8) mod 8) - 6. All pieces declare the
// same spaces with the same sizes. 3-bit codes, 64 rows in three vectors, six
// row groups as whole fields and two in the bits that are left:
//
//     n@8:8<6:        bit=[b:3, n@8:2], lane=[k:4, n:8], line(3)=[n@16:3], ...
//     n@8:8>=6, b<2:  bit=6+[b:2],      lane=[k:4, n:8], line(3)=[n@8:2],  ...
//     n@8:8>=6, b>=2: bit=6+[n@8:2],    lane=[k:4, n:8], line(3)=2+[],     ...
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_LIB_LAYOUT_LAYOUT_H
#define MEZZO_LIB_LAYOUT_LAYOUT_H

#include "llvm/ADT/Hashing.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace mezzo {

class BoundLayout;

/// The axes of a tensor and how many positions each has, outermost first,
/// `b` (bits per code) last where it occurs: {{'n', N}, {'k', K}, {'b', 4}}.
using Extents = llvm::SmallVector<std::pair<char, int64_t>, 4>;

/// (axis div stride) mod radix, or, with a swizzle, that XOR a digit of
/// another axis with the same radix.
struct Digit {
  /// Radix of a digit written `*`.
  static constexpr int64_t Rest = 0;

  char axis = 0;
  int64_t stride = 1;
  int64_t radix = Rest;
  char xorAxis = 0; ///< 0: no swizzle.
  int64_t xorStride = 1;

  bool isRest() const { return radix == Rest; }
  bool isSwizzled() const { return xorAxis != 0; }
  bool operator==(const Digit &o) const;
};

/// A named run of digits: a byte, a vector, a tile.
struct Space {
  std::string name;
  int64_t size = 0; ///< Declared number of positions; 0: what the digits need.
  int64_t base = 0; ///< Position of the first element.
  /// 2 for ordinary spaces, whose positions are bits (or, above, multiples of
  /// the spaces below). Otherwise the codes are digits to this base.
  unsigned positional = 2;
  llvm::SmallVector<Digit, 4> digits;

  bool operator==(const Space &o) const;
};

/// lower <= (axis div stride) mod radix < upper.
struct Condition {
  static constexpr int64_t Unbounded = std::numeric_limits<int64_t>::max();

  char axis = 0;
  int64_t stride = 1;
  int64_t radix = Digit::Rest; ///< Rest: no modulus.
  int64_t lower = 0;
  int64_t upper = Unbounded;

  /// Whether coordinate `x` of the axis meets the condition.
  bool holds(int64_t x) const;
  bool operator==(const Condition &o) const;
};

/// One digit list and the box of elements that it covers.
struct Piece {
  llvm::SmallVector<Condition, 2> conditions;
  llvm::SmallVector<Space, 4> spaces;

  bool operator==(const Piece &o) const;
};

/// Where bit b of the code at (n, k) lies; see the head of this file. A value
/// type; every instance made by `parse` or `get` is well formed: each axis is
/// tiled by its digits without gap or overlap in every piece.
class Layout {
public:
  /// Reads the text form. Errors point at the offending column.
  static llvm::Expected<Layout> parse(llvm::StringRef text);

  /// Builds a layout from its parts, with the same checks as `parse`.
  static llvm::Expected<Layout> get(std::vector<Piece> pieces);

  /// The text form; `parse(str())` gives an equal layout.
  std::string str() const;

  /// The normal form: adjacent digits of one axis merged (`k:4, k@4:8` becomes
  /// `k:32`; never into a `*`, which would change the padding), digits of radix
  /// 1, empty spaces and superfluous sizes dropped, pieces and conditions
  /// sorted. Spaces keep their order, for it is part of the address.
  Layout canonical() const;

  /// Structural; compare `canonical()` forms to ignore spelling.
  bool operator==(const Layout &o) const { return list == o.list; }
  bool operator!=(const Layout &o) const { return !(*this == o); }

  llvm::ArrayRef<Piece> pieces() const { return list; }

  /// Base of positional packing (`radix 3`), or 2.
  unsigned positional() const { return list.front().spaces.front().positional; }

  /// Whether some digit or condition mentions the axis.
  bool mentions(char axis) const;

  /// Applies the layout to a tensor. Fails where the digits do not cover an
  /// axis, the pieces disagree on the size of a space, or sizes overflow.
  llvm::Expected<BoundLayout> bind(const Extents &extents) const;

  /// The layout of what is shared by many codes (a scale): drops the digits of
  /// the axes in `drop` and, where `groupLength` > 0, splits the digits of k
  /// there, keeping the upper part as digits of g. What is left of the space
  /// `bit` moves behind the space after it, so that the scales of one vector
  /// lie beside each other, under the name `field`. Addresses count elements:
  ///
  ///   bit=[b:4, n@8:2], lane=[k:4, n:8], step=[k@4:*], tile=[n@16:*]
  ///     --> quotient("b", 32)
  ///   lane=[n:8], field=[n@8:2], step=[g:*], tile=[n@16:*]
  ///
  /// Pieces are united: the run of a constrained digit becomes one digit.
  llvm::Expected<Layout> quotient(llvm::StringRef drop,
                                  int64_t groupLength = 0) const;

private:
  explicit Layout(std::vector<Piece> pieces) : list(std::move(pieces)) {}
  std::vector<Piece> list;
};

llvm::hash_code hash_value(const Layout &layout);

/// Checks one piece by itself: names, sizes, radices, that the digits of each
/// axis tile it. Used by `Layout::get`.
llvm::Error verifyPiece(const Piece &piece);

/// How many positions of `axis` the digits of the piece can tell apart;
/// Condition::Unbounded where the axis ends in `*`, 1 where it does not occur.
int64_t coverage(const Piece &piece, char axis);

} // namespace mezzo

#endif // MEZZO_LIB_LAYOUT_LAYOUT_H
