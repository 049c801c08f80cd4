//===- Compare.cpp - setp, set and selp -----------------------------------===//

#include "lib/Ptx/FloatMath.h"

#include "llvm/ADT/StringSwitch.h"

#include <cmath>

using namespace mezzo::ptx;

namespace {

/// A comparison as the set of outcomes that make it true.
enum Outcome : uint8_t { Less = 1, Equal = 2, Greater = 4, Unordered = 8 };

std::optional<uint8_t> parseComparison(llvm::StringRef name) {
  int set = llvm::StringSwitch<int>(name)
                .Case("eq", Equal)
                .Case("ne", Less | Greater)
                .Cases({"lt", "lo"}, Less)
                .Cases({"le", "ls"}, Less | Equal)
                .Cases({"gt", "hi"}, Greater)
                .Cases({"ge", "hs"}, Greater | Equal)
                .Case("equ", Equal | Unordered)
                .Case("neu", Less | Greater | Unordered)
                .Case("ltu", Less | Unordered)
                .Case("leu", Less | Equal | Unordered)
                .Case("gtu", Greater | Unordered)
                .Case("geu", Greater | Equal | Unordered)
                .Case("num", Less | Equal | Greater)
                .Case("nan", Unordered)
                .Default(-1);
  return set < 0 ? std::nullopt : std::optional<uint8_t>(set);
}

template <typename T>
uint8_t order(T a, T b) {
  return a < b ? Less : a > b ? Greater : Equal;
}

Outcome compare(uint64_t a, uint64_t b, Type type, bool ftz) {
  if (type.isFloat()) {
    double x = toDouble(a, type), y = toDouble(b, type);
    if (ftz && type.bits == 32) {
      x = flush(float(x));
      y = flush(float(y));
    }
    if (std::isnan(x) || std::isnan(y))
      return Unordered;
    return Outcome(order(x, y));
  }
  if (type.kind == Type::Signed)
    return Outcome(order(signExtend(a, type.bits), signExtend(b, type.bits)));
  return Outcome(order(a, b));
}

/// How setp combines the comparison with another predicate.
enum class Combine { None, And, Or, Xor };

Combine takeCombine(Decoder &d) {
  return Combine(1 + d.takeOneOf({"and", "or", "xor"}));
}

bool combine(Combine how, bool a, bool b) {
  switch (how) {
  case Combine::None:
    return a;
  case Combine::And:
    return a && b;
  case Combine::Or:
    return a || b;
  case Combine::Xor:
    return a != b;
  }
  llvm_unreachable("unknown combination");
}

/// setp.lt.and.s32 p|q, a, b, c: p = (a < b) and c, q = !(a < b) and c.
Action decodeSetp(Decoder &d) {
  std::optional<uint8_t> outcomes = parseComparison(d.peekWord());
  if (!outcomes)
    return d.complain("unknown comparison '." + d.peekWord() + "'");
  d.word();
  Combine how = takeCombine(d);
  bool ftz = d.take("ftz");
  Type type = d.type();
  if (type.lanes == 2)
    return d.complain("comparisons of packed floats are not known");
  d.expectOperands(how == Combine::None ? 3 : 4);
  const Operand &target = d.operand(0);
  bool pair = target.kind == Operand::Pair;
  int32_t p = d.destinationOrSink(pair ? target.parts[0] : target);
  int32_t q = pair ? d.destinationOrSink(target.parts[1]) : -1;
  Reader a = d.source(1, type), b = d.source(2, type);
  Reader c = how == Combine::None
                 ? Reader([](const Warp &, unsigned) { return uint64_t(0); })
                 : d.predicate(3);
  return [=, outcomes = *outcomes](Warp &warp, uint32_t active) {
    forEachLane(active, [&](unsigned lane) {
      bool is = outcomes & compare(a(warp, lane), b(warp, lane), type, ftz);
      bool other = c(warp, lane);
      if (p >= 0)
        warp.set(p, lane, combine(how, is, other));
      if (q >= 0)
        warp.set(q, lane, combine(how, !is, other));
    });
  };
}

/// set.lt.u32.f32 d, a, b: all ones, or 1.0f, where it holds.
Action decodeSet(Decoder &d) {
  std::optional<uint8_t> outcomes = parseComparison(d.word());
  if (!outcomes)
    return d.complain("unknown comparison of 'set'");
  bool ftz = d.take("ftz");
  Type result = d.type(), type = d.type();
  d.expectOperands(3);
  uint64_t truth =
      result.isFloat() ? fromDouble(1.0, result) : maskOf(result.width());
  return binary(d.destination(0), result.width(), d.source(1, type),
                d.source(2, type),
                [=, set = *outcomes](uint64_t a, uint64_t b) {
                  return set & compare(a, b, type, ftz) ? truth : 0;
                });
}

Action decodeSelp(Decoder &d) {
  Type type = d.type();
  d.expectOperands(4);
  return ternary(d.destination(0), type.width(), d.source(1, type),
                 d.source(2, type), d.predicate(3),
                 [](uint64_t a, uint64_t b, uint64_t c) { return c ? a : b; });
}

} // namespace

void mezzo::ptx::addComparisons(OpcodeTable &table) {
  table["setp"] = decodeSetp;
  table["set"] = decodeSet;
  table["selp"] = decodeSelp;
}
