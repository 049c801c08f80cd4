//===- SpellingCases.h - What a spelling must compute, on any machine -----===//
//
// Tests of spellings: small functions of `tile` ops on memory, operands for
// them, and what plain C++ says that they compute. A machine's test compiles
// them for the machine and for its generic form, and runs both.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_TARGETS_COMMON_SPELLINGCASES_H
#define MEZZO_TARGETS_COMMON_SPELLINGCASES_H

#include "targets/Target.h"

#include "llvm/ADT/ArrayRef.h"

#include <memory>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace mezzo {

using Buffer = std::vector<uint8_t>;

/// One function and one call of it. Compiled with bare pointers, it is
/// `void name(const void *input..., void *output)`.
struct SpellingCase {
  std::string name;
  std::string text; ///< of the function, in MLIR
  std::vector<Buffer> inputs;
  Buffer expected; ///< the output
};

/// Codes in [low, high] by activations of at most amax.
struct ProductRanges {
  int low, high, amax;
};

/// The function of a product op, "dot" or "dot_pairs", over many vectors of
/// operands, and its name.
std::string productName(llvm::StringRef op, ProductRanges ranges);
std::string productText(llvm::StringRef op, ProductRanges ranges,
                        int vectorBytes = 32);
/// A function called `broadcast` around `tile.broadcast_group`.
std::string broadcastText(int vectorBytes = 32);

/// A function called `lookup` around `tile.lookup`, over many tables.
std::string lookupText(int vectorBytes = 32);

/// All cases of all ops on vectors of so many bytes: all operands where there
/// are few, random and extreme ones else.
std::vector<SpellingCase> spellingCases(int vectorBytes = 32);

/// `text` with its `tile` ops lowered as `target` says, as LLVM IR. Null if it
/// does not parse.
std::unique_ptr<llvm::Module> lowerSpelling(llvm::StringRef text,
                                            const Target &target,
                                            llvm::LLVMContext &context);

/// The functions as a shared object for `target`, in the file `path`.
llvm::Error compileSpellings(llvm::ArrayRef<SpellingCase> cases,
                             const Target &target, llvm::StringRef path);

/// How often an instruction occurs in what `text` becomes for `target`.
size_t countInstructions(llvm::StringRef text, const Target &target,
                         llvm::StringRef instruction);

} // namespace mezzo

#endif // MEZZO_TARGETS_COMMON_SPELLINGCASES_H
