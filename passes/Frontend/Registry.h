//===- Registry.h - which function imports which operator -----------------===//

#ifndef MEZZO_PASSES_FRONTEND_REGISTRY_H
#define MEZZO_PASSES_FRONTEND_REGISTRY_H

#include "passes/Frontend/Node.h"

namespace mezzo {

/// One operator from one version of its domain on, until a later row of the
/// same name.
struct OperatorRow {
  llvm::StringLiteral domain, name;
  int64_t since;
  unsigned minInputs, maxInputs;
  mlir::LogicalResult (*import)(Node &);

  static constexpr unsigned Variadic = ~0u;
};

inline constexpr llvm::StringLiteral OnnxDomain = "",
                                     MicrosoftDomain = "com.microsoft";

/// The row for an operator in a version of its domain, or null.
const OperatorRow *findOperator(llvm::StringRef domain, llvm::StringRef name,
                                int64_t version);

/// The families, each defined in the file of its name.
llvm::ArrayRef<OperatorRow> elementwiseOperators();
llvm::ArrayRef<OperatorRow> activationOperators();
llvm::ArrayRef<OperatorRow> comparisonOperators();
llvm::ArrayRef<OperatorRow> productOperators();
llvm::ArrayRef<OperatorRow> matMulNBitsOperators();
llvm::ArrayRef<OperatorRow> quantizationOperators();
llvm::ArrayRef<OperatorRow> integerProductOperators();
llvm::ArrayRef<OperatorRow> linearCodeOperators();
llvm::ArrayRef<OperatorRow> qonnxOperators();
llvm::ArrayRef<OperatorRow> weightOnlyOperators();
llvm::ArrayRef<OperatorRow> rotaryOperators();
llvm::ArrayRef<OperatorRow> attentionOperators();
llvm::ArrayRef<OperatorRow> groupQueryAttentionOperators();
llvm::ArrayRef<OperatorRow> normalizationOperators();
llvm::ArrayRef<OperatorRow> movementOperators();
llvm::ArrayRef<OperatorRow> indexingOperators();
llvm::ArrayRef<OperatorRow> castOperators();
llvm::ArrayRef<OperatorRow> shapeOperators();
llvm::ArrayRef<OperatorRow> convolutionOperators();
llvm::ArrayRef<OperatorRow> poolOperators();
llvm::ArrayRef<OperatorRow> resizeOperators();
llvm::ArrayRef<OperatorRow> recurrentOperators();
llvm::ArrayRef<OperatorRow> controlFlowOperators();
llvm::ArrayRef<OperatorRow> bitOperators();
llvm::ArrayRef<OperatorRow> blockOperators();
llvm::ArrayRef<OperatorRow> cumulativeOperators();
llvm::ArrayRef<OperatorRow> determinantOperators();
llvm::ArrayRef<OperatorRow> einsumOperators();
llvm::ArrayRef<OperatorRow> generatorOperators();
llvm::ArrayRef<OperatorRow> gridOperators();
llvm::ArrayRef<OperatorRow> lossOperators();
llvm::ArrayRef<OperatorRow> normOperators();
llvm::ArrayRef<OperatorRow> paddingOperators();
llvm::ArrayRef<OperatorRow> powerOperators();
llvm::ArrayRef<OperatorRow> reductionOperators();
llvm::ArrayRef<OperatorRow> scatterOperators();
llvm::ArrayRef<OperatorRow> selectionOperators();
llvm::ArrayRef<OperatorRow> softmaxOperators();
llvm::ArrayRef<OperatorRow> sortingOperators();

/// The other outputs of a layer norm, where somebody reads them: the means of
/// the rows [axis, rank) and 1 / sqrt(variance + epsilon), in f32.
mlir::LogicalResult importRowMoments(Node &node, SizedTensor x, int64_t axis,
                                     unsigned meanOutput,
                                     unsigned inverseOutput);

/// QuantizeLinear to a small float, and DequantizeLinear of one.
mlir::LogicalResult importQuantizeToFloat(Node &node, ElementType type);
mlir::LogicalResult importDequantizeFloat(Node &node);

/// Computes a node on integers that the importer tracks (shapes, axes) instead
/// of importing it. False where the node is no such arithmetic, or an operand
/// is not tracked.
bool foldOnElements(Node &node);
/// The same for movement in several dimensions: Reshape, Transpose, Slice with
/// any steps, ConstantOfShape.
bool foldElementMovement(Node &node);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_REGISTRY_H
