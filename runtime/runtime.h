//===- runtime.h - What the files of the runtime share --------------------===//
//
// How to read the runtime in an hour:
//
//   abi.h       the contract with emitted code
//   model.c     the functions of the table: open, create, run
//   check.c     are these the tensors the model was compiled for?
//   frame.c     what emitted code calls: parallel_for, alloc, fail
//   pool.c      the threads of a context
//   arena.c     the scratch memory of a context
//   weights.c   weights kept in a file beside the model
//   features.c  does this CPU have what the model needs?
//   error.c     the message of the last failure
//
// Nothing here is global but constants and the thread-local error message:
// every .so has its own copy of the runtime, and all state hangs off a model or
// a context. All names are hidden from the dynamic linker.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_RUNTIME_RUNTIME_H
#define MEZZO_RUNTIME_RUNTIME_H

#include "runtime/abi.h"

#include <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

//===----------------------------------------------------------------------===//
// error.c
//===----------------------------------------------------------------------===//

/// Sets the message of this thread and returns `status`, so that one may write
/// `return mezzo_rt_error(MEZZO_ERROR_SHAPE, "...", ...)`. Cuts long messages.
int32_t mezzo_rt_error(int32_t status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

const char *mezzo_rt_last_error(void);

//===----------------------------------------------------------------------===//
// features.c
//===----------------------------------------------------------------------===//

/// MEZZO_ERROR_CPU, naming the first missing one, unless the CPU has all of
/// `features` (separated by commas; NULL and "" are no features).
int32_t mezzo_rt_check_features(const char *features);

//===----------------------------------------------------------------------===//
// weights.c
//===----------------------------------------------------------------------===//

typedef struct mezzo_rt_weights {
  const uint8_t *payload; ///< embedded, mapped, or NULL where there are none
  void *mapping;          ///< the whole file, or NULL
  uint64_t mapping_bytes;
} mezzo_rt_weights;

/// Finds the weights of `module`, at `path` unless that is NULL.
int32_t mezzo_rt_weights_open(mezzo_rt_weights *weights,
                              const mezzo_module *module, const char *path);
void mezzo_rt_weights_close(mezzo_rt_weights *weights);

//===----------------------------------------------------------------------===//
// arena.c
//===----------------------------------------------------------------------===//

struct mezzo_rt_chunk;

/// Scratch memory: a static part whose offsets the compiler planned, and a
/// bumped part for what has a size known only at run time.
typedef struct mezzo_rt_arena {
  uint8_t *fixed;                ///< the static part, 64-byte aligned
  void *fixed_memory;            ///< what to free for it
  struct mezzo_rt_chunk *chunks; ///< the newest first
  uint64_t next_bytes;           ///< least size of the next chunk
  pthread_mutex_t lock;          ///< tasks allocate, too
} mezzo_rt_arena;

#define MEZZO_RT_ALIGNMENT 64u

/// MEZZO_ERROR_OUT_OF_MEMORY if `fixed_bytes` cannot be had. To be destroyed
/// even then.
int32_t mezzo_rt_arena_create(mezzo_rt_arena *arena, uint64_t fixed_bytes);
void mezzo_rt_arena_destroy(mezzo_rt_arena *arena);

/// NULL if there is no memory. May be called on several threads.
void *mezzo_rt_arena_alloc(mezzo_rt_arena *arena, uint64_t bytes);

/// Forgets all that was allocated from the bumped part.
void mezzo_rt_arena_reset(mezzo_rt_arena *arena);

//===----------------------------------------------------------------------===//
// pool.c
//===----------------------------------------------------------------------===//

typedef struct mezzo_rt_pool mezzo_rt_pool;

/// CPUs this process may use, at least 1.
int32_t mezzo_rt_cpu_count(void);

/// Starts threads - 1 workers; the caller of mezzo_rt_pool_run is the other
/// one. 1 <= threads <= MEZZO_RT_MAX_THREADS.
int32_t mezzo_rt_pool_create(mezzo_rt_pool **pool, int32_t threads);
void mezzo_rt_pool_destroy(mezzo_rt_pool *pool);

/// Calls body on the chunks of 0 .. count - 1. One caller at a time; a call
/// from within a body runs on the calling thread. Needs count, grain >= 1.
void mezzo_rt_pool_run(mezzo_rt_pool *pool, mezzo_body body, void *args,
                       int64_t count, int64_t grain);

#define MEZZO_RT_MAX_THREADS 1024

//===----------------------------------------------------------------------===//
// model.c
//===----------------------------------------------------------------------===//

/// An opened model. Immutable but for the number of its contexts.
typedef struct mezzo_rt_model {
  mezzo_model base; // first: a mezzo_model * is a pointer to this
  const mezzo_module *module;
  mezzo_rt_weights weights;
  int64_t contexts; // atomic
  int64_t num_input_dims, num_output_dims;
  /// For every dimension of every input, one after the other, the first such
  /// dimension with the same name (itself if static or the first).
  int64_t *same_as;
} mezzo_rt_model;

/// A context. The arrays hold what a run passes to emitted code; they are made
/// once, so that a run allocates nothing.
typedef struct mezzo_rt_context {
  mezzo_context base; // first: a mezzo_context * is a pointer to this
  mezzo_rt_model *model;
  mezzo_frame frame;
  mezzo_rt_arena arena;
  mezzo_rt_pool *pool;             // NULL: one thread, or the host's
  mezzo_parallel_for parallel_for; // the host's, or NULL
  void *parallel_for_user;
  int32_t busy; // atomic
  void **in_data, **out_data;
  int64_t **in_shapes, **out_shapes; // into dims
  int64_t *dims;
} mezzo_rt_context;

int32_t mezzo_rt_model_open(const mezzo_api *api, const char *weights_path,
                            mezzo_model **model);
int32_t mezzo_rt_model_close(mezzo_model *model);
int32_t mezzo_rt_context_create(mezzo_model *model,
                                const mezzo_context_options *options,
                                mezzo_context **context);
int32_t mezzo_rt_context_destroy(mezzo_context *context);
int32_t mezzo_rt_run(mezzo_context *context, const mezzo_tensor *inputs,
                     int64_t num_inputs, mezzo_tensor *outputs,
                     int64_t num_outputs);
int32_t mezzo_rt_output_shapes(mezzo_context *context,
                               const mezzo_tensor *inputs, int64_t num_inputs,
                               mezzo_tensor *outputs, int64_t num_outputs);
const char *mezzo_rt_signature_json(const mezzo_api *api);

/// The table of a model, as an initializer.
#define MEZZO_RT_API(module)                                                   \
  {MEZZO_ABI_VERSION,        sizeof(mezzo_api),    module,                     \
   mezzo_rt_model_open,      mezzo_rt_model_close, mezzo_rt_context_create,    \
   mezzo_rt_context_destroy, mezzo_rt_run,         mezzo_rt_output_shapes,     \
   mezzo_rt_signature_json,  mezzo_rt_last_error}

//===----------------------------------------------------------------------===//
// check.c
//===----------------------------------------------------------------------===//

/// Copies the shapes of `inputs` into context->in_shapes and, unless the module
/// says MEZZO_RT_NO_VERIFY, checks type, rank, sizes and names. Where
/// `with_data`, also device, strides and pointer; and fills in_data.
int32_t mezzo_rt_check_inputs(mezzo_rt_context *context,
                              const mezzo_tensor *inputs, int64_t num_inputs,
                              int32_t with_data);

/// Computes context->out_shapes from context->in_shapes.
int32_t mezzo_rt_compute_shapes(mezzo_rt_context *context);

/// Compares `outputs` with context->out_shapes and fills out_data.
int32_t mezzo_rt_check_outputs(mezzo_rt_context *context,
                               const mezzo_tensor *outputs,
                               int64_t num_outputs);

//===----------------------------------------------------------------------===//
// Floating-point environment
//===----------------------------------------------------------------------===//

// A host may have set flush-to-zero or another rounding on its thread, and not
// on the workers; then results would depend on who computed them. So emitted
// code always runs in the default environment: round to nearest, subnormals
// kept, no traps. (<fenv.h> would need libm.)

#if defined(__x86_64__)
#define MEZZO_RT_DEFAULT_FP 0x1f80u // MXCSR: all exceptions masked
static inline uint64_t mezzo_rt_get_fp(void) {
  return __builtin_ia32_stmxcsr();
}
static inline void mezzo_rt_set_fp(uint64_t word) {
  __builtin_ia32_ldmxcsr((uint32_t)word);
}
#elif defined(__aarch64__)
#define MEZZO_RT_DEFAULT_FP 0u // FPCR
static inline uint64_t mezzo_rt_get_fp(void) {
  uint64_t word;
  __asm__ volatile("mrs %0, fpcr" : "=r"(word));
  return word;
}
static inline void mezzo_rt_set_fp(uint64_t word) {
  __asm__ volatile("msr fpcr, %0" : : "r"(word) : "memory");
}
#else
#error "the runtime supports x86-64 and aarch64"
#endif

#ifdef __cplusplus
} // extern "C"
#endif

#endif // MEZZO_RUNTIME_RUNTIME_H
