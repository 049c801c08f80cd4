//===- RegistryTest.cpp - Targets by name, and the native one -------------===//

#include "targets/Target.h"
#include "targets/X86/X86.h"

#include "gtest/gtest.h"

using namespace mezzo;
using llvm::StringRef;

namespace {

std::string message(llvm::Expected<Target> target) {
  return target ? std::string() : llvm::toString(target.takeError());
}

TEST(Registry, NamesFindTheirTarget) {
  for (const std::string &name : targetNames()) {
    if (name == "native")
      continue; // depends on this CPU
    Target target = llvm::cantFail(lookupTarget(name));
    if (target.writeFolder)
      continue; // is no machine with vectors
    EXPECT_EQ(llvm::cantFail(lookupTarget(target.name)).name, target.name);
    EXPECT_EQ(target.populateTileSpellings == nullptr,
              StringRef(name).ends_with("generic"));
    EXPECT_GT(target.vectorBytes, 0u);
    EXPECT_GT(target.vectorRegisters, 0u);
  }
  Target generic = llvm::cantFail(lookupTarget("generic"));
  EXPECT_EQ(generic.name, "x86-64-v3+generic");
  EXPECT_EQ(generic.cpu, "x86-64-v3");
}

/// Kernels of long vectors run on any machine, by definitions.
TEST(Registry, GenericTargetsRunOnTheOldestMachine) {
  Target oldest = llvm::cantFail(lookupTarget("x86-64-v3"));
  for (StringRef name : {"x86-64-v3+avxvnni", "x86-64-v4+avx512vnni"}) {
    Target target = llvm::cantFail(lookupTarget(name)),
           generic = llvm::cantFail(lookupTarget(name.str() + "+generic"));
    EXPECT_EQ(generic.vectorBytes, target.vectorBytes);
    EXPECT_EQ(generic.cpu, oldest.cpu);
    EXPECT_EQ(generic.features, oldest.features);
    EXPECT_EQ(generic.requiredFeatures, oldest.requiredFeatures);
    EXPECT_EQ(runsHere(generic), runsHere(oldest));
  }
  EXPECT_FALSE(runsHere(llvm::cantFail(lookupTarget("aarch64"))));
}

TEST(Registry, UnknownNamesListTheKnownOnes) {
  std::string known =
      "native, generic, x86-64-v3, x86-64-v3+generic, x86-64-v3+avxvnni, "
      "x86-64-v3+avxvnni+generic, x86-64-v4, x86-64-v4+generic, "
      "x86-64-v4+avx512vnni, x86-64-v4+avx512vnni+generic, aarch64, "
      "aarch64+generic, aarch64+dotprod, aarch64+dotprod+generic, "
      "aarch64+dotprod+i8mm, aarch64+dotprod+i8mm+generic, c, hls";
  EXPECT_EQ(message(lookupTarget("z80")),
            "there is no target 'z80': use one of " + known);
  EXPECT_EQ(message(lookupTarget("")),
            "there is no target '': use one of " + known);
  for (StringRef planned : {"x86-64-v2", "x86-64-v4+amx-int8", "aarch64+sve",
                            "arm64", "ptx-sm_80", "x86-64-v3+generic+generic"})
    EXPECT_EQ(
        message(lookupTarget(planned)),
        ("target '" + planned + "' is not supported yet: use one of " + known)
            .str());
}

TEST(Registry, NativeNeedsEveryFeature) {
  llvm::StringMap<bool> features;
  for (StringRef name :
       {"avx2", "fma", "f16c", "bmi", "bmi2", "lzcnt", "movbe", "avx512f"})
    features[name] = true;
  EXPECT_EQ(llvm::cantFail(x86::bestFor(features)).name, "x86-64-v3");
  features["avxvnni"] = true;
  EXPECT_EQ(llvm::cantFail(x86::bestFor(features)).name, "x86-64-v3+avxvnni");
  for (StringRef name : {"avx512bw", "avx512cd", "avx512dq", "avx512vl"})
    features[name] = true;
  EXPECT_EQ(llvm::cantFail(x86::bestFor(features)).name, "x86-64-v4");
  features["avx512vnni"] = true;
  EXPECT_EQ(llvm::cantFail(x86::bestFor(features)).name,
            "x86-64-v4+avx512vnni");
  features["avx512vl"] = false;
  EXPECT_EQ(llvm::cantFail(x86::bestFor(features)).name, "x86-64-v3+avxvnni");

  features["fma"] = false;
  features.erase("movbe");
  EXPECT_EQ(message(x86::bestFor(features)),
            "this CPU lacks fma, movbe, which every x86 target needs: to "
            "compile for another machine, name it (--target=x86-64-v3)");
}

} // namespace
