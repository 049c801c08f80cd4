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

namespace mezzo {

/// Quantized activations lie in [-127, 127]: -128 has no negative that is a
/// byte, and one code more is not worth what it costs.
inline constexpr int64_t ActivationMax = 127;
/// Those that a model brings may be any byte.
inline constexpr int64_t CodeMax = 128;

} // namespace mezzo

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

/// Modes that products are compiled in.
inline bool isComputable(ComputeMode mode) {
  return mode == ComputeMode::Float || mode == ComputeMode::Int ||
         mode == ComputeMode::Lut8;
}

/// Why products of codes of `format` cannot be had in `mode`, and what to do:
/// the end of a sentence that begins with what has them, "codes of format ...".
/// None where they can. Verifiers ask it, and whatever makes products of a
/// user's model asks it before.
std::optional<std::string> refusalOf(ComputeMode mode, const Format &format);

/// The type in which `load_weight` gives the scales or the offsets of a weight:
/// that of the array, or f32 where its elements are less than 16 bits.
mlir::RankedTensorType loadedType(mlir::ElementsAttr part);

/// The mode that users call so. Errors: a word that is no mode, and modes that
/// no strategy computes; both name those that can be had.
llvm::Expected<ComputeMode> parseComputeMode(llvm::StringRef name);

/// The length rounded up to the four columns that a kernel reads at once.
inline int64_t padToFour(int64_t length) { return (length + 3) / 4 * 4; }

/// Bytes from one row of quantized activations to the next: groups of `group`
/// columns, padded to four each, and then an odd number of cache lines, since
/// rows that lie a multiple of 4096 bytes apart push each other out of a cache.
inline int64_t quantizedRowLength(int64_t columns, int64_t group) {
  int64_t groups = (columns + group - 1) / group;
  int64_t lines = (groups * padToFour(group) + 63) / 64;
  return 64 * (lines | 1);
}

/// The largest entry of a look-up table, a byte.
inline constexpr int64_t LutEntryMax = 255;
/// Entries of a table: the subset sums of four activations.
inline constexpr int64_t LutEntries = 16;

/// Bytes from one row of look-up tables to the next, padded likewise.
inline int64_t lutRowLength(int64_t columns, int64_t group) {
  int64_t groups = (columns + group - 1) / group;
  int64_t lines = (groups * (padToFour(group) / 4) * LutEntries + 63) / 64;
  return 64 * (lines | 1);
}

} // namespace mezzo

#endif // MEZZO_DIALECTS_MEZZO_MEZZO_H
