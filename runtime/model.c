//===- model.c - The functions of the table -------------------------------===//

#include "runtime/runtime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

static int64_t count_dims(const mezzo_tensor_desc *tensors, int64_t number) {
  int64_t dims = 0;
  for (int64_t i = 0; i < number; ++i)
    dims += tensors[i].rank;
  return dims;
}

/// The name of the k-th dimension of all inputs, NULL if it has none.
static const char **list_names(const mezzo_module *module, int64_t dims) {
  const char **names =
      (const char **)malloc((size_t)(dims + 1) * sizeof *names);
  int64_t k = 0;
  for (int64_t i = 0; names && i < module->num_inputs; ++i) {
    const mezzo_tensor_desc *desc = &module->inputs[i];
    for (int32_t axis = 0; axis < desc->rank; ++axis)
      names[k++] = desc->dim_names && desc->dims[axis] < 0
                       ? desc->dim_names[axis]
                       : NULL;
  }
  return names;
}

/// Compares names once, so that a run compares numbers.
static int64_t *find_same_names(const mezzo_module *module, int64_t dims) {
  const char **names = list_names(module, dims);
  int64_t *same_as = (int64_t *)malloc((size_t)(dims + 1) * sizeof *same_as);
  for (int64_t k = 0; names && same_as && k < dims; ++k) {
    same_as[k] = k;
    for (int64_t first = 0; names[k] && first < k; ++first)
      if (names[first] && strcmp(names[first], names[k]) == 0) {
        same_as[k] = first;
        break;
      }
  }
  if (!names) {
    free(same_as);
    same_as = NULL;
  }
  free((void *)names);
  return same_as;
}

int32_t mezzo_rt_model_open(const mezzo_api *api, const char *weights_path,
                            mezzo_model **result) {
  if (!api || !result)
    return mezzo_rt_error(MEZZO_ERROR_NULL,
                          "mezzo_model_open was given NULL for %s",
                          api ? "the model" : "the table");
  *result = NULL;
  const mezzo_module *module = api->module;
  if (module->abi_version != MEZZO_RT_ABI_VERSION)
    return mezzo_rt_error(
        MEZZO_ERROR_ABI,
        "the code of the model has version %llu, its runtime version %u; "
        "compile the model again",
        (unsigned long long)module->abi_version, MEZZO_RT_ABI_VERSION);
  int32_t status = mezzo_rt_check_features(module->required_features);
  if (status != MEZZO_OK)
    return status;

  mezzo_rt_model *model = (mezzo_rt_model *)calloc(1, sizeof *model);
  if (model) {
    model->base.api = api;
    model->module = module;
    model->num_input_dims = count_dims(module->inputs, module->num_inputs);
    model->num_output_dims = count_dims(module->outputs, module->num_outputs);
    model->same_as = find_same_names(module, model->num_input_dims);
  }
  if (!model || !model->same_as) {
    free(model);
    return mezzo_rt_error(MEZZO_ERROR_OUT_OF_MEMORY,
                          "out of memory when opening model '%s'",
                          module->name);
  }
  status = mezzo_rt_weights_open(&model->weights, module, weights_path);
  if (status != MEZZO_OK) {
    free(model->same_as);
    free(model);
    return status;
  }
  *result = &model->base;
  return MEZZO_OK;
}

int32_t mezzo_rt_model_close(mezzo_model *base) {
  mezzo_rt_model *model = (mezzo_rt_model *)base;
  if (!model)
    return MEZZO_OK;
  int64_t contexts = __atomic_load_n(&model->contexts, __ATOMIC_ACQUIRE);
  if (contexts)
    return mezzo_rt_error(MEZZO_ERROR_BUSY,
                          "model '%s' still has %lld contexts; destroy them "
                          "before closing it",
                          model->module->name, (long long)contexts);
  mezzo_rt_weights_close(&model->weights);
  free(model->same_as);
  free(model);
  return MEZZO_OK;
}

const char *mezzo_rt_signature_json(const mezzo_api *api) {
  return api->module->signature_json;
}

//===----------------------------------------------------------------------===//
// Contexts
//===----------------------------------------------------------------------===//

/// Reads what the caller knows of the options. A caller with a newer header may
/// pass a longer struct, as long as it asks for nothing we do not know.
static int32_t read_options(mezzo_context_options *options,
                            const mezzo_context_options *given) {
  memset(options, 0, sizeof *options);
  if (!given)
    return MEZZO_OK;
  if (given->size < sizeof *options || given->size > 4096)
    return mezzo_rt_error(MEZZO_ERROR_ABI,
                          "mezzo_context_options has size %llu, should have "
                          "%zu; begin with MEZZO_CONTEXT_OPTIONS_INIT",
                          (unsigned long long)given->size, sizeof *options);
  memcpy(options, given, sizeof *options);
  int unknown = options->reserved != 0;
  for (uint64_t i = sizeof *options; i < given->size; ++i)
    unknown |= ((const uint8_t *)given)[i] != 0;
  if (unknown)
    return mezzo_rt_error(MEZZO_ERROR_ABI,
                          "mezzo_context_options asks for something that this "
                          "model does not know; leave new members zero or "
                          "compile the model again");
  if (options->threads < 0 || options->threads > MEZZO_RT_MAX_THREADS)
    return mezzo_rt_error(MEZZO_ERROR_INVALID_ARGUMENT,
                          "%d threads were asked for; ask for 1 to %d, or for "
                          "0, which is as many as there are CPUs",
                          options->threads, MEZZO_RT_MAX_THREADS);
  return MEZZO_OK;
}

/// The environment's word on the number of threads, else one per CPU.
static int32_t default_threads(int32_t *threads) {
  const char *text = getenv("MEZZO_NUM_THREADS");
  if (!text || !*text) {
    *threads = mezzo_rt_cpu_count();
    return MEZZO_OK;
  }
  char *end;
  errno = 0;
  long value = strtol(text, &end, 10);
  if (errno || *end || value < 1 || value > MEZZO_RT_MAX_THREADS)
    return mezzo_rt_error(MEZZO_ERROR_INVALID_ARGUMENT,
                          "MEZZO_NUM_THREADS is '%.40s'; set it to a number "
                          "from 1 to %d, or unset it",
                          text, MEZZO_RT_MAX_THREADS);
  *threads = (int32_t)value;
  return MEZZO_OK;
}

/// The arrays of a context, carved out of one block that begins at in_data.
static int32_t make_arrays(mezzo_rt_context *context) {
  const mezzo_rt_model *model = context->model;
  const mezzo_module *module = model->module;
  size_t inputs = (size_t)module->num_inputs;
  size_t outputs = (size_t)module->num_outputs;
  size_t dims = (size_t)(model->num_input_dims + model->num_output_dims);
  void **block =
      (void **)calloc(2 * inputs + 2 * outputs + dims + 1, sizeof *block);
  if (!block)
    return mezzo_rt_error(MEZZO_ERROR_OUT_OF_MEMORY,
                          "out of memory for a context of model '%s'",
                          module->name);
  context->in_data = block;
  context->out_data = context->in_data + inputs;
  context->in_shapes = (int64_t **)(context->out_data + outputs);
  context->out_shapes = context->in_shapes + inputs;
  context->dims = (int64_t *)(context->out_shapes + outputs);

  int64_t *shape = context->dims;
  for (size_t i = 0; i < inputs; ++i) {
    context->in_shapes[i] = shape;
    shape += module->inputs[i].rank;
  }
  for (size_t i = 0; i < outputs; ++i) {
    context->out_shapes[i] = shape;
    shape += module->outputs[i].rank;
  }
  return MEZZO_OK;
}

static void free_context(mezzo_rt_context *context) {
  mezzo_rt_pool_destroy(context->pool);
  mezzo_rt_arena_destroy(&context->arena);
  free(context->in_data);
  free(context);
}

int32_t mezzo_rt_context_create(mezzo_model *base,
                                const mezzo_context_options *given,
                                mezzo_context **result) {
  mezzo_rt_model *model = (mezzo_rt_model *)base;
  if (!model || !result)
    return mezzo_rt_error(MEZZO_ERROR_NULL,
                          "mezzo_context_create was given NULL for the %s",
                          model ? "context" : "model");
  *result = NULL;
  mezzo_context_options options;
  int32_t status = read_options(&options, given);
  if (status == MEZZO_OK && !options.threads && !options.parallel_for)
    status = default_threads(&options.threads);
  if (status != MEZZO_OK)
    return status;

  mezzo_rt_context *context = (mezzo_rt_context *)calloc(1, sizeof *context);
  if (!context)
    return mezzo_rt_error(MEZZO_ERROR_OUT_OF_MEMORY,
                          "out of memory for a context of model '%s'",
                          model->module->name);
  context->base.api = model->base.api;
  context->model = model;
  context->parallel_for = options.parallel_for;
  context->parallel_for_user = options.user;
  status = mezzo_rt_arena_create(&context->arena, model->module->arena_bytes);
  if (status == MEZZO_OK)
    status = make_arrays(context);
  if (status == MEZZO_OK && !options.parallel_for && options.threads > 1)
    status = mezzo_rt_pool_create(&context->pool, options.threads);
  if (status != MEZZO_OK) {
    free_context(context);
    return status;
  }
  context->frame.weights = model->weights.payload;
  context->frame.arena = context->arena.fixed;
  context->frame.context = context;
  __atomic_fetch_add(&model->contexts, 1, __ATOMIC_ACQ_REL);
  *result = &context->base;
  return MEZZO_OK;
}

/// Takes the context for this thread, or says that another has it.
static int32_t acquire(mezzo_rt_context *context) {
  if (!__atomic_exchange_n(&context->busy, 1, __ATOMIC_ACQ_REL))
    return MEZZO_OK;
  return mezzo_rt_error(MEZZO_ERROR_BUSY,
                        "this context of model '%s' is in use by another call; "
                        "create one context per thread",
                        context->model->module->name);
}

static void release(mezzo_rt_context *context) {
  __atomic_store_n(&context->busy, 0, __ATOMIC_RELEASE);
}

int32_t mezzo_rt_context_destroy(mezzo_context *base) {
  mezzo_rt_context *context = (mezzo_rt_context *)base;
  if (!context)
    return MEZZO_OK;
  int32_t status = acquire(context);
  if (status != MEZZO_OK)
    return status;
  mezzo_rt_model *model = context->model;
  free_context(context);
  // Last: from here on the model may be closed.
  __atomic_fetch_sub(&model->contexts, 1, __ATOMIC_ACQ_REL);
  return MEZZO_OK;
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

/// Calls the emitted code on tensors that have been checked.
static int32_t run_checked(mezzo_rt_context *context) {
  const mezzo_module *module = context->model->module;
  mezzo_frame *frame = &context->frame;
  frame->error_code = MEZZO_OK;
  frame->error_message = NULL;

  uint64_t fp = mezzo_rt_get_fp();
  mezzo_rt_set_fp(MEZZO_RT_DEFAULT_FP);
  module->run(frame, context->in_data,
              (const int64_t *const *)context->in_shapes, context->out_data,
              (const int64_t *const *)context->out_shapes);
  mezzo_rt_set_fp(fp);

  mezzo_rt_arena_reset(&context->arena);
  if (!frame->error_code)
    return MEZZO_OK;
  return mezzo_rt_error(
      (int32_t)frame->error_code, "model '%s': %s", module->name,
      frame->error_message ? frame->error_message : "failed without a message");
}

int32_t mezzo_rt_run(mezzo_context *base, const mezzo_tensor *inputs,
                     int64_t num_inputs, mezzo_tensor *outputs,
                     int64_t num_outputs) {
  mezzo_rt_context *context = (mezzo_rt_context *)base;
  if (!context)
    return mezzo_rt_error(MEZZO_ERROR_NULL, "mezzo_run was given no context");
  int32_t status = acquire(context);
  if (status != MEZZO_OK)
    return status;
  status = mezzo_rt_check_inputs(context, inputs, num_inputs, 1);
  if (status == MEZZO_OK)
    status = mezzo_rt_compute_shapes(context);
  if (status == MEZZO_OK)
    status = mezzo_rt_check_outputs(context, outputs, num_outputs);
  if (status == MEZZO_OK)
    status = run_checked(context);
  release(context);
  return status;
}

/// Hands a computed shape to the caller, whose tensor has room for `ndim`.
static int32_t fill_output(const mezzo_tensor_desc *desc, const int64_t *shape,
                           mezzo_tensor *output) {
  if (output->shape && output->ndim < desc->rank)
    return mezzo_rt_error(MEZZO_ERROR_RANK,
                          "output '%s' has %d dimensions, but there is room "
                          "for %d; set ndim to the room behind shape, at least "
                          "that many",
                          desc->name, desc->rank, output->ndim);
  if (output->shape && desc->rank)
    memcpy(output->shape, shape, (size_t)desc->rank * sizeof *shape);
  output->ndim = desc->rank;
  output->dtype.code = desc->dtype_code;
  output->dtype.bits = desc->dtype_bits;
  output->dtype.lanes = desc->dtype_lanes;
  output->device.device_type = MEZZO_CPU;
  output->device.device_id = 0;
  output->strides = NULL;
  output->byte_offset = 0;
  return MEZZO_OK;
}

int32_t mezzo_rt_output_shapes(mezzo_context *base, const mezzo_tensor *inputs,
                               int64_t num_inputs, mezzo_tensor *outputs,
                               int64_t num_outputs) {
  mezzo_rt_context *context = (mezzo_rt_context *)base;
  if (!context)
    return mezzo_rt_error(MEZZO_ERROR_NULL,
                          "mezzo_output_shapes was given no context");
  const mezzo_module *module = context->model->module;
  if (num_outputs != module->num_outputs || (num_outputs && !outputs))
    return mezzo_rt_error(
        num_outputs != module->num_outputs ? MEZZO_ERROR_INVALID_ARGUMENT
                                           : MEZZO_ERROR_NULL,
        "room for %lld outputs was passed, the model has "
        "%lld; pass an array of that many",
        (long long)(outputs ? num_outputs : 0), (long long)module->num_outputs);
  int32_t status = acquire(context);
  if (status != MEZZO_OK)
    return status;
  status =
      mezzo_rt_check_inputs(context, inputs, num_inputs,
                            (module->flags & MEZZO_RT_SHAPES_READ_DATA) != 0);
  if (status == MEZZO_OK)
    status = mezzo_rt_compute_shapes(context);
  for (int64_t i = 0; i < num_outputs && status == MEZZO_OK; ++i)
    status =
        fill_output(&module->outputs[i], context->out_shapes[i], &outputs[i]);
  release(context);
  return status;
}
