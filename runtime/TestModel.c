//===- TestModel.c - A model written by hand, for the tests ---------------===//
//
// Built into the test program as it is, and, with TEST_API and TEST_WEIGHT
// defined, into shared objects that look like those of the compiler.
//
//===----------------------------------------------------------------------===//

#include "runtime/TestModel.h"

#ifdef TEST_API
#define MODULE mezzo_rt_module
#define STRING_OF(x) #x
#define STRING(x) STRING_OF(x)
#define NAME STRING(TEST_API)
#else
#define MODULE mezzo_test_module
#define NAME "test"
#define TEST_WEIGHT 1
#endif

_Alignas(64) static const float weights[4] = {TEST_WEIGHT, TEST_WEIGHT + 1,
                                              TEST_WEIGHT + 2, TEST_WEIGHT + 3};

/// The captured variables of the loop.
typedef struct Rows {
  mezzo_frame *frame;
  const float *x, *z, *w;
  float *sum, *y;
} Rows;

static void add_rows(void *args, int64_t begin, int64_t end) {
  const Rows *rows = (const Rows *)args;
  for (int64_t b = begin; b < end; ++b)
    for (int64_t c = 0; c < 4; ++c) {
      float x = rows->x[4 * b + c];
      if (x != x) {
        mezzo_rt_fail(rows->frame, MEZZO_ERROR_RUNTIME,
                      "x is not a number; clean the inputs");
        return;
      }
      rows->sum[4 * b + c] = x + rows->w[c];
      rows->y[4 * b + c] = rows->sum[4 * b + c] + rows->z[b];
    }
}

static void run(mezzo_frame *frame, void *const *in_data,
                const int64_t *const *in_shapes, void *const *out_data,
                const int64_t *const *out_shapes) {
  (void)out_shapes;
  int64_t batch = in_shapes[0][0];
  Rows rows = {frame,
               (const float *)in_data[0],
               (const float *)in_data[1],
               (const float *)(const void *)frame->weights,
               (float *)mezzo_rt_alloc(frame, (uint64_t)batch * 16),
               (float *)out_data[0]};
  if (rows.sum)
    mezzo_rt_parallel_for(frame, add_rows, &rows, batch, 2);
}

static int32_t shapes(const int64_t *const *in_shapes,
                      int64_t *const *out_shapes, void *const *in_data) {
  (void)in_data;
  out_shapes[0][0] = in_shapes[0][0];
  out_shapes[0][1] = 4;
  return 0;
}

static const int64_t dims[] = {-1, 4};
static const char *const names[] = {"batch", NULL};
static const mezzo_tensor_desc inputs[] = {
    {"x", dims, names, 2, MEZZO_FLOAT, 32, 1},
    {"z", dims, names, 1, MEZZO_FLOAT, 32, 1}};
static const mezzo_tensor_desc outputs[] = {
    {"y", dims, names, 2, MEZZO_FLOAT, 32, 1}};

const mezzo_module MODULE = {
    .abi_version = MEZZO_RT_ABI_VERSION,
    .name = NAME,
    .signature_json = "{\"name\": \"" NAME "\"}",
    .required_features = "",
    .inputs = inputs,
    .outputs = outputs,
    .num_inputs = 2,
    .num_outputs = 1,
    .shapes = shapes,
    .run = run,
    .arena_bytes = 128,
    .weights = (const uint8_t *)weights,
    .weights_bytes = sizeof weights,
};

#ifdef TEST_API
__attribute__((visibility("default")))
const mezzo_api *TEST_API(uint32_t version) {
  return mezzo_rt_api(version);
}
#endif
