//===- SmallFloats.h - floats of eight bits and fewer -----------*- C++ -*-===//

#ifndef MEZZO_PASSES_FRONTEND_SMALLFLOATS_H
#define MEZZO_PASSES_FRONTEND_SMALLFLOATS_H

#include "lib/Onnx/ElementType.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mezzo {

/// What ONNX's Cast may be told about the way to a small float.
struct SmallFloatRounding {
  /// Beyond the largest number: that number, or else infinity, or NaN where the
  /// type has none.
  bool saturate = true;
  /// Of f8e8m0, which has powers of two only: to the next greater ("up"), the
  /// next smaller ("down") or the nearer ("nearest", the greater of two equally
  /// near). Others are rounded to nearest even.
  llvm::StringRef powers = "up";
};

/// The f32 of a code, which is an i8.
mlir::Value decodeSmallFloat(mlir::ImplicitLocOpBuilder &b, mlir::Value code,
                             ElementType type);

/// The code, an i8, of an f32.
mlir::Value encodeSmallFloat(mlir::ImplicitLocOpBuilder &b, mlir::Value x,
                             ElementType type, SmallFloatRounding rounding);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_SMALLFLOATS_H
