//===- WeightFile.h - Weights beside the compiled model -------------------===//

#ifndef MEZZO_LIB_WEIGHTS_WEIGHTFILE_H
#define MEZZO_LIB_WEIGHTS_WEIGHTFILE_H

#include "lib/Weights/WeightSink.h"

#include "llvm/Support/Endian.h"

#include <memory>

namespace mezzo {

/// What `model.weights` begins with. The runtime that ships inside a model
/// reads it as its own struct of the same layout and compares `payloadBytes`
/// and `payloadHash` with what the model says.
struct WeightFileHeader {
  char magic[8]; ///< "MEZZOWT1"
  llvm::support::ulittle32_t version, headerBytes;
  llvm::support::ulittle64_t payloadBytes;
  WeightHash payloadHash;
  llvm::support::ulittle64_t reserved; ///< 0
};
static_assert(sizeof(WeightFileHeader) == 64, "the header has no padding");

/// Writes a weights file. The header is written last, over zeros: a file that
/// was cut short has no magic.
class WeightFile : public WeightSink {
public:
  /// Errors: the file cannot be created.
  static llvm::Expected<std::unique_ptr<WeightFile>>
  create(llvm::StringRef path);

private:
  using WeightSink::WeightSink;
  llvm::Error complete(llvm::raw_pwrite_stream &out, uint64_t payloadBytes,
                       const WeightHash &hash) override;
};

} // namespace mezzo

#endif // MEZZO_LIB_WEIGHTS_WEIGHTFILE_H
