//===- Format.h - what the bits of one code mean ----------------*- C++ -*-===//

#ifndef MEZZO_LIB_NUMBER_FORMAT_H
#define MEZZO_LIB_NUMBER_FORMAT_H

#include "lib/Number/Rounding.h"
#include "lib/Number/SmallFloat.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mezzo {

/// The format of a code: the meaning of an n-bit field, before any scale.
///
/// A code lies in memory as a *raw* field of n bits. A format says which number
/// C(raw) it stands for:
///
///     int<n>       two's complement; n = 1..8, or 16 for activations
///     uint<n>      itself; likewise
///     odd<n>       2*raw - (2^n - 1): all odd numbers up to 2^n - 1, n = 1..8
///     ternary      {-1, 0, 1} as two's complement of two bits
///     e2m1, ...    a small float of at most eight bits (SmallFloat)
///     codebook<n>  an entry of a table, n = 1..8; nf4 is a table with a name
///
/// All integer formats are one formula, so a kernel never has to ask which one
/// it holds: value = scale * (raw ^ flip) + offset (affine() below). Flipping
/// the sign bit turns two's complement into excess code; with n = 3:
///
///     raw            000  001  010  011  100  101  110  111
///     raw ^ 100        4    5    6    7    0    1    2    3
///     minus 4, int3    0    1    2    3   -4   -3   -2   -1
///     2*raw-7, odd3   -7   -5   -3   -1    1    3    5    7
///
/// They are also all sums over bits, C(raw) = sum_b w_b * raw_b + c
/// (planeWeights(), planeConstant()): what bit-plane kernels multiply by. For
/// int3 w = {1, 2, -4} and c = 0, for odd3 w = {2, 4, 8} and c = -7.
///
/// A format may declare a narrower *range*, `int8[-127,127]`: codes outside it
/// do not occur. Ranges decide which instruction sequences are exact.
///
/// A value type; tables of code books are shared between copies.
class Format {
public:
  enum class Kind : uint8_t { Int, UInt, Odd, Ternary, Float, Codebook };

  /// "int3", "uint8", "odd1", "ternary", "e2m1", "float<3,2,3,finite>",
  /// "codebook4", "nf4"; integer formats may end in a range, "int8[-127,127]".
  static llvm::Expected<Format> parse(llvm::StringRef text);
  /// Parses back to *this, except that a code book other than nf4 prints
  /// without its table.
  std::string str() const;

  /// 1 <= n <= 8, or n = 16; asserted.
  static Format integer(unsigned n);
  static Format unsignedInteger(unsigned n);
  /// 1 <= n <= 8; asserted.
  static Format odd(unsigned n);
  static Format ternary();
  /// At most eight bits; asserted.
  static Format smallFloat(SmallFloat format);
  /// A code book of n bits whose table is given elsewhere, or not known yet.
  static Format codebook(unsigned n);
  /// A code book with its table: 2^n finite entries; asserted.
  static Format codebook(llvm::ArrayRef<float> table);
  /// The "normal float" table of QLoRA (Dettmers et al. 2023, appendix E).
  static Format nf4();

  Kind kind() const { return kind_; }
  unsigned bits() const { return bits_; }
  /// 2^bits().
  uint32_t numCodes() const { return 1u << bits_; }
  /// Int, UInt, Odd and Ternary.
  bool isInteger() const { return kind_ < Kind::Float; }
  bool isFloat() const { return kind_ == Kind::Float; }
  bool isCodebook() const { return kind_ == Kind::Codebook; }
  /// Whether decode() works: false only for a code book without its table.
  bool hasValues() const { return !isCodebook() || table; }
  const SmallFloat &floatFormat() const;
  /// The table of a code book; empty where it is not known.
  llvm::ArrayRef<float> codebookTable() const;

  /// value = scale * (raw ^ flip) + offset. Integer formats only.
  struct Affine {
    int32_t scale, offset;
    uint32_t flip;
  };
  Affine affine() const;

  /// The values of all codes as whole numbers times one power of two, where
  /// they are that and fit into a byte: value = 2^exponent * numbers[raw]. The
  /// six bits of e2m3 are {0, 1, 2, ... 60} / 8 with a sign; e4m3fn is too wide
  /// for a byte, and has a NaN. A code book needs its table.
  struct WholeNumbers {
    std::vector<int32_t> numbers;
    int exponent;
  };
  std::optional<WholeNumbers> wholeNumbers() const;

  /// Codes as bytes that integer instructions multiply, once they are unpacked:
  /// value = 2^exponent * (scale * c + offset), c in [low, high]. The byte c is
  /// `raw ^ flip`, which is how packed weights hold integer formats, or where
  /// there is a table, table[raw]. It is unsigned where [low, high] fits seven
  /// bits and signed else, so that every c is a signed byte and also, but for
  /// eight bits, an unsigned one: instructions that multiply bytes want the one
  /// or the other. [low, high] is what the bits can hold, not the declared
  /// range: nobody has looked at the codes of a model.
  struct Stored {
    int32_t scale, offset;
    uint32_t flip;
    int32_t low, high;
    int exponent = 0;
    std::vector<uint8_t> table = {};
    bool isSigned() const { return low < 0; }
    /// The number in the middle: |c - centre()| is as small as can be.
    int32_t centre() const { return isSigned() ? 0 : (low + high + 1) / 2; }
    /// How many pairs of products, centred codes by activations of at most
    /// `amax` in magnitude, a 16-bit lane holds whatever their signs; rounded
    /// down to a power of two. 0 where it does not hold one.
    int64_t exactPairs(int32_t amax) const;
  };
  /// Integer formats, and others that have wholeNumbers(); asserted.
  Stored stored() const;

  /// w_b of C(raw) = sum_b w_b * raw_b + c, b = 0 first. Integer formats only.
  std::vector<float> planeWeights() const;
  /// c of the same sum.
  float planeConstant() const;
  /// How many terms sum_b (w_b / scale) * E_b, with all E_b in [0, largest], a
  /// 16-bit lane tells apart, modulo 2^16 and so wherever it starts; rounded
  /// down to a power of two, 0 where it is none. For int3, |1| + |2| + |-4| =
  /// 7, and of entries up to 255 it is 32: 32 * 7 * 255 = 57120 < 2^16.
  int64_t exactPlaneSums(int32_t largest) const;

  /// The number a raw field stands for; integer formats only. Bits above bits()
  /// are ignored.
  int32_t integerValue(uint32_t raw) const;
  /// The raw field of a number of the format; asserted to be one.
  uint32_t rawOf(int32_t value) const;
  /// The same for every format; exact. A code book needs its table.
  float decode(uint32_t raw) const;

  /// The raw field of the format's number next to `value` under `rounding`.
  ///
  /// Integer formats clamp to [minValue(), maxValue()]; ties of odd<n> go to
  /// the even field, except that the tie at 0 goes to +1 (as QONNX's
  /// BipolarQuant has it). Small floats: SmallFloat::encode. Code books ignore
  /// repeated entries; a tie under NearestEven goes to the even field, or to
  /// the lower of two fields of equal parity. NaN becomes the code of zero (the
  /// code nearest to it in formats without one), or NaN in a small float that
  /// has it.
  uint32_t encode(double value, Rounding rounding = Rounding::NearestEven,
                  bool saturate = true, uint64_t random = 0) const;

  /// A field whose value is exactly zero, if there is one inside the range.
  std::optional<uint32_t> zeroCode() const;

  /// The declared range of an integer format, as numbers (not raw fields).
  int32_t minValue() const { return lo; }
  int32_t maxValue() const { return hi; }
  /// The smallest and largest finite value of any format.
  float lowestValue() const;
  float highestValue() const;
  /// Whether the range is narrower than the bits allow.
  bool isNarrow() const;
  /// The same format with a declared range: lo <= hi, both numbers of the
  /// format; asserted.
  Format withRange(int32_t lo, int32_t hi) const;
  /// Whether withRange(lo, hi) is allowed.
  bool allowsRange(int32_t lo, int32_t hi) const;

  bool operator==(const Format &other) const;
  bool operator!=(const Format &other) const { return !(*this == other); }

private:
  struct Table;
  Format(Kind kind, unsigned bits);
  uint32_t encodeOdd(double value, Rounding rounding, uint64_t random) const;
  uint32_t encodeTable(double value, Rounding rounding, uint64_t random) const;

  Kind kind_;
  uint8_t bits_;
  int32_t lo = 0, hi = 0;                 // integer formats
  SmallFloat float_ = SmallFloat::e2m1(); // Kind::Float
  std::shared_ptr<const Table> table;     // Kind::Codebook, null where unknown
};

} // namespace mezzo

#endif // MEZZO_LIB_NUMBER_FORMAT_H
