//===- check.c - Are these the tensors the model was compiled for? --------===//
//
// Emitted code trusts its arguments. What stands between it and the caller is
// this file: every tensor is compared with its description, and every message
// says what was found, what was wanted, and how to get there.
//
//===----------------------------------------------------------------------===//

#include "runtime/runtime.h"

#include <stdio.h>
#include <string.h>

//===----------------------------------------------------------------------===//
// Words for messages
//===----------------------------------------------------------------------===//

typedef struct Text {
  char text[160];
} Text;

/// "[2, 3]"; `minus_one` is how -1 is spelt. Long lists end in "...".
static const char *print_list(Text *out, const int64_t *shape, int32_t rank,
                              const char *minus_one) {
  size_t used = 0, room = sizeof out->text - 8; // for ", ...]"
  out->text[used++] = '[';
  for (int32_t i = 0; i < rank; ++i) {
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)shape[i]);
    const char *size = shape[i] == -1 ? minus_one : number;
    const char *comma = i ? ", " : "";
    if (used + strlen(comma) + strlen(size) > room) {
      used += (size_t)sprintf(out->text + used, "%s...", comma);
      break;
    }
    used += (size_t)sprintf(out->text + used, "%s%s", comma, size);
  }
  memcpy(out->text + used, "]", 2);
  return out->text;
}

/// The shape of a tensor.
static const char *print_shape(Text *out, const int64_t *shape, int32_t rank) {
  return print_list(out, shape, rank, "-1");
}

/// The shape a tensor should have: "[?, 3]".
static const char *print_dims(Text *out, const mezzo_tensor_desc *desc) {
  return print_list(out, desc->dims, desc->rank, "?");
}

/// "float32", "uint4", or "type code 10 with 8 bits".
static const char *print_dtype(Text *out, mezzo_dtype dtype) {
  const char *family = dtype.code == MEZZO_INT      ? "int"
                       : dtype.code == MEZZO_UINT   ? "uint"
                       : dtype.code == MEZZO_FLOAT  ? "float"
                       : dtype.code == MEZZO_BFLOAT ? "bfloat"
                       : dtype.code == MEZZO_BOOL   ? "bool"
                                                    : NULL;
  size_t room = sizeof out->text;
  int used = family ? snprintf(out->text, room, "%s%d", family, dtype.bits)
                    : snprintf(out->text, room, "type code %d with %d bits",
                               dtype.code, dtype.bits);
  if (dtype.lanes != 1)
    snprintf(out->text + used, room - (size_t)used, " times %d lanes",
             dtype.lanes);
  return out->text;
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

static mezzo_dtype dtype_of(const mezzo_tensor_desc *desc) {
  mezzo_dtype dtype = {desc->dtype_code, desc->dtype_bits, desc->dtype_lanes};
  return dtype;
}

/// The number of elements, or -1 if a size is negative or the number of *bits*
/// overflows. A zero anywhere makes the tensor empty, whatever the others are.
static int64_t count_elements(const int64_t *shape, int32_t rank,
                              mezzo_dtype dtype) {
  int empty = 0;
  for (int32_t i = 0; i < rank; ++i) {
    if (shape[i] < 0)
      return -1;
    empty |= shape[i] == 0;
  }
  if (empty)
    return 0;
  int64_t bits = (int64_t)dtype.bits * dtype.lanes, count = 1;
  for (int32_t i = 0; i < rank; ++i)
    if (__builtin_mul_overflow(count, shape[i], &count) ||
        __builtin_mul_overflow(bits, shape[i], &bits))
      return -1;
  return count;
}

/// Row-major without gaps? Strides of dimensions of size 1 mean nothing.
static int is_contiguous(const mezzo_tensor *tensor, const int64_t *shape,
                         int32_t rank) {
  if (!tensor->strides)
    return 1;
  int64_t expected = 1;
  for (int32_t i = rank - 1; i >= 0; --i) {
    if (shape[i] != 1 && tensor->strides[i] != expected)
      return 0;
    expected *= shape[i]; // at most count_elements, so no overflow
  }
  return 1;
}

//===----------------------------------------------------------------------===//
// One tensor
//===----------------------------------------------------------------------===//

/// Type and rank; `shape` may then be read.
static int32_t check_kind(const mezzo_tensor_desc *desc,
                          const mezzo_tensor *tensor, const char *role) {
  mezzo_dtype wanted = dtype_of(desc);
  Text found_text, wanted_text;
  if (tensor->dtype.code != wanted.code || tensor->dtype.bits != wanted.bits ||
      tensor->dtype.lanes != wanted.lanes)
    return mezzo_rt_error(MEZZO_ERROR_DTYPE,
                          "%s '%s' is %s, the model was compiled for %s; "
                          "convert the tensor",
                          role, desc->name,
                          print_dtype(&found_text, tensor->dtype),
                          print_dtype(&wanted_text, wanted));
  if (tensor->ndim != desc->rank)
    return mezzo_rt_error(
        MEZZO_ERROR_RANK,
        "%s '%s' has %d dimensions, the model has %d %s; reshape the tensor",
        role, desc->name, tensor->ndim, desc->rank,
        print_dims(&wanted_text, desc));
  if (desc->rank && !tensor->shape)
    return mezzo_rt_error(MEZZO_ERROR_NULL,
                          "%s '%s' has no shape (NULL); point it to its %d "
                          "sizes",
                          role, desc->name, desc->rank);
  return MEZZO_OK;
}

/// Everything about the memory of a tensor of the given (checked) shape.
static int32_t check_memory(const mezzo_tensor_desc *desc,
                            const mezzo_tensor *tensor, const int64_t *shape,
                            const char *role) {
  if (tensor->device.device_type != MEZZO_CPU)
    return mezzo_rt_error(MEZZO_ERROR_DEVICE,
                          "%s '%s' is on device type %d, the model runs on "
                          "device type %d (CPU); copy the tensor there",
                          role, desc->name, tensor->device.device_type,
                          MEZZO_CPU);
  int64_t count = count_elements(shape, desc->rank, dtype_of(desc));
  if (count == 0)
    return MEZZO_OK;
  Text shape_text, strides_text;
  if (!is_contiguous(tensor, shape, desc->rank))
    return mezzo_rt_error(
        MEZZO_ERROR_STRIDES,
        "%s '%s' of shape %s has strides %s; make it contiguous in row-major "
        "order (a copy), or pass NULL strides if it is",
        role, desc->name, print_shape(&shape_text, shape, desc->rank),
        print_shape(&strides_text, tensor->strides, desc->rank));
  if (!tensor->data)
    return mezzo_rt_error(MEZZO_ERROR_NULL,
                          "%s '%s' of shape %s has no data (NULL); allocate it "
                          "first",
                          role, desc->name,
                          print_shape(&shape_text, shape, desc->rank));
  uint32_t bytes = desc->dtype_bits / 8u;
  uintptr_t address = (uintptr_t)tensor->data + tensor->byte_offset;
  if (bytes > 1 && (bytes & (bytes - 1)) == 0 && address % bytes != 0)
    return mezzo_rt_error(MEZZO_ERROR_INVALID_ARGUMENT,
                          "%s '%s' lies at an address that is not a multiple "
                          "of its %u-byte elements; copy it to aligned memory",
                          role, desc->name, bytes);
  return MEZZO_OK;
}

static void *data_of(const mezzo_tensor *tensor) {
  return tensor->data ? (uint8_t *)tensor->data + tensor->byte_offset : NULL;
}

static int32_t check_number(const char *role, const mezzo_tensor *tensors,
                            int64_t found, int64_t wanted) {
  if (found != wanted)
    return mezzo_rt_error(MEZZO_ERROR_INVALID_ARGUMENT,
                          "%lld %ss were passed, the model has %lld; pass them "
                          "all, in the order of the signature",
                          (long long)found, role, (long long)wanted);
  if (wanted && !tensors)
    return mezzo_rt_error(MEZZO_ERROR_NULL, "the array of %ss is NULL", role);
  return MEZZO_OK;
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

static int32_t check_input_shape(const mezzo_tensor_desc *desc,
                                 const int64_t *shape) {
  Text found_text, wanted_text;
  for (int32_t i = 0; i < desc->rank; ++i)
    if (desc->dims[i] >= 0 && shape[i] != desc->dims[i])
      return mezzo_rt_error(
          MEZZO_ERROR_SHAPE,
          "input '%s' has shape %s, the model was compiled for %s; axis %d "
          "must be %lld: pad or crop the tensor, or compile again with --shape",
          desc->name, print_shape(&found_text, shape, desc->rank),
          print_dims(&wanted_text, desc), i, (long long)desc->dims[i]);
  if (count_elements(shape, desc->rank, dtype_of(desc)) < 0)
    return mezzo_rt_error(MEZZO_ERROR_SHAPE,
                          "input '%s' has shape %s, which is negative or too "
                          "large for any memory; pass the real sizes",
                          desc->name,
                          print_shape(&found_text, shape, desc->rank));
  return MEZZO_OK;
}

/// Which input and axis is dimension `k` of the concatenation of all?
static const mezzo_tensor_desc *locate(const mezzo_module *module, int64_t k,
                                       int64_t *axis) {
  const mezzo_tensor_desc *desc = module->inputs;
  while (k >= desc->rank)
    k -= (desc++)->rank;
  *axis = k;
  return desc;
}

/// Dimensions with one name have one size.
static int32_t check_names(const mezzo_rt_context *context) {
  const mezzo_rt_model *model = context->model;
  for (int64_t k = 0; k < model->num_input_dims; ++k) {
    int64_t first = model->same_as[k];
    if (context->dims[k] == context->dims[first])
      continue;
    int64_t axis, first_axis;
    const mezzo_tensor_desc *desc = locate(model->module, k, &axis);
    const mezzo_tensor_desc *other = locate(model->module, first, &first_axis);
    return mezzo_rt_error(
        MEZZO_ERROR_SHAPE,
        "'%s' is %lld in axis %lld of input '%s' and %lld in axis %lld of "
        "input '%s'; dimensions of one name must have one size",
        desc->dim_names[axis], (long long)context->dims[k], (long long)axis,
        desc->name, (long long)context->dims[first], (long long)first_axis,
        other->name);
  }
  return MEZZO_OK;
}

int32_t mezzo_rt_check_inputs(mezzo_rt_context *context,
                              const mezzo_tensor *inputs, int64_t num_inputs,
                              int32_t with_data) {
  const mezzo_module *module = context->model->module;
  int verify = !(module->flags & MEZZO_RT_NO_VERIFY);
  int32_t status =
      check_number("input", inputs, num_inputs, module->num_inputs);
  for (int64_t i = 0; i < num_inputs && status == MEZZO_OK; ++i) {
    const mezzo_tensor_desc *desc = &module->inputs[i];
    const mezzo_tensor *tensor = &inputs[i];
    // From here on only our own copy of the shape is looked at, so that nobody
    // can change it between the check and its use.
    int64_t *shape = context->in_shapes[i];
    if (verify)
      status = check_kind(desc, tensor, "input");
    if (status == MEZZO_OK && desc->rank)
      memcpy(shape, tensor->shape, (size_t)desc->rank * sizeof *shape);
    if (status == MEZZO_OK && verify)
      status = check_input_shape(desc, shape);
    if (status == MEZZO_OK && verify && with_data)
      status = check_memory(desc, tensor, shape, "input");
    if (with_data)
      context->in_data[i] = data_of(tensor);
  }
  return status == MEZZO_OK && verify ? check_names(context) : status;
}

//===----------------------------------------------------------------------===//
// Outputs
//===----------------------------------------------------------------------===//

int32_t mezzo_rt_compute_shapes(mezzo_rt_context *context) {
  const mezzo_module *module = context->model->module;
  int32_t failure = module->shapes((const int64_t *const *)context->in_shapes,
                                   context->out_shapes, context->in_data);
  if (failure)
    return mezzo_rt_error(MEZZO_ERROR_SHAPE,
                          "model '%s' has no output for inputs of these shapes "
                          "(reason %d); see its signature for what it takes",
                          module->name, failure);
  for (int64_t i = 0; i < module->num_outputs; ++i) {
    const mezzo_tensor_desc *desc = &module->outputs[i];
    Text text;
    if (count_elements(context->out_shapes[i], desc->rank, dtype_of(desc)) < 0)
      return mezzo_rt_error(
          MEZZO_ERROR_SHAPE,
          "output '%s' would have shape %s, which is negative or too large for "
          "any memory; run with other input shapes",
          desc->name, print_shape(&text, context->out_shapes[i], desc->rank));
  }
  return MEZZO_OK;
}

int32_t mezzo_rt_check_outputs(mezzo_rt_context *context,
                               const mezzo_tensor *outputs,
                               int64_t num_outputs) {
  const mezzo_module *module = context->model->module;
  int verify = !(module->flags & MEZZO_RT_NO_VERIFY);
  int32_t status =
      check_number("output", outputs, num_outputs, module->num_outputs);
  for (int64_t i = 0; i < num_outputs && status == MEZZO_OK; ++i) {
    const mezzo_tensor_desc *desc = &module->outputs[i];
    const mezzo_tensor *tensor = &outputs[i];
    const int64_t *shape = context->out_shapes[i];
    context->out_data[i] = data_of(tensor);
    if (!verify)
      continue;
    status = check_kind(desc, tensor, "output");
    if (status != MEZZO_OK)
      break;
    Text found_text, wanted_text;
    if (desc->rank &&
        memcmp(shape, tensor->shape, (size_t)desc->rank * sizeof *shape) != 0)
      return mezzo_rt_error(
          MEZZO_ERROR_SHAPE,
          "output '%s' has shape %s, for these inputs it is %s; allocate what "
          "mezzo_output_shapes says",
          desc->name, print_shape(&found_text, tensor->shape, desc->rank),
          print_shape(&wanted_text, shape, desc->rank));
    status = check_memory(desc, tensor, shape, "output");
  }
  return status;
}
