//===- Compare.cpp - the oracles X0, XF and XT ----------------------------===//

#include "lib/Golden/Compare.h"

#include "lib/Golden/Lut8.h"

#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>

namespace mezzo::golden {

namespace {

uint32_t bitsOf(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}

/// Floats in ascending order as consecutive integers, so that a difference
/// counts ulps. -0 and +0 are neighbours here: they differ, by one.
int64_t ordinal(float x) {
  const uint32_t bits = bitsOf(x);
  return bits >> 31 ? -1 - int64_t(bits & 0x7fffffff) : int64_t(bits);
}

bool same(float a, float b) {
  return bitsOf(a) == bitsOf(b) || (std::isnan(a) && std::isnan(b));
}
bool same(int32_t a, int32_t b) { return a == b; }

double distance(float a, float b) {
  if (std::isnan(a) || std::isnan(b))
    return std::numeric_limits<double>::infinity();
  return std::fabs(double(ordinal(a) - ordinal(b)));
}
double distance(int32_t a, int32_t b) {
  return std::fabs(double(int64_t(a) - b));
}

std::string show(float x) {
  return llvm::formatv("{0} ({1:x8})", llvm::format("%.9g", double(x)),
                       bitsOf(x));
}
std::string show(int32_t x) { return std::to_string(x); }

std::string where(int64_t index, int64_t cols) {
  return llvm::formatv("row {0}, column {1}", index / cols, index % cols);
}

template <typename T>
Comparison compareBits(llvm::ArrayRef<T> y, llvm::ArrayRef<T> expected,
                       int64_t cols, llvm::StringRef unit) {
  Comparison result;
  if (y.size() != expected.size()) {
    result.ok = false;
    result.message = llvm::formatv("{0} elements, but {1} are expected",
                                   y.size(), expected.size());
    return result;
  }
  int64_t first = -1, count = 0;
  for (int64_t i = 0; i < int64_t(y.size()); ++i) {
    if (same(y[i], expected[i]))
      continue;
    first = first < 0 ? i : first;
    ++count;
    result.worst = std::max(result.worst, distance(y[i], expected[i]));
  }
  if (count == 0)
    return result;
  result.ok = false;
  result.message = llvm::formatv(
      "{0}: got {1}, expected {2}; {3} of {4} differ, by up to {5} {6}",
      where(first, cols), show(y[first]), show(expected[first]), count,
      y.size(), llvm::format("%.0f", result.worst), unit);
  return result;
}

/// The common half of XF and XT: `bound(i)` is what element i may err by.
template <typename Bound>
Comparison compareBound(llvm::ArrayRef<float> y, const RealProduct &real,
                        Bound bound) {
  Comparison result;
  if (y.size() != real.y.size()) {
    result.ok = false;
    result.message = llvm::formatv("{0} elements, but {1} are expected",
                                   y.size(), real.y.size());
    return result;
  }
  int64_t first = -1, count = 0;
  for (int64_t i = 0; i < int64_t(y.size()); ++i) {
    const double error = std::fabs(y[i] - real.y[i]), allowed = bound(i);
    // Overflow and NaN of the real product itself have no bound.
    constexpr double largest = std::numeric_limits<float>::max();
    if (!std::isfinite(y[i]) && !(std::fabs(real.y[i]) <= largest))
      continue;
    double ratio = error == 0 ? 0 : error / allowed;
    if (std::isnan(ratio))
      ratio = std::numeric_limits<double>::infinity();
    result.worst = std::max(result.worst, ratio);
    if (ratio <= 1)
      continue;
    first = first < 0 ? i : first;
    ++count;
  }
  if (count == 0)
    return result;
  result.ok = false;
  result.message = llvm::formatv(
      "{0}: got {1}, the real product is {2}, the error {3} exceeds the bound "
      "{4}; {5} of {6} fail, by up to {7} bounds",
      where(first, real.cols), show(y[first]),
      llvm::format("%.17g", real.y[first]),
      llvm::format("%.3g", std::fabs(y[first] - real.y[first])),
      llvm::format("%.3g", bound(first)), count, y.size(),
      llvm::format("%.3g", result.worst));
  return result;
}

double boundXF(const RealProduct &real, int64_t i) {
  return roundingGamma(real.longestGroup + 2 * real.groups + 4) *
         real.magnitude[i];
}

} // namespace

Comparison compareX0(llvm::ArrayRef<float> y, llvm::ArrayRef<float> expected,
                     int64_t cols) {
  return compareBits(y, expected, cols, "ulps");
}

Comparison compareX0(llvm::ArrayRef<int32_t> y,
                     llvm::ArrayRef<int32_t> expected, int64_t cols) {
  return compareBits(y, expected, cols, "codes");
}

Comparison compareXF(llvm::ArrayRef<float> y, const RealProduct &real) {
  return compareBound(y, real, [&](int64_t i) { return boundXF(real, i); });
}

Comparison negativeControl(llvm::ArrayRef<float> yOfInt8,
                           const RealProduct &realOfUnrounded) {
  Comparison result = compareXF(yOfInt8, realOfUnrounded);
  result.ok = !result.ok;
  result.message =
      result.ok ? ""
                : llvm::formatv("int8 activations pass the bound of unrounded "
                                "ones ({0} of it), so the bound proves nothing "
                                "here: use data whose int8 rounding shows",
                                llvm::format("%.3g", result.worst))
                      .str();
  return result;
}

Comparison compareXT(llvm::ArrayRef<float> y, const RealProduct &real,
                     llvm::ArrayRef<float> a, const QuantizedMatrix &w) {
  assert(int64_t(a.size()) == real.rows * w.cols && real.cols == w.rows);
  std::vector<float> gathered;
  if (!w.permutation.empty()) {
    gathered = gatherColumns(a, real.rows, w.cols, w.permutation);
    a = gathered;
  }
  double planes = 0;
  for (float weight : w.spec.format.planeWeights())
    planes += std::fabs(weight);

  // An entry is off by at most half a step, and each block reads one per plane.
  std::vector<double> tables(y.size(), 0);
  for (int64_t row = 0; row < real.rows; ++row) {
    for (int64_t g = 0; g < w.groups(); ++g) {
      const int64_t length = w.lengthOf(g);
      const double step =
          LutGroup(a.slice(row * w.cols + g * w.groupLength, length)).step;
      const double perScale = planes * double((length + 3) / 4) * step / 2;
      for (int64_t n = 0; n < w.rows; ++n)
        tables[row * w.rows + n] +=
            std::fabs(w.scales[w.groupIndex(n, g)]) * perScale;
    }
  }
  return compareBound(y, real,
                      [&](int64_t i) { return boundXF(real, i) + tables[i]; });
}

double normalizedMeanSquareError(llvm::ArrayRef<float> y,
                                 const RealProduct &real) {
  assert(y.size() == real.y.size());
  double error = 0, power = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    error += (y[i] - real.y[i]) * (y[i] - real.y[i]);
    power += real.y[i] * real.y[i];
  }
  return error == 0 ? 0 : error / power;
}

} // namespace mezzo::golden
