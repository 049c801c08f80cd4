//===- LowerDynamicQuantize.h - dynamic quantization in arithmetic --------===//

#ifndef MEZZO_PASSES_TENSOR_LOWERDYNAMICQUANTIZE_H
#define MEZZO_PASSES_TENSOR_LOWERDYNAMICQUANTIZE_H

#include "mlir/IR/PatternMatch.h"

namespace mezzo {

/// `mezzo.dynamic_quantize` as a reduction, its scale and zero point, and the
/// quantization of each element. Codes are stored as bytes already.
void populateLowerDynamicQuantize(mlir::RewritePatternSet &patterns);

} // namespace mezzo

#endif // MEZZO_PASSES_TENSOR_LOWERDYNAMICQUANTIZE_H
