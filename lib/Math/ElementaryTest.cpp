//===- ElementaryTest.cpp - ulp bounds and special values -----------------===//

#include "lib/Math/Elementary.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using namespace mezzo;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();
const float nan = std::numeric_limits<float>::quiet_NaN();

float fromBits(uint32_t bits) {
  ScalarOps o;
  return o.asFloat(int32_t(bits));
}

uint32_t toBits(float x) {
  ScalarOps o;
  return uint32_t(o.asInt(x));
}

/// |y - exact| in units of the spacing of floats around `exact`.
double ulps(float y, double exact) {
  if (std::isnan(exact))
    return std::isnan(y) ? 0 : HUGE_VAL;
  const float nearest = float(exact);
  if (std::isinf(nearest) || std::isinf(y))
    return y == nearest ? 0 : HUGE_VAL;
  const int exponent = exact == 0 ? -126 : std::max(std::ilogb(exact), -126);
  return std::fabs(y - exact) / std::ldexp(1.0, exponent - 23);
}

/// Runs over every `stride`-th bit pattern, NaNs included, and holds the
/// largest error against `bound`. 251 is prime to all periods that floats have.
template <typename Function, typename Exact>
void checkUlps(Function f, Exact exact, double bound, uint32_t stride = 251,
               float limit = inf) {
  double worst = 0;
  float at = 0;
  for (uint64_t bits = 0; bits < (uint64_t(1) << 32); bits += stride) {
    const float x = fromBits(uint32_t(bits));
    if (std::fabs(x) > limit)
      continue;
    const double error = ulps(f(x), exact(double(x)));
    if (error > worst) {
      worst = error;
      at = x;
    }
  }
  ::testing::Test::RecordProperty("worst_ulps", std::to_string(worst));
  EXPECT_LE(worst, bound) << "at x = " << at;
  EXPECT_GT(worst, 0.4) << "no rounding error at all: the check is broken";
}

TEST(Elementary, ExpWithinOneUlp) {
  checkUlps(elementary::exp, [](double x) { return std::exp(x); }, 1.0);
}

TEST(Elementary, LogWithinOneUlp) {
  checkUlps(elementary::log, [](double x) { return std::log(x); }, 1.0);
}

TEST(Elementary, SigmoidWithinTwoAndAHalfUlps) {
  checkUlps(
      elementary::sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, 2.5,
      503);
}

TEST(Elementary, TanhWithinOneAndAHalfUlps) {
  checkUlps(elementary::tanh, [](double x) { return std::tanh(x); }, 1.5, 503);
}

TEST(Elementary, ErfWithinOneUlp) {
  checkUlps(elementary::erf, [](double x) { return std::erf(x); }, 1.0, 503);
}

TEST(Elementary, SinAndCosWithinTwoUlpsUpTo2To20) {
  checkUlps(
      elementary::sin, [](double x) { return std::sin(x); }, 2.0, 503, 0x1p20f);
  checkUlps(
      elementary::cos, [](double x) { return std::cos(x); }, 2.0, 503, 0x1p20f);
}

// Angles next to multiples of pi/2, where the reduction cancels most.
TEST(Elementary, SinAndCosNextToTheirZeros) {
  for (int n = 1; n < 660000; n += 7) {
    float x = float(n * 1.5707963267948966);
    if (x > 0x1p20f)
      break;
    ASSERT_LE(ulps(elementary::sin(x), std::sin(double(x))), 2.0) << x;
    ASSERT_LE(ulps(elementary::cos(x), std::cos(double(x))), 2.0) << x;
  }
}

TEST(Elementary, ExpSpecials) {
  EXPECT_EQ(elementary::exp(0.0f), 1.0f);
  EXPECT_EQ(elementary::exp(-0.0f), 1.0f);
  EXPECT_EQ(elementary::exp(inf), inf);
  EXPECT_EQ(toBits(elementary::exp(-inf)), 0u);
  EXPECT_TRUE(std::isnan(elementary::exp(nan)));
  EXPECT_TRUE(std::isnan(elementary::exp(-nan)));
  // The last finite result and the first that is not.
  EXPECT_EQ(elementary::exp(0x1.62e42ep+6f), 0x1.ffff08p127f);
  EXPECT_EQ(elementary::exp(0x1.62e430p+6f), inf);
  // The smallest subnormal, and the first argument that gives 0.
  EXPECT_EQ(elementary::exp(-103.9f), 0x1p-149f);
  EXPECT_EQ(elementary::exp(-0x1.9fe368p+6f), 0x1p-149f);
  EXPECT_EQ(elementary::exp(-0x1.9fe36ap+6f), 0.0f);
}

TEST(Elementary, LogSpecials) {
  EXPECT_EQ(toBits(elementary::log(1.0f)), 0u);
  EXPECT_EQ(elementary::log(0.0f), -inf);
  EXPECT_EQ(elementary::log(-0.0f), -inf);
  EXPECT_EQ(elementary::log(inf), inf);
  EXPECT_TRUE(std::isnan(elementary::log(nan)));
  EXPECT_TRUE(std::isnan(elementary::log(-1.0f)));
  EXPECT_TRUE(std::isnan(elementary::log(-0x1p-149f)));
  EXPECT_TRUE(std::isnan(elementary::log(-inf)));
  EXPECT_EQ(elementary::log(0x1p-149f), float(std::log(0x1p-149)));
}

TEST(Elementary, OddFunctionsKeepSignAndSaturate) {
  float (*const odd[])(float) = {elementary::tanh, elementary::erf};
  for (auto f : odd) {
    EXPECT_EQ(toBits(f(0.0f)), 0u);
    EXPECT_EQ(toBits(f(-0.0f)), 0x80000000u);
    EXPECT_EQ(f(inf), 1.0f);
    EXPECT_EQ(f(-inf), -1.0f);
    EXPECT_TRUE(std::isnan(f(nan)));
    for (uint32_t bits = 0; bits < 0x7f800000; bits += 65521) {
      const float x = fromBits(bits), y = f(x);
      ASSERT_LE(y, 1.0f) << x;
      ASSERT_EQ(f(-x), -y) << x;
    }
  }
}

TEST(Elementary, SigmoidSpecials) {
  EXPECT_EQ(elementary::sigmoid(0.0f), 0.5f);
  EXPECT_EQ(elementary::sigmoid(inf), 1.0f);
  EXPECT_EQ(elementary::sigmoid(-inf), 0.0f);
  EXPECT_TRUE(std::isnan(elementary::sigmoid(nan)));
  // Where 1 + e^-x alone would overflow, the result is subnormal, not 0.
  EXPECT_LE(ulps(elementary::sigmoid(-100.0f), std::exp(-100.0)), 1.0);
}

TEST(Elementary, SinAndCosSpecials) {
  EXPECT_EQ(toBits(elementary::sin(0.0f)), 0u);
  EXPECT_EQ(toBits(elementary::sin(-0.0f)), 0x80000000u);
  EXPECT_EQ(elementary::cos(-0.0f), 1.0f);
  for (float x : {inf, -inf, nan, 0x1.000002p20f, -0x1p30f}) {
    EXPECT_TRUE(std::isnan(elementary::sin(x))) << x;
    EXPECT_TRUE(std::isnan(elementary::cos(x))) << x;
  }
}

/// The algebra of a code generator in miniature: operations are recorded, and
/// run later. Whatever a program does outside of its algebra (a branch on a
/// value, a float operation of C++) could not be recorded.
struct TapeOps {
  struct Value {
    int slot;
  };
  struct Int {
    int slot;
  };
  struct Bool {
    int slot;
  };
  struct Step {
    char op;
    int a, b, c;
    uint32_t bits;
  };
  std::vector<Step> tape;

  int push(char op, int a = 0, int b = 0, int c = 0, uint32_t bits = 0) {
    tape.push_back({op, a, b, c, bits});
    return int(tape.size()) - 1;
  }
  Value argument() { return {push('x')}; }
  Value constant(float x) { return {push('k', 0, 0, 0, toBits(x))}; }
  Int integer(int32_t x) { return {push('k', 0, 0, 0, uint32_t(x))}; }
  Value add(Value a, Value b) { return {push('+', a.slot, b.slot)}; }
  Value sub(Value a, Value b) { return {push('-', a.slot, b.slot)}; }
  Value mul(Value a, Value b) { return {push('*', a.slot, b.slot)}; }
  Value div(Value a, Value b) { return {push('/', a.slot, b.slot)}; }
  Value fma(Value a, Value b, Value c) {
    return {push('f', a.slot, b.slot, c.slot)};
  }
  Value neg(Value a) { return {push('n', a.slot)}; }
  Value abs(Value a) { return {push('a', a.slot)}; }
  Bool lessThan(Value a, Value b) { return {push('<', a.slot, b.slot)}; }
  Value select(Bool c, Value a, Value b) {
    return {push('?', c.slot, a.slot, b.slot)};
  }
  Int iadd(Int a, Int b) { return {push('p', a.slot, b.slot)}; }
  Int isub(Int a, Int b) { return {push('m', a.slot, b.slot)}; }
  Int iand(Int a, Int b) { return {push('&', a.slot, b.slot)}; }
  Int ior(Int a, Int b) { return {push('|', a.slot, b.slot)}; }
  Int ishl(Int a, unsigned n) { return {push('l', a.slot, 0, 0, n)}; }
  Int isar(Int a, unsigned n) { return {push('r', a.slot, 0, 0, n)}; }
  Bool iequal(Int a, Int b) { return {push('=', a.slot, b.slot)}; }
  Int asInt(Value a) { return {a.slot}; }
  Value asFloat(Int a) { return {a.slot}; }

  float run(float x) const {
    std::vector<uint32_t> slots;
    ScalarOps o;
    for (const Step &s : tape) {
      auto f = [&](int i) { return fromBits(slots[i]); };
      auto n = [&](int i) { return int32_t(slots[i]); };
      uint32_t r = 0;
      switch (s.op) {
      case 'x':
        r = toBits(x);
        break;
      case 'k':
        r = s.bits;
        break;
      case '+':
        r = toBits(o.add(f(s.a), f(s.b)));
        break;
      case '-':
        r = toBits(o.sub(f(s.a), f(s.b)));
        break;
      case '*':
        r = toBits(o.mul(f(s.a), f(s.b)));
        break;
      case '/':
        r = toBits(o.div(f(s.a), f(s.b)));
        break;
      case 'f':
        r = toBits(o.fma(f(s.a), f(s.b), f(s.c)));
        break;
      case 'n':
        r = toBits(o.neg(f(s.a)));
        break;
      case 'a':
        r = toBits(o.abs(f(s.a)));
        break;
      case '<':
        r = o.lessThan(f(s.a), f(s.b));
        break;
      case '?':
        r = slots[slots[s.a] ? s.b : s.c];
        break;
      case 'p':
        r = uint32_t(o.iadd(n(s.a), n(s.b)));
        break;
      case 'm':
        r = uint32_t(o.isub(n(s.a), n(s.b)));
        break;
      case '&':
        r = uint32_t(o.iand(n(s.a), n(s.b)));
        break;
      case '|':
        r = uint32_t(o.ior(n(s.a), n(s.b)));
        break;
      case 'l':
        r = uint32_t(o.ishl(n(s.a), s.bits));
        break;
      case 'r':
        r = uint32_t(o.isar(n(s.a), s.bits));
        break;
      case '=':
        r = o.iequal(n(s.a), n(s.b));
        break;
      }
      slots.push_back(r);
    }
    return fromBits(slots.back());
  }
};

template <typename Program>
void checkTape(Program program, float (*direct)(float)) {
  TapeOps tape;
  auto result = program(tape, tape.argument());
  ASSERT_EQ(result.slot, int(tape.tape.size()) - 1);
  for (uint64_t bits = 0; bits < (uint64_t(1) << 32); bits += 1000003) {
    const float x = fromBits(uint32_t(bits));
    const float y = tape.run(x), expected = direct(x);
    if (!std::isnan(y) || !std::isnan(expected))
      ASSERT_EQ(toBits(y), toBits(expected)) << x;
  }
}

TEST(Elementary, EveryProgramCanBeRecordedAndRunsToTheSameBits) {
  checkTape([](auto &o, auto x) { return expProgram(o, x); }, elementary::exp);
  checkTape([](auto &o, auto x) { return logProgram(o, x); }, elementary::log);
  checkTape([](auto &o, auto x) { return sigmoidProgram(o, x); },
            elementary::sigmoid);
  checkTape([](auto &o, auto x) { return tanhProgram(o, x); },
            elementary::tanh);
  checkTape([](auto &o, auto x) { return erfProgram(o, x); }, elementary::erf);
  checkTape([](auto &o, auto x) { return sincosProgram(o, x, false); },
            elementary::sin);
  checkTape([](auto &o, auto x) { return sincosProgram(o, x, true); },
            elementary::cos);
}

} // namespace
