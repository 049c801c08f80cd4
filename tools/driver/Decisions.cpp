//===- Decisions.cpp - what was chosen for every weight -------------------===//

#include "tools/driver/Decisions.h"

#include "lib/Layout/Catalogue.h"
#include "passes/Layout/WeightParts.h"

using namespace mlir;
using namespace mezzo;

double WeightDecision::bitsPerWeight() const {
  int64_t elements = 1;
  for (int64_t size : shape)
    elements *= size;
  return elements ? 8.0 * double(bytes) / double(elements) : 0;
}

std::string mezzo::layoutName(const Layout &layout) {
  Layout wanted = layout.canonical();
  for (const CatalogueEntry &entry : catalogue())
    if (entry.layout.canonical() == wanted)
      return entry.name;
  return layout.str();
}

/// The strategy is one of the words of a kernel's key.
static std::string strategyOf(StringRef key) {
  SmallVector<StringRef> words;
  key.split(words, '.');
  for (StringRef word : words)
    if (symbolizeStrategyKind(word))
      return word.str();
  return "";
}

std::vector<WeightDecision> mezzo::readDecisions(ModuleOp module) {
  std::vector<WeightDecision> decisions;
  llvm::StringMap<size_t> byName;
  for (WeightOp weight : module.getOps<WeightOp>()) {
    byName[weight.getSymName()] = decisions.size();
    WeightDecision &decision = decisions.emplace_back();
    decision.name = weight.getSymName().str();
    decision.shape = weight.getTensorType().getShape().vec();
    if (weight.isQuantized()) {
      decision.spec = weight.getSpec()->str();
      if (weight.getPacked())
        decision.layout = layoutName(weight.getPacked()->getLayout());
    } else {
      llvm::raw_string_ostream(decision.spec)
          << weight.getTensorType().getElementType();
    }
    decision.bytes = weightPart(weight).bytes();
  }
  module.walk([&](LaunchOp launch) {
    for (Value input : launch.getInputs()) {
      auto load = input.getDefiningOp<LoadPackedOp>();
      auto found = load ? byName.find(load.getWeight()) : byName.end();
      if (found == byName.end())
        continue;
      WeightDecision &decision = decisions[found->second];
      std::string strategy = strategyOf(launch.getKernel());
      // A plain weight may be read by row kernels, which choose nothing.
      if (strategy.empty() ||
          llvm::is_contained(decision.keys, launch.getKernel()))
        continue;
      decision.strategy = strategy;
      decision.keys.push_back(launch.getKernel().str());
    }
  });
  return decisions;
}
