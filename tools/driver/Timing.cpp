//===- Timing.cpp - how long something takes ------------------------------===//

#include "tools/driver/Timing.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/MemoryBuffer.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <ctime>
#include <thread>

using namespace mezzo;

static double now(Clock clock) {
  timespec time;
  clock_gettime(
      clock == Clock::Wall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &time);
  return 1e6 * double(time.tv_sec) + 1e-3 * double(time.tv_nsec);
}

double mezzo::microseconds(llvm::function_ref<void()> work, Clock clock) {
  double begin = now(clock);
  work();
  return now(clock) - begin;
}

double Samples::median() const {
  assert(!values.empty() && "the median of nothing");
  std::vector<double> sorted = values;
  llvm::sort(sorted);
  size_t middle = sorted.size() / 2;
  return sorted.size() % 2 ? sorted[middle]
                           : (sorted[middle - 1] + sorted[middle]) / 2;
}

double Samples::best() const {
  assert(!values.empty() && "the best of nothing");
  return *std::min_element(values.begin(), values.end());
}

int64_t mezzo::sampleCount(int64_t wanted, double once) {
  if (wanted > 0)
    return wanted;
  return std::clamp<int64_t>(int64_t(1e6 / std::max(once, 1.0)), 11, 2001);
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

// Half the vector width would need twice the loads, and then it is not memory
// that is measured where the buffer lies in a cache.
#ifdef __x86_64__
#define MEZZO_WIDE_VECTORS __attribute__((target("avx2")))
#else
#define MEZZO_WIDE_VECTORS
#endif

namespace {
typedef uint64_t Vector __attribute__((vector_size(32), aligned(1), may_alias));
constexpr int64_t Step = 4 * sizeof(Vector);
} // namespace

/// The sum over `bytes` bytes at each of `streams` places `stride` apart. Four
/// accumulators: an addition per load must not wait for the one before.
MEZZO_WIDE_VECTORS static uint64_t sumOf(const uint8_t *begin, int64_t bytes,
                                         int64_t stride, int streams) {
  Vector sums[4] = {};
  if (streams == 2) {
    for (int64_t at = 0; at + Step <= bytes; at += Step) {
      auto *a = reinterpret_cast<const Vector *>(begin + at);
      auto *b = reinterpret_cast<const Vector *>(begin + stride + at);
      for (int i = 0; i < 4; ++i)
        sums[i] += a[i] + b[i];
    }
  } else {
    for (int64_t at = 0; at + Step <= bytes; at += Step) {
      auto *a = reinterpret_cast<const Vector *>(begin + at);
      for (int i = 0; i < 4; ++i)
        sums[i] += a[i];
    }
  }
  Vector sum = sums[0] + sums[1] + sums[2] + sums[3];
  return sum[0] + sum[1] + sum[2] + sum[3];
}

/// Keeps the compiler from leaving out what nobody uses.
static std::atomic<uint64_t> checksum;

double mezzo::readTime(llvm::ArrayRef<uint8_t> buffer, int streams,
                       int threads) {
  assert((streams == 1 || streams == 2) && threads >= 1);
  int64_t part = int64_t(buffer.size()) / threads / (2 * Step) * (2 * Step);
  auto readPart = [&](int thread) {
    int64_t piece = part / streams;
    checksum += sumOf(buffer.data() + thread * part, piece, piece, streams);
  };
  std::atomic<int> ready = 0, done = 0;
  std::atomic<bool> start = false;
  std::vector<std::thread> others;
  for (int thread = 1; thread < threads; ++thread)
    others.emplace_back([&, thread] {
      ++ready;
      while (!start)
        std::this_thread::yield();
      readPart(thread);
      ++done;
    });
  while (ready < threads - 1)
    std::this_thread::yield();
  double time = microseconds(
      [&] {
        start = true;
        readPart(0);
        while (done < threads - 1)
          std::this_thread::yield();
      },
      clockFor(threads));
  for (std::thread &other : others)
    other.join();
  return time;
}

int64_t mezzo::lastLevelCacheBytes() {
  int64_t largest = 0;
  // "49152K" in one file per cache; sysconf is silent inside many virtual
  // machines.
  for (int index = 0; index < 8; ++index) {
    auto text = llvm::MemoryBuffer::getFileAsStream(
        "/sys/devices/system/cpu/cpu0/cache/index" + llvm::Twine(index) +
        "/size");
    if (!text)
      break;
    llvm::StringRef size = (*text)->getBuffer().trim();
    int64_t number, unit = size.consume_back("K")   ? 1 << 10
                           : size.consume_back("M") ? 1 << 20
                                                    : 1;
    if (!size.getAsInteger(10, number))
      largest = std::max(largest, number * unit);
  }
  return largest ? largest : int64_t(32) << 20;
}
