//===- Cost.h - What things take on a machine -----------------------------===//
//
// Facts that passes/Select prices kernels by. They rank candidates; nobody's
// result depends on them, and a number that is a third off is good enough.
//
// A core is seen as a few kinds of units that each start so many
// micro-operations in a cycle. A loop takes as long as its busiest kind, or as
// its longest chain of operations that wait for each other.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_TARGETS_COST_H
#define MEZZO_TARGETS_COST_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace mezzo {

/// Micro-operations of what an op becomes, for one vector register of results,
/// by the kind of unit that does them.
struct OpCost {
  float loads = 0, stores = 0;
  float multiplies = 0; ///< products: integers, fused multiply-add
  float shuffles = 0;   ///< shifts, permutations, conversions, float additions
  float simple = 0;     ///< what every vector unit does: and, or, add, min
  float latency = 1;    ///< cycles until the result is there
};

/// The cost of an op by its name. An op that is spelt differently for some of
/// its attributes has a record for each, called `tile.dot/wide` and the like;
/// where that is missing, the one without a suffix counts:
///
///     tile.field/in_place    bits that stay where they are
///     tile.dot/signed        of signed codes; tile.dot_pairs likewise
///     tile.dot/wide          whose pairs of products exceed 16 bits
struct CostRecord {
  llvm::StringRef op;
  OpCost cost;
};

/// A core, and the memory behind it.
struct CoreCosts {
  llvm::StringRef cpu; ///< whose numbers these are
  llvm::ArrayRef<CostRecord> records;

  /// How many of each start in a cycle; `vectors`: of multiplies, shuffles and
  /// simple ones together; `issue`: of everything.
  float issue = 4, loads = 2, stores = 1, multiplies = 1, shuffles = 1,
        vectors = 2;

  int64_t l1Bytes = 32 << 10, l2Bytes = 512 << 10, l3Bytes = 8 << 20;
  /// Bytes in a cycle that are read from there; of memory by one stream of
  /// addresses, and how many times as many by two of them.
  float l2Rate = 32, l3Rate = 16, memoryRate = 6, twoStreams = 1;
  float gigahertz = 3;

  /// Null where nobody has said what the op takes.
  const OpCost *find(llvm::StringRef op) const {
    for (const CostRecord &record : records)
      if (record.op == op)
        return &record.cost;
    return nullptr;
  }
};

} // namespace mezzo

#endif // MEZZO_TARGETS_COST_H
