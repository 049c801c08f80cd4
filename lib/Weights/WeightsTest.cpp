//===- WeightsTest.cpp ----------------------------------------------------===//

#include "lib/Weights/EmbeddedObject.h"
#include "lib/Weights/WeightFile.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "gtest/gtest.h"

#include <random>

using namespace mezzo;
using llvm::ArrayRef;

namespace {

/// A folder of its own for every test.
class WeightsTest : public ::testing::Test {
protected:
  void SetUp() override {
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("mezzo-weights", folder));
  }
  void TearDown() override { llvm::sys::fs::remove_directories(folder); }

  std::string path(llvm::StringRef name) {
    llvm::SmallString<128> full = folder;
    llvm::sys::path::append(full, name);
    return full.str().str();
  }
  std::unique_ptr<llvm::MemoryBuffer> read(llvm::StringRef name) {
    auto buffer = llvm::MemoryBuffer::getFile(path(name), /*IsText=*/false,
                                              /*RequiresNullTerminator=*/false);
    return buffer ? std::move(*buffer) : nullptr;
  }
  size_t filesInFolder() {
    std::error_code code;
    size_t count = 0;
    for (llvm::sys::fs::directory_iterator it(folder, code), end;
         it != end && !code; it.increment(code))
      ++count;
    return count;
  }

  llvm::SmallString<128> folder;
};

/// The text of an error; empty if there is none.
std::string message(llvm::Error error) {
  return llvm::toString(std::move(error));
}
template <typename T>
std::string message(llvm::Expected<T> value) {
  return value ? std::string() : message(value.takeError());
}

ArrayRef<uint8_t> bytesOf(llvm::StringRef text) {
  return {text.bytes_begin(), text.size()};
}

/// Writes random parts with gaps; returns the payload that must come out.
std::vector<uint8_t> writeRandomParts(WeightSink &sink, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<uint8_t> expected;
  for (int part = 0; part < 40; ++part) {
    // Gaps of up to more than a page, empty and long parts, several pieces
    // each.
    expected.resize(expected.size() +
                    (part % 3 ? random() % 64 : random() % 9000));
    for (int piece = 0; piece < 3; ++piece) {
      std::vector<uint8_t> bytes(random() % (part % 7 ? 300 : 70000));
      for (uint8_t &byte : bytes)
        byte = random();
      EXPECT_EQ(message(sink.write(expected.size(), bytes)), "");
      llvm::append_range(expected, bytes);
    }
  }
  EXPECT_EQ(sink.size(), expected.size());
  expected.resize(llvm::alignTo(expected.size() + 1, 64)); // padding at the end
  return expected;
}

TEST_F(WeightsTest, FileHoldsWhatWasWritten) {
  auto file = llvm::cantFail(WeightFile::create(path("model.weights")));
  std::vector<uint8_t> expected = writeRandomParts(*file, 1);
  EXPECT_FALSE(llvm::sys::fs::exists(path("model.weights")))
      << "the file appears before it is complete";
  WeightHash hash = llvm::cantFail(file->finish(expected.size()));
  EXPECT_EQ(hash, llvm::BLAKE3::hash(expected));

  auto buffer = read("model.weights");
  ASSERT_TRUE(buffer);
  ASSERT_EQ(buffer->getBufferSize(), 4096 + expected.size());
  EXPECT_EQ(bytesOf(buffer->getBuffer().drop_front(4096)), ArrayRef(expected));
  WeightFileHeader header;
  memcpy(&header, buffer->getBufferStart(), sizeof(header));
  EXPECT_EQ(llvm::StringRef(header.magic, 8), "MEZZOWT1");
  EXPECT_EQ(header.version, 1u);
  EXPECT_EQ(header.headerBytes, 4096u);
  EXPECT_EQ(header.payloadBytes, expected.size());
  EXPECT_EQ(header.payloadHash, hash);
  EXPECT_EQ(header.reserved, 0u);
  for (size_t i = sizeof(header); i < 4096; ++i)
    ASSERT_EQ(buffer->getBuffer()[i], 0) << i;
  EXPECT_EQ(filesInFolder(), 1u);
}

TEST_F(WeightsTest, HashDependsOnTheBytesNotOnThePieces) {
  std::vector<uint8_t> payload(10000);
  std::mt19937 random(2);
  for (uint8_t &byte : payload)
    byte = random();
  std::fill(payload.begin() + 100, payload.begin() + 8000, 0);

  auto whole = llvm::cantFail(WeightFile::create(path("whole")));
  auto pieces = llvm::cantFail(WeightFile::create(path("pieces")));
  ASSERT_EQ(message(whole->write(0, payload)), "");
  for (uint64_t i = 0; i < 100; ++i)
    ASSERT_EQ(message(pieces->write(i, payload[i])), "");
  ASSERT_EQ(message(pieces->write(8000, ArrayRef(payload).drop_front(8000))),
            "");
  EXPECT_EQ(llvm::cantFail(whole->finish(10000)),
            llvm::cantFail(pieces->finish(10000)));
  EXPECT_EQ(read("whole")->getBuffer(), read("pieces")->getBuffer());
}

TEST_F(WeightsTest, NothingIsLeftOfAnUnfinishedFile) {
  {
    auto file = llvm::cantFail(WeightFile::create(path("model.weights")));
    ASSERT_EQ(message(file->write(64, bytesOf("abc"))), "");
  }
  EXPECT_EQ(filesInFolder(), 0u);
}

TEST_F(WeightsTest, PartsOutOfOrderAndWrongTotalsAreErrors) {
  auto file = llvm::cantFail(WeightFile::create(path("model.weights")));
  ASSERT_EQ(message(file->write(64, bytesOf("abcd"))), "");
  EXPECT_EQ(message(file->write(67, bytesOf("x"))),
            "weights at byte 67 of the payload come after byte 68 was written: "
            "write the parts in the order of their offsets");
  EXPECT_EQ(
      message(file->finish(67)),
      "68 bytes of weights were written, but 67 were announced: the parts "
      "and their offsets disagree");
}

TEST_F(WeightsTest, FolderThatDoesNotExist) {
  EXPECT_NE(message(WeightFile::create(path("no/such/model.weights"))), "");
}

/// Reads the object with LLVM's own reader, for both machines.
TEST_F(WeightsTest, EmbeddedObjectIsAnElfFile) {
  using Machine = EmbeddedObject::Machine;
  for (Machine machine : {Machine::X86_64, Machine::AArch64}) {
    auto object =
        llvm::cantFail(EmbeddedObject::create(path("weights.o"), machine));
    std::vector<uint8_t> expected = writeRandomParts(*object, 3);
    WeightHash hash = llvm::cantFail(object->finish(expected.size()));
    EXPECT_EQ(hash, llvm::BLAKE3::hash(expected));

    auto buffer = read("weights.o");
    ASSERT_TRUE(buffer);
    auto parsed = llvm::cantFail(
        llvm::object::ELF64LEObjectFile::create(buffer->getMemBufferRef()));
    EXPECT_TRUE(parsed.isRelocatableObject());
    EXPECT_EQ(parsed.getArch(), machine == Machine::X86_64
                                    ? llvm::Triple::x86_64
                                    : llvm::Triple::aarch64);
    int symbols = 0;
    for (llvm::object::ELFSymbolRef symbol : parsed.symbols()) {
      ++symbols;
      EXPECT_EQ(llvm::cantFail(symbol.getName()), weightPayloadSymbol);
      EXPECT_EQ(symbol.getBinding(), llvm::ELF::STB_GLOBAL);
      EXPECT_EQ(symbol.getOther(), llvm::ELF::STV_HIDDEN);
      EXPECT_EQ(symbol.getSize(), expected.size());
      auto section = llvm::cantFail(symbol.getSection());
      EXPECT_EQ(section->getAlignment().value(), 4096u);
      EXPECT_EQ(llvm::cantFail(section->getName()),
                machine == Machine::X86_64 ? ".lrodata.mezzo_weights"
                                           : ".rodata.mezzo_weights");
      EXPECT_EQ(bytesOf(llvm::cantFail(section->getContents())),
                ArrayRef(expected));
    }
    EXPECT_EQ(symbols, 1);
  }
}

TEST_F(WeightsTest, EmptyPayload) {
  auto object = llvm::cantFail(EmbeddedObject::create(
      path("weights.o"), EmbeddedObject::Machine::X86_64));
  ASSERT_EQ(message(object->finish(0)), "");
  auto buffer = read("weights.o");
  EXPECT_EQ(message(llvm::object::ELF64LEObjectFile::create(
                buffer->getMemBufferRef())),
            "");
}

} // namespace
