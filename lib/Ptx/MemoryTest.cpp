//===- MemoryTest.cpp - Bugs that the machine has to find -----------------===//
//
// Each kernel comes twice: right, and with one seeded bug. A bug has to be
// found whatever the seed, and the right kernel has to pass with every seed.
//
//===----------------------------------------------------------------------===//

#include "lib/Ptx/TestKernel.h"

using namespace mezzo::ptx;

namespace {

std::vector<uint8_t> input(size_t bytes) {
  std::vector<uint8_t> data(bytes);
  for (size_t i = 0; i < bytes; ++i)
    data[i] = uint8_t(i * 37 + 11);
  return data;
}

/// The messages of 8 runs with different seeds; "" for those that passed.
std::vector<std::string> outcomes(const std::string &text, unsigned threads,
                                  unsigned blocks = 1) {
  std::vector<std::string> messages;
  for (uint64_t seed = 0; seed < 8; ++seed) {
    std::vector<uint8_t> output(16384);
    LaunchOptions options;
    options.seed = seed;
    options.instructionLimit = 100000;
    messages.push_back(
        runKernel(text, threads, input(16384), output, options, blocks));
  }
  return messages;
}

void expectPasses(const std::string &text, unsigned threads,
                  unsigned blocks = 1) {
  for (const std::string &message : outcomes(text, threads, blocks))
    EXPECT_EQ(message, "");
}

void expectFails(const std::string &text, unsigned threads,
                 const std::string &why, unsigned blocks = 1) {
  for (const std::string &message : outcomes(text, threads, blocks))
    EXPECT_NE(message.find(why), std::string::npos)
        << "found instead: '" << message << "'";
}

/// Every thread writes its word and reads the one of thread t ^ 33.
std::string exchange(const std::string &between) {
  return kernelText("mul.lo.u32 %r1, %t, 4; mov.u32 %r2, s;"
                    "add.u32 %r3, %r2, %r1; st.shared.u32 [%r3], %t;\n" +
                        between +
                        "\nxor.b32 %r4, %t, 33; mul.lo.u32 %r4, %r4, 4;"
                        "add.u32 %r4, %r4, %r2; ld.shared.u32 %r5, [%r4];"
                        "cvt.u64.u32 %rd1, %r1; add.u64 %rd1, %rd1, %out;"
                        "st.global.u32 [%rd1], %r5;",
                    ".shared .align 4 .b8 s[256];\n");
}

TEST(PtxMemory, MissingBarrier) {
  expectPasses(exchange("bar.sync 0;"), 64);
  expectPasses(exchange("barrier.cta.sync.aligned 0;"), 64);
  // Of two messages, the one for whoever comes first; both name a race or a
  // byte that was not there yet.
  for (const std::string &message : outcomes(exchange(""), 64))
    EXPECT_TRUE(message.find("race: read of a byte that thread") !=
                    std::string::npos ||
                message.find("never written") != std::string::npos ||
                message.find("race: write") != std::string::npos)
        << message;
  // A barrier of warps does not order warps.
  for (const std::string &message :
       outcomes(exchange("bar.warp.sync 0xffffffff;"), 64))
    EXPECT_NE(message, "");
}

TEST(PtxMemory, WarpBarrierOrdersTheWarp) {
  auto withinWarp = [](const std::string &between) {
    std::string text = exchange(between);
    text.replace(text.find("%t, 33"), 6, "%t, 5");
    return text;
  };
  expectPasses(withinWarp("bar.warp.sync 0xffffffff;"), 64);
  for (const std::string &message : outcomes(withinWarp(""), 64))
    EXPECT_NE(message, "");
}

TEST(PtxMemory, BarrierThatNotAllReach) {
  std::string text = kernelText("setp.lt.u32 %p1, %t, 32;\n"
                                "@%p1 bra $skip;\nbar.sync 0;\n$skip: "
                                "bar.sync 1;");
  expectFails(text, 64,
              "threads wait for each other: 32 at line 10, 32 at "
              "line 11");
  // Diverged within a warp: the aligned form needs all of it.
  expectFails(kernelText("setp.lt.u32 %p1, %t, 5;\n@%p1 bra $a;\n"
                         "bar.sync 0; bra $b;\n$a: bar.sync 0;\n$b:"),
              32, "threads wait for each other");
}

TEST(PtxMemory, GuardedAlignedInstruction) {
  expectFails(kernelText("setp.lt.u32 %p1, %t, 5;\n@%p1 bar.sync 0;"), 32,
              "an '.aligned' instruction that only some lanes");
}

TEST(PtxMemory, Bounds) {
  auto load = [](const std::string &offset) {
    return kernelText("ld.global.u32 %r1, [%in+" + offset + "];");
  };
  expectPasses(load("16380"), 1);
  expectFails(load("16384"), 1,
              "0 bytes past the end of an allocation of 16384 bytes");
  expectFails(load("-4"), 1, "in no allocation");
  expectFails(load("6"), 1, "not aligned to 4 bytes");
  expectFails(kernelText("mov.u32 %r1, s; ld.shared.u32 %r2, [%r1+64];",
                         ".shared .align 4 .b8 s[64];\n"),
              1, "outside the block's 64 bytes of shared memory");
  expectFails(kernelText("ld.param.u64 %rd1, [16];"), 1,
              "outside the 16 bytes of parameters");
  expectFails(kernelText("mov.u64 %rd1, 0; ld.u32 %r1, [%rd1];"), 1,
              "in no allocation");
}

TEST(PtxMemory, GenericAddresses) {
  expectPasses(kernelText("mov.u32 %r1, s; cvt.u64.u32 %rd1, %r1;"
                          "cvta.shared.u64 %rd2, %rd1; st.u32 [%rd2+4], %t;"
                          "ld.shared.u32 %r2, [%r1+4];"
                          "cvta.to.shared.u64 %rd3, %rd2;"
                          "ld.shared.u32 %r3, [%rd3+4];",
                          ".shared .align 4 .b8 s[64];\n"),
               1);
}

TEST(PtxMemory, NobodyWroteIt) {
  expectFails(kernelText("mov.u32 %r1, s; ld.shared.u32 %r2, [%r1];",
                         ".shared .align 4 .b8 s[64];\n"),
              1, "read of a byte that was never written");
  expectFails(kernelText("add.u32 %r1, %r2, 1;"), 1,
              "read of register '%r2', which was never written");
  // Behind a guard only the lanes that run it count.
  expectPasses(kernelText("setp.eq.u32 %p1, %t, 3;\n@%p1 mov.u32 %r2, 1;\n"
                          "@%p1 add.u32 %r1, %r2, 1;"),
               32);
  expectFails(kernelText("setp.eq.u32 %p1, %t, 3;\n@%p1 mov.u32 %r2, 1;\n"
                         "add.u32 %r1, %r2, 1;"),
              32, "read of register '%r2'");
}

TEST(PtxMemory, BlocksRace) {
  auto store = [](const std::string &instruction) {
    return kernelText("mov.u32 %r1, %ctaid.x; mov.u32 %r2, 0;\n" + instruction);
  };
  expectFails(store("st.global.u32 [%out], %r1;"), 1,
              "race: write of a byte that thread 0 of block", 2);
  expectPasses(store("red.global.add.u32 [%out], %r1;"), 1, 2);
  expectPasses(store("mul.wide.u32 %rd1, %r1, 4; add.u64 %rd1, %rd1, %out;"
                     "st.global.u32 [%rd1], %r1;"),
               1, 7);
}

/// Copies 16 bytes per thread to shared memory and back out, in two stages.
std::string copies(const std::string &wait, const std::string &barrier) {
  return kernelText(
      "mul.lo.u32 %r1, %t, 16; mov.u32 %r2, s; add.u32 %r3, %r2, %r1;"
      "mul.wide.u32 %rd1, %t, 16; add.u64 %rd2, %rd1, %in;"
      "cp.async.cg.shared.global [%r3], [%rd2], 16;"
      "cp.async.commit_group;"
      "cp.async.ca.shared.global [%r3+2048], [%rd2+4096], 16, 8;"
      "cp.async.commit_group;\n" +
          wait + "\n" + barrier +
          "\nxor.b32 %r4, %t, 63; mul.lo.u32 %r4, %r4, 16;"
          "add.u32 %r4, %r4, %r2; ld.shared.v4.u32 {%r5, %r6, %r7, %r8}, "
          "[%r4];\nadd.u64 %rd3, %rd1, %out;"
          "st.global.v4.u32 [%rd3], {%r5, %r6, %r7, %r8};",
      ".shared .align 16 .b8 s[4096];\n");
}

TEST(PtxMemory, AsynchronousCopies) {
  std::string good = copies("cp.async.wait_group 1;", "bar.sync 0;");
  expectPasses(good, 64);
  std::vector<uint8_t> in = input(16384), out(16384);
  LaunchReport report;
  ASSERT_EQ(runKernel(good, 64, in, out, {}, 1, &report), "");
  EXPECT_EQ(report.mostCopyGroups, 2u);
  for (unsigned t = 0; t < 64; ++t)
    for (unsigned i = 0; i < 16; ++i)
      ASSERT_EQ(out[t * 16 + i], in[(t ^ 63) * 16 + i]);
  // Too early, by a group; and without the barrier that shows the others.
  expectFails(copies("cp.async.wait_group 2;", "bar.sync 0;"), 64,
              "a byte that an asynchronous copy is still filling");
  expectFails(copies("", "bar.sync 0;"), 64, "still filling");
  for (const std::string &message :
       outcomes(copies("cp.async.wait_group 0;", ""), 64))
    EXPECT_NE(message, "");
}

TEST(PtxMemory, CopyFillsWithZeros) {
  std::string text = kernelText(
      "mov.u32 %r2, s; cp.async.ca.shared.global [%r2], [%in], 16, 6;"
      "cp.async.wait_all; ld.shared.v2.u64 {%rd1, %rd2}, [%r2];"
      "st.global.v2.u64 [%out], {%rd1, %rd2};",
      ".shared .align 16 .b8 s[16];\n");
  std::vector<uint8_t> in = input(16), out(16, 0xff);
  ASSERT_EQ(runKernel(text, 1, in, out), "");
  for (unsigned i = 0; i < 16; ++i)
    EXPECT_EQ(out[i], i < 6 ? in[i] : 0);
}

TEST(PtxMemory, KernelThatDoesNotEnd) {
  expectFails(kernelText("$again: bra $again;"), 32,
              "the kernel does not seem to end");
}

TEST(PtxMemory, ConflictsAndSectorsAreCounted) {
  auto run = [](const std::string &stride, LaunchReport &report) {
    std::vector<uint8_t> output(32768);
    return runKernel(
        kernelText("mul.lo.u32 %r1, %t, " + stride +
                       "; mov.u32 %r2, s; add.u32 %r2, %r2, %r1;"
                       "st.shared.u32 [%r2], %t; cvt.u64.u32 %rd1, %r1;"
                       "add.u64 %rd1, %rd1, %out; st.global.u32 [%rd1], %t;",
                   ".shared .align 4 .b8 s[32768];\n"),
        32, {}, output, {}, 1, &report);
  };
  LaunchReport dense, strided;
  ASSERT_EQ(run("4", dense), "");
  EXPECT_EQ(dense.bankConflicts, 0u);
  EXPECT_EQ(dense.sectors, 4u);
  ASSERT_EQ(run("128", strided), "");
  EXPECT_EQ(strided.bankConflicts, 31u);
  EXPECT_EQ(strided.sectors, 32u);
  EXPECT_EQ(strided.idealSectors, 4u);
}

} // namespace
