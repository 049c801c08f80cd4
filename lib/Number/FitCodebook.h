//===- FitCodebook.h - a code book for given values -------------*- C++ -*-===//

#ifndef MEZZO_LIB_NUMBER_FITCODEBOOK_H
#define MEZZO_LIB_NUMBER_FITCODEBOOK_H

#include <cstdint>
#include <vector>

namespace mezzo {

/// The 2^bits values, ascending, that represent finite `values` with small mean
/// square error: Lloyd's algorithm in one dimension (k-means), started at the
/// quantiles, so that it is deterministic. Fewer distinct values than entries
/// leave entries repeated. `values` must not be empty.
std::vector<float> fitCodebook(std::vector<float> values, unsigned bits);

} // namespace mezzo

#endif // MEZZO_LIB_NUMBER_FITCODEBOOK_H
