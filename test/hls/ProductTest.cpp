//===- ProductTest.cpp - products as C and as HLS, equal to Golden --------===//
//
// One folder has a product of every width, so that a compiler runs once for all
// of them. The C version is loaded and called on numbers of this test's own;
// the HLS version is simulated by its own bench, whose vectors are compared
// with those numbers' program too.
//
//===----------------------------------------------------------------------===//

#include "test/exec/Exec.h"
#include "test/exec/RandomProducts.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstdlib>
#include <dlfcn.h>
#include <utility>

using namespace mezzo;
using namespace mezzo::test;

namespace {

/// Every width, ternary, odd; groups that divide nothing, tensors, channels;
/// all offsets and types of scales.
constexpr const char *specs[] = {
    "uint1/g16+zp", "int2/g32",        "uint3/g20:f16+zp", "int4/g32:bf16",
    "uint4/g64+zp", "int5/g13",        "uint6/ch+zp",      "int7/t",
    "uint8/g32+zp", "int8/g128",       "ternary/t",        "odd1/g32",
    "odd3/g16",     "uint4/g32+zp:f16"};
constexpr size_t count = std::size(specs);
constexpr int64_t M = 3, N = 19, K = 100; // N and K are multiples of little

std::vector<Product> products() {
  std::vector<Product> result;
  for (size_t i = 0; i < count; ++i) {
    Product product{randomMatrix(specs[i], N, K, 10 + i), {}};
    if (i % 2)
      product.bias = randomFloats(N, 50 + i);
    result.push_back(std::move(product));
  }
  return result;
}

/// Writes the folder of a target; what compile would print.
std::string writeFolder(const std::string &folder, const char *target,
                        const std::string &knobs) {
  CompileOptions options;
  options.target = target;
  options.knobs = knobs;
  options.prefix = "model";
  CompileSession session(options,
                         [](Severity severity, const std::string &text) {
                           if (severity == Severity::Error)
                             ADD_FAILURE() << text;
                         });
  auto module =
      productModule(session.context(), products(), ComputeMode::Int, M);
  if (!module || mlir::failed(session.adopt(std::move(*module))))
    return "";
  auto summary = session.writeFolder(folder);
  return mlir::failed(summary) ? "" : *summary;
}

std::string read(const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  return buffer ? (*buffer)->getBuffer().str() : "";
}

/// The text of a function of generated code.
std::string functionText(const std::string &code, const std::string &name) {
  size_t begin = code.find(" " + name + "(");
  EXPECT_NE(begin, std::string::npos) << name;
  return code.substr(begin, code.find("\n}\n", begin) - begin);
}

/// Without `*` of comments and of pointers, which have none.
bool multiplies(std::string text) {
  size_t comment;
  while ((comment = text.find("/*")) != std::string::npos)
    text.erase(comment, text.find("*/", comment) + 2 - comment);
  return text.find('*') != std::string::npos;
}

template <size_t... I>
void call(void *kernel, const float *x, std::vector<std::vector<float>> &y,
          std::index_sequence<I...>) {
  auto function = reinterpret_cast<void (*)(
      const float *, decltype((void)I, (float *)0)...)>(kernel);
  function(x, y[I].data()...);
}

class Engines : public testing::TestWithParam<const char *> {};

/// The engines that promise to have no multiplication have none.
void expectMultiplications(const std::string &code, const std::string &knobs) {
  bool isLookUp = knobs.find("look-up") != std::string::npos;
  bool isDot = knobs.find("dot") != std::string::npos;
  size_t engines = 0;
  const std::string suffix = isLookUp ? "_look_up" : "_dot";
  for (size_t at = code.find(suffix + "(const uint"); at != std::string::npos;
       at = code.find(suffix + "(const uint", at + 1), ++engines) {
    size_t begin = code.rfind(' ', at);
    std::string name = code.substr(begin + 1, at + suffix.size() - begin - 1);
    EXPECT_EQ(multiplies(functionText(code, name)), isDot) << name;
  }
  EXPECT_EQ(engines, count);
}

TEST_P(Engines, CEqualsGolden) {
  ScratchFolder scratch;
  std::string folder = scratch.file("c");
  writeFolder(folder, "c", GetParam());
  expectMultiplications(read(folder + "/kernel.c"), GetParam());
  std::string library = folder + "/kernel.so";
  std::string command =
      "gcc -std=c99 -O1 -Wall -Wextra -Werror -pedantic -ffp-contract=off "
      "-fsanitize=undefined -fsanitize-undefined-trap-on-error -shared -fPIC " +
      folder + "/kernel.c -o " + library + " -lm";
  ASSERT_EQ(std::system(command.c_str()), 0);
  void *handle = dlopen(library.c_str(), RTLD_NOW);
  ASSERT_TRUE(handle) << dlerror();
  void *kernel = dlsym(handle, "model_kernel");
  ASSERT_TRUE(kernel);

  std::vector<float> x = randomFloats(M * K, 7);
  x[5] = 0;
  for (int64_t k = 0; k < K; ++k)
    x[K + k] = 0; // a row of zeros has scale 1
  std::vector<std::vector<float>> y(count, std::vector<float>(M * N, -1e30f));
  call(kernel, x.data(), y, std::make_index_sequence<count>());
  std::vector<Product> all = products();
  for (size_t i = 0; i < count; ++i)
    EXPECT_EQ(y[i], expected(all[i], ComputeMode::Int, x, M)) << specs[i];
  dlclose(handle);
}

TEST_P(Engines, SimulationEqualsGolden) {
  const char *types = std::getenv("MEZZO_AP_TYPES");
  if (!types || !*types)
    GTEST_SKIP() << "there is no ap_int.h here: ./dev setup installs it";
  ScratchFolder scratch;
  std::string folder = scratch.file("hls");
  std::string summary = writeFolder(folder, "hls", GetParam());
  EXPECT_EQ(summary.rfind("estimate: ", 0), 0u) << summary;
  expectMultiplications(read(folder + "/kernel.cpp"), GetParam());
  std::string command = "make -s -C " + folder +
                        " check AP_TYPES=" + std::string(types) + " > " +
                        folder + "/log 2>&1";
  ASSERT_EQ(std::system(command.c_str()), 0) << read(folder + "/log");
  std::string log = read(folder + "/log");
  EXPECT_NE(log.find("PASS"), std::string::npos) << log;
}

INSTANTIATE_TEST_SUITE_P(All, Engines,
                         testing::Values("engine=dot,parallel_n=4",
                                         "engine=shift-add,parallel_n=3,"
                                         "parallel_k=5",
                                         "engine=look-up,parallel_n=2"));

} // namespace
