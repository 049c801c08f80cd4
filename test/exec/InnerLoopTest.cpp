//===- InnerLoopTest.cpp - What the inner loops on x86 consist of ---------===//
//
// Reads the assembly of product kernels as they are shipped: the instructions
// meant, and no vector register that goes to the stack and back. One spilled
// accumulator can halve the speed of a loop, and no test of numbers would
// notice. Nothing is run, so every CPU tests all targets.
//
//===----------------------------------------------------------------------===//

#include "test/exec/Exec.h"
#include "test/exec/RandomProducts.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Regex.h"

using namespace mezzo;
using namespace mezzo::test;
using llvm::StringRef;

namespace {

/// Instructions of a loop without another one inside: from its label to the
/// jump back to it.
using Loop = std::vector<std::string>;

std::vector<Loop> innerLoops(StringRef assembly) {
  std::vector<Loop> loops;
  llvm::SmallVector<StringRef> lines;
  assembly.split(lines, '\n');
  StringRef label;
  Loop body;
  for (StringRef line : lines) {
    line = line.split('#').first.trim();
    if (line.consume_back(":")) {
      label = line;
      body.clear();
    } else if (!line.empty() && !line.starts_with(".")) {
      body.push_back(line.str());
      if (!label.empty() && line.starts_with("j") && line.ends_with(label))
        loops.push_back(body);
    }
  }
  return loops;
}

size_t count(const Loop &loop, StringRef instruction) {
  return llvm::count_if(loop, [&](StringRef line) {
    line.consume_front("{vex}\t");
    return line.split('\t').first.starts_with(instruction);
  });
}

/// Instructions that move a vector register to the stack, or take an operand
/// from there. (Decoded blocks are on the stack, too, behind an index.)
size_t spills(const Loop &loop) {
  llvm::Regex stack("^(\\{vex\\}\t)?v.*[ \t,][-0-9]*\\(%r[sb]p\\)");
  return llvm::count_if(loop,
                        [&](StringRef line) { return stack.match(line); });
}

/// The inner loops of the kernel of `spec` that have the instruction.
std::vector<Loop> loopsWith(StringRef instruction, StringRef spec,
                            StringRef target, ComputeMode mode, int64_t m) {
  CompileOptions options;
  options.target = target.str();
  CompileSession session(options,
                         [](Severity severity, const std::string &text) {
                           if (severity == Severity::Error)
                             ADD_FAILURE() << text;
                         });
  auto module = productModule(session.context(),
                              {{randomMatrix(spec, 256, 512, 1), {}}}, mode, m);
  if (failed(session.adopt(llvm::cantFail(std::move(module)))))
    return {};
  auto assembly = session.emitText(Stage::Asm);
  if (failed(assembly))
    return {};
  std::vector<Loop> loops = innerLoops(*assembly);
  llvm::erase_if(loops,
                 [&](const Loop &loop) { return !count(loop, instruction); });
  return loops;
}

TEST(InnerLoops, SpillsAreSeen) {
  EXPECT_EQ(spills({"vmovaps\t%ymm2, 32(%rsp)",
                    "{vex}\tvpdpbusd\t(%rsp), %ymm1, %ymm2",
                    "movq\t16(%rsp), %rax", "vmovdqa\t%ymm0, 64(%rsp,%rax)"}),
            2u);
  EXPECT_EQ(innerLoops("\tmovq\t%rax, %rbx\n.LBB0_1:   # a loop\n"
                       "\taddq\t$1, %rax\n\tjne\t.LBB0_1\n.LBB0_2:\n"
                       "\tcmpq\t$2, %rax\n\tjl\t.LBB0_1\n"),
            (std::vector<Loop>{{"addq\t$1, %rax", "jne\t.LBB0_1"}}));
}

struct Shipped {
  const char *target;
  ComputeMode mode;
  const char *multiply; ///< the instruction of the inner loop
};

class ShippedLoops : public ::testing::TestWithParam<Shipped> {};

INSTANTIATE_TEST_SUITE_P(
    Kernels, ShippedLoops,
    ::testing::Values(
        Shipped{"x86-64-v3", ComputeMode::Int, "vpmaddubsw"},
        Shipped{"x86-64-v3", ComputeMode::Float, "vfmadd"},
        Shipped{"x86-64-v3+avxvnni", ComputeMode::Int, "vpdpbusd"},
        Shipped{"x86-64-v4", ComputeMode::Int, "vpmaddubsw"},
        Shipped{"x86-64-v4", ComputeMode::Float, "vfmadd"},
        Shipped{"x86-64-v4+avx512vnni", ComputeMode::Int, "vpdpbusd"}),
    [](const auto &info) {
      std::string name = info.param.target;
      std::replace_if(
          name.begin(), name.end(), [](char c) { return !llvm::isAlnum(c); },
          '_');
      return name + "_" + stringifyComputeMode(info.param.mode).str();
    });

/// What does not fit into sixteen registers, or as many twice.
bool mustSpill(const Shipped &kernel, int bits, int64_t m) {
  bool isLong = StringRef(kernel.target).starts_with("x86-64-v4");
  // One row in mode `float`: constants for every place of a code.
  if (kernel.mode == ComputeMode::Float)
    return m == 1 && !isLong;
  // Fields of one row group lie in many vectors.
  if (m == 1)
    return bits == 7 || (bits == 5 && !isLong);
  // Sums in 16 bits, for few steps only, beside those in 32.
  return (bits == 6 || bits == 7) && StringRef(kernel.multiply) == "vpmaddubsw";
}

TEST_P(ShippedLoops, KeepTheirSumsInRegisters) {
  auto [target, mode, multiply] = GetParam();
  for (int bits = 1; bits <= 8; ++bits)
    for (int64_t m : {1, 8, 64}) {
      if (mustSpill(GetParam(), bits, m))
        continue;
      std::string spec = "int" + std::to_string(bits) + "/g128:f16";
      std::vector<Loop> loops = loopsWith(multiply, spec, target, mode, m);
      EXPECT_FALSE(loops.empty()) << spec << ", M = " << m;
      for (const Loop &loop : loops)
        EXPECT_EQ(spills(loop), 0u) << spec << ", M = " << m << "\n"
                                    << llvm::join(loop, "\n");
    }
}

/// Register tiles are as large as registers allow, and their loops mostly
/// multiply.
TEST(InnerLoops, OfManyRowsMostlyMultiply) {
  struct {
    Shipped kernel;
    unsigned sums;
  } tiles[] = {
      {{"x86-64-v3", ComputeMode::Float, "vfmadd"}, 12 * 4},
      {{"x86-64-v4", ComputeMode::Float, "vfmadd"}, 16 * 4},
      {{"x86-64-v3+avxvnni", ComputeMode::Int, "vpdpbusd"}, 8 * 2},
      {{"x86-64-v4+avx512vnni", ComputeMode::Int, "vpdpbusd"}, 16 * 2}};
  for (const auto &[kernel, sums] : tiles) {
    size_t most = 0;
    double share = 0;
    for (const Loop &loop : loopsWith(kernel.multiply, "int4/g128:f16",
                                      kernel.target, kernel.mode, 64)) {
      most = std::max(most, count(loop, kernel.multiply));
      share =
          std::max(share, double(count(loop, kernel.multiply)) / loop.size());
    }
    EXPECT_EQ(most, sums) << kernel.target;
    EXPECT_GE(share, 0.5) << kernel.target;
  }
}

} // namespace
