//===- FunctionTable.h - The functions that a model brings along ----------===//

#ifndef MEZZO_LIB_ONNX_FUNCTIONTABLE_H
#define MEZZO_LIB_ONNX_FUNCTIONTABLE_H

#include "lib/Onnx/Model.h"
#include "lib/Onnx/Walk.h"
#include "lib/Support/CheckedInt.h"

#include "llvm/ADT/StringMap.h"

namespace mezzo {

/// Model-local functions by name, with what inlining them would cost. Built
/// before the first node is made, so that recursion and explosion (ten
/// functions, each calling the next one ten times, make 10^10 nodes) are
/// refused while they are still cheap.
class FunctionTable {
public:
  /// Enters the functions of `model`, adds what they import to the model's
  /// imports, and refuses recursion, nesting and sizes beyond `limits`.
  llvm::Error build(onnx::ModelProto &model, const OnnxLimits &limits);

  /// The function that `node` calls, or null where it is an operator.
  const onnx::FunctionProto *callee(const onnx::NodeProto &node) const;

private:
  struct Entry {
    const onnx::FunctionProto *proto = nullptr;
    enum { New, Active, Done } state = New;
    /// Nodes of the body with all calls in it expanded.
    CheckedInt nodes = 0;
    /// 1 for a function that calls no other.
    int height = 1;
  };

  llvm::Error mergeOpsets(onnx::ModelProto &model,
                          const onnx::FunctionProto &function);
  llvm::Error measure(Entry &entry, int depth, const OnnxLimits &limits);
  llvm::Expected<CheckedInt> countNodes(const NodeList &nodes, int depth,
                                        int &height, const OnnxLimits &limits);

  llvm::StringMap<Entry> entries;
};

} // namespace mezzo

#endif // MEZZO_LIB_ONNX_FUNCTIONTABLE_H
