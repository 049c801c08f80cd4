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

/// The loops of the kernel of `spec` for `m` activation rows that multiply.
std::vector<Loop> multiplyingLoops(StringRef spec, StringRef target, int64_t m,
                                   StringRef multiply,
                                   ComputeMode mode = ComputeMode::Int) {
  CompileOptions options;
  options.target = target.str();
  CompileSession session(options,
                         [](Severity severity, const std::string &text) {
                           if (severity == Severity::Error)
                             ADD_FAILURE() << text;
                         });
  auto module = productModule(session.context(),
                              {{randomMatrix(spec, 256, 256, 1), {}}}, mode, m);
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

/// The register tile of many activation rows: the loop that multiplies most for
/// each vector of codes that it loads.
Loop registerTile(const std::vector<Loop> &loops, StringRef multiply) {
  auto perLoad = [&](const Loop &loop) {
    return double(count(loop, multiply)) /
           (count(loop, "ldp") + count(loop, "ldr") + 1);
  };
  const Loop *best = nullptr;
  for (const Loop &loop : loops)
    if (!best || perLoad(loop) > perLoad(*best))
      best = &loop;
  return best ? *best : Loop();
}

std::string describe(StringRef target, int bits, const Loop &loop) {
  return target.str() + ", " + specOf(bits) + ":\n" + llvm::join(loop, "\n");
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

/// Each load of activations feeds two row groups of two registers.
TEST(InnerLoops, OfManyRowsAreDotProductsAndLoads) {
  for (StringRef target : dotTargets)
    for (int bits = 1; bits <= 8; ++bits) {
      Loop tile = registerTile(
          multiplyingLoops(specOf(bits), target, 64, "sdot"), "sdot");
      std::string what = describe(target, bits, tile);
      EXPECT_EQ(count(tile, "sdot"), 4 * count(tile, "ld1r")) << what;
      EXPECT_GE(count(tile, "sdot") * 2, tile.size()) << what;
      EXPECT_EQ(spills(tile), 0u) << what;
    }
}

/// On the base, sums are added up in 16 bits: even and odd bytes, two
/// registers.
TEST(InnerLoops, OfManyRowsAddInSixteenBitsOnTheBase) {
  auto tileOf = [](int bits, StringRef multiply) {
    return registerTile(multiplyingLoops(specOf(bits), "aarch64", 64, multiply),
                        multiply);
  };
  for (int bits = 1; bits <= 5; ++bits) {
    Loop tile = tileOf(bits, "smlal");
    std::string what = describe("aarch64", bits, tile);
    EXPECT_EQ(count(tile, "smlal"), 4 * count(tile, "ld1r")) << what;
    EXPECT_EQ(count(tile, "smlal2"), count(tile, "smlal")) << what;
    EXPECT_EQ(count(tile, "sadalp"), 0u) << what;
    EXPECT_EQ(spills(tile), 0u) << what;
  }
  // 16 bits hold too few products of more bits: each pair is widened.
  for (int bits : {6, 7, 8}) {
    Loop tile = tileOf(bits, "smull");
    std::string what = describe("aarch64", bits, tile);
    EXPECT_EQ(count(tile, "smull") + count(tile, "smull2"),
              2 * count(tile, "addp"))
        << what;
    EXPECT_EQ(count(tile, "addp"), 4 * count(tile, "ld1r")) << what;
    EXPECT_EQ(count(tile, "sadalp"), count(tile, "addp")) << what;
    EXPECT_LE(spills(tile), 2u) << what;
  }
}

TEST(InnerLoops, OfManyRowsInFloatAreMultiplyAdds) {
  for (StringRef target : {"aarch64", "aarch64+dotprod"})
    for (int bits : {2, 4, 8}) {
      Loop tile = registerTile(multiplyingLoops(specOf(bits), target, 64,
                                                "fmla", ComputeMode::Float),
                               "fmla");
      std::string what = describe(target, bits, tile);
      EXPECT_EQ(count(tile, "fmla"), 64u) << what;
      EXPECT_EQ(count(tile, "fmul"), 0u) << what;
      EXPECT_EQ(spills(tile), 0u) << what;
    }
}

/// Codes are decoded on the way: no more than fits beside sixteen sums.
TEST(InnerLoops, OfOneRowKeepTheirSumsInRegisters) {
  auto check = [](StringRef target, int bits, StringRef multiply) {
    std::vector<Loop> loops =
        multiplyingLoops(specOf(bits), target, 1, multiply);
    EXPECT_FALSE(loops.empty()) << target.str() << ", " << specOf(bits);
    for (const Loop &loop : loops)
      EXPECT_EQ(spills(loop), 0u) << describe(target, bits, loop);
  };
  // The fields of 7 bits, and on the base those of 5, lie in more vectors than
  // fit beside the sums.
  for (StringRef target : dotTargets)
    for (int bits : {1, 2, 3, 4, 5, 6, 8})
      check(target, bits, "sdot");
  for (int bits : {1, 2, 3, 4})
    check("aarch64", bits, "smlal");
  for (int bits : {6, 8})
    check("aarch64", bits, "smull");
}

} // namespace
