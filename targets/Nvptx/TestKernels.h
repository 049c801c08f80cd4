//===- TestKernels.h - PTX of engines, for tests ----------------*- C++ -*-===//

#ifndef MEZZO_TARGETS_NVPTX_TESTKERNELS_H
#define MEZZO_TARGETS_NVPTX_TESTKERNELS_H

#include "targets/Nvptx/Engine.h"
#include "targets/Nvptx/Ptx.h"

#include <map>

namespace mezzo::nvptx {

/// The PTX of a kernel, made once.
inline const std::string &ptxOf(const EngineSpec &spec, llvm::StringRef chip) {
  static std::map<std::string, std::string> made;
  std::string &text = made[spec.key() + chip.str()];
  if (text.empty()) {
    mlir::DialectRegistry registry;
    registerKernelDialects(registry);
    mlir::MLIRContext context(registry);
    context.loadAllAvailableDialects();
    mlir::OwningOpRef<mlir::ModuleOp> module =
        mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
    llvm::cantFail(spec.check());
    buildEngine(*module, spec);
    text = llvm::cantFail(emitPtx(*module, llvm::cantFail(lookupChip(chip))));
  }
  return text;
}

} // namespace mezzo::nvptx

#endif // MEZZO_TARGETS_NVPTX_TESTKERNELS_H
