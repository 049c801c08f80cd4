//===- CodeMap.cpp - Addresses as sums of tables --------------------------===//

#include "lib/Layout/CodeMap.h"
#include "llvm/ADT/STLExtras.h"
#include <cstring>

using namespace llvm;
using namespace mezzo;

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

// What coordinate x of the axis adds to an address, or Absent.
static int64_t term(const BoundPiece &piece, int axis, int64_t x) {
  if (axis < 0)
    return 0;
  for (const BoundCondition &c : piece.conditions)
    if (c.axis == axis && !c.condition.holds(x))
      return CodeMap::Absent;
  int64_t sum = 0;
  for (const BoundDigit &d : piece.digits)
    if (d.term.axis == axis)
      sum += d.term.value(x) * d.place;
  return sum;
}

std::optional<CodeMap> CodeMap::build(const BoundLayout &bound) {
  int n = bound.axisIndex('n'), g = bound.axisIndex('g'),
      k = bound.axisIndex('k'), b = bound.axisIndex('b');
  if (bound.layout().positional() != 2 || n < 0 || k < 0 || b < 0 ||
      bound.extents().size() != (g < 0 ? 3 : 4) || bound.extent('b') > 8)
    return std::nullopt;
  for (const BoundPiece &piece : bound.pieces())
    for (const BoundDigit &d : piece.digits)
      if (d.isSwizzled())
        return std::nullopt;

  CodeMap map;
  int64_t length = bound.extent('k');
  map.bits = unsigned(bound.extent('b'));
  map.rowCount = bound.extent('n');
  map.columnCount = bound.extent('g') * length;
  for (const BoundPiece &piece : bound.pieces()) {
    PieceMap &p = map.list.emplace_back();
    p.replicas = piece.replicas;
    p.rows.resize(map.rowCount);
    for (int64_t i = 0; i < map.rowCount; ++i) {
      int64_t t = term(piece, n, i);
      p.rows[i] = t == Absent ? Absent : t + piece.base;
    }
    std::vector<int64_t> inGroup(length);
    for (int64_t i = 0; i < length; ++i)
      inGroup[i] = term(piece, k, i);
    p.columns.reserve(map.columnCount);
    for (int64_t group = 0; group < bound.extent('g'); ++group) {
      int64_t start = term(piece, g, group);
      for (int64_t t : inGroup)
        p.columns.push_back(start == Absent || t == Absent ? Absent
                                                           : start + t);
    }
    for (unsigned bit = 0; bit < map.bits; ++bit) {
      int64_t t = term(piece, b, bit);
      if (t == Absent)
        continue;
      if (!p.runs.empty() &&
          p.runs.back().codeBit + p.runs.back().width == bit &&
          p.runs.back().offset + p.runs.back().width == t)
        ++p.runs.back().width;
      else
        p.runs.push_back({bit, 1, t});
    }
  }
  map.findDense();
  return map;
}

void CodeMap::findDense() {
  if (list.size() != 1 || list[0].runs.size() != 1 || list[0].runs[0].offset)
    return;
  const PieceMap &p = list.front();
  denseEights = all_of(p.rows, [](int64_t a) { return a >= 0 && a % 8 == 0; });
  denseRows = denseEights;
  for (int64_t i = 0; i < columnCount && denseEights; ++i) {
    int64_t eight = p.columns[i - i % 8];
    denseEights = eight >= 0 && eight % 8 == 0 &&
                  p.columns[i] == eight + i % 8 * int64_t(bits);
    denseRows &= p.columns[i] == i * int64_t(bits);
  }
  denseRows &= denseEights;
}

//===----------------------------------------------------------------------===//
// By tables
//===----------------------------------------------------------------------===//

void CodeMap::readByTables(ArrayRef<uint8_t> in, int64_t row, int64_t begin,
                           int64_t end, uint8_t *codes) const {
  std::memset(codes, 0, end - begin);
  for (const PieceMap &p : list) {
    int64_t start = p.rows[row];
    if (start == Absent)
      continue;
    for (const Run &run : p.runs) {
      unsigned mask = (1u << run.width) - 1;
      for (int64_t c = begin; c < end; ++c) {
        if (p.columns[c] == Absent)
          continue;
        int64_t at = start + p.columns[c] + run.offset;
        unsigned shift = unsigned(at % 8);
        unsigned field = in[at / 8] >> shift;
        if (shift + run.width > 8)
          field |= unsigned(in[at / 8 + 1]) << (8 - shift);
        codes[c - begin] |= uint8_t((field & mask) << run.codeBit);
      }
    }
  }
}

void CodeMap::write(MutableArrayRef<uint8_t> out, int64_t origin, int64_t row,
                    int64_t begin, int64_t end, const uint8_t *codes) const {
  for (const PieceMap &p : list) {
    if (p.rows[row] == Absent)
      continue;
    for (int64_t replica : p.replicas) {
      int64_t start = p.rows[row] + replica - origin;
      for (const Run &run : p.runs) {
        unsigned mask = (1u << run.width) - 1;
        for (int64_t c = begin; c < end; ++c) {
          if (p.columns[c] == Absent)
            continue;
          int64_t at = start + p.columns[c] + run.offset;
          unsigned shift = unsigned(at % 8);
          unsigned field = (codes[c - begin] >> run.codeBit & mask) << shift;
          out[at / 8] |= uint8_t(field);
          if (shift + run.width > 8)
            out[at / 8 + 1] |= uint8_t(field >> 8);
        }
      }
    }
  }
}

//===----------------------------------------------------------------------===//
// Eight codes at a time
//===----------------------------------------------------------------------===//

// Spreads eight fields of `bits` bits to eight bytes by halving: four fields
// to each half of the word, two to each quarter, one to each byte. For three
// bits, fields named h..a from the top:
//
//     ........hhhgggfffeeedddcccbbbaaa        24 bits
//     hhhgggfffeee  | dddcccbbbaaa            shift the upper half to bit 32
//     hhhggg | fffeee | dddccc | bbbaaa       upper quarters to bits 16, 48
//     hhh|ggg|fff|eee|ddd|ccc|bbb|aaa         one to a byte
static uint64_t spread(uint64_t word, unsigned bits) {
  auto step = [&](uint64_t x, unsigned fields, unsigned lane, uint64_t ones) {
    uint64_t low = ((uint64_t(1) << fields * bits) - 1) * ones;
    return (x & low) | (x << (lane - fields * bits) & (low << lane));
  };
  word = step(word, 4, 32, 1);
  word = step(word, 2, 16, 0x0000000100000001u);
  return step(word, 1, 8, 0x0001000100010001u);
}

template <unsigned Bits>
static void spreadRow(const uint8_t *in, int64_t eights, uint8_t flip,
                      uint8_t *codes) {
  uint64_t flips = flip * 0x0101010101010101u;
  for (int64_t i = 0; i < eights; ++i) {
    uint64_t word = 0;
    std::memcpy(&word, in + i * Bits, Bits);
    word = spread(word, Bits) ^ flips;
    std::memcpy(codes + i * 8, &word, 8);
  }
}

// The compiler makes an interleave of this.
static void spreadNibbles(const uint8_t *__restrict in, int64_t bytes,
                          uint8_t flip, uint8_t *__restrict codes) {
  for (int64_t i = 0; i < bytes; ++i) {
    codes[2 * i] = (in[i] & 15) ^ flip;
    codes[2 * i + 1] = (in[i] >> 4) ^ flip;
  }
}

static void copyBytes(const uint8_t *__restrict in, int64_t bytes, uint8_t flip,
                      uint8_t *__restrict codes) {
  for (int64_t i = 0; i < bytes; ++i)
    codes[i] = in[i] ^ flip;
}

static void spreadDense(const uint8_t *in, int64_t eights, unsigned bits,
                        uint8_t flip, uint8_t *codes) {
  switch (bits) {
  case 1:
    return spreadRow<1>(in, eights, flip, codes);
  case 2:
    return spreadRow<2>(in, eights, flip, codes);
  case 3:
    return spreadRow<3>(in, eights, flip, codes);
  case 4:
    return spreadNibbles(in, eights * 4, flip, codes);
  case 5:
    return spreadRow<5>(in, eights, flip, codes);
  case 6:
    return spreadRow<6>(in, eights, flip, codes);
  case 7:
    return spreadRow<7>(in, eights, flip, codes);
  default:
    return copyBytes(in, eights * 8, flip, codes);
  }
}

void CodeMap::readDense(ArrayRef<uint8_t> in, int64_t row, int64_t begin,
                        int64_t end, uint8_t flip, uint8_t *codes) const {
  const PieceMap &p = list.front();
  const uint8_t *base = in.data() + p.rows[row] / 8;
  if (denseRows)
    return spreadDense(base + begin / 8 * bits, (end - begin) / 8, bits, flip,
                       codes);
  for (int64_t c = begin; c < end; c += 8)
    spreadDense(base + p.columns[c] / 8, 1, bits, flip, codes + (c - begin));
}

void CodeMap::read(ArrayRef<uint8_t> in, int64_t row, int64_t begin,
                   int64_t end, uint8_t flip, uint8_t *codes) const {
  int64_t first = end, last = end;
  if (denseEights) {
    first = std::min(end, (begin + 7) / 8 * 8);
    last = std::max(first, end / 8 * 8);
    readDense(in, row, first, last, flip, codes + (first - begin));
  }
  for (auto [from, to] : {std::pair(begin, first), std::pair(last, end)}) {
    if (from == to)
      continue;
    readByTables(in, row, from, to, codes + (from - begin));
    for (int64_t c = from; c < to && flip; ++c)
      codes[c - begin] ^= flip;
  }
}
