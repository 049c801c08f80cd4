//===- CatalogueTest.cpp - Named layouts against other people's code ------===//

#include "lib/Layout/Catalogue.h"
#include "lib/Layout/Relayout.h"
#include "gtest/gtest.h"
#include <random>

using namespace llvm;
using namespace mezzo;

namespace {

// Rows and columns that the layouts with fixed blocks take whole.
constexpr int64_t N = 128, K = 192;

Extents extentsOf(const CatalogueEntry &entry, int64_t n, int64_t k) {
  if (entry.layout.mentions('g'))
    return {{'n', n}, {'g', 3}, {'k', k / 3}, {'b', entry.bits}};
  return {{'n', n}, {'k', k}, {'b', entry.bits}};
}

std::vector<uint8_t> randomCodes(int64_t count, unsigned bits) {
  std::mt19937 random(7);
  std::vector<uint8_t> codes(count);
  for (uint8_t &code : codes)
    code = uint8_t(random() & ((1u << bits) - 1));
  return codes;
}

std::vector<uint8_t> packed(const Layout &layout, unsigned bits,
                            ArrayRef<uint8_t> codes, int64_t n, int64_t k) {
  BoundLayout bound = cantFail(layout.bind({{'n', n}, {'k', k}, {'b', bits}}));
  std::vector<uint8_t> out(bound.totalBytes());
  cantFail(pack(bound, codes, out));
  return out;
}

TEST(Catalogue, EveryEntryIsBijectiveAndReadsWhatItWrote) {
  for (const CatalogueEntry &entry : catalogue())
    for (auto [n, k] : {std::pair(N, K), std::pair<int64_t, int64_t>(37, 51)}) {
      SCOPED_TRACE(entry.name);
      BoundLayout bound = cantFail(entry.layout.bind(extentsOf(entry, n, k)));
      std::string reason;
      EXPECT_TRUE(bound.isBijective(&reason)) << reason;
      std::vector<uint8_t> codes = randomCodes(n * k, entry.bits);
      if (entry.layout.positional() == 3)
        for (uint8_t &code : codes)
          code %= 3;
      std::vector<uint8_t> bytes(bound.totalBytes()), back(codes.size());
      ASSERT_FALSE(bool(pack(bound, codes, bytes)));
      ASSERT_FALSE(bool(unpack(bound, bytes, back)));
      EXPECT_EQ(codes, back);
    }
}

TEST(Catalogue, WholeTensorsWasteNothing) {
  for (const CatalogueEntry &entry : catalogue()) {
    StringRef name = entry.name;
    if (name == "dense3" || name == "trit5" || name.starts_with("q"))
      continue;
    BoundLayout bound = cantFail(entry.layout.bind(extentsOf(entry, N, K)));
    EXPECT_EQ(bound.totalBytes(), N * K * entry.bits / 8) << entry.name;
  }
}

TEST(Catalogue, NamesAndTexts) {
  for (const CatalogueEntry &entry : catalogue()) {
    EXPECT_EQ(cantFail(layoutByName(entry.name)), entry.layout);
    EXPECT_EQ(cantFail(layoutByName(entry.layout.str())), entry.layout);
  }
  Expected<Layout> unknown = layoutByName("panel9");
  ASSERT_FALSE(bool(unknown));
  std::string message = toString(unknown.takeError());
  EXPECT_TRUE(StringRef(message).starts_with(
      "no layout is called 'panel9'; use a text such as \"bit=[b:4, "
      "k:2], line=[k@2:*], tile=[n:*]\" or one of panel1, "))
      << message;
}

// Rows of MatMulNBits are little-endian streams, padded to blocks.
TEST(Catalogue, MatMulNBitsPadsToBlocks) {
  for (unsigned bits = 1; bits <= 8; ++bits) {
    BoundLayout b = cantFail(
        matMulNBits(bits, 32).bind({{'n', 3}, {'k', 40}, {'b', bits}}));
    EXPECT_EQ(b.totalBytes(), 3 * 64 * bits / 8);
    EXPECT_EQ(b.bitAddress({2, 39, bits - 1}), (2 * 64 + 39) * bits + bits - 1);
    BoundLayout unpadded =
        cantFail(matMulNBits(bits).bind({{'n', 3}, {'k', 40}, {'b', bits}}));
    EXPECT_EQ(unpadded.totalBytes(), 3 * 40 * bits / 8);
  }
}

// The packing loop of GPTQ's own `pack`, 3 bits, one column at a time.
TEST(Catalogue, Gptq3) {
  constexpr int64_t n = 3, k = 64;
  std::vector<uint8_t> codes = randomCodes(n * k, 3);
  std::vector<uint32_t> words(k / 32 * 3 * n);
  for (int64_t column = 0; column < n; ++column) {
    auto weight = [&](int64_t i) { return uint32_t(codes[column * k + i]); };
    int64_t i = 0, row = 0;
    auto word = [&](int64_t r) -> uint32_t & { return words[r * n + column]; };
    while (i < k) {
      for (int64_t j = i; j < i + 10; ++j)
        word(row) |= weight(j) << (3 * (j - i));
      i += 10;
      word(row) |= weight(i) << 30;
      ++row;
      word(row) |= weight(i) >> 2 & 1;
      ++i;
      for (int64_t j = i; j < i + 10; ++j)
        word(row) |= weight(j) << (3 * (j - i) + 1);
      i += 10;
      word(row) |= weight(i) << 31;
      ++row;
      word(row) |= weight(i) >> 1 & 3;
      ++i;
      for (int64_t j = i; j < i + 10; ++j)
        word(row) |= weight(j) << (3 * (j - i) + 2);
      i += 10;
      ++row;
    }
  }
  std::vector<uint8_t> bytes = packed(gptq(3), 3, codes, n, k);
  ASSERT_EQ(bytes.size(), words.size() * 4);
  for (size_t i = 0; i < bytes.size(); ++i)
    EXPECT_EQ(bytes[i], uint8_t(words[i / 4] >> i % 4 * 8)) << i;
}

TEST(Catalogue, Gptq4AndAwq) {
  constexpr int64_t n = 16, k = 24;
  std::vector<uint8_t> codes = randomCodes(n * k, 4);
  std::vector<uint8_t> g = packed(gptq(4), 4, codes, n, k);
  std::vector<uint8_t> a = packed(awq(), 4, codes, n, k);
  const int64_t order[] = {0, 2, 4, 6, 1, 3, 5, 7};
  auto nibble = [](ArrayRef<uint8_t> bytes, int64_t word, int64_t i) {
    return bytes[word * 4 + i / 2] >> i % 2 * 4 & 15;
  };
  for (int64_t row = 0; row < k / 8; ++row)
    for (int64_t column = 0; column < n; ++column)
      for (int64_t i = 0; i < 8; ++i)
        EXPECT_EQ(nibble(g, row * n + column, i),
                  codes[column * k + row * 8 + i]);
  for (int64_t row = 0; row < k; ++row)
    for (int64_t word = 0; word < n / 8; ++word)
      for (int64_t i = 0; i < 8; ++i)
        EXPECT_EQ(nibble(a, row * (n / 8) + word, i),
                  codes[(word * 8 + order[i]) * k + row]);
}

TEST(Catalogue, GgufBlocks) {
  constexpr int64_t n = 2, k = 64;
  std::vector<uint8_t> codes = randomCodes(n * k, 4);
  std::vector<uint8_t> q4 = packed(ggufQ4_0(), 4, codes, n, k);
  std::vector<uint8_t> q8 = packed(ggufQ8_0(), 8, codes, n, k);
  EXPECT_EQ(q4.size(), 4 * 18u);
  EXPECT_EQ(q8.size(), 4 * 34u);
  EXPECT_EQ(packed(ggufQ4_1(), 4, codes, n, k).size(), 4 * 20u);
  for (int64_t block = 0; block < 4; ++block)
    for (int64_t j = 0; j < 16; ++j) {
      EXPECT_EQ(q4[block * 18 + 2 + j],
                codes[block * 32 + j] | codes[block * 32 + j + 16] << 4);
      EXPECT_EQ(q8[block * 34 + 2 + j], codes[block * 32 + j]);
    }
}

TEST(Catalogue, FiveTritsAreANumber) {
  std::vector<uint8_t> bytes = packed(trit5(), 2, {2, 1, 0, 2, 1, 0, 2}, 1, 7);
  EXPECT_EQ(bytes, (std::vector<uint8_t>{2 + 3 + 2 * 27 + 81, 2 * 3}));
}

TEST(Catalogue, TellsTheBitsOfACode) {
  for (const CatalogueEntry &entry : catalogue())
    EXPECT_EQ(codeBits(entry.layout), entry.bits) << entry.name;
  auto bits = [](StringRef text) {
    return codeBits(cantFail(Layout::parse(text)));
  };
  EXPECT_EQ(bits("bit=[b:3, n:*], line=[k:*]"), 3u);
  EXPECT_EQ(bits("b<2: bit=[b:2], x(2)=[], y=[k:*, n:*];"
                 "b>=2: bit=[b:3], x(2)=1+[], y=[k:*, n:*]"),
            5u);
  EXPECT_EQ(bits("byte=radix 5 [k:3], line=[k@3:*], tile=[n:*]"), 3u);
  EXPECT_EQ(bits("stream=[b:*, k:*, n:*]"), 0u);
}

TEST(Catalogue, APlainMatrixIsOneGroup) {
  using E = Extents;
  EXPECT_EQ(matrixExtents(flat(4), 3, 1, 5, 4),
            (E{{'n', 3}, {'k', 5}, {'b', 4}}));
  EXPECT_EQ(matrixExtents(panel(4), 3, 1, 5, 4),
            (E{{'n', 3}, {'g', 1}, {'k', 5}, {'b', 4}}));
  EXPECT_EQ(matrixExtents(flat(4), 3, 2, 5, 4),
            (E{{'n', 3}, {'g', 2}, {'k', 5}, {'b', 4}}));
}

} // namespace
