//===- RecurrentActivations.h - functions inside of recurrent cells -------===//

#ifndef MEZZO_PASSES_FRONTEND_RECURRENTACTIVATIONS_H
#define MEZZO_PASSES_FRONTEND_RECURRENTACTIVATIONS_H

#include "passes/Frontend/Node.h"
#include "passes/Frontend/Scalars.h"

namespace mezzo {

/// A scalar activation function with its parameters.
struct Activation {
  std::string name; ///< in lower case
  float alpha, beta;

  mlir::Value apply(ScalarBuilder &f, mlir::Value x) const;
};

/// The functions that the attributes `activations`, `activation_alpha` and
/// `activation_beta` of RNN, GRU and LSTM name, by default these. Errors: a
/// function that does not exist, another number of them.
mlir::FailureOr<llvm::SmallVector<Activation>>
readActivations(Node &node, llvm::ArrayRef<llvm::StringRef> defaults);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_RECURRENTACTIVATIONS_H
