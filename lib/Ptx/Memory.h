//===- Memory.h - Memory that knows who touched each byte -------*- C++ -*-===//
//
// A kernel with a race or a read of something nobody wrote gives the right
// answer on most days. So every byte of shared and global memory remembers its
// last writer and its readers since, and an access that nothing orders after
// them is an error that names both lines.
//
// What orders two accesses of different threads, as far as this goes:
//
//   * a barrier of the whole block between them (their *block epochs* differ);
//   * within a warp, `bar.warp.sync` (their *warp epochs* differ);
//   * the end of a launch.
//
// Atomic accesses do not race with each other. Blocks that hand data to each
// other through flags inside one launch are ordered by fences, which are not
// followed here: such a kernel is reported.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_LIB_PTX_MEMORY_H
#define MEZZO_LIB_PTX_MEMORY_H

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace mezzo::ptx {

/// Who accesses, and how far the barriers around it have come.
struct Actor {
  uint32_t launch = 0;
  uint32_t thread = 0; ///< Over the grid: block * 1024 + thread of the block.
  uint32_t blockEpoch = 0;
  uint32_t warpEpoch = 0;
  uint32_t line = 0; ///< Of the PTX, for messages.

  uint32_t warp() const { return thread / 32; }
  uint32_t block() const { return thread / 1024; }
};

/// Bytes with their history. Offsets are the caller's affair: all functions
/// need offset + size <= size(). Those that return a string return what is
/// wrong with the access, or nothing.
class TracedMemory {
public:
  explicit TracedMemory(uint64_t size);

  uint64_t size() const { return bytes.size(); }

  /// From outside a launch.
  void write(uint64_t offset, const void *data, uint64_t size);
  /// Whether any of these bytes was never written.
  bool hasUnwritten(uint64_t offset, uint64_t size) const;
  const uint8_t *data() const { return bytes.data(); }

  std::string load(uint64_t offset, void *into, uint64_t size,
                   const Actor &actor);
  std::string store(uint64_t offset, const void *from, uint64_t size,
                    const Actor &actor);
  /// Checks and records an atomic access; the caller does it in `at(offset)`.
  std::string touchAtomic(uint64_t offset, uint64_t size, const Actor &actor);
  uint8_t *at(uint64_t offset) { return bytes.data() + offset; }

  /// An asynchronous copy into these bytes begins: until `finishCopy` they may
  /// not be read or written by anybody.
  std::string beginCopy(uint64_t offset, uint64_t size, const Actor &actor);
  /// It ends: now they were written by `actor`, who waited for it.
  void finishCopy(uint64_t offset, const void *from, uint64_t size,
                  const Actor &actor);

private:
  struct Access {
    uint32_t launch = 0, thread = 0, blockEpoch = 0, warpEpoch = 0, line = 0;
  };
  enum Flag : uint8_t {
    Written = 1,
    Pending = 2,    ///< An asynchronous copy is under way.
    Atomic = 4,     ///< The last write was atomic.
    ManyReaders = 8 ///< Since the last write, readers of several threads.
  };
  /// The history of one byte.
  struct Byte {
    Access write, read;
    uint8_t flags = 0;
  };
  static constexpr uint64_t pageSize = 4096;

  std::vector<uint8_t> bytes;
  std::vector<std::unique_ptr<Byte[]>> pages;
  std::vector<bool> written; ///< Of pages without a history.

  Byte &byte(uint64_t offset);
  std::string check(Byte &byte, bool writes, bool atomic, const Actor &actor);
  static void record(Byte &byte, bool writes, bool atomic, const Actor &actor);
  std::string access(uint64_t offset, uint64_t size, bool writes, bool atomic,
                     const Actor &actor);
};

/// The device's memory: allocations far apart, so that an address that leaves
/// its own hits nothing.
class GlobalMemory {
public:
  /// The address of `size` fresh bytes, aligned to 256.
  uint64_t allocate(uint64_t size);
  /// Whether there was such an allocation.
  bool free(uint64_t address);

  /// The allocation that holds [address, address + size), and the offset there;
  /// null where none does.
  TracedMemory *find(uint64_t address, uint64_t size, uint64_t &offset);
  /// "12 bytes past the end of an allocation of 64 bytes" and the like.
  std::string describe(uint64_t address) const;

private:
  std::map<uint64_t, std::unique_ptr<TracedMemory>> allocations;
  uint64_t nextAddress = 0x7f0000000000;
  uint64_t lastBase =
      0; ///< Most accesses hit the allocation of the one before.
  TracedMemory *last = nullptr;
};

} // namespace mezzo::ptx

#endif // MEZZO_LIB_PTX_MEMORY_H
