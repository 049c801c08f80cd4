//===- Move.cpp - mov, and addresses between spaces -----------------------===//

#include "lib/Ptx/Address.h"
#include "lib/Ptx/Decode.h"

using namespace mezzo::ptx;

namespace {

/// mov.b64 d, {a, b}: the parts from the least significant on.
Action decodePack(Decoder &d, Type type) {
  unsigned count = d.operand(1).parts.size();
  Type part{Type::Bits, uint8_t(type.width() / count), 1};
  llvm::SmallVector<Reader, 8> parts = d.sources(1, part);
  int32_t dst = d.destination(0);
  return [=](Warp &warp, uint32_t active) {
    forEachLane(active, [&](unsigned lane) {
      uint64_t value = 0;
      for (auto [i, read] : llvm::enumerate(parts))
        value |= read(warp, lane) << (i * part.bits);
      warp.set(dst, lane, value);
    });
  };
}

/// mov.b64 {a, b}, c; a part may be `_`.
Action decodeUnpack(Decoder &d, Type type) {
  unsigned bits = type.width() / d.operand(0).parts.size();
  llvm::SmallVector<int32_t, 8> parts = d.destinations(0);
  Reader source = d.source(1, type);
  return [=](Warp &warp, uint32_t active) {
    forEachLane(active, [&](unsigned lane) {
      uint64_t value = source(warp, lane);
      for (auto [i, part] : llvm::enumerate(parts))
        if (part >= 0)
          warp.set(part, lane, value >> (i * bits) & maskOf(bits));
    });
  };
}

Action decodeMov(Decoder &d) {
  Type type = d.type();
  d.expectOperands(2);
  if (d.operand(1).kind == Operand::Vector)
    return decodePack(d, type);
  if (d.operand(0).kind == Operand::Vector)
    return decodeUnpack(d, type);
  Reader source = type.kind == Type::Pred ? d.predicate(1) : d.source(1, type);
  return unary(d.destination(0), type.width(), source,
               [](uint64_t a) { return a; });
}

/// cvta.to.SPACE: generic to a space; cvta.SPACE: the other way.
Action decodeCvta(Decoder &d) {
  bool to = d.take("to");
  std::optional<Space> space = takeSpace(d);
  if (!space)
    return d.complain("'cvta' needs a space");
  Type type = d.type();
  d.expectOperands(2);
  uint64_t window = windowOf(*space);
  return unary(d.destination(0), 64, d.source(1, type), [=](uint64_t address) {
    return to ? address - window : address + window;
  });
}

} // namespace

void mezzo::ptx::addMoves(OpcodeTable &table) {
  table["mov"] = decodeMov;
  table["cvta"] = decodeCvta;
}
