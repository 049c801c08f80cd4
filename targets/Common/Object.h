//===- Object.h - From LLVM IR to machine code ----------------------------===//
//
// Code generation without an optimizer before it. The emitters write loops that
// are already unrolled, vectorized and hoisted; LLVM's IR passes would cost a
// third of the compile time and make the kernels slower (they unroll again and
// spill). What runs is instruction selection, scheduling and register
// allocation, at their highest level.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_TARGETS_COMMON_OBJECT_H
#define MEZZO_TARGETS_COMMON_OBJECT_H

#include "targets/Target.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/CodeGen.h"

#include <memory>
#include <string>

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace mezzo {

/// LLVM's back end for `target`: position independent, one section a function.
/// Errors: LLVM does not know the triple, the CPU or a feature.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>> createTargetMachine(
    const Target &target,
    llvm::CodeGenOptLevel level = llvm::CodeGenOptLevel::Aggressive);

/// Gives the module the target's triple and data layout, and every function
/// defined in it the target's CPU and features, "stackrealign" and nounwind. A
/// function that already names a CPU keeps it: the runtime is compiled for the
/// oldest machine, since it is what tells the user that this one is too old.
/// emitObject and emitAssembly do this themselves. Errors: createTargetMachine.
llvm::Error prepareModule(llvm::Module &module, const Target &target);

/// A relocatable object file. Code generation rewrites the IR as it goes, so a
/// module can be emitted once. Errors: IR that does not verify, intrinsics that
/// the target's CPU lacks (each with its function), those of
/// createTargetMachine.
llvm::Expected<llvm::SmallVector<char, 0>>
emitObject(llvm::Module &module, const Target &target,
           llvm::CodeGenOptLevel level = llvm::CodeGenOptLevel::Aggressive);

/// The same as assembly text.
llvm::Expected<std::string>
emitAssembly(llvm::Module &module, const Target &target,
             llvm::CodeGenOptLevel level = llvm::CodeGenOptLevel::Aggressive);

} // namespace mezzo

#endif // MEZZO_TARGETS_COMMON_OBJECT_H
