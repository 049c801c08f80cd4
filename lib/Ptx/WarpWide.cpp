//===- WarpWide.cpp - Shuffles, votes and reductions over a warp ----------===//

#include "lib/Ptx/Decode.h"

using namespace mezzo::ptx;

namespace {

constexpr Type word32{Type::Bits, 32, 1};

/// Fails unless the lanes that run are those that the mask names.
bool checkMembers(Warp &warp, uint32_t active, const Reader &members) {
  bool ok = true;
  forEachLane(active, [&](unsigned lane) {
    uint32_t mask = uint32_t(members(warp, lane));
    if (ok && mask != active) {
      warp.fail(lane, "the mask names lanes 0x" + llvm::Twine::utohexstr(mask) +
                          ", but lanes 0x" + llvm::Twine::utohexstr(active) +
                          " run it");
      ok = false;
    }
  });
  return ok;
}

/// shfl.sync.MODE.b32 d|p, a, b, c, mask.
Action decodeShfl(Decoder &d) {
  if (!d.take("sync"))
    return d.complain("'shfl' needs '.sync'");
  int mode = d.takeOneOf({"up", "down", "bfly", "idx"});
  if (mode < 0)
    return d.complain("'shfl' needs '.up', '.down', '.bfly' or '.idx'");
  d.type();
  d.expectOperands(5);
  const Operand &target = d.operand(0);
  bool pair = target.kind == Operand::Pair;
  int32_t dst = d.destination(pair ? target.parts[0] : target);
  int32_t inRange = pair ? d.destinationOrSink(target.parts[1]) : -1;
  Reader a = d.source(1, word32), b = d.source(2, word32),
         c = d.source(3, word32), members = d.source(4, word32);
  d.gatherMembers(members);
  return [=](Warp &warp, uint32_t active) {
    if (!checkMembers(warp, active, members))
      return;
    uint64_t values[warpSize] = {};
    forEachLane(active, [&](unsigned lane) { values[lane] = a(warp, lane); });
    forEachLane(active, [&](unsigned lane) {
      unsigned step = b(warp, lane) & 0x1f;
      uint64_t limits = c(warp, lane);
      unsigned clamp = limits & 0x1f, segment = limits >> 8 & 0x1f;
      unsigned most = (lane & segment) | (clamp & ~segment);
      unsigned least = lane & segment;
      int from = mode == 0   ? int(lane) - int(step)
                 : mode == 1 ? int(lane + step)
                 : mode == 2 ? int(lane ^ step)
                             : int(least | (step & ~segment));
      bool valid = mode == 0 ? from >= int(most) : from <= int(most);
      if (!valid)
        from = lane;
      if (!(active >> from & 1))
        return warp.fail(lane, "shfl reads lane " + llvm::Twine(from) +
                                   ", which does not take part");
      warp.set(dst, lane, values[from]);
      if (inRange >= 0)
        warp.set(inRange, lane, valid);
    });
  };
}

/// vote.sync.{all,any,uni}.pred p, q, mask and vote.sync.ballot.b32.
Action decodeVote(Decoder &d) {
  if (!d.take("sync"))
    return d.complain("'vote' needs '.sync'");
  int mode = d.takeOneOf({"all", "any", "uni", "ballot"});
  d.type();
  d.expectOperands(3);
  int32_t dst = d.destination(0);
  Reader q = d.predicate(1), members = d.source(2, word32);
  d.gatherMembers(members);
  if (mode < 0)
    return d.complain("unknown kind of 'vote'");
  return [=](Warp &warp, uint32_t active) {
    if (!checkMembers(warp, active, members))
      return;
    uint32_t ballot = 0;
    forEachLane(active, [&](unsigned lane) {
      ballot |= uint32_t(q(warp, lane) != 0) << lane;
    });
    const uint64_t results[] = {ballot == active, ballot != 0,
                                ballot == active || ballot == 0, ballot};
    forEachLane(active,
                [&](unsigned lane) { warp.set(dst, lane, results[mode]); });
  };
}

Action decodeActiveMask(Decoder &d) {
  d.type();
  d.expectOperands(1);
  int32_t dst = d.destination(0);
  return [dst](Warp &warp, uint32_t active) {
    forEachLane(active, [&](unsigned lane) { warp.set(dst, lane, active); });
  };
}

/// redux.sync.OP.TYPE d, a, mask.
Action decodeRedux(Decoder &d) {
  if (!d.take("sync"))
    return d.complain("'redux' needs '.sync'");
  int op = d.takeOneOf({"add", "min", "max", "and", "or", "xor"});
  Type type = d.type();
  d.expectOperands(3);
  int32_t dst = d.destination(0);
  Reader a = d.source(1, type), members = d.source(2, word32);
  d.gatherMembers(members);
  if (op < 0 || type.bits != 32)
    return d.complain("unknown kind of 'redux'");
  bool isSigned = type.kind == Type::Signed;
  return [=](Warp &warp, uint32_t active) {
    if (!checkMembers(warp, active, members))
      return;
    std::optional<int64_t> sum;
    forEachLane(active, [&](unsigned lane) {
      int64_t v =
          isSigned ? signExtend(a(warp, lane), 32) : int64_t(a(warp, lane));
      if (!sum) {
        sum = v;
        return;
      }
      const int64_t results[] = {*sum + v, std::min(*sum, v), std::max(*sum, v),
                                 *sum & v, *sum | v,          *sum ^ v};
      sum = results[op];
    });
    forEachLane(active,
                [&](unsigned lane) { warp.set(dst, lane, uint32_t(*sum)); });
  };
}

} // namespace

void mezzo::ptx::addWarpWide(OpcodeTable &table) {
  table["shfl"] = decodeShfl;
  table["vote"] = decodeVote;
  table["activemask"] = decodeActiveMask;
  table["redux"] = decodeRedux;
}
