//===- Indices.h - indices that come from tensors ---------------*- C++ -*-===//

#ifndef MEZZO_PASSES_FRONTEND_INDICES_H
#define MEZZO_PASSES_FRONTEND_INDICES_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <string>

namespace mezzo {

/// `raw`, an integer read from a tensor, as an index of an axis of `size`
/// elements, counted from the end where negative. A run that finds it outside
/// ends there with `message`, so what follows may use it.
mlir::Value checkIndex(mlir::ImplicitLocOpBuilder &b, mlir::Value raw,
                       mlir::Value size, const std::string &message);

/// The same for an index that is never negative.
void checkBelow(mlir::ImplicitLocOpBuilder &b, mlir::Value index,
                mlir::Value size, const std::string &message);

/// A zero (or false) of an integer or floating point type.
mlir::Value zeroOf(mlir::ImplicitLocOpBuilder &b, mlir::Type type);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_INDICES_H
