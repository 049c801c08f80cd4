//===- Arm64.h - The targets of this folder -------------------------------===//

#ifndef MEZZO_TARGETS_ARM64_ARM64_H
#define MEZZO_TARGETS_ARM64_ARM64_H

#include "targets/Target.h"

namespace mezzo::arm64 {

/// The 64-bit ARM machines, oldest first.
std::vector<Target> targets();

/// What ops take on the base, and where there is `sdot`.
CoreCosts neonCosts();
CoreCosts dotprodCosts();

/// Instructions for `tile` ops on 32-byte vectors, two registers each; other
/// lengths are left to the definitions. Each set holds the ones before it:
/// what is no product, all of NEON, and what the extensions add.
void populateTileSpellings(mlir::RewritePatternSet &patterns);
void populateNeonSpellings(mlir::RewritePatternSet &patterns);
void populateDotprodSpellings(mlir::RewritePatternSet &patterns);
void populateI8mmSpellings(mlir::RewritePatternSet &patterns);

} // namespace mezzo::arm64

#endif // MEZZO_TARGETS_ARM64_ARM64_H
