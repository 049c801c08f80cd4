//===- CodedProducts.h - products of two tensors of codes -----------------===//

#ifndef MEZZO_PASSES_FRONTEND_CODEDPRODUCTS_H
#define MEZZO_PASSES_FRONTEND_CODEDPRODUCTS_H

#include "passes/Frontend/Node.h"

namespace mezzo {

/// Which inputs of a node are the operands of its product, and how they are
/// turned. Zero points may be absent.
struct ProductInputs {
  unsigned a, aZero, b, bZero;
  bool transA = false, transB = false;
};

/// sum over k of (a[.., m, k] - aZero) * (b[.., k, n] - bZero) in i32, modulo
/// 2^32, with numpy's broadcasting: what every integer product of ONNX begins
/// with. A constant matrix b becomes a weight, and the product a
/// `mezzo.matmul`; anything else a contraction of integers. Zero points of a
/// are a scalar or one per row, those of b a scalar or one per column.
mlir::FailureOr<SizedTensor> codedProduct(Node &node,
                                          const ProductInputs &inputs);

/// The same for activations that the operator has quantized itself: codes of
/// u8, and their zero point.
mlir::FailureOr<SizedTensor> codedProduct(Node &node, SizedTensor a,
                                          SizedTensor aZero,
                                          const ProductInputs &inputs);

/// A scale that is a product or a quotient of others, from left to right:
/// inputs `factors` multiplied, then divided by `divisor` where it is one.
/// Folded where all are constants. `rows`: the input that has, where it is a
/// vector, one element per row of the result; the others have one per column.
mlir::FailureOr<SizedTensor> combinedScale(Node &node,
                                           llvm::ArrayRef<unsigned> factors,
                                           std::optional<unsigned> divisor,
                                           std::optional<unsigned> rows,
                                           float constant = 1);

/// Reports a scale or a bias that would make `target` larger.
mlir::LogicalResult checkBroadcastTo(Node &node, SizedTensor x,
                                     SizedTensor target);

/// clamp(rne(fl(float(acc) * scale)) + zero), as codes of `type`: the
/// requantization of QLinearMatMul.
SizedTensor requantize(Node &node, SizedTensor acc, SizedTensor scale,
                       std::optional<unsigned> zeroInput, ElementType type);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_CODEDPRODUCTS_H
