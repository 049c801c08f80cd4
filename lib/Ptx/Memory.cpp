//===- Memory.cpp - Memory that knows who touched each byte ---------------===//

#include "lib/Ptx/Memory.h"

#include "llvm/Support/Alignment.h"
#include "llvm/Support/MathExtras.h"

#include <cstring>

using namespace mezzo::ptx;

TracedMemory::TracedMemory(uint64_t size)
    : bytes(size, 0xA5), pages(llvm::divideCeil(size, pageSize)),
      written(size) {}

TracedMemory::Byte &TracedMemory::byte(uint64_t offset) {
  std::unique_ptr<Byte[]> &page = pages[offset / pageSize];
  if (!page) {
    page = std::make_unique<Byte[]>(pageSize);
    uint64_t base = offset / pageSize * pageSize;
    uint64_t end = std::min(base + pageSize, bytes.size());
    for (uint64_t i = base; i < end; ++i)
      page[i - base].flags = written[i] ? Written : 0;
  }
  return page[offset % pageSize];
}

void TracedMemory::write(uint64_t offset, const void *data, uint64_t size) {
  std::memcpy(bytes.data() + offset, data, size);
  for (uint64_t i = offset; i < offset + size; ++i) {
    written[i] = true;
    if (const std::unique_ptr<Byte[]> &page = pages[i / pageSize])
      page[i % pageSize].flags |= Written;
  }
}

bool TracedMemory::hasUnwritten(uint64_t offset, uint64_t size) const {
  for (uint64_t i = offset; i < offset + size; ++i) {
    const std::unique_ptr<Byte[]> &page = pages[i / pageSize];
    if (page ? !(page[i % pageSize].flags & Written) : !written[i])
      return true;
  }
  return false;
}

/// Whether something lies between the access `before` and one of `actor`.
static bool isOrdered(uint32_t launch, uint32_t thread, uint32_t blockEpoch,
                      uint32_t warpEpoch, const Actor &actor) {
  if (launch != actor.launch || thread == actor.thread)
    return true;
  if (thread / 1024 == actor.block() && blockEpoch != actor.blockEpoch)
    return true;
  return thread / 32 == actor.warp() && warpEpoch != actor.warpEpoch;
}

/// "thread 5 of block 0, line 17".
static std::string describeAccess(uint32_t thread, uint32_t line) {
  return "thread " + std::to_string(thread % 1024) + " of block " +
         std::to_string(thread / 1024) + ", line " + std::to_string(line);
}

std::string TracedMemory::check(Byte &byte, bool writes, bool atomic,
                                const Actor &actor) {
  const Access &write = byte.write, &read = byte.read;
  if (byte.flags & Pending)
    return std::string(writes ? "write" : "read") +
           " of a byte that an asynchronous copy is still filling (begun by " +
           describeAccess(write.thread, write.line) +
           "); wait for its group first";
  bool wasWritten = write.line != 0 && write.launch == actor.launch;
  if (wasWritten && !(atomic && (byte.flags & Atomic)) &&
      !isOrdered(write.launch, write.thread, write.blockEpoch, write.warpEpoch,
                 actor))
    return std::string("race: ") + (writes ? "write" : "read") +
           " of a byte that " + describeAccess(write.thread, write.line) +
           " wrote, with no barrier between";
  if (!writes) {
    if (!(byte.flags & Written))
      return "read of a byte that was never written";
    return "";
  }
  if (read.line != 0 && read.launch == actor.launch) {
    // Of several readers only the last is known; all of them are of the same
    // epochs, or the earlier ones would have been forgotten.
    bool ordered = isOrdered(read.launch, read.thread, read.blockEpoch,
                             read.warpEpoch, actor);
    if (ordered && (byte.flags & ManyReaders))
      ordered = read.thread / 1024 == actor.block() &&
                read.blockEpoch != actor.blockEpoch;
    if (!ordered)
      return "race: write of a byte that " +
             describeAccess(read.thread, read.line) +
             " read, with no barrier between";
  }
  return "";
}

void TracedMemory::record(Byte &byte, bool writes, bool atomic,
                          const Actor &actor) {
  Access now{actor.launch, actor.thread, actor.blockEpoch, actor.warpEpoch,
             actor.line};
  if (writes) {
    byte.write = now;
    byte.read = {};
    byte.flags = Written | (atomic ? Atomic : 0);
    return;
  }
  const Access &read = byte.read;
  bool others = read.line != 0 && read.thread != actor.thread;
  // A reader whom a barrier of the block orders before this one is forgotten,
  // and so are those of earlier launches.
  bool forgotten =
      read.launch != actor.launch || (read.thread / 1024 == actor.block() &&
                                      read.blockEpoch != actor.blockEpoch);
  if (others && !forgotten)
    byte.flags |= ManyReaders;
  else if (forgotten)
    byte.flags &= ~ManyReaders;
  byte.read = now;
}

std::string TracedMemory::access(uint64_t offset, uint64_t size, bool writes,
                                 bool atomic, const Actor &actor) {
  for (uint64_t i = offset; i < offset + size; ++i) {
    Byte &b = byte(i);
    if (std::string problem = check(b, writes, atomic, actor); !problem.empty())
      return problem;
    record(b, writes, atomic, actor);
  }
  return "";
}

std::string TracedMemory::load(uint64_t offset, void *into, uint64_t size,
                               const Actor &actor) {
  std::memcpy(into, bytes.data() + offset, size);
  return access(offset, size, /*writes=*/false, /*atomic=*/false, actor);
}

std::string TracedMemory::store(uint64_t offset, const void *from,
                                uint64_t size, const Actor &actor) {
  std::string problem =
      access(offset, size, /*writes=*/true, /*atomic=*/false, actor);
  std::memcpy(bytes.data() + offset, from, size);
  return problem;
}

std::string TracedMemory::touchAtomic(uint64_t offset, uint64_t size,
                                      const Actor &actor) {
  for (uint64_t i = offset; i < offset + size; ++i)
    if (!(byte(i).flags & Written))
      return "atomic update of a byte that was never written";
  return access(offset, size, /*writes=*/true, /*atomic=*/true, actor);
}

std::string TracedMemory::beginCopy(uint64_t offset, uint64_t size,
                                    const Actor &actor) {
  std::string problem =
      access(offset, size, /*writes=*/true, /*atomic=*/false, actor);
  for (uint64_t i = offset; i < offset + size; ++i) {
    byte(i).flags = Pending;
    bytes[i] = 0xA5;
  }
  return problem;
}

void TracedMemory::finishCopy(uint64_t offset, const void *from, uint64_t size,
                              const Actor &actor) {
  std::memcpy(bytes.data() + offset, from, size);
  for (uint64_t i = offset; i < offset + size; ++i) {
    byte(i).flags = 0;
    record(byte(i), /*writes=*/true, /*atomic=*/false, actor);
  }
}

uint64_t GlobalMemory::allocate(uint64_t size) {
  uint64_t address = nextAddress;
  nextAddress = llvm::alignTo(address + size + 4096, 4096);
  allocations[address] = std::make_unique<TracedMemory>(size);
  return address;
}

bool GlobalMemory::free(uint64_t address) {
  last = nullptr;
  return allocations.erase(address) == 1;
}

TracedMemory *GlobalMemory::find(uint64_t address, uint64_t size,
                                 uint64_t &offset) {
  if (last && address >= lastBase && address - lastBase <= last->size() &&
      size <= last->size() - (address - lastBase)) {
    offset = address - lastBase;
    return last;
  }
  auto it = allocations.upper_bound(address);
  if (it == allocations.begin())
    return nullptr;
  --it;
  offset = address - it->first;
  if (offset > it->second->size() || size > it->second->size() - offset)
    return nullptr;
  lastBase = it->first;
  return last = it->second.get();
}

std::string GlobalMemory::describe(uint64_t address) const {
  auto it = allocations.upper_bound(address);
  if (it == allocations.begin())
    return "in no allocation";
  --it;
  uint64_t size = it->second->size(), offset = address - it->first;
  std::string where =
      offset < size ? "at byte " + std::to_string(offset)
                    : std::to_string(offset - size) + " bytes past the end";
  return where + " of an allocation of " + std::to_string(size) + " bytes";
}
