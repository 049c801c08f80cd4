//===- Knobs.cpp - the choices of a product, as text ----------------------===//

#include "passes/Kernel/Knobs.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// The knobs in the order of the attribute.
struct Knobs {
  static constexpr StringRef names[] = {"rows",    "groups", "unroll",
                                        "streams", "block",  "chunk"};
  static constexpr size_t count = std::size(names);

  explicit Knobs(ConfigAttr config)
      : values{config.getRows(),    config.getGroups(), config.getUnroll(),
               config.getStreams(), config.getBlock(),  config.getChunk()} {}

  int64_t values[count];
};

} // namespace

std::string mezzo::describeKnobs(ConfigAttr config) {
  std::string text;
  Knobs knobs(config);
  for (auto [name, value] : llvm::zip_equal(Knobs::names, knobs.values))
    text +=
        (text.empty() ? "" : ",") + name.str() + "=" + std::to_string(value);
  return text;
}

FailureOr<ConfigAttr>
mezzo::overrideKnobs(ConfigAttr base, StringRef text,
                     llvm::function_ref<InFlightDiagnostic()> emitError) {
  Knobs knobs(base);
  SmallVector<StringRef> settings;
  text.split(settings, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef setting : settings) {
    auto [name, value] = setting.split('=');
    const StringRef *found = llvm::find(Knobs::names, name.trim());
    if (found == std::end(Knobs::names))
      return emitError() << "has no knob '" << name << "': it has "
                         << llvm::join(ArrayRef(Knobs::names), ", ")
                         << "; write rows=4,unroll=2";
    if (value.trim().getAsInteger(10, knobs.values[found - Knobs::names]))
      return emitError() << "has the knob '" << setting
                         << "': write a number, such as " << name << "=4";
  }
  auto [rows, groups, unroll, streams, block, chunk] = knobs.values;
  ConfigAttr config =
      ConfigAttr::getChecked(emitError, base.getContext(), base.getStrategy(),
                             rows, groups, unroll, streams, block, chunk);
  if (!config)
    return failure();
  return config;
}

ConfigAttr mezzo::fitChunk(ConfigAttr config, const Format &format,
                           int64_t amax) {
  // Sums of activations are made for chunks of eight columns or more.
  constexpr int64_t Shortest = 8;
  if (config.getStrategy() != StrategyKind::NativeDot)
    return config;
  int64_t longest = 4 * format.stored().exactPairs(amax),
          chunk = std::min(config.getChunk(), longest);
  return ConfigAttr::get(config.getContext(), config.getStrategy(),
                         config.getRows(), config.getGroups(),
                         config.getUnroll(), config.getStreams(),
                         config.getBlock(), chunk < Shortest ? 0 : chunk);
}
