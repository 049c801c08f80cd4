//===- LowerRuntime.h - ops that reach the runtime, in LLVM ---------------===//

#ifndef MEZZO_PASSES_LOWER_LOWERRUNTIME_H
#define MEZZO_PASSES_LOWER_LOWERRUNTIME_H

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"

namespace mezzo {

/// Patterns for `launch`, `check`, `weight_view`, `arena`, `alloc`: calls of
/// runtime/abi.h and loads from the frame, which is the first argument of the
/// enclosing function.
void populateRuntimePatterns(const mlir::LLVMTypeConverter &converter,
                             mlir::RewritePatternSet &patterns);

/// Emits `mezzo_rt_module` and `<prefix>_api` beside the lowered @main and
/// @shapes; `inputs` and `outputs` are the signature that the frontend attached
/// to the entry function. Attributes of the module name what else the table
/// holds.
mlir::LogicalResult emitModuleTable(mlir::ModuleOp module,
                                    mlir::ArrayAttr inputs,
                                    mlir::ArrayAttr outputs);

} // namespace mezzo

#endif // MEZZO_PASSES_LOWER_LOWERRUNTIME_H
