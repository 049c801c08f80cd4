//===- Candidates.h - what a product could be computed by, with prices ----===//
//
// A candidate is a strategy, the layout that it wants the weight in, and a
// configuration. Its price is that of the kernel that it becomes: candidates
// are written into a scratch module by the passes that write the real ones, and
// the kernels there are priced (Price.h). So there is no second description of
// a kernel that could be out of date.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_PASSES_SELECT_CANDIDATES_H
#define MEZZO_PASSES_SELECT_CANDIDATES_H

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Tuning/Record.h"
#include "passes/Kernel/Knobs.h"
#include "passes/Select/Price.h"
#include "targets/Target.h"

#include "mlir/IR/BuiltinOps.h"

namespace mezzo {

/// A way to compute a product in its mode.
struct StrategyChoice {
  StrategyKind kind;
  Layout layout;   ///< of the weight
  KnobSpace space; ///< its seed is the strategy's own default
};

struct Candidate {
  const StrategyChoice *choice;
  KnobValues knobs;
  Price price;

  bool isSeed() const { return knobs == choice->space.seed(); }
  /// "native_dot rows=4,..."
  std::string str() const;
};

/// The strategies that are legal for `op`, none of which changes a bit of its
/// result. Never empty.
std::vector<StrategyChoice> strategiesOf(MatmulOp op, WeightOp weight,
                                         const Target &target);

/// What records of `op` are filed under.
TuningKey tuningKey(MatmulOp op, WeightOp weight, const Target &target,
                    llvm::StringRef machine);

/// Activation rows that a product of an unknown number of them is priced and
/// measured for: one, and many.
llvm::ArrayRef<int64_t> typicalRows();

/// A module with `op` and its weight alone, once for each configuration and
/// number of activation rows, as functions "main", "main1", ...: for pricing
/// and measuring. `m`: ShapedType::kDynamic to leave it open.
struct Variant {
  StrategyKind kind;
  const Layout *layout; ///< null: choose, and `knobs` too
  KnobValues knobs;
  int64_t m;
};
mlir::OwningOpRef<mlir::ModuleOp> isolate(MatmulOp op, WeightOp weight,
                                          llvm::ArrayRef<Variant> variants);

/// Prices all of `candidates`. Fails, with an error, where one cannot be
/// written, which is a bug.
mlir::LogicalResult priceCandidates(MatmulOp op, WeightOp weight,
                                    const Target &target,
                                    std::vector<Candidate> &candidates);

/// What is priced: the seeds of all choices; what is near them, that is, what
/// differs in the register tile, and then what differs from the best of those
/// in one of the other knobs; or the whole spaces.
enum class Search { Seeds, Near, Everything };

/// The cheapest configurations, sorted by price; where two are within what the
/// model can tell apart, the seed comes first.
mlir::FailureOr<std::vector<Candidate>>
rankCandidates(MatmulOp op, WeightOp weight, const Target &target,
               llvm::ArrayRef<StrategyChoice> choices,
               Search search = Search::Near);

} // namespace mezzo

#endif // MEZZO_PASSES_SELECT_CANDIDATES_H
