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
  bool isInteger() const { return stage.kind == Stage::Kind::IntegerProduct; }
  /// Whether anything is corrected by the sums of activations.
  bool needsSums() const { return commonCorrection != 0 || !minima.empty(); }
  void addRequantization();
  void giveOutCodes(Expr block, Value output);
  void addConstants();
  void sumUp(Expr g, llvm::function_ref<void(Place *)> body);
  void loadTables(Value input);
  void loadCodes(Value input);
  void block(Expr block, Expr step, Value output);
  void scaleGroup(Expr block, Expr group, Expr step);
  /// The integer of a group that the scale multiplies.
  Expr whole(Expr block, Expr group, Expr lane);
  void giveOut(Expr block, Value output);
  void lanes(llvm::function_ref<void(Expr)> body, bool isUnrolled = true);

  Kernel &k;
  CodeBuilder &c;
  const Stage &stage;
  const QuantizedMatrix &weight;
  const ProductShape &shape;
  std::string weights, scales, corrections, minima, bias;
  std::string multipliers, shifts; ///< integer-only: of the rows' factors
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
  if (isInteger())
    addRequantization();
  else
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

void ProductWriter::addRequantization() {
  Partition perLane[] = {{1, 0}};
  auto add = [&](StringRef what, Type element,
                 llvm::function_ref<int64_t(int64_t)> get) {
    ConstantArray array{(stage.name + what).str(),
                        "",
                        {shape.blocks, shape.parallelN},
                        {},
                        {},
                        {},
                        0};
    array.integers = byLane<int64_t>(
        shape, 1, [&](int64_t row, int64_t) { return get(row); });
    return k.addConstant(std::move(array), element, perLane);
  };
  const std::vector<Dyadic> &factors = stage.requantization.factors;
  multipliers = add("_multipliers", c.i32(),
                    [&](int64_t row) { return factors[row].multiplier; });
  // Rows that pad the last block are not given out; any shift will do.
  shifts =
      add("_shifts", c.i32(), [&](int64_t row) { return factors[row].shift; });
  if (!stage.integerBias.empty())
    bias = add("_bias", c.i32(),
               [&](int64_t row) { return stage.integerBias[row]; });
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

/// Runs `body` with a sum for the activations of a group, or with null where
/// nothing is corrected by it.
void ProductWriter::sumUp(Expr g, llvm::function_ref<void(Place *)> body) {
  if (!needsSums())
    return body(nullptr);
  Place sum = c.variable("sum", c.i32(), 0);
  body(&sum);
  c.element(sums, {g}) = sum;
}

/// Tables come padded; the sum of four activations is their entry 0, negated.
void ProductWriter::loadTables(Value input) {
  int64_t blocks = shape.padded / 4;
  c.loop("g", shape.groups, [&](Expr g) {
    sumUp(g, [&](Place *sum) {
      c.loop("i", blocks, [&](Expr i) {
        Expr at = c.let("at", g * blocks + i);
        c.loop("e", Kernel::TableEntries, [&](Expr e) {
          c.pipeline();
          c.element(row, {at, e}) = k.read(input, {at, e});
        });
        if (sum)
          *sum = Expr(*sum) -
                 c.convert(c.i32(), c.element(row, {at, c.integer(0)}));
      });
    });
  });
}

/// The row, its groups padded to whole steps.
void ProductWriter::loadCodes(Value input) {
  bool isWhole = shape.padded == shape.group &&
                 shape.groups * shape.group == shape.columns;
  Type type = c.signedBits(shape.activationBits);
  auto next = [&](Expr g, Expr i) {
    Expr code = k.read(input, {g * shape.group + i});
    if (!isInteger())
      return code;
    return c.convert(c.i32(), code) - int64_t(k.input(stage).codes.zero);
  };
  c.loop("g", shape.groups, [&](Expr g) {
    sumUp(g, [&](Place *sum) {
      c.loop("i", shape.padded, [&](Expr i) {
        c.pipeline();
        Place code = isWhole ? c.variable("code", type, next(g, i))
                             : c.variable("code", type, 0);
        if (!isWhole)
          c.when(c.binary<emitc::LogicalAndOp>(
                     i < shape.group, g * shape.group + i < shape.columns),
                 [&] { code = next(g, i); });
        c.element(row, {g * shape.padded + i}) = code;
        if (sum)
          *sum += c.convert(c.i32(), code);
      });
    });
  });
}

Expr ProductWriter::whole(Expr block, Expr group, Expr lane) {
  Expr result = c.convert(c.i32(), c.element(dots, {lane}));
  int64_t factor = weight.spec.format.affine().scale;
  if (factor != 1)
    result = result * factor;
  if (commonCorrection != 0) {
    Expr correction =
        commonCorrection
            ? c.integer(*commonCorrection)
            : c.convert(c.i32(), c.element(corrections, {block, group, lane}));
    result = result + correction * c.element(sums, {group});
  }
  return isLookUp() ? result / c.integer(2) : result;
}

void ProductWriter::scaleGroup(Expr block, Expr group, Expr step) {
  lanes([&](Expr lane) {
    Expr integer = c.let("whole", whole(block, group, lane));
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

/// Mode integer-only: int32 sums to codes, a row has one group.
void ProductWriter::giveOutCodes(Expr block, Value output) {
  const golden::Requantization &to = stage.requantization;
  lanes(
      [&](Expr lane) {
        Expr n = c.let("n", block * shape.parallelN + lane);
        auto put = [&] {
          Expr sum = whole(block, c.integer(0), lane);
          if (!bias.empty())
            sum = sum + c.element(bias, {block, lane});
          Expr m = c.element(multipliers, {block, lane}),
               e = c.element(shifts, {block, lane});
          Expr code = c.call(k.rescale,
                             {sum.value, m.value, e.value,
                              c.integer(to.zeroPoint).value,
                              c.integer(to.lo).value, c.integer(to.hi).value});
          k.write(output, {n}, c.convert(k.elementType(k.output(stage)), code));
        };
        if (shape.rows % shape.parallelN)
          c.when(n < shape.rows, put);
        else
          put();
      },
      /*isUnrolled=*/false);
}

void ProductWriter::block(Expr block, Expr step, Value output) {
  if (!isInteger())
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
    if (!isInteger())
      scaleGroup(block, g, step);
  });
  if (isInteger())
    giveOutCodes(block, output);
  else
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
             {weights, scales, corrections, minima, multipliers, shifts})
          if (!constant.empty())
            c.partitioned(constant);
        int64_t columns = shape.groups * shape.padded;
        uint64_t step = shape.parallelK;
        if (isLookUp())
          row = c.localArray("table", k.tableType(),
                             {columns / 4, Kernel::TableEntries},
                             {{0, int64_t(step / 4)}, {1, 0}});
        else
          row = c.localArray("a", c.signedBits(shape.activationBits), {columns},
                             {{0, int64_t(step)}});
        if (needsSums())
          sums = c.localArray("sums", c.i32(), {shape.groups});
        if (!isInteger())
          totals = c.localArray("totals", c.f32(), {shape.parallelN}, {{0, 0}});
        dots =
            c.localArray("dots", c.signedBits(c.isHls() ? shape.sumBits : 32),
                         {shape.parallelN}, {{0, 0}});
        k.forRows([&] {
          Expr step;
          if (!isInteger())
            step = c.let("step", k.read(in[1], {c.integer(0)}));
          if (isLookUp())
            loadTables(in[0]);
          else
            loadCodes(in[0]);
          c.loop("block", shape.blocks,
                 [&](Expr at) { block(at, step, in.back()); });
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
