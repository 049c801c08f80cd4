//===- SpellingTest.cpp - Spellings against definitions, under qemu -------===//
//
// Compiles the same small functions for every ARM target and for its generic
// form, in this process, and runs them on the CPU that the target is meant for.
//
//===----------------------------------------------------------------------===//

#include "targets/Arm64/Emulator.h"
#include "targets/Common/SpellingCases.h"

#include "llvm/ADT/StringMap.h"

using namespace mezzo;
using namespace mezzo::arm64;
using llvm::StringRef;

namespace {

Target target(StringRef name) { return llvm::cantFail(lookupTarget(name)); }

StringRef bytes(const Buffer &buffer) {
  return {reinterpret_cast<const char *>(buffer.data()), buffer.size()};
}

/// Runs all cases in one process on `cpu` and compares.
void check(llvm::ArrayRef<SpellingCase> cases, const Target &target,
           StringRef cpu) {
  EmulatorFolder folder;
  llvm::cantFail(compileSpellings(cases, target, folder.file("spelled.so")));
  std::string script;
  llvm::StringMap<std::string> files; // many cases have one input
  for (const SpellingCase &one : cases) {
    script += one.name + " " + folder.file(one.name) + " " +
              std::to_string(one.expected.size());
    for (const Buffer &input : one.inputs) {
      std::string &file = files[bytes(input)];
      if (file.empty()) {
        std::string name = "in" + std::to_string(files.size());
        folder.write(name, bytes(input));
        file = folder.file(name);
      }
      script += " " + file;
    }
    script += "\n";
  }
  folder.write("script", script);
  EmulatorResult result = emulate(
      cpu, CALL_FUNCTIONS, {folder.file("spelled.so"), folder.file("script")});
  ASSERT_EQ(result.status, 0) << result.errors;
  for (const SpellingCase &one : cases)
    EXPECT_TRUE(folder.read(one.name) == bytes(one.expected))
        << one.name << " for " << target.name;
}

class ArmSpelling : public ::testing::TestWithParam<EmulatedCpu> {};

INSTANTIATE_TEST_SUITE_P(Cpus, ArmSpelling, ::testing::ValuesIn(emulatedCpus),
                         [](const auto &info) {
                           std::string name = info.param.target;
                           std::replace(name.begin(), name.end(), '+', '_');
                           return name;
                         });

TEST_P(ArmSpelling, IsItsDefinitionWithinDeclaredRanges) {
  SKIP_WITHOUT_EMULATOR();
  check(spellingCases(), target(GetParam().target), GetParam().cpu);
}

TEST(ArmDefinitions, AreTheSameOnThisMachine) {
  SKIP_WITHOUT_EMULATOR();
  check(spellingCases(), target("aarch64+generic"), "cortex-a72");
}

/// How often an instruction occurs in what a text becomes.
size_t count(StringRef text, StringRef name, StringRef instruction) {
  return countInstructions(text, target(name), instruction);
}

TEST(ArmInstructions, AreTheOnesMeant) {
  std::string sevenBits = productText("dot", {0, 127, 127}),
              eightBits = productText("dot", {0, 255, 127}),
              allBytes = productText("dot", {-128, 127, 128}),
              pairs = productText("dot_pairs", {0, 15, 127});
  // Base: 16 bytes a register, two registers.
  EXPECT_EQ(count(sevenBits, "aarch64", "smull"), 2u);
  EXPECT_EQ(count(sevenBits, "aarch64", "smull2"), 2u);
  EXPECT_EQ(count(sevenBits, "aarch64", "addp"), 2u);
  EXPECT_EQ(count(sevenBits, "aarch64", "sadalp"), 2u);
  EXPECT_EQ(count(allBytes, "aarch64", "addp"), 0u);
  EXPECT_EQ(count(allBytes, "aarch64", "sadalp"), 4u);
  EXPECT_EQ(count(pairs, "aarch64", "smlal"), 2u);
  EXPECT_EQ(count(pairs, "aarch64", "smlal2"), 2u);
  EXPECT_EQ(count(pairs, "aarch64", "smull"), 0u) << "smlal adds";
  for (StringRef name : {"aarch64+dotprod", "aarch64+dotprod+i8mm"})
    for (StringRef text : {StringRef(sevenBits), StringRef(allBytes)}) {
      EXPECT_EQ(count(text, name, "sdot"), 2u);
      EXPECT_EQ(count(text, name, "smull"), 0u);
    }
  EXPECT_EQ(count(eightBits, "aarch64+dotprod", "sdot"), 0u);
  EXPECT_EQ(count(eightBits, "aarch64+dotprod", "usdot"), 0u);
  EXPECT_EQ(count(eightBits, "aarch64+dotprod+i8mm", "usdot"), 2u);
  EXPECT_EQ(count(lookupText(), "aarch64", "tbl"), 2u);
  // One load for both registers.
  EXPECT_EQ(count(broadcastText(), "aarch64", "ld1r"), 1u);
}

/// Vectors of another length have no spelling, and must compile all the same.
TEST(ArmInstructions, OtherLengthsAreLeftToTheDefinition) {
  StringRef text = R"(
    func.func @short(%acc: memref<4xi32>, %u: memref<16xi8>) {
      %zero = arith.constant 0 : index
      %a = vector.load %acc[%zero] : memref<4xi32>, vector<4xi32>
      %x = vector.load %u[%zero] : memref<16xi8>, vector<16xi8>
      %f = tile.field %x shift = 4 width = 4 to = 0 : vector<16xi8>
      %r = tile.dot %a, %f in [0, 15], %x amax = 128 : vector<16xi8> -> vector<4xi32>
      vector.store %r, %acc[%zero] : memref<4xi32>, vector<4xi32>
      return
    }
  )";
  for (const EmulatedCpu &cpu : emulatedCpus) {
    EXPECT_EQ(count(text, cpu.target, "sdot"), 0u);
    EXPECT_EQ(count(text, cpu.target, "smull"), 0u);
  }
}

} // namespace
