//===- CrashWatch.h - outliving a bug of the compiler ---------------------===//

#ifndef MEZZO_TOOLS_DRIVER_CRASHWATCH_H
#define MEZZO_TOOLS_DRIVER_CRASHWATCH_H

#include "llvm/ADT/STLFunctionalExtras.h"

#include <optional>
#include <string>

namespace mezzo {

/// Runs `body`. If it crashes, or if LLVM gives up, the way out is a jump out
/// of the signal handler: what `body` held is leaked, and its objects must not
/// be used or destroyed. Returns then why LLVM gave up, "" for a crash.
///
/// Good enough to say what happened, to write it down and to let a host save
/// its work. A crash on one of MLIR's own threads is not caught.
std::optional<std::string> runGuarded(llvm::function_ref<void()> body);

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_CRASHWATCH_H
