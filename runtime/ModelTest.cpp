//===- ModelTest.cpp - Open, create, run, and every way to get it wrong ---===//

#include "runtime/TestModel.h"

#include <dlpack/dlpack.h>
#include <gtest/gtest.h>

#include <atomic>
#include <climits>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

using namespace mezzo;

//===----------------------------------------------------------------------===//
// The layout of DLPack
//===----------------------------------------------------------------------===//

#define SAME_MEMBER(ours, theirs, member)                                      \
  static_assert(offsetof(ours, member) == offsetof(theirs, member) &&          \
                    sizeof(ours::member) == sizeof(theirs::member),            \
                #member)
static_assert(sizeof(mezzo_tensor) == sizeof(DLTensor), "");
static_assert(sizeof(mezzo_dtype) == sizeof(DLDataType), "");
static_assert(sizeof(mezzo_device) == sizeof(DLDevice), "");
SAME_MEMBER(mezzo_tensor, DLTensor, data);
SAME_MEMBER(mezzo_tensor, DLTensor, device);
SAME_MEMBER(mezzo_tensor, DLTensor, ndim);
SAME_MEMBER(mezzo_tensor, DLTensor, dtype);
SAME_MEMBER(mezzo_tensor, DLTensor, shape);
SAME_MEMBER(mezzo_tensor, DLTensor, strides);
SAME_MEMBER(mezzo_tensor, DLTensor, byte_offset);
SAME_MEMBER(mezzo_dtype, DLDataType, code);
SAME_MEMBER(mezzo_dtype, DLDataType, bits);
SAME_MEMBER(mezzo_dtype, DLDataType, lanes);
SAME_MEMBER(mezzo_device, DLDevice, device_type);
SAME_MEMBER(mezzo_device, DLDevice, device_id);
static_assert((int)MEZZO_CPU == kDLCPU && (int)MEZZO_INT == kDLInt &&
                  (int)MEZZO_UINT == kDLUInt && (int)MEZZO_FLOAT == kDLFloat &&
                  (int)MEZZO_BFLOAT == kDLBfloat &&
                  (int)MEZZO_COMPLEX == kDLComplex,
              "");

namespace {

/// EXPECTs this status, and every one of these pieces in the message.
void expectError(const OpenModel &model, int32_t status, int32_t wanted,
                 std::vector<const char *> pieces) {
  EXPECT_EQ(status, wanted) << model.error();
  for (const char *piece : pieces)
    EXPECT_NE(model.error().find(piece), std::string::npos)
        << "'" << piece << "' is not in '" << model.error() << "'";
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

TEST(Model, RunsWithAnyThreadsAndBatch) {
  OpenModel model;
  ASSERT_EQ(model.status, MEZZO_OK) << model.error();
  EXPECT_EQ(mezzo_abi_version(&model.api), MEZZO_ABI_VERSION);
  EXPECT_STREQ(mezzo_signature_json(&model.api), "{\"name\": \"test\"}");
  for (int32_t threads : {0, 1, 2, 3}) {
    mezzo_context *context = model.context(threads);
    ASSERT_TRUE(context) << model.error();
    for (int64_t batch : {0, 1, 2, 3, 17, 20000, 5}) {
      TestTensors tensors(batch);
      ASSERT_EQ(tensors.run(context), MEZZO_OK) << model.error();
      EXPECT_EQ(tensors.y.data, tensors.expected());
    }
  }
}

TEST(Model, OneModelServesManyThreads) {
  OpenModel model;
  std::vector<mezzo_context *> contexts;
  for (int i = 0; i < 8; ++i)
    contexts.push_back(model.context(1 + i % 3));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      for (int run = 0; run < 50; ++run) {
        TestTensors tensors(1 + (13 * run + i) % 97);
        wrong += tensors.run(contexts[i]) != MEZZO_OK ||
                 tensors.y.data != tensors.expected();
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Model, TakesOffsetsAndContiguousStrides) {
  OpenModel model;
  mezzo_context *context = model.context(1);
  TestTensors tensors(1);
  std::vector<float> wide(10);
  for (int i = 0; i < 4; ++i)
    wide[3 + i] = tensors.x.data[i];
  tensors.inputs[0].data = wide.data();
  tensors.inputs[0].byte_offset = 3 * sizeof(float);
  // The stride of an axis of size 1 means nothing.
  int64_t strides[] = {-77, 1};
  tensors.inputs[0].strides = strides;
  ASSERT_EQ(tensors.run(context), MEZZO_OK) << model.error();
  EXPECT_EQ(tensors.y.data, tensors.expected());
}

TEST(Model, OutputShapes) {
  OpenModel model;
  mezzo_context *context = model.context(1);
  TestTensors tensors(6);
  tensors.inputs[0].data = tensors.inputs[1].data = nullptr;

  mezzo_tensor output;
  memset(&output, 0, sizeof output);
  auto ask = [&] {
    return mezzo_output_shapes(context, tensors.inputs, 2, &output, 1);
  };
  ASSERT_EQ(ask(), MEZZO_OK) << model.error();
  EXPECT_EQ(output.ndim, 2);
  EXPECT_EQ(output.shape, nullptr);

  int64_t shape[3] = {9, 9, 9};
  output.shape = shape;
  output.ndim = 3;
  ASSERT_EQ(ask(), MEZZO_OK) << model.error();
  EXPECT_EQ(output.ndim, 2);
  EXPECT_EQ(shape[0], 6);
  EXPECT_EQ(shape[1], 4);
  EXPECT_EQ(shape[2], 9);
  EXPECT_EQ(output.dtype.code, MEZZO_FLOAT);
  EXPECT_EQ(output.dtype.bits, 32);
  EXPECT_EQ(output.device.device_type, MEZZO_CPU);

  // What it filled in is what run takes.
  TestTensors full(6);
  output.data = full.y.data.data();
  ASSERT_EQ(mezzo_run(context, full.inputs, 2, &output, 1), MEZZO_OK)
      << model.error();
  EXPECT_EQ(full.y.data, full.expected());

  output.ndim = 1;
  expectError(model, ask(), MEZZO_ERROR_RANK,
              {"output 'y' has 2 dimensions", "room for 1"});
  output.ndim = 2;
  tensors.x.sizes[1] = 5;
  expectError(model, ask(), MEZZO_ERROR_SHAPE, {"input 'x' has shape [6, 5]"});
  expectError(model,
              mezzo_output_shapes(context, tensors.inputs, 2, &output, 2),
              MEZZO_ERROR_INVALID_ARGUMENT, {"2 outputs", "has 1"});
  expectError(model,
              mezzo_output_shapes(context, tensors.inputs, 2, nullptr, 1),
              MEZZO_ERROR_NULL, {"0 outputs"});
}

TEST(Model, FailureOfTheModelIsReportedAndForgotten) {
  OpenModel model;
  for (int32_t threads : {1, 3}) {
    mezzo_context *context = model.context(threads);
    TestTensors tensors(1000);
    tensors.x.data[4 * 500] = NAN;
    expectError(model, tensors.run(context), MEZZO_ERROR_RUNTIME,
                {"model 'test': x is not a number; clean the inputs"});
    tensors.x.data[4 * 500] = 0;
    EXPECT_EQ(tensors.run(context), MEZZO_OK);
    EXPECT_EQ(tensors.y.data, tensors.expected());
  }
}

//===----------------------------------------------------------------------===//
// Wrong tensors
//===----------------------------------------------------------------------===//

/// One mistake and what is said about it.
struct Mistake {
  const char *name;
  void (*make)(TestTensors &tensors);
  int32_t status;
  std::vector<const char *> pieces;
};

const Mistake mistakes[] = {
    {"dtype",
     [](TestTensors &t) { t.inputs[0].dtype = {MEZZO_INT, 8, 1}; },
     MEZZO_ERROR_DTYPE,
     {"input 'x' is int8", "compiled for float32"}},
    {"rare dtype",
     [](TestTensors &t) { t.inputs[0].dtype = {MEZZO_FLOAT8_E4M3FN, 8, 1}; },
     MEZZO_ERROR_DTYPE,
     {"type code 10 with 8 bits"}},
    {"lanes",
     [](TestTensors &t) { t.inputs[0].dtype.lanes = 4; },
     MEZZO_ERROR_DTYPE,
     {"float32 times 4 lanes"}},
    {"rank",
     [](TestTensors &t) { t.inputs[0].ndim = 1; },
     MEZZO_ERROR_RANK,
     {"input 'x' has 1 dimensions", "2 [?, 4]"}},
    {"negative rank",
     [](TestTensors &t) { t.inputs[0].ndim = -1; },
     MEZZO_ERROR_RANK,
     {"has -1 dimensions"}},
    {"static size",
     [](TestTensors &t) { t.x.sizes[1] = 5; },
     MEZZO_ERROR_SHAPE,
     {"[8, 5]", "[?, 4]", "axis 1 must be 4", "--shape"}},
    {"negative size",
     [](TestTensors &t) { t.x.sizes[0] = t.z.sizes[0] = -1; },
     MEZZO_ERROR_SHAPE,
     {"[-1, 4]", "negative or too large"}},
    {"size beyond memory",
     [](TestTensors &t) { t.x.sizes[0] = t.z.sizes[0] = INT64_MAX / 8; },
     MEZZO_ERROR_SHAPE,
     {"negative or too large"}},
    {"names",
     [](TestTensors &t) { t.z.sizes[0] = 7; },
     MEZZO_ERROR_SHAPE,
     {"'batch' is 7 in axis 0 of input 'z' and 8 in axis 0 of input 'x'"}},
    {"no shape",
     [](TestTensors &t) { t.inputs[0].shape = nullptr; },
     MEZZO_ERROR_NULL,
     {"input 'x' has no shape"}},
    {"no data",
     [](TestTensors &t) { t.inputs[1].data = nullptr; },
     MEZZO_ERROR_NULL,
     {"input 'z' of shape [8] has no data"}},
    {"strides",
     [](TestTensors &t) {
       static int64_t transposed[] = {1, 8};
       t.inputs[0].strides = transposed;
     },
     MEZZO_ERROR_STRIDES,
     {"strides [1, 8]", "contiguous"}},
    {"reversed",
     [](TestTensors &t) {
       static int64_t reversed[] = {-1};
       t.inputs[1].strides = reversed;
     },
     MEZZO_ERROR_STRIDES,
     {"input 'z' of shape [8] has strides [-1]"}},
    {"device",
     [](TestTensors &t) { t.inputs[0].device.device_type = 2; },
     MEZZO_ERROR_DEVICE,
     {"device type 2", "copy"}},
    {"alignment",
     [](TestTensors &t) { t.inputs[0].byte_offset = 2; },
     MEZZO_ERROR_INVALID_ARGUMENT,
     {"4-byte elements"}},
    {"output dtype",
     [](TestTensors &t) { t.output.dtype.bits = 16; },
     MEZZO_ERROR_DTYPE,
     {"output 'y' is float16"}},
    {"output rank",
     [](TestTensors &t) { t.output.ndim = 3; },
     MEZZO_ERROR_RANK,
     {"output 'y' has 3 dimensions"}},
    {"output shape",
     [](TestTensors &t) { t.y.sizes[0] = 9; },
     MEZZO_ERROR_SHAPE,
     {"[9, 4]", "[8, 4]", "mezzo_output_shapes"}},
    {"output strides",
     [](TestTensors &t) {
       static int64_t padded[] = {5, 1};
       t.output.strides = padded;
     },
     MEZZO_ERROR_STRIDES,
     {"output 'y'", "[5, 1]"}},
    {"output device",
     [](TestTensors &t) { t.output.device.device_type = 2; },
     MEZZO_ERROR_DEVICE,
     {"output 'y'"}},
    {"no output data",
     [](TestTensors &t) { t.output.data = nullptr; },
     MEZZO_ERROR_NULL,
     {"output 'y' of shape [8, 4] has no data"}},
};

TEST(Model, NamesEveryMistake) {
  OpenModel model;
  mezzo_context *context = model.context(2);
  for (const Mistake &mistake : mistakes) {
    SCOPED_TRACE(mistake.name);
    TestTensors wrong(8);
    mistake.make(wrong);
    expectError(model, wrong.run(context), mistake.status, mistake.pieces);
    EXPECT_EQ(wrong.y.data, std::vector<float>(32, -1)) << "nothing was run";
    TestTensors right(8);
    EXPECT_EQ(right.run(context), MEZZO_OK) << "the context is still good";
  }
}

TEST(Model, WrongNumbersOfTensors) {
  OpenModel model;
  mezzo_context *context = model.context(1);
  TestTensors t(1);
  expectError(model, mezzo_run(context, t.inputs, 1, &t.output, 1),
              MEZZO_ERROR_INVALID_ARGUMENT, {"1 inputs were passed", "has 2"});
  expectError(model, mezzo_run(context, t.inputs, -2, &t.output, 1),
              MEZZO_ERROR_INVALID_ARGUMENT, {"-2 inputs"});
  expectError(model, mezzo_run(context, nullptr, 2, &t.output, 1),
              MEZZO_ERROR_NULL, {"array of inputs"});
  expectError(model, mezzo_run(context, t.inputs, 2, &t.output, 0),
              MEZZO_ERROR_INVALID_ARGUMENT, {"0 outputs were passed"});
  expectError(model, mezzo_run(context, t.inputs, 2, nullptr, 1),
              MEZZO_ERROR_NULL, {"array of outputs"});
}

TEST(Model, LongShapesAreCut) {
  static int64_t huge[40];
  mezzo_tensor_desc input = {"long", huge, nullptr, 40, MEZZO_FLOAT, 32, 1};
  mezzo_module module = mezzo_test_module;
  module.inputs = &input;
  module.num_inputs = 1;
  OpenModel model(module);
  TestTensors t(1);
  int64_t shape[40];
  std::fill(shape, shape + 40, INT64_MIN);
  t.inputs[0].ndim = 40;
  t.inputs[0].shape = shape;
  expectError(model, mezzo_run(model.context(1), t.inputs, 1, &t.output, 1),
              MEZZO_ERROR_SHAPE, {"-9223372036854775808, ...]"});
}

TEST(Model, NoVerifyTrustsTheCaller) {
  mezzo_module module = mezzo_test_module;
  module.flags = MEZZO_RT_NO_VERIFY;
  OpenModel model(module);
  TestTensors t(8);
  for (mezzo_tensor *tensor : {&t.inputs[0], &t.inputs[1], &t.output}) {
    tensor->dtype = {MEZZO_INT, 8, 1};
    tensor->device.device_type = 2;
  }
  EXPECT_EQ(t.run(model.context(2)), MEZZO_OK) << model.error();
  EXPECT_EQ(t.y.data, t.expected());
}

TEST(Model, ShapesThatDoNotExist) {
  mezzo_module module = mezzo_test_module;
  module.shapes = [](const int64_t *const *, int64_t *const *, void *const *) {
    return 3;
  };
  OpenModel refuses(module);
  TestTensors t(1);
  expectError(refuses, t.run(refuses.context(1)), MEZZO_ERROR_SHAPE,
              {"no output", "reason 3"});
  module.shapes = [](const int64_t *const *, int64_t *const *out,
                     void *const *) {
    out[0][0] = INT64_MAX;
    out[0][1] = 2;
    return 0;
  };
  OpenModel overflows(module);
  expectError(overflows, t.run(overflows.context(1)), MEZZO_ERROR_SHAPE,
              {"output 'y' would have shape [9223372036854775807, 2]"});
}

//===----------------------------------------------------------------------===//
// Wrong options, wrong order
//===----------------------------------------------------------------------===//

TEST(Model, NullPointers) {
  OpenModel model;
  mezzo_model *other;
  EXPECT_EQ(mezzo_model_open(nullptr, nullptr, &other), MEZZO_ERROR_NULL);
  EXPECT_EQ(mezzo_model_open(&model.api, nullptr, nullptr), MEZZO_ERROR_NULL);
  EXPECT_EQ(mezzo_context_create(nullptr, nullptr, nullptr), MEZZO_ERROR_NULL);
  EXPECT_EQ(mezzo_context_create(model.model, nullptr, nullptr),
            MEZZO_ERROR_NULL);
  EXPECT_EQ(mezzo_run(nullptr, nullptr, 0, nullptr, 0), MEZZO_ERROR_NULL);
  EXPECT_EQ(mezzo_output_shapes(nullptr, nullptr, 0, nullptr, 0),
            MEZZO_ERROR_NULL);
  EXPECT_EQ(mezzo_context_destroy(nullptr), MEZZO_OK);
  EXPECT_EQ(mezzo_model_close(nullptr), MEZZO_OK);
}

TEST(Model, ContextOptions) {
  OpenModel model;
  mezzo_context *context;
  auto create = [&](const mezzo_context_options &options) {
    return mezzo_context_create(model.model, &options, &context);
  };
  mezzo_context_options options = MEZZO_CONTEXT_OPTIONS_INIT;
  options.threads = -1;
  expectError(model, create(options), MEZZO_ERROR_INVALID_ARGUMENT,
              {"-1 threads"});
  EXPECT_EQ(context, nullptr);
  options.threads = 1 << 20;
  expectError(model, create(options), MEZZO_ERROR_INVALID_ARGUMENT,
              {"1048576 threads", "1 to 1024"});
  options.threads = 1;
  options.size = 8;
  expectError(model, create(options), MEZZO_ERROR_ABI, {"size 8"});
  options.size = sizeof options;
  options.reserved = 1;
  expectError(model, create(options), MEZZO_ERROR_ABI, {"does not know"});

  // A longer struct of a later version.
  struct {
    mezzo_context_options options = MEZZO_CONTEXT_OPTIONS_INIT;
    int64_t later = 0;
  } longer;
  longer.options.size = sizeof longer;
  longer.options.threads = 1;
  ASSERT_EQ(create(longer.options), MEZZO_OK) << model.error();
  EXPECT_EQ(mezzo_context_destroy(context), MEZZO_OK);
  longer.later = 1;
  expectError(model, create(longer.options), MEZZO_ERROR_ABI,
              {"does not know"});
}

TEST(Model, ThreadsFromTheEnvironment) {
  OpenModel model;
  for (const char *wrong : {"0", "-1", "two", "2x", "99999999999999999999"}) {
    setenv("MEZZO_NUM_THREADS", wrong, 1);
    EXPECT_EQ(model.context(0), nullptr);
    expectError(model, model.status, MEZZO_ERROR_INVALID_ARGUMENT,
                {"MEZZO_NUM_THREADS", wrong});
    EXPECT_TRUE(model.context(1)) << "an explicit number needs no environment";
  }
  for (const char *right : {"", "1", "3"}) {
    setenv("MEZZO_NUM_THREADS", right, 1);
    EXPECT_TRUE(model.context(0)) << model.error();
  }
  unsetenv("MEZZO_NUM_THREADS");
}

TEST(Model, StaysOpenWhileItHasContexts) {
  OpenModel model;
  mezzo_context *context;
  ASSERT_EQ(mezzo_context_create(model.model, nullptr, &context), MEZZO_OK);
  expectError(model, mezzo_model_close(model.model), MEZZO_ERROR_BUSY,
              {"still has 1 contexts"});
  EXPECT_EQ(mezzo_context_destroy(context), MEZZO_OK);
}

TEST(Model, OneCallAtATime) {
  struct Shared {
    mezzo_context *context;
    std::atomic<bool> inside{false}, leave{false};
  } shared;
  OpenModel model;
  shared.context = model.context(
      0,
      [](void *user, mezzo_body body, void *args, int64_t count, int64_t) {
        Shared &shared = *(Shared *)user;
        shared.inside = true;
        while (!shared.leave)
          std::this_thread::yield();
        body(args, 0, count);
      },
      &shared);
  TestTensors first(8), second(8);
  int32_t status = -1;
  std::thread runner([&] { status = first.run(shared.context); });
  while (!shared.inside)
    std::this_thread::yield();
  expectError(model, second.run(shared.context), MEZZO_ERROR_BUSY,
              {"one context per thread"});
  EXPECT_EQ(mezzo_context_destroy(shared.context), MEZZO_ERROR_BUSY);
  shared.leave = true;
  runner.join();
  EXPECT_EQ(status, MEZZO_OK);
  EXPECT_EQ(first.y.data, first.expected());
  EXPECT_EQ(second.run(shared.context), MEZZO_OK);
}

TEST(Model, ErrorsBelongToTheirThread) {
  OpenModel model;
  mezzo_context *context = model.context(1);
  std::thread([&] {
    EXPECT_EQ(model.error(), "");
    mezzo_run(context, nullptr, 0, nullptr, 0);
    EXPECT_NE(model.error(), "");
  }).join();
  EXPECT_EQ(model.error().find("0 inputs"), std::string::npos);
}

TEST(Model, OtherVersionOfTheContract) {
  mezzo_module module = mezzo_test_module;
  module.abi_version = 99;
  OpenModel model(module);
  expectError(model, model.status, MEZZO_ERROR_ABI, {"version 99"});
  EXPECT_EQ(model.model, nullptr);
}

//===----------------------------------------------------------------------===//
// The floating-point environment
//===----------------------------------------------------------------------===//

#if defined(__x86_64__)
TEST(Model, HostsFloatingPointModeDoesNotMatter) {
  // x + w + z where the sum is subnormal: flush-to-zero would lose it.
  static const float zeros[4] = {0, 0, 0, 0};
  mezzo_module module = mezzo_test_module;
  module.weights = (const uint8_t *)zeros;
  OpenModel model(module);
  auto serial = [](void *, mezzo_body body, void *args, int64_t count,
                   int64_t grain) {
    std::thread([&] {
      _mm_setcsr(_mm_getcsr() | 0x8040); // FTZ and DAZ on the host's worker
      body(args, 0, count / 2);
    }).join();
    body(args, count / 2, count);
  };
  mezzo_context *contexts[] = {model.context(1), model.context(2),
                               model.context(0, serial)};
  for (mezzo_context *context : contexts) {
    TestTensors t(8);
    std::fill(t.x.data.begin(), t.x.data.end(),
              std::numeric_limits<float>::denorm_min());
    std::fill(t.z.data.begin(), t.z.data.end(), 0.0f);
    unsigned before = _mm_getcsr();
    _mm_setcsr(0xff80 | 0x40); // flush, denormals are zero, round toward zero
    int32_t status = t.run(context);
    unsigned after = _mm_getcsr();
    _mm_setcsr(before);
    EXPECT_EQ(status, MEZZO_OK) << model.error();
    EXPECT_EQ(after, 0xffc0u) << "the host gets its mode back";
    for (float y : t.y.data)
      EXPECT_EQ(y, std::numeric_limits<float>::denorm_min());
  }
}
#endif

} // namespace
