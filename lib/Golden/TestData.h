//===- TestData.h - operands of the tests of lib/Golden ---------*- C++ -*-===//

#ifndef MEZZO_LIB_GOLDEN_TESTDATA_H
#define MEZZO_LIB_GOLDEN_TESTDATA_H

#include "lib/Number/Quantize.h"

#include "llvm/Support/Error.h"

#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace mezzo::golden::test {

/// N(0, 1), the same for a seed.
inline std::vector<float> normal(int64_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> distribution;
  std::vector<float> x(count);
  for (float &v : x)
    v = distribution(engine);
  return x;
}

/// A random weight W[n, k], about N(0.1, 1), quantized as `spec` says, with
/// some scales negated: a sign belongs to what a scale may be.
inline QuantizedMatrix weight(const std::string &spec, int64_t n, int64_t k,
                              unsigned seed = 1) {
  std::vector<float> w = normal(n * k, seed);
  for (float &v : w)
    v += 0.1f;
  QuantizedMatrix q =
      llvm::cantFail(quantize(w, n, k, llvm::cantFail(QuantSpec::parse(spec))));
  for (size_t i = 0; i < q.scales.size(); i += 3)
    q.scales[i] = -q.scales[i];
  q.scaleLevels = {}; // whose factors these are no more
  llvm::cantFail(q.validate());
  return q;
}

/// A matrix of given codes (values, not raw fields) with groups of `length`.
inline QuantizedMatrix byHand(const std::string &format, int64_t n, int64_t k,
                              int64_t length, const std::vector<int> &codes,
                              const std::vector<float> &scales) {
  QuantizedMatrix q;
  q.spec =
      llvm::cantFail(QuantSpec::parse(format + "/g" + std::to_string(length)));
  q.rows = n;
  q.cols = k;
  q.groupLength = length;
  for (int code : codes)
    q.codes.push_back(uint8_t(q.spec.format.rawOf(code)));
  q.scales = scales;
  return q;
}

/// A permutation of 0 ... k - 1 without fixed structure.
inline std::vector<int32_t> permutation(int64_t k, unsigned seed) {
  std::vector<int32_t> p(k);
  std::iota(p.begin(), p.end(), 0);
  std::mt19937 engine(seed);
  for (int64_t i = k - 1; i > 0; --i)
    std::swap(p[i], p[engine() % (i + 1)]);
  return p;
}

/// What results are written into, so that an element left out shows.
inline std::vector<float> poisoned(int64_t count) {
  return std::vector<float>(count, -12345.678f);
}

} // namespace mezzo::golden::test

#endif // MEZZO_LIB_GOLDEN_TESTDATA_H
