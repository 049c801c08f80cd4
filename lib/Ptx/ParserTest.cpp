//===- ParserTest.cpp -----------------------------------------------------===//

#include "lib/Ptx/Syntax.h"
#include "lib/Ptx/TestKernel.h"

#include "gtest/gtest.h"

using namespace mezzo::ptx;

namespace {

/// What is wrong with a module, or "".
std::string loadError(const std::string &text) {
  Device device;
  auto program = device.load(text, "m.ptx");
  return program ? "" : llvm::toString(program.takeError());
}

const char *header = ".version 8.0\n.target sm_80\n.address_size 64\n";

/// A module with a bit of everything; line 14 needs `registers` to be declared.
std::string everything(const char *registers) {
  return std::string(header) +
         ".global .align 4 .b8 table[8] = {1, 2, 0xff};\n"
         ".extern .shared .align 16 .b8 dynamic[];\n"
         "/* a\n comment */ .visible .entry f(\n"
         " .param .u64 .ptr .global .align 16 a, // the input\n"
         " .param .align 8 .b8 pod[12], .param .u16 c)\n"
         ".reqntid 128, 1, 1\n{\n" +
         registers +
         ".shared .align 8 .b8 s[24]; .local .align 4 .b8 depot[16];\n"
         ".loc 1 2 3, function_name $L1, inlined_at 1 2 3\n"
         "$L0: @!%p mov.b64 {%r1, _}, %rd;\n"
         "ld.global.L1::no_allocate.v4.u32 {%r0, %r1, %r2, %r0}, [%rd+-16];\n"
         "mov.u32 %r0, dynamic; mov.u32 %r0, s; mov.u32 %r1, depot;\n"
         "bra.uni $L0;\n}\n";
}

TEST(PtxParser, KernelOfAllParts) {
  auto module = parseModule(
      everything(".reg .b32 %r<3>; .reg .b64 %rd; .reg .pred %p;\n"), "m.ptx");
  ASSERT_TRUE(bool(module)) << llvm::toString(module.takeError());
  EXPECT_EQ(module->target, "sm_80");
  EXPECT_EQ(module->variables[0].init,
            (std::vector<uint8_t>{1, 2, 0xff, 0, 0, 0, 0, 0}));
  const Kernel &kernel = module->kernels[0];
  EXPECT_EQ(kernel.requiredThreads[0], 128u);
  EXPECT_EQ(kernel.paramBytes, 22u);
  EXPECT_EQ(kernel.sharedBytes, 32u); // 24, then the dynamic part at 16.
  EXPECT_EQ(kernel.localBytes, 16u);
  ASSERT_EQ(kernel.instructions.size(), 6u);
  const Instruction &move = kernel.instructions[0];
  EXPECT_TRUE(move.guardNegated);
  EXPECT_EQ(move.text, "mov.b64 {%r1, _}, %rd");
  EXPECT_EQ(move.operands[0].parts[1].kind, Operand::Sink);
  const Instruction &load = kernel.instructions[1];
  EXPECT_EQ(load.line, 16u);
  EXPECT_EQ(load.operands[1].imm, uint64_t(-16));
  EXPECT_EQ(kernel.instructions[5].operands[0].imm, 0u); // $L0
}

TEST(PtxParser, NamesTheLine) {
  auto module = parseModule(everything(""), "m.ptx");
  ASSERT_FALSE(bool(module));
  EXPECT_EQ(llvm::toString(module.takeError()),
            "m.ptx:14: unknown predicate '%p'");
}

TEST(PtxParser, VariablesHaveTheirPlaces) {
  auto module = parseModule(
      std::string(header) +
          ".shared .align 4 .b8 unused[64];\n"
          ".entry f(.param .u32 n, .param .u64 p, .param .u16 h) {\n"
          ".reg .b32 %r<2>; .shared .b8 a[3]; .shared .align 8 .b8 b[8];\n"
          "mov.u32 %r0, a; mov.u32 %r1, b; }\n",
      "m.ptx");
  ASSERT_TRUE(bool(module)) << llvm::toString(module.takeError());
  const Kernel &kernel = module->kernels[0];
  EXPECT_EQ(kernel.paramBytes, 18u); // 4, pad to 8, 8, 2.
  EXPECT_EQ(kernel.variables[kernel.params[1]].offset, 8u);
  EXPECT_EQ(kernel.sharedBytes, 16u); // What nobody names takes no room.
}

TEST(PtxParser, ScopesOfInlineAssembly) {
  std::vector<uint8_t> output(4);
  EXPECT_EQ(runKernel(kernelText("mov.u32 %r1, 7;\n"
                                 "{ .reg .b32 %r1; mov.u32 %r1, 9; }\n"
                                 "st.global.u32 [%out], %r1;"),
                      1, {}, output),
            "");
  EXPECT_EQ(output[0], 7);
}

TEST(PtxParser, RefusesWhatItDoesNotKnow) {
  auto error = [](const std::string &code) {
    return loadError(kernelText(code));
  };
  EXPECT_EQ(error("frob.u32 %r1, %r2;"),
            "m.ptx:8: the instruction 'frob' is not known to the interpreter: "
            "'frob.u32 %r1, %r2'");
  EXPECT_EQ(error("and.cc.b32 %r1, %r2, %r3;").substr(0, 40),
            "m.ptx:8: expected a type after 'and.cc.b");
  EXPECT_EQ(error("lop3.b32.frob %r1, %r2, %r3, %r4, 1;"),
            "m.ptx:8: the modifier '.frob' of 'lop3' is not known to the "
            "interpreter: 'lop3.b32.frob %r1, %r2, %r3, %r4, 1'");
  EXPECT_NE(error("add.rz.f32 %f1, %f2, %f3;"), "");
  EXPECT_NE(error("mov.u32 %r1, %clusterid.x;"), "");
  EXPECT_NE(error("add.u32 %r1, %r2;"), "");
  EXPECT_NE(error("bra $nowhere;"), "");
  EXPECT_NE(error("call foo;"), "");
  EXPECT_NE(error("mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32 {%r1}, "
                  "{%r1}, {%r1}, {%r1};"),
            "");
  EXPECT_EQ(loadError(std::string(header) + ".func g { }").substr(0, 8),
            "m.ptx:4:");
  EXPECT_NE(loadError(".address_size 32"), "");
  EXPECT_NE(loadError("/* open"), "");
}

TEST(PtxParser, LaunchesThatCannotBe) {
  Device device;
  auto program = cantFail(device.load(kernelText(""), "m.ptx"));
  auto launch = [&](const char *name, Dim3 block, size_t paramBytes) {
    std::vector<uint8_t> params(paramBytes);
    auto result = device.launch(*program, name, {1, 1, 1}, block, 0, params);
    return result ? "" : llvm::toString(result.takeError());
  };
  EXPECT_EQ(launch("k", {1, 1, 1}, 16), "");
  EXPECT_EQ(launch("nil", {1, 1, 1}, 16), "no kernel 'nil' in m.ptx");
  EXPECT_EQ(launch("k", {1025, 1, 1}, 16),
            "cannot launch 'k': blocks of 1025x1x1 threads: a block has at "
            "most 1024");
  EXPECT_EQ(launch("k", {1, 1, 1}, 8),
            "cannot launch 'k': 8 bytes of parameters, the kernel has 16");
}

} // namespace
