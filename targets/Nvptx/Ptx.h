//===- Ptx.h - From kernels in IR to PTX text -------------------*- C++ -*-===//

#ifndef MEZZO_TARGETS_NVPTX_PTX_H
#define MEZZO_TARGETS_NVPTX_PTX_H

#include "targets/Nvptx/Chips.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace mezzo::nvptx {

/// Lowers a module of kernels (scf, arith, LLVM, NVVM) to the LLVM dialect, in
/// place, and to PTX for `chip`. Errors: those of the lowering, and LLVM's.
llvm::Expected<std::string> emitPtx(mlir::ModuleOp module, const Chip &chip);

/// Registers the dialects that kernels are written in.
void registerKernelDialects(mlir::DialectRegistry &registry);

} // namespace mezzo::nvptx

#endif // MEZZO_TARGETS_NVPTX_PTX_H
