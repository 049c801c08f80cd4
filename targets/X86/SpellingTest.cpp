//===- SpellingTest.cpp - Spellings against definitions, on this CPU ------===//
//
// Compiles the same small functions twice, for every x86 target and for its
// generic form, loads both, and compares what they compute bit for bit. A CPU
// that lacks a target's instructions runs the generic form only; that these
// instructions are chosen is tested everywhere.
//
//===----------------------------------------------------------------------===//

#include "targets/Common/SpellingCases.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "gtest/gtest.h"

#include <dlfcn.h>

using namespace mezzo;
using llvm::StringRef;

namespace {

Target level3() { return llvm::cantFail(lookupTarget("x86-64-v3")); }

/// Functions in memory, ready to be called.
class Library {
public:
  Library(llvm::ArrayRef<SpellingCase> cases, const Target &target) {
    llvm::SmallString<128> path;
    if (llvm::sys::fs::createTemporaryFile("mezzo-spelling", "so", path))
      return;
    llvm::cantFail(compileSpellings(cases, target, path));
    handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    llvm::sys::fs::remove(path);
  }
  ~Library() {
    if (handle)
      dlclose(handle);
  }
  explicit operator bool() const { return handle; }

  template <typename Function>
  Function *get(StringRef name) const {
    return reinterpret_cast<Function *>(dlsym(handle, name.str().c_str()));
  }

  Buffer run(const SpellingCase &one) const {
    Buffer out(one.expected.size(), 0xa5);
    const auto &in = one.inputs;
    if (in.size() == 1)
      get<void(const void *, void *)>(one.name)(in[0].data(), out.data());
    else if (in.size() == 2)
      get<void(const void *, const void *, void *)>(one.name)(
          in[0].data(), in[1].data(), out.data());
    else
      get<void(const void *, const void *, const void *, void *)>(one.name)(
          in[0].data(), in[1].data(), in[2].data(), out.data());
    return out;
  }

private:
  void *handle = nullptr;
};

/// Runs only where any of our code does.
class Spelling : public ::testing::Test {
  void SetUp() override {
    if (llvm::Expected<Target> native = lookupTarget("native"); !native)
      GTEST_SKIP() << llvm::toString(native.takeError());
  }
};

struct TargetVectors {
  const char *target;
  int vectorBytes;
};

class SpellingOf : public Spelling,
                   public ::testing::WithParamInterface<TargetVectors> {};

INSTANTIATE_TEST_SUITE_P(
    Targets, SpellingOf,
    ::testing::Values(TargetVectors{"x86-64-v3", 32},
                      TargetVectors{"x86-64-v3+avxvnni", 32},
                      TargetVectors{"x86-64-v4", 32},
                      TargetVectors{"x86-64-v4", 64},
                      TargetVectors{"x86-64-v4+avx512vnni", 32},
                      TargetVectors{"x86-64-v4+avx512vnni", 64}),
    [](const auto &info) {
      std::string name = info.param.target;
      std::replace_if(
          name.begin(), name.end(), [](char c) { return !llvm::isAlnum(c); },
          '_');
      return name + "_" + std::to_string(info.param.vectorBytes);
    });

TEST_P(SpellingOf, IsItsDefinitionWithinDeclaredRanges) {
  StringRef name = GetParam().target;
  std::vector<SpellingCase> cases = spellingCases(GetParam().vectorBytes);
  Target target = llvm::cantFail(lookupTarget(name));
  Library spelled(cases, target);
  Library defined(cases, llvm::cantFail(lookupTarget(name.str() + "+generic")));
  ASSERT_TRUE(spelled && defined);
  for (const SpellingCase &one : cases) {
    EXPECT_TRUE(defined.run(one) == one.expected)
        << one.name << ", the definition";
    if (runsHere(target))
      EXPECT_TRUE(spelled.run(one) == one.expected)
          << one.name << ", the spelling";
  }
}

/// Why ranges decide: at 255 * -128 the instruction alone saturates.
TEST_F(Spelling, NaiveSaturatingProductsAreWrong) {
  SpellingCase naive{"naive",
                     R"(
    func.func @naive(%acc: memref<8xi32>, %c: memref<32xi8>,
                     %a: memref<32xi8>, %out: memref<8xi32>) {
      %zero = arith.constant 0 : index
      %ones = arith.constant dense<1> : vector<16xi16>
      %s = vector.load %acc[%zero] : memref<8xi32>, vector<8xi32>
      %x = vector.load %c[%zero] : memref<32xi8>, vector<32xi8>
      %y = vector.load %a[%zero] : memref<32xi8>, vector<32xi8>
      %p = llvm.call_intrinsic "llvm.x86.avx2.pmadd.ub.sw"(%x, %y)
         : (vector<32xi8>, vector<32xi8>) -> vector<16xi16>
      %d = llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"(%p, %ones)
         : (vector<16xi16>, vector<16xi16>) -> vector<8xi32>
      %r = arith.addi %s, %d : vector<8xi32>
      vector.store %r, %out[%zero] : memref<8xi32>, vector<8xi32>
      return
    }
  )",
                     {},
                     {}};
  SpellingCase exact{"exact",
                     R"(
    func.func @exact(%acc: memref<8xi32>, %c: memref<32xi8>,
                     %a: memref<32xi8>, %out: memref<8xi32>) {
      %zero = arith.constant 0 : index
      %s = vector.load %acc[%zero] : memref<8xi32>, vector<8xi32>
      %x = vector.load %c[%zero] : memref<32xi8>, vector<32xi8>
      %y = vector.load %a[%zero] : memref<32xi8>, vector<32xi8>
      %r = tile.dot %s, %x in [0, 255], %y amax = 128
         : vector<32xi8> -> vector<8xi32>
      vector.store %r, %out[%zero] : memref<8xi32>, vector<8xi32>
      return
    }
  )",
                     {},
                     {}};
  Library library({naive, exact}, level3());
  ASSERT_TRUE(library);
  std::vector<uint8_t> codes(32, 255);
  std::vector<int8_t> activations(32, -128);
  int32_t wrong[8] = {}, right[8] = {};
  using Dot = void(const int32_t *, const uint8_t *, const int8_t *, int32_t *);
  for (int step = 0; step < 2048; ++step) { // 8192 columns
    library.get<Dot>("naive")(wrong, codes.data(), activations.data(), wrong);
    library.get<Dot>("exact")(right, codes.data(), activations.data(), right);
  }
  EXPECT_EQ(right[0], 255 * -128 * 8192);
  EXPECT_EQ(wrong[0], 2 * -32768 * 2048);
}

size_t instructions(StringRef text, StringRef instruction) {
  return countInstructions(text, level3(), instruction);
}

TEST(SpellingInstructions, AreTheOnesMeant) {
  std::string narrow = productText("dot", {0, 127, 127}),
              wide = productText("dot", {0, 255, 127}),
              pairs = productText("dot_pairs", {-128, 127, 127});
  EXPECT_EQ(instructions(narrow, "vpmaddubsw"), 1u);
  EXPECT_EQ(instructions(narrow, "vpmaddwd"), 1u);
  EXPECT_EQ(instructions(wide, "vpmaddubsw"), 0u);
  EXPECT_EQ(instructions(wide, "vpmaddwd"), 2u);
  EXPECT_EQ(instructions(pairs, "vpsignb"), 1u);
  EXPECT_EQ(instructions(pairs, "vpabsb"), 1u);
  EXPECT_EQ(instructions(pairs, "vpmaddubsw"), 1u);
  EXPECT_EQ(instructions(pairs, "vpaddw"), 1u);
  EXPECT_EQ(instructions(lookupText(), "vpshufb"), 1u);
  EXPECT_EQ(instructions(lookupText(), "vbroadcasti128"), 1u)
      << "a load that fills both halves";
  // A load that is a broadcast; the float one, since nothing but a store
  // follows.
  EXPECT_EQ(instructions(broadcastText(), "vbroadcastss"), 1u);
}

TEST(SpellingInstructions, OfAvx512AreTheSameOnTwiceTheBytes) {
  auto count = [](StringRef text, StringRef instruction) {
    return countInstructions(text, llvm::cantFail(lookupTarget("x86-64-v4")),
                             instruction);
  };
  std::string narrow = productText("dot", {0, 127, 127}, 64),
              pairs = productText("dot_pairs", {-128, 127, 127}, 64);
  EXPECT_EQ(count(narrow, "vpmaddubsw"), 1u);
  EXPECT_EQ(count(narrow, "vpmaddwd"), 1u);
  EXPECT_EQ(count(pairs, "vpsignb"), 0u) << "there is none";
  EXPECT_EQ(count(pairs, "vpmovb2m"), 1u);
  EXPECT_EQ(count(pairs, "vpmaddubsw"), 1u);
  EXPECT_EQ(count(lookupText(64), "vpshufb"), 1u);
}

/// One instruction for all unsigned codes; two for signed ones.
TEST(SpellingInstructions, OfVnniAreDotProducts) {
  for (auto [name, vectorBytes] : {TargetVectors{"x86-64-v3+avxvnni", 32},
                                   TargetVectors{"x86-64-v4+avx512vnni", 32},
                                   TargetVectors{"x86-64-v4+avx512vnni", 64}}) {
    Target target = llvm::cantFail(lookupTarget(name));
    for (auto [ranges, dots] : {std::pair(ProductRanges{0, 255, 128}, 1u),
                                {ProductRanges{0, 15, 127}, 1u},
                                {ProductRanges{-128, 127, 127}, 2u}}) {
      std::string text = productText("dot", ranges, vectorBytes);
      EXPECT_EQ(countInstructions(text, target, "vpdpbusd"), dots) << name;
      EXPECT_EQ(countInstructions(text, target, "vpmaddubsw"), 0u) << name;
      EXPECT_EQ(countInstructions(text, target, "vpdpbusds"), 0u)
          << name << " saturates";
    }
  }
}

/// Vectors of another length have no spelling, and must compile all the same.
TEST(SpellingInstructions, OtherLengthsAreLeftToTheDefinition) {
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
  EXPECT_EQ(instructions(text, "vpmaddubsw"), 0u);
}

} // namespace
