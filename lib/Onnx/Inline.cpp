//===- Inline.cpp - Model-local functions are replaced by their bodies ----===//
//
// A model may bring functions of its own: a name, formal inputs, outputs and
// attributes, and a body of nodes. A node whose domain, operator type and
// overload are those of a function is a call. Here every call is replaced by a
// copy of the body, so that nothing later needs to know about functions.
//
//     f(a, b; k) -> y:    t = Mul(a, b)          y = LeakyRelu(t) {alpha = @k}
//     call "n":           z = f(p, q) {k = .5}
//     becomes:            n/t = Mul(p, q)        z = LeakyRelu(n/t) {alpha =
//     .5}
//
// Formal inputs become the call's inputs ("" where it omits one, which makes
// the input of the inner node omitted, too), formal outputs the call's
// outputs, all other names are made unique by the name of the call. A reference
// to an attribute (@k) becomes the call's attribute, else the function's
// default, and else vanishes.
//
// Inlining is the one step that can make a small model large. The table of
// functions bounds the number of nodes before the first is made; here only
// bytes are counted, since attributes of calls are copied, too.
//
//===----------------------------------------------------------------------===//

#include "lib/Onnx/Check.h"
#include "lib/Onnx/FunctionTable.h"
#include "lib/Onnx/Walk.h"
#include "lib/Support/Sanitize.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mezzo;
using llvm::createStringError;
using llvm::Error;
using llvm::StringMap;
using llvm::StringRef;
using llvm::StringSet;
using llvm::Twine;
using onnx::AttributeProto;
using onnx::FunctionProto;
using onnx::GraphProto;
using onnx::NodeProto;

/// Longer names of inner values are not made; a number keeps them unique
/// anyway.
static constexpr size_t longName = 200;

namespace {

/// Names of the body and what they become; one for the function and one more
/// for each graph nested in it.
struct Renaming {
  const Renaming *outer;
  StringMap<std::string> names;

  const std::string *find(StringRef name) const {
    for (const Renaming *scope = this; scope; scope = scope->outer)
      if (auto it = scope->names.find(name); it != scope->names.end())
        return &it->second;
    return nullptr;
  }
};

class Inliner {
public:
  Inliner(onnx::ModelProto &model, const OnnxLimits &limits)
      : model(model), limits(limits) {}
  Error run();

private:
  /// A call of a function: what its body is rewritten with.
  struct Call {
    const FunctionProto &function;
    const NodeProto &node;
    std::string prefix;
  };

  void collectNames(const GraphProto &graph);
  Error expandGraph(GraphProto &graph, int graphDepth);
  Error expandNode(NodeProto *node, NodeList &out, int graphDepth);
  Error expandCall(const Call &call, NodeList &out, int graphDepth);
  Error bindNames(const Call &call, Renaming &names, NodeList &out);
  Error rewriteNode(const Call &call, const Renaming &names, NodeProto &node);
  Error rewriteGraph(const Call &call, const Renaming &outer,
                     GraphProto &graph);
  Error rewriteAttributes(const Call &call, NodeProto &node);
  std::string fresh(StringRef prefix, StringRef inner);
  Error charge(const google::protobuf::Message &made);

  onnx::ModelProto &model;
  const OnnxLimits &limits;
  FunctionTable functions;
  StringSet<> taken;
  StringMap<unsigned> counts; // last number given to a name, by stem
  int64_t bytesMade = 0;
};

} // namespace

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

void Inliner::collectNames(const GraphProto &graph) {
  for (const onnx::ValueInfoProto &input : graph.input())
    taken.insert(input.name());
  for (const onnx::TensorProto &tensor : graph.initializer())
    taken.insert(tensor.name());
  for (const onnx::SparseTensorProto &sparse : graph.sparse_initializer())
    taken.insert(sparse.values().name());
  for (const NodeProto &node : graph.node())
    for (const std::string &output : node.output())
      taken.insert(output);
}

std::string Inliner::fresh(StringRef prefix, StringRef inner) {
  std::string stem = prefix.empty() || prefix.size() + inner.size() > longName
                         ? inner.take_back(longName).str()
                         : (prefix + "/" + inner).str();
  std::string name = stem;
  unsigned &count = counts[stem];
  while (name.empty() || !taken.insert(name).second)
    name = stem + "." + std::to_string(++count);
  return name;
}

Error Inliner::charge(const google::protobuf::Message &made) {
  bytesMade += int64_t(made.ByteSizeLong());
  if (bytesMade <= limits.maxInlinedBytes)
    return Error::success();
  return createStringError("inlining the model's functions would make more "
                           "than " +
                           Twine(limits.maxInlinedBytes) +
                           " bytes of nodes; move constants out of the "
                           "functions' bodies and attributes");
}

//===----------------------------------------------------------------------===//
// The body
//===----------------------------------------------------------------------===//

/// Maps the names of the function's own scope: formals to actuals, and each
/// value of the body to a new name.
Error Inliner::bindNames(const Call &call, Renaming &names, NodeList &out) {
  const FunctionProto &function = call.function;
  const NodeProto &node = call.node;
  std::string where = describe(node);
  if (node.input_size() > function.input_size() ||
      node.output_size() > function.output_size())
    return createStringError(where + " has " + Twine(node.input_size()) +
                             " inputs and " + Twine(node.output_size()) +
                             " outputs, but the function that it calls "
                             "has " +
                             Twine(function.input_size()) + " and " +
                             Twine(function.output_size()));
  for (int i = 0; i < function.input_size(); ++i)
    names.names[function.input(i)] = i < node.input_size() ? node.input(i) : "";
  for (int i = 0; i < function.output_size(); ++i) {
    const std::string &formal = function.output(i);
    std::string actual = i < node.output_size() ? node.output(i) : "";
    auto [it, isNew] = names.names.try_emplace(formal, actual);
    if (isNew) {
      // The body may use a value that the caller does not want.
      if (actual.empty())
        it->second = fresh(call.prefix, formal);
      continue;
    }
    // An input that is handed through: nothing in the body defines the output.
    if (actual.empty())
      continue;
    if (it->second.empty())
      return createStringError(where + ": its output " + quoted(actual) +
                               " is an input of the function that the call "
                               "omits");
    NodeProto &identity = *out.Add();
    identity.set_name(fresh(call.prefix, formal));
    identity.set_op_type("Identity");
    identity.add_input(it->second);
    identity.add_output(actual);
  }
  for (const NodeProto &inner : function.node())
    for (const std::string &output : inner.output())
      if (!output.empty() && !names.names.contains(output))
        names.names[output] = fresh(call.prefix, output);
      else if (llvm::is_contained(function.input(), output))
        return createStringError("function " + quoted(function.name()) +
                                 ": the name " + quoted(output) +
                                 " is defined twice");
  return Error::success();
}

Error Inliner::rewriteAttributes(const Call &call, NodeProto &node) {
  auto *attributes = node.mutable_attribute();
  for (int i = attributes->size() - 1; i >= 0; --i) {
    AttributeProto &attribute = *attributes->Mutable(i);
    StringRef wanted = attribute.ref_attr_name();
    if (wanted.empty())
      continue;
    auto named = [&](const AttributeProto &other) {
      return other.name() == wanted;
    };
    const AttributeProto *actual = nullptr;
    if (auto it = llvm::find_if(call.node.attribute(), named);
        it != call.node.attribute().end())
      actual = &*it;
    else if (auto it = llvm::find_if(call.function.attribute_proto(), named);
             it != call.function.attribute_proto().end())
      actual = &*it;
    else if (!llvm::is_contained(call.function.attribute(), wanted))
      return createStringError("function " + quoted(call.function.name()) +
                               ": " + describe(node) + " refers to attribute " +
                               quoted(wanted) +
                               ", which the function does not declare");
    if (!actual) {
      attributes->DeleteSubrange(i, 1);
      continue;
    }
    if (attribute.type() != AttributeProto::UNDEFINED &&
        attribute.type() != actual->type())
      return createStringError(
          describe(call.node) + ": attribute " + quoted(wanted) + " has type " +
          AttributeProto::AttributeType_Name(actual->type()) +
          ", the function needs " +
          AttributeProto::AttributeType_Name(attribute.type()));
    std::string name = attribute.name();
    if (Error error = charge(*actual))
      return error;
    attribute = *actual;
    attribute.set_name(name);
  }
  return Error::success();
}

Error Inliner::rewriteNode(const Call &call, const Renaming &names,
                           NodeProto &node) {
  for (std::string &input : *node.mutable_input()) {
    if (input.empty())
      continue;
    const std::string *actual = names.find(input);
    if (!actual)
      return createStringError(
          "function " + quoted(call.function.name()) + ": " + describe(node) +
          " uses " + quoted(input) +
          ", which is neither an input nor computed in the function");
    input = *actual;
  }
  for (std::string &output : *node.mutable_output())
    if (!output.empty())
      output = *names.find(output);
  if (!node.name().empty())
    node.set_name(fresh(call.prefix, node.name()));
  // Graphs of the body are rewritten, graphs that come with the call's
  // attributes are the caller's and stay: so attributes are put in last.
  for (GraphProto *graph : subgraphs(node))
    if (Error error = rewriteGraph(call, names, *graph))
      return error;
  return rewriteAttributes(call, node);
}

Error Inliner::rewriteGraph(const Call &call, const Renaming &outer,
                            GraphProto &graph) {
  Renaming names{&outer, {}};
  auto define = [&](std::string &name) {
    if (name.empty())
      return;
    auto [it, isNew] = names.names.try_emplace(name);
    if (isNew)
      it->second = fresh(call.prefix, name);
    name = it->second;
  };
  // A value that is defined twice keeps being so, for the sorter to refuse.
  for (onnx::ValueInfoProto &input : *graph.mutable_input())
    define(*input.mutable_name());
  for (onnx::TensorProto &tensor : *graph.mutable_initializer())
    define(*tensor.mutable_name());
  for (onnx::SparseTensorProto &sparse : *graph.mutable_sparse_initializer())
    define(*sparse.mutable_values()->mutable_name());
  for (NodeProto &node : *graph.mutable_node())
    for (const std::string &output : node.output())
      if (!output.empty() && !names.names.contains(output))
        names.names[output] = fresh(call.prefix, output);
  for (NodeProto &node : *graph.mutable_node())
    if (Error error = rewriteNode(call, names, node))
      return error;
  for (onnx::ValueInfoProto &output : *graph.mutable_output()) {
    const std::string *actual = names.find(output.name());
    if (!actual || actual->empty())
      return createStringError("function " + quoted(call.function.name()) +
                               ": " + quoted(output.name()) +
                               ", an output of an inner graph, is not defined");
    output.set_name(*actual);
  }
  // These only repeat what can be inferred, under names that are gone.
  graph.clear_value_info();
  graph.clear_quantization_annotation();
  return Error::success();
}

Error Inliner::expandCall(const Call &call, NodeList &out, int graphDepth) {
  Renaming names{nullptr, {}};
  if (Error error = bindNames(call, names, out))
    return error;
  for (const NodeProto &body : call.function.node()) {
    auto copy = std::make_unique<NodeProto>(body);
    if (Error error = rewriteNode(call, names, *copy))
      return error;
    if (Error error = charge(*copy))
      return error;
    if (Error error = expandNode(copy.release(), out, graphDepth))
      return error;
  }
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

/// Takes `node` and puts it, or what it calls, at the end of `out`.
Error Inliner::expandNode(NodeProto *node, NodeList &out, int graphDepth) {
  std::unique_ptr<NodeProto> owned(node);
  if (const FunctionProto *function = functions.callee(*node)) {
    std::string prefix = node->name();
    if (prefix.empty())
      prefix = node->op_type();
    return expandCall({*function, *node, std::move(prefix)}, out, graphDepth);
  }
  for (GraphProto *graph : subgraphs(*node))
    if (Error error = expandGraph(*graph, graphDepth + 1))
      return error;
  out.AddAllocated(owned.release());
  return Error::success();
}

Error Inliner::expandGraph(GraphProto &graph, int graphDepth) {
  if (graphDepth > limits.maxGraphDepth)
    return createStringError("graph " + quoted(graph.name()) +
                             ": after inlining, graphs are nested deeper "
                             "than " +
                             Twine(limits.maxGraphDepth));
  std::vector<NodeProto *> nodes(graph.node_size());
  graph.mutable_node()->ExtractSubrange(0, graph.node_size(), nodes.data());
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (Error error = expandNode(nodes[i], *graph.mutable_node(), graphDepth)) {
      for (NodeProto *rest : llvm::ArrayRef(nodes).drop_front(i + 1))
        delete rest;
      return error;
    }
  }
  return Error::success();
}

Error Inliner::run() {
  if (Error error = functions.build(model, limits))
    return error;
  llvm::cantFail(walkGraphs(model, [&](const GraphProto &graph) -> Error {
    collectNames(graph);
    return Error::success();
  }));
  if (Error error = expandGraph(*model.mutable_graph(), 1))
    return error;
  model.clear_functions();
  return Error::success();
}

Error mezzo::inlineFunctions(onnx::ModelProto &model,
                             const OnnxLimits &limits) {
  if (model.functions_size() == 0)
    return Error::success();
  return Inliner(model, limits).run();
}
