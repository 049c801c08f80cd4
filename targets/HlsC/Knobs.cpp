//===- Knobs.cpp - what a user decides about the hardware -----------------===//

#include "targets/HlsC/Knobs.h"

#include "lib/Support/Sanitize.h"

#include "llvm/Support/MathExtras.h"

using namespace mezzo;
using namespace mezzo::hlsc;
using llvm::StringRef;
using llvm::Twine;

static constexpr std::pair<StringRef, Engine> engines[] = {
    {"dot", Engine::Dot},
    {"shift-add", Engine::ShiftAdd},
    {"look-up", Engine::LookUp}};

StringRef mezzo::hlsc::name(Engine engine) {
  return engines[int(engine)].first;
}

static llvm::Error wrong(StringRef knob, StringRef value,
                         const Twine &instead) {
  return llvm::createStringError("knob '" + knob + "' is " + quoted(value) +
                                 ": " + instead);
}

static llvm::Error parseNumber(StringRef knob, StringRef value, int64_t low,
                               int64_t high, int64_t &number) {
  if (value.getAsInteger(10, number) || number < low || number > high)
    return wrong(knob, value,
                 "write a number from " + Twine(low) + " to " + Twine(high));
  return llvm::Error::success();
}

static llvm::Error parseKnob(StringRef knob, StringRef value, Language language,
                             Knobs &knobs) {
  if (knob == "engine") {
    for (auto [word, engine] : engines)
      if (value == word) {
        knobs.engine = engine;
        return llvm::Error::success();
      }
    return wrong(knob, value, "use dot, shift-add or look-up");
  }
  if (knob == "parallel_n")
    return parseNumber(knob, value, 1, 256, knobs.parallelN);
  if (knob == "parallel_k")
    return parseNumber(knob, value, 1, 64, knobs.parallelK);
  if (knob == "reuse")
    return parseNumber(knob, value, 1, int64_t(1) << 40, knobs.reuse);
  if (knob != "interface" && knob != "clock")
    return llvm::createStringError(
        "there is no knob " + quoted(knob) +
        ": use engine, parallel_n, parallel_k, reuse, interface or clock");
  if (language == Language::C)
    return llvm::createStringError("knob '" + knob +
                                   "' is one of hardware: leave it out, or "
                                   "compile for --target hls");
  if (knob == "clock") {
    if (value.getAsDouble(knobs.clockNs) || !(knobs.clockNs >= 0.5) ||
        knobs.clockNs > 1000)
      return wrong(knob, value,
                   "write the period in nanoseconds, from 0.5 to 1000");
    return llvm::Error::success();
  }
  if (value != "axis" && value != "m_axi")
    return wrong(knob, value, "use axis or m_axi");
  knobs.interface =
      value == "axis" ? Knobs::Interface::AxiStream : Knobs::Interface::MAxi;
  return llvm::Error::success();
}

llvm::Expected<Knobs> Knobs::parse(StringRef text, Language language) {
  Knobs knobs;
  llvm::SmallVector<StringRef> parts;
  text.split(parts, ',', -1, /*KeepEmpty=*/false);
  bool namesRows = false;
  for (StringRef part : parts) {
    auto [knob, value] = part.split('=');
    knob = knob.trim();
    if (llvm::Error error = parseKnob(knob, value.trim(), language, knobs))
      return std::move(error);
    namesRows |= knob == "parallel_n";
  }
  if (knobs.reuse && namesRows)
    return llvm::createStringError(
        "knobs 'reuse' and 'parallel_n' say the same in two ways: leave one "
        "out");
  if (knobs.engine == Engine::LookUp && knobs.parallelK % 4)
    return wrong("parallel_k", std::to_string(knobs.parallelK),
                 "a table is of 4 columns: use a multiple of 4 with "
                 "engine=look-up");
  return knobs;
}

/// Columns at once: at most those of a group, and tables are never cut.
static int64_t columnsAtOnce(const Knobs &knobs, int64_t group) {
  if (knobs.engine != Engine::LookUp)
    return std::min(knobs.parallelK, group);
  int64_t columns = std::min<int64_t>(knobs.parallelK, llvm::alignTo(group, 4));
  while (llvm::alignTo(group, 4) % columns)
    columns -= 4;
  return columns;
}

llvm::Expected<ProductShape> ProductShape::of(const Stage &stage,
                                              const Knobs &knobs) {
  const QuantizedMatrix &weight = *stage.weight;
  ProductShape shape;
  shape.rows = weight.rows;
  shape.columns = weight.cols;
  shape.group = std::min(weight.groupLength, weight.cols);
  shape.groups = weight.groups();
  shape.bits = weight.spec.format.bits();
  shape.parallelK = columnsAtOnce(knobs, shape.group);
  if (shape.parallelK * shape.bits > 64)
    return wrong("parallel_k", std::to_string(knobs.parallelK),
                 Twine(shape.parallelK) + " codes of " + Twine(shape.bits) +
                     " bits do not fit a word of 64: use at most " +
                     Twine(64 / shape.bits) + " for product '" + stage.name +
                     "'");
  shape.parallelN = knobs.parallelN;
  if (knobs.reuse) {
    int64_t least = llvm::divideCeil(shape.columns, shape.parallelK);
    if (knobs.reuse < least)
      return wrong("reuse", std::to_string(knobs.reuse),
                   "product '" + stage.name + "' has " + Twine(shape.columns) +
                       " columns, " + Twine(shape.parallelK) +
                       " at a time, so even one engine for each row is used " +
                       Twine(least) + " times: raise reuse or parallel_k");
    shape.parallelN = llvm::divideCeil(shape.rows * shape.columns,
                                       knobs.reuse * shape.parallelK);
  }
  shape.parallelN = std::min(shape.parallelN, shape.rows);
  shape.blocks = llvm::divideCeil(shape.rows, shape.parallelN);
  shape.padded = llvm::alignTo(shape.group, shape.parallelK);
  shape.steps = shape.padded / shape.parallelK;
  shape.wordBits =
      std::max<unsigned>(8, llvm::PowerOf2Ceil(shape.parallelK * shape.bits));
  // 2^bits - 1 times 127 (or 255), in magnitude, for each column; then the
  // correction, and the factor 2 of odd formats.
  bool isDifference = stage.kind == Stage::Kind::IntegerProduct;
  shape.activationBits = isDifference ? 9 : 8;
  int64_t largest = shape.padded * (isDifference ? 255 : 127) *
                    ((int64_t(1) << shape.bits) - 1);
  shape.sumBits = llvm::Log2_64_Ceil(largest + 1) + 1;
  if (largest > INT32_MAX / 8)
    return llvm::createStringError(
        "product '" + stage.name + "' adds up " + Twine(shape.group) +
        " columns of " + weight.spec.format.str() +
        " in one group, more than 32 bits hold: use smaller groups");
  return shape;
}
