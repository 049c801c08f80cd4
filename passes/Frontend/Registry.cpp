//===- Registry.cpp - which function imports which operator ---------------===//

#include "passes/Frontend/Registry.h"

#include "lib/Onnx/Opsets.h"

using namespace mlir;
using namespace mezzo;

const OperatorRow *mezzo::findOperator(StringRef domain, StringRef name,
                                       int64_t version) {
  static const llvm::StringMap<SmallVector<const OperatorRow *, 2>> rows = [] {
    llvm::StringMap<SmallVector<const OperatorRow *, 2>> map;
    for (ArrayRef<OperatorRow> family : {elementwiseOperators(),
                                         activationOperators(),
                                         comparisonOperators(),
                                         productOperators(),
                                         matMulNBitsOperators(),
                                         quantizationOperators(),
                                         normalizationOperators(),
                                         movementOperators(),
                                         indexingOperators(),
                                         castOperators(),
                                         shapeOperators(),
                                         convolutionOperators(),
                                         poolOperators(),
                                         resizeOperators(),
                                         recurrentOperators(),
                                         controlFlowOperators(),
                                         integerProductOperators(),
                                         linearCodeOperators(),
                                         weightOnlyOperators(),
                                         qonnxOperators(),
                                         rotaryOperators(),
                                         attentionOperators(),
                                         groupQueryAttentionOperators(),
                                         bitOperators(),
                                         blockOperators(),
                                         cumulativeOperators(),
                                         determinantOperators(),
                                         einsumOperators(),
                                         generatorOperators(),
                                         gridOperators(),
                                         lossOperators(),
                                         normOperators(),
                                         paddingOperators(),
                                         powerOperators(),
                                         reductionOperators(),
                                         scatterOperators(),
                                         selectionOperators(),
                                         softmaxOperators(),
                                         sortingOperators()})
      for (const OperatorRow &row : family)
        map[(row.domain + "::" + row.name).str()].push_back(&row);
    return map;
  }();
  auto found = rows.find((canonicalDomain(domain) + "::" + name).str());
  if (found == rows.end())
    return nullptr;
  const OperatorRow *newest = nullptr;
  for (const OperatorRow *row : found->second)
    if (row->since <= version && (!newest || newest->since < row->since))
      newest = row;
  return newest;
}
