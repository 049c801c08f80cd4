//===- Elements.h - what happens to one element ---------------------------===//

#ifndef MEZZO_TARGETS_HLSC_ELEMENTS_H
#define MEZZO_TARGETS_HLSC_ELEMENTS_H

#include "targets/HlsC/CodeBuilder.h"
#include "targets/HlsC/Plan.h"

#include "llvm/ADT/StringSet.h"

namespace mezzo::hlsc {

/// Whether an op in the body of an elementwise stage is one that the two
/// functions below know.
bool isElementOp(mlir::Operation *op);

/// The result of an elementwise stage for one element, by the programs of
/// lib/Math: what the reference computes.
float evaluateElement(mlir::linalg::GenericOp op, llvm::ArrayRef<float> inputs);

/// The same as code; elementary functions are called by name.
Expr elementCode(CodeBuilder &c, mlir::linalg::GenericOp op,
                 llvm::ArrayRef<Expr> inputs);

/// The elementary functions (`exp`, `tanh`, ...) that the body calls.
void collectElementary(mlir::linalg::GenericOp op, llvm::StringSet<> &names);

/// Writes an elementary function of lib/Math, `math_<name>`.
void writeElementary(CodeBuilder &c, llvm::StringRef name);

} // namespace mezzo::hlsc

#endif // MEZZO_TARGETS_HLSC_ELEMENTS_H
