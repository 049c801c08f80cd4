//===- Machine.h - Lanes, warps and blocks of a running grid ----*- C++ -*-===//
//
// The state that instructions act on. Every lane has a program counter of its
// own, as on machines since Volta: lanes that part after a branch run in any
// order, and only the instructions that say `.sync` bring them together.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_LIB_PTX_MACHINE_H
#define MEZZO_LIB_PTX_MACHINE_H

#include "lib/Ptx/Device.h"
#include "lib/Ptx/Memory.h"
#include "lib/Ptx/Syntax.h"

#include "llvm/ADT/bit.h"

#include <array>
#include <deque>
#include <functional>
#include <random>

namespace mezzo::ptx {

struct Block;
struct Warp;
class Grid;

constexpr unsigned warpSize = 32;
constexpr uint32_t allLanes = ~0u;

/// Where the windows of shared and local memory lie among generic addresses.
constexpr uint64_t sharedWindow = 0x200000000000;
constexpr uint64_t localWindow = 0x300000000000;
constexpr uint64_t windowSize = 0x1000000;

/// Calls `f(lane)` for the lanes of a mask, ascending.
template <typename F>
void forEachLane(uint32_t mask, F f) {
  for (; mask != 0; mask &= mask - 1)
    f(unsigned(llvm::countr_zero(mask)));
}

/// What an instruction does for a set of lanes that reached it together. A
/// failure goes to Warp::fail. Program counters move on afterwards, but for
/// lanes in Warp::jumped.
using Action = std::function<void(Warp &warp, uint32_t active)>;

/// A source operand that gives a value per lane.
using Reader = std::function<uint64_t(const Warp &warp, unsigned lane)>;

/// An instruction, decoded.
struct Step {
  /// Which lanes must come together before it may run.
  enum Gathering : uint8_t {
    Alone,   ///< Whoever is here.
    Members, ///< The lanes that `members` names.
    Aligned  ///< All that have not exited.
  };

  Action action;
  Gathering gathering = Alone;
  Reader members;
  const Instruction *source = nullptr;
  llvm::SmallVector<int32_t, 8> reads;  ///< Registers, the guard among them.
  llvm::SmallVector<int32_t, 8> writes; ///< Registers.
};

/// A copy that cp.async began.
struct AsyncCopy {
  TracedMemory *from = nullptr; ///< Null: only zeros.
  uint64_t source = 0, destination = 0;
  uint32_t size = 0, sourceSize = 0;
};

struct Warp {
  Block *block = nullptr;
  unsigned index = 0;     ///< In its block.
  uint32_t live = 0;      ///< Lanes that have not exited.
  uint32_t atBarrier = 0; ///< Lanes that wait for the block.
  uint32_t jumped = 0;    ///< Lanes whose counter the action has set.
  std::array<uint32_t, warpSize> pc{};
  std::array<uint32_t, warpSize> barrier{}; ///< The one each waits at.
  uint32_t epoch = 0;
  std::vector<uint64_t> registers;         ///< [register][lane]
  std::vector<uint32_t> written;           ///< [register]: lanes.
  std::vector<std::vector<uint8_t>> local; ///< [lane]
  /// Per lane: groups in flight, oldest first, and the one that is open.
  std::array<std::deque<std::vector<AsyncCopy>>, warpSize> copies;
  std::array<std::vector<AsyncCopy>, warpSize> openGroup;

  Grid &grid() const;
  uint64_t get(int32_t reg, unsigned lane) const {
    return registers[size_t(reg) * warpSize + lane];
  }
  void set(int32_t reg, unsigned lane, uint64_t value) {
    registers[size_t(reg) * warpSize + lane] = value;
  }
  /// Position of a lane in its block, 0 to 1023.
  unsigned threadOf(unsigned lane) const { return index * warpSize + lane; }
  Actor actor(unsigned lane) const;
  /// The first failure ends the launch.
  void fail(unsigned lane, const llvm::Twine &message);
  bool failed() const;

  /// Ends the oldest groups of `lane` until only `remaining` are in flight.
  void finishCopies(unsigned lane, size_t remaining);
};

struct Block {
  Grid *grid = nullptr;
  uint32_t linear = 0;
  Dim3 index;
  TracedMemory shared;
  std::vector<Warp> warps;
  uint32_t epoch = 0;

  explicit Block(uint64_t sharedBytes) : shared(sharedBytes) {}
};

/// One launch.
class Grid {
public:
  llvm::StringRef moduleName; ///< For messages.
  const Kernel &kernel;
  Dim3 grid, block;
  llvm::ArrayRef<uint8_t> params;
  const LaunchOptions &options;
  GlobalMemory &memory;
  LaunchReport report;
  std::mt19937_64 random;
  uint32_t launch = 0;
  /// The step that runs, for messages.
  const Step *current = nullptr;
  std::string failure;

  Grid(llvm::StringRef moduleName, const Kernel &kernel, Dim3 grid, Dim3 block,
       llvm::ArrayRef<uint8_t> params, const LaunchOptions &options,
       GlobalMemory &memory, uint32_t launch)
      : moduleName(moduleName), kernel(kernel), grid(grid), block(block),
        params(params), options(options), memory(memory), random(options.seed),
        launch(launch) {}

  /// Runs all blocks. False: see `failure`.
  bool run(llvm::ArrayRef<Step> steps, uint64_t sharedBytes);

private:
  llvm::ArrayRef<Step> steps;
  uint64_t sharedBytes = 0;

  std::unique_ptr<Block> makeBlock(uint32_t linear);
  /// What a warp did in its turn.
  enum class Turn { Progress, Waits, Stuck };
  Turn runWarp(Warp &warp);
  bool pickGroup(Warp &warp, uint32_t &group);
  bool runStep(Warp &warp, uint32_t group);
  bool isGathered(const Warp &warp, const Step &step, uint32_t group) const;
  bool releaseBarriers(Block &block);
  void failStuck(Block &block);
  size_t pick(size_t count) { return count < 2 ? 0 : random() % count; }
};

inline Grid &Warp::grid() const { return *block->grid; }
inline bool Warp::failed() const { return !grid().failure.empty(); }
inline Actor Warp::actor(unsigned lane) const {
  const Grid &g = grid();
  return {g.launch, block->linear * 1024 + threadOf(lane), block->epoch, epoch,
          g.current ? g.current->source->line : 0};
}

} // namespace mezzo::ptx

#endif // MEZZO_LIB_PTX_MACHINE_H
