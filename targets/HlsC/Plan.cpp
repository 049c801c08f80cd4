//===- Plan.cpp - a model as stages that rows run through -----------------===//

#include "targets/HlsC/Plan.h"

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Support/Sanitize.h"
#include "targets/HlsC/Elements.h"
#include "targets/HlsC/PlanInteger.h"
#include "targets/HlsC/Weights.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

#include <map>

using namespace mlir;
using namespace mezzo;
using namespace mezzo::hlsc;
using llvm::Twine;

/// The name that a location carries, of the node that an op comes from.
static StringRef nodeName(Location loc) {
  if (auto named = dyn_cast<NameLoc>(loc))
    return named.getName();
  if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : llvm::reverse(fused.getLocations()))
      if (StringRef name = nodeName(part); !name.empty())
        return name;
  return {};
}

/// Names that mean something where wires are in scope. (The names of functions
/// of ours that are made of a stage's come after, and give way.)
static constexpr StringRef reserved[] = {"fmaf",
                                         "fabsf",
                                         "sqrtf",
                                         "pop",
                                         "push",
                                         "bits_of",
                                         "float_of",
                                         "main",
                                         "memcpy",
                                         "memset",
                                         "printf",
                                         "wrong",
                                         "row",
                                         "dataflow",
                                         "hls",
                                         "differences",
                                         "isnan",
                                         "isinf",
                                         "isfinite",
                                         "isnormal",
                                         "signbit",
                                         "fpclassify",
                                         "isgreater",
                                         "isless",
                                         "isgreaterequal",
                                         "islessequal",
                                         "islessgreater",
                                         "isunordered",
                                         "errno",
                                         "unix",
                                         "linux",
                                         "math_exp",
                                         "math_log",
                                         "math_tanh",
                                         "math_erf",
                                         "math_sin",
                                         "math_cos",
                                         "math_maximum"};

/// What looks like a macro may be one of a header.
static std::string safeName(StringRef name) {
  std::string identifier = toIdentifier(name);
  bool isUpper = llvm::none_of(identifier, llvm::isLower);
  return isUpper ? identifier + "_wire" : identifier;
}

static Stage stageOf(Stage::Kind kind) {
  Stage stage;
  stage.kind = kind;
  return stage;
}

namespace {

class Planner {
public:
  Planner(ModuleOp module, StringRef name, Engine engine, bool isIntegerOnly)
      : module(module), engine(engine), isIntegerOnly(isIntegerOnly) {
    plan.name = toIdentifier(name);
    for (StringRef word : reserved)
      names.get(word);
  }
  llvm::Expected<Plan> run();

private:
  void readInputs(func::FuncOp function);
  void readOp(Operation *op);
  void readProduct(MatmulOp op);
  void readIntegerProduct(MatmulOp op, Stage stage);
  void readQuantize(QuantizeOp op);
  void readDequantize(DequantizeOp op);
  void readReshape(Operation *op, Value from, Value to);
  void readElementwise(linalg::GenericOp op);
  template <typename Op>
  void readRows(Op op, Stage::Kind kind);
  void readOutputs(Operation *terminator);

  /// The wire of codes, or of tables, of a wire of floats; made once.
  int codesOf(int wire);
  int tablesOf(int wire, int64_t group);

  int newWire(StringRef name, Wire::Kind kind, int64_t columns);
  void addStage(Stage stage, StringRef name, Wire::Kind kind, int64_t columns);
  /// Rows and columns of a tensor of floats; notes what is wrong with it.
  std::optional<std::pair<int64_t, int64_t>>
  shapeOf(Value value, llvm::function_ref<void(const Twine &)> refuse);
  std::optional<std::pair<int64_t, int64_t>> shapeOf(Value value,
                                                     Operation *op);
  /// The wire of a tensor; -1 where there is none, which is noted.
  int wireOf(Value value, Operation *op);
  std::optional<ElementsAttr> constantOf(Value value);
  std::vector<float> vectorOf(Value value, Operation *op, int64_t columns);
  std::optional<ElementOperand> operandOf(linalg::GenericOp op, unsigned index);
  /// Notes a problem of a node.
  void refuse(Operation *op, const Twine &why);
  void note(const Twine &problem);

  ModuleOp module;
  Engine engine;
  bool isIntegerOnly;
  Plan plan;
  UniqueIdentifiers names;
  llvm::DenseMap<Value, int> wires;
  /// Results of DequantizeLinear by the wire of their codes: floats are made
  /// of them where somebody reads floats.
  llvm::DenseMap<Value, int> dequantized;
  llvm::DenseSet<Operation *> absorbed; ///< into a stage before
  llvm::DenseMap<int, int> codes;
  std::map<std::pair<int, int64_t>, int> tables;
  std::vector<std::string> problems;
};

} // namespace

void Planner::note(const Twine &text) {
  std::string problem = text.str();
  if (!llvm::is_contained(problems, problem))
    problems.push_back(std::move(problem));
}

void Planner::refuse(Operation *op, const Twine &why) {
  StringRef name = nodeName(op->getLoc());
  std::string subject =
      name.empty() ? op->getName().getStringRef().str() : quoted(name);
  note(subject + " " + why);
}

std::optional<std::pair<int64_t, int64_t>>
Planner::shapeOf(Value value, llvm::function_ref<void(const Twine &)> refuse) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || type.getRank() == 0 ||
      !(type.getElementType().isF32() || isa<QType>(type.getElementType()))) {
    refuse("is no tensor of floats (f32) with rows");
    return std::nullopt;
  }
  if (!type.hasStaticShape()) {
    refuse("has sizes that are not known: fix them, with --dim NAME=SIZE or "
           "--shape");
    return std::nullopt;
  }
  if (type.getNumElements() == 0) {
    refuse("has no elements");
    return std::nullopt;
  }
  int64_t columns = type.getShape().back();
  return std::pair(type.getNumElements() / columns, columns);
}

std::optional<std::pair<int64_t, int64_t>> Planner::shapeOf(Value value,
                                                            Operation *op) {
  return shapeOf(value, [&](const Twine &why) { refuse(op, why); });
}

int Planner::newWire(StringRef name, Wire::Kind kind, int64_t columns) {
  Wire wire;
  wire.name = names.get(safeName(name));
  wire.kind = kind;
  wire.columns = columns;
  plan.wires.push_back(std::move(wire));
  return plan.wires.size() - 1;
}

void Planner::addStage(Stage stage, StringRef name, Wire::Kind kind,
                       int64_t columns) {
  int index = plan.stages.size();
  stage.output = newWire(name, kind, columns);
  stage.name = plan.wires[stage.output].name;
  plan.wires[stage.output].producer = index;
  for (int input : stage.inputs)
    plan.wires[input].consumers.push_back(index);
  plan.stages.push_back(std::move(stage));
}

void Planner::readInputs(func::FuncOp function) {
  auto signature = function->getAttrOfType<ArrayAttr>("mezzo.inputs");
  for (BlockArgument argument : function.getArguments()) {
    unsigned index = argument.getArgNumber();
    std::string name = "input" + std::to_string(index);
    if (signature)
      name = cast<DictionaryAttr>(signature[index])
                 .getAs<StringAttr>("name")
                 .str();
    auto shape = shapeOf(argument, [&](const Twine &why) {
      note("input " + quoted(name) + " " + why);
    });
    int wire = newWire(name, Wire::Kind::Floats, shape ? shape->second : 1);
    plan.inputs.push_back(wire);
    wires[argument] = wire;
    if (!shape)
      continue;
    if (plan.rows && plan.rows != shape->first)
      note("input " + quoted(name) + " has " + Twine(shape->first) +
           " rows, another " + Twine(plan.rows) +
           ": all inputs run through together, row by row");
    plan.rows = shape->first;
  }
}

int Planner::wireOf(Value value, Operation *op) {
  auto found = wires.find(value);
  if (found != wires.end())
    return found->second;
  auto code = dequantized.find(value);
  if (code != dequantized.end()) {
    int from = code->second;
    Stage stage = stageOf(Stage::Kind::StaticDequantize);
    stage.inputs = {from};
    std::string name = plan.wires[from].name + "_values";
    addStage(std::move(stage), name, Wire::Kind::Floats,
             plan.wires[from].columns);
    return wires[value] = plan.stages.back().output;
  }
  refuse(op, "reads what no stage makes (a constant where rows are expected)");
  return -1;
}

std::optional<ElementsAttr> Planner::constantOf(Value value) {
  if (auto load = value.getDefiningOp<LoadWeightOp>()) {
    auto weight = module.lookupSymbol<WeightOp>(load.getWeight());
    if (weight && !weight.isQuantized())
      return weight.getData();
  }
  if (auto constant = value.getDefiningOp<arith::ConstantOp>())
    if (auto elements = dyn_cast<ElementsAttr>(constant.getValue()))
      return elements;
  return std::nullopt;
}

std::vector<float> Planner::vectorOf(Value value, Operation *op,
                                     int64_t columns) {
  std::optional<ElementsAttr> constant = constantOf(value);
  if (!constant || constant->getNumElements() != columns) {
    refuse(op, "needs a constant with an element per column");
    return {};
  }
  llvm::Expected<std::vector<float>> floats = floatsOf(*constant);
  if (floats)
    return std::move(*floats);
  refuse(op, llvm::toString(floats.takeError()));
  return {};
}

int Planner::codesOf(int wire) {
  auto [found, isNew] = codes.try_emplace(wire, -1);
  if (isNew) {
    Stage stage = stageOf(Stage::Kind::Quantize);
    stage.inputs = {wire};
    std::string name = plan.wires[wire].name + "_codes";
    addStage(std::move(stage), name, Wire::Kind::Codes,
             plan.wires[wire].columns);
    found->second = plan.stages.back().output;
  }
  return codes[wire];
}

int Planner::tablesOf(int wire, int64_t group) {
  auto [found, isNew] = tables.try_emplace({wire, group}, -1);
  if (isNew) {
    Stage stage = stageOf(Stage::Kind::Tables);
    stage.group = group;
    stage.inputs = {codesOf(wire)};
    std::string name = plan.wires[wire].name + "_tables";
    int64_t columns = plan.wires[wire].columns;
    addStage(std::move(stage), name, Wire::Kind::Tables, columns);
    found->second = plan.stages.back().output;
  }
  return found->second;
}

void Planner::readProduct(MatmulOp op) {
  // Integer-only products come as those of dequantized numbers.
  if (op.getMode() != (isIntegerOnly ? ComputeMode::Float : ComputeMode::Int))
    return refuse(op, "is a product in mode " +
                          stringifyComputeMode(op.getMode()) +
                          ", and this target has those of mode int: add "
                          "--compute int");
  if (op.takesCodes() || op.getBlock())
    return refuse(op, "has activations whose codes or blocks the model fixes, "
                      "which this target does not have in mode int yet: "
                      "--compute integer-only takes codes with one scale");
  if (op.getPermutation())
    return refuse(op, "has a weight with permuted columns (g_idx), which this "
                      "target does not have yet");
  auto load = op.getCodes().getDefiningOp<LoadWeightOp>();
  auto weight =
      load ? module.lookupSymbol<WeightOp>(load.getWeight()) : WeightOp();
  if (!weight || !weight.isQuantized())
    return refuse(op, "has codes that are computed at run time");
  auto shape = shapeOf(op.getOutput(), op);
  auto matrix = matrixOf(weight);
  if (!matrix)
    return refuse(op, llvm::toString(matrix.takeError()));
  if (!shape)
    return;
  Stage stage = stageOf(isIntegerOnly ? Stage::Kind::IntegerProduct
                                      : Stage::Kind::Product);
  stage.weight = std::make_shared<QuantizedMatrix>(std::move(*matrix));
  // A group may be declared longer than a row is.
  stage.group = std::min(stage.weight->groupLength, stage.weight->cols);
  if (op.getBias())
    stage.bias = vectorOf(op.getBias(), op, shape->second);
  if (isIntegerOnly)
    return readIntegerProduct(op, std::move(stage));
  int input = wireOf(op.getInput(), op);
  if (input < 0)
    return;
  stage.inputs = {engine == Engine::LookUp ? tablesOf(input, stage.group)
                                           : codesOf(input)};
  StringRef name = nodeName(op.getLoc());
  addStage(std::move(stage), name.empty() ? StringRef("product") : name,
           Wire::Kind::Floats, shape->second);
  wires[op.getOutput()] = plan.stages.back().output;
}

void Planner::readIntegerProduct(MatmulOp op, Stage stage) {
  auto input = dequantized.find(op.getInput());
  if (input == dequantized.end())
    return refuse(op, "reads floats, and integer-only products read what "
                      "DequantizeLinear gives of int8 or uint8: quantize its "
                      "input, or use --compute int");
  std::optional<RequantizeChain> chain = chainAfter(op.getOutput());
  if (!chain)
    return refuse(
        op,
        "is followed by others than a bias, Relu and "
        "QuantizeLinear, which follow an integer-only product: quantize its "
        "output, or use --compute int");
  if (engine == Engine::LookUp)
    return refuse(op, "is integer-only, which engine=look-up does not have: "
                      "use engine=dot or engine=shift-add");
  if (chain->bias) {
    if (!stage.bias.empty())
      return refuse(op, "has two biases");
    stage.bias = vectorOf(chain->bias, op, stage.weight->rows);
    if (stage.bias.empty())
      return;
  }
  llvm::Expected<StaticCodes> output = staticCodesOf(module, chain->quantize);
  if (!output)
    return refuse(chain->quantize, llvm::toString(output.takeError()));
  if (llvm::Error error = fillRequantization(
          stage, plan.wires[input->second].codes, *output, chain->hasRelu))
    return refuse(op, llvm::toString(std::move(error)));
  stage.inputs = {input->second};
  absorbed.insert(chain->ops.begin(), chain->ops.end());
  StringRef name = nodeName(op.getLoc());
  int64_t rows = stage.weight->rows;
  addStage(std::move(stage), name.empty() ? StringRef("product") : name,
           Wire::Kind::Integers, rows);
  int wire = plan.stages.back().output;
  plan.wires[wire].codes = *output;
  wires[chain->quantize.getOutput()] = wire;
}

void Planner::readQuantize(QuantizeOp op) {
  int input = wireOf(op.getInput(), op);
  llvm::Expected<StaticCodes> output = staticCodesOf(module, op);
  if (!output)
    return refuse(op, llvm::toString(output.takeError()));
  if (input < 0)
    return;
  Stage stage = stageOf(Stage::Kind::StaticQuantize);
  stage.inputs = {input};
  StringRef name = nodeName(op.getLoc());
  addStage(std::move(stage), name.empty() ? StringRef("quantized") : name,
           Wire::Kind::Integers, plan.wires[input].columns);
  int wire = plan.stages.back().output;
  plan.wires[wire].codes = *output;
  wires[op.getOutput()] = wire;
}

void Planner::readDequantize(DequantizeOp op) {
  int input = wireOf(op.getInput(), op);
  if (input < 0)
    return;
  llvm::Expected<StaticCodes> codes = staticCodesOf(module, op);
  if (!codes)
    return refuse(op, llvm::toString(codes.takeError()));
  const StaticCodes &made = plan.wires[input].codes;
  if (codes->scale != made.scale || codes->zero != made.zero)
    return refuse(op, "has another scale or zero point than the "
                      "QuantizeLinear before it");
  dequantized[op.getOutput()] = input;
}

void Planner::readReshape(Operation *op, Value from, Value to) {
  auto code = dequantized.find(from);
  bool isLazy = code != dequantized.end() && !wires.contains(from);
  int wire = isLazy ? code->second : wireOf(from, op);
  auto shape = shapeOf(to, op);
  if (!shape || wire < 0)
    return;
  if (shape->second != plan.wires[wire].columns)
    return refuse(op, "reshapes rows of " + Twine(plan.wires[wire].columns) +
                          " columns to rows of " + Twine(shape->second) +
                          ", which this target does not have");
  (isLazy ? dequantized : wires)[to] = wire;
}

template <typename Op>
void Planner::readRows(Op op, Stage::Kind kind) {
  auto shape = shapeOf(op.getOutput(), op);
  int input = wireOf(op.getInput(), op);
  if (!shape || input < 0)
    return;
  Stage stage = stageOf(kind);
  stage.inputs = {input};
  if constexpr (!std::is_same_v<Op, SoftmaxOp>) {
    stage.gamma = vectorOf(op.getScale(), op, shape->second);
    stage.epsilon = op.getEpsilon().convertToFloat();
  }
  if constexpr (std::is_same_v<Op, LayerNormOp>)
    if (op.getBias())
      stage.beta = vectorOf(op.getBias(), op, shape->second);
  StringRef name = nodeName(op.getLoc());
  addStage(std::move(stage),
           name.empty() ? StringRef(op->getName().stripDialect()) : name,
           Wire::Kind::Floats, shape->second);
  wires[op.getOutput()] = plan.stages.back().output;
}

/// The dimensions of a loop nest that a map reads, as a bit set.
static std::optional<uint64_t> dimensionsOf(AffineMap map) {
  uint64_t bits = 0;
  for (AffineExpr expr : map.getResults()) {
    if (auto dimension = dyn_cast<AffineDimExpr>(expr))
      bits |= uint64_t(1) << dimension.getPosition();
    else if (!isa<AffineConstantExpr>(expr))
      return std::nullopt;
  }
  return bits;
}

std::optional<ElementOperand> Planner::operandOf(linalg::GenericOp op,
                                                 unsigned index) {
  Value value = op.getInputs()[index];
  AffineMap map = op.getIndexingMapsArray()[index];
  if (!constantOf(value)) {
    if (!map.isIdentity()) {
      refuse(op, "reads rows in another order than it writes them");
      return std::nullopt;
    }
    int wire = wireOf(value, op);
    if (wire < 0)
      return std::nullopt;
    return ElementOperand{ElementOperand::Kind::Row, wire, {}};
  }
  auto type = cast<RankedTensorType>(value.getType());
  std::optional<uint64_t> dimensions = dimensionsOf(map);
  uint64_t last = uint64_t(1) << (op.getNumLoops() - 1);
  if (dimensions && (*dimensions == 0 || type.getNumElements() == 1)) {
    std::vector<float> one = vectorOf(value, op, 1);
    if (one.empty())
      return std::nullopt;
    return ElementOperand{ElementOperand::Kind::Scalar, -1, one};
  }
  if (dimensions && *dimensions == last) {
    std::vector<float> all = vectorOf(value, op, type.getNumElements());
    if (all.empty())
      return std::nullopt;
    return ElementOperand{ElementOperand::Kind::Vector, -1, all};
  }
  refuse(op, "has a constant that differs from row to row");
  return std::nullopt;
}

void Planner::readElementwise(linalg::GenericOp op) {
  if (op.getNumLoops() != op.getNumParallelLoops() ||
      op.getNumDpsInits() != 1 || op.getNumLoops() == 0 ||
      !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity())
    return refuse(op, "is no elementwise operator, which is what this target "
                      "has between products");
  for (Operation &inner : *op.getBody())
    if (!isElementOp(&inner))
      return refuse(op, "computes " + inner.getName().getStringRef() +
                            ", which this target does not have yet");
  auto shape = shapeOf(op.getResult(0), op);
  if (!shape)
    return;
  Stage stage = stageOf(Stage::Kind::Elementwise);
  stage.generic = op;
  for (unsigned index = 0; index < op.getNumDpsInputs(); ++index) {
    std::optional<ElementOperand> operand = operandOf(op, index);
    if (!operand)
      return;
    // Two operands may be one wire, which is read once.
    if (operand->kind == ElementOperand::Kind::Row &&
        !llvm::is_contained(stage.inputs, operand->wire))
      stage.inputs.push_back(operand->wire);
    stage.operands.push_back(std::move(*operand));
  }
  if (stage.inputs.empty())
    return refuse(op, "is a constant");
  StringRef name = nodeName(op.getLoc());
  addStage(std::move(stage), name.empty() ? StringRef("elements") : name,
           Wire::Kind::Floats, shape->second);
  wires[op.getResult(0)] = plan.stages.back().output;
}

void Planner::readOp(Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case<arith::ConstantOp, LoadWeightOp, tensor::EmptyOp, linalg::FillOp>(
          [](auto) {})
      .Case<tensor::CollapseShapeOp, tensor::ExpandShapeOp>([&](auto shape) {
        readReshape(shape, shape.getSrc(), shape.getResult());
      })
      .Case([&](MatmulOp product) { readProduct(product); })
      .Case([&](QuantizeOp quantize) { readQuantize(quantize); })
      .Case([&](DequantizeOp dequantize) { readDequantize(dequantize); })
      .Case([&](RmsNormOp norm) { readRows(norm, Stage::Kind::RmsNorm); })
      .Case([&](LayerNormOp norm) { readRows(norm, Stage::Kind::LayerNorm); })
      .Case([&](SoftmaxOp rows) { readRows(rows, Stage::Kind::Softmax); })
      .Case([&](linalg::GenericOp generic) { readElementwise(generic); })
      .Case([&](func::ReturnOp give) { readOutputs(give); })
      .Default([&](Operation *other) {
        refuse(other, "has no stage of its own (" +
                          other->getName().getStringRef() + ")");
      });
}

void Planner::readOutputs(Operation *terminator) {
  for (Value value : terminator->getOperands()) {
    int wire = wireOf(value, terminator);
    if (wire < 0)
      continue;
    if (plan.wires[wire].producer < 0 || plan.wires[wire].isOutput)
      note("output " + quoted(plan.wires[wire].name) +
           " is an input or another output, unchanged: this target has "
           "outputs that stages make, once each");
    plan.wires[wire].isOutput = true;
    plan.outputs.push_back(wire);
  }
}

llvm::Expected<Plan> Planner::run() {
  func::FuncOp entry;
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr("mezzo.entry"))
      entry = function;
  if (!entry)
    return llvm::createStringError("the module has no entry function");
  readInputs(entry);
  if (problems.empty()) // what follows from sizes that are not known is noise
    for (Operation &op : entry.getBody().front())
      if (!absorbed.contains(&op))
        readOp(&op);
  if (problems.empty() && plan.stages.empty())
    return llvm::createStringError("the model computes nothing");
  if (problems.empty())
    return std::move(plan);
  // What reads a refused result has no wire to read: the cause is enough.
  std::string text = "the model does not fit the target: ";
  llvm::ListSeparator separator("; ");
  for (const std::string &problem : problems)
    if (!StringRef(problem).contains("reads what no stage makes") ||
        problems.size() == 1)
      text += std::string(StringRef(separator)) + problem;
  return llvm::createStringError(text);
}

llvm::Expected<Plan> mezzo::hlsc::planOf(ModuleOp module, StringRef name,
                                         Engine engine, bool isIntegerOnly) {
  return Planner(module, name, engine, isIntegerOnly).run();
}
