//===- Costs.cpp - What ops take on x86 machines --------------------------===//
//
// Sources: units and latencies are those of Zen 3, from Agner Fog's instruction
// tables and AMD's Software Optimization Guide for family 19h (publication
// 56665); what of it holds in loops was measured (the roof of `vpmaddubsw`,
// `vpmaddwd`, `vpaddd` is one triple a cycle, that of `vpmaddubsw`, `vpaddw`
// two pairs in three cycles). The rates of caches and memory were measured on a
// cloud machine of that kind, one core of it busy.
//
// One record per op and register, of 32 bytes or of 64. Index arithmetic is not
// counted: it becomes addressing modes. A broadcast of a scalar that was just
// loaded is the load.
//
//===----------------------------------------------------------------------===//

#include "targets/X86/X86.h"

using namespace mezzo;

namespace {

constexpr OpCost simple(float count = 1, float latency = 1) {
  OpCost cost;
  cost.simple = count;
  cost.latency = latency;
  return cost;
}
constexpr OpCost shuffle(float count = 1, float latency = 1) {
  OpCost cost;
  cost.shuffles = count;
  cost.latency = latency;
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
constexpr OpCost product(float multiplies, float simple, float shuffles = 0,
                         float latency = 1) {
  OpCost cost;
  cost.multiplies = multiplies;
  cost.simple = simple;
  cost.shuffles = shuffles;
  cost.latency = latency; // from the sum to the sum
  return cost;
}

constexpr CostRecord records[] = {
    // vpsrlw, vpand
    {"tile.field", product(0, 1, 1, 2)},
    {"tile.field/in_place", simple()},
    // vpmaddubsw, vpmaddwd, vpaddd
    {"tile.dot", product(2, 1)},
    // vpabsb and vpsignb besides
    {"tile.dot/signed", product(2, 2, 1)},
    {"tile.dot_pairs/signed", product(1, 2, 1)},
    // two vpmaddwd of bytes that are widened in place
    {"tile.dot/wide", product(2, 4, 4)},
    {"tile.dot_pairs", product(1, 1)},
    {"tile.add_pairs", product(1, 1)},
    {"tile.lookup", shuffle()},
    {"tile.broadcast_group", load()},

    {"vector.load", load()},
    {"vector.maskedload", load(2)},
    {"vector.store", store()},
    {"vector.maskedstore", store()},
    {"memref.load", load()},
    {"memref.store", store()},
    {"memref.prefetch", load()},
    {"vector.broadcast", shuffle(1, 3)},
    {"vector.shuffle", shuffle(2, 3)},
    {"vector.bitcast", OpCost()},
    {"vector.create_mask", simple(2)},
    {"arith.bitcast", OpCost()},
    {"arith.shrui", shuffle()},
    {"arith.shrsi", shuffle()},
    {"arith.shli", shuffle()},
    {"arith.muli", product(2, 0, 0, 4)},
    {"arith.extui", shuffle(2)},
    {"arith.extsi", shuffle(2)},
    {"arith.trunci", shuffle(2)},
    {"arith.extf", shuffle(1, 5)},
    {"arith.truncf", shuffle(1, 5)},
    {"arith.sitofp", shuffle(1, 3)},
    {"arith.fptosi", shuffle(1, 3)},
    {"arith.addf", shuffle(1, 3)},
    {"arith.subf", shuffle(1, 3)},
    {"arith.mulf", product(1, 0, 0, 3)},
    {"arith.divf", product(5, 0, 0, 11)},
    {"math.fma", product(1, 0, 0, 4)},
    {"math.roundeven", shuffle(1, 3)},
};

} // namespace

CoreCosts x86::avx2Costs() {
  CoreCosts costs;
  costs.cpu = "Zen 3";
  costs.records = records;
  costs.issue = 6;
  costs.loads = 2;
  costs.stores = 1;
  costs.multiplies = 2;
  costs.shuffles = 2;
  costs.vectors = 4;
  costs.l1Bytes = 32 << 10;
  costs.l2Bytes = 512 << 10;
  costs.l3Bytes = 8 << 20;
  costs.l2Rate = 32;
  costs.l3Rate = 20;
  costs.memoryRate = 6;
  costs.twoStreams = 1.2f;
  costs.gigahertz = 3.1f;
  return costs;
}

CoreCosts x86::vnniCosts() {
  // vpdpbusd, on unsigned codes; the records before the common ones count.
  static const std::vector<CostRecord> all = [] {
    std::vector<CostRecord> made = {{"tile.dot", product(1, 0)},
                                    {"tile.dot/wide", product(1, 0)}};
    made.insert(made.end(), std::begin(records), std::end(records));
    return made;
  }();
  CoreCosts costs = avx2Costs();
  costs.records = all;
  return costs;
}
