//===- Scalars.h - arithmetic on one element ------------------------------===//

#ifndef MEZZO_PASSES_FRONTEND_SCALARS_H
#define MEZZO_PASSES_FRONTEND_SCALARS_H

#include "lib/Onnx/ElementType.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <string>

namespace mezzo {

/// Builds the bodies of element-wise ops: one set of names for floats and
/// integers, signed or not, with ONNX's semantics where the machine's are
/// undefined. The order of operations in these functions is part of the meaning
/// of the compiled model: nothing reassociates them later.
class ScalarBuilder {
public:
  /// `type` is that of the operands in IR, `element` what ONNX calls it.
  ScalarBuilder(mlir::ImplicitLocOpBuilder &b, mlir::Type type,
                ElementType element)
      : b(b), type(type), isFloat(mlir::isa<mlir::FloatType>(type)),
        isSigned(isSignedInteger(element)) {}

  using Value = mlir::Value;

  Value constant(double value);

  Value add(Value x, Value y);
  Value sub(Value x, Value y);
  Value mul(Value x, Value y);
  /// Of integers: toward zero; a divisor of 0 fails the run with a message and
  /// counts as 1.
  Value div(Value x, Value y, const std::string &subject,
            bool divisorKnownNonzero = false);
  /// The remainder with the sign of the divisor (Python's), or of the dividend
  /// (C's).
  Value remainder(Value x, Value y, bool signOfDivisor,
                  const std::string &subject);
  Value neg(Value x);
  Value abs(Value x);
  /// NaN if either operand is one.
  Value max(Value x, Value y);
  Value min(Value x, Value y);
  Value sign(Value x);
  Value power(Value x, int64_t exponent);

  Value less(Value x, Value y);
  Value lessOrEqual(Value x, Value y);
  Value equal(Value x, Value y);
  Value select(Value condition, Value x, Value y);

  Value exp(Value x);
  Value log(Value x);
  Value sqrt(Value x);
  Value tanh(Value x);
  Value erf(Value x);
  /// 1 / (1 + e^-x) in the order of operations of lib/Math's sigmoidProgram.
  Value sigmoid(Value x);
  /// log(1 + e^x), which neither overflows nor loses the tails.
  Value softplus(Value x);
  /// x/2 * (1 + erf(x / sqrt 2)).
  Value gelu(Value x);
  /// x/2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))).
  Value geluTanh(Value x);

  mlir::ImplicitLocOpBuilder &b;

private:
  /// Replaces divisors that trap (0, and -1 where signed) by 1.
  Value safeDivisor(Value y, Value &isZero, Value &isMinusOne);

  mlir::Type type;
  bool isFloat, isSigned;
};

/// A scalar in another element type, `type` in IR: ONNX's Cast. Both types are
/// of whole bytes, and no small floats (see SmallFloats.h).
mlir::Value convertScalar(mlir::ImplicitLocOpBuilder &b, mlir::Value x,
                          ElementType from, ElementType to, mlir::Type type);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_SCALARS_H
