//===- Estimate.h - about how long, and about how large -------------------===//

#ifndef MEZZO_TARGETS_HLSC_ESTIMATE_H
#define MEZZO_TARGETS_HLSC_ESTIMATE_H

#include "targets/HlsC/Kernel.h"

namespace mezzo::hlsc {

/// From `low` to `high`: nobody has synthesized it.
struct Range {
  double low = 0, high = 0;
  Range operator+(Range other) const {
    return {low + other.low, high + other.high};
  }
  Range operator*(double factor) const { return {low * factor, high * factor}; }
  std::string str() const;
};

/// Of one process, for one row; or of all.
struct StageEstimate {
  std::string name;
  Range cycles, dsp, lut, bram; ///< bram: blocks of 18 Kbit
};

struct Estimate {
  std::vector<StageEstimate> stages;
  StageEstimate total; ///< cycles: of all rows
  double clockNs = 0;
  /// One line: how long, how large.
  std::string summary() const;
  /// A table in Markdown, and how its numbers come about.
  std::string table() const;
};

/// The schedule of a kernel for hardware.
Estimate estimateOf(const Kernel &k);

} // namespace mezzo::hlsc

#endif // MEZZO_TARGETS_HLSC_ESTIMATE_H
