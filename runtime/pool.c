//===- pool.c - The threads of a context ----------------------------------===//
//
// A parallel loop is cut into chunks, which the caller and the workers claim
// one by one: whoever is faster, or not disturbed by another process, takes
// more of them. The whole protocol is two counters.
//
//   `remaining`  chunks not yet claimed. Claiming is fetch_sub: the chunk is
//                ours if the value before was positive.
//   `done`       chunks finished. The loop is over at done == chunks.
//
// Example: 5 chunks, the caller C and one worker W, which sleeps at first.
//
//                     remaining  done
//   C publishes           5       0     writes the job, remaining = 5, wakes W
//   C claims 0            4       0     5 was there: chunk 5 - 5 = 0
//   C done, claims 1      3       1
//   W wakes, claims 2     2       1     reads the job only now
//   C done, claims 3      1       2
//   W done, claims 4      0       3
//   C done                0       4     nothing left: C waits for chunk 4
//   W done                0       5     wakes C if C fell asleep
//
// Two properties make this right. A thread reads the job (body, args, count)
// only while it holds a claim, and the caller writes the next job only when
// all claims are done; so the job needs no lock. And a worker that comes too
// late, between two loops or even in the middle of the next one, does no harm:
// either remaining <= 0 and it goes back to sleep (the next loop overwrites
// what it subtracted), or it claims a chunk of the next loop and is welcome.
// Hence the caller never waits for a worker that has not claimed anything: a
// loop costs nothing but its own work when the other CPUs are taken. (It also
// means that the child of a fork, which has no workers, runs correctly.)
//
// Waiting: waking a sleeping thread costs about 100 us, so threads spin for
// 200 us, which bridges the gap between two operators, and then block on a
// futex. Spinning forever would, beside any other process, cost a scheduler
// quantum per operator. With more threads than CPUs even short spinning steals
// time from the thread one waits for, so then there is none.
//
//===----------------------------------------------------------------------===//

#define _GNU_SOURCE
#include "runtime/runtime.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct mezzo_rt_pool {
  // The job, written by the caller while nobody holds a claim.
  mezzo_body body;
  void *args;
  int64_t count, grain, chunks;

  // On cache lines of their own: every claim writes the one, every finished
  // chunk the other, every publication the third.
  _Alignas(64) int64_t remaining; // atomic
  _Alignas(64) uint32_t done;     // atomic, a futex of the caller
  uint32_t caller_sleeps;         // atomic
  _Alignas(64) uint32_t
      generation;    // atomic, a futex of the workers: jobs so far
  uint32_t sleepers; // atomic
  uint32_t stop;     // atomic

  _Alignas(64) uint32_t active; // atomic: a loop is under way
  int64_t spin_nanoseconds;
  pid_t process; // that has the workers
  int32_t workers;
  pthread_t threads[];
};

/// Chunks are counted by a 32-bit futex word.
static const int64_t max_chunks = INT_MAX;

//===----------------------------------------------------------------------===//
// Waiting
//===----------------------------------------------------------------------===//

static void futex_wait(uint32_t *word, uint32_t expected) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(uint32_t *word, int threads) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads, NULL, NULL, 0);
}

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  __asm__ volatile("yield" ::: "memory");
#endif
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/// Spins until *word is no longer `value`, or for the time that spinning is
/// worth. Returns whether it changed.
static int spin_while(const mezzo_rt_pool *pool, const uint32_t *word,
                      uint32_t value) {
  int64_t end = pool->spin_nanoseconds ? now() + pool->spin_nanoseconds : 0;
  do {
    for (int i = 0; i < 64; ++i) {
      if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value)
        return 1;
      if (!pool->spin_nanoseconds)
        return 0;
      relax();
    }
  } while (now() < end);
  return 0;
}

// Both sleeps below follow one rule (Dekker's): the sleeper first announces
// itself, then lets the kernel compare the word; the waker first changes the
// word, then looks for sleepers. In any order of these four, sequentially
// consistent, either the kernel sees the new word or the waker the sleeper.

static void wait_for_job(mezzo_rt_pool *pool, uint32_t generation) {
  if (spin_while(pool, &pool->generation, generation))
    return;
  __atomic_fetch_add(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&pool->generation, __ATOMIC_SEQ_CST) == generation)
    futex_wait(&pool->generation, generation);
  __atomic_fetch_sub(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
}

static void publish(mezzo_rt_pool *pool, int most_wakes) {
  __atomic_fetch_add(&pool->generation, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&pool->sleepers, __ATOMIC_SEQ_CST))
    futex_wake(&pool->generation, most_wakes);
}

static void wait_for_done(mezzo_rt_pool *pool, uint32_t chunks) {
  for (;;) {
    uint32_t done = __atomic_load_n(&pool->done, __ATOMIC_ACQUIRE);
    if (done == chunks)
      return;
    if (spin_while(pool, &pool->done, done))
      continue;
    __atomic_store_n(&pool->caller_sleeps, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&pool->done, __ATOMIC_SEQ_CST) == done)
      futex_wait(&pool->done, done);
    __atomic_store_n(&pool->caller_sleeps, 0, __ATOMIC_SEQ_CST);
  }
}

//===----------------------------------------------------------------------===//
// Working
//===----------------------------------------------------------------------===//

/// Claims and runs chunks until there are none left.
static void work(mezzo_rt_pool *pool) {
  // The load keeps idle threads from counting down forever.
  while (__atomic_load_n(&pool->remaining, __ATOMIC_RELAXED) > 0) {
    int64_t ticket = __atomic_fetch_sub(&pool->remaining, 1, __ATOMIC_ACQ_REL);
    if (ticket <= 0)
      return;
    int64_t begin = (pool->chunks - ticket) * pool->grain;
    int64_t end =
        pool->count - begin < pool->grain ? pool->count : begin + pool->grain;
    pool->body(pool->args, begin, end);
    // After this the job may be gone, but the pool is not: only its destroyer
    // frees it, and joins us first.
    __atomic_fetch_add(&pool->done, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&pool->caller_sleeps, __ATOMIC_SEQ_CST))
      futex_wake(&pool->done, 1);
  }
}

static void *worker_main(void *pool_pointer) {
  mezzo_rt_pool *pool = (mezzo_rt_pool *)pool_pointer;
  for (;;) {
    // In this order: a job published after the load changes the generation.
    uint32_t generation = __atomic_load_n(&pool->generation, __ATOMIC_ACQUIRE);
    if (__atomic_load_n(&pool->stop, __ATOMIC_ACQUIRE))
      return NULL;
    work(pool);
    wait_for_job(pool, generation);
  }
}

void mezzo_rt_pool_run(mezzo_rt_pool *pool, mezzo_body body, void *args,
                       int64_t count, int64_t grain) {
  // A loop within a loop runs on its own thread.
  if (__atomic_exchange_n(&pool->active, 1, __ATOMIC_ACQ_REL)) {
    body(args, 0, count);
    return;
  }
  int64_t least = count / max_chunks + 1;
  if (grain < least)
    grain = least;

  pool->body = body;
  pool->args = args;
  pool->count = count;
  pool->grain = grain;
  pool->chunks = count / grain + (count % grain != 0);
  __atomic_store_n(&pool->done, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->remaining, pool->chunks, __ATOMIC_RELEASE);

  if (pool->chunks > 1)
    publish(pool, pool->chunks - 1 < pool->workers ? (int)pool->chunks - 1
                                                   : pool->workers);
  work(pool);
  wait_for_done(pool, (uint32_t)pool->chunks);
  __atomic_store_n(&pool->active, 0, __ATOMIC_RELEASE);
}

//===----------------------------------------------------------------------===//
// Making and ending
//===----------------------------------------------------------------------===//

int32_t mezzo_rt_cpu_count(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  // Fails where there are more CPUs than fit into the set.
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
    return CPU_COUNT(&set);
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online < 1                      ? 1
         : online > MEZZO_RT_MAX_THREADS ? MEZZO_RT_MAX_THREADS
                                         : (int32_t)online;
}

int32_t mezzo_rt_pool_create(mezzo_rt_pool **result, int32_t threads) {
  *result = NULL;
  size_t bytes = sizeof(mezzo_rt_pool) + (size_t)threads * sizeof(pthread_t);
  void *memory = NULL;
  if (posix_memalign(&memory, 64, bytes) != 0)
    return mezzo_rt_error(MEZZO_ERROR_OUT_OF_MEMORY,
                          "out of memory for a pool of %d threads; use fewer",
                          threads);
  mezzo_rt_pool *pool = (mezzo_rt_pool *)memset(memory, 0, bytes);
  pool->spin_nanoseconds = threads <= mezzo_rt_cpu_count() ? 200000 : 0;
  pool->process = getpid();

  // Signals are for the host's threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failure = 0;
  while (pool->workers < threads - 1 && !failure) {
    failure =
        pthread_create(&pool->threads[pool->workers], NULL, worker_main, pool);
    if (!failure)
      ++pool->workers;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);

  if (failure) {
    int32_t started = pool->workers + 1;
    mezzo_rt_pool_destroy(pool);
    return mezzo_rt_error(
        MEZZO_ERROR_OUT_OF_MEMORY,
        "cannot start thread %d of %d: %s; create the context with fewer",
        started + 1, threads, strerror(failure));
  }
  *result = pool;
  return MEZZO_OK;
}

void mezzo_rt_pool_destroy(mezzo_rt_pool *pool) {
  if (!pool)
    return;
  // The child of a fork has inherited the memory but not the threads.
  if (pool->process == getpid()) {
    __atomic_store_n(&pool->stop, 1, __ATOMIC_RELEASE);
    publish(pool, INT_MAX);
    for (int32_t i = 0; i < pool->workers; ++i)
      pthread_join(pool->threads[i], NULL);
  }
  free(pool);
}
