//===- CheckedInt.cpp -----------------------------------------------------===//

#include "lib/Support/CheckedInt.h"

#include <algorithm>

using namespace mezzo;

CheckedInt CheckedInt::product(llvm::ArrayRef<int64_t> dims) {
  CheckedInt nonZero = 1;
  bool empty = false;
  for (int64_t dim : dims) {
    empty |= dim == 0;
    nonZero *= dim == 0 ? 1 : dim;
  }
  return nonZero.valid && empty ? CheckedInt(0) : nonZero;
}

CheckedInt CheckedInt::ceilDiv(CheckedInt divisor) const {
  CheckedInt quotient = *this / divisor;
  return quotient.valid && value % divisor.value != 0 ? quotient + 1 : quotient;
}

llvm::Expected<int64_t> CheckedInt::get(const llvm::Twine &what) const {
  if (valid)
    return value;
  return llvm::createStringError("the size of " + what +
                                 " is negative or does not fit in 63 bits");
}
