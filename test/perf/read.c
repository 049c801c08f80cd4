//===- read.c - Buffers, read and not used --------------------------------===//
//
// How fast could weights be read at best? A product with one row of activations
// reads every weight once, so its time cannot be less than that of reading.
// The bandwidth that a thread gets depends on how it walks: two streams side by
// side keep more misses in flight than one.
//
//===----------------------------------------------------------------------===//

#include <pthread.h>
#include <stdint.h>

typedef uint64_t Vector __attribute__((vector_size(32), aligned(1), may_alias));

enum { Step = 4 * sizeof(Vector), MostThreads = 64 };

/// The sum over `bytes` bytes at each of `streams` (1 or 2) places `bytes`
/// apart. Four accumulators: an addition per load must not wait for the one
/// before.
static uint64_t sum_of(const uint8_t *begin, int64_t bytes, int streams) {
  Vector sums[4] = {{0}};
  for (int64_t at = 0; at + Step <= bytes; at += Step)
    for (int i = 0; i < 4; ++i) {
      sums[i] += ((const Vector *)(begin + at))[i];
      if (streams == 2)
        sums[i] += ((const Vector *)(begin + bytes + at))[i];
    }
  Vector sum = sums[0] + sums[1] + sums[2] + sums[3];
  return sum[0] + sum[1] + sum[2] + sum[3];
}

/// What one thread reads: `bytes` bytes of each buffer, from `offset` on.
typedef struct Part {
  const uint8_t *const *buffers;
  int64_t first, count, offset, bytes;
  int streams;
  uint64_t sum;
} Part;

static void *read_part(void *argument) {
  Part *part = argument;
  for (int64_t i = 0; i < part->count; ++i)
    part->sum +=
        sum_of(part->buffers[(part->first + i) % part->count] + part->offset,
               part->bytes / part->streams, part->streams);
  return NULL;
}

/// Reads `count` buffers of `bytes` bytes, beginning with that number `first`.
/// Each of `threads` threads has a part of every buffer, and walks it in
/// `streams` pieces together. Returns 0 where a thread cannot be made, else a
/// number that keeps the compiler from leaving out the reading.
uint64_t read_buffers(const uint8_t *const *buffers, int64_t first,
                      int64_t count, int64_t bytes, int streams, int threads) {
  Part parts[MostThreads];
  pthread_t ids[MostThreads];
  if (threads > MostThreads)
    return 0;
  int64_t size = bytes / threads / (2 * Step) * (2 * Step);
  int started = 1, failed = 0;
  for (int i = 0; i < threads; ++i)
    parts[i] = (Part){buffers, first, count, i * size, size, streams, 0};
  while (started < threads && !failed) {
    failed = pthread_create(&ids[started], NULL, read_part, &parts[started]);
    started += !failed;
  }
  read_part(&parts[0]);
  uint64_t sum = parts[0].sum;
  for (int i = 1; i < started; ++i) {
    pthread_join(ids[i], NULL);
    sum += parts[i].sum;
  }
  return failed ? 0 : sum | 1;
}
