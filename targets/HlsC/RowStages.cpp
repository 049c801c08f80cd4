//===- RowStages.cpp - what stands between products -----------------------===//
//
// The scalar programs of lib/Golden/Rows.h and Activations.h, written out: the
// same operations in the same order, so the same bits.
//
//===----------------------------------------------------------------------===//

#include "targets/HlsC/Elements.h"
#include "targets/HlsC/Kernel.h"

using namespace mlir;
using namespace mezzo;
using namespace mezzo::hlsc;

void mezzo::hlsc::writeQuantize(Kernel &k, const Stage &stage) {
  CodeBuilder &c = k.c;
  int64_t columns = k.input(stage).columns;
  k.stageFunction(
      stage,
      "rows of " + std::to_string(columns) +
          " activations to int8, a scale for each",
      [&](ArrayRef<Value> in) {
        Value x = k.readRow(in[0], "values", columns);
        Place largest = c.variable("largest", c.f32(), c.real(0));
        c.loop("i", columns, [&](Expr i) {
          c.pipeline();
          Expr size =
              c.let("size", c.call("fabsf", c.f32(), {c.element(x, {i})}));
          // Not where it is NaN.
          c.when(Expr(largest) < size, [&] { largest = size; });
        });
        Place step = c.variable("step", c.f32(), Expr(largest) / c.real(127));
        c.when(Expr(step) == c.real(0), [&] { step = c.real(1); });
        k.write(in[2], {c.integer(0)}, step);
        c.loop("i", columns, [&](Expr i) {
          c.pipeline();
          Place code =
              c.variable("code", c.f32(), c.element(x, {i}) / Expr(step));
          k.clampAndRound(code, -127, 127);
          k.write(in[1], {i},
                  c.convert(k.codeType(), c.convert(c.i32(), code)));
        });
      });
}

/// T[s] of Engines.cpp for the entries whose bit 3 is not set.
void mezzo::hlsc::writeTables(Kernel &k, const Stage &stage) {
  CodeBuilder &c = k.c;
  int64_t columns = k.input(stage).columns, group = stage.group;
  int64_t groups = llvm::divideCeil(columns, group),
          blocks = llvm::divideCeil(group, 4);
  bool isWhole = group % 4 == 0 && columns % group == 0;
  k.stageFunction(
      stage, "half tables of four activations each, once for all products",
      [&](ArrayRef<Value> in) {
        Value a = c.localArray("a", c.i32(), {4}, {{0, 0}});
        k.write(in[3], {c.integer(0)}, k.read(in[1], {c.integer(0)}));
        c.loop("g", groups, [&](Expr g) {
          c.loop("i", blocks, [&](Expr i) {
            c.pipeline(Kernel::TableEntries);
            c.loop("j", 4, [&](Expr j) {
              Expr inside = c.let("inside", i * 4 + j);
              Expr column = c.let("column", g * group + inside);
              auto take = [&] {
                c.element(a, {j}) = c.convert(c.i32(), k.read(in[0], {column}));
              };
              if (isWhole)
                return take();
              c.element(a, {j}) = c.integer(0);
              c.when(c.binary<emitc::LogicalAndOp>(inside < group,
                                                   column < columns),
                     take);
            });
            for (int64_t entry = 0; entry < Kernel::TableEntries; ++entry) {
              Expr sum = -Expr(c.element(a, {c.integer(3)}));
              for (int64_t j = 0; j < 3; ++j) {
                Expr value = c.element(a, {c.integer(j)});
                sum = entry >> j & 1 ? sum + value : sum - value;
              }
              k.write(in[2], {g * blocks + i, c.integer(entry)},
                      c.convert(k.tableType(), sum));
            }
          });
        });
      });
}

/// Sixteen lanes, which then meet in pairs: lib/Golden/Rows.h.
static Expr reduce(Kernel &k, StringRef name, int64_t columns, float start,
                   llvm::function_ref<Expr(Expr)> element,
                   llvm::function_ref<Expr(Expr, Expr)> combine) {
  CodeBuilder &c = k.c;
  Value lane = c.localArray(name, c.f32(), {16}, {{0, 0}});
  c.loop("l", 16, [&](Expr l) {
    c.unroll();
    c.element(lane, {l}) = c.real(start);
  });
  c.loop("i", columns, [&](Expr i) {
    c.pipeline();
    Expr value = element(i);
    Place place = c.element(lane, {i % 16});
    place = combine(place, value);
  });
  for (int64_t step : {8, 4, 2, 1})
    c.loop("l", step, [&](Expr l) {
      c.unroll();
      Place place = c.element(lane, {l});
      place = combine(place, c.element(lane, {l + step}));
    });
  return c.element(lane, {c.integer(0)});
}

static Expr add(Expr x, Expr y) { return x + y; }

void mezzo::hlsc::writeNorm(Kernel &k, const Stage &stage) {
  CodeBuilder &c = k.c;
  int64_t columns = k.input(stage).columns;
  bool isLayerNorm = stage.kind == Stage::Kind::LayerNorm;
  std::string gamma, beta;
  if (!stage.gamma.empty())
    gamma = k.addFloats(stage.name + "_gamma", {columns}, stage.gamma);
  if (!stage.beta.empty())
    beta = k.addFloats(stage.name + "_beta", {columns}, stage.beta);
  k.stageFunction(
      stage,
      isLayerNorm ? "layer normalization"
                  : "normalization by the root mean square",
      [&](ArrayRef<Value> in) {
        Value x = k.readRow(in[0], "values", columns);
        if (isLayerNorm) {
          Expr sum = reduce(
              k, "sums", columns, 0,
              [&](Expr i) { return Expr(c.element(x, {i})); }, add);
          Expr mean = c.let("mean", sum / c.real(columns));
          Value centred = c.localArray("centred", c.f32(), {columns});
          c.loop("i", columns, [&](Expr i) {
            c.pipeline();
            c.element(centred, {i}) = c.element(x, {i}) - mean;
          });
          x = centred;
        }
        Expr squares = reduce(
            k, "squares", columns, 0,
            [&](Expr i) {
              Expr value = c.let("value", c.element(x, {i}));
              return value * value;
            },
            add);
        Expr root = c.call("sqrtf", c.f32(),
                           {squares / c.real(columns) + c.real(stage.epsilon)});
        Expr inverse = c.let("inverse", c.real(1) / root);
        c.loop("i", columns, [&](Expr i) {
          c.pipeline();
          Expr y = c.element(x, {i}) * inverse;
          if (!gamma.empty())
            y = y * c.element(gamma, {i});
          if (!beta.empty())
            y = y + c.element(beta, {i});
          k.write(in[1], {i}, y);
        });
      });
}

void mezzo::hlsc::writeSoftmax(Kernel &k, const Stage &stage) {
  CodeBuilder &c = k.c;
  int64_t columns = k.input(stage).columns;
  k.stageFunction(stage, "softmax", [&](ArrayRef<Value> in) {
    Value x = k.readRow(in[0], "values", columns);
    Expr largest = c.let(
        "largest",
        reduce(
            k, "maxima", columns, -__builtin_inff(),
            [&](Expr i) { return c.let("value", c.element(x, {i})); },
            [&](Expr l, Expr value) { return c.choose(l < value, value, l); }));
    Value powers = c.localArray("powers", c.f32(), {columns});
    c.loop("i", columns, [&](Expr i) {
      c.pipeline();
      c.element(powers, {i}) =
          c.call("math_exp", c.f32(), {c.element(x, {i}) - largest});
    });
    Expr sum = c.let(
        "sum", reduce(
                   k, "sums", columns, 0,
                   [&](Expr i) { return Expr(c.element(powers, {i})); }, add));
    c.loop("i", columns, [&](Expr i) {
      c.pipeline();
      k.write(in[1], {i}, c.element(powers, {i}) / sum);
    });
  });
}

void mezzo::hlsc::writeElementwise(Kernel &k, const Stage &stage) {
  CodeBuilder &c = k.c;
  SmallVector<std::string> constants;
  for (auto [index, operand] : llvm::enumerate(stage.operands))
    constants.push_back(
        operand.kind != ElementOperand::Kind::Vector
            ? std::string()
            : k.addFloats(stage.name + "_operand" + std::to_string(index),
                          {int64_t(operand.values.size())}, operand.values));
  int64_t columns = k.output(stage).columns;
  k.stageFunction(stage, "element by element", [&](ArrayRef<Value> in) {
    c.loop("i", columns, [&](Expr i) {
      c.pipeline();
      SmallVector<Expr> wires, operands;
      for (auto [index, wire] : llvm::enumerate(stage.inputs))
        wires.push_back(c.let(std::string(1, char('a' + index % 26)),
                              k.read(in[index], {i})));
      for (auto [operand, constant] : llvm::zip(stage.operands, constants)) {
        if (operand.kind == ElementOperand::Kind::Row)
          operands.push_back(wires[llvm::find(stage.inputs, operand.wire) -
                                   stage.inputs.begin()]);
        else if (operand.kind == ElementOperand::Kind::Vector)
          operands.push_back(c.element(constant, {i}));
        else
          operands.push_back(c.real(operand.values[0]));
      }
      k.write(in.back(), {i}, elementCode(c, stage.generic, operands));
    });
  });
}
