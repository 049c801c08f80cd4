//===- compiled_models.c - compiled models, as a C program uses them ------===//
//
// Built with AddressSanitizer; test_abi.py compiles the models and calls
//
//   compiled-models two ONE.so ONE_api OTHER.so OTHER_api
//   compiled-models threads MODEL.so API      x[b, s, 576] of floats
//   compiled-models refusals MODEL.so API     scalar-arithmetic
//   compiled-models indices MODEL.so API      embedding: ids[b, s] below 101
//   compiled-models memory MODEL.so API N     cube: x[n], n^3 floats between
//
// Emitted code is not instrumented, so each tensor ends where a page ends that
// nobody may touch behind: one element too many is a crash.
//
//===----------------------------------------------------------------------===//

#define _DEFAULT_SOURCE
#include "include/mezzo/model.h"

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static _Noreturn void die(int line, const char *what, const char *why) {
  fprintf(stderr, "line %d: %s: %s\n", line, what, why);
  exit(1);
}

#define CHECK(condition)                                                       \
  do                                                                           \
    if (!(condition))                                                          \
      die(__LINE__, #condition, "does not hold");                              \
  while (0)

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

enum { MaxRank = 4, Page = 4096 };

// A tensor with its own shape and memory.
typedef struct Owned {
  mezzo_tensor tensor;
  int64_t shape[MaxRank];
  size_t bytes;
} Owned;

// `bytes` of memory whose end is the end of a page; the next one is a wall.
static void *walled(size_t bytes) {
  size_t pages = (bytes + Page - 1) / Page * Page;
  char *memory = mmap(NULL, pages + Page, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED && mprotect(memory + pages, Page, PROT_NONE) == 0);
  return memory + pages - bytes;
}

// Points the tensor to its shape, gives it memory.
static void allocate(Owned *owned) {
  size_t count = 1;
  owned->tensor.shape = owned->shape;
  for (int i = 0; i < owned->tensor.ndim; ++i)
    count *= (size_t)owned->shape[i];
  owned->bytes = count * owned->tensor.dtype.bits / 8;
  owned->tensor.data = walled(owned->bytes);
}

static Owned make(uint8_t code, uint8_t bits, int32_t rank, int64_t a,
                  int64_t b, int64_t c) {
  Owned owned = {mezzo_dense(NULL, code, bits, rank, NULL), {a, b, c, 1}, 0};
  allocate(&owned);
  return owned;
}

// What make() returned moved; its shape must move too.
static mezzo_tensor at(Owned *owned) {
  owned->tensor.shape = owned->shape;
  return owned->tensor;
}

static void fill(Owned *owned, unsigned seed) {
  float *values = owned->tensor.data;
  for (size_t i = 0; i < owned->bytes / sizeof *values; ++i) {
    seed = seed * 1664525u + 1013904223u;
    values[i] = (float)(seed >> 8) / (1 << 23) - 1;
  }
}

static void release(Owned *owned) {
  size_t pages = (owned->bytes + Page - 1) / Page * Page;
  munmap((char *)owned->tensor.data + owned->bytes - pages, pages + Page);
}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

static const mezzo_api *load(const char *path, const char *symbol) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    die(__LINE__, path, dlerror());
  mezzo_api_function function;
  *(void **)&function = dlsym(library, symbol);
  if (!function)
    die(__LINE__, symbol, dlerror());
  CHECK(function(MEZZO_ABI_VERSION + 1) == NULL);
  return function(MEZZO_ABI_VERSION);
}

static void check_ok(const mezzo_api *api, int line, int32_t status) {
  if (status != MEZZO_OK)
    die(line, "a call failed", mezzo_last_error(api));
}
#define OK(api, call) check_ok(api, __LINE__, call)

static mezzo_context *start(const mezzo_api *api, mezzo_model **model,
                            int threads) {
  mezzo_context *context;
  mezzo_context_options options = MEZZO_CONTEXT_OPTIONS_INIT;
  options.threads = threads;
  if (!*model)
    OK(api, mezzo_model_open(api, NULL, model));
  OK(api, mezzo_context_create(*model, &options, &context));
  return context;
}

// The one output for these inputs, allocated as mezzo_output_shapes says.
static Owned run(mezzo_context *context, const mezzo_tensor *inputs,
                 int64_t count) {
  Owned output = {{0}, {0}, 0};
  output.tensor.shape = output.shape;
  output.tensor.ndim = MaxRank;
  OK(context->api,
     mezzo_output_shapes(context, inputs, count, &output.tensor, 1));
  allocate(&output);
  memset(output.tensor.data, 0xA5, output.bytes);
  OK(context->api, mezzo_run(context, inputs, count, &output.tensor, 1));
  return output;
}

static int same(const Owned *a, const Owned *b) {
  return a->bytes == b->bytes &&
         memcmp(a->tensor.data, b->tensor.data, a->bytes) == 0;
}

//===----------------------------------------------------------------------===//
// two
//===----------------------------------------------------------------------===//

// Each alone, then both, one in the other's way.
static void two(char **argv) {
  const mezzo_api *api[2] = {load(argv[0], argv[1]), load(argv[2], argv[3])};
  CHECK(api[0] != api[1]);
  mezzo_model *model[2] = {NULL, NULL};
  mezzo_context *context[2];
  Owned input[2] = {make(MEZZO_FLOAT, 32, 2, 4, 64, 1),
                    make(MEZZO_FLOAT, 32, 2, 3, 32, 1)};
  Owned alone[2];
  for (int i = 0; i < 2; ++i) {
    fill(&input[i], 7 + (unsigned)i);
    mezzo_tensor tensor = at(&input[i]);
    context[i] = start(api[i], &model[i], 1);
    alone[i] = run(context[i], &tensor, 1);
    OK(api[i], mezzo_context_destroy(context[i]));
  }
  for (int i = 0; i < 2; ++i)
    context[i] = start(api[i], &model[i], 2);
  for (int turn = 0; turn < 20; ++turn) {
    int i = turn % 2;
    mezzo_tensor tensor = at(&input[i]);
    Owned output = run(context[i], &tensor, 1);
    CHECK(same(&output, &alone[i]));
    // An error of one model is no error of the other.
    CHECK(mezzo_run(context[i], &tensor, 2, &output.tensor, 1) ==
          MEZZO_ERROR_INVALID_ARGUMENT);
    CHECK(strstr(mezzo_last_error(api[i]), "2 inputs were passed"));
    if (turn == 0)
      CHECK(strcmp(mezzo_last_error(api[1]), "") == 0);
    release(&output);
  }
  CHECK(mezzo_model_close(model[0]) == MEZZO_ERROR_BUSY);
  for (int i = 0; i < 2; ++i) {
    OK(api[i], mezzo_context_destroy(context[i]));
    OK(api[i], mezzo_model_close(model[i]));
    release(&input[i]);
    release(&alone[i]);
  }
}

//===----------------------------------------------------------------------===//
// threads
//===----------------------------------------------------------------------===//

enum { Threads = 8, Runs = 4, Width = 576 };

typedef struct Worker {
  const mezzo_api *api;
  mezzo_model *model;
  Owned *inputs;   // of several batch sizes
  Owned *expected; // from one thread
  int number;
} Worker;

static void *work(void *argument) {
  Worker *worker = argument;
  mezzo_context *context =
      start(worker->api, &worker->model, 1 + worker->number % 3);
  for (int turn = 0; turn < Runs * 3; ++turn) {
    int which = (turn + worker->number) % 3;
    mezzo_tensor tensor = worker->inputs[which].tensor;
    Owned output = run(context, &tensor, 1);
    CHECK(same(&output, &worker->expected[which]));
    release(&output);
  }
  OK(worker->api, mezzo_context_destroy(context));
  return NULL;
}

static void threads(char **argv) {
  const mezzo_api *api = load(argv[0], argv[1]);
  mezzo_model *model = NULL;
  mezzo_context *context = start(api, &model, 1);
  Owned inputs[3] = {make(MEZZO_FLOAT, 32, 3, 1, 1, Width),
                     make(MEZZO_FLOAT, 32, 3, 2, 3, Width),
                     make(MEZZO_FLOAT, 32, 3, 1, 17, Width)};
  Owned expected[3];
  for (int i = 0; i < 3; ++i) {
    mezzo_tensor tensor = at(&inputs[i]);
    fill(&inputs[i], (unsigned)i);
    expected[i] = run(context, &tensor, 1);
  }
  OK(api, mezzo_context_destroy(context));
  pthread_t thread[Threads];
  Worker worker[Threads];
  for (int i = 0; i < Threads; ++i) {
    worker[i] = (Worker){api, model, inputs, expected, i};
    CHECK(pthread_create(&thread[i], NULL, work, &worker[i]) == 0);
  }
  for (int i = 0; i < Threads; ++i)
    CHECK(pthread_join(thread[i], NULL) == 0);
  OK(api, mezzo_model_close(model));
}

//===----------------------------------------------------------------------===//
// refusals
//===----------------------------------------------------------------------===//

// A call that must fail, and one after it that must not.
typedef struct Bench {
  const mezzo_api *api;
  mezzo_context *context;
  Owned x, scale, counts, y, squares, first;
} Bench;

static void refuse(Bench *bench, int line, const mezzo_tensor *inputs,
                   int64_t num_inputs, mezzo_tensor *outputs,
                   int64_t num_outputs, int32_t status, const char *part) {
  int32_t found =
      mezzo_run(bench->context, inputs, num_inputs, outputs, num_outputs);
  const char *message = mezzo_last_error(bench->api);
  if (found != status || !strstr(message, part)) {
    fprintf(stderr, "status %d, wanted %d and '%s'\n", found, status, part);
    die(line, "another refusal", message);
  }
  mezzo_tensor in[3] = {at(&bench->x), at(&bench->scale), at(&bench->counts)};
  mezzo_tensor out[2] = {at(&bench->y), at(&bench->squares)};
  OK(bench->api, mezzo_run(bench->context, in, 3, out, 2));
  CHECK(same(&bench->y, &bench->first));
}

#define REFUSE(status, part, ...)                                              \
  do {                                                                         \
    mezzo_tensor in[3] = {at(&b.x), at(&b.scale), at(&b.counts)};              \
    mezzo_tensor out[2] = {at(&b.y), at(&b.squares)};                          \
    int64_t shape[MaxRank] = {3, 4, 1, 1}, strides[MaxRank] = {4, 1, 1, 1};    \
    (void)shape, (void)strides;                                                \
    __VA_ARGS__;                                                               \
    refuse(&b, __LINE__, in, 3, out, 2, status, part);                         \
  } while (0)

// x float32 [n, 4], scale float32 [], counts int64 [n, 1] -> y float32 [n, 4],
// squares int64 [n, 1].
static void refusals(char **argv) {
  Bench b = {0};
  b.api = load(argv[0], argv[1]);
  mezzo_model *model = NULL;
  b.context = start(b.api, &model, 2);
  b.x = make(MEZZO_FLOAT, 32, 2, 3, 4, 1);
  b.scale = make(MEZZO_FLOAT, 32, 0, 1, 1, 1);
  b.counts = make(MEZZO_INT, 64, 2, 3, 1, 1);
  b.y = make(MEZZO_FLOAT, 32, 2, 3, 4, 1);
  b.squares = make(MEZZO_INT, 64, 2, 3, 1, 1);
  b.first = make(MEZZO_FLOAT, 32, 2, 3, 4, 1);
  fill(&b.x, 1);
  fill(&b.scale, 2);
  {
    mezzo_tensor in[3] = {at(&b.x), at(&b.scale), at(&b.counts)};
    mezzo_tensor out[2] = {at(&b.first), at(&b.squares)};
    OK(b.api, mezzo_run(b.context, in, 3, out, 2));
  }

  // Element types.
  REFUSE(MEZZO_ERROR_DTYPE, "input 'x' is float64", in[0].dtype.bits = 64);
  REFUSE(MEZZO_ERROR_DTYPE, "input 'x' is int32", in[0].dtype.code = MEZZO_INT);
  REFUSE(MEZZO_ERROR_DTYPE, "times 2 lanes", in[0].dtype.lanes = 2);
  REFUSE(MEZZO_ERROR_DTYPE, "type code 200", in[0].dtype.code = 200);
  REFUSE(MEZZO_ERROR_DTYPE, "input 'counts' is uint64",
         in[2].dtype.code = MEZZO_UINT);
  REFUSE(MEZZO_ERROR_DTYPE, "output 'y' is float16", out[0].dtype.bits = 16);

  // Ranks.
  REFUSE(MEZZO_ERROR_RANK, "input 'x' has 1 dimensions", in[0].ndim = 1);
  REFUSE(MEZZO_ERROR_RANK, "input 'x' has 3 dimensions", in[0].ndim = 3,
         in[0].shape = shape);
  REFUSE(MEZZO_ERROR_RANK, "input 'x' has -1 dimensions", in[0].ndim = -1);
  REFUSE(MEZZO_ERROR_RANK, "input 'scale' has 1 dimensions", in[1].ndim = 1,
         in[1].shape = shape);
  REFUSE(MEZZO_ERROR_RANK, "output 'y' has 0 dimensions", out[0].ndim = 0);

  // Shapes.
  REFUSE(MEZZO_ERROR_SHAPE, "axis 1 must be 4", shape[1] = 5,
         in[0].shape = shape);
  REFUSE(MEZZO_ERROR_SHAPE, "'n' is 3 in axis 0 of input 'counts' and 2",
         shape[0] = 2, in[0].shape = shape);
  REFUSE(MEZZO_ERROR_SHAPE, "negative or too large", shape[0] = -3,
         in[0].shape = shape);
  REFUSE(MEZZO_ERROR_SHAPE, "negative or too large", shape[0] = INT64_MAX,
         in[0].shape = shape);
  REFUSE(MEZZO_ERROR_SHAPE, "output 'y' has shape [2, 4]", shape[0] = 2,
         out[0].shape = shape);
  REFUSE(MEZZO_ERROR_NULL, "input 'x' has no shape", in[0].shape = NULL);
  REFUSE(MEZZO_ERROR_NULL, "output 'y' has no shape", out[0].shape = NULL);

  // Memory.
  REFUSE(MEZZO_ERROR_NULL, "input 'x' of shape [3, 4] has no data",
         in[0].data = NULL);
  REFUSE(MEZZO_ERROR_NULL, "output 'squares' of shape [3, 1] has no data",
         out[1].data = NULL);
  REFUSE(MEZZO_ERROR_INVALID_ARGUMENT, "not a multiple of its 4-byte elements",
         in[0].byte_offset = 1);
  REFUSE(MEZZO_ERROR_STRIDES, "has strides [8, 1]", strides[0] = 8,
         in[0].strides = strides);
  REFUSE(MEZZO_ERROR_DEVICE, "is on device type 2",
         in[0].device.device_type = 2);

  // Numbers of tensors.
  mezzo_tensor in[3] = {at(&b.x), at(&b.scale), at(&b.counts)};
  mezzo_tensor out[2] = {at(&b.y), at(&b.squares)};
  refuse(&b, __LINE__, in, 2, out, 2, MEZZO_ERROR_INVALID_ARGUMENT,
         "2 inputs were passed, the model has 3");
  refuse(&b, __LINE__, in, 0, out, 2, MEZZO_ERROR_INVALID_ARGUMENT,
         "0 inputs were passed");
  refuse(&b, __LINE__, in, -1, out, 2, MEZZO_ERROR_INVALID_ARGUMENT,
         "-1 inputs were passed");
  refuse(&b, __LINE__, in, INT64_MAX, out, 2, MEZZO_ERROR_INVALID_ARGUMENT,
         "inputs were passed");
  refuse(&b, __LINE__, in, 3, out, 1, MEZZO_ERROR_INVALID_ARGUMENT,
         "1 outputs were passed, the model has 2");
  refuse(&b, __LINE__, NULL, 3, out, 2, MEZZO_ERROR_NULL,
         "the array of inputs is NULL");
  refuse(&b, __LINE__, in, 3, NULL, 2, MEZZO_ERROR_NULL,
         "the array of outputs is NULL");

  // The calls around a run.
  mezzo_context *none = NULL;
  mezzo_context_options options = MEZZO_CONTEXT_OPTIONS_INIT;
  CHECK(mezzo_run(NULL, in, 3, out, 2) == MEZZO_ERROR_NULL);
  CHECK(mezzo_model_open(NULL, NULL, &model) == MEZZO_ERROR_NULL);
  CHECK(mezzo_model_open(b.api, NULL, NULL) == MEZZO_ERROR_NULL);
  CHECK(mezzo_context_create(NULL, NULL, &none) == MEZZO_ERROR_NULL && !none);
  CHECK(mezzo_context_create(model, NULL, NULL) == MEZZO_ERROR_NULL);
  options.threads = -1;
  CHECK(mezzo_context_create(model, &options, &none) ==
            MEZZO_ERROR_INVALID_ARGUMENT &&
        !none);
  options.threads = 1;
  options.size = 1;
  CHECK(mezzo_context_create(model, &options, &none) == MEZZO_ERROR_ABI);
  CHECK(mezzo_model_close(model) == MEZZO_ERROR_BUSY);

  // No rows are no error, and need no memory.
  int64_t empty[3][2] = {{0, 4}, {0, 0}, {0, 1}};
  mezzo_tensor rows[3] = {mezzo_dense(NULL, MEZZO_FLOAT, 32, 2, empty[0]),
                          at(&b.scale),
                          mezzo_dense(NULL, MEZZO_INT, 64, 2, empty[2])};
  mezzo_tensor nothing[2] = {rows[0], rows[2]};
  OK(b.api, mezzo_run(b.context, rows, 3, nothing, 2));

  OK(b.api, mezzo_context_destroy(b.context));
  OK(b.api, mezzo_model_close(model));
}

//===----------------------------------------------------------------------===//
// indices, memory: what only a run can find out
//===----------------------------------------------------------------------===//

static void indices(char **argv) {
  const mezzo_api *api = load(argv[0], argv[1]);
  mezzo_model *model = NULL;
  mezzo_context *context = start(api, &model, 2);
  Owned ids = make(MEZZO_INT, 64, 2, 2, 7, 1);
  mezzo_tensor in = at(&ids);
  int64_t *values = ids.tensor.data;
  memset(values, 0, ids.bytes);
  Owned good = run(context, &in, 1);
  int64_t bad[] = {101, -102, INT64_MAX, INT64_MIN};
  for (int i = 0; i < 4; ++i) {
    values[5] = bad[i];
    mezzo_tensor out = at(&good);
    CHECK(mezzo_run(context, &in, 1, &out, 1) == MEZZO_ERROR_RUNTIME);
    CHECK(strstr(mezzo_last_error(api), "node 'embedded' (Gather): an index is "
                                        "out of range"));
  }
  values[5] = 0;
  Owned again = run(context, &in, 1);
  run(context, &in, 1); // the failure has left nothing behind
  for (size_t i = 0; i < again.bytes / sizeof(float); ++i)
    CHECK(isfinite(((float *)again.tensor.data)[i]));
  OK(api, mezzo_context_destroy(context));
  OK(api, mezzo_model_close(model));
}

static void memory(char **argv) {
  const mezzo_api *api = load(argv[0], argv[1]);
  mezzo_model *model = NULL;
  mezzo_context *context = start(api, &model, 2);
  Owned small = make(MEZZO_FLOAT, 32, 1, 5, 1, 1);
  fill(&small, 3);
  mezzo_tensor few = at(&small);
  Owned good = run(context, &few, 1);

  Owned large = make(MEZZO_FLOAT, 32, 1, atoll(argv[2]), 1, 1);
  mezzo_tensor many = at(&large);
  Owned output = make(MEZZO_FLOAT, 32, 1, 1, 1, 1);
  mezzo_tensor out = at(&output);
  for (int i = 0; i < 2; ++i) {
    CHECK(mezzo_run(context, &many, 1, &out, 1) == MEZZO_ERROR_OUT_OF_MEMORY);
    CHECK(strstr(mezzo_last_error(api), "out of memory for intermediate"));
    Owned again = run(context, &few, 1);
    CHECK(same(&again, &good));
  }
  OK(api, mezzo_context_destroy(context));
  OK(api, mezzo_model_close(model));
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  if (argc == 6 && strcmp(mode, "two") == 0)
    two(argv + 2);
  else if (argc == 4 && strcmp(mode, "threads") == 0)
    threads(argv + 2);
  else if (argc == 4 && strcmp(mode, "refusals") == 0)
    refusals(argv + 2);
  else if (argc == 4 && strcmp(mode, "indices") == 0)
    indices(argv + 2);
  else if (argc == 5 && strcmp(mode, "memory") == 0)
    memory(argv + 2);
  else
    die(__LINE__, "usage", "see the head of this file");
  return 0;
}
