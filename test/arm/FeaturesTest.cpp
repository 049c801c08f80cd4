//===- FeaturesTest.cpp - A CPU that lacks what a model needs -------------===//

#include "targets/Arm64/Emulator.h"
#include "test/exec/Exec.h"
#include "test/exec/RandomProducts.h"

using namespace mezzo;
using namespace mezzo::arm64;
using namespace mezzo::test;
using llvm::StringRef;

namespace {

/// Compiles a small model for `target` into `path`.
void compile(StringRef target, const std::string &path) {
  CompileOptions options;
  options.target = target.str();
  options.prefix = "m";
  CompileSession session(options, [](Severity, const std::string &) {});
  auto module = productModule(session.context(),
                              {{randomMatrix("int4/g32", 8, 32, 1), {}}},
                              ComputeMode::Int, 1);
  EXPECT_TRUE(succeeded(session.adopt(llvm::cantFail(std::move(module)))) &&
              succeeded(session.writeShared(path)));
}

/// How opening a model for `target` on `cpu` ends.
EmulatorResult open(const EmulatorFolder &folder, StringRef target,
                    StringRef cpu) {
  compile(target, folder.file("m.so"));
  folder.write("script", "model " + folder.file("m.so") + " m_api\n");
  return emulate(cpu, RUN_MODEL, {folder.file("script")});
}

/// An error that names the feature, and no signal.
TEST(ArmFeatures, MissingOneIsAnErrorAtOpen) {
  SKIP_WITHOUT_EMULATOR();
  EmulatorFolder folder;
  struct {
    const char *target, *cpu, *missing;
  } cases[] = {{"aarch64+dotprod", "cortex-a72", "dotprod"},
               {"aarch64+dotprod+i8mm", "cortex-a72", "dotprod"},
               {"aarch64+dotprod+i8mm", "neoverse-n1", "i8mm"}};
  for (auto [target, cpu, missing] : cases) {
    EmulatorResult result = open(folder, target, cpu);
    EXPECT_EQ(result.status, 1) << target << " on " << cpu;
    EXPECT_TRUE(StringRef(result.errors)
                    .contains("this CPU lacks '" + std::string(missing) +
                              "', which the model was compiled for"))
        << target << " on " << cpu << ": " << result.errors;
    EXPECT_TRUE(StringRef(result.errors).contains("--target"));
  }
}

/// Newer CPUs run what older ones do.
TEST(ArmFeatures, PresentOnesLetTheModelOpen) {
  SKIP_WITHOUT_EMULATOR();
  EmulatorFolder folder;
  for (auto [target, cpu] : {std::pair("aarch64", "cortex-a72"),
                             {"aarch64", "max"},
                             {"aarch64+dotprod", "neoverse-n1"},
                             {"aarch64+dotprod", "max"},
                             {"aarch64+dotprod+i8mm", "max"}}) {
    EmulatorResult result = open(folder, target, cpu);
    EXPECT_EQ(result.status, 0)
        << target << " on " << cpu << ": " << result.errors;
  }
}

/// The loader only says that there is no such file.
TEST(ArmFeatures, AnotherArchitectureIsNamed) {
  EmulatorFolder folder;
  compile("aarch64", folder.file("m.so"));
  auto model = LoadedModel::open(folder.file("m.so"), 1);
  ASSERT_FALSE(bool(model));
  std::string message = llvm::toString(model.takeError());
  EXPECT_TRUE(StringRef(message).contains(
      "is compiled for aarch64, and this machine is x86_64: use it there, or "
      "compile it again with --target native"))
      << message;
}

} // namespace
