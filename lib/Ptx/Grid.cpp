//===- Grid.cpp - In which order lanes, warps and blocks run --------------===//

#include "lib/Ptx/Machine.h"

#include <algorithm>
#include <numeric>

using namespace mezzo::ptx;

void Warp::fail(unsigned lane, const llvm::Twine &message) {
  Grid &g = grid();
  if (!g.failure.empty())
    return;
  const Dim3 &b = block->index;
  const Instruction *source = g.current ? g.current->source : nullptr;
  g.failure = (g.moduleName + ":" + llvm::Twine(source ? source->line : 0) +
               ": " + message + " [kernel '" + g.kernel.name + "', block (" +
               llvm::Twine(b.x) + ", " + llvm::Twine(b.y) + ", " +
               llvm::Twine(b.z) + "), thread " + llvm::Twine(threadOf(lane)) +
               "]" + (source ? ": '" + source->text + "'" : std::string()))
                  .str();
}

void Warp::finishCopies(unsigned lane, size_t remaining) {
  auto &groups = copies[lane];
  while (groups.size() > remaining) {
    for (const AsyncCopy &copy : groups.front()) {
      uint8_t bytes[16] = {};
      Actor self = actor(lane);
      if (copy.from && copy.sourceSize > 0)
        if (std::string problem =
                copy.from->load(copy.source, bytes, copy.sourceSize, self);
            !problem.empty())
          return fail(lane, problem + " (the source of a cp.async)");
      block->shared.finishCopy(copy.destination, bytes, copy.size, self);
    }
    groups.pop_front();
  }
}

std::unique_ptr<Block> Grid::makeBlock(uint32_t linear) {
  auto made = std::make_unique<Block>(sharedBytes);
  made->grid = this;
  made->linear = linear;
  made->index = {linear % grid.x, linear / grid.x % grid.y,
                 linear / grid.x / grid.y};
  uint64_t threads = block.count();
  made->warps.resize((threads + warpSize - 1) / warpSize);
  for (auto [i, warp] : llvm::enumerate(made->warps)) {
    uint64_t lanes = std::min<uint64_t>(warpSize, threads - i * warpSize);
    warp.block = made.get();
    warp.index = i;
    warp.live = lanes == warpSize ? allLanes : (1u << lanes) - 1;
    warp.registers.assign(kernel.registers.size() * warpSize,
                          0xBAD0BAD0BAD0BAD0);
    warp.written.assign(kernel.registers.size(), 0);
    warp.local.resize(kernel.localBytes ? warpSize : 0);
    for (std::vector<uint8_t> &bytes : warp.local)
      bytes.assign(kernel.localBytes, 0xA5);
  }
  return made;
}

bool Grid::run(llvm::ArrayRef<Step> theSteps, uint64_t shared) {
  steps = theSteps;
  sharedBytes = shared;
  std::vector<uint32_t> waiting(grid.count());
  std::iota(waiting.begin(), waiting.end(), 0);
  std::shuffle(waiting.begin(), waiting.end(), random);
  std::vector<std::unique_ptr<Block>> resident;
  while (!waiting.empty() || !resident.empty()) {
    while (!waiting.empty() &&
           resident.size() < std::max(1u, options.residentBlocks)) {
      resident.push_back(makeBlock(waiting.back()));
      waiting.pop_back();
    }
    size_t at = pick(resident.size());
    Block &chosen = *resident[at];
    // Each warp in turn, from a random one on, until one gets somewhere.
    size_t first = pick(chosen.warps.size());
    bool progress = false, alive = false;
    for (size_t i = 0; i < chosen.warps.size() && !progress; ++i) {
      Warp &warp = chosen.warps[(first + i) % chosen.warps.size()];
      if (warp.live == 0)
        continue;
      alive = true;
      progress = runWarp(warp) == Turn::Progress;
      if (!failure.empty())
        return false;
    }
    if (!alive)
      resident.erase(resident.begin() + at);
    else if (!progress && !releaseBarriers(chosen))
      failStuck(chosen);
    if (!failure.empty())
      return false;
  }
  return true;
}

/// Whether the lanes of `group`, which stand at `step`, may run it now.
bool Grid::isGathered(const Warp &warp, const Step &step,
                      uint32_t group) const {
  switch (step.gathering) {
  case Step::Alone:
    return true;
  case Step::Aligned:
    return group == warp.live;
  case Step::Members:
    bool gathered = true;
    forEachLane(group, [&](unsigned lane) {
      gathered &=
          (step.members(warp, lane) & ~uint64_t(group) & warp.live) == 0;
    });
    return gathered;
  }
  llvm_unreachable("unknown gathering");
}

/// Lanes that stand at one instruction and may run it. Mostly those that are
/// furthest behind, so that diverged lanes meet again; sometimes others.
bool Grid::pickGroup(Warp &warp, uint32_t &group) {
  llvm::SmallVector<uint32_t, 4> groups;
  llvm::SmallVector<uint32_t, 4> counters;
  forEachLane(warp.live & ~warp.atBarrier, [&](unsigned lane) {
    for (auto [g, pc] : llvm::zip(groups, counters))
      if (pc == warp.pc[lane]) {
        g |= 1u << lane;
        return;
      }
    groups.push_back(1u << lane);
    counters.push_back(warp.pc[lane]);
  });
  llvm::SmallVector<size_t, 4> ready;
  for (auto [i, g] : llvm::enumerate(groups))
    if (counters[i] >= steps.size() || isGathered(warp, steps[counters[i]], g))
      ready.push_back(i);
  if (ready.empty())
    return false;
  size_t best =
      *std::min_element(ready.begin(), ready.end(), [&](size_t a, size_t b) {
        return counters[a] < counters[b];
      });
  if (ready.size() > 1 && pick(4) == 0)
    best = ready[pick(ready.size())];
  group = groups[best];
  return true;
}

Grid::Turn Grid::runWarp(Warp &warp) {
  // A turn is a burst of random length.
  bool progress = false;
  for (size_t left = 1 + pick(24); left > 0 && warp.live; --left) {
    uint32_t group;
    if (!pickGroup(warp, group))
      return progress                      ? Turn::Progress
             : warp.atBarrier == warp.live ? Turn::Waits
                                           : Turn::Stuck;
    if (!runStep(warp, group))
      return Turn::Stuck;
    progress = true;
  }
  return Turn::Progress;
}

bool Grid::runStep(Warp &warp, uint32_t group) {
  uint32_t pc = warp.pc[llvm::countr_zero(group)];
  if (pc >= steps.size()) { // The end of the body returns.
    warp.live &= ~group;
    return true;
  }
  const Step &step = steps[pc];
  current = &step;
  unsigned first = llvm::countr_zero(group);
  if (++report.instructions > options.instructionLimit) {
    warp.fail(first, "more than " + llvm::Twine(options.instructionLimit) +
                         " instructions: the kernel does not seem to end");
    return false;
  }
  uint32_t active = group;
  const Instruction &source = *step.source;
  for (int32_t reg : step.reads) {
    // Behind a guard, what the lanes that run read is seen below.
    uint32_t unwritten = group & ~warp.written[reg];
    if (unwritten && (source.guard < 0 || reg == source.guard)) {
      warp.fail(llvm::countr_zero(unwritten),
                "read of register '" + llvm::Twine(kernel.registers[reg].name) +
                    "', which was never written");
      return false;
    }
  }
  if (source.guard >= 0) {
    active = 0;
    forEachLane(group, [&](unsigned lane) {
      if ((warp.get(source.guard, lane) != 0) != source.guardNegated)
        active |= 1u << lane;
    });
    for (int32_t reg : step.reads)
      if (uint32_t unwritten = active & ~warp.written[reg]) {
        warp.fail(llvm::countr_zero(unwritten),
                  "read of register '" +
                      llvm::Twine(kernel.registers[reg].name) +
                      "', which was never written");
        return false;
      }
    if (step.gathering == Step::Aligned && active != 0 && active != group) {
      warp.fail(first, "an '.aligned' instruction that only some lanes of the "
                       "warp run");
      return false;
    }
  }
  warp.jumped = 0;
  if (active) {
    ++report.byOpcode[source.words[0]];
    step.action(warp, active);
    for (int32_t reg : step.writes)
      warp.written[reg] |= active;
  }
  forEachLane(group & ~warp.jumped,
              [&](unsigned lane) { warp.pc[lane] = pc + 1; });
  return failure.empty();
}

/// Lets go the threads of a barrier that all live threads of the block have
/// reached. False: none has.
bool Grid::releaseBarriers(Block &block) {
  std::optional<uint32_t> barrier;
  for (const Warp &warp : block.warps) {
    if (warp.atBarrier != warp.live)
      return false;
    bool same = true;
    forEachLane(warp.live, [&](unsigned lane) {
      if (!barrier)
        barrier = warp.barrier[lane];
      same &= *barrier == warp.barrier[lane];
    });
    if (!same)
      return false;
  }
  ++block.epoch;
  for (Warp &warp : block.warps) {
    forEachLane(warp.atBarrier, [&](unsigned lane) { ++warp.pc[lane]; });
    warp.atBarrier = 0;
  }
  return true;
}

/// Nobody in the block can go on: says where everybody stands.
void Grid::failStuck(Block &block) {
  std::map<uint32_t, unsigned> standing;
  Warp *first = nullptr;
  unsigned lane = 0;
  for (Warp &warp : block.warps)
    forEachLane(warp.live, [&](unsigned l) {
      uint32_t pc = warp.pc[l];
      ++standing[pc < steps.size() ? steps[pc].source->line : 0];
      if (!first) {
        first = &warp;
        lane = l;
        current = pc < steps.size() ? &steps[pc] : nullptr;
      }
    });
  std::string where;
  for (auto [line, count] : standing)
    where += (where.empty() ? "" : ", ") + std::to_string(count) + " at line " +
             std::to_string(line);
  first->fail(lane,
              "the block cannot go on, its threads wait for each other: " +
                  where);
}
