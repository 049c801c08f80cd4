//===- Sort.cpp - Names and order -----------------------------------------===//
//
// ONNX is in static single assignment form by names: a value is defined once in
// its graph, and the nodes are listed so that definitions come before uses.
// Writers get the order wrong often enough that it is repaired here; the rest
// is refused.
//
// A subgraph (the body of an If or Loop) sees the values of the graphs around
// it. What it uses of them it adds to the inputs of the node that it belongs
// to. So for
//
//     y = If(c) { then: t = Add(x, 1) -> t   else: e = Neg(w) -> e }
//
// the node depends on c, x and w, and must come after the nodes that define
// them.
//
//===----------------------------------------------------------------------===//

#include "lib/Onnx/Check.h"
#include "lib/Onnx/Walk.h"
#include "lib/Support/Sanitize.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

#include <functional>
#include <queue>

using namespace mezzo;
using llvm::createStringError;
using llvm::Error;
using llvm::SmallVector;
using llvm::StringRef;

namespace {

/// The names that a graph defines, and those around it.
struct Scope {
  const Scope *outer;
  /// Index of the defining node; -1 for inputs and initializers.
  llvm::StringMap<int> definitions;

  bool sees(StringRef name) const {
    for (const Scope *scope = this; scope; scope = scope->outer)
      if (scope->definitions.contains(name))
        return true;
    return false;
  }
};

/// Names used in a graph and not defined there.
using Captures = llvm::StringSet<>;

class GraphSorter {
public:
  GraphSorter(onnx::GraphProto &graph, const Scope *outer)
      : graph(graph), scope{outer, {}} {}

  /// Sorts the graph and the graphs in it; adds to `captures`.
  Error run(Captures &captures);

private:
  Error define();
  Error resolve(Captures &captures);
  Error use(StringRef name, int user, llvm::function_ref<std::string()> where,
            Captures &captures);
  Error order();
  Error cycle(llvm::ArrayRef<int> waiting) const;

  Error defineOne(StringRef name, int node) {
    if (scope.definitions.try_emplace(name, node).second)
      return Error::success();
    return createStringError("graph " + quoted(graph.name()) + ": the name " +
                             quoted(name) + " is defined twice");
  }

  onnx::GraphProto &graph;
  Scope scope;
  /// For each node, the nodes that it uses values of.
  std::vector<SmallVector<int, 4>> uses;
};

} // namespace

Error GraphSorter::define() {
  llvm::StringSet<> inputs;
  for (const onnx::ValueInfoProto &input : graph.input()) {
    if (input.name().empty())
      return createStringError("graph " + quoted(graph.name()) +
                               ": an input has no name");
    inputs.insert(input.name());
    if (Error error = defineOne(input.name(), -1))
      return error;
  }
  // An initializer may give an input its default value; it cannot be there
  // twice.
  llvm::StringSet<> constants;
  auto defineConstant = [&](const onnx::TensorProto &tensor) -> Error {
    if (tensor.name().empty())
      return createStringError("graph " + quoted(graph.name()) +
                               ": an initializer has no name");
    if (constants.insert(tensor.name()).second &&
        inputs.contains(tensor.name()))
      return Error::success();
    return defineOne(tensor.name(), -1);
  };
  for (const onnx::TensorProto &tensor : graph.initializer())
    if (Error error = defineConstant(tensor))
      return error;
  for (const onnx::SparseTensorProto &sparse : graph.sparse_initializer())
    if (Error error = defineConstant(sparse.values()))
      return error;
  for (int i = 0; i < graph.node_size(); ++i)
    for (const std::string &output : graph.node(i).output())
      if (!output.empty())
        if (Error error = defineOne(output, i))
          return error;
  return Error::success();
}

Error GraphSorter::use(StringRef name, int user,
                       llvm::function_ref<std::string()> where,
                       Captures &captures) {
  auto local = scope.definitions.find(name);
  if (local != scope.definitions.end()) {
    if (user >= 0 && local->second >= 0)
      uses[user].push_back(local->second);
    return Error::success();
  }
  if (!scope.sees(name))
    return createStringError(where() + " uses " + quoted(name) +
                             ", which nothing defines");
  captures.insert(name);
  return Error::success();
}

Error GraphSorter::resolve(Captures &captures) {
  uses.resize(graph.node_size());
  for (int i = 0; i < graph.node_size(); ++i) {
    onnx::NodeProto &node = *graph.mutable_node(i);
    auto where = [&] { return describe(node); };
    for (const std::string &input : node.input())
      if (!input.empty())
        if (Error error = use(input, i, where, captures))
          return error;
    for (onnx::GraphProto *inner : subgraphs(node)) {
      Captures captured;
      if (Error error = GraphSorter(*inner, &scope).run(captured))
        return error;
      for (StringRef name : captured.keys())
        if (Error error = use(name, i, where, captures))
          return error;
    }
  }
  for (const onnx::ValueInfoProto &output : graph.output())
    if (Error error = use(
            output.name(), -1,
            [&] { return "an output of graph " + quoted(graph.name()); },
            captures))
      return error;
  return Error::success();
}

/// Kahn's algorithm, always taking the ready node that was listed first; so a
/// sorted graph keeps its order, and others change as little as possible.
Error GraphSorter::order() {
  int count = graph.node_size();
  std::vector<int> missing(count);
  std::vector<SmallVector<int, 4>> users(count);
  for (int i = 0; i < count; ++i)
    for (int used : uses[i]) {
      ++missing[i];
      users[used].push_back(i);
    }
  std::priority_queue<int, std::vector<int>, std::greater<int>> ready;
  for (int i = 0; i < count; ++i)
    if (missing[i] == 0)
      ready.push(i);
  std::vector<int> order;
  while (!ready.empty()) {
    int node = ready.top();
    ready.pop();
    order.push_back(node);
    for (int user : users[node])
      if (--missing[user] == 0)
        ready.push(user);
  }
  if (int(order.size()) < count)
    return cycle(missing);
  if (llvm::is_sorted(order))
    return Error::success();

  std::vector<onnx::NodeProto *> nodes(count);
  graph.mutable_node()->ExtractSubrange(0, count, nodes.data());
  for (int i : order)
    graph.mutable_node()->AddAllocated(nodes[i]);
  return Error::success();
}

/// Names the nodes of one cycle. `waiting[i]` is positive for the nodes that
/// never became ready; each of them uses another such node, so walking back
/// must meet itself.
Error GraphSorter::cycle(llvm::ArrayRef<int> waiting) const {
  int node = 0;
  while (waiting[node] == 0)
    ++node;
  std::vector<bool> seen(waiting.size());
  auto back = [&](int from) {
    return *llvm::find_if(uses[from], [&](int used) { return waiting[used]; });
  };
  while (!seen[node]) {
    seen[node] = true;
    node = back(node);
  }
  std::string path = describe(graph.node(node));
  int shown = 1;
  for (int at = back(node); at != node && shown < 4; at = back(at), ++shown)
    path += ", " + describe(graph.node(at));
  return createStringError("graph " + quoted(graph.name()) +
                           " has a cycle through " + path);
}

Error GraphSorter::run(Captures &captures) {
  if (Error error = define())
    return error;
  if (Error error = resolve(captures))
    return error;
  return order();
}

Error mezzo::sortGraphs(onnx::ModelProto &model) {
  // Outputs of the main graph are the signature of the compiled model.
  llvm::StringSet<> outputs;
  for (const onnx::ValueInfoProto &output : model.graph().output())
    if (output.name().empty() || !outputs.insert(output.name()).second)
      return createStringError("the name " + quoted(output.name()) +
                               " of an output is empty or given twice");
  Captures none;
  return GraphSorter(*model.mutable_graph(), nullptr).run(none);
}
