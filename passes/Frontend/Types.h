//===- Types.h - ONNX's element types in IR -------------------------------===//

#ifndef MEZZO_PASSES_FRONTEND_TYPES_H
#define MEZZO_PASSES_FRONTEND_TYPES_H

#include "lib/Onnx/ElementType.h"

#include "mlir/IR/BuiltinTypes.h"

#include <optional>

namespace mezzo {

/// The element type of a tensor in IR: integers are signless (what they are is
/// remembered by OnnxValue), integers of less than a byte are codes. Null for
/// strings and complex numbers.
mlir::Type irType(mlir::MLIRContext *context, ElementType type);

/// Floats of eight bits or fewer. In IR they are their codes: i8, or, where
/// they have four bits, codes of the format uint4.
bool isSmallFloat(ElementType type);

/// The number format of the codes of this type, "uint4"; empty where it is no
/// integer of at most 16 bits.
llvm::StringRef formatName(ElementType type);

/// `!mezzo.q<FORMAT>`. Precondition: it has a format.
mlir::Type codeType(mlir::MLIRContext *context, ElementType type);

/// f32 for f16 and bf16, in whose arithmetic nothing is computed; others as
/// they are. Sums, products, quotients and square roots of half precision are
/// the same when they are computed in f32 and rounded once more.
mlir::Type computeType(mlir::Type type);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_TYPES_H
