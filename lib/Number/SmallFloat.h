//===- SmallFloat.h - floats of up to sixteen bits --------------*- C++ -*-===//

#ifndef MEZZO_LIB_NUMBER_SMALLFLOAT_H
#define MEZZO_LIB_NUMBER_SMALLFLOAT_H

#include "lib/Number/Half.h"
#include "lib/Number/Rounding.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace mezzo {

/// A binary float of one sign bit, e exponent bits and m mantissa bits:
/// `float<e,m,bias,kind>`.
///
/// The value of the bits S EEE MM is, with the exponent field E > 0,
///
///     (-1)^S * 2^(E - bias) * (1 + M / 2^m)
///
/// and 2^(1 - bias) * M / 2^m where E = 0 (subnormals). What the *top* of the
/// range means is the kind:
///
///     kind     infinity          NaN                  e4m3's largest value
///     ieee     E all ones, M=0   E all ones, M != 0   240 = 2^7 * 1.875
///     fn       -                 E and M all ones     448 = 2^8 * 1.75
///     fnuz     -                 the bits of -0       240 (its bias is 8)
///     finite   -                 -                    480
///
/// The first two are why "e4m3" is a trap: 240 or 448 are both called that.
/// Here `e4m3` is the ieee one and `e4m3fn` the other.
///
/// Worked example, e2m1 (bias 1, finite), the element of MXFP4 and NVFP4:
/// fields 0 00 0 .. 0 11 1 are 0, 0.5, 1, 1.5, 2, 3, 4, 6. Between 4 and 6 the
/// step is 2, so 5 is a tie; its neighbours' bits are 110 and 111, the even one
/// is 4. 7 would round to 8, which is not there: it saturates to 6.
class SmallFloat {
public:
  enum class Kind : uint8_t { IEEE, FN, FNUZ, Finite };

  /// e in 1..8, 0 <= m, at most 16 bits in all, every value exact in f32, at
  /// least one finite nonzero value; an ieee float needs a mantissa bit for its
  /// NaN. `subnormals` off: a field E = 0 is zero whatever its mantissa.
  static llvm::Expected<SmallFloat> get(unsigned exponentBits,
                                        unsigned mantissaBits, int bias,
                                        Kind kind, bool subnormals = true);

  /// A name (e4m3fn e4m3 e4m3fnuz e5m2 e5m2fnuz e3m2 e2m3 e2m1 f16 bf16) or
  /// `float<e,m,bias,kind>` or `float<e,m,bias,kind,nosub>`.
  static llvm::Expected<SmallFloat> parse(llvm::StringRef text);
  /// Whether `text` is one of the names, or begins like `float<...>`.
  static bool looksLike(llvm::StringRef text);
  /// The name where there is one, else the long form. Parses back to *this.
  std::string str() const;

  static SmallFloat e4m3fn() { return {4, 3, 7, Kind::FN, true}; }
  static SmallFloat e2m1() { return {2, 1, 1, Kind::Finite, true}; }
  static SmallFloat f16() { return {5, 10, 15, Kind::IEEE, true}; }
  static SmallFloat bf16() { return {8, 7, 127, Kind::IEEE, true}; }

  unsigned bits() const { return 1u + exponentBits + mantissaBits; }
  unsigned getExponentBits() const { return exponentBits; }
  unsigned getMantissaBits() const { return mantissaBits; }
  int getBias() const { return bias; }
  Kind getKind() const { return kind; }
  bool hasSubnormals() const { return subnormals; }
  bool hasInfinity() const { return kind == Kind::IEEE; }
  bool hasNaN() const { return kind != Kind::Finite; }

  /// The largest finite value and its bits.
  float maxFinite() const { return decode(maxFiniteBits()); }
  uint32_t maxFiniteBits() const;
  /// The smallest positive value.
  float minPositive() const;
  /// The bits of (positive, quiet) NaN; only where hasNaN().
  uint32_t nanBits() const;

  /// Exact. Bits above bits() must be zero.
  float decode(uint32_t raw) const;
  /// decode of all 2^bits() codes.
  std::vector<float> decodeTable() const;

  /// Rounds as if the exponent had no upper end, then looks at the result. What
  /// is larger than maxFinite() becomes +-maxFinite() where `saturate` holds or
  /// the format has nothing else, else infinity (ieee) or NaN (fn, fnuz). An
  /// infinity is treated likewise. NaN becomes NaN, and +0 in a finite format.
  uint32_t encode(double value, Rounding rounding = Rounding::NearestEven,
                  bool saturate = true, uint64_t random = 0) const;

  bool operator==(const SmallFloat &other) const {
    return exponentBits == other.exponentBits &&
           mantissaBits == other.mantissaBits && bias == other.bias &&
           kind == other.kind && subnormals == other.subnormals;
  }
  bool operator!=(const SmallFloat &other) const { return !(*this == other); }

private:
  SmallFloat(unsigned e, unsigned m, int bias, Kind kind, bool subnormals)
      : exponentBits(e), mantissaBits(m), bias(bias), kind(kind),
        subnormals(subnormals) {}

  uint8_t exponentBits, mantissaBits;
  int16_t bias;
  Kind kind;
  bool subnormals;
};

/// OCP's e8m0: eight exponent bits and nothing else. Bits r are 2^(r - 127);
/// 0xFF is NaN; there is no sign, no zero, no infinity. Exact in f32 (r = 0 is
/// a subnormal there).
float decodeE8M0(uint8_t raw);
/// A positive finite value by the floor of its exponent, as OCP's MX has it
/// (`up`: the ceiling, as ONNX's Cast rounds by default). Clamped to
/// 2^-127 .. 2^127; zero becomes 2^-127; negative values and NaN become NaN,
/// +infinity the largest.
uint8_t encodeE8M0(double value, bool up = false);

} // namespace mezzo

#endif // MEZZO_LIB_NUMBER_SMALLFLOAT_H
