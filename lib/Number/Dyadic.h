//===- Dyadic.h - rescaling by integers alone -------------------*- C++ -*-===//

#ifndef MEZZO_LIB_NUMBER_DYADIC_H
#define MEZZO_LIB_NUMBER_DYADIC_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>

namespace mezzo {

/// What becomes of an exact tie in a dyadic rescale. They differ on ties alone,
/// except DoubleRounding, which rounds twice and so moves some near-ties too.
enum class TieRule : uint8_t {
  HalfUp,         ///< towards +infinity
  HalfAway,       ///< away from zero
  HalfEven,       ///< to the even neighbour
  DoubleRounding, ///< gemmlowp's and TFLite's reference: see Dyadic::apply
};

/// "half-up", "half-away", "half-even", "double-rounding".
llvm::StringRef name(TieRule rule);
llvm::Expected<TieRule> parseTieRule(llvm::StringRef text);

/// A positive real scale as m / 2^e, so that int32 accumulators become int8
/// codes without a float or a division: q' = clamp(round(z * m / 2^e) + zp).
///
/// Worked example, scale 0.0217: frexp gives 0.6944 * 2^-5, so
/// m = rne(0.6944 * 2^31) = 1491212645 and e = 31 + 5 = 36. For an accumulator
/// z = 1000, z*m = 1491212645000 and / 2^36 is 21.7000..., code 22.
///
/// m has 31 bits, so the relative error of the scale is at most 2^-31, and
/// |z*m| stays below 2^62: adding half a step (at most 2^61) cannot overflow 64
/// bits.
struct Dyadic {
  int32_t multiplier = 0; ///< m: 0 (a dead channel), or 2^30 <= m < 2^31
  int32_t shift = 1;      ///< e, 1..62

  /// m = rne(mantissa * 2^31); renormalized where that is 2^31. Scales below
  /// 2^-32 become 0. Errors: negative, not finite, 2^30 or more.
  static llvm::Expected<Dyadic> fromScale(double scale);

  /// m / 2^e, exact.
  double toDouble() const;

  /// round(z * m / 2^e). DoubleRounding first rounds z * m / 2^31 to int32
  /// (ties up: gemmlowp's SaturatingRoundingDoublingHighMul), then divides by
  /// the rest of the power of two (ties away from zero: RoundingDivideByPOT); a
  /// left shift before (e < 31) saturates at int32.
  int64_t apply(int32_t z, TieRule rule) const;

  /// clamp(apply(z) + zeroPoint, lo, hi).
  int32_t applyAndClamp(int32_t z, TieRule rule, int32_t zeroPoint, int32_t lo,
                        int32_t hi) const;

  bool operator==(const Dyadic &other) const {
    return multiplier == other.multiplier && shift == other.shift;
  }
};

} // namespace mezzo

#endif // MEZZO_LIB_NUMBER_DYADIC_H
