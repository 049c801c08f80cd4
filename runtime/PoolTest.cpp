//===- PoolTest.cpp - Parallel loops: every index once, whoever runs them -===//

#include "runtime/TestModel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <random>
#include <set>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace mezzo;

namespace {

/// What the body of the model under test does; set by each test.
using RunBody = std::function<void(mezzo_frame *)>;
RunBody *currentRun;

/// The test model with a run of our own.
mezzo_module moduleWith(RunBody &run) {
  currentRun = &run;
  mezzo_module module = mezzo_test_module;
  module.num_inputs = module.num_outputs = 0;
  module.shapes = [](const int64_t *const *, int64_t *const *, void *const *) {
    return 0;
  };
  module.run = [](mezzo_frame *frame, void *const *, const int64_t *const *,
                  void *const *,
                  const int64_t *const *) { (*currentRun)(frame); };
  return module;
}

int32_t run(mezzo_context *context) {
  return mezzo_run(context, nullptr, 0, nullptr, 0);
}

using Body = std::function<void(int64_t, int64_t)>;

void parallelFor(mezzo_frame *frame, int64_t count, int64_t grain, Body body) {
  mezzo_rt_parallel_for(
      frame,
      [](void *args, int64_t begin, int64_t end) {
        (*(Body *)args)(begin, end);
      },
      &body, count, grain);
}

/// A host that runs ranges backwards on two threads.
void hostLoop(void *, mezzo_body body, void *args, int64_t count,
              int64_t grain) {
  int64_t middle = count / 2;
  std::thread other([&] { body(args, 0, middle); });
  for (int64_t end = count; end > middle;) {
    int64_t begin = std::max(middle, end - grain);
    body(args, begin, end);
    end = begin;
  }
  other.join();
}

TEST(Pool, EveryIndexOnce) {
  RunBody body;
  OpenModel model(moduleWith(body));
  std::mt19937_64 random(1);
  mezzo_context *contexts[] = {model.context(1), model.context(2),
                               model.context(3), model.context(8),
                               model.context(0, hostLoop)};
  for (mezzo_context *context : contexts)
    for (int round = 0; round < 100; ++round) {
      int64_t count = (int64_t)(random() % 300);
      int64_t grain = (int64_t)(random() % 20) - 1;
      std::vector<std::atomic<int>> hits(count);
      body = [&](mezzo_frame *frame) {
        parallelFor(frame, count, grain, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i)
            ++hits.at(i);
        });
      };
      ASSERT_EQ(run(context), MEZZO_OK) << model.error();
      for (int64_t i = 0; i < count; ++i)
        ASSERT_EQ(hits[i], 1) << i << " of " << count << " by " << grain;
    }
}

TEST(Pool, RangesAreGrains) {
  RunBody body;
  OpenModel model(moduleWith(body));
  std::atomic<int> wrong{0};
  body = [&](mezzo_frame *frame) {
    parallelFor(frame, 103, 10, [&](int64_t begin, int64_t end) {
      wrong += begin % 10 != 0 || end != std::min<int64_t>(begin + 10, 103);
    });
  };
  EXPECT_EQ(run(model.context(3)), MEZZO_OK);
  EXPECT_EQ(wrong, 0);
}

TEST(Pool, SmallLoopsStayOnTheCaller) {
  RunBody body;
  OpenModel model(moduleWith(body));
  int calls = 0;
  body = [&](mezzo_frame *frame) {
    std::thread::id caller = std::this_thread::get_id();
    parallelFor(frame, 64, 64, [&](int64_t begin, int64_t end) {
      ++calls;
      EXPECT_EQ(std::this_thread::get_id(), caller);
      EXPECT_EQ(begin, 0);
      EXPECT_EQ(end, 64);
    });
    parallelFor(frame, 0, 1, [&](int64_t, int64_t) { ++calls; });
    parallelFor(frame, -5, 1, [&](int64_t, int64_t) { ++calls; });
  };
  EXPECT_EQ(run(model.context(4)), MEZZO_OK);
  EXPECT_EQ(calls, 1);
}

TEST(Pool, WorkersTakePart) {
  RunBody body;
  OpenModel model(moduleWith(body));
  // Each of two chunks waits for the other one to begin.
  std::atomic<int> begun{0};
  body = [&](mezzo_frame *frame) {
    parallelFor(frame, 2, 1, [&](int64_t, int64_t) {
      ++begun;
      while (begun < 2)
        std::this_thread::yield();
    });
  };
  EXPECT_EQ(run(model.context(2)), MEZZO_OK);
}

TEST(Pool, LoopsAfterSleepAndWithoutPause) {
  RunBody body;
  OpenModel model(moduleWith(body));
  std::atomic<int64_t> sum{0};
  body = [&](mezzo_frame *frame) {
    for (int loop = 0; loop < 2000; ++loop) {
      // Sometimes long enough for the workers to fall asleep.
      if (loop % 400 == 0)
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      parallelFor(frame, 7, 1, [&](int64_t begin, int64_t end) {
        sum += begin;
        // Sometimes long enough for the caller to fall asleep.
        if (loop % 500 == 1)
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
      });
    }
  };
  for (int threads : {2, 3, 5}) {
    sum = 0;
    EXPECT_EQ(run(model.context(threads)), MEZZO_OK);
    EXPECT_EQ(sum, 2000 * 21);
  }
}

TEST(Pool, LoopsWithinLoops) {
  RunBody body;
  OpenModel model(moduleWith(body));
  std::atomic<int> inner{0};
  body = [&](mezzo_frame *frame) {
    parallelFor(frame, 10, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i)
        parallelFor(frame, 10, 1, [&](int64_t begin, int64_t end) {
          inner += (int)(end - begin);
        });
    });
  };
  for (int threads : {1, 3}) {
    inner = 0;
    EXPECT_EQ(run(model.context(threads)), MEZZO_OK);
    EXPECT_EQ(inner, 100);
  }
}

TEST(Pool, HugeCounts) {
  RunBody body;
  OpenModel model(moduleWith(body));
  std::atomic<int64_t> covered{0};
  int64_t count = INT64_MAX - 1;
  body = [&](mezzo_frame *frame) {
    parallelFor(frame, count, INT64_MAX / 3,
                [&](int64_t begin, int64_t end) { covered += end - begin; });
  };
  EXPECT_EQ(run(model.context(2)), MEZZO_OK);
  EXPECT_EQ(covered, count);
}

TEST(Pool, FirstFailureWinsAndStopsTheRest) {
  RunBody body;
  OpenModel model(moduleWith(body));
  static const char *const messages[] = {"even", "odd"};
  for (int threads : {1, 3}) {
    std::atomic<int> calls{0};
    body = [&](mezzo_frame *frame) {
      parallelFor(frame, 1000, 1, [&](int64_t begin, int64_t) {
        ++calls;
        mezzo_rt_fail(frame, MEZZO_ERROR_SHAPE + begin % 2,
                      messages[begin % 2]);
      });
      EXPECT_NE(frame->error_code, 0);
      parallelFor(frame, 10, 1,
                  [&](int64_t, int64_t) { ADD_FAILURE() << "not stopped"; });
    };
    int32_t status = run(model.context(threads));
    EXPECT_LE(calls, threads);
    if (status == MEZZO_ERROR_SHAPE)
      EXPECT_EQ(model.error(), "model 'test': even");
    else
      EXPECT_EQ(model.error(), "model 'test': odd");
  }
  body = [](mezzo_frame *frame) { mezzo_rt_fail(frame, 12345, nullptr); };
  EXPECT_EQ(run(model.context(1)), MEZZO_ERROR_RUNTIME);
}

TEST(Pool, BadHostsAreCaught) {
  RunBody body = [](mezzo_frame *frame) {
    parallelFor(frame, 100, 1, [](int64_t, int64_t) {});
  };
  OpenModel model(moduleWith(body));
  mezzo_parallel_for hosts[] = {
      [](void *, mezzo_body, void *, int64_t, int64_t) {},
      [](void *, mezzo_body body, void *args, int64_t count, int64_t) {
        body(args, 1, count);
      },
      [](void *, mezzo_body body, void *args, int64_t count, int64_t) {
        body(args, 0, count);
        body(args, 5, 6);
      },
      [](void *, mezzo_body body, void *args, int64_t count, int64_t) {
        body(args, 0, count + 1);
      },
      [](void *, mezzo_body body, void *args, int64_t count, int64_t) {
        body(args, -1, count);
      },
      [](void *, mezzo_body body, void *args, int64_t count, int64_t) {
        body(args, 50, 40);
      }};
  for (mezzo_parallel_for host : hosts) {
    EXPECT_EQ(run(model.context(0, host)), MEZZO_ERROR_INVALID_ARGUMENT);
    EXPECT_NE(model.error().find("parallel_for of the host"),
              std::string::npos);
  }
}

TEST(Pool, HostGetsItsPointer) {
  RunBody body = [](mezzo_frame *frame) {
    parallelFor(frame, 100, 9, [](int64_t, int64_t) {});
  };
  OpenModel model(moduleWith(body));
  int64_t seen[2] = {0, 0};
  auto host = [](void *user, mezzo_body body, void *args, int64_t count,
                 int64_t grain) {
    ((int64_t *)user)[0] = count;
    ((int64_t *)user)[1] = grain;
    body(args, 0, count);
  };
  EXPECT_EQ(run(model.context(0, host, seen)), MEZZO_OK);
  EXPECT_EQ(seen[0], 100);
  EXPECT_EQ(seen[1], 9);
}

#if !defined(__SANITIZE_THREAD__) && !__has_feature(thread_sanitizer)
TEST(Pool, ChildOfAForkRunsAlone) {
  RunBody body;
  OpenModel model(moduleWith(body));
  mezzo_context *context = model.context(3);
  std::atomic<int> covered{0};
  body = [&](mezzo_frame *frame) {
    parallelFor(frame, 100, 1, [&](int64_t begin, int64_t end) {
      covered += (int)(end - begin);
    });
  };
  ASSERT_EQ(run(context), MEZZO_OK);
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20);
    covered = 0;
    bool good = run(context) == MEZZO_OK && covered == 100 &&
                mezzo_context_destroy(context) == MEZZO_OK;
    _exit(good ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(run(context), MEZZO_OK);
}
#endif

} // namespace
