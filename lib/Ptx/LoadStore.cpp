//===- LoadStore.cpp - ld, st and prefetch --------------------------------===//

#include "lib/Ptx/Address.h"

#include <cstring>

using namespace mezzo::ptx;

namespace {

/// Ordering, scope and cache operators: this machine has no caches and runs one
/// access after the other, so that all of them are kept.
void takeMemoryModifiers(Decoder &d) {
  while (d.takeOneOf({"weak", "volatile", "relaxed", "acquire", "release",
                      "cta", "gpu", "sys"}) >= 0)
    ;
}

void takeCacheModifiers(Decoder &d) {
  while (d.takeOneOf({"ca", "cg", "cs", "lu", "cv", "wb", "wt", "nc"}) >= 0)
    ;
  while (
      d.takeOneOf({"L1", "L2", "evict_normal", "evict_unchanged", "evict_first",
                   "evict_last", "no_allocate", "64B", "128B", "256B"}) >= 0)
    ;
}

struct Access {
  Space space;
  Type type;
  unsigned count;
};

Access takeAccess(Decoder &d) {
  takeMemoryModifiers(d);
  Access access;
  access.space = takeSpace(d).value_or(Space::Generic);
  takeCacheModifiers(d);
  int vector = d.takeOneOf({"v2", "v4", "v8"});
  access.count = vector < 0 ? 1 : 2u << vector;
  access.type = d.type();
  if (access.count * access.type.width() > 128)
    d.complain("an access of more than 16 bytes");
  d.expectOperands(2);
  return access;
}

/// Finds the places of all active lanes; empty where one fails.
llvm::SmallVector<Place, warpSize> findPlaces(Warp &warp, uint32_t active,
                                              Space space,
                                              const Reader &address,
                                              uint64_t size) {
  llvm::SmallVector<Place, warpSize> places;
  forEachLane(active, [&](unsigned lane) {
    places.push_back(
        findPlace(warp, lane, space, address(warp, lane), size, size));
  });
  if (warp.failed())
    places.clear();
  else
    countAccess(warp, places, size);
  return places;
}

Action decodeLoad(Decoder &d) {
  Access access = takeAccess(d);
  Type type = access.type;
  llvm::SmallVector<int32_t, 8> dst = d.destinations(0);
  Reader address = d.address(1);
  if (dst.size() != access.count)
    return d.complain("as many registers as elements are loaded");
  unsigned bytes = type.bytes();
  return [=](Warp &warp, uint32_t active) {
    auto places =
        findPlaces(warp, active, access.space, address, bytes * access.count);
    const Place *place = places.begin();
    forEachLane(places.empty() ? 0 : active, [&](unsigned lane) {
      uint8_t loaded[16];
      if (!loadBytes(warp, lane, *place++, loaded, bytes * access.count))
        return;
      for (auto [i, reg] : llvm::enumerate(dst)) {
        uint64_t value = 0;
        std::memcpy(&value, loaded + i * bytes, bytes);
        // A wider register: extended as the type says.
        if (type.kind == Type::Signed)
          value = uint64_t(signExtend(value, type.bits));
        if (reg >= 0)
          warp.set(reg, lane,
                   value &
                       maskOf(warp.grid().kernel.registers[reg].type.width()));
      }
    });
  };
}

Action decodeStore(Decoder &d) {
  Access access = takeAccess(d);
  llvm::SmallVector<Reader, 8> sources = d.sources(1, access.type);
  Reader address = d.address(0);
  if (sources.size() != access.count)
    return d.complain("as many values as elements are stored");
  if (access.space == Space::Param || access.space == Space::Const)
    return d.complain("a store to " + nameOf(access.space) + " memory");
  unsigned bytes = access.type.bytes();
  return [=](Warp &warp, uint32_t active) {
    auto places =
        findPlaces(warp, active, access.space, address, bytes * access.count);
    const Place *place = places.begin();
    forEachLane(places.empty() ? 0 : active, [&](unsigned lane) {
      uint8_t stored[16];
      for (auto [i, source] : llvm::enumerate(sources)) {
        uint64_t value = source(warp, lane);
        std::memcpy(stored + i * bytes, &value, bytes);
      }
      storeBytes(warp, lane, *place++, stored, bytes * access.count);
    });
  };
}

/// Nothing to do, but the address has to be one of the space.
Action decodePrefetch(Decoder &d) {
  takeSpace(d);
  d.takeOneOf({"L1", "L2"});
  d.expectOperands(1);
  d.address(0);
  return [](Warp &, uint32_t) {};
}

} // namespace

void mezzo::ptx::addMemory(OpcodeTable &table) {
  table["ld"] = decodeLoad;
  table["ldu"] = decodeLoad;
  table["st"] = decodeStore;
  table["prefetch"] = decodePrefetch;
  table["prefetchu"] = decodePrefetch;
}
