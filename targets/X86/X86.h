//===- X86.h - The targets of this folder ---------------------------------===//

#ifndef MEZZO_TARGETS_X86_X86_H
#define MEZZO_TARGETS_X86_X86_H

#include "targets/Target.h"

#include "llvm/ADT/StringMap.h"

namespace mezzo::x86 {

/// The x86 machines, oldest first.
std::vector<Target> targets();

/// The best of them for a CPU with these features (in LLVM's names). Error: the
/// CPU is too old for all; names what it lacks.
llvm::Expected<Target> bestFor(const llvm::StringMap<bool> &features);

/// What ops take, without VNNI and with it, per register of whatever length.
CoreCosts avx2Costs();
CoreCosts vnniCosts();

/// Instructions for `tile` ops on 32-byte vectors, and with AVX-512 (BW and VL)
/// on 64-byte ones, too; other lengths are left to the definitions. VNNI adds a
/// dot product of bytes.
void populateAvx2Spellings(mlir::RewritePatternSet &patterns);
void populateAvxVnniSpellings(mlir::RewritePatternSet &patterns);
void populateAvx512Spellings(mlir::RewritePatternSet &patterns);
void populateAvx512VnniSpellings(mlir::RewritePatternSet &patterns);

} // namespace mezzo::x86

#endif // MEZZO_TARGETS_X86_X86_H
