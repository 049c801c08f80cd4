//===- InstructionTest.cpp - Single instructions against their manual -----===//

#include "lib/Number/Half.h"
#include "lib/Ptx/TestKernel.h"

#include "llvm/ADT/bit.h"

#include <cmath>
#include <functional>
#include <random>

using namespace mezzo;
using namespace mezzo::ptx;

namespace {

using Rows = std::vector<std::array<uint64_t, 3>>;
using Reference = std::function<uint64_t(uint64_t, uint64_t, uint64_t)>;

/// Corners and random numbers, three to a row.
Rows integerRows() {
  const uint64_t corners[] = {0,
                              1,
                              2,
                              0x7f,
                              0x80,
                              0xff,
                              0x7fff,
                              0x8000,
                              0xffff,
                              0x7fffffff,
                              0x80000000,
                              0xffffffff,
                              0x7fffffffffffffff,
                              0x8000000000000000,
                              ~0ull};
  Rows rows;
  for (uint64_t a : corners)
    for (uint64_t b : corners)
      rows.push_back({a, b, a ^ (b << 1)});
  std::mt19937_64 random(1);
  for (unsigned i = 0; i < 400; ++i)
    rows.push_back({random(), random(), random()});
  return rows;
}

void check(const std::string &code, const Rows &rows, Reference reference) {
  std::vector<uint64_t> got = evaluate(code, rows);
  for (auto [row, value] : llvm::zip(rows, got))
    ASSERT_EQ(value, reference(row[0], row[1], row[2]))
        << code << std::hex << " of 0x" << row[0] << ", 0x" << row[1] << ", 0x"
        << row[2];
}

/// An instruction on 32-bit operands: `reference` sees their low halves.
void check32(const std::string &instruction, const Rows &rows,
             std::function<uint32_t(uint32_t, uint32_t, uint32_t)> reference) {
  check(instruction + " cvt.u64.u32 %rd0, %r0;", rows,
        [&](uint64_t a, uint64_t b, uint64_t c) {
          return reference(uint32_t(a), uint32_t(b), uint32_t(c));
        });
}

TEST(PtxInteger, Arithmetic) {
  Rows rows = integerRows();
  check32("add.s32 %r0, %r1, %r2;", rows,
          [](auto a, auto b, auto) { return a + b; });
  check32("sub.s32 %r0, %r1, %r2;", rows,
          [](auto a, auto b, auto) { return a - b; });
  check32("add.sat.s32 %r0, %r1, %r2;", rows, [](auto a, auto b, auto) {
    int64_t sum = int64_t(int32_t(a)) + int32_t(b);
    return uint32_t(std::clamp<int64_t>(sum, INT32_MIN, INT32_MAX));
  });
  check32("mul.hi.s32 %r0, %r1, %r2;", rows, [](auto a, auto b, auto) {
    return uint32_t(int64_t(int32_t(a)) * int32_t(b) >> 32);
  });
  check32("mad.lo.s32 %r0, %r1, %r2, %r3;", rows,
          [](auto a, auto b, auto c) { return a * b + c; });
  check("mul.wide.s32 %rd0, %r1, %r2;", rows, [](auto a, auto b, auto) {
    return uint64_t(int64_t(int32_t(a)) * int32_t(b));
  });
  check("mad.wide.u32 %rd0, %r1, %r2, %rd3;", rows, [](auto a, auto b, auto c) {
    return uint64_t(uint32_t(a)) * uint32_t(b) + c;
  });
  check("mul.hi.u64 %rd0, %rd1, %rd2;", rows, [](auto a, auto b, auto) {
    return uint64_t(static_cast<unsigned __int128>(a) * b >> 64);
  });
  check32("min.s32 %r0, %r1, %r2;", rows, [](auto a, auto b, auto) {
    return uint32_t(std::min(int32_t(a), int32_t(b)));
  });
  check32("max.u32 %r0, %r1, %r2;", rows,
          [](auto a, auto b, auto) { return std::max(a, b); });
  check32("rem.u32 %r0, %r1, %r2;", rows,
          [](auto a, auto b, auto) { return b ? a % b : a; });
  check32("dp4a.u32.s32 %r0, %r1, %r2, %r3;", rows, [](auto a, auto b, auto c) {
    for (unsigned i = 0; i < 32; i += 8)
      c += int32_t(a >> i & 0xff) * int8_t(b >> i & 0xff);
    return c;
  });
}

TEST(PtxInteger, Shifts) {
  Rows rows = integerRows();
  for (uint64_t n = 0; n < 70; ++n)
    rows.push_back({0x9234567887654321, n, 0});
  check32("shl.b32 %r0, %r1, %r2;", rows,
          [](auto a, auto n, auto) { return n > 31 ? 0 : a << n; });
  check32("shr.u32 %r0, %r1, %r2;", rows,
          [](auto a, auto n, auto) { return n > 31 ? 0 : a >> n; });
  check32("shr.s32 %r0, %r1, %r2;", rows, [](auto a, auto n, auto) {
    return uint32_t(int32_t(a) >> std::min(n, 31u));
  });
  check32("shf.l.wrap.b32 %r0, %r1, %r3, %r2;", rows,
          [](auto a, auto n, auto c) {
            n &= 31;
            return n ? c << n | a >> (32 - n) : c;
          });
  check32("shf.r.clamp.b32 %r0, %r1, %r3, %r2;", rows,
          [](auto a, auto n, auto c) {
            return n == 0 ? a : n > 31 ? c : a >> n | c << (32 - n);
          });
}

TEST(PtxBits, CountsAndReversal) {
  Rows rows = integerRows();
  check("popc.b64 %r0, %rd1; cvt.u64.u32 %rd0, %r0;", rows,
        [](auto a, auto, auto) { return uint64_t(llvm::popcount(a)); });
  check32("clz.b32 %r0, %r1;", rows,
          [](auto a, auto, auto) { return uint32_t(llvm::countl_zero(a)); });
  check32("brev.b32 %r0, %r1;", rows, [](auto a, auto, auto) {
    uint32_t result = 0;
    for (unsigned i = 0; i < 32; ++i)
      result = result << 1 | (a >> i & 1);
    return result;
  });
}

TEST(PtxBits, EveryTruthTable) {
  Rows rows = {{0b11110000, 0b11001100, 0b10101010}};
  std::string all;
  for (unsigned table = 0; table < 256; ++table) {
    std::vector<uint64_t> got =
        evaluate("lop3.b32 %r0, %r1, %r2, %r3, " + std::to_string(table) +
                     "; and.b32 %r0, %r0, 255; cvt.u64.u32 %rd0, %r0;",
                 rows);
    // Column i of the operands is the number i: the result is the table.
    ASSERT_EQ(got[0], table);
  }
}

TEST(PtxBits, EverySelectorOfPrmt) {
  Rows rows;
  for (uint64_t selector = 0; selector < 65536; ++selector)
    rows.push_back({0x83021100, 0x04857687, selector});
  const uint8_t bytes[] = {0x00, 0x11, 0x02, 0x83, 0x87, 0x76, 0x85, 0x04};
  check32("prmt.b32 %r0, %r1, %r2, %r3;", rows, [&](auto, auto, auto s) {
    uint32_t result = 0;
    for (unsigned i = 0; i < 4; ++i) {
      uint8_t byte = bytes[s >> (4 * i) & 7];
      if (s >> (4 * i) & 8)
        byte = byte & 0x80 ? 0xff : 0;
      result |= uint32_t(byte) << (8 * i);
    }
    return result;
  });
}

TEST(PtxBits, EveryFieldOfBfeAndBfi) {
  Rows rows;
  for (uint64_t position = 0; position < 40; ++position)
    for (uint64_t length = 0; length < 40; ++length)
      for (uint64_t value : {0xdeadbeefull, 0x12345678ull})
        rows.push_back({value, position, length});
  // Bit by bit, as the manual's program does it.
  auto field = [](bool isSigned) {
    return [isSigned](uint32_t a, uint32_t position, uint32_t length) {
      uint32_t last = std::min(position + length - 1, 31u);
      bool sign = isSigned && length != 0 && (a >> last & 1);
      uint32_t result = 0;
      for (unsigned i = 0; i < 32; ++i) {
        bool bit =
            i < length && position + i <= 31 ? a >> (position + i) & 1 : sign;
        result |= uint32_t(bit) << i;
      }
      return result;
    };
  };
  check32("bfe.u32 %r0, %r1, %r2, %r3;", rows, field(false));
  check32("bfe.s32 %r0, %r1, %r2, %r3;", rows, field(true));
  check32("bfi.b32 %r0, %r1, 0x0f0f0f0f, %r2, %r3;", rows,
          [](auto a, auto position, auto length) {
            uint32_t result = 0x0f0f0f0f;
            for (unsigned i = 0; i < length && position + i <= 31; ++i) {
              result &= ~(1u << (position + i));
              result |= (a >> i & 1) << (position + i);
            }
            return result;
          });
}

TEST(PtxBits, PredicatesAndSelection) {
  Rows rows = integerRows();
  check32("setp.lt.s32 %p1|%p2, %r1, %r2; setp.hs.and.u32 %p3, %r1, %r2, %p1;"
          "xor.pred %p4, %p2, %p3; selp.b32 %r0, %r1, %r2, %p4;",
          rows, [](auto a, auto b, auto) {
            bool less = int32_t(a) < int32_t(b);
            return (!less != (a >= b && less)) ? a : b;
          });
}

TEST(PtxConvert, IntegersSaturateAndExtend) {
  Rows rows = integerRows();
  check("cvt.s64.s32 %rd0, %r1;", rows,
        [](auto a, auto, auto) { return uint64_t(int64_t(int32_t(a))); });
  check32("cvt.sat.s8.s32 %r0, %r1;", rows, [](auto a, auto, auto) {
    return uint32_t(std::clamp(int32_t(a), -128, 127));
  });
  check32("cvt.sat.u8.s32 %r0, %r1;", rows, [](auto a, auto, auto) {
    return uint32_t(std::clamp(int32_t(a), 0, 255));
  });
  check32("cvt.s32.s8 %r0, %r1;", rows,
          [](auto a, auto, auto) { return uint32_t(int8_t(a)); });
}

TEST(PtxConvert, EveryF16) {
  Rows rows;
  for (uint64_t bits = 0; bits < 65536; ++bits)
    rows.push_back({bits, 0, 0});
  auto isNan = [](uint64_t bits) { return (bits & 0x7fff) > 0x7c00; };
  check("cvt.f32.f16 %f0, %h1; mov.b32 %r0, %f0; cvt.u64.u32 %rd0, %r0;", rows,
        [&](auto a, auto, auto) -> uint64_t {
          return isNan(a) ? 0x7fffffff : bitsOf(f16ToF32(a));
        });
  check("cvt.f32.f16 %f0, %h1; cvt.rn.f16.f32 %h0, %f0; cvt.u64.u16 %rd0, %h0;",
        rows, [&](auto a, auto, auto) { return isNan(a) ? 0x7fff : a; });
  check("cvt.rni.s32.f16 %r0, %h1; cvt.u64.u32 %rd0, %r0;", rows,
        [&](auto a, auto, auto) -> uint64_t {
          if (isNan(a))
            return 0;
          double value = f16ToF32(a);
          return std::isinf(value) ? (value > 0 ? 0x7fffffffu : 0x80000000u)
                                   : uint32_t(int32_t(std::nearbyint(value)));
        });
}

/// Rounds an exact value to f16 by search among the neighbours: slow, and
/// nothing of it is shared with the interpreter.
uint16_t nearestF16(long double value) {
  long double magnitude = std::fabs(value);
  uint16_t best = 0;
  for (uint16_t step = 0x4000; step; step >>= 1) // The largest not above.
    if (best + step <= 0x7c00 &&
        (long double)f16ToF32(best + step) <= magnitude)
      best += step;
  if (best < 0x7c00) {
    long double low = f16ToF32(best);
    long double high = best == 0x7bff ? 65536.0L : f16ToF32(best + 1);
    long double middle = (low + high) / 2;
    if (magnitude > middle || (magnitude == middle && (best & 1)))
      ++best;
  }
  return best | (std::signbit(value) ? 0x8000 : 0);
}

TEST(PtxFloat, PackedHalvesRoundOnce) {
  std::mt19937_64 random(2);
  Rows rows;
  auto finite = [&] {
    uint64_t bits;
    do
      bits = random() & 0xffff;
    while ((bits & 0x7c00) == 0x7c00);
    return bits;
  };
  for (unsigned i = 0; i < 20000; ++i)
    rows.push_back({finite() << 16 | finite(), finite() << 16 | finite(),
                    finite() << 16 | finite()});
  // A tie that a tiny addend decides: 1 + 2^-11 + 2^-24.
  rows.push_back({0x3c00'3c01, 0x3c00'1000, 0x0001'3c00});
  auto lanes = [](auto f) {
    return [f](uint32_t a, uint32_t b, uint32_t c) {
      uint32_t result = 0;
      for (unsigned i = 0; i < 32; i += 16)
        result |=
            uint32_t(f(f16ToF32(a >> i), f16ToF32(b >> i), f16ToF32(c >> i)))
            << i;
      return result;
    };
  };
  using L = long double; // 64 bits: every sum below is exact but a few.
  check32("fma.rn.f16x2 %r0, %r1, %r2, %r3;", rows, lanes([](L a, L b, L c) {
            L sum = a * b + c;
            return sum == 0 ? uint16_t(std::signbit(a * b) && std::signbit(c)
                                           ? 0x8000
                                           : 0)
                            : nearestF16(sum);
          }));
  check32("mul.f16x2 %r0, %r1, %r2;", rows,
          lanes([](L a, L b, L) { return nearestF16(a * b); }));
}

TEST(PtxFloat, SinglePrecision) {
  std::mt19937_64 random(3);
  Rows rows;
  for (unsigned i = 0; i < 4000; ++i) // No NaN, no infinity.
    rows.push_back(
        {random() & 0xbfffffff, random() & 0xbfffffff, random() & 0xbfffffff});
  std::string load = "mov.b32 %f1, %r1; mov.b32 %f2, %r2; mov.b32 %f3, %r3;";
  std::string store = " mov.b32 %r0, %f0;";
  auto f = [](uint32_t bits) { return floatOf(bits); };
  check32(load + "fma.rn.f32 %f0, %f1, %f2, %f3;" + store, rows,
          [&](auto a, auto b, auto c) {
            return bitsOf(std::fmaf(f(a), f(b), f(c)));
          });
  check32(load + "add.f32 %f0, %f1, %f2;" + store, rows,
          [&](auto a, auto b, auto) { return bitsOf(f(a) + f(b)); });
  check32(load + "div.rn.f32 %f0, %f1, %f2;" + store, rows,
          [&](auto a, auto b, auto) { return bitsOf(f(a) / f(b)); });
  check32(load + "mul.ftz.f32 %f0, %f1, %f2;" + store, rows,
          [&](auto a, auto b, auto) {
            auto flush = [](float x) {
              return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x;
            };
            return bitsOf(flush(flush(f(a)) * flush(f(b))));
          });
  check32(load + "cvt.rn.f16x2.f32 %r0, %f1, %f2;", rows,
          [&](auto a, auto b, auto) {
            return uint32_t(f32ToF16(f(a))) << 16 | f32ToF16(f(b));
          });
  check32(load + "cvt.rn.bf16x2.f32 %r0, %f1, %f2;", rows,
          [&](auto a, auto b, auto) {
            return uint32_t(f32ToBF16(f(a))) << 16 | f32ToBF16(f(b));
          });
}

} // namespace
