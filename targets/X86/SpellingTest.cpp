//===- SpellingTest.cpp - Spellings against definitions, on this CPU ------===//
//
// Compiles the same small functions twice, for x86-64-v3 and for its generic
// form, loads both, and compares what they compute bit for bit. All operands
// where there are few, random and extreme ones else.
//
//===----------------------------------------------------------------------===//

#include "dialects/Tile/Tile.h"
#include "targets/Common/Link.h"
#include "targets/Common/Object.h"
#include "targets/Target.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

#include <dlfcn.h>
#include <random>

using namespace mezzo;
using llvm::StringRef;

namespace {

/// `text` with its `tile` ops lowered as `target` says, as LLVM IR.
std::unique_ptr<llvm::Module> lower(StringRef text, const Target &target,
                                    llvm::LLVMContext &llvmContext) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  mlir::DialectRegistry registry;
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  context.appendDialectRegistry(registry);
  context.loadDialect<mlir::arith::ArithDialect, mlir::func::FuncDialect,
                      mlir::LLVM::LLVMDialect, mlir::math::MathDialect,
                      mlir::memref::MemRefDialect, mlir::scf::SCFDialect,
                      mlir::vector::VectorDialect, tile::TileDialect>();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module)
    return nullptr;
  if (target.populateTileSpellings) {
    mlir::RewritePatternSet spellings(&context);
    target.populateTileSpellings(spellings);
    if (failed(mlir::applyPatternsGreedily(*module, std::move(spellings))))
      return nullptr;
  }
  mlir::RewritePatternSet definitions(&context);
  tile::populateDefinitionPatterns(definitions);
  if (failed(mlir::applyPatternsGreedily(*module, std::move(definitions))))
    return nullptr;

  mlir::PassManager passes(&context);
  passes.addPass(mlir::createSCFToControlFlowPass());
  passes.addPass(mlir::createConvertVectorToLLVMPass());
  passes.addPass(mlir::createFinalizeMemRefToLLVMConversionPass());
  passes.addPass(mlir::createConvertControlFlowToLLVMPass());
  passes.addPass(mlir::createArithToLLVMConversionPass());
  passes.addPass(mlir::createConvertMathToLLVMPass());
  mlir::ConvertFuncToLLVMPassOptions barePointers;
  barePointers.useBarePtrCallConv = true;
  passes.addPass(mlir::createConvertFuncToLLVMPass(barePointers));
  passes.addPass(mlir::createReconcileUnrealizedCastsPass());
  if (failed(passes.run(*module)))
    return nullptr;
  return mlir::translateModuleToLLVMIR(*module, llvmContext);
}

/// Functions in memory, ready to be called.
class Library {
public:
  Library(StringRef text, StringRef targetName,
          llvm::ArrayRef<std::string> names) {
    Target target = llvm::cantFail(lookupTarget(targetName));
    llvm::LLVMContext context;
    std::unique_ptr<llvm::Module> module = lower(text, target, context);
    if (!module)
      return;
    auto object = llvm::cantFail(emitObject(*module, target));
    llvm::SmallString<128> path;
    if (llvm::sys::fs::createTemporaryFile("mezzo-spelling", "so", path))
      return;
    std::vector<StringRef> exported(names.begin(), names.end());
    llvm::cantFail(linkSharedObject(LinkInput::object(object), path, exported));
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

private:
  void *handle = nullptr;
};

/// Runs only where its code does.
class Spelling : public ::testing::Test {
  void SetUp() override {
    if (llvm::Expected<Target> native = lookupTarget("native"); !native)
      GTEST_SKIP() << llvm::toString(native.takeError());
  }
};

/// All fields of all pairs of bytes: neighbours must not leak into each other.
TEST_F(Spelling, FieldIsItsDefinition) {
  std::string text;
  std::vector<std::string> names;
  for (int width = 1; width <= 8; ++width)
    for (int shift = 0; shift + width <= 8; ++shift)
      for (int to = 0; to + width <= 8; ++to) {
        names.push_back(llvm::formatv("field_{0}_{1}_{2}", shift, width, to));
        text += llvm::formatv(R"(
          func.func @{0}(%in: memref<131072xi8>, %out: memref<131072xi8>) {{
            %zero = arith.constant 0 : index
            %step = arith.constant 32 : index
            %end = arith.constant 131072 : index
            scf.for %i = %zero to %end step %step {{
              %v = vector.load %in[%i] : memref<131072xi8>, vector<32xi8>
              %f = tile.field %v shift = {1} width = {2} to = {3} : vector<32xi8>
              vector.store %f, %out[%i] : memref<131072xi8>, vector<32xi8>
            }
            return
          }
        )",
                              names.back(), shift, width, to);
      }
  Library spelled(text, "x86-64-v3", names);
  Library defined(text, "generic", names);
  ASSERT_TRUE(spelled && defined);

  std::vector<uint8_t> in(131072), out(131072), expected(131072);
  for (unsigned pair = 0; pair < 65536; ++pair) {
    in[2 * pair] = pair;
    in[2 * pair + 1] = pair >> 8;
  }
  for (const std::string &name : names) {
    using Field = void(const uint8_t *, uint8_t *);
    spelled.get<Field>(name)(in.data(), out.data());
    defined.get<Field>(name)(in.data(), expected.data());
    ASSERT_EQ(out, expected) << name;
  }
}

/// Codes in [low, high] by activations of at most amax.
struct Ranges {
  int low, high, amax;
  std::string name(StringRef op) const {
    return llvm::formatv("{0}_{1}_{2}_{3}", op, -low, high, amax);
  }
};

/// One product op, `dot` or `dot_pairs`, on operands in memory.
std::string productText(StringRef op, Ranges r) {
  bool pairs = op == "dot_pairs";
  return llvm::formatv(R"(
    func.func @{0}(%acc: memref<{1}>, %c: memref<32xi8>,
                   %a: memref<32xi8>, %out: memref<{1}>) {{
      %zero = arith.constant 0 : index
      %s = vector.load %acc[%zero] : memref<{1}>, vector<{1}>
      %x = vector.load %c[%zero] : memref<32xi8>, vector<32xi8>
      %y = vector.load %a[%zero] : memref<32xi8>, vector<32xi8>
      %r = tile.{2} %s, %x in [{3}, {4}], %y amax = {5}
         : vector<32xi8> -> vector<{1}>
      vector.store %r, %out[%zero] : memref<{1}>, vector<{1}>
      return
    }
  )",
                       r.name(op), pairs ? "16xi16" : "8xi32", op, r.low,
                       r.high, r.amax);
}

/// Spelling, definition and plain C++ on extreme and random operands.
template <typename Lane>
void compareProduct(StringRef op, llvm::ArrayRef<Ranges> ranges) {
  constexpr int lanes = 32 / sizeof(Lane), perLane = sizeof(Lane);
  std::string text;
  std::vector<std::string> names;
  for (Ranges r : ranges) {
    text += productText(op, r);
    names.push_back(r.name(op));
  }
  Library spelled(text, "x86-64-v3", names);
  Library defined(text, "generic", names);
  ASSERT_TRUE(spelled && defined);

  std::mt19937 random(4);
  for (Ranges r : ranges) {
    std::string name = r.name(op);
    using Product = void(const Lane *, const uint8_t *, const int8_t *, Lane *);
    Product *spelledProduct = spelled.get<Product>(name);
    Product *definedProduct = defined.get<Product>(name);
    int lowest = -r.amax, highest = std::min(r.amax, 127);
    for (int trial = 0; trial < 20000; ++trial) {
      Lane acc[lanes], out[lanes], expected[lanes], exact[lanes];
      uint8_t c[32];
      int8_t a[32];
      // The first 256 trials: all choices of extremes in the four bytes of
      // every lane. The rest: any operand, a third of them extreme.
      for (int i = 0; i < 32; ++i) {
        bool high = trial < 256 ? trial >> (i % 4) & 1 : random() & 1;
        bool far = trial < 256 ? trial >> (4 + i % 4) & 1 : random() & 1;
        bool extreme = trial < 256 || random() % 3 == 0;
        c[i] = extreme ? (high ? r.high : r.low)
                       : r.low + int(random() % (r.high - r.low + 1));
        a[i] = extreme ? (far ? highest : lowest)
                       : lowest + int(random() % (highest - lowest + 1));
      }
      for (int lane = 0; lane < lanes; ++lane) {
        acc[lane] = random();
        uint32_t sum = acc[lane]; // wraps, as lanes do
        for (int i = perLane * lane; i < perLane * (lane + 1); ++i)
          sum += (r.low < 0 ? int(int8_t(c[i])) : int(c[i])) * int(a[i]);
        exact[lane] = Lane(sum);
      }
      spelledProduct(acc, c, a, out);
      definedProduct(acc, c, a, expected);
      for (int lane = 0; lane < lanes; ++lane) {
        ASSERT_EQ(expected[lane], exact[lane]) << name << ", the definition";
        ASSERT_EQ(out[lane], exact[lane]) << name << ", the spelling";
      }
    }
  }
}

TEST_F(Spelling, DotIsItsDefinitionWithinItsRanges) {
  // Both sides of the limit 2 * |c| * amax = 32767, every width, both signs.
  compareProduct<int32_t>("dot",
                          {{0, 255, 128},    {0, 255, 127},    {0, 255, 64},
                           {0, 128, 128},    {0, 127, 128},    {0, 128, 127},
                           {0, 127, 127},    {0, 129, 127},    {0, 63, 128},
                           {0, 31, 128},     {0, 15, 128},     {0, 15, 127},
                           {0, 3, 127},      {0, 1, 127},      {0, 0, 0},
                           {-128, 127, 128}, {-128, 127, 127}, {-8, 7, 127},
                           {-127, 127, 127}, {-1, 1, 128},     {-1, 0, 127}});
}

TEST_F(Spelling, DotPairsIsItsDefinitionWithinItsRanges) {
  compareProduct<int16_t>("dot_pairs", {{0, 127, 128},
                                        {0, 129, 127},
                                        {0, 63, 127},
                                        {0, 15, 127},
                                        {0, 1, 128},
                                        {-128, 127, 127},
                                        {-127, 127, 128},
                                        {-4, 3, 127},
                                        {-1, 1, 127}});
}

/// Why ranges decide: at 255 * -128 the instruction alone saturates.
TEST_F(Spelling, NaiveSaturatingProductsAreWrong) {
  Ranges whole{0, 255, 128};
  std::vector<std::string> names = {"naive", whole.name("dot")};
  Library library(R"(
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
  )" + productText("dot", whole),
                  "x86-64-v3", names);
  ASSERT_TRUE(library);
  std::vector<uint8_t> codes(32, 255);
  std::vector<int8_t> activations(32, -128);
  int32_t naive[8] = {}, exact[8] = {};
  using Dot = void(const int32_t *, const uint8_t *, const int8_t *, int32_t *);
  for (int step = 0; step < 2048; ++step) { // 8192 columns
    library.get<Dot>("naive")(naive, codes.data(), activations.data(), naive);
    library.get<Dot>(names[1])(exact, codes.data(), activations.data(), exact);
  }
  EXPECT_EQ(exact[0], 255 * -128 * 8192);
  EXPECT_EQ(naive[0], 2 * -32768 * 2048);
}

constexpr StringRef broadcastText = R"(
  func.func @broadcast(%in: memref<64xi8>, %i: index, %out: memref<32xi8>) {
    %zero = arith.constant 0 : index
    %r = tile.broadcast_group %in[%i] : memref<64xi8> -> vector<32xi8>
    vector.store %r, %out[%zero] : memref<32xi8>, vector<32xi8>
    return
  }
)";

TEST_F(Spelling, BroadcastGroupAtEveryAddress) {
  std::vector<std::string> names = {"broadcast"};
  Library spelled(broadcastText, "x86-64-v3", names);
  ASSERT_TRUE(spelled);
  uint8_t in[64], out[32];
  for (int i = 0; i < 64; ++i)
    in[i] = 3 * i;
  for (int64_t at = 0; at <= 60; ++at) {
    spelled.get<void(const uint8_t *, int64_t, uint8_t *)>("broadcast")(in, at,
                                                                        out);
    for (int i = 0; i < 32; ++i)
      ASSERT_EQ(out[i], in[at + i % 4]) << at;
  }
}

/// How often an instruction occurs in what `text` becomes.
size_t instructions(StringRef text, StringRef instruction) {
  Target target = llvm::cantFail(lookupTarget("x86-64-v3"));
  llvm::LLVMContext context;
  auto module = lower(text, target, context);
  if (!module)
    return size_t(-1);
  std::string assembly = llvm::cantFail(emitAssembly(*module, target));
  return StringRef(assembly).count("\t" + instruction.str() + "\t");
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
  // A load that is a broadcast; the float one, since nothing but a store
  // follows.
  EXPECT_EQ(instructions(broadcastText, "vbroadcastss"), 1u);
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
