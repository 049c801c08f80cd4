//===- Atomic.cpp - atom and red ------------------------------------------===//

#include "lib/Ptx/Address.h"
#include "lib/Ptx/FloatMath.h"

#include <cstring>

using namespace mezzo::ptx;

namespace {

enum class Update { Add, Min, Max, And, Or, Xor, Exch, Cas, Inc, Dec };

uint64_t update(Update op, uint64_t old, uint64_t b, uint64_t c, Type type) {
  switch (op) {
  case Update::Add:
    if (!type.isFloat())
      return old + b;
    {
      double x = toDouble(old, type), y = toDouble(b, type);
      return fromDouble(type.bits == 64 ? x + y : sumToOdd(x, y), type);
    }
  case Update::Min:
  case Update::Max: {
    bool less = type.kind == Type::Signed
                    ? signExtend(b, type.bits) < signExtend(old, type.bits)
                    : b < old;
    return less == (op == Update::Min) ? b : old;
  }
  case Update::And:
    return old & b;
  case Update::Or:
    return old | b;
  case Update::Xor:
    return old ^ b;
  case Update::Exch:
    return b;
  case Update::Cas:
    return old == b ? c : old;
  case Update::Inc:
    return old >= b ? 0 : old + 1;
  case Update::Dec:
    return old == 0 || old > b ? b : old - 1;
  }
  llvm_unreachable("unknown update");
}

/// atom.global.add.u32 d, [a], b; red has no d. Lanes go one after the other in
/// a random order.
Action decodeAtomic(Decoder &d) {
  bool returns = d.opcode() == "atom";
  auto takeOrder = [&] {
    while (d.takeOneOf({"relaxed", "acquire", "release", "acq_rel", "cta",
                        "gpu", "sys"}) >= 0)
      ;
  };
  takeOrder();
  Space space = takeSpace(d).value_or(Space::Generic);
  takeOrder();
  int op = d.takeOneOf(
      {"add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"});
  if (op < 0)
    return d.complain("unknown atomic update '." + d.peekWord() + "'");
  d.take("noftz");
  Type type = d.type();
  if (type.lanes == 2)
    return d.complain("atomic updates of packed floats are not known");
  bool cas = Update(op) == Update::Cas;
  unsigned first = returns ? 1 : 0;
  d.expectOperands(first + 2 + cas);
  int32_t dst = returns ? d.destinationOrSink(d.operand(0)) : -1;
  Reader address = d.address(first);
  Reader b = d.source(first + 1, type);
  Reader c = cas ? d.source(first + 2, type) : b;
  return [=](Warp &warp, uint32_t active) {
    llvm::SmallVector<unsigned, warpSize> order;
    forEachLane(active, [&](unsigned lane) { order.push_back(lane); });
    std::shuffle(order.begin(), order.end(), warp.grid().random);
    for (unsigned lane : order) {
      Place place = findPlace(warp, lane, space, address(warp, lane),
                              type.bytes(), type.bytes());
      if (!place)
        return;
      uint64_t old = 0;
      uint8_t *bytes = place.plain;
      if (place.memory) {
        std::string problem = place.memory->touchAtomic(
            place.offset, type.bytes(), warp.actor(lane));
        if (!problem.empty())
          return warp.fail(lane, nameOf(place.space) + " memory: " + problem);
        bytes = place.memory->at(place.offset);
      }
      std::memcpy(&old, bytes, type.bytes());
      uint64_t now =
          update(Update(op), old, b(warp, lane), c(warp, lane), type);
      std::memcpy(bytes, &now, type.bytes());
      if (dst >= 0)
        warp.set(dst, lane, old);
    }
  };
}

} // namespace

void mezzo::ptx::addAtomics(OpcodeTable &table) {
  table["atom"] = decodeAtomic;
  table["red"] = decodeAtomic;
}
