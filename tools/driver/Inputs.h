//===- Inputs.h - the tensors that a command line gives to a model --------===//

#ifndef MEZZO_TOOLS_DRIVER_INPUTS_H
#define MEZZO_TOOLS_DRIVER_INPUTS_H

#include "tools/driver/LoadedModel.h"

namespace mezzo {

/// NAME=@FILE.npy, as in --input and --expect: the name may hold a '='.
struct NamedFile {
  std::string name, path;
};
/// Error: there is no "=@" in it, or nothing on one side.
llvm::Expected<NamedFile> parseNamedFile(llvm::StringRef flag,
                                         llvm::StringRef text);

/// The inputs of a model in the order of its signature.
///
/// Each of `inputs` is NAME=@FILE.npy, or NAME=random[:SEED]. A random tensor
/// takes the sizes of its dynamic dimensions from the files, where another
/// input has a dimension of the same name, then from `dims` (NAME=SIZE), else
/// they are 1.
///
/// Errors list all inputs that are missing, and name one that is given twice or
/// that the model does not have; a file whose type or shape is not what the
/// signature says; a dimension that no input has.
llvm::Expected<std::vector<HostTensor>>
bindInputs(const ModelSignature &signature, llvm::ArrayRef<std::string> inputs,
           llvm::ArrayRef<std::string> dims);

/// Numbers that are the same for a seed, everywhere: floats from N(0, 1),
/// integers of 16 and more bits from 0 to 7 (they are mostly indices), others
/// from their whole range. Errors: types of less than a byte; too many
/// elements.
llvm::Expected<HostTensor>
randomTensor(llvm::StringRef dtype, std::vector<int64_t> shape, uint64_t seed);

/// f32[1, batch, 64]: what a signature says of a tensor, safe to print.
std::string typeText(const TensorSignature &tensor);
/// The same of a tensor itself.
std::string typeText(const HostTensor &tensor);

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_INPUTS_H
