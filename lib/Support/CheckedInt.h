//===- CheckedInt.h - The one integer for sizes that come from outside ----===//
//
// Every size in a file that somebody else wrote (dims, offsets, counts, bytes)
// is computed with this type. Two of the CVEs of this field are a product of
// dims that wrapped around, and two more are spot fixes of the first that
// missed a second product; one type that cannot wrap ends the series.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_LIB_SUPPORT_CHECKEDINT_H
#define MEZZO_LIB_SUPPORT_CHECKEDINT_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"

#include <cstdint>

namespace mezzo {

/// A non-negative 63-bit size that remembers whether any step towards it left
/// the range [0, 2^63). Like a floating point NaN, an invalid value poisons all
/// that is computed from it, so that a formula is written plainly and asked
/// once:
///
///   Expected<int64_t> bytes = ((CheckedInt(rows) * cols * bits + 7) /
///   8).get("the tensor 'w'");
class CheckedInt {
public:
  /// Invalid when `value` is negative: no size is.
  CheckedInt(int64_t value) : value(value), valid(value >= 0) {}

  /// The invalid value.
  static CheckedInt invalid() { return CheckedInt(-1); }

  /// The product of `dims`, 1 for a scalar. A zero-size dimension does not
  /// excuse an overflow of the others, so [2^40, 2^40, 0] is invalid: whoever
  /// drops the zero (a slice, a concatenation) must not fall into the hole.
  static CheckedInt product(llvm::ArrayRef<int64_t> dims);

  bool isValid() const { return valid; }

  /// The value. Precondition: isValid().
  int64_t operator*() const {
    assert(valid && "value of an overflowed size");
    return value;
  }

  CheckedInt operator+(CheckedInt other) const {
    int64_t sum;
    if (!valid || !other.valid ||
        __builtin_add_overflow(value, other.value, &sum))
      return invalid();
    return sum;
  }
  CheckedInt operator-(CheckedInt other) const {
    return valid && other.valid ? CheckedInt(value - other.value) : invalid();
  }
  CheckedInt operator*(CheckedInt other) const {
    int64_t result;
    if (!valid || !other.valid ||
        __builtin_mul_overflow(value, other.value, &result))
      return invalid();
    return result;
  }
  /// Rounds down; invalid when `divisor` is zero.
  CheckedInt operator/(CheckedInt divisor) const {
    return valid && divisor.valid && divisor.value != 0
               ? CheckedInt(value / divisor.value)
               : invalid();
  }
  CheckedInt &operator+=(CheckedInt other) { return *this = *this + other; }
  CheckedInt &operator*=(CheckedInt other) { return *this = *this * other; }

  /// The quotient rounded up; unlike `(a + d - 1) / d` it cannot overflow.
  CheckedInt ceilDiv(CheckedInt divisor) const;

  /// The value, or the error "the size of `what` is negative or does not fit in
  /// 63 bits".
  llvm::Expected<int64_t> get(const llvm::Twine &what) const;

private:
  int64_t value;
  bool valid;
};

} // namespace mezzo

#endif // MEZZO_LIB_SUPPORT_CHECKEDINT_H
