//===- Runtime.h - The runtime inside a compiled model --------------------===//

#ifndef MEZZO_TARGETS_COMMON_RUNTIME_H
#define MEZZO_TARGETS_COMMON_RUNTIME_H

#include "targets/Target.h"

#include "llvm/Support/Error.h"

namespace llvm {
class Module;
} // namespace llvm

namespace mezzo {

/// Links the runtime of the target's architecture, which the compiler carries
/// as bitcode, into `module`, and makes everything but the function `apiSymbol`
/// internal. Errors: no runtime for the architecture, symbols defined twice, no
/// definition of `apiSymbol`, names that begin with "mezzo_" and are defined by
/// neither half (they would only be missed when somebody opens the model).
/// The payload of embedded weights (lib/Weights) may stay undefined: it joins
/// at the link.
llvm::Error linkRuntime(llvm::Module &module, const Target &target,
                        llvm::StringRef apiSymbol);

} // namespace mezzo

#endif // MEZZO_TARGETS_COMMON_RUNTIME_H
