//===- Knobs.h - the choices of a product, as text ------------------------===//

#ifndef MEZZO_PASSES_KERNEL_KNOBS_H
#define MEZZO_PASSES_KERNEL_KNOBS_H

#include "dialects/Mezzo/Mezzo.h"

namespace mezzo {

/// The knobs of a configuration, all but the strategy, as they are forced:
/// "rows=4,groups=2,unroll=2,streams=2,block=512,chunk=64".
std::string describeKnobs(ConfigAttr config);

/// `base` with the knobs that `text` names set. Errors: no such knob, no
/// number, and values that `#mezzo.config` refuses.
mlir::FailureOr<ConfigAttr>
overrideKnobs(ConfigAttr base, llvm::StringRef text,
              llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

/// The configuration with a chunk that 16 bits hold for activations of up to
/// `amax`, which a default for smaller ones may exceed.
ConfigAttr fitChunk(ConfigAttr config, const Format &format, int64_t amax);

} // namespace mezzo

#endif // MEZZO_PASSES_KERNEL_KNOBS_H
