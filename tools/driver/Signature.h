//===- Signature.h - inputs and outputs of a model, as JSON ---------------===//

#ifndef MEZZO_TOOLS_DRIVER_SIGNATURE_H
#define MEZZO_TOOLS_DRIVER_SIGNATURE_H

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace mezzo {

struct TensorSignature {
  std::string name, dtype;
  std::vector<int64_t> dims; ///< -1 where dynamic
  std::vector<std::string> dimNames;
};

struct ModelSignature {
  std::vector<TensorSignature> inputs, outputs;
};

/// Reads the attributes that the frontend attached to the entry function.
ModelSignature readSignature(mlir::ModuleOp module);

/// {"inputs": [{"name", "dtype", "dims": [1, "batch"]}], "outputs": ...,
/// "tool", "target", "compute", "source_sha256"}
std::string signatureJson(const ModelSignature &signature,
                          llvm::StringRef target, llvm::StringRef compute,
                          llvm::StringRef sourceHash);

/// The signature with "choices": what was chosen for each product, an array of
/// objects that say what the dictionaries of `choices` say
/// (passes/Select/Choices.h).
std::string withChoices(llvm::StringRef signature, mlir::ArrayAttr choices);

/// What was chosen for a product, as a signature tells it.
struct ProductChoice {
  std::string product, weight, strategy, config, reason;
  std::vector<std::string> candidates;
};
/// Reads "choices"; empty where there are none.
std::vector<ProductChoice> choicesOf(llvm::StringRef signature);

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_SIGNATURE_H
