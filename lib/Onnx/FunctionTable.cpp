//===- FunctionTable.cpp --------------------------------------------------===//

#include "lib/Onnx/FunctionTable.h"

#include "lib/Support/Sanitize.h"

using namespace mezzo;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;
using onnx::FunctionProto;
using onnx::NodeProto;

/// What a call and a function must agree on. The lengths make the key injective
/// whatever the names contain.
static std::string keyOf(StringRef domain, StringRef name, StringRef overload) {
  domain = canonicalDomain(domain);
  return (Twine(domain.size()) + ":" + Twine(name.size()) + ":" + domain +
          name + overload)
      .str();
}

const FunctionProto *FunctionTable::callee(const NodeProto &node) const {
  auto it = entries.find(keyOf(node.domain(), node.op_type(), node.overload()));
  return it == entries.end() ? nullptr : it->second.proto;
}

/// A model imports what its functions import. Two opsets of one domain in one
/// graph would need every node to carry its own version.
Error FunctionTable::mergeOpsets(onnx::ModelProto &model,
                                 const FunctionProto &function) {
  for (const onnx::OperatorSetIdProto &import : function.opset_import()) {
    auto sameDomain = [&](const onnx::OperatorSetIdProto &other) {
      return canonicalDomain(other.domain()) ==
             canonicalDomain(import.domain());
    };
    auto known = llvm::find_if(model.opset_import(), sameDomain);
    if (known == model.opset_import().end())
      *model.add_opset_import() = import;
    else if (known->version() != import.version())
      return createStringError(
          "function " + quoted(function.name()) + " imports opset " +
          Twine(import.version()) + " of domain " + quoted(import.domain()) +
          ", the model or another function opset " + Twine(known->version()) +
          "; convert the model with onnx.version_converter, or inline the "
          "function with onnx.inliner");
  }
  return Error::success();
}

Expected<CheckedInt> FunctionTable::countNodes(const NodeList &nodes, int depth,
                                               int &height,
                                               const OnnxLimits &limits) {
  CheckedInt count = 0;
  Error error = walkNodes(nodes, [&](const NodeProto &node) -> Error {
    auto it =
        entries.find(keyOf(node.domain(), node.op_type(), node.overload()));
    if (it == entries.end()) {
      count += 1;
      return Error::success();
    }
    Entry &called = it->second;
    if (Error error = measure(called, depth + 1, limits))
      return error;
    // An input that is handed through as an output costs a node of its own.
    count += called.nodes + called.proto->output_size();
    height = std::max(height, called.height + 1);
    return Error::success();
  });
  if (error)
    return error;
  return count;
}

/// Fills in `nodes` and `height`, depth first; meeting an active entry again
/// means that the function calls itself.
Error FunctionTable::measure(Entry &entry, int depth,
                             const OnnxLimits &limits) {
  if (entry.state == Entry::Done)
    return Error::success();
  std::string name = "function " + quoted(entry.proto->name());
  if (entry.state == Entry::Active)
    return createStringError(name + " calls itself; recursive functions "
                                    "cannot be compiled, use Loop");
  auto tooDeep = [&] {
    return createStringError(name + " is nested deeper than " +
                             Twine(limits.maxFunctionDepth) +
                             " calls; inline some with onnx.inliner");
  };
  // The depth bounds this recursion; the height also counts callees that were
  // measured before.
  if (depth > limits.maxFunctionDepth)
    return tooDeep();
  entry.state = Entry::Active;
  Expected<CheckedInt> nodes =
      countNodes(entry.proto->node(), depth, entry.height, limits);
  if (!nodes)
    return nodes.takeError();
  if (entry.height > limits.maxFunctionDepth)
    return tooDeep();
  entry.nodes = *nodes;
  entry.state = Entry::Done;
  return Error::success();
}

Error FunctionTable::build(onnx::ModelProto &model, const OnnxLimits &limits) {
  for (const FunctionProto &function : model.functions()) {
    Entry &entry =
        entries[keyOf(function.domain(), function.name(), function.overload())];
    if (entry.proto)
      return createStringError("function " + quoted(function.name()) +
                               " of domain " + quoted(function.domain()) +
                               " is defined twice");
    entry.proto = &function;
    if (Error error = mergeOpsets(model, function))
      return error;
  }
  for (auto &entry : entries)
    if (Error error = measure(entry.second, 1, limits))
      return error;

  int height = 0;
  Expected<CheckedInt> nodes =
      countNodes(model.graph().node(), 0, height, limits);
  if (!nodes)
    return nodes.takeError();
  if (!nodes->isValid() || **nodes > limits.maxNodes)
    return createStringError(
        "with its functions inlined the model has " +
        (nodes->isValid() ? std::to_string(**nodes) : "more than 2^63") +
        " nodes, the limit is " + Twine(limits.maxNodes) +
        "; use Loop or Scan instead of repeated calls");
  return Error::success();
}
