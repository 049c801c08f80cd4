//===- FitCodebook.cpp - a code book for given values ---------------------===//

#include "lib/Number/FitCodebook.h"

#include <algorithm>
#include <cassert>
#include <cstddef>

using namespace mezzo;

std::vector<float> mezzo::fitCodebook(std::vector<float> values,
                                      unsigned bits) {
  assert(!values.empty() && bits >= 1 && bits <= 8);
  // In one dimension a cluster is a run of the sorted values, and with prefix
  // sums its mean is two look-ups: an iteration costs a search per entry,
  // however many values there are.
  std::sort(values.begin(), values.end());
  std::vector<double> sums(values.size() + 1, 0.0);
  for (size_t i = 0; i < values.size(); ++i)
    sums[i + 1] = sums[i] + values[i];

  const size_t entries = size_t(1) << bits;
  std::vector<float> table(entries);
  for (size_t j = 0; j < entries; ++j)
    table[j] = values[(2 * j + 1) * values.size() / (2 * entries)];

  const int maxIterations = 64; // converges long before on real weights
  for (int iteration = 0; iteration < maxIterations; ++iteration) {
    bool moved = false;
    size_t begin = 0;
    for (size_t j = 0; j < entries; ++j) {
      size_t end = values.size();
      if (j + 1 < entries) {
        double border = (double(table[j]) + double(table[j + 1])) / 2;
        end = std::upper_bound(values.begin() + begin, values.end(), border,
                               [](double b, float v) { return b < v; }) -
              values.begin();
      }
      if (end > begin) {
        float mean =
            static_cast<float>((sums[end] - sums[begin]) / double(end - begin));
        // The border after this entry was taken from its old place, as Lloyd's
        // algorithm wants it; the one before it is behind us.
        moved |= mean != table[j];
        table[j] = mean;
      }
      begin = end;
    }
    if (!moved)
      break;
  }
  // Rounding a mean to f32 may pass a neighbour's by one unit.
  std::sort(table.begin(), table.end());
  return table;
}
