//===- Project.h - the files of a folder ----------------------------------===//

#ifndef MEZZO_TARGETS_HLSC_PROJECT_H
#define MEZZO_TARGETS_HLSC_PROJECT_H

#include "targets/HlsC/Estimate.h"
#include "targets/HlsC/Kernel.h"
#include "targets/HlsC/Reference.h"
#include "targets/Target.h"

namespace mezzo::hlsc {

/// What is known when the files are written.
struct Project {
  const Kernel &kernel;
  const Vectors &vectors;
  std::string code; ///< the functions, printed

  const Plan &plan() const { return kernel.plan; }
  bool isHls() const { return kernel.c.isHls(); }
  /// Multiplications of two scales that a run takes: K / group for each output.
  int64_t scaleMultiplies() const;
};

// One file each.
std::string kernelFile(const Project &project);
std::string headerFile(const Project &project);
std::string weightsFile(const Project &project);
std::string vectorsFile(const Project &project);
std::string benchFile(const Project &project);
std::string makeFile(const Project &project);
std::string configFile(const Project &project);
std::string tclFile(const Project &project);
/// One line about the memory that the C version takes.
std::string memoryEstimate(const Project &project);
std::string readmeFile(const Project &project, const Estimate &estimate);

} // namespace mezzo::hlsc

#endif // MEZZO_TARGETS_HLSC_PROJECT_H
