//===- WireScanTest.cpp ---------------------------------------------------===//

#include "lib/Onnx/WireScan.h"
#include "lib/Onnx/TestModel.h"
#include "lib/Support/TestFolder.h"

#include <chrono>
#include <google/protobuf/util/message_differencer.h>
#include <random>
#include <sys/resource.h>
#include <unistd.h>

using namespace mezzo;
using llvm::StringRef;

namespace {

std::string noise(size_t bytes, unsigned seed) {
  std::mt19937 random(seed);
  std::string result(bytes, 0);
  for (char &c : result)
    c = char(random());
  return result;
}

/// A model that has tensors, large and small, in every place there is.
onnx::ModelProto modelWithTensors(std::vector<std::string> &contents) {
  onnx::ModelProto model = emptyModel();
  auto tensor = [&](const char *name, size_t bytes) {
    contents.push_back(noise(bytes, contents.size()));
    return rawTensor(name, contents.back());
  };
  onnx::GraphProto &graph = *model.mutable_graph();
  *graph.add_initializer() = tensor("small", smallPayload);
  *graph.add_initializer() = tensor("large", smallPayload + 1);
  onnx::NodeProto &constant = addNode(graph, "Constant", {}, {"c"});
  *addAttribute(constant, "value", onnx::AttributeProto::TENSOR).mutable_t() =
      tensor("value", 100000);
  onnx::NodeProto &branch = addNode(graph, "If", {"x"}, {"y"});
  for (const char *name : {"then_branch", "else_branch"}) {
    onnx::GraphProto &body =
        *addAttribute(branch, name, onnx::AttributeProto::GRAPH).mutable_g();
    *body.add_initializer() = tensor(name, 70000);
    body.add_output()->set_name(name);
  }
  return model;
}

std::vector<const onnx::TensorProto *>
tensorsOf(const onnx::GraphProto &graph) {
  std::vector<const onnx::TensorProto *> result;
  for (const onnx::TensorProto &tensor : graph.initializer())
    result.push_back(&tensor);
  for (const onnx::NodeProto &node : graph.node())
    for (const onnx::AttributeProto &attribute : node.attribute()) {
      if (attribute.has_t())
        result.push_back(&attribute.t());
      if (attribute.has_g())
        for (const onnx::TensorProto *tensor : tensorsOf(attribute.g()))
          result.push_back(tensor);
    }
  return result;
}

TEST(WireScan, LargePayloadsStayInTheFile) {
  std::vector<std::string> contents;
  onnx::ModelProto original = modelWithTensors(contents);
  auto model = readModel(original);
  ASSERT_EQ(messageOf(readModel(original)), "accepted");
  EXPECT_LT((*model)->proto().ByteSizeLong(), smallPayload + 2000);
  auto tensors = tensorsOf((*model)->graph());
  ASSERT_EQ(tensors.size(), contents.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    auto view = (*model)->tensor(*tensors[i]);
    ASSERT_EQ(messageOf((*model)->tensor(*tensors[i])), "accepted");
    EXPECT_EQ(llvm::toStringRef(view->bytes), contents[i]);
    EXPECT_EQ(tensors[i]->raw_data().empty(),
              contents[i].size() > smallPayload);
  }
}

// Everything but the payloads is what protobuf alone would have read.
TEST(WireScan, NothingElseChanges) {
  std::vector<std::string> contents;
  onnx::ModelProto original = modelWithTensors(contents);
  original.set_doc_string(std::string(200000, 'd'));
  std::string bytes = original.SerializeAsString();
  onnx::ModelProto thin;
  ASSERT_FALSE(llvm::errorToBool(
      parseThin(llvm::arrayRefFromStringRef(bytes), OnnxLimits(), thin)));
  std::function<void(onnx::GraphProto &)> drop = [&](onnx::GraphProto &graph) {
    auto dropOne = [](onnx::TensorProto &tensor) {
      if (tensor.raw_data().size() > smallPayload)
        tensor.clear_raw_data();
      tensor.GetReflection()->MutableUnknownFields(&tensor)->Clear();
    };
    for (onnx::TensorProto &tensor : *graph.mutable_initializer())
      dropOne(tensor);
    for (onnx::NodeProto &node : *graph.mutable_node())
      for (onnx::AttributeProto &attribute : *node.mutable_attribute()) {
        if (attribute.has_t())
          dropOne(*attribute.mutable_t());
        if (attribute.has_g())
          drop(*attribute.mutable_g());
      }
  };
  drop(*original.mutable_graph());
  drop(*thin.mutable_graph());
  EXPECT_TRUE(
      google::protobuf::util::MessageDifferencer::Equals(original, thin));
}

TEST(WireScan, TypedPayloads) {
  onnx::ModelProto original = reluModel();
  onnx::TensorProto &f = *original.mutable_graph()->add_initializer();
  f.set_name("f");
  f.set_data_type(onnx::TensorProto::FLOAT);
  f.add_dims(20000);
  onnx::TensorProto &d = *original.mutable_graph()->add_initializer();
  d.set_name("d");
  d.set_data_type(onnx::TensorProto::DOUBLE);
  d.add_dims(20000);
  for (int i = 0; i < 20000; ++i) {
    f.add_float_data(i * 0.5f);
    d.add_double_data(i * 0.25);
  }
  auto model = readModel(original);
  ASSERT_EQ(messageOf(readModel(original)), "accepted");
  for (int which : {0, 1}) {
    const onnx::TensorProto &thin = (*model)->graph().initializer(which);
    EXPECT_EQ(thin.float_data_size() + thin.double_data_size(), 0);
    auto values = llvm::cantFail((*model)->tensor(thin)).toFloats();
    ASSERT_TRUE(bool(values));
    for (int i = 0; i < 20000; ++i)
      ASSERT_EQ((*values)[i], i * (which ? 0.25f : 0.5f));
  }
}

// A model that writes payload fields itself must not get to choose an address.
TEST(WireScan, PayloadsCannotBeForged) {
  onnx::ModelProto original = reluModel();
  onnx::TensorProto &tensor = *original.mutable_graph()->add_initializer();
  tensor.set_name("w");
  tensor.set_data_type(onnx::TensorProto::UINT8);
  tensor.add_dims(32);
  std::string forged(17, 0);
  forged[8] = 32;
  forged[16] = 9;
  tensor.GetReflection()->MutableUnknownFields(&tensor)->AddLengthDelimited(
      100000, forged);
  expectRefusal(messageOf(readModel(original)),
                "declares 32 bytes by its dims and type, but 0 are present");
}

TEST(WireScan, DataTwice) {
  onnx::ModelProto original = reluModel();
  std::string big(100000, 'a');
  *original.mutable_graph()->add_initializer() = rawTensor("w", big);
  std::string once = original.SerializeAsString();
  // A message may be written in two parts, which protobuf merges.
  onnx::ModelProto again;
  onnx::AttributeProto &attribute =
      addAttribute(addNode(*again.mutable_graph(), "Constant", {}, {"c"}),
                   "value", onnx::AttributeProto::TENSOR);
  *attribute.mutable_t() = rawTensor("c", big);
  std::string serial = attribute.SerializeAsString();
  onnx::AttributeProto twice;
  ASSERT_TRUE(twice.ParseFromString(serial));
  // Attribute with field t twice, wrapped by hand into node and graph.
  auto wrap = [](int field, const std::string &content) {
    std::string out(1, char(field << 3 | 2));
    for (uint64_t n = content.size();; n >>= 7) {
      out += char((n & 0x7f) | (n > 0x7f ? 0x80 : 0));
      if (n <= 0x7f)
        break;
    }
    return out + content;
  };
  std::string node =
      wrap(2, "c") + wrap(4, "Constant") + wrap(5, serial + serial);
  expectRefusal(messageOf(readBytes(once + wrap(7, wrap(1, node)))),
                "its data is stored twice");
}

TEST(WireScan, EveryTruncationIsAnError) {
  std::vector<std::string> contents;
  std::string bytes = modelWithTensors(contents).SerializeAsString();
  std::mt19937 random(5);
  auto refused = [&](size_t length) {
    std::string message = messageOf(readBytes(bytes.substr(0, length)));
    EXPECT_NE(message, "accepted") << length;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  };
  for (size_t length = 0; length < 200; ++length)
    refused(length);
  for (int i = 0; i < 300; ++i)
    refused(random() % bytes.size());
  std::string small = reluModel().SerializeAsString();
  for (size_t length = 0; length < small.size(); ++length)
    (void)messageOf(readBytes(small.substr(0, length)));
}

TEST(WireScan, DamageNeverCrashes) {
  std::vector<std::string> contents;
  onnx::ModelProto original = reluModel();
  onnx::GraphProto &graph = *original.mutable_graph();
  *graph.add_initializer() = rawTensor("w", "abc");
  addAttribute(*graph.mutable_node(0), "ints", onnx::AttributeProto::INTS)
      .add_ints(300);
  std::string bytes = original.SerializeAsString();
  std::mt19937 random(6);
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = bytes;
    for (unsigned flips = 1 + random() % 3; flips > 0; --flips)
      damaged[random() % damaged.size()] = char(random());
    std::string message = messageOf(readBytes(damaged));
    ASSERT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(WireScan, BrokenWire) {
  expectRefusal(messageOf(readBytes("")), "empty");
  expectRefusal(messageOf(readBytes("hello world, I am no model")), "byte ");
  expectRefusal(messageOf(readBytes("\x0b")), "wire type 3");
  expectRefusal(
      messageOf(readBytes("\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f")),
      "a length of 9223372036854775807 bytes where 0 remain (in "
      "ModelProto.graph)");
  expectRefusal(messageOf(readBytes(std::string("\x00\x00", 2))),
                "not a field");
  expectRefusal(messageOf(readBytes("\x08\x0a")), "no graph");
}

// Refusals must come before the memory is spent.
TEST(WireScan, Limits) {
  auto start = std::chrono::steady_clock::now();
  OnnxLimits limits;
  limits.maxModelBytes = 10;
  expectRefusal(messageOf(readModel(reluModel(), "", limits)),
                "the limit is 10");

  // 10^6 nodes of two bytes each.
  std::string nodes;
  for (int i = 0; i < 1000000; ++i)
    nodes += std::string("\x0a\x00", 2);
  std::string graph("\x3a\x80\x89\x7a", 4);
  expectRefusal(messageOf(readBytes(graph + nodes)), "more than 250000 nodes");

  // 10^7 empty strings, and as many unknown fields.
  std::string doubled;
  for (int i = 0; i < 10000000; ++i)
    doubled += std::string("\xf0\x01", 2);
  expectRefusal(messageOf(readBytes(doubled)), "more than 4000000 messages");

  // Graphs nested 10^5 deep, written from the inside out and so backwards:
  // attribute.g, node.attribute, graph.node, ..., model.graph.
  std::string nested;
  auto wrap = [&](int field) {
    std::string length;
    for (uint64_t n = nested.size();; n >>= 7) {
      length.push_back(char((n & 0x7f) | (n > 0x7f ? 0x80 : 0)));
      if (n <= 0x7f)
        break;
    }
    nested.append(length.rbegin(), length.rend());
    nested.push_back(char(field << 3 | 2));
  };
  for (int i = 0; i < 100000; ++i)
    for (int field : {6, 5, 1})
      wrap(field);
  wrap(7);
  std::reverse(nested.begin(), nested.end());
  expectRefusal(messageOf(readBytes(nested)),
                "graphs are nested deeper than 24");

  // Types nest without graphs.
  onnx::ModelProto deep = reluModel();
  onnx::TypeProto *type =
      deep.mutable_graph()->add_value_info()->mutable_type();
  for (int i = 0; i < 1000; ++i)
    type = type->mutable_sequence_type()->mutable_elem_type();
  expectRefusal(messageOf(readModel(deep)), "nested deeper than 100");
  auto seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  EXPECT_LT(seconds, 10);
}

// One 1.5 GB tensor (a hole in a sparse file) costs no memory.
TEST(WireScan, MemoryOfALargeModel) {
  TestFolder folder;
  const uint32_t elements = 400000000, payload = elements * 4;
  onnx::ModelProto head = reluModel();
  std::string start = head.SerializeAsString();
  auto varint = [](uint64_t n) {
    std::string out;
    for (; n > 0x7f; n >>= 7)
      out.push_back(char(n | 0x80));
    out.push_back(char(n));
    return out;
  };
  onnx::TensorProto tensor;
  tensor.set_name("w");
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.add_dims(elements);
  std::string fields = tensor.SerializeAsString() + "\x4a" + varint(payload);
  std::string init = "\x2a" + varint(fields.size() + payload) + fields;
  start += "\x3a" + varint(init.size() + payload) + init;
  std::string path = folder.write("m.onnx", start);
  ASSERT_EQ(::truncate(path.c_str(), off_t(start.size()) + payload), 0);

  auto peak = [] {
    struct rusage usage;
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss; // KiB
  };
  long before = peak();
  auto model = OnnxModel::open(path);
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  auto view = (*model)->tensor((*model)->graph().initializer(0));
  ASSERT_TRUE(bool(view));
  EXPECT_EQ(view->bytes.size(), payload);
  EXPECT_LT(peak() - before, 32 * 1024);
}

TEST(WireScan, Sha256) {
  // The hash of the file's bytes, not of a serialization.
  onnx::ModelProto original = reluModel();
  std::string bytes =
      original.SerializeAsString() + std::string("\xf0\x06\x01", 3);
  auto model = readBytes(bytes);
  ASSERT_TRUE(bool(model));
  auto again = readBytes(bytes), other = readModel(original);
  ASSERT_TRUE(bool(again) && bool(other));
  EXPECT_EQ((*model)->sha256().size(), 32u);
  EXPECT_EQ((*model)->sha256(), (*again)->sha256());
  EXPECT_NE((*model)->sha256(), (*other)->sha256());
}

} // namespace
