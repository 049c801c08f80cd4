//===- Control.cpp - Branches, barriers and fences ------------------------===//

#include "lib/Ptx/Decode.h"

using namespace mezzo::ptx;

namespace {

Action decodeBranch(Decoder &d) {
  d.take("uni"); // A promise to the assembler.
  d.expectOperands(1);
  if (d.operand(0).kind != Operand::Label)
    return d.complain("a branch needs a label");
  return [target = uint32_t(d.operand(0).imm)](Warp &warp, uint32_t active) {
    forEachLane(active, [&](unsigned lane) { warp.pc[lane] = target; });
    warp.jumped |= active;
  };
}

Action decodeExit(Decoder &d) {
  d.take("uni");
  d.expectOperands(0);
  return [](Warp &warp, uint32_t active) { warp.live &= ~active; };
}

Action decodeTrap(Decoder &d) {
  d.expectOperands(0);
  return [](Warp &warp, uint32_t active) {
    warp.fail(llvm::countr_zero(active), "the kernel trapped");
  };
}

/// bar.warp.sync mask.
Action decodeWarpBarrier(Decoder &d) {
  if (!d.take("sync"))
    return d.complain("'bar.warp' needs '.sync'");
  d.expectOperands(1);
  Reader members = d.source(0, {Type::Bits, 32, 1});
  d.gatherMembers(members);
  return [members](Warp &warp, uint32_t active) {
    // A part of the warp has no epoch of its own: what it orders is not seen.
    if ((uint32_t(members(warp, llvm::countr_zero(active))) & warp.live) ==
        warp.live)
      ++warp.epoch;
  };
}

/// bar.sync a; barrier.cta.sync.aligned a: all threads of the block.
Action decodeBarrier(Decoder &d) {
  if (d.opcode() == "bar" && d.take("warp"))
    return decodeWarpBarrier(d);
  d.take("cta");
  if (!d.take("sync"))
    return d.complain("only '.sync' of a barrier is known");
  bool aligned = d.take("aligned") || d.opcode() == "bar";
  d.expectOperands(1);
  if (aligned)
    d.gatherAll();
  Reader barrier = d.source(0, {Type::Bits, 32, 1});
  return [barrier](Warp &warp, uint32_t active) {
    forEachLane(active, [&](unsigned lane) {
      warp.barrier[lane] = uint32_t(barrier(warp, lane));
    });
    warp.atBarrier |= active;
    warp.jumped |= active; // The grid moves them on when all have come.
  };
}

/// Accesses already happen one after the other.
Action decodeFence(Decoder &d) {
  while (d.takeOneOf({"sc", "acq_rel", "cta", "gpu", "gl", "sys"}) >= 0)
    ;
  return [](Warp &, uint32_t) {};
}

} // namespace

void mezzo::ptx::addControl(OpcodeTable &table) {
  table["bra"] = decodeBranch;
  table["ret"] = decodeExit;
  table["exit"] = decodeExit;
  table["trap"] = decodeTrap;
  table["bar"] = decodeBarrier;
  table["barrier"] = decodeBarrier;
  table["membar"] = decodeFence;
  table["fence"] = decodeFence;
}
