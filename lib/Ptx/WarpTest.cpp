//===- WarpTest.cpp - What lanes do together ------------------------------===//

#include "lib/Number/Half.h"
#include "lib/Ptx/TestKernel.h"

#include <cmath>
#include <random>

using namespace mezzo;
using namespace mezzo::ptx;

namespace {

/// One 32-bit result per lane of one warp.
std::vector<uint32_t> lanes(const std::string &code, uint64_t seed = 0) {
  std::vector<uint8_t> output(128);
  LaunchOptions options;
  options.seed = seed;
  std::string problem = runKernel(
      kernelText(code + "mul.wide.u32 %rd1, %t, 4; add.u64 %rd1, %rd1, %out;"
                        "st.global.u32 [%rd1], %r0;"),
      32, {}, output, options);
  EXPECT_EQ(problem, "");
  std::vector<uint32_t> result(32);
  std::memcpy(result.data(), output.data(), 128);
  return result;
}

TEST(PtxWarp, Shuffles) {
  auto down = lanes("shfl.sync.down.b32 %r0|%p1, %t, 3, 31, -1;");
  auto up = lanes("shfl.sync.up.b32 %r0, %t, 2, 0, -1;");
  auto butterfly = lanes("shfl.sync.bfly.b32 %r0, %t, 8, 31, -1;");
  // Segments of eight lanes: c = (~7 & 31) << 8 | 31.
  auto index = lanes("shfl.sync.idx.b32 %r0, %t, 5, 0x181f, -1;");
  auto inRange = lanes("shfl.sync.down.b32 %r1|%p1, %t, 3, 31, -1;"
                       "selp.u32 %r0, 1, 0, %p1;");
  for (unsigned lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(down[lane], lane + 3 < 32 ? lane + 3 : lane);
    EXPECT_EQ(up[lane], lane >= 2 ? lane - 2 : lane);
    EXPECT_EQ(butterfly[lane], lane ^ 8);
    EXPECT_EQ(index[lane], (lane & 24) | 5);
    EXPECT_EQ(inRange[lane], lane + 3 < 32);
  }
}

TEST(PtxWarp, VotesAndReductions) {
  auto ballot = lanes("setp.gt.u32 %p1, %t, 20;"
                      "vote.sync.ballot.b32 %r0, %p1, -1;");
  EXPECT_EQ(ballot[7], 0xffe00000u);
  EXPECT_EQ(lanes("redux.sync.add.s32 %r0, %t, -1;")[3], 31u * 16);
  EXPECT_EQ(lanes("redux.sync.max.u32 %r0, %t, -1;")[3], 31u);
}

TEST(PtxWarp, DivergedLanesMeetAgain) {
  // Lanes leave the loop one by one; the shuffle brings them together, in
  // whatever order they came.
  for (uint64_t seed = 0; seed < 8; ++seed) {
    auto result = lanes("mov.u32 %r1, 0;\n$loop: add.u32 %r1, %r1, 1;"
                        "setp.le.u32 %p1, %r1, %t;\n@%p1 bra $loop;\n"
                        "shfl.sync.bfly.b32 %r0, %r1, 31, 31, -1;",
                        seed);
    for (unsigned lane = 0; lane < 32; ++lane)
      EXPECT_EQ(result[lane], 32 - lane);
  }
}

TEST(PtxWarp, MaskThatLies) {
  std::vector<uint8_t> output(4);
  std::string problem =
      runKernel(kernelText("setp.lt.u32 %p1, %t, 16;\n"
                           "@%p1 shfl.sync.idx.b32 %r0, %t, 0, 31, -1;"),
                32, {}, output);
  EXPECT_NE(problem.find("the mask names lanes 0xffffffff, but lanes 0xffff"),
            std::string::npos)
      << problem;
}

/// Rows of 8 16-bit elements through ldmatrix.
TEST(PtxMatrix, Ldmatrix) {
  auto load = [](const std::string &suffix) {
    std::vector<uint16_t> matrix(256);
    for (unsigned i = 0; i < 256; ++i)
      matrix[i] = i;
    std::vector<uint8_t> output(512);
    LaunchReport report;
    std::string problem = runKernel(
        kernelText(
            "mul.wide.u32 %rd1, %t, 16; add.u64 %rd2, %rd1, %in;"
            "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd2];"
            "mul.lo.u32 %r5, %t, 16; mov.u32 %r6, s; add.u32 %r6, %r6, %r5;"
            "st.shared.v4.u32 [%r6], {%r1, %r2, %r3, %r4};"
            "bar.warp.sync -1;"
            "ldmatrix.sync.aligned.m8n8.x4" +
                suffix +
                ".shared.b16 {%r1, %r2, %r3, %r4}, [%r6];"
                "add.u64 %rd3, %rd1, %out;"
                "st.global.v4.u32 [%rd3], {%r1, %r2, %r3, %r4};",
            ".shared .align 16 .b8 s[512];\n"),
        32, bytesOf(matrix), output, {}, 1, &report);
    EXPECT_EQ(problem, "");
    EXPECT_EQ(report.bankConflicts, 0u);
    std::vector<uint16_t> result(256);
    std::memcpy(result.data(), output.data(), 512);
    return result;
  };
  std::vector<uint16_t> plain = load(""), transposed = load(".trans");
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned matrix = 0; matrix < 4; ++matrix)
      for (unsigned i = 0; i < 2; ++i) {
        unsigned row = lane / 4, column = lane % 4 * 2 + i;
        unsigned at = lane * 8 + matrix * 2 + i;
        EXPECT_EQ(plain[at], matrix * 64 + row * 8 + column);
        EXPECT_EQ(transposed[at], matrix * 64 + column * 8 + row);
      }
}

/// The element type of an mma: how many bits, and the value of a code.
struct Operand {
  const char *name;
  unsigned bits;
  double (*value)(uint32_t code);
};

const Operand f16 = {"f16", 16,
                     [](uint32_t c) -> double { return f16ToF32(c); }};
const Operand bf16 = {"bf16", 16,
                      [](uint32_t c) -> double { return bf16ToF32(c); }};
const Operand s8 = {"s8", 8, [](uint32_t c) -> double { return int8_t(c); }};
const Operand u8 = {"u8", 8, [](uint32_t c) -> double { return c; }};
const Operand s4 = {
    "s4", 4, [](uint32_t c) -> double { return int32_t(c << 28) >> 28; }};
const Operand u4 = {"u4", 4, [](uint32_t c) -> double { return c; }};
const Operand b1 = {"b1", 1, [](uint32_t c) -> double { return c; }};

/// D = A * B + C by one mma, against a plain triple loop. The fragments are
/// filled here element by element from the manual's figures: for register r,
/// element i, as functions of the lane.
void checkMma(unsigned k, const Operand &a, const Operand &b,
              const std::string &suffix, bool rough = false) {
  unsigned per = 32 / a.bits, steps = k / (4 * per);
  bool isFloat = a.bits == 16;
  std::mt19937_64 random(k * 64 + a.bits);
  auto code = [&](const Operand &e) -> uint32_t {
    if (e.bits < 16)
      return random() & ((1u << e.bits) - 1);
    // Halves near one: any sum is exact in double.
    float value = float(int(random() % 2049) - 1024) / 512;
    return e.name[0] == 'b' ? f32ToBF16(value) : f32ToF16(value);
  };
  std::vector<uint32_t> A(16 * k), B(8 * k);
  for (uint32_t &x : A)
    x = code(a);
  for (uint32_t &x : B)
    x = code(b);
  std::vector<float> C(128);
  for (float &c : C)
    c = isFloat ? float(int(random() % 64) - 32) : float(random() % 1000);
  // Per lane: 4 words of A, 2 of B, 4 of C; then 4 of D come out.
  std::vector<uint32_t> in(32 * 12);
  for (unsigned lane = 0; lane < 32; ++lane) {
    unsigned g = lane / 4, t = lane % 4;
    uint32_t *words = &in[lane * 12];
    for (unsigned r = 0; r < 2 * steps; ++r)
      for (unsigned i = 0; i < per; ++i) {
        unsigned row = r & 1 ? g + 8 : g;
        unsigned column = t * per + i + (r & 2 ? 4 * per : 0);
        words[r] |= A[row * k + column] << (i * a.bits);
      }
    for (unsigned r = 0; r < steps; ++r)
      for (unsigned i = 0; i < per; ++i)
        words[4 + r] |= B[g * k + t * per + i + r * 4 * per] << (i * b.bits);
    for (unsigned i = 0; i < 4; ++i) {
      float c = C[(g + (i / 2) * 8) * 8 + t * 2 + i % 2];
      words[8 + i] = isFloat ? bitsOf(c) : uint32_t(int32_t(c));
    }
  }
  std::string regsA = steps == 2 ? "{%r1, %r2, %r3, %r4}" : "{%r1, %r2}";
  std::string regsB = steps == 2 ? "{%r5, %r6}" : "{%r5}";
  std::string type = isFloat ? "f32" : "s32";
  std::string text = kernelText(
      "mul.wide.u32 %rd1, %t, 48; add.u64 %rd2, %rd1, %in;"
      "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd2];"
      "ld.global.v2.u32 {%r5, %r6}, [%rd2+16];"
      "ld.global.v4.u32 {%r7, %r8, %r9, %r10}, [%rd2+32];\n"
      "mma.sync.aligned.m16n8k" +
      std::to_string(k) + ".row.col." + type + "." + a.name + "." + b.name +
      "." + type + suffix + " {%r7, %r8, %r9, %r10}, " + regsA + ", " + regsB +
      ", {%r7, %r8, %r9, %r10};\n"
      "mul.wide.u32 %rd1, %t, 16; add.u64 %rd2, %rd1, %out;"
      "st.global.v4.u32 [%rd2], {%r7, %r8, %r9, %r10};");
  LaunchOptions options;
  options.roughMma = rough;
  std::vector<uint8_t> output(512);
  ASSERT_EQ(runKernel(text, 32, bytesOf(in), output, options), "") << text;
  std::vector<uint32_t> D(128);
  std::memcpy(D.data(), output.data(), 512);
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned i = 0; i < 4; ++i) {
      unsigned row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
      double sum = C[row * 8 + column], size = std::fabs(sum);
      for (unsigned x = 0; x < k; ++x) {
        uint32_t p = A[row * k + x], q = B[column * k + x];
        double product = a.value(p) * b.value(q);
        if (suffix == ".xor.popc")
          product = p ^ q;
        sum += product;
        size += std::fabs(product);
      }
      uint32_t got = D[lane * 4 + i];
      if (!isFloat)
        ASSERT_EQ(int32_t(got), int32_t(sum)) << a.name << " " << b.name;
      else if (rough)
        ASSERT_NEAR(floatOf(got), sum, (k + 1) * 0x1p-23 * size);
      else
        ASSERT_EQ(floatOf(got), float(sum));
    }
}

TEST(PtxMatrix, MmaOfEveryType) {
  checkMma(16, f16, f16, "");
  checkMma(8, f16, f16, "");
  checkMma(16, bf16, bf16, "");
  checkMma(32, s8, s8, "");
  checkMma(16, u8, s8, "");
  checkMma(32, u8, s8, "");
  checkMma(64, s4, s4, "");
  checkMma(32, u4, s4, "");
  checkMma(256, b1, b1, ".and.popc");
  checkMma(128, b1, b1, ".xor.popc");
}

TEST(PtxMatrix, RoughMmaStaysWithinItsBound) {
  checkMma(16, f16, f16, "", /*rough=*/true);
}

} // namespace
