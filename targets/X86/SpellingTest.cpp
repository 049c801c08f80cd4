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
                      mlir::LLVM::LLVMDialect, mlir::memref::MemRefDialect,
                      mlir::scf::SCFDialect, mlir::vector::VectorDialect,
                      tile::TileDialect>();
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

std::string dotText(int umax, int smax) {
  return llvm::formatv(R"(
    func.func @dot_{0}_{1}(%acc: memref<8xi32>, %u: memref<32xi8>,
                           %s: memref<32xi8>, %out: memref<8xi32>) {{
      %zero = arith.constant 0 : index
      %a = vector.load %acc[%zero] : memref<8xi32>, vector<8xi32>
      %x = vector.load %u[%zero] : memref<32xi8>, vector<32xi8>
      %y = vector.load %s[%zero] : memref<32xi8>, vector<32xi8>
      %r = tile.dot %a, %x, %y umax = {0} smax = {1} : vector<32xi8> -> vector<8xi32>
      vector.store %r, %out[%zero] : memref<8xi32>, vector<8xi32>
      return
    }
  )",
                       umax, smax);
}

TEST_F(Spelling, DotIsItsDefinitionWithinItsRanges) {
  // Both sides of the limit 2 * umax * smax = 32767, and every width of codes.
  const std::pair<int, int> ranges[] = {
      {255, 128}, {255, 127}, {255, 65},  {255, 64}, {128, 128}, {127, 128},
      {128, 127}, {127, 127}, {129, 127}, {63, 128}, {31, 128},  {15, 128},
      {15, 127},  {7, 127},   {3, 127},   {1, 127},  {1, 1},     {0, 0}};
  std::string text;
  std::vector<std::string> names;
  for (auto [umax, smax] : ranges) {
    text += dotText(umax, smax);
    names.push_back(llvm::formatv("dot_{0}_{1}", umax, smax));
  }
  Library spelled(text, "x86-64-v3", names);
  Library defined(text, "generic", names);
  ASSERT_TRUE(spelled && defined);

  std::mt19937 random(4);
  for (auto [umax, smax] : ranges) {
    std::string name = llvm::formatv("dot_{0}_{1}", umax, smax);
    using Dot =
        void(const int32_t *, const uint8_t *, const int8_t *, int32_t *);
    Dot *spelledDot = spelled.get<Dot>(name);
    Dot *definedDot = defined.get<Dot>(name);
    int lowest = -smax, highest = std::min(smax, 127);
    for (int trial = 0; trial < 20000; ++trial) {
      int32_t acc[8], out[8], expected[8], exact[8];
      uint8_t u[32];
      int8_t s[32];
      // The first 256 trials: all choices of extremes in the four bytes of
      // every lane. The rest: any operand, a third of them extreme.
      for (int i = 0; i < 32; ++i) {
        bool high = trial < 256 ? trial >> (i % 4) & 1 : random() & 1;
        bool far = trial < 256 ? trial >> (4 + i % 4) & 1 : random() & 1;
        bool extreme = trial < 256 || random() % 3 == 0;
        u[i] = extreme ? (high ? umax : 0) : random() % (umax + 1);
        s[i] = extreme ? (far ? highest : lowest)
                       : lowest + int(random() % (highest - lowest + 1));
      }
      for (int lane = 0; lane < 8; ++lane) {
        acc[lane] = random();
        uint32_t sum = acc[lane]; // wraps, as int32 lanes do
        for (int i = 0; i < 4; ++i)
          sum += int(u[4 * lane + i]) * int(s[4 * lane + i]);
        exact[lane] = sum;
      }
      spelledDot(acc, u, s, out);
      definedDot(acc, u, s, expected);
      for (int lane = 0; lane < 8; ++lane) {
        ASSERT_EQ(expected[lane], exact[lane]) << name << ", the definition";
        ASSERT_EQ(out[lane], exact[lane]) << name << ", the spelling";
      }
    }
  }
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
  EXPECT_EQ(instructions(dotText(127, 127), "vpmaddubsw"), 1u);
  EXPECT_EQ(instructions(dotText(127, 127), "vpmaddwd"), 1u);
  EXPECT_EQ(instructions(dotText(255, 127), "vpmaddubsw"), 0u);
  EXPECT_EQ(instructions(dotText(255, 127), "vpmaddwd"), 2u);
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
      %r = tile.dot %a, %f, %x umax = 15 smax = 128 : vector<16xi8> -> vector<4xi32>
      vector.store %r, %acc[%zero] : memref<4xi32>, vector<4xi32>
      return
    }
  )";
  EXPECT_EQ(instructions(text, "vpmaddubsw"), 0u);
}

} // namespace
