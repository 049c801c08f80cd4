//===- Spec.h - the one grammar of quantization specs -----------*- C++ -*-===//

#ifndef MEZZO_LIB_NUMBER_SPEC_H
#define MEZZO_LIB_NUMBER_SPEC_H

#include "lib/Number/Format.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>

namespace mezzo {

/// Which elements share one scale.
struct Group {
  enum class Kind : uint8_t {
    Tensor,  ///< `t`: all
    Channel, ///< `ch`: one row of a weight [N, K]
    Row,     ///< `row`: one row of activations, found at run time
    Block, ///< `g<length>`: `length` neighbours along K, the last may be short
  };
  Kind kind = Kind::Tensor;
  int64_t length = 0; ///< of a Block; 0 otherwise

  static llvm::Expected<Group> parse(llvm::StringRef text);
  std::string str() const;
  /// How many groups a matrix [n, k] has.
  int64_t count(int64_t n, int64_t k) const;
  bool operator==(const Group &other) const {
    return kind == other.kind && length == other.length;
  }
  bool operator!=(const Group &other) const { return !(*this == other); }
};

/// The type a scale, a float zero or a minimum is stored in.
///
/// `e4m3` is OCP's, the e4m3fn of SmallFloat with maximum 448 (NVFP4's scale),
/// and may be written either way: no format in use scales by the ieee one.
struct ScaleType {
  enum class Kind : uint8_t { F32, F16, BF16, E4M3, E8M0, UInt, Int };
  Kind kind = Kind::F32;
  unsigned bits = 32;

  /// f32 f16 bf16 e4m3 e4m3fn e8m0 u<n> i<n> uint<n> int<n>, n = 2..8.
  static llvm::Expected<ScaleType> parse(llvm::StringRef text);
  std::string str() const;
  bool isInteger() const { return kind == Kind::UInt || kind == Kind::Int; }
  bool isSigned() const { return kind != Kind::UInt && kind != Kind::E8M0; }
  /// The largest finite value: 65504 of f16, 448 of e4m3, 63 of u6.
  double maxFinite() const;
  /// The smallest positive value; 1 for integer types.
  double minPositive() const;
  /// The nearest value of the type (ties to even), saturating, never NaN for a
  /// finite argument. e8m0 takes the floor of the exponent, as OCP does.
  float round(double value) const;

  bool operator==(const ScaleType &other) const {
    return kind == other.kind && bits == other.bits;
  }
  bool operator!=(const ScaleType &other) const { return !(*this == other); }
};

/// SCALE[^SUPER]: a scale per group, and where it is quantized itself, the
/// super-block scale it is multiplied by: s = fl(D * sc).
struct ScaleSpec {
  struct Super {
    Group group;
    ScaleType type;
    bool operator==(const Super &other) const {
      return group == other.group && type == other.type;
    }
  };
  ScaleType type;
  std::optional<Super> super;

  std::string str() const;
  bool operator==(const ScaleSpec &other) const {
    return type == other.type && super == other.super;
  }
  bool operator!=(const ScaleSpec &other) const { return !(*this == other); }
};

/// What is taken from, or added to, the code. One per group, like the scale.
struct OffsetSpec {
  enum class Kind : uint8_t {
    None,        ///< v = s * C(q)
    IntegerZero, ///< `zp`, `zp:uint8`: v = s * (C(q) - z), z an integer
    FloatZero,   ///< `zp:f16`: the same, z a float
    Minimum,     ///< `min`: v = s * C(q) + m
  };
  Kind kind = Kind::None;
  std::optional<Format> zeroFormat; ///< IntegerZero: the type z is stored in
  ScaleType zeroType;               ///< FloatZero
  ScaleSpec minimum;                ///< Minimum

  bool operator==(const OffsetSpec &other) const;
  bool operator!=(const OffsetSpec &other) const { return !(*this == other); }
};

/// How a tensor is quantized, as one short word:
///
///     FORMAT[/GROUP][:SCALE[^SUPER]][+OFFSET]
///     SUPER  = GROUP:TYPE
///     OFFSET = zp[:TYPE] | min[:SCALE[^SUPER]]
///
/// It is the same word on the command line, in Python, in maps and in tuning
/// records. Worked example, GGUF's Q4_K:
///
///     uint4/g32:u6^g256:f16+min:u6^g256:f16
///     |     |   |  |        |
///     |     |   |  |        a minimum per group of 32, six bits without sign
///     |     |   |  |        times an f16 of its own per 256
///     |     |   |  times one f16 per 256 weights
///     |     |   scales of six bits without sign
///     |     groups of 32 along K
///     codes 0..15
///
/// so v = D*sc*q + E*mn, and a weight costs 4 + 12/32 + 32/256 = 4.5 bits.
///
/// Defaults: one group (`t`), f32 scales, no offset; `zp` in the format of the
/// codes; `min` stored as the scale is (with a super-block scale of its own).
struct QuantSpec {
  Format format = Format::integer(8);
  Group group;
  ScaleSpec scale;
  OffsetSpec offset;

  /// Errors name the part that is wrong and what may stand there.
  static llvm::Expected<QuantSpec> parse(llvm::StringRef text);
  /// The canonical form: the group always, anything else only where it is not
  /// the default (and a two-level minimum always). Parses back to *this.
  std::string str() const;

  /// Bits of storage per element of a matrix [n, k]: codes, scales on both
  /// levels, offsets, and 2^bits f32 entries per tensor for a code book.
  double bitsPerWeight(int64_t n, int64_t k) const;

  bool operator==(const QuantSpec &other) const {
    return format == other.format && group == other.group &&
           scale == other.scale && offset == other.offset;
  }
  bool operator!=(const QuantSpec &other) const { return !(*this == other); }
};

} // namespace mezzo

#endif // MEZZO_LIB_NUMBER_SPEC_H
