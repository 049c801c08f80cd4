//===- EngineTest.cpp - The tensor-core kernel on the interpreter ---------===//
//
// Mode `int` has to equal lib/Golden in all bits, mode `float-mma` within the
// bound XF of f16 activations. Every launch is also a search for races, early
// reads and accesses out of bounds, in an order of its own.
//
//===----------------------------------------------------------------------===//

#include "targets/Nvptx/Engine.h"

#include "lib/Golden/Compare.h"
#include "lib/Golden/Matmul.h"
#include "lib/Golden/TestData.h"
#include "lib/Number/Half.h"
#include "lib/Ptx/Device.h"
#include "targets/Nvptx/TestKernels.h"

#include "gtest/gtest.h"

#include <cstring>
#include <functional>

using namespace mezzo;
using namespace mezzo::nvptx;

namespace {

struct Case {
  std::string weights;
  int64_t m, n, k;
  bool bias = false;
  unsigned rowTiles = 1, warps = 4, stages = 4;
};

class Launch {
public:
  using Spoil = std::function<void(std::string &, PackedWeight &)>;

  Launch(const Case &c, Arithmetic arithmetic, uint64_t seed = 1,
         Spoil spoil = nullptr)
      : c(c), arithmetic(arithmetic), seed(seed),
        w(golden::test::weight(c.weights, c.n, c.k, 3)),
        a(golden::test::normal(c.m * c.k, 7)) {
    if (c.bias)
      bias = golden::test::normal(c.n, 11);
    PackedWeight packed = llvm::cantFail(packWeight(w, arithmetic));
    spec.arithmetic = arithmetic;
    spec.bits = w.spec.format.bits();
    spec.groupLength = w.groupLength == c.k ? 0 : w.groupLength;
    spec.hasZeros = !packed.zeros.empty();
    spec.zero = packed.zero;
    spec.hasBias = c.bias;
    spec.rowTiles = c.rowTiles;
    spec.warps = c.warps;
    spec.stages = c.stages;
    text = ptxOf(spec, "sm_80");
    if (spoil)
      spoil(text, packed);
    launch(packed);
  }

  const Case &c;
  Arithmetic arithmetic;
  uint64_t seed;
  QuantizedMatrix w;
  std::vector<float> a, bias;
  EngineSpec spec;
  std::vector<float> y;
  std::string problem;
  ptx::LaunchReport report;

private:
  std::string text;
  ptx::Device device;

  template <typename T>
  uint64_t upload(const std::vector<T> &data) {
    uint64_t address =
        device.allocate(std::max<size_t>(1, data.size()) * sizeof(T));
    if (!data.empty())
      cantFail(device.write(address, data.data(), data.size() * sizeof(T)));
    return address;
  }

  void launch(const PackedWeight &packed) {
    int64_t kp = llvm::alignTo(c.k, depthOfChunk), groups = packed.groups;
    auto program = device.load(text, "engine.ptx");
    if (!program) {
      problem = llvm::toString(program.takeError());
      return;
    }
    uint64_t pa;
    std::vector<float> rowScales;
    std::vector<int32_t> sums;
    if (arithmetic == Arithmetic::HalfFloat) {
      std::vector<uint16_t> halves(c.m * kp);
      for (int64_t m = 0; m < c.m; ++m)
        for (int64_t k = 0; k < c.k; ++k) {
          halves[m * kp + k] = f32ToF16(a[m * c.k + k]);
          a[m * c.k + k] = f16ToF32(halves[m * kp + k]);
        }
      pa = upload(halves);
    } else {
      golden::QuantizedActivations qa = golden::quantizeRows(a, c.m, c.k);
      std::vector<int8_t> codes(c.m * kp);
      sums.assign(c.m * groups, 0);
      for (int64_t m = 0; m < c.m; ++m)
        for (int64_t k = 0; k < c.k; ++k) {
          codes[m * kp + k] = int8_t(qa.codes[m * c.k + k]);
          sums[m * groups + w.groupOf(k)] += qa.codes[m * c.k + k];
        }
      rowScales = qa.scales;
      pa = upload(codes);
    }
    uint64_t py = device.allocate(c.m * c.n * 4);
    ptx::Arguments arguments;
    for (uint64_t pointer :
         {pa, upload(packed.codes), upload(packed.scales), upload(packed.zeros),
          upload(rowScales), upload(sums), upload(bias), py})
      arguments.add(pointer);
    for (int64_t size : {c.m, c.n, c.k})
      arguments.add(int32_t(size));
    ptx::LaunchOptions options;
    options.seed = seed;
    options.roughMma = seed % 2;
    ptx::Dim3 grid{uint32_t(llvm::divideCeil(c.n, spec.blockColumns())),
                   uint32_t(llvm::divideCeil(c.m, spec.blockRows())), 1};
    auto result =
        device.launch(**program, spec.key(), grid, {spec.threads(), 1, 1},
                      spec.sharedBytes(), arguments, options);
    if (!result) {
      problem = llvm::toString(result.takeError());
      return;
    }
    report = *result;
    y.resize(c.m * c.n);
    if (llvm::Error error = device.read(py, y.data(), y.size() * 4))
      problem = llvm::toString(std::move(error));
  }
};

void checkInteger(const Case &c, uint64_t seed = 1) {
  SCOPED_TRACE(c.weights + " M " + std::to_string(c.m) + " N " +
               std::to_string(c.n) + " K " + std::to_string(c.k));
  Launch run(c, Arithmetic::Integer, seed);
  ASSERT_EQ(run.problem, "");
  std::vector<float> expected(c.m * c.n);
  golden::matmulInt(golden::quantizeRows(run.a, c.m, c.k), run.w, run.bias,
                    expected);
  golden::Comparison same = golden::compareX0(run.y, expected, c.n);
  EXPECT_TRUE(same.ok) << same.message;
}

void checkHalf(const Case &c, uint64_t seed = 1) {
  SCOPED_TRACE(c.weights + " M " + std::to_string(c.m) + " N " +
               std::to_string(c.n) + " K " + std::to_string(c.k));
  Launch run(c, Arithmetic::HalfFloat, seed);
  ASSERT_EQ(run.problem, "");
  golden::Comparison close = golden::compareXF(
      run.y, golden::realProduct(run.a, c.m, run.w, run.bias));
  EXPECT_TRUE(close.ok) << close.message;
}

TEST(NvptxEngine, IntegersEqualTheReference) {
  for (int bits = 1; bits <= 8; ++bits) {
    std::string u = "uint" + std::to_string(bits);
    checkInteger({u + "/g128+zp", 3, 67, 320, true});
    checkInteger({u + "/g32:f16+zp", 16, 130, 96});
  }
  checkInteger({"int4/g64", 1, 64, 200});
  checkInteger({"int8/ch", 37, 70, 130});
  checkInteger({"ternary/g128", 17, 33, 257, true, 2});
  checkInteger({"int4/g128", 37, 300, 512, false, 2, 2, 3});
}

TEST(NvptxEngine, HalvesStayWithinTheBound) {
  for (int bits = 1; bits <= 8; ++bits) {
    std::string u = "uint" + std::to_string(bits);
    checkHalf({u + "/g128+zp", 3, 67, 320, true});
    checkHalf({u + "/g16:f16+zp", 16, 130, 96}, 2);
  }
  checkHalf({"int4/g32", 1, 64, 200});
  checkHalf({"int8/ch", 37, 70, 130});
  checkHalf({"ternary/g128", 17, 33, 257, true, 2}, 2);
  checkHalf({"int4/g128", 37, 300, 512, false, 2, 2, 3});
}

TEST(NvptxEngine, ManyOrdersOneResult) {
  Case c{"int4/g64", 5, 80, 256};
  Launch first(c, Arithmetic::Integer, 0);
  for (uint64_t seed = 1; seed < 6; ++seed) {
    Launch again(c, Arithmetic::Integer, seed);
    ASSERT_EQ(again.problem, "");
    EXPECT_EQ(again.y, first.y);
  }
}

TEST(NvptxEngine, AccessesAreLaidOut) {
  Case c{"int4/g128", 16, 256, 512};
  for (Arithmetic arithmetic : {Arithmetic::HalfFloat, Arithmetic::Integer}) {
    Launch run(c, arithmetic);
    ASSERT_EQ(run.problem, "");
    EXPECT_EQ(run.report.bankConflicts, 0u);
    EXPECT_EQ(run.report.mostCopyGroups, 3u);
  }
}

TEST(NvptxEngine, TheCodeIsWhatItShouldBe) {
  EngineSpec spec;
  const std::string &text = ptxOf(spec, "sm_80");
  for (const char *needed :
       {"cp.async.cg.shared.global", "ld.shared.v4", "lop3.b32",
        "ldmatrix.sync.aligned.m8n8.x4.shared.b16",
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32"})
    EXPECT_NE(text.find(needed), std::string::npos) << needed << "\n" << text;
  EXPECT_EQ(text.find("prmt"), std::string::npos);
  EXPECT_EQ(text.find("shfl"), std::string::npos);
  EXPECT_EQ(text.find(".local"), std::string::npos);
}

/// Every seeded bug has to be found, whatever the order.
TEST(NvptxEngine, SeededBugsAreFound) {
  Case c{"uint4/g64+zp", 16, 256, 512};
  auto outcome = [&](std::function<void(std::string &, PackedWeight &)> spoil,
                     uint64_t seed) {
    Launch run(c, Arithmetic::Integer, seed, spoil);
    if (!run.problem.empty())
      return run.problem;
    std::vector<float> expected(c.m * c.n);
    golden::matmulInt(golden::quantizeRows(run.a, c.m, c.k), run.w, run.bias,
                      expected);
    return golden::compareX0(run.y, expected, c.n).message;
  };
  auto replace = [](const char *from, const char *to) {
    return [=](std::string &text, PackedWeight &) {
      size_t at = text.find(from);
      ASSERT_NE(at, std::string::npos) << from;
      text.replace(at, strlen(from), to);
    };
  };
  for (uint64_t seed = 0; seed < 6; ++seed) {
    EXPECT_EQ(outcome([](std::string &, PackedWeight &) {}, seed), "");
    // A missing barrier: others' copies are read, or overwritten while read.
    std::string barrier = outcome(replace("bar.sync \t0;", ""), seed);
    EXPECT_NE(barrier.find("shared memory:"), std::string::npos) << barrier;
    // An early read of a stage: one group fewer waited for.
    std::string early = outcome(
        replace("cp.async.wait_group \t2;", "cp.async.wait_group \t3;"), seed);
    EXPECT_NE(early.find("still filling"), std::string::npos) << early;
    // A wrong lane map: two lanes have each other's codes.
    EXPECT_NE(outcome(
                  [](std::string &, PackedWeight &packed) {
                    std::swap_ranges(packed.codes.begin(),
                                     packed.codes.begin() + 16,
                                     packed.codes.begin() + 16);
                  },
                  seed),
              "");
    // Scales of another group.
    EXPECT_NE(outcome(
                  [](std::string &, PackedWeight &packed) {
                    std::swap_ranges(packed.scales.begin(),
                                     packed.scales.begin() + packed.paddedRows,
                                     packed.scales.begin() + packed.paddedRows);
                  },
                  seed),
              "");
  }
}

} // namespace
