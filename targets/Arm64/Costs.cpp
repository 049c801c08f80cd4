//===- Costs.cpp - What ops take on 64-bit ARM machines -------------------===//
//
// Sources: Arm's Software Optimization Guides for the Cortex-A72 (UAN 0016A)
// and the Neoverse N1 (PJDOC-466751330-9707): pipelines F0/F1 and V0/V1.
// Nothing was measured: no ARM machine was at hand.
//
// One record per op and register of 16 bytes; a vector of 32 is two of them.
// `mla` and `sdot` count as simple where both pipelines do them.
//
//===----------------------------------------------------------------------===//

#include "targets/Arm64/Arm64.h"

using namespace mezzo;

namespace {

constexpr OpCost vectors(float simple, float multiplies = 0, float shuffles = 0,
                         float latency = 1) {
  OpCost cost;
  cost.simple = simple;
  cost.multiplies = multiplies;
  cost.shuffles = shuffles;
  cost.latency = latency; // of a product: from the sum to the sum
  return cost;
}
constexpr OpCost load(float count = 1) {
  OpCost cost;
  cost.loads = count;
  cost.latency = 5;
  return cost;
}
constexpr OpCost store() {
  OpCost cost;
  cost.stores = 1;
  return cost;
}

/// What both kinds of machines have, whatever their dot products are.
constexpr CostRecord records[] = {
    {"tile.field", vectors(1, 0, 1, 3)}, // ushr or shl, and
    {"tile.field/in_place", vectors(1)},
    {"tile.add_pairs", vectors(0, 0, 1, 1)}, // sadalp
    {"tile.lookup", vectors(1, 0, 0, 3)},
    {"tile.broadcast_group", load()},
    {"tile.dot_pairs", vectors(1, 2, 0, 1)}, // two smlal
    // four smull, of even and of odd bytes, and two sadalp
    {"tile.dot/wide", vectors(2, 2, 2, 2)},

    {"vector.load", load()},
    {"vector.maskedload", load(4)},
    {"vector.store", store()},
    {"vector.maskedstore", store()},
    {"memref.load", load()},
    {"memref.store", store()},
    {"memref.prefetch", load()},
    {"vector.broadcast", vectors(1, 0, 0, 3)},
    {"vector.shuffle", vectors(2, 0, 0, 3)},
    {"vector.bitcast", OpCost()},
    {"vector.create_mask", vectors(2)},
    {"arith.bitcast", OpCost()},
    {"arith.shrui", vectors(0, 0, 1, 2)},
    {"arith.shrsi", vectors(0, 0, 1, 2)},
    {"arith.shli", vectors(0, 0, 1, 2)},
    {"arith.muli", vectors(0, 1, 0, 4)},
    {"arith.extui", vectors(0, 0, 1, 2)},
    {"arith.extsi", vectors(0, 0, 1, 2)},
    {"arith.trunci", vectors(0, 0, 1, 2)},
    {"arith.extf", vectors(0, 1, 0, 3)},
    {"arith.truncf", vectors(0, 1, 0, 3)},
    {"arith.sitofp", vectors(0, 1, 0, 3)},
    {"arith.fptosi", vectors(0, 1, 0, 3)},
    {"arith.addf", vectors(1, 0, 0, 2)},
    {"arith.subf", vectors(1, 0, 0, 2)},
    {"arith.mulf", vectors(1, 0, 0, 3)},
    {"arith.divf", vectors(0, 7, 0, 10)},
    {"math.fma", vectors(1, 0, 0, 4)},
    {"math.roundeven", vectors(0, 1, 0, 3)},
};

/// The records above, and that of the dot product.
std::vector<CostRecord> withDot(OpCost dot) {
  std::vector<CostRecord> all(std::begin(records), std::end(records));
  all.push_back({"tile.dot", dot});
  return all;
}

CoreCosts common() {
  CoreCosts costs;
  costs.issue = 4;
  costs.loads = 2;
  costs.stores = 1;
  costs.multiplies = 1;
  costs.shuffles = 1;
  costs.vectors = 2;
  return costs;
}

} // namespace

CoreCosts arm64::neonCosts() {
  // two smull, addp, sadalp
  static const std::vector<CostRecord> neon = withDot(vectors(1, 2, 1));
  CoreCosts costs = common();
  costs.cpu = "Cortex-A72";
  costs.records = neon;
  costs.issue = 3;
  costs.loads = 1;
  costs.l2Bytes = 1 << 20;
  costs.l3Bytes = 1 << 20;
  costs.l2Rate = 16;
  costs.l3Rate = 8;
  costs.memoryRate = 4;
  costs.gigahertz = 1.8f;
  return costs;
}

CoreCosts arm64::dotprodCosts() {
  static const std::vector<CostRecord> dotprod = withDot(vectors(1)); // sdot
  CoreCosts costs = common();
  costs.cpu = "Neoverse N1";
  costs.records = dotprod;
  costs.l1Bytes = 64 << 10;
  costs.l2Bytes = 1 << 20;
  costs.l3Bytes = 8 << 20;
  costs.l2Rate = 32;
  costs.l3Rate = 16;
  costs.memoryRate = 7;
  costs.gigahertz = 2.5f;
  return costs;
}
