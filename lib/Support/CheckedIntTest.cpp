//===- CheckedIntTest.cpp -------------------------------------------------===//

#include "lib/Support/CheckedInt.h"

#include "gtest/gtest.h"

#include <random>

using namespace mezzo;

namespace {

// Every operation against 128-bit arithmetic, at random and around the edges.
TEST(CheckedInt, AgreesWithWideArithmetic) {
  std::mt19937_64 random(1);
  std::vector<int64_t> edges = {0,
                                1,
                                2,
                                3,
                                int64_t(1) << 31,
                                INT64_MAX,
                                INT64_MAX - 1,
                                int64_t(1) << 62,
                                3037000499,
                                3037000500,
                                -1,
                                INT64_MIN};
  auto draw = [&]() -> int64_t {
    return random() % 4 == 0 ? edges[random() % edges.size()]
                             : int64_t(random() >> (1 + random() % 63));
  };
  auto fits = [](__int128 value) { return value >= 0 && value <= INT64_MAX; };
  for (int i = 0; i < 200000; ++i) {
    int64_t a = draw(), b = draw();
    bool both = a >= 0 && b >= 0;
    auto check = [&](CheckedInt got, bool legal, __int128 wide) {
      ASSERT_EQ(got.isValid(), both && legal && fits(wide)) << a << " " << b;
      if (got.isValid())
        ASSERT_EQ(*got, int64_t(wide));
    };
    check(CheckedInt(a) + b, true, __int128(a) + b);
    check(CheckedInt(a) - b, true, __int128(a) - b);
    check(CheckedInt(a) * b, true, __int128(a) * b);
    check(CheckedInt(a) / b, b != 0, b ? __int128(a) / b : 0);
    check(CheckedInt(a).ceilDiv(b), b != 0, b ? (__int128(a) + b - 1) / b : 0);
  }
}

TEST(CheckedInt, InvalidPoisons) {
  EXPECT_FALSE((CheckedInt(INT64_MAX) + 1 - 1).isValid());
  EXPECT_FALSE((CheckedInt::invalid() * 0).isValid());
}

TEST(CheckedInt, Product) {
  EXPECT_EQ(*CheckedInt::product({}), 1);
  EXPECT_EQ(*CheckedInt::product({2, 3, 7}), 42);
  EXPECT_EQ(*CheckedInt::product({5, 0, 7}), 0);
  EXPECT_FALSE(CheckedInt::product({2, -1}).isValid());
  int64_t big = int64_t(1) << 40;
  EXPECT_FALSE(CheckedInt::product({big, big}).isValid());
  EXPECT_FALSE(CheckedInt::product({big, 0, big}).isValid());
  EXPECT_FALSE(CheckedInt::product({0, -1}).isValid());
}

TEST(CheckedInt, Message) {
  EXPECT_EQ(llvm::cantFail(CheckedInt(7).get("x")), 7);
  EXPECT_EQ(
      llvm::toString(CheckedInt(-7).get("the tensor 'w'").takeError()),
      "the size of the tensor 'w' is negative or does not fit in 63 bits");
}

} // namespace
