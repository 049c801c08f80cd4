/*===-- model.h - The C ABI of a compiled model ---------------------------===*\
|*                                                                            *|
|* A compiled model is a shared object that exports one function,             *|
|*                                                                            *|
|*     const mezzo_api *<prefix>_api(uint32_t version);                       *|
|*                                                                            *|
|* where <prefix> is the name the model was compiled under. It returns a      *|
|* table of functions, or NULL for a version it does not know. Everything     *|
|* else hangs off that table, so two models in one process never collide.     *|
|*                                                                            *|
|*     const mezzo_api *api = resnet_api(MEZZO_ABI_VERSION);                  *|
|*     mezzo_model *model;                                                    *|
|*     mezzo_context *context;                                                *|
|*     if (mezzo_model_open(api, NULL, &model) != MEZZO_OK ||                 *|
|*         mezzo_context_create(model, NULL, &context) != MEZZO_OK ||         *|
|*         mezzo_run(context, &x, 1, &y, 1) != MEZZO_OK)                      *|
|*       fprintf(stderr, "%s\n", mezzo_last_error(api));                      *|
|*                                                                            *|
|* A model is immutable and may be shared by any number of threads. A context *|
|* owns scratch memory and threads and serves one run at a time: create one   *|
|* per thread that runs. All contexts, then the model, must be gone before    *|
|* the shared object is unloaded.                                             *|
|*                                                                            *|
|* This header is stable, needs <stdint.h> alone, and is valid C89 (given     *|
|* that header), C99 and C++.                                                 *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef MEZZO_MODEL_H
#define MEZZO_MODEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__cplusplus) ||                                                    \
    (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 199901L)
#define MEZZO_INLINE static inline
#elif defined(__GNUC__)
#define MEZZO_INLINE static __inline__
#else
#define MEZZO_INLINE static
#endif

/** The version of this ABI. It changes when existing members do; members that
    are added at the end of mezzo_api are announced by its size. */
#define MEZZO_ABI_VERSION 1u

/** What every function returns. The text is in mezzo_last_error. */
enum mezzo_status {
  MEZZO_OK = 0,
  MEZZO_ERROR_INVALID_ARGUMENT = 1, /**< a count, range or alignment */
  MEZZO_ERROR_NULL = 2,             /**< a null pointer */
  MEZZO_ERROR_DTYPE = 3,            /**< element type of a tensor */
  MEZZO_ERROR_RANK = 4,             /**< number of dimensions of a tensor */
  MEZZO_ERROR_SHAPE = 5,            /**< a dimension of a tensor */
  MEZZO_ERROR_STRIDES = 6,          /**< not contiguous in row-major order */
  MEZZO_ERROR_DEVICE = 7,           /**< not in the memory of the CPU */
  MEZZO_ERROR_OUT_OF_MEMORY = 8,
  MEZZO_ERROR_WEIGHTS = 9,  /**< weights file is missing or of another model */
  MEZZO_ERROR_CPU = 10,     /**< this CPU lacks a feature the model needs */
  MEZZO_ERROR_BUSY = 11,    /**< a context used twice at a time, or in use */
  MEZZO_ERROR_RUNTIME = 12, /**< the model itself failed on these values */
  MEZZO_ERROR_ABI = 13      /**< caller and model are of different versions */
};

/** Type codes of elements, numbered as in DLPack. */
enum mezzo_dtype_code {
  MEZZO_INT = 0,
  MEZZO_UINT = 1,
  MEZZO_FLOAT = 2,
  MEZZO_BFLOAT = 4,
  MEZZO_COMPLEX = 5,
  MEZZO_BOOL = 6,
  MEZZO_FLOAT8_E4M3FN = 10,
  MEZZO_FLOAT8_E4M3FNUZ = 11,
  MEZZO_FLOAT8_E5M2 = 12,
  MEZZO_FLOAT8_E5M2FNUZ = 13,
  MEZZO_FLOAT8_E8M0FNU = 14,
  MEZZO_FLOAT4_E2M1FN = 17
};

/** Device types, numbered as in DLPack. Models of this version take MEZZO_CPU.
 */
enum mezzo_device_type { MEZZO_CPU = 1 };

/** Element type; the layout of DLPack's DLDataType. */
typedef struct mezzo_dtype {
  uint8_t code;   /**< a mezzo_dtype_code */
  uint8_t bits;   /**< bits of one lane; 4 for int4 */
  uint16_t lanes; /**< 1 */
} mezzo_dtype;

/** Where a tensor lies; the layout of DLPack's DLDevice. */
typedef struct mezzo_device {
  int32_t device_type; /**< MEZZO_CPU */
  int32_t device_id;   /**< 0 */
} mezzo_device;

/** A tensor whose memory belongs to the caller; the layout of DLPack's
    DLTensor, so a pointer to one may be cast to a pointer to the other. */
typedef struct mezzo_tensor {
  void *data; /**< may be NULL where the tensor has no elements */
  mezzo_device device;
  int32_t ndim;
  mezzo_dtype dtype;
  int64_t *shape;       /**< ndim entries */
  int64_t *strides;     /**< in elements; NULL, or those of row-major order */
  uint64_t byte_offset; /**< of the first element from data */
} mezzo_tensor;

/** Work on the indices begin <= i < end. */
typedef void (*mezzo_body)(void *args, int64_t begin, int64_t end);

/** The host's own way to use several threads. Must call body(args, begin, end)
    on ranges that cover 0 .. count - 1, each index once, on whatever threads it
    likes, and return when all these calls have returned. Ranges of about
    `grain` indices balance well. Results do not depend on the split. */
typedef void (*mezzo_parallel_for)(void *user, mezzo_body body, void *args,
                                   int64_t count, int64_t grain);

/** How a context is made. Begin with MEZZO_CONTEXT_OPTIONS_INIT. */
typedef struct mezzo_context_options {
  uint64_t size;    /**< sizeof(mezzo_context_options) */
  int32_t threads;  /**< with the caller's; 0: $MEZZO_NUM_THREADS, else as many
                       as the CPUs this process may use */
  int32_t reserved; /**< 0 */
  mezzo_parallel_for parallel_for; /**< used instead of own threads, or NULL */
  void *user;                      /**< first argument of parallel_for */
} mezzo_context_options;

#define MEZZO_CONTEXT_OPTIONS_INIT {sizeof(mezzo_context_options), 0, 0, 0, 0}

typedef struct mezzo_api mezzo_api;

/** An opened model and a context begin with the table of the model they belong
    to; what follows is private. */
typedef struct mezzo_model {
  const mezzo_api *api;
} mezzo_model;
typedef struct mezzo_context {
  const mezzo_api *api;
} mezzo_context;

struct mezzo_module; /* private to the model */

/** The functions of a model. Prefer the wrappers below, which say what each
    does. */
struct mezzo_api {
  uint32_t version; /**< MEZZO_ABI_VERSION of the model */
  uint32_t size;    /**< bytes of the model's mezzo_api */
  const struct mezzo_module *module;
  int32_t (*model_open)(const mezzo_api *api, const char *weights_path,
                        mezzo_model **model);
  int32_t (*model_close)(mezzo_model *model);
  int32_t (*context_create)(mezzo_model *model,
                            const mezzo_context_options *options,
                            mezzo_context **context);
  int32_t (*context_destroy)(mezzo_context *context);
  int32_t (*run)(mezzo_context *context, const mezzo_tensor *inputs,
                 int64_t num_inputs, mezzo_tensor *outputs,
                 int64_t num_outputs);
  int32_t (*output_shapes)(mezzo_context *context, const mezzo_tensor *inputs,
                           int64_t num_inputs, mezzo_tensor *outputs,
                           int64_t num_outputs);
  const char *(*signature_json)(const mezzo_api *api);
  const char *(*last_error)(void);
};

/** The type of the function a model exports, for dlsym. */
typedef const mezzo_api *(*mezzo_api_function)(uint32_t version);

/** Checks the CPU and finds the weights. `weights_path` names a weights file
    kept outside the model; NULL means where the compiler put it, beside the
    shared object. On failure *model is NULL. */
MEZZO_INLINE int32_t mezzo_model_open(const mezzo_api *api,
                                      const char *weights_path,
                                      mezzo_model **model) {
  return api ? api->model_open(api, weights_path, model)
             : (int32_t)MEZZO_ERROR_NULL;
}

/** Unmaps the weights. MEZZO_ERROR_BUSY, and nothing happens, while contexts
    of the model exist. NULL is allowed. */
MEZZO_INLINE int32_t mezzo_model_close(mezzo_model *model) {
  return model ? model->api->model_close(model) : (int32_t)MEZZO_OK;
}

/** Makes a context: scratch memory and threads. `options` may be NULL. On
    failure *context is NULL. */
MEZZO_INLINE int32_t mezzo_context_create(mezzo_model *model,
                                          const mezzo_context_options *options,
                                          mezzo_context **context) {
  return model ? model->api->context_create(model, options, context)
               : (int32_t)MEZZO_ERROR_NULL;
}

/** Ends the threads and frees the memory of a context. MEZZO_ERROR_BUSY, and
    nothing happens, while it runs. NULL is allowed. */
MEZZO_INLINE int32_t mezzo_context_destroy(mezzo_context *context) {
  return context ? context->api->context_destroy(context) : (int32_t)MEZZO_OK;
}

/** Computes the outputs from the inputs, both in the order of the signature.
    The caller allocates the outputs (see mezzo_output_shapes). On failure
    their contents are undefined. */
MEZZO_INLINE int32_t mezzo_run(mezzo_context *context,
                               const mezzo_tensor *inputs, int64_t num_inputs,
                               mezzo_tensor *outputs, int64_t num_outputs) {
  return context ? context->api->run(context, inputs, num_inputs, outputs,
                                     num_outputs)
                 : (int32_t)MEZZO_ERROR_NULL;
}

/** Tells the shapes of the outputs for these inputs. Their data may be missing
    but where shapes follow from it (an input that is the target of a Reshape).
    On entry outputs[i].ndim is the room behind outputs[i].shape; on return it
    is the rank and the shape is filled in, as are dtype, device, strides and
    byte_offset: what is left to do is to allocate outputs[i].data. Where
    outputs[i].shape is NULL the sizes are left out, which is the way to learn
    the ranks. */
MEZZO_INLINE int32_t mezzo_output_shapes(mezzo_context *context,
                                         const mezzo_tensor *inputs,
                                         int64_t num_inputs,
                                         mezzo_tensor *outputs,
                                         int64_t num_outputs) {
  return context ? context->api->output_shapes(context, inputs, num_inputs,
                                               outputs, num_outputs)
                 : (int32_t)MEZZO_ERROR_NULL;
}

/** A tensor over dense row-major memory of the CPU. `code` is a
    mezzo_dtype_code, `shape` has `ndim` entries; both arrays stay the caller's.
 */
MEZZO_INLINE mezzo_tensor mezzo_dense(void *data, uint8_t code, uint8_t bits,
                                      int32_t ndim, int64_t *shape) {
  mezzo_tensor tensor;
  tensor.data = data;
  tensor.device.device_type = MEZZO_CPU;
  tensor.device.device_id = 0;
  tensor.ndim = ndim;
  tensor.dtype.code = code;
  tensor.dtype.bits = bits;
  tensor.dtype.lanes = 1;
  tensor.shape = shape;
  tensor.strides = 0;
  tensor.byte_offset = 0;
  return tensor;
}

/** Names, types and dimensions of inputs and outputs, and how the model was
    made, as a JSON object. Lives as long as the model's shared object. */
MEZZO_INLINE const char *mezzo_signature_json(const mezzo_api *api) {
  return api->signature_json(api);
}

/** The version of the ABI that the model was compiled for. */
MEZZO_INLINE uint32_t mezzo_abi_version(const mezzo_api *api) {
  return api->version;
}

/** The message of the last call to this model that failed on this thread, ""
    if none did. Valid until the next failure on this thread. */
MEZZO_INLINE const char *mezzo_last_error(const mezzo_api *api) {
  return api ? api->last_error() : "no model: <prefix>_api returned NULL";
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* MEZZO_MODEL_H */
