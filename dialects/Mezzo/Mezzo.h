//===- Mezzo.h - the dialect of quantized tensors -------------------------===//
//
// The language in which a model is held between the frontend and the kernels.
// MezzoDialect.td says what the ops mean.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_DIALECTS_MEZZO_MEZZO_H
#define MEZZO_DIALECTS_MEZZO_MEZZO_H

#include "lib/Layout/Layout.h"
#include "lib/Number/Format.h"
#include "lib/Number/Spec.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinTypeInterfaces.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Mezzo/MezzoDialect.h.inc"
#include "dialects/Mezzo/MezzoEnums.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/Mezzo/MezzoTypes.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Mezzo/MezzoAttrs.h.inc"

#define GET_OP_CLASSES
#include "dialects/Mezzo/MezzoOps.h.inc"

namespace mezzo {

/// How `launch` and `load_packed` become ops on memrefs; called once per
/// context, before bufferization.
void registerMezzoBufferization(mlir::DialectRegistry &registry);

/// The length rounded up to the four columns that a kernel reads at once.
inline int64_t padToFour(int64_t length) { return (length + 3) / 4 * 4; }

} // namespace mezzo

#endif // MEZZO_DIALECTS_MEZZO_MEZZO_H
