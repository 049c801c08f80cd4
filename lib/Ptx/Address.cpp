//===- Address.cpp - From an address to bytes -----------------------------===//

#include "lib/Ptx/Address.h"

#include "llvm/ADT/StringExtras.h"

#include <cstring>
#include <set>

using namespace mezzo::ptx;

std::optional<Space> mezzo::ptx::takeSpace(Decoder &d) {
  for (Space space :
       {Space::Global, Space::Shared, Space::Local, Space::Param, Space::Const})
    if (d.take(nameOf(space))) {
      if (space == Space::Shared)
        d.take("cta"); // .shared::cta, the only kind there is here.
      return space;
    }
  return std::nullopt;
}

uint64_t mezzo::ptx::windowOf(Space space) {
  return space == Space::Shared  ? sharedWindow
         : space == Space::Local ? localWindow
                                 : 0;
}

/// The space that a generic address lies in; `address` becomes its own.
static Space resolveGeneric(uint64_t &address) {
  for (Space space : {Space::Shared, Space::Local})
    if (uint64_t window = windowOf(space);
        address >= window && address - window < windowSize) {
      address -= window;
      return space;
    }
  return Space::Global;
}

Place mezzo::ptx::findPlace(Warp &warp, unsigned lane, Space space,
                            uint64_t address, uint64_t size, uint64_t align) {
  uint64_t full = address;
  if (space == Space::Generic)
    space = resolveGeneric(address);
  auto fail = [&](const llvm::Twine &what) {
    warp.fail(lane, nameOf(space) + " address 0x" + llvm::utohexstr(full) +
                        ", " + llvm::Twine(size) + " bytes: " + what);
    return Place{};
  };
  if (align > 1 && address % align != 0)
    return fail("not aligned to " + llvm::Twine(align) + " bytes");
  auto within = [&](uint64_t extent) {
    return address <= extent && size <= extent - address;
  };
  Place place;
  place.space = space;
  Grid &grid = warp.grid();
  switch (space) {
  case Space::Shared:
    if (!within(warp.block->shared.size()))
      return fail("outside the block's " +
                  llvm::Twine(warp.block->shared.size()) +
                  " bytes of shared memory");
    place.memory = &warp.block->shared;
    place.offset = address;
    return place;
  case Space::Local:
    if (!within(grid.kernel.localBytes))
      return fail("outside the thread's " +
                  llvm::Twine(grid.kernel.localBytes) +
                  " bytes of local memory");
    place.plain = warp.local[lane].data() + address;
    return place;
  case Space::Param:
    if (!within(grid.params.size()))
      return fail("outside the " + llvm::Twine(grid.params.size()) +
                  " bytes of parameters");
    place.plain = const_cast<uint8_t *>(grid.params.data()) + address;
    return place;
  case Space::Global:
  case Space::Const:
  case Space::Generic:
    place.memory = grid.memory.find(address, size, place.offset);
    if (!place.memory)
      return fail(grid.memory.describe(address));
    return place;
  }
  llvm_unreachable("unknown space");
}

bool mezzo::ptx::loadBytes(Warp &warp, unsigned lane, const Place &place,
                           void *into, uint64_t size) {
  if (place.plain) {
    std::memcpy(into, place.plain, size);
    return true;
  }
  std::string problem =
      place.memory->load(place.offset, into, size, warp.actor(lane));
  if (!problem.empty())
    warp.fail(lane, nameOf(place.space) + " memory: " + problem);
  return problem.empty();
}

bool mezzo::ptx::storeBytes(Warp &warp, unsigned lane, const Place &place,
                            const void *from, uint64_t size) {
  if (place.plain) {
    std::memcpy(place.plain, from, size);
    return true;
  }
  std::string problem =
      place.memory->store(place.offset, from, size, warp.actor(lane));
  if (!problem.empty())
    warp.fail(lane, nameOf(place.space) + " memory: " + problem);
  return problem.empty();
}

/// Passes beyond the first that 32 banks of 4 bytes need for these words.
static uint64_t conflictsOf(llvm::ArrayRef<Place> places, uint64_t size) {
  std::set<uint64_t> words; // Lanes that read the same word share it.
  for (const Place &place : places)
    for (uint64_t at = place.offset / 4; at * 4 < place.offset + size; ++at)
      words.insert(at);
  unsigned perBank[32] = {}, most = 0;
  for (uint64_t at : words)
    most = std::max(most, ++perBank[at % 32]);
  return most > 0 ? most - 1 : 0;
}

void mezzo::ptx::countAccess(Warp &warp, llvm::ArrayRef<Place> places,
                             uint64_t size) {
  LaunchReport &report = warp.grid().report;
  if (places.empty())
    return;
  if (places[0].space == Space::Shared) {
    ++report.sharedAccesses;
    // Accesses of 8 and 16 bytes go in two and four passes at best.
    size_t perPass = warpSize / std::max<uint64_t>(1, size / 4);
    for (size_t at = 0; at < places.size(); at += perPass)
      report.bankConflicts += conflictsOf(
          places.slice(at, std::min(perPass, places.size() - at)), size);
  } else if (places[0].space == Space::Global) {
    ++report.globalAccesses;
    std::set<std::pair<TracedMemory *, uint64_t>> sectors, bytes;
    for (const Place &place : places)
      for (uint64_t i = place.offset; i < place.offset + size; ++i) {
        sectors.insert({place.memory, i / 32});
        bytes.insert({place.memory, i});
      }
    report.sectors += sectors.size();
    report.idealSectors += (bytes.size() + 31) / 32;
  }
}
