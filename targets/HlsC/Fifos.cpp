//===- Fifos.cpp - how deep FIFOs are -------------------------------------===//

#include "targets/HlsC/Fifos.h"

#include <algorithm>

using namespace mezzo;
using namespace mezzo::hlsc;

bool mezzo::hlsc::waitsForRow(Stage::Kind kind) {
  return kind != Stage::Kind::Elementwise && kind != Stage::Kind::Tables &&
         kind != Stage::Kind::StaticQuantize &&
         kind != Stage::Kind::StaticDequantize;
}

/// Stages that wait for a row on the longest way to a wire.
static int64_t rowsBehind(const Plan &plan, int wire) {
  int producer = plan.wires[wire].producer;
  if (producer < 0)
    return 0;
  const Stage &stage = plan.stages[producer];
  int64_t most = 0;
  for (int input : stage.inputs)
    most = std::max(most, rowsBehind(plan, input));
  return most + waitsForRow(stage.kind);
}

int64_t mezzo::hlsc::rowsHeld(const Plan &plan, int wire, int stage) {
  int64_t most = 0;
  for (int input : plan.stages[stage].inputs)
    most = std::max(most, rowsBehind(plan, input));
  return most - rowsBehind(plan, wire);
}
