//===- CodedActivations.h - activations that are codes already ------------===//

#ifndef MEZZO_PASSES_TENSOR_CODEDACTIVATIONS_H
#define MEZZO_PASSES_TENSOR_CODEDACTIVATIONS_H

#include "dialects/Mezzo/Mezzo.h"

#include "mlir/IR/PatternMatch.h"

namespace mezzo {

/// The left operand of a product in mode `int`, as `mezzo.matmul` takes it:
/// x[m, k] = scales[m] * (codes[m, k] - zeros[m]).
struct CodedActivations {
  mlir::Value codes;  ///< [M, K], i8
  mlir::Value scales; ///< [M], f32
  mlir::Value zeros;  ///< [M], i32; null where all are 0
};

/// Whether `x` [M, K] is dequantized codes that a product can read: integers of
/// at most eight bits, one scale for all or for each row, and no `--strict-dq`.
bool areCoded(mlir::Value x);

/// Their parts, built where `rewriter` stands. Precondition: areCoded(x).
///
/// Unsigned bytes are read as signed ones by a flip of the top bit, which takes
/// 128 off the codes and off their zero points.
CodedActivations codedActivations(mlir::Value x, mlir::RewriterBase &rewriter);

} // namespace mezzo

#endif // MEZZO_PASSES_TENSOR_CODEDACTIVATIONS_H
