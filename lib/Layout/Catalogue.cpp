//===- Catalogue.cpp - Layouts that have a name ---------------------------===//

#include "lib/Layout/Catalogue.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;
using namespace mezzo;

static Layout read(const Twine &text) {
  return cantFail(Layout::parse(text.str()));
}

//===----------------------------------------------------------------------===//
// Kernel panels
//===----------------------------------------------------------------------===//

// One piece of a panel; all widths share the lanes and what lies outside them.
static std::string panelPiece(StringRef condition, StringRef bit,
                              StringRef line, unsigned rows) {
  return (condition + "bit=" + bit + ", lane=[k:4, n:8], line" + line +
          ", step=[k@4:*], group=[g:*], panel=[n@" + Twine(rows) + ":*]; ")
      .str();
}

Layout mezzo::panel(unsigned bits) {
  assert(bits >= 1 && bits <= 8 && "panels hold codes of 1 to 8 bits");
  switch (bits) {
  case 1:
    return read(panelPiece("", "[b:1, n@8:8]", "=[]", 64));
  case 2:
    return read(panelPiece("", "[b:2, n@8:4]", "=[n@32:2]", 64));
  case 3: // Three vectors hold two fields each; their top two bits, two more.
    return read(panelPiece("n@8:8<6: ", "[b:3, n@8:2]", "(3)=[n@16:3]", 64) +
                panelPiece("n@8:8>=6, b<2: ", "6+[b:2]", "(3)=[n@8:2]", 64) +
                panelPiece("n@8:8>=6, b>=2: ", "6+[n@8:2]", "(3)=2+[]", 64));
  case 4:
    return read(panelPiece("", "[b:4, n@8:2]", "=[n@16:2]", 32));
  case 5: // Five vectors hold one field each and have three bits to spare. Row
          // groups 5, 6, 7 put bits 0-2 into vectors 0-2; groups 5 and 6 put
          // bits 3-4 into vectors 3 and 4, group 7 one bit into each of those.
    return read(panelPiece("n@8:8<5: ", "[b:5]", "(5)=[n@8:5]", 64) +
                panelPiece("n@8:8>=5, b<3: ", "5+[b:3]", "(5)=[n@8:3]", 64) +
                panelPiece("n@8:8>=5, n@8:8<7, b>=3: ", "5+[b:2]",
                           "(5)=3+[n@8:2]", 64) +
                panelPiece("n@8:8>=7, b>=3: ", "7+[]", "(5)=3+[b:2]", 64));
  case 6: // Two spare bits in each of three vectors: a fourth field.
    return read(panelPiece("n@8:4<3: ", "[b:6]", "(3)=[n@8:3]", 32) +
                panelPiece("n@8:4>=3: ", "6+[b:2]", "(3)=[b@2:3]", 32));
  case 7: // One spare bit in each of seven vectors: an eighth field.
    return read(panelPiece("n@8:8<7: ", "[b:7]", "(7)=[n@8:7]", 64) +
                panelPiece("n@8:8>=7: ", "7+[]", "(7)=[b:7]", 64));
  default:
    return read(panelPiece("", "[b:8]", "=[n@8:2]", 16));
  }
}

// Likewise, of a panel of indices: a nibble each for 16 rows and 16 more, or
// for 32 and 32 more.
static std::string lutPiece(StringRef condition, StringRef lane,
                            unsigned stride, StringRef line) {
  return (condition + "bit=[k:4, n@" + Twine(stride) + ":2], lane=" + lane +
          ", line" + line + ", step=[k@4:*], group=[g:*], panel=[n@64:*]; ")
      .str();
}

Layout mezzo::lutPanel(unsigned bits) {
  assert(bits >= 1 && bits <= 4 && "panels of indices hold 1 to 4 bits");
  StringRef planes = "[b:2, n:16]", rows = "[n@16:2, n:16]";
  switch (bits) {
  case 1:
    return read(lutPiece("", rows, 32, "=[]"));
  case 2:
    return read(lutPiece("", planes, 16, "=[n@32:2]"));
  case 3:
    return read(lutPiece("b<2: ", planes, 16, "(3)=[n@32:2]") +
                lutPiece("b>=2: ", rows, 32, "(3)=2+[]"));
  default:
    return read(lutPiece("", planes, 16, "=[b@2:2, n@32:2]"));
  }
}

//===----------------------------------------------------------------------===//
// Formats of other systems
//===----------------------------------------------------------------------===//

Layout mezzo::matMulNBits(unsigned bits, int64_t blockLength) {
  if (8 % bits != 0) {
    if (blockLength == 0)
      return read("bit=[b:" + Twine(bits) + ", k:*], tile=[n:*]");
    return read("bit=[b:" + Twine(bits) + ", k:" + Twine(blockLength) +
                "], block=[k@" + Twine(blockLength) + ":*], tile=[n:*]");
  }
  int64_t perByte = 8 / bits;
  std::string byte = ("bit=[b:" + Twine(bits) + ", k:" + Twine(perByte) +
                      "], line=[k@" + Twine(perByte) + ":")
                         .str();
  if (blockLength == 0)
    return read(byte + "*], tile=[n:*]");
  assert(blockLength % perByte == 0 && "blocks are whole bytes");
  return read(byte + Twine(blockLength / perByte) + "], block=[k@" +
              Twine(blockLength) + ":*], tile=[n:*]");
}

Layout mezzo::flat(unsigned bits) {
  return read("stream=[b:" + Twine(bits) + ", k:*, n:*]");
}

Layout mezzo::gptq(unsigned bits) {
  if (bits == 3) // A stream of 32 codes cut into three words.
    return read("k:32<10:            bit(32)=[b:3, k:10],   column=[n:*], "
                "word(3)=[],   line=[k@32:*];"
                "k:32>=10, k:32<11, b<2:  bit(32)=30+[b:2], column=[n:*], "
                "word(3)=[],   line=[k@32:*];"
                "k:32>=10, k:32<11, b>=2: bit(32)=[],       column=[n:*], "
                "word(3)=1+[], line=[k@32:*];"
                "k:32>=11, k:32<21:  bit(32)=1+[b:3, k:10], column=[n:*], "
                "word(3)=1+[], line=[k@32:*];"
                "k:32>=21, k:32<22, b<1:  bit(32)=31+[],    column=[n:*], "
                "word(3)=1+[], line=[k@32:*];"
                "k:32>=21, k:32<22, b>=1: bit(32)=[b:2],    column=[n:*], "
                "word(3)=2+[], line=[k@32:*];"
                "k:32>=22:           bit(32)=2+[b:3, k:10], column=[n:*], "
                "word(3)=2+[], line=[k@32:*]");
  assert(32 % bits == 0 && "whole codes in a word");
  return read("bit(32)=[b:" + Twine(bits) + ", k:" + Twine(32 / bits) +
              "], column=[n:*], line=[k@" + Twine(32 / bits) + ":*]");
}

Layout mezzo::awq() {
  return read("bit(32)=[b:4, n@2:4, n:2], column=[n@8:*], line=[k:*]");
}

Layout mezzo::lop3() {
  return read("bit(32)=[b:4, k@2:4, k:2], line=[k@8:*], tile=[n:*]");
}

Layout mezzo::ggufQ4_0() {
  return read(
      "bit=[b:4, k@16:2], line(18)=2+[k:16], block=[k@32:*], tile=[n:*]");
}

Layout mezzo::ggufQ4_1() {
  return read(
      "bit=[b:4, k@16:2], line(20)=4+[k:16], block=[k@32:*], tile=[n:*]");
}

Layout mezzo::ggufQ8_0() {
  return read("bit=[b:8], line(34)=2+[k:32], block=[k@32:*], tile=[n:*]");
}

//===----------------------------------------------------------------------===//
// Planes, tables, dense packing
//===----------------------------------------------------------------------===//

Layout mezzo::bitPlanes(unsigned bits) {
  return read("bit=[k:8], line=[k@8:*], plane=[b:" + Twine(bits) +
              "], tile=[n:*]");
}

Layout mezzo::lut2() {
  return read("bit=[k:4, n@8:2], lane=[b:2, n:8], line=[k@4:8, n@16:8], "
              "tile=[k@32:*, n@128:*]");
}

Layout mezzo::lut3() {
  return read("bit=[k:4, n@16:2], lane=[n:16], line=[b:3, k@4:8], "
              "tile=[n@32:*, k@32:*]");
}

Layout mezzo::dense3() {
  return read("bit(32)=[b:3, k:10], line=[k@10:*], tile=[n:*]");
}

Layout mezzo::trit5() {
  return read("byte=radix 3 [k:5], line=[k@5:*], tile=[n:*]");
}

//===----------------------------------------------------------------------===//
// By name
//===----------------------------------------------------------------------===//

std::vector<CatalogueEntry> mezzo::catalogue() {
  std::vector<CatalogueEntry> list;
  auto family = [&](StringRef name, std::initializer_list<unsigned> widths,
                    auto make) {
    for (unsigned bits : widths)
      list.push_back({(name + Twine(bits)).str(), bits, make(bits)});
  };
  auto all = {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u};
  family("panel", all, panel);
  family("lutpanel", {1, 2, 3, 4}, lutPanel);
  family("matmulnbits", all, [](unsigned bits) { return matMulNBits(bits); });
  family("flat", all, flat);
  family("planes", all, bitPlanes);
  family("gptq", {2, 3, 4, 8}, gptq);
  list.push_back({"awq", 4, awq()});
  list.push_back({"lop3", 4, lop3()});
  list.push_back({"lut2", 2, lut2()});
  list.push_back({"lut3", 3, lut3()});
  list.push_back({"dense3", 3, dense3()});
  list.push_back({"trit5", 2, trit5()});
  list.push_back({"q4_0", 4, ggufQ4_0()});
  list.push_back({"q4_1", 4, ggufQ4_1()});
  list.push_back({"q8_0", 8, ggufQ8_0()});
  return list;
}

Expected<Layout> mezzo::layoutByName(StringRef nameOrText) {
  StringRef name = nameOrText.trim();
  for (CatalogueEntry &entry : catalogue())
    if (name == entry.name)
      return std::move(entry.layout);
  // A text has a '='; a bare word is a misspelt name.
  if (name.contains('='))
    return Layout::parse(nameOrText);
  std::string known;
  for (const CatalogueEntry &entry : catalogue())
    known += (known.empty() ? "" : ", ") + entry.name;
  return createStringError(inconvertibleErrorCode(),
                           "no layout is called '" + name +
                               "'; use a text such as \"bit=[b:4, k:2], "
                               "line=[k@2:*], tile=[n:*]\" or one of " +
                               known);
}

//===----------------------------------------------------------------------===//
// What is often left unsaid
//===----------------------------------------------------------------------===//

unsigned mezzo::codeBits(const Layout &layout) {
  for (const CatalogueEntry &entry : catalogue())
    if (entry.layout == layout)
      return entry.bits;
  if (layout.positional() != 2)
    return Log2_32_Ceil(layout.positional());
  int64_t bits = 0;
  for (const Piece &piece : layout.pieces()) {
    int64_t begin = 0, count = 1;
    for (const Space &space : piece.spaces)
      for (const Digit &digit : space.digits)
        if (digit.axis == 'b') {
          if (digit.isRest())
            return 0;
          count *= digit.radix;
        }
    for (const Condition &condition : piece.conditions)
      if (condition.axis == 'b' && condition.stride == 1)
        begin = std::max(begin, condition.lower);
    bits = std::max(bits, begin + count);
  }
  return bits <= 8 ? unsigned(bits) : 0;
}

Extents mezzo::matrixExtents(const Layout &layout, int64_t rows, int64_t groups,
                             int64_t columns, unsigned bits) {
  Extents extents{{'n', rows}};
  if (groups != 1 || layout.mentions('g'))
    extents.push_back({'g', groups});
  extents.push_back({'k', columns});
  extents.push_back({'b', bits});
  return extents;
}
