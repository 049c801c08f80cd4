//===- FoldedConstants.h - constants in another order ---------------------===//

#ifndef MEZZO_PASSES_FRONTEND_FOLDEDCONSTANTS_H
#define MEZZO_PASSES_FRONTEND_FOLDEDCONSTANTS_H

#include "passes/Frontend/Node.h"

namespace mezzo {

/// Whether the input is a float constant, whose elements may be put into
/// another order when the model is compiled.
bool isFloatConstant(Node &node, unsigned input);

/// The elements of a float constant in f32, each by a place in its row-major
/// order, or 0 where the place is -1. `places` has as many entries as `shape`
/// has elements. Precondition: isFloatConstant.
mlir::FailureOr<SizedTensor> gatherConstant(Node &node, unsigned input,
                                            llvm::ArrayRef<int64_t> shape,
                                            llvm::ArrayRef<int64_t> places);

/// The places of a transposition, for gatherConstant.
std::vector<int64_t> transposedPlaces(llvm::ArrayRef<int64_t> shape,
                                      llvm::ArrayRef<int64_t> permutation);

/// The input in f32 with its dimensions in another order: at compile time if it
/// is a constant, else when the model runs.
mlir::FailureOr<SizedTensor> transposedF32(Node &node, unsigned input,
                                           llvm::ArrayRef<int64_t> permutation);

/// Numbers that were computed, as a constant tensor.
SizedTensor constantF32(Node &node, llvm::StringRef name,
                        llvm::ArrayRef<int64_t> shape,
                        llvm::ArrayRef<float> numbers);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_FOLDEDCONSTANTS_H
