//===- Unsupported.cpp - all unsupported operators at once ----------------===//

#include "lib/Onnx/Opsets.h"
#include "passes/Frontend/Registry.h"

#include "llvm/ADT/MapVector.h"

#include <map>

using namespace mlir;
using namespace mezzo;

namespace {

constexpr size_t NamedNodes = 8;

using OperatorName = std::pair<std::string, std::string>; // domain, operator
using UnsupportedOps = llvm::MapVector<OperatorName, UnsupportedOp,
                                       std::map<OperatorName, unsigned>>;

void collect(const OnnxModel &model, const onnx::GraphProto &graph,
             UnsupportedOps &found) {
  for (const onnx::NodeProto &node : graph.node()) {
    for (const onnx::AttributeProto &attribute : node.attribute()) {
      if (attribute.has_g())
        collect(model, attribute.g(), found);
      for (const onnx::GraphProto &nested : attribute.graphs())
        collect(model, nested, found);
    }
    std::string domain = canonicalDomain(node.domain()).str();
    int64_t version = model.opset(domain);
    if (findOperator(domain, node.op_type(), version))
      continue;
    UnsupportedOp &entry = found[{domain, node.op_type()}];
    entry.op = node.op_type();
    entry.domain = domain;
    entry.version = version;
    ++entry.count;
    if (entry.nodes.size() < NamedNodes)
      entry.nodes.push_back(!node.name().empty() || node.output_size() == 0
                                ? node.name()
                                : node.output(0));
  }
}

} // namespace

std::vector<UnsupportedOp> mezzo::listUnsupported(const OnnxModel &model) {
  UnsupportedOps found;
  collect(model, model.graph(), found);
  std::vector<UnsupportedOp> result;
  for (auto &entry : found)
    result.push_back(std::move(entry.second));
  return result;
}
