//===- Bits.cpp - Logic, shifts, fields and byte permutes -----------------===//

#include "lib/Ptx/Decode.h"

using namespace mezzo::ptx;

namespace {

constexpr Type word32{Type::Bits, 32, 1};

/// A source that may be a predicate.
Reader logical(Decoder &d, unsigned i, Type type) {
  return type.kind == Type::Pred ? d.predicate(i) : d.source(i, type);
}

template <typename F>
Action logic(Decoder &d, F f) {
  Type type = d.type();
  d.expectOperands(3);
  return binary(d.destination(0), type.width(), logical(d, 1, type),
                logical(d, 2, type), f);
}

Action decodeAnd(Decoder &d) {
  return logic(d, [](uint64_t a, uint64_t b) { return a & b; });
}
Action decodeOr(Decoder &d) {
  return logic(d, [](uint64_t a, uint64_t b) { return a | b; });
}
Action decodeXor(Decoder &d) {
  return logic(d, [](uint64_t a, uint64_t b) { return a ^ b; });
}
Action decodeNot(Decoder &d) {
  Type type = d.type();
  d.expectOperands(2);
  return unary(d.destination(0), type.width(), logical(d, 1, type),
               [](uint64_t a) { return ~a; });
}

/// Bit i of the result is bit (a_i b_i c_i) of the truth table.
Action decodeLop3(Decoder &d) {
  d.type();
  d.expectOperands(5);
  uint64_t table = d.operand(4).imm;
  return ternary(d.destination(0), 32, d.source(1, word32), d.source(2, word32),
                 d.source(3, word32),
                 [table](uint64_t a, uint64_t b, uint64_t c) {
                   uint64_t result = 0;
                   for (unsigned row = 0; row < 8; ++row)
                     if (table >> row & 1)
                       result |= (row & 4 ? a : ~a) & (row & 2 ? b : ~b) &
                                 (row & 1 ? c : ~c);
                   return result;
                 });
}

/// Amounts beyond the width shift everything out.
Action decodeShl(Decoder &d) {
  Type type = d.type();
  d.expectOperands(3);
  return binary(d.destination(0), type.bits, d.source(1, type),
                d.source(2, word32),
                [bits = type.bits](uint64_t a, uint64_t n) {
                  return n >= bits ? 0 : a << n;
                });
}

Action decodeShr(Decoder &d) {
  Type type = d.type();
  d.expectOperands(3);
  bool arithmetic = type.kind == Type::Signed;
  return binary(d.destination(0), type.bits, d.source(1, type),
                d.source(2, word32),
                [bits = type.bits, arithmetic](uint64_t a, uint64_t n) {
                  if (arithmetic)
                    return uint64_t(signExtend(a, bits) >>
                                    std::min<uint64_t>(n, bits - 1));
                  return n >= bits ? 0 : a >> n;
                });
}

/// shf.{l,r}.{clamp,wrap}.b32 d, a, b, c: the 64 bits b:a, shifted by c.
Action decodeShf(Decoder &d) {
  bool left = d.take("l");
  if (!left && !d.take("r"))
    return d.complain("'shf' needs '.l' or '.r'");
  bool wrap = d.take("wrap");
  if (!wrap && !d.take("clamp"))
    return d.complain("'shf' needs '.clamp' or '.wrap'");
  d.type();
  d.expectOperands(4);
  return ternary(d.destination(0), 32, d.source(1, word32), d.source(2, word32),
                 d.source(3, word32),
                 [=](uint64_t low, uint64_t high, uint64_t n) {
                   n = wrap ? n & 31 : std::min<uint64_t>(n, 32);
                   uint64_t both = high << 32 | low;
                   return left ? both << n >> 32 : both >> n;
                 });
}

/// bfe d, a, position, length. Beyond the top bit the result is filled with
/// zeros, or with the sign of the field.
Action decodeBfe(Decoder &d) {
  Type type = d.type();
  d.expectOperands(4);
  bool isSigned = type.kind == Type::Signed;
  return ternary(
      d.destination(0), type.bits, d.source(1, type), d.source(2, word32),
      d.source(3, word32),
      [isSigned, bits = unsigned(type.bits)](uint64_t a, uint64_t position,
                                             uint64_t length) {
        position &= 0xff;
        length &= 0xff;
        uint64_t field = position >= bits ? 0 : a >> position;
        field &= maskOf(std::min<uint64_t>(length, bits));
        if (!isSigned || length == 0)
          return field;
        uint64_t signBit = std::min<uint64_t>(position + length - 1, bits - 1);
        if (!(a >> signBit & 1))
          return field;
        uint64_t held =
            std::min<uint64_t>(length, position >= bits ? 0 : bits - position);
        return field | ~maskOf(held);
      });
}

/// bfi f, a, b, position, length: b with a's low bits in its middle.
Action decodeBfi(Decoder &d) {
  Type type = d.type();
  d.expectOperands(5);
  int32_t dst = d.destination(0);
  Reader a = d.source(1, type), b = d.source(2, type),
         position = d.source(3, word32), length = d.source(4, word32);
  return [=, bits = unsigned(type.bits)](Warp &warp, uint32_t active) {
    forEachLane(active, [&](unsigned lane) {
      uint64_t at = position(warp, lane) & 0xff;
      uint64_t mask = maskOf(std::min<uint64_t>(length(warp, lane) & 0xff, 64));
      mask = at >= bits ? 0 : mask << at & maskOf(bits);
      uint64_t value = at >= bits ? 0 : a(warp, lane) << at;
      warp.set(dst, lane, (b(warp, lane) & ~mask) | (value & mask));
    });
  };
}

template <typename F>
Action count(Decoder &d, F f) {
  Type type = d.type();
  d.expectOperands(2);
  return unary(d.destination(0), 32, d.source(1, type),
               [f, bits = unsigned(type.bits)](uint64_t a) {
                 return uint64_t(f(a, bits));
               });
}

Action decodePopc(Decoder &d) {
  return count(d, [](uint64_t a, unsigned) { return llvm::popcount(a); });
}
Action decodeClz(Decoder &d) {
  return count(d, [](uint64_t a, unsigned bits) {
    return llvm::countl_zero(a) - int(64 - bits);
  });
}
Action decodeBrev(Decoder &d) {
  Type type = d.type();
  d.expectOperands(2);
  return unary(d.destination(0), type.bits, d.source(1, type),
               [bits = unsigned(type.bits)](uint64_t a) {
                 uint64_t result = 0;
                 for (unsigned i = 0; i < bits; ++i)
                   result |= (a >> i & 1) << (bits - 1 - i);
                 return result;
               });
}

/// prmt d, a, b, selector: four of the eight bytes b:a; a selector's top bit
/// replicates the byte's sign.
Action decodePrmt(Decoder &d) {
  d.type();
  d.expectOperands(4);
  return ternary(d.destination(0), 32, d.source(1, word32), d.source(2, word32),
                 d.source(3, word32),
                 [](uint64_t a, uint64_t b, uint64_t selector) {
                   uint64_t bytes = b << 32 | a, result = 0;
                   for (unsigned i = 0; i < 4; ++i) {
                     unsigned pick = selector >> (4 * i) & 0xf;
                     uint64_t byte = bytes >> (8 * (pick & 7)) & 0xff;
                     if (pick & 8)
                       byte = byte & 0x80 ? 0xff : 0;
                     result |= byte << (8 * i);
                   }
                   return result;
                 });
}

} // namespace

void mezzo::ptx::addBits(OpcodeTable &table) {
  table["and"] = decodeAnd;
  table["or"] = decodeOr;
  table["xor"] = decodeXor;
  table["not"] = decodeNot;
  table["lop3"] = decodeLop3;
  table["shl"] = decodeShl;
  table["shr"] = decodeShr;
  table["shf"] = decodeShf;
  table["bfe"] = decodeBfe;
  table["bfi"] = decodeBfi;
  table["popc"] = decodePopc;
  table["clz"] = decodeClz;
  table["brev"] = decodeBrev;
  table["prmt"] = decodePrmt;
}
