//===- ShapeInputs.cpp - inputs whose values make shapes ------------------===//

#include "passes/Frontend/ShapeInputs.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSwitch.h"

#include <cstdint>

using namespace mezzo;

namespace {

/// The inputs of an operator that its shape depends on by value: a bit each.
uint32_t shapeOperands(llvm::StringRef op) {
  static const llvm::StringMap<uint32_t> operands{
      {"Reshape", 0b10},        {"Expand", 0b10},
      {"Slice", 0b11110},       {"Tile", 0b10},
      {"Pad", 0b1010},          {"Range", 0b111},
      {"ConstantOfShape", 0b1}, {"TopK", 0b10},
      {"OneHot", 0b10},         {"Split", 0b10},
      {"Squeeze", 0b10},        {"Unsqueeze", 0b10},
      {"CenterCropPad", 0b10},  {"AffineGrid", 0b10},
      {"Upsample", 0b10},       {"HannWindow", 0b1},
      {"HammingWindow", 0b1},   {"BlackmanWindow", 0b1},
      {"ReduceL1", 0b10},       {"ReduceL2", 0b10},
      {"ReduceLogSum", 0b10},   {"ReduceLogSumExp", 0b10},
      {"ReduceMax", 0b10},      {"ReduceMean", 0b10},
      {"ReduceMin", 0b10},      {"ReduceProd", 0b10},
      {"ReduceSum", 0b10},      {"ReduceSumSquare", 0b10},
      {"CumSum", 0b10},         {"CumProd", 0b10},
  };
  return operands.lookup(op);
}

/// Whether the elements of the result follow from the elements of the inputs;
/// of others (Shape, Size) they do not, or nobody computes them here.
bool passesElements(llvm::StringRef op) {
  return llvm::StringSwitch<bool>(op)
      .Cases({"Add", "Sub", "Mul", "Div", "Min", "Max", "Neg", "Where"}, true)
      .Cases({"Concat", "Gather", "Slice", "Cast", "CastLike", "Squeeze",
              "Unsqueeze", "Reshape", "Identity"},
             true)
      .Default(false);
}

} // namespace

llvm::StringSet<> mezzo::findShapeInputs(const OnnxModel &model) {
  // Nodes are in topological order, so one walk from the end meets the readers
  // of a tensor before its maker.
  llvm::StringSet<> wanted;
  const onnx::GraphProto &graph = model.graph();
  for (int index = graph.node_size(); index-- > 0;) {
    const onnx::NodeProto &node = graph.node(index);
    uint32_t operands = shapeOperands(node.op_type());
    for (int input = 0; input < node.input_size() && input < 32; ++input)
      if (operands >> input & 1)
        wanted.insert(node.input(input));
    if (!passesElements(node.op_type()))
      continue;
    bool isWanted = llvm::any_of(node.output(), [&](const std::string &name) {
      return wanted.contains(name);
    });
    if (isWanted)
      for (const std::string &name : node.input())
        wanted.insert(name);
  }
  llvm::StringSet<> inputs;
  for (const onnx::ValueInfoProto &input : graph.input())
    if (wanted.contains(input.name()))
      inputs.insert(input.name());
  return inputs;
}
