//===- EmbeddedObject.h - Weights inside the compiled model ---------------===//

#ifndef MEZZO_LIB_WEIGHTS_EMBEDDEDOBJECT_H
#define MEZZO_LIB_WEIGHTS_EMBEDDEDOBJECT_H

#include "lib/Weights/WeightSink.h"

#include <memory>

namespace mezzo {

/// The symbol at the start of embedded weights: hidden, of the payload's size.
inline constexpr const char *weightPayloadSymbol = "mezzo_weights_payload";

/// Writes a relocatable ELF object whose one data section is the payload, for
/// the linker to place into the shared object. EmbeddedObject.cpp shows the
/// file.
class EmbeddedObject : public WeightSink {
public:
  enum class Machine { X86_64, AArch64 };

  /// Errors: the file cannot be created.
  static llvm::Expected<std::unique_ptr<EmbeddedObject>>
  create(llvm::StringRef path, Machine machine);

private:
  EmbeddedObject(AtomicFile file, Machine machine)
      : WeightSink(std::move(file)), machine(machine) {}
  llvm::Error complete(llvm::raw_pwrite_stream &out, uint64_t payloadBytes,
                       const WeightHash &hash) override;

  Machine machine;
};

} // namespace mezzo

#endif // MEZZO_LIB_WEIGHTS_EMBEDDEDOBJECT_H
