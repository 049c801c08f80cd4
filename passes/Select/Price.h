//===- Price.h - what a kernel takes, without running it ------------------===//
//
// A kernel is priced as it was written: the loops of its IR are walked, their
// trip counts follow from the shapes, and each op costs what the target's
// record says (targets/Cost.h). The price of a loop is
//
//     rounds * max(busiest unit, longest chain of dependent ops, spills)
//
// and of memory, bytes over rate. What comes from where is found out by reuse:
// a load whose address does not depend on a loop finds its bytes again in every
// round but the first, in the smallest cache that holds all that one round of
// the loop touches. What is touched for the first time comes from memory if it
// is a weight (a model reads all of them between two uses of one), and else
// from the second-level cache, where the op before has left it.
//
// Computing and reading overlap, but not entirely:
//
//     cycles = max(computing, reading) + a quarter of the other one
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_PASSES_SELECT_PRICE_H
#define MEZZO_PASSES_SELECT_PRICE_H

#include "dialects/Mezzo/Mezzo.h"
#include "targets/Target.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mezzo {

struct Price {
  /// Of one thread.
  double microseconds = 0;
  double computeUs = 0, memoryUs = 0;
  /// Bytes that come from there, beyond the first-level cache.
  double l2Bytes = 0, l3Bytes = 0, memoryBytes = 0;
  /// What the innermost loops wait for most: "multiplies", "loads", "latency",
  /// "spills", ...
  llvm::StringRef bottleneck;

  /// "412 us: computing 398 (shuffles), reading 187 (9.4 MB from memory)"
  std::string str() const;

  /// One after the other.
  Price &operator+=(const Price &other);
};

/// The price of all tasks of a launch whose operands are of static shapes, and
/// whose index operands are constants. `streams`: panels that it reads side by
/// side.
Price priceOf(LaunchOp launch, mlir::func::FuncOp kernel, const Target &target,
              int64_t streams);

} // namespace mezzo

#endif // MEZZO_PASSES_SELECT_PRICE_H
