//===- frame.c - What emitted code calls ----------------------------------===//

#include "runtime/runtime.h"

void mezzo_rt_fail(mezzo_frame *frame, int64_t code, const char *message) {
  int64_t none = 0;
  if (code <= MEZZO_OK || code > MEZZO_ERROR_ABI)
    code = MEZZO_ERROR_RUNTIME;
  // The winner alone writes the message. It is read when the run is over, that
  // is, when all tasks have been joined.
  if (__atomic_compare_exchange_n(&frame->error_code, &none, code, 0,
                                  __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    frame->error_message = message;
}

void *mezzo_rt_alloc(mezzo_frame *frame, uint64_t bytes) {
  void *memory = mezzo_rt_arena_alloc(&frame->context->arena, bytes);
  if (!memory)
    mezzo_rt_fail(frame, MEZZO_ERROR_OUT_OF_MEMORY,
                  "out of memory for intermediate tensors; run with smaller "
                  "inputs or on a machine with more memory");
  return memory;
}

/// A parallel loop on its way through the pool or the host.
typedef struct Loop {
  mezzo_frame *frame;
  mezzo_body task;
  void *args;
  int64_t count;
  int64_t done; // atomic: indices that were handed in
} Loop;

/// One range of a loop, on whichever thread it landed.
static void run_range(void *loop_pointer, int64_t begin, int64_t end) {
  Loop *loop = (Loop *)loop_pointer;
  if (begin < 0 || begin > end || end > loop->count) {
    mezzo_rt_fail(loop->frame, MEZZO_ERROR_INVALID_ARGUMENT,
                  "parallel_for of the host called its body on a range that is "
                  "not within 0 .. count; call it with begin <= end <= count");
    return;
  }
  if (!__atomic_load_n(&loop->frame->error_code, __ATOMIC_RELAXED)) {
    uint64_t fp = mezzo_rt_get_fp();
    mezzo_rt_set_fp(MEZZO_RT_DEFAULT_FP);
    loop->task(loop->args, begin, end);
    mezzo_rt_set_fp(fp);
  }
  __atomic_fetch_add(&loop->done, end - begin, __ATOMIC_ACQ_REL);
}

void mezzo_rt_parallel_for(mezzo_frame *frame, mezzo_body task, void *args,
                           int64_t count, int64_t grain) {
  mezzo_rt_context *context = frame->context;
  if (count <= 0 || __atomic_load_n(&frame->error_code, __ATOMIC_RELAXED))
    return;
  if (grain < 1)
    grain = 1;
  if (count <= grain || (!context->pool && !context->parallel_for)) {
    task(args, 0, count);
    return;
  }

  Loop loop = {frame, task, args, count, 0};
  if (!context->parallel_for) {
    mezzo_rt_pool_run(context->pool, run_range, &loop, count, grain);
    return;
  }
  context->parallel_for(context->parallel_for_user, run_range, &loop, count,
                        grain);
  // Results would be silently incomplete, so do not trust the host blindly.
  if (__atomic_load_n(&loop.done, __ATOMIC_ACQUIRE) != count)
    mezzo_rt_fail(frame, MEZZO_ERROR_INVALID_ARGUMENT,
                  "parallel_for of the host did not cover 0 .. count - 1 "
                  "exactly once, or returned before all bodies had; fix it or "
                  "create the context without it");
}
