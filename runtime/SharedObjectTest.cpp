//===- SharedObjectTest.cpp - Models as shared objects, several at once ---===//
//
// TEST_MODEL_A is linked with the runtime as a library, TEST_MODEL_B with its
// bitcode, the way the compiler does it.
//
//===----------------------------------------------------------------------===//

#include "runtime/Bitcode.h"
#include "runtime/TestModel.h"

#include <llvm/Bitcode/BitcodeReader.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <sstream>

using namespace mezzo;

namespace {

/// The output of a command.
std::string capture(const std::string &command) {
  std::string output;
  FILE *pipe = popen(command.c_str(), "r");
  char buffer[4096];
  while (size_t bytes = fread(buffer, 1, sizeof buffer, pipe))
    output.append(buffer, bytes);
  EXPECT_EQ(pclose(pipe), 0) << command;
  return output;
}

/// A loaded model with one context.
struct Loaded {
  Loaded(const char *path, const char *symbol) {
    object = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    EXPECT_NE(object, nullptr) << dlerror();
    auto function = (mezzo_api_function)dlsym(object, symbol);
    EXPECT_NE(function, nullptr) << dlerror();
    EXPECT_EQ(function(0), nullptr);
    EXPECT_EQ(function(MEZZO_ABI_VERSION + 1), nullptr);
    api = function(MEZZO_ABI_VERSION);
    EXPECT_EQ(api->size, sizeof(mezzo_api));
    mezzo_context_options options = MEZZO_CONTEXT_OPTIONS_INIT;
    options.threads = 2;
    EXPECT_EQ(mezzo_model_open(api, nullptr, &model), MEZZO_OK);
    EXPECT_EQ(mezzo_context_create(model, &options, &context), MEZZO_OK);
  }
  ~Loaded() {
    EXPECT_EQ(mezzo_context_destroy(context), MEZZO_OK);
    EXPECT_EQ(mezzo_model_close(model), MEZZO_OK);
    dlclose(object);
  }

  void *object;
  const mezzo_api *api;
  mezzo_model *model;
  mezzo_context *context;
};

TEST(SharedObject, TwoModelsAndTheFirstAgain) {
  Loaded a(TEST_MODEL_A, "model_a"), b(TEST_MODEL_B, "model_b");
  EXPECT_STREQ(mezzo_signature_json(a.api), "{\"name\": \"model_a\"}");
  EXPECT_STREQ(mezzo_signature_json(b.api), "{\"name\": \"model_b\"}");
  Loaded again(TEST_MODEL_A, "model_a");
  for (int round = 0; round < 3; ++round)
    for (const auto &[loaded, weight] :
         {std::pair<Loaded &, float>{a, 20}, {b, 30}, {again, 20}}) {
      TestTensors tensors(100);
      EXPECT_EQ(tensors.run(loaded.context), MEZZO_OK)
          << mezzo_last_error(loaded.api);
      EXPECT_EQ(tensors.y.data, tensors.expected(weight));
    }
  // Messages do not mix.
  mezzo_run(a.context, nullptr, 7, nullptr, 0);
  mezzo_run(b.context, nullptr, 8, nullptr, 0);
  EXPECT_EQ(mezzo_last_error(a.api)[0], '7');
  EXPECT_EQ(mezzo_last_error(b.api)[0], '8');
}

TEST(SharedObject, ComesAndGoes) {
  for (int round = 0; round < 20; ++round) {
    Loaded b(TEST_MODEL_B, "model_b");
    TestTensors tensors(100);
    EXPECT_EQ(tensors.run(b.context), MEZZO_OK);
    EXPECT_EQ(tensors.y.data, tensors.expected(30));
  }
}

TEST(SharedObject, ExportsOneSymbol) {
  for (auto [path, symbol] : {std::pair(TEST_MODEL_A, "model_a"),
                              std::pair(TEST_MODEL_B, "model_b")}) {
    std::istringstream lines(
        capture(std::string(TEST_NM) + " -D --defined-only -j " + path));
    std::set<std::string> symbols;
    for (std::string line; std::getline(lines, line);)
      symbols.insert(line);
    EXPECT_EQ(symbols, std::set<std::string>{symbol});
  }
}

//===----------------------------------------------------------------------===//
// The bitcode
//===----------------------------------------------------------------------===//

void checkBitcode(const char *begin, const char *end,
                  llvm::Triple::ArchType arch) {
  llvm::StringRef bytes(begin, end - begin);
  llvm::LLVMContext context;
  auto module =
      llvm::parseBitcodeFile(llvm::MemoryBufferRef(bytes, "runtime"), context);
  ASSERT_TRUE((bool)module) << llvm::toString(module.takeError());
  EXPECT_EQ((*module)->getTargetTriple().getArch(), arch);

  // What emitted code calls is there, and nothing is visible outside.
  for (const char *name :
       {"mezzo_rt_api", "mezzo_rt_parallel_for", "mezzo_rt_alloc",
        "mezzo_rt_fail", "mezzo_rt_cpu_has"}) {
    const llvm::Function *function = (*module)->getFunction(name);
    ASSERT_NE(function, nullptr) << name;
    EXPECT_FALSE(function->isDeclaration()) << name;
  }
  for (const llvm::GlobalValue &value : (*module)->global_values())
    EXPECT_TRUE(value.isDeclaration() || value.hasLocalLinkage() ||
                value.hasHiddenVisibility())
        << value.getName().str();

  // The only thing it leaves to emitted code is the description of the model.
  for (const llvm::Function &function : **module)
    EXPECT_FALSE(function.isDeclaration() &&
                 function.getName().starts_with("mezzo"))
        << function.getName().str();
  // Atomics are instructions, not calls into a compiler's library.
  for (const llvm::Function &function : **module)
    EXPECT_EQ(function.getFnAttribute("target-features")
                  .getValueAsString()
                  .find("+outline-atomics"),
              llvm::StringRef::npos)
        << function.getName().str();
  for (const llvm::GlobalVariable &variable : (*module)->globals()) {
    std::string name = variable.getName().str();
    EXPECT_EQ(variable.isDeclaration(), name == "mezzo_rt_module") << name;
    EXPECT_TRUE(variable.isConstant() || variable.isThreadLocal())
        << name << " is state shared by all contexts";
    EXPECT_EQ(variable.isThreadLocal(), name == "last_error") << name;
  }
}

TEST(Bitcode, HoldsTheRuntimeAndNoState) {
  checkBitcode(mezzo_runtime_bitcode_x86_64, mezzo_runtime_bitcode_x86_64_end,
               llvm::Triple::x86_64);
  checkBitcode(mezzo_runtime_bitcode_aarch64, mezzo_runtime_bitcode_aarch64_end,
               llvm::Triple::aarch64);
}

} // namespace
