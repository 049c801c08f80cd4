//===- AsyncCopy.cpp - cp.async and its groups ----------------------------===//
//
// A copy happens as late as it may: its bytes are read and written when its
// group is waited for, and until then the destination must not be touched. The
// wait makes them visible to the thread that waited; the others need a barrier
// after it, which Memory.h's epochs see to.
//
//===----------------------------------------------------------------------===//

#include "lib/Ptx/Address.h"

using namespace mezzo::ptx;

namespace {

Action decodeCopy(Decoder &d) {
  bool bypass = d.take("cg");
  if (!bypass && !d.take("ca"))
    return d.complain("'cp.async' needs '.ca' or '.cg'");
  if (takeSpace(d) != Space::Shared || takeSpace(d) != Space::Global)
    return d.complain("'cp.async' goes from global to shared memory");
  if (d.take("L2"))
    d.takeOneOf({"64B", "128B", "256B"});
  d.expectOperands(3, 4);
  uint64_t size = d.operand(2).imm;
  if (d.operand(2).kind != Operand::Immediate ||
      (size != 16 && (bypass || (size != 4 && size != 8))))
    return d.complain(bypass ? "'cp.async.cg' copies 16 bytes"
                             : "'cp.async.ca' copies 4, 8 or 16 bytes");
  Reader to = d.address(0), from = d.address(1);
  // Bytes of the source; the rest of the destination is zeros.
  Reader given = d.operandCount() == 4
                     ? d.source(3, {Type::Bits, 32, 1})
                     : Reader([size](const Warp &, unsigned) { return size; });
  return [=](Warp &warp, uint32_t active) {
    llvm::SmallVector<Place, warpSize> sources, destinations;
    forEachLane(active, [&](unsigned lane) {
      AsyncCopy copy;
      copy.size = size;
      copy.sourceSize = given(warp, lane);
      if (copy.sourceSize > size)
        return warp.fail(lane, "cp.async of more source bytes than " +
                                   llvm::Twine(size));
      Place place =
          findPlace(warp, lane, Space::Shared, to(warp, lane), size, size);
      if (!place)
        return;
      copy.destination = place.offset;
      destinations.push_back(place);
      if (copy.sourceSize > 0) {
        Place source = findPlace(warp, lane, Space::Global, from(warp, lane),
                                 copy.sourceSize, size);
        if (!source)
          return;
        copy.from = source.memory;
        copy.source = source.offset;
        sources.push_back(source);
      }
      if (std::string problem =
              place.memory->beginCopy(place.offset, size, warp.actor(lane));
          !problem.empty())
        return warp.fail(lane, "shared memory: " + problem);
      warp.openGroup[lane].push_back(copy);
    });
    if (warp.failed())
      return;
    countAccess(warp, sources, size);
    countAccess(warp, destinations, size);
  };
}

void commit(Warp &warp, unsigned lane) {
  warp.copies[lane].push_back(std::move(warp.openGroup[lane]));
  warp.openGroup[lane].clear();
  uint64_t &most = warp.grid().report.mostCopyGroups;
  most = std::max<uint64_t>(most, warp.copies[lane].size());
}

Action decodeCp(Decoder &d) {
  if (!d.take("async"))
    return d.complain("only 'cp.async' is known");
  if (d.take("commit_group")) {
    d.expectOperands(0);
    return [](Warp &warp, uint32_t active) {
      forEachLane(active, [&](unsigned lane) { commit(warp, lane); });
    };
  }
  if (d.take("wait_group")) {
    d.expectOperands(1);
    return [remaining = d.operand(0).imm](Warp &warp, uint32_t active) {
      forEachLane(active,
                  [&](unsigned lane) { warp.finishCopies(lane, remaining); });
    };
  }
  if (d.take("wait_all")) {
    d.expectOperands(0);
    return [](Warp &warp, uint32_t active) {
      forEachLane(active, [&](unsigned lane) {
        commit(warp, lane);
        warp.finishCopies(lane, 0);
      });
    };
  }
  return decodeCopy(d);
}

} // namespace

void mezzo::ptx::addCopies(OpcodeTable &table) { table["cp"] = decodeCp; }
