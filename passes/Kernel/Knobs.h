//===- Knobs.h - the space of a product's configurations ------------------===//
//
// lib/Tuning/Knobs.h says what knobs are. Here they meet a product: what a
// strategy may do with a format and a shape on a machine, and why not.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_PASSES_KERNEL_KNOBS_H
#define MEZZO_PASSES_KERNEL_KNOBS_H

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Layout/Panel.h"
#include "lib/Tuning/Knobs.h"
#include "targets/Target.h"

namespace mezzo {

class ProductStrategy;

/// What the space of a product depends on.
struct ProductTraits {
  Format format;
  PanelFields panel;
  std::optional<int64_t> m; ///< activation rows, if they are known
  /// The largest magnitude of an activation in mode `int`.
  int64_t amax = ActivationMax;
};

/// Knobs that say something about one activation row, and about several.
llvm::ArrayRef<Knob> knobsOfOneRow();
llvm::ArrayRef<Knob> knobsOfManyRows();

/// The configurations of `strategy`, its default the seed.
KnobSpace knobSpace(const ProductStrategy &strategy, mlir::MLIRContext *context,
                    const ProductTraits &traits, const Target &target);

KnobValues knobsOf(ConfigAttr config);
/// Legal values only (mezzo::refusalOf).
ConfigAttr configOf(mlir::MLIRContext *context, StrategyKind strategy,
                    const KnobValues &values);

/// The configuration with a chunk that 16 bits hold for activations of up to
/// `amax`, which a default for smaller ones may exceed.
ConfigAttr fitChunk(ConfigAttr config, const Format &format, int64_t amax);

} // namespace mezzo

#endif // MEZZO_PASSES_KERNEL_KNOBS_H
