//===- Reference.h - what a plan computes, by lib/Golden ------------------===//

#ifndef MEZZO_TARGETS_HLSC_REFERENCE_H
#define MEZZO_TARGETS_HLSC_REFERENCE_H

#include "targets/HlsC/Plan.h"

namespace mezzo::hlsc {

/// Inputs of a test and the outputs that the model has for them: [rows,
/// columns] each.
struct Vectors {
  std::vector<std::vector<float>> inputs, outputs;
};

/// Runs the plan on numbers of a heavy-tailed kind, the same for every compile,
/// by the scalar programs of lib/Golden. These are the vectors of the test
/// bench.
Vectors testVectors(const Plan &plan);

} // namespace mezzo::hlsc

#endif // MEZZO_TARGETS_HLSC_REFERENCE_H
