//===- InlineTest.cpp -----------------------------------------------------===//

#include "lib/Onnx/TestModel.h"

#include <cmath>
#include <set>

using namespace mezzo;
using llvm::StringRef;
using onnx::AttributeProto;

namespace {

onnx::FunctionProto &addFunction(onnx::ModelProto &model, const char *name,
                                 Names inputs, Names outputs) {
  onnx::FunctionProto &function = *model.add_functions();
  function.set_name(name);
  function.set_domain("local");
  for (const std::string &input : inputs)
    function.add_input(input);
  for (const std::string &output : outputs)
    function.add_output(output);
  *function.add_opset_import() = model.opset_import(0);
  return function;
}

template <typename Parent>
onnx::NodeProto &addCall(Parent &parent, const char *function, Names inputs,
                         Names outputs) {
  onnx::NodeProto &node = addNode(parent, function, inputs, outputs);
  node.set_domain("local");
  return node;
}

/// The graph in one line: "t=Mul(a,b); y=Relu(t){k=0.5}", or the error.
std::string show(const onnx::GraphProto &graph);
std::string show(const onnx::NodeProto &node) {
  std::string text = llvm::join(node.output(), ",") + "=" + node.op_type() +
                     "(" + llvm::join(node.input(), ",") + ")";
  for (const AttributeProto &attribute : node.attribute())
    text += "{" + attribute.name() + ":" +
            (attribute.has_g()   ? show(attribute.g())
             : attribute.has_i() ? std::to_string(attribute.i())
                                 : attribute.s()) +
            "}";
  return text;
}
std::string show(const onnx::GraphProto &graph) {
  std::vector<std::string> nodes;
  for (const onnx::NodeProto &node : graph.node())
    nodes.push_back(show(node));
  return llvm::join(nodes, "; ");
}
std::string inlined(const onnx::ModelProto &model,
                    const OnnxLimits &limits = {}) {
  auto read = readModel(model, "", limits);
  if (!read)
    return llvm::toString(read.takeError());
  EXPECT_EQ((*read)->proto().functions_size(), 0);
  return show((*read)->graph());
}

TEST(Inline, Example) {
  onnx::ModelProto model = emptyModel();
  onnx::FunctionProto &f = addFunction(model, "f", {"a", "b"}, {"y"});
  f.add_attribute("k");
  addNode(f, "Mul", {"a", "b"}, {"t"});
  AttributeProto &alpha = addAttribute(addNode(f, "LeakyRelu", {"t"}, {"y"}),
                                       "alpha", AttributeProto::INT);
  alpha.set_ref_attr_name("k");
  onnx::NodeProto &call =
      addCall(*model.mutable_graph(), "f", {"x", "x"}, {"z"});
  call.set_name("n");
  addAttribute(call, "k", AttributeProto::INT).set_i(5);
  addCall(*model.mutable_graph(), "f", {"z", "x"}, {"y"});
  EXPECT_EQ(inlined(model), "n/t=Mul(x,x); z=LeakyRelu(n/t){alpha:5}; "
                            "f/t=Mul(z,x); y=LeakyRelu(f/t)");
}

TEST(Inline, Defaults) {
  onnx::ModelProto model = emptyModel();
  onnx::FunctionProto &f = addFunction(model, "f", {"a"}, {"y"});
  AttributeProto &standard = *f.add_attribute_proto();
  standard.set_name("k");
  standard.set_type(AttributeProto::INT);
  standard.set_i(7);
  addAttribute(addNode(f, "Op", {"a"}, {"y"}), "alpha", AttributeProto::INT)
      .set_ref_attr_name("k");
  onnx::NodeProto &call = addCall(*model.mutable_graph(), "f", {"x"}, {"y"});
  EXPECT_EQ(inlined(model), "y=Op(x){alpha:7}");
  AttributeProto &given = addAttribute(call, "k", AttributeProto::INT);
  given.set_i(8);
  EXPECT_EQ(inlined(model), "y=Op(x){alpha:8}");
  given.set_type(AttributeProto::STRING);
  given.clear_i();
  given.set_s("s");
  expectRefusal(inlined(model),
                "attribute 'k' has type STRING, the function needs INT");
}

TEST(Inline, OmittedInputsAndOutputs) {
  onnx::ModelProto model = emptyModel();
  onnx::FunctionProto &f = addFunction(model, "f", {"a", "b", "c"}, {"u", "v"});
  addNode(f, "Clip", {"a", "b", "c"}, {"u"});
  addNode(f, "Relu", {"u"}, {"v"});
  addCall(*model.mutable_graph(), "f", {"x", "", "x"}, {"", "y"});
  EXPECT_EQ(inlined(model), "f/u=Clip(x,,x); y=Relu(f/u)");
  model.mutable_graph()->mutable_node(0)->mutable_input()->RemoveLast();
  EXPECT_EQ(inlined(model), "f/u=Clip(x,,); y=Relu(f/u)");
}

TEST(Inline, InputHandedThrough) {
  onnx::ModelProto model = emptyModel();
  addFunction(model, "f", {"a", "b"}, {"b"});
  addCall(*model.mutable_graph(), "f", {"x", "x"}, {"y"});
  EXPECT_EQ(inlined(model), "y=Identity(x)");
  model.mutable_graph()->mutable_node(0)->set_input(1, "");
  expectRefusal(inlined(model), "that the call omits");
}

TEST(Inline, FunctionsCallFunctions) {
  onnx::ModelProto model = emptyModel();
  onnx::FunctionProto &g = addFunction(model, "g", {"a"}, {"y"});
  addCall(g, "f", {"a"}, {"t"});
  addCall(g, "f", {"t"}, {"y"});
  onnx::FunctionProto &f = addFunction(model, "f", {"a"}, {"y"});
  addNode(f, "Relu", {"a"}, {"t"});
  addNode(f, "Neg", {"t"}, {"y"});
  addCall(*model.mutable_graph(), "g", {"x"}, {"y"});
  EXPECT_EQ(inlined(model),
            "f/t=Relu(x); g/t=Neg(f/t); f/t.1=Relu(g/t); y=Neg(f/t.1)");
}

// Names of the caller, of the body and of graphs in both never meet.
TEST(Inline, NamesStayApart) {
  onnx::ModelProto model = emptyModel();
  onnx::FunctionProto &f = addFunction(model, "f", {"x"}, {"y"});
  addNode(f, "Relu", {"x"}, {"t"});
  onnx::NodeProto &branch = addNode(f, "If", {"t"}, {"y"});
  onnx::GraphProto &body =
      *addAttribute(branch, "then_branch", AttributeProto::GRAPH).mutable_g();
  addNode(body, "Add", {"x", "t"}, {"u"});
  addNode(body, "Neg", {"u"}, {"t"}); // shadows
  body.add_output()->set_name("t");
  onnx::GraphProto &graph = *model.mutable_graph();
  addNode(graph, "Abs", {"x"}, {"t"});
  addCall(graph, "f", {"t"}, {"f/t"});
  addCall(graph, "f", {"f/t"}, {"y"});
  std::string text = inlined(model);
  // Within the branch, t is the branch's own throughout; the add would use
  // itself, which is a cycle and stays one.
  expectRefusal(text, "cycle");
  body.mutable_node(0)->set_input(1, "x");
  EXPECT_EQ(inlined(model),
            "t=Abs(x); f/t.1=Relu(t); "
            "f/t=If(f/t.1){then_branch:f/u=Add(t,t); f/t.2=Neg(f/u)}; "
            "f/t.3=Relu(f/t); "
            "y=If(f/t.3){then_branch:f/u.1=Add(f/t,f/t); f/t.4=Neg(f/u.1)}");
}

TEST(Inline, CallsInSubgraphs) {
  onnx::ModelProto model = emptyModel();
  onnx::FunctionProto &f = addFunction(model, "f", {"a"}, {"y"});
  addNode(f, "Relu", {"a"}, {"y"});
  onnx::NodeProto &branch = addNode(*model.mutable_graph(), "If", {"x"}, {"y"});
  onnx::GraphProto &body =
      *addAttribute(branch, "then_branch", AttributeProto::GRAPH).mutable_g();
  addCall(body, "f", {"x"}, {"t"});
  body.add_output()->set_name("t");
  EXPECT_EQ(inlined(model), "y=If(x){then_branch:t=Relu(x)}");
}

TEST(Inline, Overloads) {
  onnx::ModelProto model = emptyModel();
  addNode(addFunction(model, "f", {"a"}, {"y"}), "Relu", {"a"}, {"y"});
  onnx::FunctionProto &other = addFunction(model, "f", {"a"}, {"y"});
  addNode(other, "Neg", {"a"}, {"y"});
  addCall(*model.mutable_graph(), "f", {"x"}, {"y"});
  expectRefusal(inlined(model),
                "function 'f' of domain 'local' is defined twice");
  other.set_overload("2");
  EXPECT_EQ(inlined(model), "y=Relu(x)");
  model.mutable_graph()->mutable_node(0)->set_overload("2");
  EXPECT_EQ(inlined(model), "y=Neg(x)");
}

TEST(Inline, LargeConstantsStayInTheFile) {
  onnx::ModelProto model = emptyModel();
  onnx::FunctionProto &f = addFunction(model, "f", {"a"}, {"y"});
  std::string content(100000, 'c');
  *addAttribute(addNode(f, "Constant", {}, {"c"}), "value",
                AttributeProto::TENSOR)
       .mutable_t() = rawTensor("c", content);
  addNode(f, "Add", {"a", "c"}, {"y"});
  addCall(*model.mutable_graph(), "f", {"x"}, {"z"});
  addCall(*model.mutable_graph(), "f", {"z"}, {"y"});
  auto read = llvm::cantFail(readModel(model));
  EXPECT_LT(read->proto().ByteSizeLong(), 2000u);
  EXPECT_EQ(read->graph().node_size(), 4);
  for (int node : {0, 2}) {
    auto view =
        llvm::cantFail(read->tensor(read->graph().node(node).attribute(0).t()));
    EXPECT_EQ(llvm::toStringRef(view.bytes), content);
  }
}

TEST(Inline, Opsets) {
  onnx::ModelProto model = emptyModel();
  onnx::FunctionProto &f = addFunction(model, "f", {"a"}, {"y"});
  addNode(f, "Relu", {"a"}, {"y"}).set_domain("com.microsoft");
  onnx::OperatorSetIdProto &import = *f.add_opset_import();
  import.set_domain("com.microsoft");
  import.set_version(1);
  addCall(*model.mutable_graph(), "f", {"x"}, {"y"});
  EXPECT_EQ(llvm::cantFail(readModel(model))->opset("com.microsoft"), 1);
  f.mutable_opset_import(0)->set_version(18);
  expectRefusal(inlined(model), "function 'f' imports opset 18 of domain");
}

TEST(Inline, Refusals) {
  using Change = std::function<void(onnx::ModelProto &, onnx::FunctionProto &)>;
  auto refusal = [](Change change) {
    onnx::ModelProto model = emptyModel();
    onnx::FunctionProto &f = addFunction(model, "f", {"a"}, {"y"});
    addCall(*model.mutable_graph(), "f", {"x"}, {"y"});
    change(model, f);
    return inlined(model);
  };
  expectRefusal(
      refusal([](auto &m, auto &f) { addNode(f, "Add", {"a", "x"}, {"y"}); }),
      "uses 'x', which is neither an input nor computed");
  expectRefusal(
      refusal([](auto &m, auto &f) { addCall(f, "f", {"a"}, {"y"}); }),
      "function 'f' calls itself");
  expectRefusal(
      refusal([](auto &m, auto &f) {
        addNode(f, "Relu", {"a"}, {"y"});
        m.mutable_graph()->mutable_node(0)->add_input("x");
      }),
      "has 2 inputs and 1 outputs, but the function that it calls has 1 and 1");
  expectRefusal(
      refusal([](auto &m, auto &f) { addNode(f, "Relu", {"a"}, {"t"}); }),
      "uses 'y', which nothing defines");
  expectRefusal(refusal([](auto &m, auto &f) {
                  addNode(f, "Relu", {"a"}, {"y"});
                  addNode(f, "Relu", {"a"}, {"y"});
                }),
                "defined twice");
  expectRefusal(refusal([](auto &m, auto &f) {
                  addNode(f, "Relu", {"a"}, {"y"});
                  addNode(f, "Relu", {"y"}, {"a"});
                }),
                "the name 'a' is defined twice");
  expectRefusal(
      refusal([](auto &m, auto &f) {
        addAttribute(addNode(f, "Relu", {"a"}, {"y"}), "k", AttributeProto::INT)
            .set_ref_attr_name("none");
      }),
      "refers to attribute 'none', which the function does not declare");
  expectRefusal(refusal([](auto &m, auto &f) { f.add_input("a"); }),
                "empty or given twice");
}

TEST(Inline, Recursion) {
  // Not called by anybody, and through two others.
  onnx::ModelProto model = reluModel();
  addCall(addFunction(model, "f", {"a"}, {"y"}), "g", {"a"}, {"y"});
  addCall(addFunction(model, "g", {"a"}, {"y"}), "h", {"a"}, {"y"});
  onnx::FunctionProto &h = addFunction(model, "h", {"a"}, {"y"});
  onnx::NodeProto &branch = addNode(h, "If", {"a"}, {"y"});
  addCall(
      *addAttribute(branch, "then_branch", AttributeProto::GRAPH).mutable_g(),
      "f", {"a"}, {"y"});
  expectRefusal(inlined(model), "calls itself");
}

TEST(Inline, Explosion) {
  // f0 has ten nodes, f_i calls f_(i-1) ten times: 10^20 nodes.
  onnx::ModelProto model = emptyModel();
  for (int level = 0; level < 20; ++level) {
    std::string name = "f" + std::to_string(level),
                callee = "f" + std::to_string(level - 1);
    onnx::FunctionProto &f = addFunction(model, name.c_str(), {"v0"}, {"v10"});
    for (int i = 0; i < 10; ++i) {
      Names in = {"v" + std::to_string(i)}, out = {"v" + std::to_string(i + 1)};
      if (level == 0)
        addNode(f, "Relu", in, out);
      else
        addCall(f, callee.c_str(), in, out);
    }
  }
  addCall(*model.mutable_graph(), "f19", {"x"}, {"y"});
  expectRefusal(inlined(model), "nodes, the limit is 250000");
  model.mutable_graph()->mutable_node(0)->set_op_type("f3");
  EXPECT_EQ(llvm::StringRef(inlined(model)).count("Relu"), 10000u);
  OnnxLimits limits;
  limits.maxInlinedBytes = 10000;
  expectRefusal(inlined(model, limits), "more than 10000 bytes of nodes");
}

TEST(Inline, DeepChain) {
  onnx::ModelProto model = emptyModel();
  for (int level = 0; level < 5000; ++level) {
    std::string name = "f" + std::to_string(level),
                callee = "f" + std::to_string(level + 1);
    addCall(addFunction(model, name.c_str(), {"a"}, {"y"}), callee.c_str(),
            {"a"}, {"y"});
  }
  addNode(addFunction(model, "f5000", {"a"}, {"y"}), "Relu", {"a"}, {"y"});
  addCall(*model.mutable_graph(), "f0", {"x"}, {"y"});
  expectRefusal(inlined(model), "nested deeper than 64 calls");
}

// Each function puts its call one graph deeper.
TEST(Inline, DeepGraphs) {
  onnx::ModelProto model = emptyModel();
  for (int level = 0; level < 40; ++level) {
    std::string name = "f" + std::to_string(level),
                callee = "f" + std::to_string(level + 1);
    onnx::FunctionProto &f = addFunction(model, name.c_str(), {"a"}, {"y"});
    onnx::NodeProto &branch = addNode(f, "If", {"a"}, {"y"});
    onnx::GraphProto &body =
        *addAttribute(branch, "then_branch", AttributeProto::GRAPH).mutable_g();
    addCall(body, callee.c_str(), {"a"}, {"t"});
    body.add_output()->set_name("t");
  }
  addNode(addFunction(model, "f40", {"a"}, {"y"}), "Relu", {"a"}, {"y"});
  addCall(*model.mutable_graph(), "f0", {"x"}, {"y"});
  expectRefusal(inlined(model),
                "after inlining, graphs are nested deeper than 24");
}

} // namespace
