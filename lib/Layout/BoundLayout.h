//===- BoundLayout.h - A layout applied to a tensor -----------------------===//

#ifndef MEZZO_LIB_LAYOUT_BOUNDLAYOUT_H
#define MEZZO_LIB_LAYOUT_BOUNDLAYOUT_H

#include "lib/Layout/Layout.h"
#include "llvm/ADT/ArrayRef.h"
#include <optional>

namespace mezzo {

/// The digit ((x mod modulus) - lower) div stride mod radix of an axis. Inside
/// the run of a constrained digit, `modulus` ends the run and `lower` is where
/// the condition starts; elsewhere they change nothing.
struct BoundTerm {
  static constexpr int64_t NoModulus = std::numeric_limits<int64_t>::max();

  int axis = -1; ///< Index into the extents; -1: none, or the digit replicates.
  int64_t stride = 1, radix = 1;
  int64_t lower = 0, modulus = NoModulus;

  int64_t value(int64_t x) const {
    return (x % modulus - lower) / stride % radix;
  }
};

/// A digit whose radix and place are numbers.
struct BoundDigit {
  unsigned space; ///< Index into the spaces.
  int64_t place;  ///< What one step of the digit adds to the address.
  BoundTerm term;
  BoundTerm operand; ///< Of the swizzle; axis -1 without.

  bool isSwizzled() const { return operand.axis >= 0; }
};

/// A condition whose axis is an index into the extents.
struct BoundCondition {
  int axis;
  Condition condition;
};

/// A piece whose radices, places and base are numbers.
struct BoundPiece {
  llvm::SmallVector<BoundCondition, 2> conditions;
  llvm::SmallVector<BoundDigit, 8> digits;
  /// Per axis of the extents, the coordinate of the piece's first element.
  llvm::SmallVector<int64_t, 4> first;
  /// Per space, the position of the piece's first element; and its address.
  llvm::SmallVector<int64_t, 4> bases;
  int64_t base = 0;
  /// What copies beyond the first add to an address; {0} without replication.
  llvm::SmallVector<int64_t, 1> replicas;
};

/// A space with its size and place, equal in all pieces.
struct BoundSpace {
  std::string name;
  int64_t size;
  int64_t place;
};

/// A layout together with the extents of a tensor: answers where an element
/// lies, and which element lies where. Coordinates are listed in the order of
/// the extents. The unit of addresses is a bit, unless the layout places no
/// `b` (a quotient, for scales): then it is an element.
class BoundLayout {
public:
  const Layout &layout() const { return source; }
  const Extents &extents() const { return axes; }

  /// Extent of the axis, or 1 where the tensor does not have it.
  int64_t extent(char axis) const;
  /// Index of the axis in the extents, or -1.
  int axisIndex(char axis) const;

  /// Address of the element's first copy. -1 where no piece covers it, which
  /// `isBijective` reports. For positional packing: of its number's first bit.
  int64_t bitAddress(llvm::ArrayRef<int64_t> coordinates) const;

  /// Positional packing: the element's index among the digits of its number.
  unsigned digitIndex(llvm::ArrayRef<int64_t> coordinates) const;

  /// The element at an address (any copy of it), or nothing for padding.
  /// Positional packing: pass `digit` to ask for one code of the number.
  std::optional<llvm::SmallVector<int64_t, 4>>
  elementAt(int64_t address, unsigned digit = 0) const;

  /// Number of addressable units, padding and copies included.
  int64_t totalUnits() const { return units; }
  /// Bytes of packed storage, for layouts that place bits.
  int64_t totalBytes() const { return units / 8 + (units % 8 != 0); }

  /// Whether every element lies somewhere and no two share an address. Exact:
  /// digits that all pieces place alike cannot cause a collision, the rest is
  /// enumerated. On failure `why`, if given, names the elements.
  bool isBijective(std::string *why = nullptr) const;

  /// Bits of one positional number; 1 for ordinary layouts.
  int64_t wordBits() const { return word; }
  /// Codes in one positional number; 1 for ordinary layouts.
  int64_t wordDigits() const { return wordCount; }

  llvm::ArrayRef<BoundPiece> pieces() const { return list; }
  llvm::ArrayRef<BoundSpace> spaces() const { return rooms; }

  /// The first piece that covers the element, or nothing.
  const BoundPiece *pieceOf(llvm::ArrayRef<int64_t> coordinates) const;

private:
  friend class Layout;
  BoundLayout(Layout layout, Extents extents)
      : source(std::move(layout)), axes(std::move(extents)) {}

  static constexpr int64_t MaxCopies = 65536;

  llvm::Error resolve();
  /// Appends the piece, whose radices are numbers, to the list.
  llvm::Error placePiece(const Piece &piece);
  /// Mixed-radix value of the digits, before positional numbers are folded.
  int64_t slot(const BoundPiece &piece, llvm::ArrayRef<int64_t> x) const;

  Layout source;
  Extents axes;
  std::vector<BoundPiece> list;
  std::vector<BoundSpace> rooms;
  int64_t units = 0;
  int64_t word = 1;
  int64_t wordCount = 1;
};

} // namespace mezzo

#endif // MEZZO_LIB_LAYOUT_BOUNDLAYOUT_H
