//===- ExplainProduct.h - why a product is computed as it is --------------===//

#ifndef MEZZO_TOOLS_DRIVER_EXPLAINPRODUCT_H
#define MEZZO_TOOLS_DRIVER_EXPLAINPRODUCT_H

#include "tools/driver/Session.h"
#include "tools/driver/Signature.h"

#include "llvm/Support/raw_ostream.h"

namespace mezzo {

/// For each product what was chosen, why, and the candidates with prices.
void printChoices(llvm::raw_ostream &os, llvm::ArrayRef<ProductChoice> choices);

/// The innermost loops of the kernels whose keys hold `part`, or of all of them
/// ("all"), in the code that `session`, which is at Stage::Tile, makes, or in a
/// shared object. Errors: no such kernel.
llvm::Error printInnerLoops(llvm::raw_ostream &os, CompileSession &session,
                            llvm::StringRef part);
llvm::Error printInnerLoops(llvm::raw_ostream &os, llvm::StringRef path,
                            llvm::StringRef signature, llvm::StringRef part);

/// Gives `session` the product of a random matrix [n, k] that is quantized as
/// `spec` says. Errors: what the spec, the mode or the sizes cannot be.
llvm::Error loadProduct(CompileSession &session, llvm::StringRef spec,
                        llvm::StringRef compute, int64_t m, int64_t n,
                        int64_t k);

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_EXPLAINPRODUCT_H
