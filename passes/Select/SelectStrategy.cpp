//===- SelectStrategy.cpp - strategy, knobs and layout of products --------===//
//
// For each product, in this order: what somebody has forced; what was measured
// (tuning records); what is cheapest by the price model. A choice never changes
// a result.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "dialects/Mezzo/Mezzo.h"
#include "dialects/Tile/Tile.h"
#include "lib/Tuning/Database.h"
#include "passes/Layout/WeightParts.h"
#include "passes/Select/Candidates.h"
#include "passes/Select/Choices.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/Format.h"

namespace mezzo {
#define GEN_PASS_DEF_SELECTSTRATEGY
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;
using namespace mezzo;

namespace {

/// The weight behind the codes of a product. Products of run-time codes have no
/// packed form yet.
FailureOr<WeightOp> weightOf(MatmulOp op, SymbolTableCollection &symbols) {
  auto load = op.getCodes().getDefiningOp<LoadWeightOp>();
  if (!load)
    return op.emitError("multiplies by codes that are computed at run time, "
                        "which no strategy does yet: use a constant "
                        "weight, or dequantize it");
  return symbols.lookupNearestSymbolFrom<WeightOp>(op, load.getWeightAttr());
}

/// Where the modes want the scale: the sums of a group are added up without it.
/// Two groups of one row are never joined, even if their scales are equal: it
/// would change how the result is rounded.
std::string placementOf(WeightOp weight) {
  int64_t groups = weight.getGroups();
  return groups == 1
             ? "scaled after the whole reduction"
             : "scaled after each of " + std::to_string(groups) + " groups";
}

/// Weights of fewer elements are multiplied in microseconds, whatever the knobs
/// are: pricing candidates would take longer than anybody saves.
constexpr int64_t WorthSearching = 1 << 15;

/// What was chosen for one product, and why.
struct Decision {
  StrategyKind kind;
  Layout layout;
  KnobValues knobs;
  std::string reason;
  /// The candidates that were looked at, best first; empty where nobody asked
  /// for their prices.
  std::vector<std::pair<std::string, Price>> candidates;
};

/// Whether scales or minima on two levels came multiplied out.
bool growsToFloat(WeightOp weight) {
  QuantSpec spec = llvm::cantFail(QuantSpec::parse(*weight.getSpec()));
  bool minima = spec.offset.kind == OffsetSpec::Kind::Minimum;
  return (spec.scale.super && !weight.getSuperScales()) ||
         (minima && spec.offset.minimum.super && !weight.getSuperOffsets());
}

class SelectStrategyPass
    : public mezzo::impl::SelectStrategyBase<SelectStrategyPass> {
  using SelectStrategyBase::SelectStrategyBase;

  void runOnOperation() override {
    llvm::Expected<Target> found = lookupMachine(target);
    if (!found) {
      getOperation().emitError() << llvm::toString(found.takeError());
      return signalPassFailure();
    }
    machine = std::move(*found);
    if (failed(loadRecords()))
      return signalPassFailure();
    decided.clear();
    SymbolTableCollection symbols;
    WalkResult result = getOperation().walk([&](MatmulOp op) {
      FailureOr<WeightOp> weight = weightOf(op, symbols);
      return succeeded(weight) && succeeded(choose(op, *weight))
                 ? WalkResult::advance()
                 : WalkResult::interrupt();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

  LogicalResult loadRecords() {
    records = TuningDatabase();
    if (tuningDb.empty())
      return success();
    llvm::Expected<TuningDatabase> loaded = TuningDatabase::load(tuningDb);
    if (!loaded)
      return getOperation().emitError() << llvm::toString(loaded.takeError());
    records = std::move(*loaded);
    for (const std::string &problem : records.skipped())
      getOperation().emitRemark() << problem;
    return success();
  }

  LogicalResult choose(MatmulOp op, WeightOp weight) {
    if (weight.getCodebook() && op.getMode() == ComputeMode::Int) {
      if (weight.getCodebook()->getShapedType().getRank() != 1)
        return op.emitError()
               << "has a code book for each row in mode `int`, which takes one "
                  "for all: use mode `float`";
      if (std::optional<std::string> refusal =
              refusalOf(op.getMode(), Format::codebook(readCodebook(weight))))
        return op.emitError() << "has " << *refusal;
    }
    FailureOr<Decision> decision = decide(op, weight);
    if (failed(decision))
      return failure();
    auto packed = LayoutAttr::get(&getContext(), decision->layout.str());
    if (weight.getPacked() && *weight.getPacked() != packed)
      return op.emitError()
             << "reads " << weight.getSymName() << " in mode `"
             << stringifyComputeMode(op.getMode())
             << "`, which wants another layout than a product before it: give "
                "both one mode, or each a weight of its own";
    weight.setPackedAttr(packed);
    op.setConfigAttr(configOf(&getContext(), decision->kind, decision->knobs));
    op.emitRemark() << "strategy " << stringifyStrategyKind(decision->kind)
                    << " for " << *weight.getSpec() << " in mode "
                    << stringifyComputeMode(op.getMode()) << ": "
                    << decision->knobs.str() << " (" << decision->reason
                    << "), " << placementOf(weight);
    noteChoice(op, weight, *decision);
    if (growsToFloat(weight))
      op.emitRemark() << "scales of " << *weight.getSpec()
                      << " are stored as the f32 products of their two levels, "
                         "since their factors are not known: make the weight "
                         "with both";
    return success();
  }

  /// Kept in the module for `mezzo explain`.
  void noteChoice(MatmulOp op, WeightOp weight, const Decision &decision) {
    Builder b(&getContext());
    TuningKey key = tuningKey(op, weight, machine, "");
    SmallVector<Attribute> candidates;
    for (const auto &[name, price] : decision.candidates)
      candidates.push_back(b.getStringAttr(name + ": " + price.str()));
    NamedAttribute parts[] = {
        b.getNamedAttr("product", b.getStringAttr(key.str())),
        b.getNamedAttr("weight", b.getStringAttr(weight.getSymName())),
        b.getNamedAttr("strategy",
                       b.getStringAttr(stringifyStrategyKind(decision.kind))),
        b.getNamedAttr("config", b.getStringAttr(decision.knobs.str())),
        b.getNamedAttr("reason", b.getStringAttr(decision.reason)),
        b.getNamedAttr("candidates", b.getArrayAttr(candidates))};
    addChoice(getOperation(), b.getDictionaryAttr(parts));
  }

  FailureOr<Decision> decide(MatmulOp op, WeightOp weight) {
    std::vector<StrategyChoice> choices = strategiesOf(op, weight, machine);
    if (!config.empty())
      return forced(op, choices);
    TuningKey key = tuningKey(op, weight, machine, machineFingerprint());
    // Layers of a model repeat.
    std::string name = key.str() + " " + key.product;
    if (auto known = decided.find(name); known != decided.end())
      return known->second;
    FailureOr<Decision> decision = failure();
    if (std::optional<Decision> found = recorded(op, key, choices))
      decision = std::move(*found);
    else if (requireTuned)
      return op.emitError()
             << "has no tuning record that can be used (" << key.str()
             << "): run mezzo tune, or leave --require-tuned "
                "out";
    else
      decision = priced(op, weight, choices);
    if (succeeded(decision))
      decided.insert({name, *decision});
    return decision;
  }

  /// What `config` names is set in the default of the strategy.
  FailureOr<Decision> forced(MatmulOp op, ArrayRef<StrategyChoice> choices) {
    const StrategyChoice *choice = choices.begin();
    std::string knobs = config;
    // "strategy=lut,rows=4": one of several.
    if (StringRef(knobs).consume_front("strategy=")) {
      auto [name, rest] = StringRef(knobs).drop_front(9).split(',');
      choice = llvm::find_if(choices, [name = name](const StrategyChoice &c) {
        return stringifyStrategyKind(c.kind) == name;
      });
      if (choice == choices.end()) {
        std::string known;
        for (const StrategyChoice &c : choices)
          known +=
              (known.empty() ? "" : ", ") + stringifyStrategyKind(c.kind).str();
        return op.emitError()
               << "is not computed by strategy '" << name << "' in mode "
               << stringifyComputeMode(op.getMode()) << ": use " << known;
      }
      knobs = rest.str();
    }
    KnobValues values = choice->space.seed();
    if (llvm::Error error = values.set(knobs))
      return op.emitError() << llvm::toString(std::move(error));
    if (auto why = choice->space.refusal(values))
      return op.emitError() << *why;
    return Decision{choice->kind,
                    choice->layout,
                    values,
                    values == choice->space.seed() ? "the default, forced"
                                                   : "forced",
                    {}};
  }

  /// The best record that is legal. Those before it that are not are remarks.
  std::optional<Decision> recorded(MatmulOp op, const TuningKey &key,
                                   ArrayRef<StrategyChoice> choices) {
    for (const TuningMatch &match : records.lookup(key)) {
      const TuningRecord &record = *match.record;
      const StrategyChoice *choice =
          llvm::find_if(choices, [&](const StrategyChoice &c) {
            return stringifyStrategyKind(c.kind) == record.strategy;
          });
      std::optional<std::string> refusal;
      if (choice == choices.end())
        refusal =
            "strategy " + record.strategy + " does not compute this product";
      else
        refusal = choice->space.refusal(record.knobs);
      if (refusal) {
        op.emitRemark() << "a tuning record is left out, " << record.strategy
                        << " " << record.knobs.str() << ": " << *refusal;
        continue;
      }
      std::string reason;
      llvm::raw_string_ostream os(reason);
      os << describe(match.nearness) << ": "
         << llvm::format("%.1f us", record.cost());
      if (match.nearness == Nearness::NearbyShape)
        os << " at " << record.key.shape();
      return Decision{choice->kind, choice->layout, record.knobs, reason, {}};
    }
    return std::nullopt;
  }

  FailureOr<Decision> priced(MatmulOp op, WeightOp weight,
                             ArrayRef<StrategyChoice> choices) {
    constexpr size_t shown = 6;
    bool isSmall = weight.getRows() * weight.getColumns() < WorthSearching;
    if (isSmall && choices.size() == 1)
      return Decision{choices[0].kind,
                      choices[0].layout,
                      choices[0].space.seed(),
                      "the default: too small to be priced",
                      {}};
    FailureOr<std::vector<Candidate>> ranked = rankCandidates(
        op, weight, machine, choices, isSmall ? Search::Seeds : Search::Near);
    if (failed(ranked))
      return failure();
    const Candidate &best = ranked->front();
    std::string reason = "priced at " + best.price.str();
    if (ranked->size() > 1)
      for (const Candidate &other : *ranked)
        if (other.isSeed() && !best.isSeed() && other.choice == best.choice) {
          llvm::raw_string_ostream(reason) << llvm::format(
              "; the default %.1f us", other.price.microseconds);
          break;
        }
    Decision decision{
        best.choice->kind, best.choice->layout, best.knobs, reason, {}};
    for (const Candidate &candidate : ArrayRef(*ranked).take_front(shown))
      decision.candidates.push_back({candidate.str(), candidate.price});
    return decision;
  }

  Target machine;
  TuningDatabase records;
  std::map<std::string, Decision> decided;
};

} // namespace
