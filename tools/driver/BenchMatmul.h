//===- BenchMatmul.h - the time of one product ----------------------------===//

#ifndef MEZZO_TOOLS_DRIVER_BENCHMATMUL_H
#define MEZZO_TOOLS_DRIVER_BENCHMATMUL_H

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Number/QuantizedMatrix.h"
#include "tools/driver/Diagnostics.h"

#include "llvm/Support/Error.h"

#include <string>

namespace mezzo {

/// y[m, n] = x[m, k] * W[n, k]^T
struct MatmulBench {
  int64_t m = 1, n = 4096, k = 4096;
  std::string weights = "int4/g128"; ///< a spec
  std::string compute = "float";
  std::string target = "native", tile;
  int threads = 1;
  int64_t repetitions = 0; ///< see sampleCount
  /// Weights come from memory: runs rotate over copies that together exceed
  /// the caches.
  bool cold = false;
};

struct MatmulTimes {
  double medianUs = 0, bestUs = 0;
  int64_t samples = 0;
  double gops = 0;       ///< 2 m n k per second, in 10^9
  double weightGbps = 0; ///< packed bytes per second, in 10^9
  double readGbps = 0;   ///< of a pure read of the same bytes
  int readStreams = 1;   ///< how many the faster pure read had
  int64_t copies = 1, weightBytes = 0;
  std::string strategy, layout, key;
  std::string check; ///< "x0 ok, 64 of 4096 rows"

  double readPercent() const { return 100 * weightGbps / readGbps; }
};

/// A random matrix [n, k], quantized as `spec` says. Errors: what the spec or
/// the sizes, `m` among them, cannot be.
llvm::Expected<QuantizedMatrix> randomWeight(llvm::StringRef spec, int64_t m,
                                             int64_t n, int64_t k);

/// Compares a sample of y = x W^T with the reference arithmetic, in all bits.
/// Says what was compared. Errors: a result that is wrong.
llvm::Expected<std::string> compareSample(const QuantizedMatrix &weight,
                                          ComputeMode mode,
                                          llvm::ArrayRef<float> x, int64_t m,
                                          llvm::ArrayRef<float> y);

/// Quantizes a random matrix, compiles its product into a temporary folder,
/// compares a sample of its results with the reference in all bits, and then
/// takes its time. Errors: what the options ask for and cannot be had, and a
/// result that is wrong.
llvm::Expected<MatmulTimes> benchMatmul(const MatmulBench &bench,
                                        MessageSink sink);

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_BENCHMATMUL_H
