//===- Address.h - From an address to bytes ---------------------*- C++ -*-===//

#ifndef MEZZO_LIB_PTX_ADDRESS_H
#define MEZZO_LIB_PTX_ADDRESS_H

#include "lib/Ptx/Decode.h"

namespace mezzo::ptx {

/// `.shared` (`.shared::cta`), `.global`, ...
std::optional<Space> takeSpace(Decoder &d);

/// What a space's addresses begin with among the generic ones.
uint64_t windowOf(Space space);

/// Where an access goes: memory with a history, or plain bytes of a lane or of
/// the parameters.
struct Place {
  TracedMemory *memory = nullptr;
  uint64_t offset = 0;
  uint8_t *plain = nullptr;
  Space space = Space::Generic; ///< Never Generic once found.

  explicit operator bool() const { return memory || plain; }
};

/// Finds [address, address + size). Fails the warp where nothing is there, or
/// where `address` is no multiple of `align`.
Place findPlace(Warp &warp, unsigned lane, Space space, uint64_t address,
                uint64_t size, uint64_t align);

/// Loads or stores one access of a lane, checked and recorded. False: failed.
bool loadBytes(Warp &warp, unsigned lane, const Place &place, void *into,
               uint64_t size);
bool storeBytes(Warp &warp, unsigned lane, const Place &place, const void *from,
                uint64_t size);

/// Counts the work of a warp's access: (lane's place, the same size for all).
void countAccess(Warp &warp, llvm::ArrayRef<Place> places, uint64_t size);

} // namespace mezzo::ptx

#endif // MEZZO_LIB_PTX_ADDRESS_H
