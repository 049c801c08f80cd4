//===- InnerLoopTest.cpp - What the inner loops consist of ----------------===//
//
// Reads the assembly of `int` mode's kernels: the instructions meant, and no
// vector register that goes to the stack and back. One spilled accumulator can
// halve the speed of a loop, and no test of numbers would notice.
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

/// Instructions of a loop that is one basic block: from its label to the branch
/// back to it.
using Loop = std::vector<std::string>;

std::vector<Loop> innerLoops(StringRef assembly) {
  std::vector<Loop> loops;
  std::string label;
  Loop block;
  llvm::SmallVector<StringRef> lines;
  assembly.split(lines, '\n');
  for (StringRef line : lines) {
    line = line.split("//").first.rtrim();
    if (line.starts_with(".L") && line.ends_with(":")) {
      label = line.drop_back().str();
      block.clear();
    } else if (line.starts_with("\t") && !line.starts_with("\t.")) {
      block.push_back(line.trim().str());
      if (line.starts_with("\tb.") && line.ends_with("\t" + label))
        loops.push_back(block);
    }
  }
  return loops;
}

size_t count(const Loop &loop, StringRef instruction) {
  return llvm::count_if(loop, [&](StringRef line) {
    return line.split('\t').first == instruction;
  });
}

/// Vector registers that come from the stack or go there.
size_t spills(const Loop &loop) {
  llvm::Regex spill("^(ld|st)[rp]\t[bhsdqv][0-9]+,.*\\[sp");
  return llvm::count_if(loop,
                        [&](StringRef line) { return spill.match(line); });
}

/// The loops of the kernel of `spec` for `m` activation rows that multiply,
/// busiest first.
std::vector<Loop> multiplyingLoops(StringRef spec, StringRef target, int64_t m,
                                   StringRef multiply) {
  CompileOptions options;
  options.target = target.str();
  CompileSession session(options,
                         [](Severity severity, const std::string &text) {
                           if (severity == Severity::Error)
                             ADD_FAILURE() << text;
                         });
  auto module =
      productModule(session.context(), {{randomMatrix(spec, 256, 256, 1), {}}},
                    ComputeMode::Int, m);
  if (failed(session.adopt(llvm::cantFail(std::move(module)))))
    return {};
  auto assembly = session.emitText(Stage::Asm);
  if (failed(assembly))
    return {};
  std::vector<Loop> loops = innerLoops(*assembly);
  llvm::erase_if(loops,
                 [&](const Loop &loop) { return !count(loop, multiply); });
  return loops;
}

std::string specOf(int bits) {
  return "uint" + std::to_string(bits) + "/g128:f16+zp";
}

/// The register tile of GEMM: 4 activation rows by 2 row groups, two steps.
Loop registerTile(const std::vector<Loop> &loops) {
  for (const Loop &loop : loops)
    if (count(loop, "ld1r") == 8)
      return loop;
  return {};
}

TEST(InnerLoops, SpillsAreSeen) {
  EXPECT_EQ(spills({"ldr\tq2, [sp, #816]", "stp\tq0, q1, [sp, #32]",
                    "ldr\tx22, [sp, #376]", "ldr\tq2, [x3]"}),
            2u);
  // Two instructions and a label each, one of them a loop.
  EXPECT_EQ(innerLoops("\tmov\tx0, x1\n.LBB0_1:   // a loop\n"
                       "\tadd\tx0, x0, #1\n\tb.lt\t.LBB0_1\n.LBB0_2:\n"
                       "\tcmp\tx0, #2\n\tb.lt\t.LBB0_1\n"),
            (std::vector<Loop>{{"add\tx0, x0, #1", "b.lt\t.LBB0_1"}}));
}

constexpr StringRef dotTargets[] = {"aarch64+dotprod", "aarch64+dotprod+i8mm"};

TEST(InnerLoops, OfManyRowsAreDotProductsAndLoads) {
  for (StringRef target : dotTargets)
    for (int bits = 1; bits <= 8; ++bits) {
      Loop tile =
          registerTile(multiplyingLoops(specOf(bits), target, 64, "sdot"));
      std::string what =
          target.str() + ", " + specOf(bits) + ":\n" + llvm::join(tile, "\n");
      EXPECT_EQ(count(tile, "sdot"), 32u) << what;
      EXPECT_EQ(spills(tile), 0u) << what;
      EXPECT_LE(tile.size(), 60u) << what;
    }
}

TEST(InnerLoops, OfManyRowsAddInSixteenBitsOnTheBase) {
  // Codes of 7 and 8 bits are widened at once: 16 bits hold too few of them.
  // The short chunks of 6 bits are written out, in another loop than these.
  for (int bits = 1; bits <= 5; ++bits) {
    Loop tile =
        registerTile(multiplyingLoops(specOf(bits), "aarch64", 64, "smlal"));
    std::string what = specOf(bits) + ":\n" + llvm::join(tile, "\n");
    EXPECT_EQ(count(tile, "smlal"), 32u) << what;
    EXPECT_EQ(count(tile, "smlal2"), 32u) << what;
    EXPECT_EQ(count(tile, "sadalp"), 0u) << what;
    EXPECT_EQ(spills(tile), 0u) << what;
  }
  Loop tile = registerTile(multiplyingLoops(specOf(8), "aarch64", 64, "smull"));
  EXPECT_EQ(count(tile, "addp"), 32u);
  EXPECT_EQ(count(tile, "sadalp"), 32u);
}

/// Codes are decoded on the way: no more than fits beside sixteen sums.
TEST(InnerLoops, OfOneRowKeepTheirSumsInRegisters) {
  auto check = [](StringRef target, int bits, StringRef multiply) {
    std::vector<Loop> loops =
        multiplyingLoops(specOf(bits), target, 1, multiply);
    EXPECT_FALSE(loops.empty()) << target.str() << ", " << specOf(bits);
    for (const Loop &loop : loops)
      EXPECT_EQ(spills(loop), 0u)
          << target.str() << ", " << specOf(bits) << ":\n"
          << llvm::join(loop, "\n");
  };
  // The fields of 7 bits, and on the base those of 5 and 6, take more vectors
  // than there are registers.
  for (StringRef target : dotTargets)
    for (int bits : {1, 2, 3, 4, 5, 6, 8})
      check(target, bits, "sdot");
  for (int bits : {1, 2, 3, 4})
    check("aarch64", bits, "smlal");
  check("aarch64", 8, "smull");
}

} // namespace
