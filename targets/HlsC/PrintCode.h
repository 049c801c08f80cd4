//===- PrintCode.h - EmitC ops as C that one can read ---------------------===//

#ifndef MEZZO_TARGETS_HLSC_PRINTCODE_H
#define MEZZO_TARGETS_HLSC_PRINTCODE_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/raw_ostream.h"

namespace mezzo::hlsc {

/// Prints the functions and lines of a module of EmitC ops.
///
/// MLIR's own translation prints the same ops, but calls every value v1, v2 and
/// gives each a line; test/hls holds the two to one meaning. Here a value is
/// called what its location says, and stands where it is used if it is used
/// once and nothing in between changes what it reads:
///
///     int8_t v7 = v1[j6];                  for (int32_t k = 0; k < 8; ++k) {
///     int32_t v8 = (int32_t) v7;     ->      sum += (int32_t)a[k];
///     int32_t v9 = v5;                     }
///     v5 = v9 + v8;
///
/// Global constants are not printed: a header has them.
void printCode(mlir::ModuleOp module, llvm::raw_ostream &os);

} // namespace mezzo::hlsc

#endif // MEZZO_TARGETS_HLSC_PRINTCODE_H
