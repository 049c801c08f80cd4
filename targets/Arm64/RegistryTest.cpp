//===- RegistryTest.cpp - The ARM targets by name -------------------------===//

#include "targets/Arm64/Arm64.h"
#include "targets/Common/Object.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Target/TargetMachine.h"
#include "gtest/gtest.h"

using namespace mezzo;
using llvm::StringRef;

namespace {

TEST(ArmRegistry, EachTargetAddsToTheOneBefore) {
  std::vector<Target> all = arm64::targets();
  for (size_t i = 0; i < all.size(); ++i) {
    Target found = llvm::cantFail(lookupTarget(all[i].name));
    EXPECT_EQ(found.requiredFeatures, all[i].requiredFeatures);
    if (i) {
      EXPECT_TRUE(StringRef(all[i].name).starts_with(all[i - 1].name));
      EXPECT_TRUE(StringRef(all[i].requiredFeatures)
                      .starts_with(all[i - 1].requiredFeatures));
    }
  }
  EXPECT_EQ(llvm::cantFail(lookupTarget("aarch64+dotprod+i8mm+generic"))
                .populateTileSpellings,
            nullptr);
}

/// LLVM accepts what the targets say, without a warning.
TEST(ArmRegistry, LlvmKnowsTheNames) {
  for (const Target &target : arm64::targets())
    EXPECT_TRUE(bool(createTargetMachine(target))) << target.name;
}

TEST(ArmRegistry, OtherCombinationsAreRefusedWithTheKnownNames) {
  for (StringRef name : {"aarch64+i8mm", "aarch64+sve", "arm64", "aarch64+",
                         "aarch64+i8mm+dotprod"}) {
    llvm::Expected<Target> target = lookupTarget(name);
    ASSERT_FALSE(bool(target)) << name.str();
    std::string message = llvm::toString(target.takeError());
    EXPECT_TRUE(StringRef(message).contains(
        "aarch64, aarch64+generic, aarch64+dotprod, aarch64+dotprod+generic, "
        "aarch64+dotprod+i8mm, aarch64+dotprod+i8mm+generic"))
        << message;
  }
}

/// An instruction that the machine lacks is an error before LLVM aborts.
TEST(ArmRegistry, IntrinsicsNeedTheirFeature) {
  auto emit = [](StringRef name, StringRef intrinsic) {
    std::string text =
        ("declare <4 x i32> @" + intrinsic +
         R"((<4 x i32>, <16 x i8>, <16 x i8>)
      define <4 x i32> @kernel(<4 x i32> %a, <16 x i8> %c, <16 x i8> %x) {
        %r = call <4 x i32> @)" +
         intrinsic + R"((<4 x i32> %a, <16 x i8> %c, <16 x i8> %x)
        ret <4 x i32> %r
      })")
            .str();
    llvm::LLVMContext context;
    llvm::SMDiagnostic diagnostic;
    auto module = llvm::parseAssemblyString(text, diagnostic, context);
    auto object = emitObject(*module, llvm::cantFail(lookupTarget(name)));
    return object ? std::string() : llvm::toString(object.takeError());
  };
  StringRef sdot = "llvm.aarch64.neon.sdot.v4i32.v16i8",
            usdot = "llvm.aarch64.neon.usdot.v4i32.v16i8",
            ummla = "llvm.aarch64.neon.ummla.v4i32.v16i8";
  EXPECT_TRUE(StringRef(emit("aarch64", sdot)).contains("needs dotprod"));
  EXPECT_EQ(emit("aarch64+dotprod", sdot), "");
  EXPECT_TRUE(StringRef(emit("aarch64+dotprod", usdot)).contains("needs i8mm"));
  EXPECT_EQ(emit("aarch64+dotprod+i8mm", usdot), "");
  EXPECT_EQ(emit("aarch64+dotprod+i8mm", ummla), "");
}

} // namespace
