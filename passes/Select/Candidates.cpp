//===- Candidates.cpp - what a product could be computed by, with prices --===//

#include "passes/Select/Candidates.h"

#include "lib/Layout/Catalogue.h"
#include "lib/Layout/LutPanel.h"
#include "passes/Kernel/ProductKernel.h"
#include "passes/Layout/WeightParts.h"
#include "passes/Passes.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"

#include <cmath>

using namespace mlir;
using namespace mezzo;

/// Prices closer than this are equal: the model is not better.
static constexpr double Indistinguishable = 0.05;

std::string Candidate::str() const {
  return (stringifyStrategyKind(choice->kind) + " " + knobs.str()).str();
}

//===----------------------------------------------------------------------===//
// Strategies and keys
//===----------------------------------------------------------------------===//

/// The strategies of a mode. Whichever is taken, the result is the same.
static SmallVector<StrategyKind> strategiesOfMode(ComputeMode mode) {
  switch (mode) {
  case ComputeMode::Int:
    return {StrategyKind::NativeDot};
  case ComputeMode::Lut8:
    return {StrategyKind::Lut};
  default:
    return {StrategyKind::Dequant};
  }
}

/// The layout that a strategy reads codes of so many bits in.
static Layout layoutFor(StrategyKind kind, unsigned bits) {
  return kind == StrategyKind::Lut ? lutPanel(bits) : panel(bits);
}

static std::optional<int64_t> rowsOf(MatmulOp op) {
  int64_t m = op.getOutput().getType().getDimSize(0);
  if (ShapedType::isDynamic(m))
    return std::nullopt;
  return m;
}

/// The format of the codes, with the code book where mode `int` asks what its
/// entries are as integers.
static Format formatOf(MatmulOp op, WeightOp weight) {
  if (weight.getCodebook() && op.getMode() == ComputeMode::Int)
    return Format::codebook(readCodebook(weight));
  return weight.getFormat();
}

std::vector<StrategyChoice> mezzo::strategiesOf(MatmulOp op, WeightOp weight,
                                                const Target &target) {
  Format format = formatOf(op, weight);
  std::vector<StrategyChoice> choices;
  for (StrategyKind kind : strategiesOfMode(op.getMode())) {
    Layout layout = layoutFor(kind, format.bits());
    ProductTraits traits{
        format, llvm::cantFail(fieldsOfAnyPanel(layout, format.bits())),
        rowsOf(op), op.getActivationMax()};
    choices.push_back(
        {kind, layout,
         knobSpace(productStrategy(kind), op.getContext(), traits, target)});
  }
  return choices;
}

TuningKey mezzo::tuningKey(MatmulOp op, WeightOp weight, const Target &target,
                           StringRef machine) {
  TuningKey key;
  llvm::raw_string_ostream os(key.product);
  os << stringifyComputeMode(op.getMode()) << " " << *weight.getSpec() << " g"
     << op.getGroup();
  for (auto [name, present] :
       {std::pair<StringRef, bool>("bias", bool(op.getBias())),
        {"permutation", bool(op.getPermutation())},
        {"codes", op.takesCodes()},
        {"zeros", bool(op.getInputZeros())},
        {"sums", op.getOutput().getType().getElementType().isInteger()}})
    if (present)
      os << " " << name;
  if (op.getBlock())
    os << " block" << op.getBlock();
  // Whatever else somebody has said about the product.
  for (NamedAttribute attribute : op->getDiscardableAttrs())
    os << " " << attribute.getName().strref() << "=" << attribute.getValue();
  key.m = rowsOf(op).value_or(-1);
  key.n = weight.getRows();
  key.k = weight.getColumns();
  key.target = target.name;
  key.machine = machine.str();
  return key;
}

ArrayRef<int64_t> mezzo::typicalRows() {
  static constexpr int64_t rows[] = {1, 64};
  return rows;
}

//===----------------------------------------------------------------------===//
// The scratch module
//===----------------------------------------------------------------------===//

namespace {

/// Copies of a product and its weight in a module of their own.
class Isolated {
public:
  Isolated(MatmulOp op, WeightOp weight)
      : op(op), weight(weight), builder(op.getContext()),
        module(ModuleOp::create(builder, op.getLoc())) {}

  void add(const Variant &variant, unsigned number);
  OwningOpRef<ModuleOp> take() { return std::move(module); }

private:
  StringAttr weightFor(const Layout *layout);

  MatmulOp op;
  WeightOp weight;
  OpBuilder builder;
  OwningOpRef<ModuleOp> module;
  std::map<std::string, StringAttr> weights; ///< by layout
};

/// Bytes are resources; no copy of them is made.
StringAttr Isolated::weightFor(const Layout *layout) {
  std::string text = layout ? layout->str() : "";
  StringAttr &name = weights[text];
  if (name)
    return name;
  builder.setInsertionPointToStart(module->getBody());
  auto copy = cast<WeightOp>(builder.clone(*weight));
  std::string symbol = "w" + std::to_string(weights.size() - 1);
  copy.setSymName(symbol);
  copy.removePackedAttr();
  copy.removePlaceAttr();
  if (layout)
    copy.setPackedAttr(LayoutAttr::get(builder.getContext(), text));
  return name = builder.getStringAttr(symbol);
}

void Isolated::add(const Variant &variant, unsigned number) {
  StringAttr symbol = weightFor(variant.layout);
  builder.setInsertionPointToEnd(module->getBody());
  auto rowsOf = [&](Value value) {
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape[0] = variant.m;
    return RankedTensorType::get(shape, type.getElementType());
  };
  Type input = rowsOf(op.getInput()), output = rowsOf(op.getOutput());
  auto function = func::FuncOp::create(
      builder, op.getLoc(),
      "main" + (number ? std::to_string(number) : std::string()),
      builder.getFunctionType({input}, {output}));
  builder.setInsertionPointToStart(function.addEntryBlock());
  auto load = op.getCodes().getDefiningOp<LoadWeightOp>();
  auto newLoad =
      LoadWeightOp::create(builder, op.getLoc(), load.getResultTypes(), symbol);
  IRMapping mapping;
  mapping.map(op.getInput(), function.getArgument(0));
  mapping.map(load.getResults(), newLoad.getResults());
  // What else it reads is constant or will do as zeros: a bias, say, or the
  // scales of the activations, of which each row has one.
  for (Value operand : op->getOperands()) {
    if (mapping.contains(operand))
      continue;
    auto type = cast<RankedTensorType>(operand.getType());
    if (!type.hasStaticShape())
      type = cast<RankedTensorType>(rowsOf(operand));
    mapping.map(operand, arith::ConstantOp::create(builder, op.getLoc(),
                                                   builder.getZeroAttr(type))
                             .getResult());
  }
  auto copy = cast<MatmulOp>(builder.clone(*op, mapping));
  copy.getOutput().setType(cast<RankedTensorType>(output));
  if (variant.layout)
    copy.setConfigAttr(
        configOf(builder.getContext(), variant.kind, variant.knobs));
  else
    copy.removeConfigAttr();
  func::ReturnOp::create(builder, op.getLoc(), copy.getOutput());
}

} // namespace

OwningOpRef<ModuleOp> mezzo::isolate(MatmulOp op, WeightOp weight,
                                     ArrayRef<Variant> variants) {
  Isolated isolated(op, weight);
  for (auto [number, variant] : llvm::enumerate(variants))
    isolated.add(variant, number);
  return isolated.take();
}

//===----------------------------------------------------------------------===//
// Prices
//===----------------------------------------------------------------------===//

/// The launch of a product, and of what prepares its activations.
static FailureOr<Price> priceOfFunction(func::FuncOp function, ModuleOp module,
                                        const Target &target, int64_t streams) {
  Price total;
  bool any = false;
  function.walk([&](LaunchOp launch) {
    auto kernel = module.lookupSymbol<func::FuncOp>(launch.getKernel());
    if (!kernel)
      return;
    total += priceOf(launch, kernel, target, streams);
    any = true;
  });
  if (!any)
    return failure();
  return total;
}

LogicalResult mezzo::priceCandidates(MatmulOp op, WeightOp weight,
                                     const Target &target,
                                     std::vector<Candidate> &candidates) {
  SmallVector<int64_t> rows;
  if (std::optional<int64_t> m = rowsOf(op))
    rows.push_back(*m);
  else
    llvm::append_range(rows, typicalRows());
  std::vector<Variant> variants;
  for (const Candidate &candidate : candidates)
    for (int64_t m : rows)
      variants.push_back({candidate.choice->kind, &candidate.choice->layout,
                          candidate.knobs, m});
  OwningOpRef<ModuleOp> module = isolate(op, weight, variants);
  std::string errors;
  {
    ScopedDiagnosticHandler quiet(op.getContext(), [&](Diagnostic &diagnostic) {
      if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
        errors += (errors.empty() ? "" : "; ") + diagnostic.str();
      return success();
    });
    PassManager manager(op.getContext(), ModuleOp::getOperationName());
    manager.enableVerifier(false);
    manager.addPass(createPackWeights());
    manager.addNestedPass<func::FuncOp>(createPrepareActivations());
    EmitKernelsOptions emit;
    emit.target = target.name;
    manager.addPass(createEmitKernels(emit));
    if (failed(manager.run(*module)))
      return op.emitError() << "cannot be priced: " << errors;
  }
  unsigned number = 0;
  for (Candidate &candidate : candidates) {
    Price total;
    double product = 1;
    for (size_t i = 0; i < rows.size(); ++i, ++number) {
      auto function = module->lookupSymbol<func::FuncOp>(
          "main" + (number ? std::to_string(number) : std::string()));
      FailureOr<Price> price = priceOfFunction(function, *module, target,
                                               candidate.knobs[Knob::Streams]);
      if (failed(price))
        return op.emitError("cannot be priced: no kernel was written for it");
      product *= price->microseconds;
      total += *price;
    }
    // Of several numbers of rows, what counts is the factor in each.
    candidate.price = total;
    candidate.price.microseconds = std::pow(product, 1.0 / double(rows.size()));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Ranking
//===----------------------------------------------------------------------===//

/// Whether `a` is to be taken before `b`.
static bool isBetter(const Candidate &a, const Candidate &b) {
  auto rankedPrice = [](const Candidate &candidate) {
    double us = candidate.price.microseconds;
    return candidate.isSeed() ? us * (1 - Indistinguishable) : us;
  };
  double left = rankedPrice(a), right = rankedPrice(b);
  return left != right ? left < right : a.knobs < b.knobs;
}

/// Candidates that are looked at next, and were not yet.
static void addNew(std::vector<Candidate> &next, ArrayRef<Candidate> seen,
                   const StrategyChoice &choice,
                   const std::vector<KnobValues> &values) {
  auto isKnown = [&](ArrayRef<Candidate> list, const KnobValues &knobs) {
    return llvm::any_of(list, [&](const Candidate &candidate) {
      return candidate.choice == &choice && candidate.knobs == knobs;
    });
  };
  for (const KnobValues &knobs : values)
    if (!isKnown(seen, knobs) && !isKnown(next, knobs))
      next.push_back({&choice, knobs, {}});
}

FailureOr<std::vector<Candidate>>
mezzo::rankCandidates(MatmulOp op, WeightOp weight, const Target &target,
                      ArrayRef<StrategyChoice> choices, Search search) {
  std::vector<Candidate> ranked;
  auto price = [&](std::vector<Candidate> next) {
    if (next.empty())
      return success();
    if (failed(priceCandidates(op, weight, target, next)))
      return failure();
    llvm::append_range(ranked, next);
    return success();
  };
  for (const StrategyChoice &choice : choices) {
    size_t first = ranked.size();
    std::vector<Candidate> next;
    if (search != Search::Near) {
      addNew(next, {}, choice,
             search == Search::Seeds ? std::vector{choice.space.seed()}
                                     : choice.space.candidates());
      if (failed(price(std::move(next))))
        return failure();
      continue;
    }
    addNew(next, {}, choice,
           choice.space.neighbours(choice.space.seed(),
                                   {Knob::Rows, Knob::Groups}));
    addNew(next, {}, choice,
           choice.space.neighbours(choice.space.seed(), {Knob::Streams}));
    if (failed(price(std::move(next))))
      return failure();
    next.clear();
    Candidate best =
        *std::min_element(ranked.begin() + first, ranked.end(), isBetter);
    // Not the chunk: products of different shapes that read one activation
    // share its quantization only where they have the same chunk.
    for (Knob knob : {Knob::Streams, Knob::Unroll, Knob::Block})
      addNew(next, ranked, choice, choice.space.neighbours(best.knobs, knob));
    if (failed(price(std::move(next))))
      return failure();
  }
  llvm::sort(ranked, isBetter);
  return ranked;
}
