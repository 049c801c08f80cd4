//===- Detail.h - Small helpers of this folder ----------------------------===//

#ifndef MEZZO_LIB_LAYOUT_DETAIL_H
#define MEZZO_LIB_LAYOUT_DETAIL_H

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MathExtras.h"
#include <cstdint>

namespace mezzo::layout_detail {

/// Sizes, strides and addresses beyond this are refused, so that sums and the
/// step from bytes to bits cannot overflow.
constexpr int64_t Largest = int64_t(1) << 56;

inline llvm::Error error(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// a * b, or nothing where the product leaves [0, Largest]. Both are >= 0.
inline bool multiply(int64_t a, int64_t b, int64_t &product) {
  return !llvm::MulOverflow(a, b, product) && product <= Largest;
}

/// ceil(a / b) for a >= 0, b > 0.
inline int64_t ceilDiv(int64_t a, int64_t b) { return a / b + (a % b != 0); }

} // namespace mezzo::layout_detail

#endif // MEZZO_LIB_LAYOUT_DETAIL_H
