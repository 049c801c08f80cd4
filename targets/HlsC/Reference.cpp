//===- Reference.cpp - what a plan computes, by lib/Golden ----------------===//

#include "targets/HlsC/Reference.h"

#include "lib/Golden/Matmul.h"
#include "lib/Golden/Rows.h"
#include "targets/HlsC/Elements.h"

#include <random>

using namespace mezzo;
using namespace mezzo::hlsc;

using Rows = std::vector<float>;

static Rows product(const Plan &plan, const Stage &stage, const Rows &x) {
  Rows y(plan.rows * stage.weight->rows);
  golden::matmulInt(golden::quantizeRows(x, plan.rows, stage.weight->cols),
                    *stage.weight, stage.bias, y);
  return y;
}

static Rows quantizeStatic(const Plan &plan, const Wire &wire, const Rows &x) {
  const StaticCodes &to = wire.codes;
  golden::QuantizedActivations q = golden::quantizeStatic(
      x, plan.rows, wire.columns, to.scale, to.zero, to.lo(), to.hi());
  return Rows(q.codes.begin(), q.codes.end());
}

static Rows dequantizeStatic(const Wire &wire, const Rows &codes) {
  Rows y;
  for (float code : codes)
    y.push_back((code - float(wire.codes.zero)) * wire.codes.scale);
  return y;
}

static Rows integerProduct(const Plan &plan, const Stage &stage,
                           const Rows &codes) {
  const Wire &from = plan.wires[stage.inputs[0]];
  golden::QuantizedActivations a;
  a.rows = plan.rows;
  a.cols = a.block = from.columns;
  a.codes.assign(codes.begin(), codes.end());
  a.scales.assign(plan.rows, from.codes.scale);
  a.zeros.assign(plan.rows, from.codes.zero);
  std::vector<int32_t> y(plan.rows * stage.weight->rows);
  // The plan has checked what it refuses.
  llvm::cantFail(golden::matmulIntegerOnly(a, *stage.weight, stage.integerBias,
                                           stage.requantization, y));
  return Rows(y.begin(), y.end());
}

static Rows elementwise(const Plan &plan, const Stage &stage,
                        const std::vector<Rows> &wires) {
  int64_t columns = plan.wires[stage.output].columns;
  Rows y(plan.rows * columns);
  std::vector<float> operands(stage.operands.size());
  for (size_t at = 0; at < y.size(); ++at) {
    for (auto [value, operand] : llvm::zip(operands, stage.operands))
      value = operand.kind == ElementOperand::Kind::Row
                  ? wires[operand.wire][at]
              : operand.kind == ElementOperand::Kind::Vector
                  ? operand.values[at % columns]
                  : operand.values[0];
    y[at] = evaluateElement(stage.generic, operands);
  }
  return y;
}

/// Codes and tables are other forms of the floats that they come from: their
/// wires hold those. Integers are codes, which floats hold exactly.
static Rows run(const Plan &plan, const Stage &stage,
                const std::vector<Rows> &wires) {
  const Rows &x = wires[stage.inputs[0]];
  int64_t columns = plan.wires[stage.output].columns;
  Rows y(plan.rows * columns);
  switch (stage.kind) {
  case Stage::Kind::Quantize:
  case Stage::Kind::Tables:
    return x;
  case Stage::Kind::Product:
    return product(plan, stage, x);
  case Stage::Kind::StaticQuantize:
    return quantizeStatic(plan, plan.wires[stage.output], x);
  case Stage::Kind::IntegerProduct:
    return integerProduct(plan, stage, x);
  case Stage::Kind::StaticDequantize:
    return dequantizeStatic(plan.wires[stage.inputs[0]], x);
  case Stage::Kind::RmsNorm:
    golden::rmsNorm(x, plan.rows, columns, stage.gamma, stage.epsilon, y);
    return y;
  case Stage::Kind::LayerNorm:
    golden::layerNorm(x, plan.rows, columns, stage.gamma, stage.beta,
                      stage.epsilon, y);
    return y;
  case Stage::Kind::Softmax:
    golden::softmax(x, plan.rows, columns, y);
    return y;
  case Stage::Kind::Elementwise:
    return elementwise(plan, stage, wires);
  }
  llvm_unreachable("all kinds are above");
}

Vectors mezzo::hlsc::testVectors(const Plan &plan) {
  Vectors vectors;
  std::vector<Rows> wires(plan.wires.size());
  std::mt19937 engine(20240); // the bits of mt19937 are the standard's
  for (int input : plan.inputs) {
    Rows x(plan.rows * plan.wires[input].columns);
    for (float &value : x) {
      // Mostly small, a few large, never zero: a ratio of two uniforms.
      float u = float(engine() >> 8) * 0x1p-24f, v = float(engine() >> 8);
      value = (u - 0.5f) / (v * 0x1p-24f + 0.1f);
      value = value == 0 ? 1.0f : value;
    }
    wires[input] = x;
    vectors.inputs.push_back(std::move(x));
  }
  for (const Stage &stage : plan.stages)
    wires[stage.output] = run(plan, stage, wires);
  for (int output : plan.outputs)
    vectors.outputs.push_back(wires[output]);
  return vectors;
}
