//===- Estimate.cpp - about how long, and about how large -----------------===//
//
// Loops are counted from the plan; what an operation takes is a range wide
// enough for the usual clocks and families (7-series to UltraScale+). Nothing
// here was measured: a synthesis report is the truth.
//
//===----------------------------------------------------------------------===//

#include "targets/HlsC/Estimate.h"

#include "targets/HlsC/Fifos.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace mezzo;
using namespace mezzo::hlsc;

namespace {

// Cycles of an operation, from a slow clock to a fast one.
constexpr Range PipelineDepth{3, 8}, FusedMultiplyAdd{6, 16}, Division{8, 30},
    SquareRoot{8, 30}, Exponential{60, 160};
// Resources of a float operation.
constexpr Range AdderDsp{0, 2}, AdderLut{200, 450}, MultiplierDsp{2, 3},
    MultiplierLut{80, 150}, DivisionLut{600, 1200};
constexpr double BlockBits = 18432;

Range flat(double value) { return {value, value}; }

/// Blocks of memory: small ones may be made of LUTs, and are then none.
Range memory(double banks, double bitsOfOne) {
  double blocks = std::ceil(bitsOfOne / BlockBits);
  return {bitsOfOne <= 1024 ? 0 : banks * blocks, banks * blocks};
}

StageEstimate product(const Kernel &k, const Stage &stage) {
  ProductShape s = llvm::cantFail(ProductShape::of(stage, k.knobs));
  bool isLookUp = k.knobs.engine == Engine::LookUp;
  double lanes = s.parallelN, products = lanes * s.parallelK;
  StageEstimate e;
  Range group = flat(s.steps) + PipelineDepth + FusedMultiplyAdd;
  double load = s.groups * s.padded * (isLookUp ? 2 : 1);
  e.cycles =
      flat(load) + (group * s.groups + flat(lanes) + PipelineDepth) * s.blocks;
  e.lut = AdderLut * lanes + MultiplierLut * (2 * lanes);
  e.dsp = AdderDsp * lanes + MultiplierDsp * (2 * lanes);
  switch (k.knobs.engine) {
  case Engine::Dot:
    // Two products of int8 fit one DSP; below four bits LUTs are as good.
    e.dsp = e.dsp + Range{s.bits < 4 ? 0 : products / 2, products};
    e.lut = e.lut + Range{products * 8, products * (8.0 * s.bits + 16)};
    break;
  case Engine::ShiftAdd:
    e.lut = e.lut +
            Range{products * s.bits * 5, products * s.bits * (9.0 + s.bits)};
    break;
  case Engine::LookUp:
    e.lut =
        e.lut + Range{products / 4 * s.bits * 20, products / 4 * s.bits * 45};
    break;
  }
  double rows = double(s.blocks) * s.groups;
  e.bram = memory(lanes, rows * s.steps * s.wordBits) +
           memory(lanes, rows * 32) + memory(lanes, rows * 16) +
           memory(1, s.groups * 32.0) +
           (isLookUp ? memory(8 * s.parallelK / 4.0,
                              s.groups * s.padded / s.parallelK * 10.0)
                     : memory(s.parallelK, double(s.groups) * s.steps * 8));
  return e;
}

StageEstimate rows(const Kernel &k, const Stage &stage) {
  double columns = k.output(stage).columns;
  double buffer = k.input(stage).columns * 32.0;
  StageEstimate e;
  switch (stage.kind) {
  case Stage::Kind::Quantize:
    e.cycles = flat(3 * columns) + Division * 2 + PipelineDepth * 3;
    e.lut = DivisionLut + AdderLut * 2;
    e.dsp = AdderDsp * 2;
    e.bram = memory(1, buffer);
    break;
  case Stage::Kind::Tables:
    e.cycles = flat(2 * columns) + PipelineDepth;
    e.lut = {100, 300};
    break;
  case Stage::Kind::RmsNorm:
  case Stage::Kind::LayerNorm: {
    double passes = stage.kind == Stage::Kind::RmsNorm ? 3 : 5;
    e.cycles = flat(passes * columns) + Division + SquareRoot +
               FusedMultiplyAdd * (passes + 4);
    e.lut = DivisionLut * 2 + AdderLut * (passes + 8) + MultiplierLut * 3;
    e.dsp = AdderDsp * (passes + 8) + MultiplierDsp * 3;
    e.bram = memory(1, buffer) * (passes - 2) + memory(1, columns * 64);
    break;
  }
  case Stage::Kind::Softmax:
    e.cycles =
        flat(5 * columns) + Exponential + Division + FusedMultiplyAdd * 8;
    e.lut = DivisionLut + AdderLut * 20 + MultiplierLut * 8;
    e.dsp = AdderDsp * 20 + MultiplierDsp * 8;
    e.bram = memory(2, buffer);
    break;
  case Stage::Kind::StaticQuantize:
    e.cycles = flat(columns) + Division + PipelineDepth;
    e.lut = DivisionLut + AdderLut * 2;
    e.dsp = AdderDsp * 2;
    break;
  case Stage::Kind::StaticDequantize:
    e.cycles = flat(columns) + FusedMultiplyAdd;
    e.lut = MultiplierLut;
    e.dsp = MultiplierDsp;
    break;
  default: {
    mlir::linalg::GenericOp generic = stage.generic;
    double count = generic.getBody()->getOperations().size();
    e.cycles = flat(columns) + FusedMultiplyAdd + Range{0, 160 + 30 * count};
    e.lut = AdderLut * count + Range{0, 6000};
    e.dsp = {0, 5 * count + 60};
    break;
  }
  }
  return e;
}

/// FIFOs of a wire, at all its readers.
Range fifos(const Kernel &k, int wire) {
  const Wire &w = k.plan.wires[wire];
  double bits = w.kind == Wire::Kind::Floats   ? 32
                : w.kind == Wire::Kind::Tables ? 10
                                               : 8;
  Range bram;
  for (int reader : w.consumers)
    bram = bram +
           memory(1, bits * k.rowElements(w) * rowsHeld(k.plan, wire, reader));
  return bram;
}

std::string number(double value) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (value >= 1e6)
    os << llvm::format("%.1fM", value / 1e6);
  else if (value >= 1e4)
    os << llvm::format("%.0fk", value / 1e3);
  else
    os << llvm::format("%.0f", value);
  return text;
}

} // namespace

std::string Range::str() const {
  std::string from = number(low), to = number(high);
  return from == to ? from : from + " to " + to;
}

Estimate mezzo::hlsc::estimateOf(const Kernel &k) {
  Estimate estimate;
  estimate.clockNs = k.knobs.clockNs;
  estimate.total.name = "all " + std::to_string(k.plan.rows) + " rows";
  StageEstimate &total = estimate.total;
  Range slowest;
  for (const Stage &stage : k.plan.stages) {
    StageEstimate e = stage.isProduct() ? product(k, stage) : rows(k, stage);
    e.name = stage.name;
    // The first row goes through all of them; then the slowest sets the pace.
    slowest = {std::max(slowest.low, e.cycles.low),
               std::max(slowest.high, e.cycles.high)};
    total.cycles = total.cycles + e.cycles;
    total.dsp = total.dsp + e.dsp;
    total.lut = total.lut + e.lut;
    total.bram = total.bram + e.bram;
    estimate.stages.push_back(std::move(e));
  }
  for (int wire = 0; wire < int(k.plan.wires.size()); ++wire)
    total.bram = total.bram + fifos(k, wire);
  total.cycles = total.cycles + slowest * (k.plan.rows - 1);
  return estimate;
}

std::string Estimate::summary() const {
  Range time = total.cycles * (clockNs / 1000);
  return "estimate: " + total.cycles.str() + " cycles (" + time.str() +
         " us) for " + total.name + ", " + total.dsp.str() + " DSP, " +
         total.lut.str() + " LUT, " + total.bram.str() +
         " BRAM (18 Kbit); not synthesized";
}

std::string Estimate::table() const {
  std::string text = "| estimate | cycles | DSP | LUT | BRAM, 18 Kbit |\n"
                     "|---|---|---|---|---|\n";
  auto line = [&](const StageEstimate &e, const std::string &name) {
    text += "| " + name + " | " + e.cycles.str() + " | " + e.dsp.str() + " | " +
            e.lut.str() + " | " + e.bram.str() + " |\n";
  };
  for (const StageEstimate &e : stages)
    line(e, e.name);
  line(total, total.name + ", with FIFOs");
  return text;
}
