//===- ProductTest.cpp - One set of bits on two machines ------------------===//
//
// Every product is compiled for x86-64 and for each ARM target, in this
// process. The former runs here, the others under qemu on the CPU that they are
// meant for, with 1, 2 and 3 threads. All are compared with lib/Golden bit for
// bit (X0), and a hash over all outputs of all products is one on all machines.
//
//===----------------------------------------------------------------------===//

#include "targets/Arm64/Emulator.h"
#include "test/exec/Exec.h"
#include "test/exec/RandomProducts.h"

#include "lib/Golden/Compare.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/SHA256.h"

#include <cstdio>
#include <map>

using namespace mezzo;
using namespace mezzo::arm64;
using namespace mezzo::test;
using llvm::StringRef;

namespace {

StringRef bytes(llvm::ArrayRef<float> values) {
  return {reinterpret_cast<const char *>(values.data()),
          values.size() * sizeof(float)};
}

/// Compiles a module of products for `target` into `path`.
void compile(llvm::ArrayRef<Product> products, ComputeMode mode,
             StringRef target, const std::string &path) {
  CompileOptions options;
  options.target = target.str();
  options.prefix = "m";
  CompileSession session(options,
                         [](Severity severity, const std::string &text) {
                           if (severity == Severity::Error)
                             ADD_FAILURE() << text;
                         });
  auto module = productModule(session.context(), products, mode,
                              mlir::ShapedType::kDynamic);
  ASSERT_TRUE(bool(module)) << llvm::toString(module.takeError());
  ASSERT_TRUE(succeeded(session.adopt(std::move(*module))) &&
              succeeded(session.writeShared(path)));
}

/// Outputs by M, then by product.
using Outputs = std::vector<std::vector<float>>;

class TwoMachines : public ::testing::TestWithParam<ComputeMode> {
protected:
  static void TearDownTestSuite() {
    std::map<std::string, std::string> texts;
    for (auto &[machine, hash] : hashes)
      texts[machine] = llvm::toHex(hash.final(), /*LowerCase=*/true);
    hashes.clear();
    for (const auto &[machine, text] : texts) {
      std::printf("sha256 of all outputs: %s  %s\n", text.c_str(),
                  machine.c_str());
      EXPECT_EQ(text, texts["golden"]) << machine;
    }
  }

  void check(llvm::ArrayRef<Product> products, const std::string &what) {
    SKIP_WITHOUT_EMULATOR();
    Outputs golden = reference(products);
    add("golden", golden);
    compare("x86-64-v3", what, products, golden, runHere(products));
    for (const EmulatedCpu &cpu : emulatedCpus)
      for (auto [index, outputs] :
           llvm::enumerate(runThere(products, cpu, {1, 2, 3})))
        compare(cpu.target, what, products, golden, outputs, index + 1);
  }

  /// Bits of the widest codes that the mode takes.
  static int widest() { return GetParam() == ComputeMode::Lut8 ? 4 : 8; }
  static std::string widestSpec() { return "uint" + std::to_string(widest()); }

  /// The lowering by definitions alone; not part of the hash.
  void checkDefinitions(llvm::ArrayRef<Product> products) {
    SKIP_WITHOUT_EMULATOR();
    EmulatedCpu cpu{"aarch64+generic", "cortex-a72"};
    equal(cpu.target, "definitions", products, reference(products),
          runThere(products, cpu, {2})[0]);
  }

private:
  static const std::vector<int64_t> &ms() {
    static const std::vector<int64_t> values{1, 3, 16, 37};
    return values;
  }
  std::vector<float> input(llvm::ArrayRef<Product> products, int64_t m) {
    return randomFloats(m * products[0].weight.cols, 1000 + m);
  }

  Outputs reference(llvm::ArrayRef<Product> products) {
    Outputs outputs;
    for (int64_t m : ms())
      for (const Product &product : products)
        outputs.push_back(expected(product, GetParam(), input(products, m), m));
    return outputs;
  }

  Outputs runHere(llvm::ArrayRef<Product> products) {
    Outputs outputs;
    compile(products, GetParam(), "x86-64-v3", folder.file("here.so"));
    auto model = LoadedModel::open(folder.file("here.so"), 2);
    if (!model) {
      ADD_FAILURE() << llvm::toString(model.takeError());
      return outputs;
    }
    for (int64_t m : ms()) {
      std::vector<HostTensor> inputs{
          HostTensor::of(input(products, m), {m, products[0].weight.cols})};
      auto results = (*model)->run(inputs);
      if (!results) {
        ADD_FAILURE() << llvm::toString(results.takeError());
        return outputs;
      }
      for (const HostTensor &result : *results)
        outputs.push_back(result.floats().vec());
    }
    return outputs;
  }

  /// The outputs for each number of threads.
  std::vector<Outputs> runThere(llvm::ArrayRef<Product> products,
                                const EmulatedCpu &cpu,
                                llvm::ArrayRef<int> threads) {
    std::string model = folder.file("there.so");
    compile(products, GetParam(), cpu.target, model);
    std::string script = "model " + model + " m_api\n";
    std::vector<std::string> names;
    for (int count : threads) {
      script += "threads " + std::to_string(count) + "\n";
      for (int64_t m : ms()) {
        std::string x = "x" + std::to_string(m);
        folder.write(x, bytes(input(products, m)));
        script += "input " + folder.file(x) + " f32 " + std::to_string(m) +
                  " " + std::to_string(products[0].weight.cols) + "\n";
        for (size_t i = 0; i < products.size(); ++i) {
          names.push_back("y" + std::to_string(names.size()));
          script += "output " + folder.file(names.back()) + "\n";
        }
        script += "run\n";
      }
    }
    folder.write("script", script);
    EmulatorResult result =
        emulate(cpu.cpu, RUN_MODEL, {folder.file("script")});
    EXPECT_EQ(result.status, 0) << result.errors;
    std::vector<Outputs> outputs(threads.size());
    for (auto [index, name] : llvm::enumerate(names)) {
      std::string text = folder.read(name);
      llvm::sys::fs::remove(folder.file(name));
      std::vector<float> y(text.size() / sizeof(float));
      std::memcpy(y.data(), text.data(), y.size() * sizeof(float));
      outputs[index / (ms().size() * products.size())].push_back(std::move(y));
    }
    return outputs;
  }

  void compare(StringRef machine, const std::string &what,
               llvm::ArrayRef<Product> products, const Outputs &golden,
               const Outputs &outputs, int threads = 2) {
    std::string name = machine.str() + ", " + std::to_string(threads) +
                       (threads == 1 ? " thread" : " threads");
    add(name, outputs);
    equal(name, what, products, golden, outputs);
  }

  void equal(const std::string &machine, const std::string &what,
             llvm::ArrayRef<Product> products, const Outputs &golden,
             const Outputs &outputs) {
    ASSERT_EQ(outputs.size(), golden.size());
    for (size_t i = 0; i < golden.size(); ++i) {
      const Product &product = products[i % products.size()];
      golden::Comparison comparison =
          golden::compareX0(outputs[i], golden[i], product.weight.rows);
      EXPECT_TRUE(comparison.ok)
          << machine << ", " << what << ", " << product.weight.spec.str() << " "
          << product.weight.rows << "x" << product.weight.cols
          << ", M = " << ms()[i / products.size()] << ": "
          << comparison.message;
    }
  }

  static void add(const std::string &machine, const Outputs &outputs) {
    for (const std::vector<float> &output : outputs)
      hashes[machine].update(bytes(output));
  }

  EmulatorFolder folder;
  static std::map<std::string, llvm::SHA256> hashes;
};

std::map<std::string, llvm::SHA256> TwoMachines::hashes;

INSTANTIATE_TEST_SUITE_P(Modes, TwoMachines,
                         ::testing::Values(ComputeMode::Float, ComputeMode::Int,
                                           ComputeMode::Lut8),
                         [](const auto &info) {
                           return stringifyComputeMode(info.param).str();
                         });

TEST_P(TwoMachines, EveryWidth) {
  for (int bits = 1; bits <= widest(); ++bits) {
    std::string n = std::to_string(bits);
    check({{randomMatrix("uint" + n + "/g32+zp", 67, 96, bits), {}},
           {randomMatrix("int" + n + "/ch:f16", 40, 96, bits + 10),
            randomFloats(40, 5)}},
          n + " bits");
  }
}

TEST_P(TwoMachines, OtherFormatsAndOffsets) {
  check({{randomMatrix("ternary/g32", 65, 96, 1), {}},
         {randomMatrix("odd1/g32:f16+zp:f16", 33, 96, 2), {}},
         {randomMatrix("uint4/g32:bf16+zp:f32", 67, 96, 3), {}}},
        "ternary, odd and float zero points");
}

TEST_P(TwoMachines, SmallFloatsCodeBooksAndLevels) {
  std::vector<Product> products{
      {randomMatrix("uint4/g32:u6^g64:f16+min:i5^g64:f16", 33, 96, 61), {}},
      {randomMatrix("int3/g32:e4m3^t:f32+min:bf16", 24, 96, 62), {}}};
  if (GetParam() != ComputeMode::Lut8)
    products.push_back({randomMatrix("e2m1/g32:e8m0", 33, 96, 63), {}});
  if (GetParam() == ComputeMode::Float) {
    for (const char *spec :
         {"nf4/g64", "codebook5/ch", "e4m3fn/g32", "float<6,1,31,ieee>/g32"})
      products.push_back({randomMatrix(spec, 24, 96, products.size()), {}});
    products.push_back({randomMatrix("codebook3/g32", 24, 96, 65, true), {}});
  }
  check(products, "small floats, code books and levels");
}

TEST_P(TwoMachines, OddShapes) {
  int seed = 40;
  for (auto [n, k] : {std::pair(1, 1), {5, 7}, {97, 131}, {130, 575}})
    check({{randomMatrix("int4/g32:f16", n, k, ++seed), {}},
           {randomMatrix("int3/g64+zp", n, k, ++seed), {}},
           {randomMatrix(widestSpec() + "/ch+zp", n, k, ++seed), {}}},
          "odd shapes");
}

TEST_P(TwoMachines, DefinitionsAgree) {
  checkDefinitions({{randomMatrix("uint4/g32+zp", 67, 96, 21), {}},
                    {randomMatrix("int3/g64:f16", 67, 96, 22), {}},
                    {randomMatrix(widestSpec() + "/ch", 67, 96, 23), {}}});
}

TEST_P(TwoMachines, LongRowsOfExtremeCodes) {
  Product product{randomMatrix(widestSpec() + "/ch", 24, 4096, 3), {}};
  for (uint8_t &code : product.weight.codes)
    code = (1 << widest()) - 1;
  check({product}, "extreme codes");
}

} // namespace
