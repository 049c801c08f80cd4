//===- ProductStage.cpp - a quantized product, mode `int` -----------------===//
//
// The row of activations is loaded once, with the sum of every group. Then, for
// `parallelN` rows of the weight at a time and group by group, an engine adds
// up codes by activations, and after the group
//
//     whole = scale_of_format * dot + (offset_of_format - zero) * sum
//     total = fma(scale * step, float(whole), total)
//
// which is the program of docs/numbers.md: one multiplication of scales per
// group and row of the weight, however many columns a group has.
//
//===----------------------------------------------------------------------===//

#include "targets/HlsC/Kernel.h"

using namespace mlir;
using namespace mezzo;
using namespace mezzo::hlsc;

namespace {

/// Constants by [block][group][lane]; rows that pad the last block have 0.
template <typename T, typename Get>
std::vector<T> byLane(const ProductShape &shape, int64_t middle, Get get) {
  std::vector<T> values;
  for (int64_t block = 0; block < shape.blocks; ++block)
    for (int64_t at = 0; at < middle; ++at)
      for (int64_t lane = 0; lane < shape.parallelN; ++lane) {
        int64_t row = block * shape.parallelN + lane;
        values.push_back(row < shape.rows ? T(get(row, at)) : T(0));
      }
  return values;
}

/// Codes as an engine reads them: words of parallelK columns, [block][group,
/// step][lane]. Columns that pad a group have code 0, and meet activations 0.
class Packer {
public:
  Packer(const QuantizedMatrix &weight, const ProductShape &shape,
         Engine engine)
      : weight(weight), shape(shape), engine(engine),
        flip(weight.spec.format.affine().flip) {}

  uint64_t word(int64_t row, int64_t step) const {
    int64_t group = step / shape.steps,
            first = step % shape.steps * shape.parallelK;
    uint64_t result = 0;
    if (engine != Engine::LookUp) {
      for (int64_t i = 0; i < shape.parallelK; ++i)
        result |= code(row, group, first + i) << (i * shape.bits);
      return result;
    }
    for (int64_t i = 0; i < shape.parallelK; i += 4)
      for (unsigned bit = 0; bit < shape.bits; ++bit)
        result |= index(row, group, first + i, bit)
                  << (i * shape.bits + 4 * bit);
    return result;
  }

private:
  uint64_t code(int64_t row, int64_t group, int64_t i) const {
    int64_t column = group * shape.group + i;
    if (i >= shape.group || column >= shape.columns)
      return 0;
    return weight.code(row, column) ^ flip;
  }
  /// One bit of four codes, with its sign in bit 3.
  uint64_t index(int64_t row, int64_t group, int64_t i, unsigned bit) const {
    uint64_t bits = 0;
    for (int64_t j = 0; j < 4; ++j)
      bits |= (code(row, group, i + j) >> bit & 1) << j;
    return bits & 8 ? bits ^ 7 : bits;
  }

  const QuantizedMatrix &weight;
  const ProductShape &shape;
  Engine engine;
  uint32_t flip;
};

class ProductWriter {
public:
  ProductWriter(Kernel &k, const Stage &stage, const ProductShape &shape)
      : k(k), c(k.c), stage(stage), weight(*stage.weight), shape(shape) {}

  void run();

private:
  bool isLookUp() const { return k.knobs.engine == Engine::LookUp; }
  void addConstants();
  void load(Value input);
  void block(Expr block, Expr step, Value output);
  void scaleGroup(Expr block, Expr group, Expr step);
  /// The integer of a group that the scale multiplies.
  Expr whole(Expr dot, Expr sum, Expr block, Expr group, Expr lane);
  void giveOut(Expr block, Value output);
  void lanes(llvm::function_ref<void(Expr)> body, bool isUnrolled = true);

  Kernel &k;
  CodeBuilder &c;
  const Stage &stage;
  const QuantizedMatrix &weight;
  const ProductShape &shape;
  std::string weights, scales, corrections, minima, bias;
  std::optional<int64_t> commonCorrection;
  emitc::FuncOp engine;
  Value row, sums, totals, dots;
};

} // namespace

void ProductWriter::addConstants() {
  Partition perLane[] = {{2, 0}};
  std::vector<int64_t> perGroup = {shape.blocks, shape.groups, shape.parallelN};
  int64_t steps = shape.groups * shape.steps;
  Packer packer(weight, shape, k.knobs.engine);
  ConstantArray words{stage.name + "_weights",
                      "",
                      {shape.blocks, steps, shape.parallelN},
                      {},
                      {},
                      {},
                      0};
  words.wordBytes = shape.wordBits / 8;
  words.words = byLane<uint64_t>(shape, steps, [&](int64_t row, int64_t step) {
    return packer.word(row, step);
  });
  weights = k.addConstant(std::move(words), c.word(shape.wordBits), perLane);
  auto at = [&](int64_t row, int64_t group) {
    return weight.groupIndex(row, group);
  };
  scales = k.addFloats(stage.name + "_scales", perGroup,
                       byLane<float>(shape, shape.groups,
                                     [&](int64_t row, int64_t group) {
                                       return weight.scales[at(row, group)];
                                     }),
                       perLane);

  // What the sum of a group's activations is multiplied by (Engines.cpp).
  Format::Affine affine = weight.spec.format.affine();
  int64_t codes = (int64_t(1) << shape.bits) - 1;
  auto correction = [&](int64_t row, int64_t group) {
    int64_t offset = affine.offset;
    if (!weight.zeros.empty())
      offset -= weight.zeros[at(row, group)];
    return isLookUp() ? affine.scale * codes + 2 * offset : offset;
  };
  commonCorrection = correction(0, 0);
  for (int64_t row = 0; row < shape.rows; ++row)
    for (int64_t group = 0; group < shape.groups; ++group)
      if (correction(row, group) != *commonCorrection)
        commonCorrection.reset();
  if (!commonCorrection) {
    ConstantArray array{
        stage.name + "_corrections", "", perGroup, {}, {}, {}, 0};
    array.integers = byLane<int64_t>(shape, shape.groups, correction);
    corrections =
        k.addConstant(std::move(array), c.ops().getI16Type(), perLane);
  }
  // A float zero is the minimum -s * z.
  if (!weight.floatZeros.empty())
    minima =
        k.addFloats(stage.name + "_minima", perGroup,
                    byLane<float>(shape, shape.groups,
                                  [&](int64_t row, int64_t group) {
                                    return -weight.scales[at(row, group)] *
                                           weight.floatZeros[at(row, group)];
                                  }),
                    perLane);
  if (!stage.bias.empty())
    bias = k.addFloats(stage.name + "_bias", {shape.rows}, stage.bias);
}

/// Rows of the weight that go through together.
void ProductWriter::lanes(llvm::function_ref<void(Expr)> body,
                          bool isUnrolled) {
  if (shape.parallelN == 1)
    return body(c.integer(0));
  c.loop("lane", shape.parallelN, [&](Expr lane) {
    if (isUnrolled)
      c.unroll();
    else
      c.pipeline();
    body(lane);
  });
}

/// The row, padded to whole steps, and the sums of its groups. Tables come
/// padded; the sum of four activations is their entry 0, negated.
void ProductWriter::load(Value input) {
  if (isLookUp()) {
    int64_t blocks = shape.padded / 4;
    c.loop("g", shape.groups, [&](Expr g) {
      Place sum = c.variable("sum", c.i32(), 0);
      c.loop("i", blocks, [&](Expr i) {
        Expr at = c.let("at", g * blocks + i);
        c.loop("e", Kernel::TableEntries, [&](Expr e) {
          c.pipeline();
          c.element(row, {at, e}) = k.read(input, {at, e});
        });
        sum =
            Expr(sum) - c.convert(c.i32(), c.element(row, {at, c.integer(0)}));
      });
      c.element(sums, {g}) = sum;
    });
    return;
  }
  bool isWhole = shape.padded == shape.group &&
                 shape.groups * shape.group == shape.columns;
  c.loop("g", shape.groups, [&](Expr g) {
    Place sum = c.variable("sum", c.i32(), 0);
    c.loop("i", shape.padded, [&](Expr i) {
      c.pipeline();
      Type type = k.elementType(Wire::Kind::Codes);
      auto next = [&] { return k.read(input, {g * shape.group + i}); };
      Place code = isWhole ? c.variable("code", type, next())
                           : c.variable("code", type, 0);
      if (!isWhole)
        c.when(c.binary<emitc::LogicalAndOp>(
                   i < shape.group, g * shape.group + i < shape.columns),
               [&] { code = next(); });
      c.element(row, {g * shape.padded + i}) = code;
      sum += c.convert(c.i32(), code);
    });
    c.element(sums, {g}) = sum;
  });
}

Expr ProductWriter::whole(Expr dot, Expr sum, Expr block, Expr group,
                          Expr lane) {
  Expr result = c.convert(c.i32(), dot);
  int64_t factor = weight.spec.format.affine().scale;
  if (factor != 1)
    result = result * factor;
  if (!commonCorrection)
    result =
        result +
        c.convert(c.i32(), c.element(corrections, {block, group, lane})) * sum;
  else if (*commonCorrection != 0)
    result = result + c.integer(*commonCorrection) * sum;
  return isLookUp() ? result / c.integer(2) : result;
}

void ProductWriter::scaleGroup(Expr block, Expr group, Expr step) {
  lanes([&](Expr lane) {
    Expr integer =
        c.let("whole", whole(c.element(dots, {lane}), c.element(sums, {group}),
                             block, group, lane));
    Expr scale =
        c.let("scale", Expr(c.element(scales, {block, group, lane})) * step);
    c.line("COUNT_SCALE();");
    Place total = c.element(totals, {lane});
    total =
        c.call("fmaf", c.f32(), {scale, c.convert(c.f32(), integer), total});
    if (minima.empty())
      return;
    Expr minimum =
        c.let("minimum", Expr(c.element(minima, {block, group, lane})) * step);
    Expr sum = c.convert(c.f32(), c.element(sums, {group}));
    total = c.call("fmaf", c.f32(), {minimum, sum, total});
  });
}

void ProductWriter::giveOut(Expr block, Value output) {
  lanes(
      [&](Expr lane) {
        Expr n = c.let("n", block * shape.parallelN + lane);
        auto put = [&] {
          Expr total = c.element(totals, {lane});
          if (!bias.empty())
            total = total + c.element(bias, {n});
          k.write(output, {n}, total);
        };
        if (shape.rows % shape.parallelN)
          c.when(n < shape.rows, put);
        else
          put();
      },
      /*isUnrolled=*/false);
}

void ProductWriter::block(Expr block, Expr step, Value output) {
  lanes([&](Expr lane) { c.element(totals, {lane}) = c.real(0); });
  c.loop("g", shape.groups, [&](Expr g) {
    lanes([&](Expr lane) { c.element(dots, {lane}) = c.integer(0); });
    int64_t perStep = isLookUp() ? shape.parallelK / 4 : shape.parallelK;
    c.loop("i", shape.steps, [&](Expr i) {
      c.pipeline();
      lanes([&](Expr lane) {
        Expr at = g * (shape.steps * perStep) + i * perStep;
        Expr word = c.element(weights, {block, g * shape.steps + i, lane});
        c.element(dots, {lane}) += c.call(engine, {word.value, row, at.value});
      });
    });
    scaleGroup(block, g, step);
  });
  giveOut(block, output);
}

void ProductWriter::run() {
  addConstants();
  engine = writeEngine(k, stage, shape);
  c.comment(stage.name + ": " + std::to_string(shape.rows) + " outputs of " +
            std::to_string(shape.columns) + " activations; weights " +
            weight.spec.str() + ", engine " + name(k.knobs.engine).str() +
            ", " + std::to_string(shape.parallelN) + " x " +
            std::to_string(shape.parallelK) + " products at a time.");
  SmallVector<CodeBuilder::Parameter> parameters;
  k.addParameters(parameters, k.input(stage), "x", /*isInput=*/true);
  k.addParameters(parameters, k.output(stage), "y", /*isInput=*/false);
  k.functions.push_back(c.function(
      k.names.get("run_" + stage.name), parameters, Type(),
      [&](ArrayRef<Value> in) {
        for (const std::string &constant :
             {weights, scales, corrections, minima})
          if (!constant.empty())
            c.partitioned(constant);
        int64_t columns = shape.groups * shape.padded;
        uint64_t step = shape.parallelK;
        if (isLookUp())
          row = c.localArray("table", k.elementType(Wire::Kind::Tables),
                             {columns / 4, Kernel::TableEntries},
                             {{0, int64_t(step / 4)}, {1, 0}});
        else
          row = c.localArray("a", k.elementType(Wire::Kind::Codes), {columns},
                             {{0, int64_t(step)}});
        sums = c.localArray("sums", c.i32(), {shape.groups});
        totals = c.localArray("totals", c.f32(), {shape.parallelN}, {{0, 0}});
        dots =
            c.localArray("dots", c.signedBits(c.isHls() ? shape.sumBits : 32),
                         {shape.parallelN}, {{0, 0}});
        k.forRows([&] {
          Expr step = c.let("step", k.read(in[1], {c.integer(0)}));
          load(in[0]);
          c.loop("block", shape.blocks,
                 [&](Expr at) { block(at, step, in[2]); });
        });
      }));
  c.blank();
}

llvm::Error mezzo::hlsc::writeProduct(Kernel &k, const Stage &stage) {
  llvm::Expected<ProductShape> shape = ProductShape::of(stage, k.knobs);
  if (!shape)
    return shape.takeError();
  ProductWriter(k, stage, *shape).run();
  return llvm::Error::success();
}
