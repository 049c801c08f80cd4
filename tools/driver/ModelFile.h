//===- ModelFile.h - a compiled model, looked at and not run --------------===//

#ifndef MEZZO_TOOLS_DRIVER_MODELFILE_H
#define MEZZO_TOOLS_DRIVER_MODELFILE_H

#include "runtime/abi.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace llvm::object {
class ObjectFile;
} // namespace llvm::object

namespace mezzo {

/// An error where `object`, read from `path`, is for another architecture than
/// this machine's: the loader would say that there is no such file.
llvm::Error checkArchitecture(const llvm::object::ObjectFile &object,
                              llvm::StringRef path);

/// The tables of a model.so. Neither its weights are opened nor the CPU
/// checked, so a model for another CPU of this architecture can be looked at.
class ModelFile {
public:
  static llvm::Expected<ModelFile> open(llvm::StringRef path);
  ModelFile(ModelFile &&other);
  ~ModelFile();

  /// What the compiler wrote down about the model.
  const mezzo_module &module() const { return *table; }

  /// Keys of the kernels, where the file still has its symbols.
  std::vector<std::string> kernels;

private:
  ModelFile() = default;

  void *handle = nullptr;
  const mezzo_module *table = nullptr;
};

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_MODELFILE_H
