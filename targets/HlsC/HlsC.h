//===- HlsC.h - C99, and C++ for high-level synthesis ---------------------===//

#ifndef MEZZO_TARGETS_HLSC_HLSC_H
#define MEZZO_TARGETS_HLSC_HLSC_H

#include "targets/Target.h"

namespace mezzo::hlsc {

/// `c` and `hls`: targets that write a folder of sources.
std::vector<Target> targets();

} // namespace mezzo::hlsc

#endif // MEZZO_TARGETS_HLSC_HLSC_H
