//===- WeightsTest.cpp - The weights file: good, missing, and damaged -----===//

#include "runtime/TestModel.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

using namespace mezzo;

namespace {

/// A folder of its own for each test, and a module that wants weights in it.
class Weights : public ::testing::Test {
protected:
  void SetUp() override {
    char pattern[] = "/tmp/mezzo-weights-XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    folder = pattern;
    path = folder + "/model.weights";
    module = mezzo_test_module;
    module.weights = nullptr;
    module.weights_file = path.c_str();
    for (int i = 0; i < 32; ++i)
      module.weights_hash[i] = (uint8_t)(i * 7);
    memcpy(header.magic, MEZZO_WEIGHTS_MAGIC, 8);
    header.version = MEZZO_WEIGHTS_VERSION;
    header.header_bytes = 4096;
    header.payload_bytes = 16;
    memcpy(header.payload_hash, module.weights_hash, 32);
  }

  void TearDown() override {
    unlink(path.c_str());
    rmdir(folder.c_str());
  }

  /// Writes header, padding and payload, cut after `bytes`.
  void write(size_t bytes = SIZE_MAX) {
    std::string text(header.header_bytes ? header.header_bytes : 4096, '\0');
    memcpy(&text[0], &header, sizeof header);
    float payload[4] = {10, 11, 12, 13};
    text.append((const char *)payload, sizeof payload);
    text.resize(std::min(bytes, text.size()));
    FILE *file = fopen(path.c_str(), "wb");
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(fwrite(text.data(), 1, text.size(), file), text.size());
    fclose(file);
  }

  /// Opening fails with these words, and the path, in the message.
  void expectRefused(std::vector<std::string> pieces) {
    OpenModel model(module);
    EXPECT_EQ(model.status, MEZZO_ERROR_WEIGHTS);
    EXPECT_EQ(model.model, nullptr);
    pieces.push_back(path);
    for (const std::string &piece : pieces)
      EXPECT_NE(model.error().find(piece), std::string::npos)
          << "'" << piece << "' is not in '" << model.error() << "'";
  }

  std::string folder, path;
  mezzo_module module;
  mezzo_weights_header header = {};
};

TEST_F(Weights, Good) {
  for (uint32_t headerBytes : {4096, 8192}) {
    header.header_bytes = headerBytes;
    write();
    OpenModel model(module);
    ASSERT_EQ(model.status, MEZZO_OK) << model.error();
    TestTensors tensors(5);
    EXPECT_EQ(tensors.run(model.context(1)), MEZZO_OK);
    EXPECT_EQ(tensors.y.data, tensors.expected(10));
  }
}

TEST_F(Weights, StayMappedWhenTheFileIsReplaced) {
  write();
  OpenModel model(module);
  unlink(path.c_str());
  TestTensors tensors(5);
  EXPECT_EQ(tensors.run(model.context(2)), MEZZO_OK);
  EXPECT_EQ(tensors.y.data, tensors.expected(10));
}

TEST_F(Weights, AtAnotherPath) {
  write();
  module.weights_file = "nowhere.weights";
  mezzo_api api = MEZZO_RT_API(&module);
  mezzo_model *model;
  ASSERT_EQ(mezzo_model_open(&api, path.c_str(), &model), MEZZO_OK)
      << mezzo_last_error(&api);
  EXPECT_EQ(mezzo_model_close(model), MEZZO_OK);
  // Without a path it is looked for beside the object that holds the module;
  // this one lies on the heap, in none, so its name is taken as it is.
  EXPECT_EQ(mezzo_model_open(&api, nullptr, &model), MEZZO_ERROR_WEIGHTS);
  EXPECT_NE(strstr(mezzo_last_error(&api), "'nowhere.weights'"), nullptr)
      << mezzo_last_error(&api);
}

TEST_F(Weights, Missing) { expectRefused({"No such file", "name it"}); }

TEST_F(Weights, NotRegular) {
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  expectRefused({"not a regular file"});
  unlink(path.c_str());
  ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
  expectRefused({"not a regular file"});
  rmdir(path.c_str());
}

TEST_F(Weights, NotWeights) {
  header.magic[7] = '2';
  write();
  expectRefused({"not a weights file", "MEZZOWT1"});
}

TEST_F(Weights, OtherVersion) {
  header.version = 2;
  write();
  expectRefused({"has version 2", "reads version 1"});
}

TEST_F(Weights, OfAnotherModel) {
  header.payload_hash[31] ^= 1;
  write();
  expectRefused({"of another model", "00070e15"});
  header.payload_hash[31] ^= 1;
  header.payload_bytes = 12;
  write();
  expectRefused({"holds 12 bytes", "needs 16 bytes"});
}

TEST_F(Weights, CutAnywhere) {
  for (size_t bytes : {0, 1, 63, 64, 4095, 4096, 4111}) {
    SCOPED_TRACE(bytes);
    write(bytes);
    expectRefused({"cut short", std::to_string(bytes) + " bytes"});
  }
}

TEST_F(Weights, LyingHeader) {
  for (uint32_t bytes : {0u, 64u, 4097u}) {
    header.header_bytes = bytes;
    write();
    expectRefused({"damaged", std::to_string(bytes) + " bytes"});
  }
  header.header_bytes = 4096;
  // Sizes whose sum overflows.
  header.payload_bytes = module.weights_bytes = UINT64_MAX - 100;
  write();
  expectRefused({"cut short"});
}

TEST_F(Weights, EmbeddedOnesTakeNoPath) {
  mezzo_api api = MEZZO_RT_API(&mezzo_test_module);
  mezzo_model *model;
  EXPECT_EQ(mezzo_model_open(&api, path.c_str(), &model),
            MEZZO_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(strstr(mezzo_last_error(&api), "keeps no weights in a file"),
            nullptr);
}

TEST_F(Weights, None) {
  module.weights_file = nullptr;
  module.weights_bytes = 0;
  OpenModel model(module);
  EXPECT_EQ(model.status, MEZZO_OK) << model.error();
}

} // namespace
