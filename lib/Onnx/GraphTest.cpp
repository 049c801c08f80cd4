//===- GraphTest.cpp - Opsets, names, order -------------------------------===//

#include "lib/Onnx/TestModel.h"

#include <random>

using namespace mezzo;
using llvm::StringRef;
using onnx::AttributeProto;

namespace {

TEST(Opsets, Table) {
  for (int64_t version = 1; version <= 27; ++version) {
    EXPECT_FALSE(llvm::errorToBool(checkOpset("", version)));
    EXPECT_FALSE(llvm::errorToBool(checkOpset("ai.onnx", version)));
  }
  expectRefusal(llvm::toString(checkOpset("ai.onnx", 28)),
                "opset 28 of domain 'ai.onnx' is newer than the newest "
                "supported one, 27");
  expectRefusal(llvm::toString(checkOpset("com.microsoft", 2)),
                "newest supported one, 1");
  expectRefusal(llvm::toString(checkOpset("", 0)), "versions start at 1");
  expectRefusal(llvm::toString(checkOpset("somebody's", -1)),
                "versions start at 1");
  EXPECT_FALSE(llvm::errorToBool(checkOpset("somebody's", 99)));
  EXPECT_EQ(findDomain("ai.onnx"), findDomain(""));
  EXPECT_EQ(findDomain("somebody's"), nullptr);
}

TEST(Opsets, OfAModel) {
  onnx::ModelProto model = reluModel();
  auto *ms = model.add_opset_import();
  ms->set_domain("com.microsoft");
  ms->set_version(1);
  auto read = llvm::cantFail(readModel(model));
  EXPECT_EQ(read->opset(""), 21);
  EXPECT_EQ(read->opset("ai.onnx"), 21);
  EXPECT_EQ(read->opset("com.microsoft"), 1);
  EXPECT_EQ(read->opset("other"), 0);
  EXPECT_EQ(read->irVersion(), 10);

  onnx::ModelProto twice = model;
  *twice.add_opset_import() = model.opset_import(0);
  EXPECT_EQ(messageOf(readModel(twice)), "accepted");
  twice.mutable_opset_import(2)->set_domain("ai.onnx");
  twice.mutable_opset_import(2)->set_version(20);
  expectRefusal(messageOf(readModel(twice)),
                "is imported twice, as opset 21 and 20");

  model.mutable_opset_import(0)->set_version(28);
  expectRefusal(messageOf(readModel(model)), "export the model for opset 27");

  model = reluModel();
  model.set_ir_version(99);
  expectRefusal(messageOf(readModel(model)), "IR version 99");
  model = reluModel();
  model.mutable_graph()->mutable_node(0)->set_domain("com.microsoft");
  expectRefusal(messageOf(readModel(model)),
                "which opset of domain 'com.microsoft'");
  model = reluModel();
  model.clear_opset_import();
  expectRefusal(messageOf(readModel(model)), "which opset of domain 'ai.onnx'");
  model.set_ir_version(2);
  EXPECT_EQ(llvm::cantFail(readModel(model))->opset(""), 1);
}

std::vector<std::string> order(const onnx::ModelProto &model) {
  auto read = readModel(model);
  if (!read)
    return {llvm::toString(read.takeError())};
  std::vector<std::string> names;
  for (const onnx::NodeProto &node : (*read)->graph().node())
    names.push_back(node.output(0));
  return names;
}

TEST(Sort, KeepsWhatIsSorted) {
  onnx::ModelProto model = emptyModel();
  onnx::GraphProto &graph = *model.mutable_graph();
  addNode(graph, "Relu", {"x"}, {"c"});
  addNode(graph, "Relu", {"x"}, {"a"});
  addNode(graph, "Add", {"a", "c"}, {"y"});
  addNode(graph, "Relu", {"x"}, {"b"});
  EXPECT_EQ(order(model), (Names{"c", "a", "y", "b"}));
}

// Random graphs in random order come out sorted, with the same nodes.
TEST(Sort, RandomGraphs) {
  std::mt19937 random(4);
  for (int round = 0; round < 300; ++round) {
    int count = 1 + random() % 30;
    std::vector<onnx::NodeProto> nodes(count);
    for (int i = 0; i < count; ++i) {
      nodes[i].set_op_type("Sum");
      nodes[i].add_output(i == count - 1 ? "y" : "v" + std::to_string(i));
      nodes[i].add_input("x");
      for (unsigned k = random() % 4; k > 0 && i > 0; --k)
        nodes[i].add_input(nodes[random() % i].output(0));
    }
    std::shuffle(nodes.begin(), nodes.end(), random);
    onnx::ModelProto model = emptyModel();
    for (const onnx::NodeProto &node : nodes)
      *model.mutable_graph()->add_node() = node;
    auto read = llvm::cantFail(readModel(model));
    ASSERT_EQ(read->graph().node_size(), count);
    std::set<std::string> defined = {"x"};
    for (const onnx::NodeProto &node : read->graph().node()) {
      for (const std::string &input : node.input())
        ASSERT_TRUE(defined.count(input));
      ASSERT_TRUE(defined.insert(node.output(0)).second);
    }
  }
}

/// An If whose one branch computes "t" from `captured`.
onnx::GraphProto &addIf(onnx::GraphProto &graph, const char *captured,
                        const char *output) {
  onnx::NodeProto &node = addNode(graph, "If", {"x"}, {output});
  onnx::GraphProto &body =
      *addAttribute(node, "then_branch", AttributeProto::GRAPH).mutable_g();
  body.set_name("body");
  addNode(body, "Relu", {captured}, {"t"});
  body.add_output()->set_name("t");
  return body;
}

TEST(Sort, CapturesAreInputs) {
  onnx::ModelProto model = emptyModel();
  onnx::GraphProto &graph = *model.mutable_graph();
  addIf(graph, "late", "y");
  addNode(graph, "Relu", {"x"}, {"late"});
  EXPECT_EQ(order(model), (Names{"late", "y"}));

  // Two levels down, and a shadowed name that is no capture.
  model = emptyModel();
  onnx::GraphProto &outer = addIf(*model.mutable_graph(), "x", "y");
  addIf(outer, "late", "inner");
  addNode(*model.mutable_graph(), "Relu", {"x"}, {"late"});
  addNode(*model.mutable_graph(), "Relu", {"x"}, {"t"});
  EXPECT_EQ(order(model), (Names{"late", "y", "t"}));
}

TEST(Sort, Refusals) {
  auto refusal = [](std::function<void(onnx::GraphProto &)> change) {
    onnx::ModelProto model = reluModel();
    change(*model.mutable_graph());
    return messageOf(readModel(model));
  };
  expectRefusal(refusal([](auto &g) { addNode(g, "Relu", {"x"}, {"y"}); }),
                "the name 'y' is defined twice");
  expectRefusal(refusal([](auto &g) { addNode(g, "Relu", {"x"}, {"x"}); }),
                "the name 'x' is defined twice");
  expectRefusal(refusal([](auto &g) { *g.add_input() = g.input(0); }),
                "the name 'x' is defined twice");
  expectRefusal(refusal([](auto &g) {
                  *g.add_initializer() = rawTensor("w", "a");
                  *g.add_initializer() = rawTensor("w", "a");
                }),
                "the name 'w' is defined twice");
  EXPECT_EQ(
      refusal([](auto &g) { *g.add_initializer() = rawTensor("x", "a"); }),
      "accepted"); // a default
  expectRefusal(refusal([](auto &g) {
                  *g.add_initializer() = rawTensor("x", "a");
                  *g.add_initializer() = rawTensor("x", "a");
                }),
                "the name 'x' is defined twice");
  expectRefusal(
      refusal([](auto &g) { *g.add_initializer() = rawTensor("", "a"); }),
      "has no name");
  expectRefusal(
      refusal([](auto &g) { addNode(g, "Add", {"x", "none"}, {"z"}); }),
      "the node that computes 'z' (Add) uses 'none', which nothing defines");
  EXPECT_EQ(
      refusal([](auto &g) { addNode(g, "Clip", {"x", "", "y"}, {"z", ""}); }),
      "accepted");
  expectRefusal(refusal([](auto &g) { g.add_output()->set_name("none"); }),
                "an output of graph 'g' uses 'none'");
  expectRefusal(refusal([](auto &g) { g.add_output()->set_name("y"); }),
                "'y' of an output is empty or given twice");
  expectRefusal(refusal([](auto &g) { addIf(g, "none", "z"); }), "uses 'none'");
  expectRefusal(
      refusal([](auto &g) { addNode(g, "Add", {"x", "a"}, {"a"}); }),
      "graph 'g' has a cycle through the node that computes 'a' (Add)");
  expectRefusal(
      refusal([](auto &g) {
        addNode(g, "Relu", {"c"}, {"a"}).set_name("A");
        addNode(g, "Relu", {"a"}, {"b"}).set_name("B");
        addNode(g, "Relu", {"b"}, {"c"}).set_name("C");
        addNode(g, "Relu", {"c"}, {"d"}).set_name("D");
      }),
      "has a cycle through node 'A' (Relu), node 'C' (Relu), node 'B' (Relu)");
  expectRefusal(refusal([](auto &g) { addIf(g, "z", "z"); }),
                "has a cycle through");
}

TEST(Check, Attributes) {
  auto refusal = [](std::function<void(AttributeProto &)> change) {
    onnx::ModelProto model = reluModel();
    change(addAttribute(*model.mutable_graph()->mutable_node(0), "a",
                        AttributeProto::INT));
    return messageOf(readModel(model));
  };
  EXPECT_EQ(refusal([](auto &a) { a.set_i(3); }), "accepted");
  EXPECT_EQ(refusal([](auto &a) {}), "accepted"); // zero, left out
  EXPECT_EQ(refusal([](auto &a) { a.set_i(3), a.set_f(0), a.set_s(""); }),
            "accepted");
  expectRefusal(refusal([](auto &a) { a.set_f(3); }),
                "attribute 'a' has type INT, but data in field 'f'");
  expectRefusal(refusal([](auto &a) { a.mutable_g(); }),
                "but data in field 'g'");
  expectRefusal(refusal([](auto &a) { a.set_type(AttributeProto::TENSOR); }),
                "has type TENSOR, but no data");
  expectRefusal(refusal([](auto &a) { a.clear_type(); }), "has no type");
  expectRefusal(refusal([](auto &a) { a.clear_name(); }), "has no name");
  expectRefusal(refusal([](auto &a) { a.set_ref_attr_name("k"); }),
                "the node is in none");
}

TEST(Check, Messages) {
  auto refusal = [](std::function<void(onnx::GraphProto &)> change) {
    onnx::ModelProto model = reluModel();
    change(*model.mutable_graph());
    return messageOf(readModel(model));
  };
  expectRefusal(refusal([](auto &g) { g.mutable_node(0)->clear_op_type(); }),
                "names no operator");
  expectRefusal(refusal([](auto &g) {
                  addAttribute(*g.mutable_node(0), "a", AttributeProto::INT);
                  addAttribute(*g.mutable_node(0), "a", AttributeProto::INT);
                }),
                "attribute 'a' is given twice");
  expectRefusal(refusal([](auto &g) {
                  g.mutable_node(0)->add_output(std::string(5000, 'a'));
                }),
                "has 5000 bytes, the limit is 4096");
  auto setDims = [](onnx::GraphProto &g, std::vector<int64_t> dims) {
    auto &shape = *g.mutable_input(0)
                       ->mutable_type()
                       ->mutable_tensor_type()
                       ->mutable_shape();
    shape.clear_dim();
    for (int64_t dim : dims)
      shape.add_dim()->set_dim_value(dim);
  };
  EXPECT_EQ(refusal([&](auto &g) { setDims(g, {-1, 0, 1 << 20}); }),
            "accepted");
  expectRefusal(refusal([&](auto &g) { setDims(g, {1 << 30, 1 << 30}); }),
                "value 'x': its dims are negative, or");
  expectRefusal(refusal([&](auto &g) { setDims(g, {-2}); }),
                "value 'x': its dims are negative, or");
  expectRefusal(refusal([&](auto &g) {
                  auto &sparse = *g.add_sparse_initializer();
                  *sparse.mutable_values() = rawTensor("v", "");
                  *sparse.mutable_indices() = rawTensor("i", "");
                  sparse.add_dims(int64_t(1) << 40);
                  sparse.add_dims(int64_t(1) << 40);
                }),
                "sparse tensor 'v'");
}

} // namespace
