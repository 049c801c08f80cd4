//===- Knobs.cpp - the space of a product's configurations ----------------===//

#include "passes/Kernel/Knobs.h"

#include "passes/Kernel/ProductKernel.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// Bytes of a thread's stack that one kernel may take for decoded codes: half
/// of the smallest stack that threads commonly get.
constexpr int64_t MostDecodedBytes = 1 << 20;

/// Bytes of a panel's decoded codes in one step.
int64_t decodedStepBytes(const ProductStrategy &strategy, MLIRContext *context,
                         const ProductTraits &traits) {
  Builder builder(context);
  unsigned vectors = traits.panel.planes.size(); // of indices; else of codes
  if (!traits.panel.holdsIndices())
    vectors = isa<FloatType>(strategy.sumElement(builder))
                  ? PanelFields::ColumnsPerStep
                  : 1;
  return int64_t(vectors) * traits.panel.fields.size() *
         PanelFields::VectorBytes;
}

/// Half of it, and double, as far as chunks fit in.
SmallVector<int64_t> blocksAround(int64_t block, int64_t chunk) {
  SmallVector<int64_t> blocks;
  int64_t unit = std::max<int64_t>(chunk, PanelFields::ColumnsPerStep);
  for (int64_t wanted : {block / 4, block / 2, 2 * block})
    if (int64_t fitting = wanted / unit * unit)
      blocks.push_back(fitting);
  return blocks;
}

} // namespace

ArrayRef<Knob> mezzo::knobsOfOneRow() {
  static constexpr Knob knobs[] = {Knob::Streams, Knob::Unroll, Knob::Chunk};
  return knobs;
}

ArrayRef<Knob> mezzo::knobsOfManyRows() {
  static constexpr Knob knobs[] = {Knob::Rows, Knob::Groups, Knob::Unroll,
                                   Knob::Block, Knob::Chunk};
  return knobs;
}

KnobSpace mezzo::knobSpace(const ProductStrategy &strategy,
                           MLIRContext *context, const ProductTraits &traits,
                           const Target &target) {
  KnobValues seed = knobsOf(fitChunk(
      strategy.defaultConfig(context, traits.format, traits.panel, target),
      traits.format, traits.amax));
  KnobSpace space(seed);
  int64_t rowGroups = traits.panel.fields.size(),
          most =
              strategy.longestChunk(traits.format, traits.panel, traits.amax);

  // What keeps kernels correct.
  space.require(
      "16 bits hold a chunk",
      [=](const KnobValues &values) -> std::optional<std::string> {
        int64_t chunk = values[Knob::Chunk];
        if (chunk == seed[Knob::Chunk] || most == AnyChunk)
          return std::nullopt;
        if (most == 0 && chunk != 0)
          return "a chunk of " + std::to_string(chunk) +
                 " columns: this strategy adds nothing up in 16 bits, use "
                 "chunk=0";
        if (chunk > most)
          return "a chunk of " + std::to_string(chunk) +
                 " columns: 16 bits hold the sums of " + std::to_string(most) +
                 " columns of these codes, use chunk=" + std::to_string(most) +
                 " at most";
        if (chunk == 0 && traits.panel.holdsIndices())
          return "a chunk of 0 columns: look-ups are added up in 16 bits, use "
                 "chunk=" +
                 std::to_string(most);
        return std::nullopt;
      });
  int64_t stepBytes = decodedStepBytes(strategy, context, traits);
  space.require("a stack holds a block",
                [=](const KnobValues &values) -> std::optional<std::string> {
                  int64_t bytes = values[Knob::Block] /
                                  PanelFields::ColumnsPerStep * stepBytes;
                  if (bytes <= MostDecodedBytes)
                    return std::nullopt;
                  int64_t fitting = MostDecodedBytes / stepBytes *
                                    PanelFields::ColumnsPerStep;
                  return "a block of " + std::to_string(values[Knob::Block]) +
                         " columns: decoded, it takes " +
                         std::to_string(bytes) +
                         " bytes of a thread's stack, use block=" +
                         std::to_string(fitting) + " at most";
                });

  // What is worth a try.
  bool one = traits.m == 1, several = !traits.m || *traits.m > 1;
  space.setValues(Knob::Unroll, {1, 2, 4});
  if (most != AnyChunk && most > 0) {
    SmallVector<int64_t> chunks{most, most / 2 / 4 * 4};
    if (!traits.panel.holdsIndices())
      chunks.push_back(0);
    llvm::erase_if(chunks, [&](int64_t chunk) {
      return chunk < 0 || chunk > knobInfos()[unsigned(Knob::Chunk)].high ||
             (chunk == 0 && traits.panel.holdsIndices());
    });
    space.setValues(Knob::Chunk, chunks);
  }
  if (!traits.m || one)
    space.setValues(Knob::Streams, {1, 2, 4});
  if (several) {
    SmallVector<int64_t> rows, groups;
    for (int64_t count : {1, 2, 3, 4, 5, 6, 8, 12})
      if (count <= traits.m.value_or(count))
        rows.push_back(count);
    for (int64_t count = 1; count <= std::min<int64_t>(rowGroups, 8); ++count)
      if (rowGroups % count == 0)
        groups.push_back(count);
    space.setValues(Knob::Rows, rows);
    space.setValues(Knob::Groups, groups);
    space.setValues(Knob::Block,
                    blocksAround(seed[Knob::Block], seed[Knob::Chunk]));
  }
  int64_t perVector = llvm::divideCeil(PanelFields::VectorBytes,
                                       std::max(1u, target.vectorBytes)),
          sumsPerTile = strategy.sumsPerRowGroup(traits.format, traits.panel);
  space.exclude(
      "registers hold a tile",
      [=](const KnobValues &values) -> std::optional<std::string> {
        // Sums, and one operand of each kind.
        int64_t sums = values[Knob::Rows] * values[Knob::Groups] * sumsPerTile;
        int64_t needed = llvm::divideCeil(sums * PanelFields::VectorBytes,
                                          std::max(1u, target.vectorBytes)) +
                         2 * perVector;
        if (needed <= target.vectorRegisters)
          return std::nullopt;
        return "a register tile of " + std::to_string(values[Knob::Rows]) +
               " x " + std::to_string(values[Knob::Groups]) + " needs " +
               std::to_string(needed) + " registers, and there are " +
               std::to_string(target.vectorRegisters);
      });
  return space;
}

KnobValues mezzo::knobsOf(ConfigAttr config) {
  return KnobValues({config.getRows(), config.getGroups(), config.getUnroll(),
                     config.getStreams(), config.getBlock(),
                     config.getChunk()});
}

ConfigAttr mezzo::configOf(MLIRContext *context, StrategyKind strategy,
                           const KnobValues &values) {
  return ConfigAttr::get(context, strategy, values[Knob::Rows],
                         values[Knob::Groups], values[Knob::Unroll],
                         values[Knob::Streams], values[Knob::Block],
                         values[Knob::Chunk]);
}

ConfigAttr mezzo::fitChunk(ConfigAttr config, const Format &format,
                           int64_t amax) {
  if (config.getStrategy() != StrategyKind::NativeDot)
    return config;
  int64_t longest = 4 * format.stored().exactPairs(amax),
          chunk = std::min(config.getChunk(), longest);
  return ConfigAttr::get(config.getContext(), config.getStrategy(),
                         config.getRows(), config.getGroups(),
                         config.getUnroll(), config.getStreams(),
                         config.getBlock(), chunk < ShortestChunk ? 0 : chunk);
}
