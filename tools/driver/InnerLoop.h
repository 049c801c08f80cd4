//===- InnerLoop.h - the innermost loop of a kernel, disassembled ---------===//

#ifndef MEZZO_TOOLS_DRIVER_INNERLOOP_H
#define MEZZO_TOOLS_DRIVER_INNERLOOP_H

#include "targets/Target.h"

#include <string>
#include <vector>

namespace llvm {
class MemoryBufferRef;
namespace object {
class ObjectFile;
}
} // namespace llvm

namespace mezzo {

/// A loop of machine code without loops in it.
struct InnerLoop {
  unsigned depth; ///< loops around it, itself included
  std::vector<std::string> instructions;
};

/// The innermost loops of the function `symbol`, the hottest first: that of the
/// deepest nest, and of those the longest, since shorter ones do what is left
/// over. A loop is what lies between a backward branch and its target. Errors:
/// no such symbol (the message names some that there are), code that LLVM
/// cannot read.
llvm::Expected<std::vector<InnerLoop>>
innerLoops(const llvm::object::ObjectFile &object, llvm::StringRef symbol,
           const Target &target);

/// Names of the functions whose names begin so.
std::vector<std::string> functionsOf(const llvm::object::ObjectFile &object,
                                     llvm::StringRef beginning);

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_INNERLOOP_H
