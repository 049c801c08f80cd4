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

/// Computes a node on integers that the importer tracks (shapes, axes) instead
/// of importing it. False where the node is no such arithmetic, or an operand
/// is not tracked.
bool foldOnElements(Node &node);
/// The same for movement in several dimensions: Reshape, Transpose, Slice with
/// any steps, ConstantOfShape.
bool foldElementMovement(Node &node);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_REGISTRY_H
