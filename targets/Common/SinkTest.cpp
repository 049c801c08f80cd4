//===- SinkTest.cpp - Decoding moved to where its result is used ----------===//

#include "targets/Common/Sink.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/SourceMgr.h"
#include "gtest/gtest.h"

using llvm::StringRef;

namespace {

/// The names of the values of a function in their order, after sinking.
std::vector<std::string> order(StringRef text) {
  llvm::LLVMContext context;
  llvm::SMDiagnostic diagnostic;
  auto module = llvm::parseAssemblyString(text, diagnostic, context);
  EXPECT_TRUE(module) << diagnostic.getMessage().str();
  mezzo::sinkDecoding(*module);
  EXPECT_FALSE(llvm::verifyModule(*module, &llvm::errs()));
  std::vector<std::string> names;
  for (llvm::BasicBlock &block : *module->begin())
    for (llvm::Instruction &instruction : block)
      if (instruction.hasName())
        names.push_back(instruction.getName().str());
  return names;
}

using Names = std::vector<std::string>;

TEST(Sink, DecodingGoesBeforeItsFirstUse) {
  EXPECT_EQ(order(R"(
    define <4 x i32> @f(<4 x i32> %p, <4 x i32> %s) {
      %low = and <4 x i32> %p, splat (i32 15)
      %shifted = lshr <4 x i32> %p, splat (i32 4)
      %high = and <4 x i32> %shifted, splat (i32 15)
      %s0 = add <4 x i32> %s, %low
      %s1 = add <4 x i32> %s0, %high
      %s2 = add <4 x i32> %s1, %high
      ret <4 x i32> %s2
    })"),
            (Names{"low", "s0", "shifted", "high", "s1", "s2"}));
}

/// Loads do not pass stores, sums stay where they are, and what another block
/// needs is not moved there.
TEST(Sink, TheRestStays) {
  EXPECT_EQ(order(R"(
    define <4 x i32> @f(ptr %p, <4 x i32> %s, i32 %n) {
    entry:
      %codes = load <4 x i32>, ptr %p
      %mask = and <4 x i32> %codes, splat (i32 15)
      %scalar = and i32 %n, 15
      %sum = add <4 x i32> %s, %s
      store <4 x i32> %s, ptr %p
      br label %loop
    loop:
      %phi = phi <4 x i32> [ %mask, %entry ], [ %next, %loop ]
      %next = or <4 x i32> %phi, %codes
      %i = add i32 %scalar, 1
      %more = icmp slt i32 %i, 16
      br i1 %more, label %loop, label %end
    end:
      %r = add <4 x i32> %sum, %next
      ret <4 x i32> %r
    })"),
            (Names{"codes", "mask", "scalar", "sum", "phi", "next", "i", "more",
                   "r"}));
}

} // namespace
