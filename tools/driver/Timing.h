//===- Timing.h - how long something takes --------------------------------===//
//
// Several threads share only the wall clock (steady_clock), which is also what
// a user waits for. What one thread does can be timed by that thread's own
// clock, which stands still while others have the CPU. A busy neighbour makes
// single samples longer, never shorter, so the median is reported next to the
// best.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_TOOLS_DRIVER_TIMING_H
#define MEZZO_TOOLS_DRIVER_TIMING_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <cstdint>
#include <vector>

namespace mezzo {

enum class Clock { Wall, Thread };

/// The clock for what runs on `threads` threads.
inline Clock clockFor(int threads) {
  return threads == 1 ? Clock::Thread : Clock::Wall;
}

/// Microseconds that `work` takes.
double microseconds(llvm::function_ref<void()> work, Clock clock = Clock::Wall);

/// Durations of one thing in microseconds.
class Samples {
public:
  void add(double value) { values.push_back(value); }
  int64_t count() const { return values.size(); }
  /// The middle one, or the mean of the two; of at least one sample.
  double median() const;
  double best() const;

private:
  std::vector<double> values;
};

/// How many samples to take of something of which one takes `once`
/// microseconds: as many as `wanted`; where that is 0, about a second's worth,
/// but 11 at least and 2001 at most.
int64_t sampleCount(int64_t wanted, double once);

/// A buffer, read and not used: how fast could weights be read at best?
///
/// A product with one row of activations reads every weight once, so its time
/// cannot be less than that of reading them. The bandwidth that one thread gets
/// depends on how it walks: two streams side by side keep more misses in
/// flight than one (and more do not help), so both are measured and the better
/// counts.
///
/// Reads 32 bytes at a time and adds them up. The buffer is cut into `threads`
/// parts, and a part into `streams` pieces that are walked together. Threads
/// are made and lined up before the clock starts. Returns microseconds.
double readTime(llvm::ArrayRef<uint8_t> buffer, int streams, int threads);

/// Bytes of the largest cache of this machine; 32 MiB where it does not tell.
int64_t lastLevelCacheBytes();

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_TIMING_H
