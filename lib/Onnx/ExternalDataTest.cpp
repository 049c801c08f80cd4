//===- ExternalDataTest.cpp - Tensors in other files, and attacks ---------===//

#include "lib/Onnx/TestModel.h"
#include "lib/Support/TestFolder.h"

#include <sys/stat.h>
#include <unistd.h>

using namespace mezzo;
using llvm::StringRef;
using onnx::TensorProto;

namespace {

using Keys = std::vector<std::pair<std::string, std::string>>;

TensorProto externalTensor(const Keys &keys, int64_t elements = 4) {
  TensorProto tensor;
  tensor.set_name("w");
  tensor.set_data_type(TensorProto::UINT8);
  tensor.add_dims(elements);
  tensor.set_data_location(TensorProto::EXTERNAL);
  for (const auto &[key, value] : keys) {
    auto &entry = *tensor.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
  return tensor;
}

onnx::ModelProto withInitializer(const TensorProto &tensor) {
  onnx::ModelProto model = reluModel();
  *model.mutable_graph()->add_initializer() = tensor;
  return model;
}

class ExternalData : public testing::Test {
protected:
  std::string open(const onnx::ModelProto &model,
                   const OnnxLimits &limits = {}) {
    return messageOf(OnnxModel::open(
        folder.write("m/model.onnx", model.SerializeAsString()), limits));
  }
  std::string open(const Keys &keys, int64_t elements = 4) {
    return open(withInitializer(externalTensor(keys, elements)));
  }

  TestFolder folder;
};

TEST_F(ExternalData, IsMapped) {
  folder.write("m/w.bin", "0123456789");
  onnx::ModelProto proto = withInitializer(externalTensor(
      {{"location", "w.bin"}, {"offset", "2"}, {"length", "4"}}));
  *proto.mutable_graph()->add_initializer() =
      externalTensor({{"location", "w.bin"}}, 10);
  proto.mutable_graph()->mutable_initializer(1)->set_name("shared");
  auto model =
      OnnxModel::open(folder.write("m/model.onnx", proto.SerializeAsString()));
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  TensorView w =
      llvm::cantFail((*model)->tensor((*model)->graph().initializer(0)));
  TensorView shared =
      llvm::cantFail((*model)->tensor((*model)->graph().initializer(1)));
  EXPECT_EQ(llvm::toStringRef(w.bytes), "2345");
  EXPECT_EQ(llvm::toStringRef(shared.bytes), "0123456789");
  EXPECT_EQ(w.owner, shared.owner); // one mapping
  EXPECT_EQ(w.bytes.data(), shared.bytes.data() + 2);
  model->reset();
  EXPECT_EQ(llvm::toStringRef(w.bytes), "2345");
  EXPECT_EQ(open({{"location", "w.bin"}, {"checksum", "abc"}}), "accepted");
}

TEST_F(ExternalData, Keys) {
  folder.write("m/w.bin", "0123456789");
  expectRefusal(open(Keys{}), "no location");
  expectRefusal(open({{"offset", "0"}}), "no location");
  expectRefusal(open({{"location", "w.bin"}, {"__class__", "x"}}),
                "unknown external data key '__class__'");
  expectRefusal(open({{"location", "w.bin"}, {"location", "w.bin"}}),
                "given twice");
  for (const char *bad :
       {"-1", "", " 1", "+1", "0x10", "1e3", "9223372036854775808",
        "99999999999999999999999999", "1 "}) {
    expectRefusal(open({{"location", "w.bin"}, {"offset", bad}}),
                  "decimal number");
    expectRefusal(open({{"location", "w.bin"}, {"length", bad}}),
                  "decimal number");
  }
}

TEST_F(ExternalData, Ranges) {
  folder.write("m/w.bin", "0123456789");
  auto at = [&](const char *offset) {
    return open({{"location", "w.bin"}, {"offset", offset}});
  };
  EXPECT_EQ(at("6"), "accepted");
  expectRefusal(at("7"),
                "it needs 4 bytes at offset 7 of 'w.bin', which has 10");
  expectRefusal(at("11"), "at offset 11");
  expectRefusal(at("9223372036854775807"), "at offset 9223372036854775807");
  expectRefusal(open({{"location", "w.bin"}, {"length", "3"}}),
                "declares 4 bytes by its dims and type, but 3");
  expectRefusal(
      open({{"location", "w.bin"}, {"length", "9223372036854775807"}}),
      "as external length");
  expectRefusal(open({{"location", "w.bin"}}, 11), "which has 10");
  expectRefusal(open({{"location", "w.bin"}}, int64_t(1) << 59),
                "which has 10");
  EXPECT_EQ(open({{"location", "w.bin"}}, 0), "accepted");
}

TEST_F(ExternalData, Mixtures) {
  folder.write("m/w.bin", "0123456789");
  TensorProto both = externalTensor({{"location", "w.bin"}});
  both.set_raw_data("abcd");
  expectRefusal(open(withInitializer(both)), "external and also has raw_data");
  TensorProto unmarked = externalTensor({{"location", "w.bin"}});
  unmarked.clear_data_location();
  expectRefusal(open(withInitializer(unmarked)),
                "data_location is not EXTERNAL");
  TensorProto strings = externalTensor({{"location", "w.bin"}});
  strings.set_data_type(TensorProto::STRING);
  expectRefusal(open(withInitializer(strings)), "strings cannot be external");
}

/// The same hostile tensor in every place that can hold one.
std::vector<onnx::ModelProto> everywhere(const TensorProto &tensor) {
  std::vector<onnx::ModelProto> models;
  auto add = [&]() -> onnx::ModelProto & {
    return models.emplace_back(reluModel());
  };
  *add().mutable_graph()->add_initializer() = tensor;
  auto constant = [&](auto &parent) {
    *addAttribute(addNode(parent, "Constant", {}, {"c"}), "value",
                  onnx::AttributeProto::TENSOR)
         .mutable_t() = tensor;
  };
  constant(*add().mutable_graph());
  auto &sparse = *add().mutable_graph()->add_sparse_initializer();
  *sparse.mutable_values() = tensor;
  *sparse.mutable_indices() = rawTensor("i", "");
  auto &indices = *add().mutable_graph()->add_sparse_initializer();
  *indices.mutable_values() = rawTensor("v", "");
  *indices.mutable_indices() = tensor;
  for (const char *type : {"If", "Loop"}) {
    onnx::NodeProto &node = addNode(*add().mutable_graph(), type, {"x"}, {"b"});
    onnx::GraphProto &body =
        *addAttribute(node, "body", onnx::AttributeProto::GRAPH).mutable_g();
    constant(body);
    body.add_output()->set_name("c");
  }
  onnx::NodeProto &list = addNode(*add().mutable_graph(), "Custom", {}, {"l"});
  *addAttribute(list, "t", onnx::AttributeProto::TENSORS).add_tensors() =
      tensor;
  onnx::FunctionProto &function = *add().add_functions();
  function.set_name("f");
  function.set_domain("d");
  constant(function);
  onnx::FunctionProto &withDefault = *add().add_functions();
  withDefault.set_name("f");
  withDefault.set_domain("d");
  onnx::AttributeProto &attribute = *withDefault.add_attribute_proto();
  attribute.set_name("a");
  attribute.set_type(onnx::AttributeProto::TENSOR);
  *attribute.mutable_t() = tensor;
  return models;
}

TEST_F(ExternalData, HostileLocations) {
  folder.write("secret", "secret");
  folder.write("m/sub/w", "inside");
  ::symlink("../secret", (folder / "m/link").c_str());
  ::symlink("..", (folder / "m/parent").c_str());
  ::symlink("/dev/zero", (folder / "m/zero").c_str());
  ::mkfifo((folder / "m/fifo").c_str(), 0600);
  ::link((folder / "secret").c_str(), (folder / "m/hard").c_str());
  std::pair<std::string, const char *> attacks[] = {
      {"../secret", "'..' is not allowed"},
      {"a/../../secret", "'..' is not allowed"},
      {"sub/../../secret", "'..' is not allowed"},
      {folder / "secret", "absolute paths are not allowed"},
      {"/dev/zero", "absolute paths are not allowed"},
      {"/proc/self/environ", "absolute paths are not allowed"},
      {"link", "outside of the model's directory"},
      {"parent/secret", "outside of the model's directory"},
      {"zero", "outside of the model's directory"},
      {"hard", "2 hard links"},
      {"fifo", "it is a FIFO"},
      {"sub", "it is a directory"},
      {"", "the location is empty"},
      {std::string("sub/w\0.bin", 10), "NUL byte"},
      {"nothing", "No such file"}};
  for (auto &[location, why] : attacks) {
    TensorProto tensor = externalTensor({{"location", location}});
    int place = 0;
    for (const onnx::ModelProto &model : everywhere(tensor)) {
      SCOPED_TRACE(location + " in place " + std::to_string(place++));
      expectRefusal(open(model), why);
    }
  }
  OnnxLimits trusting;
  trusting.allowHardLinks = true;
  EXPECT_EQ(
      open(withInitializer(externalTensor({{"location", "hard"}})), trusting),
      "accepted");
}

TEST_F(ExternalData, GoodLocationsEverywhere) {
  folder.write("m/sub/w", "inside");
  int place = 0;
  for (const onnx::ModelProto &model :
       everywhere(externalTensor({{"location", "sub/w"}}))) {
    SCOPED_TRACE(place++);
    EXPECT_TRUE(open(model) == "accepted");
  }
}

TEST_F(ExternalData, ModelsWithoutDirectory) {
  expectRefusal(messageOf(readModel(
                    withInitializer(externalTensor({{"location", "w"}})))),
                "given as bytes");
  folder.write("m/w", "inside");
  EXPECT_EQ(
      messageOf(readModel(withInitializer(externalTensor({{"location", "w"}})),
                          folder / "m")),
      "accepted");
}

// 10^4 tensors that are all the same 1 MB.
TEST_F(ExternalData, SharedTooOften) {
  folder.write("m/w.bin", std::string(1 << 20, 'w'));
  onnx::ModelProto model = reluModel();
  for (int i = 0; i < 10000; ++i) {
    *model.mutable_graph()->add_initializer() =
        externalTensor({{"location", "w.bin"}}, 1 << 20);
    model.mutable_graph()->mutable_initializer(i)->set_name("w" +
                                                            std::to_string(i));
  }
  expectRefusal(open(model), "which they share too often");
}

TEST_F(ExternalData, ModelFiles) {
  auto message = [](std::string path) {
    return messageOf(OnnxModel::open(path));
  };
  expectRefusal(message(folder.path), "it is a directory");
  expectRefusal(message("/dev/zero"), "it is a device");
  ::mkfifo((folder / "fifo").c_str(), 0600);
  expectRefusal(message(folder / "fifo"), "it is a FIFO");
  expectRefusal(message(folder / "none"), "No such file");
  expectRefusal(message(folder.write("empty", "")), "empty");
}

} // namespace
