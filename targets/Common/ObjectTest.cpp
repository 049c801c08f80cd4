//===- ObjectTest.cpp - Errors before LLVM's aborts, and attributes -------===//

#include "targets/Common/Object.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/SourceMgr.h"
#include "gtest/gtest.h"

using namespace mezzo;
using llvm::StringRef;

namespace {

std::unique_ptr<llvm::Module> parse(StringRef text,
                                    llvm::LLVMContext &context) {
  llvm::SMDiagnostic diagnostic;
  auto module = llvm::parseAssemblyString(text, diagnostic, context);
  EXPECT_TRUE(module) << diagnostic.getMessage().str();
  return module;
}

template <typename T>
std::string message(llvm::Expected<T> value) {
  return value ? std::string() : llvm::toString(value.takeError());
}

Target level3() { return llvm::cantFail(lookupTarget("x86-64-v3")); }

TEST(Object, IsElfWithTheFunction) {
  llvm::LLVMContext context;
  auto module = parse("define i32 @answer() { ret i32 42 }", context);
  auto object = llvm::cantFail(emitObject(*module, level3()));
  auto elf = llvm::cantFail(
      llvm::object::ELF64LEObjectFile::create(llvm::MemoryBufferRef(
          StringRef(object.data(), object.size()), "object")));
  bool found = false;
  for (llvm::object::ELFSymbolRef symbol : elf.symbols())
    if (llvm::cantFail(symbol.getName()) == "answer") {
      found = true;
      auto section = llvm::cantFail(symbol.getSection());
      EXPECT_EQ(llvm::cantFail(section->getName()), ".text.answer");
    }
  EXPECT_TRUE(found);
}

TEST(Object, AssemblyUsesTheTargetsInstructions) {
  llvm::LLVMContext context;
  auto module = parse(R"(
    declare <8 x float> @llvm.fma.v8f32(<8 x float>, <8 x float>, <8 x float>)
    define <8 x float> @f(<8 x float> %a, <8 x float> %b, <8 x float> %c) {
      %r = call <8 x float> @llvm.fma.v8f32(<8 x float> %a, <8 x float> %b, <8 x float> %c)
      ret <8 x float> %r
    })",
                      context);
  std::string text = llvm::cantFail(emitAssembly(*module, level3()));
  EXPECT_TRUE(StringRef(text).contains("vfmadd")) << text;
}

TEST(Object, FunctionsGetAttributesUnlessTheyHaveACpu) {
  llvm::LLVMContext context;
  auto module = parse(R"(
    declare void @elsewhere()
    define void @kernel() { ret void }
    define void @runtime() "target-cpu"="x86-64" { ret void }
  )",
                      context);
  ASSERT_FALSE(bool(prepareModule(*module, level3())));
  const llvm::Function *kernel = module->getFunction("kernel");
  EXPECT_EQ(kernel->getFnAttribute("target-cpu").getValueAsString(),
            "x86-64-v3");
  EXPECT_EQ(kernel->getFnAttribute("target-features").getValueAsString(),
            "+avx2,+fma,+f16c");
  EXPECT_TRUE(kernel->hasFnAttribute("stackrealign"));
  EXPECT_TRUE(kernel->doesNotThrow());
  const llvm::Function *runtime = module->getFunction("runtime");
  EXPECT_EQ(runtime->getFnAttribute("target-cpu").getValueAsString(), "x86-64");
  EXPECT_EQ(runtime->getFnAttribute("target-features").getValueAsString(), "");
  EXPECT_FALSE(module->getFunction("elsewhere")->hasFnAttribute("target-cpu"));
  EXPECT_EQ(module->getTargetTriple().str(), "x86_64-unknown-linux-gnu");
  EXPECT_FALSE(module->getDataLayout().isDefault());
}

/// Pipelines to schedule for, without the features of that CPU.
TEST(Object, FunctionsAreTunedWhereTheTargetSaysForWhat) {
  llvm::LLVMContext context;
  auto module = parse("define void @kernel() { ret void }", context);
  ASSERT_FALSE(bool(prepareModule(*module, level3())));
  EXPECT_FALSE(module->getFunction("kernel")->hasFnAttribute("tune-cpu"));

  Target target = level3();
  target.tuneCpu = "znver3";
  module = parse("define void @kernel() { ret void }", context);
  ASSERT_FALSE(bool(prepareModule(*module, target)));
  const llvm::Function *kernel = module->getFunction("kernel");
  EXPECT_EQ(kernel->getFnAttribute("tune-cpu").getValueAsString(), "znver3");
  EXPECT_EQ(kernel->getFnAttribute("target-cpu").getValueAsString(),
            "x86-64-v3");
}

constexpr StringRef vnni = R"(
  declare <8 x i32> @llvm.x86.avx512.vpdpbusd.256(<8 x i32>, <32 x i8>, <32 x i8>)
  define <8 x i32> @kernel(<8 x i32> %a, <32 x i8> %u, <32 x i8> %s) {
    %r = call <8 x i32> @llvm.x86.avx512.vpdpbusd.256(<8 x i32> %a, <32 x i8> %u, <32 x i8> %s)
    %t = call <8 x i32> @llvm.x86.avx512.vpdpbusd.256(<8 x i32> %r, <32 x i8> %u, <32 x i8> %s)
    ret <8 x i32> %t
  }
)";

TEST(Object, MissingFeatureIsOneErrorNotAnAbort) {
  llvm::LLVMContext context;
  auto module = parse(vnni, context);
  EXPECT_EQ(message(emitObject(*module, level3())),
            "function 'kernel' uses llvm.x86.avx512.vpdpbusd.256, which needs "
            "avxvnni or avx512vnni, and x86-64-v3 does not have it: lower this "
            "kernel for the target that it is emitted for");
}

/// What a function may use is decided by its own CPU, not by the module's.
TEST(Object, TheFunctionsOwnCpuDecides) {
  llvm::LLVMContext context;
  auto module = parse(R"(
    declare <32 x i8> @llvm.x86.avx2.pshuf.b(<32 x i8>, <32 x i8>)
    define <32 x i8> @new(<32 x i8> %a, <32 x i8> %b) {
      %r = call <32 x i8> @llvm.x86.avx2.pshuf.b(<32 x i8> %a, <32 x i8> %b)
      ret <32 x i8> %r
    }
    define <32 x i8> @old(<32 x i8> %a, <32 x i8> %b) "target-cpu"="x86-64" {
      %r = call <32 x i8> @llvm.x86.avx2.pshuf.b(<32 x i8> %a, <32 x i8> %b)
      ret <32 x i8> %r
    }
  )",
                      context);
  EXPECT_EQ(message(emitObject(*module, level3())),
            "function 'old' uses llvm.x86.avx2.pshuf.b, which needs avx2, and "
            "x86-64 does not have it: lower this kernel for the target that it "
            "is emitted for");
}

TEST(Object, InvalidIrIsAnError) {
  llvm::LLVMContext context;
  llvm::Module module("broken", context);
  auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), false);
  auto *function = llvm::Function::Create(
      type, llvm::GlobalValue::ExternalLinkage, "f", module);
  llvm::BasicBlock::Create(context, "entry", function); // no terminator
  EXPECT_TRUE(StringRef(message(emitObject(module, level3())))
                  .starts_with("the LLVM IR of 'broken' is not valid: "));
}

TEST(Object, UnknownNamesAreErrors) {
  llvm::LLVMContext context;
  auto module = parse("define void @f() { ret void }", context);
  Target target = level3();
  target.cpu = "x86-64-v9";
  EXPECT_EQ(message(emitObject(*module, target)),
            "LLVM has no CPU 'x86-64-v9' for the target x86-64-v3");
  target = level3();
  target.tuneCpu = "znver99";
  EXPECT_EQ(message(emitObject(*module, target)),
            "LLVM has no CPU 'znver99' to schedule for, of the target "
            "x86-64-v3");
  target = level3();
  target.features = "+avx2,+fmaa";
  EXPECT_EQ(message(emitObject(*module, target)),
            "LLVM has no feature '+fmaa' for the target x86-64-v3");
  target = level3();
  target.triple = "nosuch-unknown-linux";
  EXPECT_TRUE(StringRef(message(emitObject(*module, target)))
                  .starts_with("the target x86-64-v3 has no back end"));
}

} // namespace
