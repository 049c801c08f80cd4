//===- Link.h - From objects to a shared object ---------------------------===//
//
// The linker is lld, inside this process: whoever compiles a model needs
// neither a C compiler nor binutils, and a link takes a millisecond or two.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_TARGETS_COMMON_LINK_H
#define MEZZO_TARGETS_COMMON_LINK_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace mezzo {

/// One input of a link: an object in memory, which must outlive the link, or
/// the path of one.
struct LinkInput {
  llvm::StringRef contents;
  std::string path;

  static LinkInput object(llvm::ArrayRef<char> contents) {
    return {llvm::StringRef(contents.data(), contents.size()), {}};
  }
  static LinkInput file(llvm::StringRef path) { return {{}, path.str()}; }
};

/// Links `inputs` into the shared object `output`, whose only visible symbols
/// are `exported`; what they do not reach is dropped. The soname is the file
/// name. The same inputs give the same bytes. `output` appears complete or not
/// at all. Symbols of libc stay undefined, to be found in the process that
/// opens the object. Errors: the linker's own text, a name that is no C
/// identifier or is not defined, files that cannot be written. Calls from
/// several threads take turns.
llvm::Error linkSharedObject(llvm::ArrayRef<LinkInput> inputs,
                             llvm::StringRef output,
                             llvm::ArrayRef<llvm::StringRef> exported);

} // namespace mezzo

#endif // MEZZO_TARGETS_COMMON_LINK_H
