//===- Context.h - what a compilation needs registered --------------------===//

#ifndef MEZZO_TOOLS_DRIVER_CONTEXT_H
#define MEZZO_TOOLS_DRIVER_CONTEXT_H

#include "mlir/IR/DialectRegistry.h"
#include "llvm/Support/Error.h"

namespace mlir {
class OpPassManager;
}

namespace mezzo {

/// Our dialects and upstream's, with the interfaces that bufferization and
/// translation look for.
void registerDialects(mlir::DialectRegistry &registry);

/// Our passes and pipelines, and upstream's, for `mezzo-opt`.
void registerPasses();

/// Reads a pipeline such as "canonicalize,cse", with or without the module
/// around it; registers the passes first.
llvm::Error parsePipeline(llvm::StringRef text, mlir::OpPassManager &manager);

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_CONTEXT_H
