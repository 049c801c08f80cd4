//===- LoadedModel.h - a compiled model, opened in this process -----------===//

#ifndef MEZZO_TOOLS_DRIVER_LOADEDMODEL_H
#define MEZZO_TOOLS_DRIVER_LOADEDMODEL_H

#include "include/mezzo/model.h"
#include "tools/driver/Signature.h"

#include "llvm/Support/Error.h"

#include <memory>

namespace mezzo {

/// A dense tensor that owns its bytes.
struct HostTensor {
  std::string dtype; ///< "f32", "i64", ...
  std::vector<int64_t> shape;
  std::vector<uint8_t> bytes;

  int64_t elements() const;
  /// A view for the C ABI; valid while this tensor lives and is not resized.
  mezzo_tensor view();

  static HostTensor of(llvm::ArrayRef<float> values,
                       std::vector<int64_t> shape);
  llvm::ArrayRef<float> floats() const;
};

/// Bits of an element of type `dtype`; DLPack's type code.
unsigned elementBits(llvm::StringRef dtype);
uint8_t elementCode(llvm::StringRef dtype);

/// A model.so with one context. Closed when it goes.
class LoadedModel {
public:
  /// `threads` as in mezzo_context_options: 0 is the default. Errors: the file
  /// is no compiled model (says how to make one), and what the model itself
  /// says.
  static llvm::Expected<std::unique_ptr<LoadedModel>> open(llvm::StringRef path,
                                                           int threads = 0);
  ~LoadedModel();

  const ModelSignature &signature() const { return modelSignature; }
  llvm::StringRef signatureText() const;

  /// Runs on inputs in the order of the signature and allocates the outputs.
  /// Output memory is filled with a pattern first, so that an element nobody
  /// writes does not pass for a result.
  llvm::Expected<std::vector<HostTensor>> run(std::vector<HostTensor> &inputs);
  /// Runs into outputs that an earlier run allocated.
  llvm::Error runInto(std::vector<HostTensor> &inputs,
                      std::vector<HostTensor> &outputs);

private:
  LoadedModel() = default;
  llvm::Error lastError(int32_t status) const;

  void *handle = nullptr;
  const mezzo_api *api = nullptr;
  mezzo_model *model = nullptr;
  mezzo_context *context = nullptr;
  ModelSignature modelSignature;
};

/// Reads what `signatureJson` writes.
llvm::Expected<ModelSignature> parseSignature(llvm::StringRef json);

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_LOADEDMODEL_H
