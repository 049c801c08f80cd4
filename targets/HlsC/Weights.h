//===- Weights.h - constants of a module, read out ------------------------===//

#ifndef MEZZO_TARGETS_HLSC_WEIGHTS_H
#define MEZZO_TARGETS_HLSC_WEIGHTS_H

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Number/QuantizedMatrix.h"

namespace mezzo::hlsc {

/// The numbers of a constant in f32, f16 or bf16; a splat is written out.
/// Errors: other types, and fewer bytes than the type needs.
llvm::Expected<std::vector<float>> floatsOf(mlir::ElementsAttr constant);

/// The raw bytes of a constant, at least `want` of them; a splat is written
/// out. Errors: fewer.
llvm::Expected<std::vector<uint8_t>> bytesOf(mlir::ElementsAttr constant,
                                             size_t want);

/// A quantized weight with nothing packed. Errors: codes that are no integers,
/// scales on two levels, minima, data that are too short.
llvm::Expected<QuantizedMatrix> matrixOf(WeightOp weight);

} // namespace mezzo::hlsc

#endif // MEZZO_TARGETS_HLSC_WEIGHTS_H
