//===- TestModel.h - A model written by hand, for the tests ---------------===//
//
//   y[b, c] = x[b, c] + w[c] + z[b]        float32; b < batch (dynamic), c < 4
//
// It uses what emitted code uses: weights, a parallel loop over the rows,
// memory of dynamic size, and failure (on a row that contains a NaN).
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_RUNTIME_TESTMODEL_H
#define MEZZO_RUNTIME_TESTMODEL_H

#include "runtime/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Weights 1, 2, 3, 4, embedded.
extern const mezzo_module mezzo_test_module;

#ifdef __cplusplus
} // extern "C"

#include "runtime/runtime.h"

#include <string>
#include <vector>

namespace mezzo {

/// A float32 tensor with its own memory.
class TestTensor {
public:
  explicit TestTensor(std::vector<int64_t> sizes, float value = 0)
      : sizes(std::move(sizes)) {
    int64_t count = 1;
    for (int64_t size : this->sizes)
      count *= size;
    data.assign(count, value);
  }

  /// The tensor as the ABI wants it; points into this object.
  mezzo_tensor view() {
    return {data.data(),
            {MEZZO_CPU, 0},
            (int32_t)sizes.size(),
            {MEZZO_FLOAT, 32, 1},
            sizes.data(),
            nullptr,
            0};
  }

  std::vector<int64_t> sizes;
  std::vector<float> data;
};

/// Inputs and output of the test model.
struct TestTensors {
  explicit TestTensors(int64_t batch)
      : x({batch, 4}), z({batch}), y({batch, 4}, -1) {
    for (int64_t b = 0; b < batch; ++b) {
      z.data[b] = (float)(100 * b);
      for (int64_t c = 0; c < 4; ++c)
        x.data[4 * b + c] = (float)(7 * b + c);
    }
    inputs[0] = x.view();
    inputs[1] = z.view();
    output = y.view();
  }

  /// What y should be, given the first weight (the others count up from it).
  std::vector<float> expected(float weight = 1) const {
    std::vector<float> result(x.data.size());
    for (size_t i = 0; i < result.size(); ++i)
      result[i] = x.data[i] + (weight + (float)(i % 4)) + z.data[i / 4];
    return result;
  }

  int32_t run(mezzo_context *context) {
    return mezzo_run(context, inputs, 2, &output, 1);
  }

  TestTensor x, z, y;
  mezzo_tensor inputs[2], output;
};

/// A module with its table, opened. Closed at the end of the scope.
class OpenModel {
public:
  explicit OpenModel(const mezzo_module &module = mezzo_test_module)
      : module(module), api(MEZZO_RT_API(&this->module)) {
    status = mezzo_model_open(&api, nullptr, &model);
  }
  OpenModel(const OpenModel &) = delete;
  ~OpenModel() {
    for (mezzo_context *context : contexts)
      mezzo_context_destroy(context);
    mezzo_model_close(model);
  }

  /// A context that lives as long as this.
  mezzo_context *context(int32_t threads, mezzo_parallel_for hook = nullptr,
                         void *user = nullptr) {
    mezzo_context_options options = MEZZO_CONTEXT_OPTIONS_INIT;
    options.threads = threads;
    options.parallel_for = hook;
    options.user = user;
    mezzo_context *context = nullptr;
    status = mezzo_context_create(model, &options, &context);
    if (context)
      contexts.push_back(context);
    return context;
  }

  std::string error() const { return mezzo_last_error(&api); }

  const mezzo_module module;
  const mezzo_api api;
  mezzo_model *model = nullptr;
  int32_t status;
  std::vector<mezzo_context *> contexts;
};

} // namespace mezzo
#endif // __cplusplus

#endif // MEZZO_RUNTIME_TESTMODEL_H
