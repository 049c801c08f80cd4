//===- abi.h - What emitted code and the runtime promise each other -------===//
//
// A model.so is emitted code and this runtime, linked together as LLVM bitcode.
// The emitted half defines one constant, `mezzo_rt_module`, which describes the
// model, and one exported function, `<prefix>_api(version)`, which returns
// mezzo_rt_api(version). The runtime half opens weights, owns memory and
// threads, checks tensors, and calls back through the function pointers of the
// module.
//
// The compiler writes these structs as LLVM constants, so their layout is part
// of the contract: pointers and fixed-width integers only, no implicit padding,
// and every offset asserted below.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_RUNTIME_ABI_H
#define MEZZO_RUNTIME_ABI_H

#include "include/mezzo/model.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The version of this contract; grows with every change of a layout here.
#define MEZZO_RT_ABI_VERSION 1u

/// Bits of mezzo_module.flags.
enum {
  /// Tensors are not checked at run (--no-verify). Only their number is.
  MEZZO_RT_NO_VERIFY = 1,
  /// Output shapes follow from the values of some integer inputs, too.
  MEZZO_RT_SHAPES_READ_DATA = 2,
};

/// One input or output.
typedef struct mezzo_tensor_desc {
  const char *name;
  /// `rank` sizes; -1 where the size is known only at run time.
  const int64_t *dims;
  /// `rank` names, NULL where the size is static. Dimensions of inputs that
  /// share a name must be equal. May itself be NULL: no names.
  const char *const *dim_names;
  int32_t rank;
  /// As in mezzo_dtype.
  uint8_t dtype_code, dtype_bits;
  uint16_t dtype_lanes;
} mezzo_tensor_desc;

struct mezzo_rt_context;

/// One run, as emitted code sees it. The first four fields are fixed and may be
/// read directly; `error_code` is nonzero once something failed, and emitted
/// code may look at it between operators to stop early.
typedef struct mezzo_frame {
  const uint8_t *weights; ///< 64-byte aligned; NULL where there are none
  uint8_t *arena;         ///< mezzo_module.arena_bytes, 64-byte aligned; zero
                          ///< when the context is made, then left alone
  const char *error_message;        ///< valid if error_code is nonzero
  int64_t error_code;               ///< 0, or a mezzo_status
  struct mezzo_rt_context *context; ///< private to the runtime
} mezzo_frame;

/// A compiled model.
typedef struct mezzo_module {
  uint64_t abi_version; ///< MEZZO_RT_ABI_VERSION
  const char *name;
  const char *signature_json;
  /// LLVM's names, separated by commas: "avx2,fma,f16c". "" for none.
  const char *required_features;
  const mezzo_tensor_desc *inputs, *outputs;
  int64_t num_inputs, num_outputs;
  /// Computes the shapes of all outputs from those of all inputs: arithmetic
  /// only. Reads `in_data` (of few elements of some integer inputs) only where
  /// `flags` has MEZZO_RT_SHAPES_READ_DATA. Nonzero if these inputs have no
  /// output shape.
  int32_t (*shapes)(const int64_t *const *in_shapes, int64_t *const *out_shapes,
                    void *const *in_data);
  /// Computes the outputs. Errors go through mezzo_rt_fail.
  void (*run)(mezzo_frame *frame, void *const *in_data,
              const int64_t *const *in_shapes, void *const *out_data,
              const int64_t *const *out_shapes);
  uint64_t arena_bytes; ///< of the static part of the arena
  /// Embedded weights (64-byte aligned), or NULL: then `weights_file` names a
  /// file beside the shared object, or is NULL where there are no weights.
  const uint8_t *weights;
  uint64_t weights_bytes;
  const char *weights_file;
  uint8_t weights_hash[32]; ///< BLAKE3 of the payload of the weights file
  uint64_t flags;
} mezzo_module;

/// The header of a weights file, little-endian. The payload follows at
/// `header_bytes`, which is a multiple of 4096; what lies between is zero.
typedef struct mezzo_weights_header {
  char magic[8];    ///< MEZZO_WEIGHTS_MAGIC, without its terminating zero
  uint32_t version; ///< MEZZO_WEIGHTS_VERSION
  uint32_t header_bytes;
  uint64_t payload_bytes;
  uint8_t payload_hash[32]; ///< BLAKE3
  uint64_t reserved;        ///< 0
} mezzo_weights_header;

#define MEZZO_WEIGHTS_MAGIC "MEZZOWT1"
#define MEZZO_WEIGHTS_VERSION 1u
#define MEZZO_WEIGHTS_ALIGNMENT 4096u

//===----------------------------------------------------------------------===//
// Defined by emitted code
//===----------------------------------------------------------------------===//

extern const mezzo_module mezzo_rt_module;

//===----------------------------------------------------------------------===//
// Called by emitted code
//===----------------------------------------------------------------------===//

/// The body of `<prefix>_api`: the table over mezzo_rt_module, or NULL for an
/// unknown version.
const mezzo_api *mezzo_rt_api(uint32_t version);

/// Calls task(args, begin, end) on ranges that together are 0 .. count - 1,
/// on the threads of the context, and returns when all are done. Ranges are of
/// `grain` indices (the last may be shorter); if count <= grain, or there is
/// one thread, or the call comes from within a task, there is one range, on the
/// calling thread. After a failure the ranges not yet begun are left out.
void mezzo_rt_parallel_for(mezzo_frame *frame, mezzo_body task, void *args,
                           int64_t count, int64_t grain);

/// Memory until the end of the run, 64-byte aligned, contents undefined. NULL,
/// and the frame has failed, when there is none. May be called from tasks.
void *mezzo_rt_alloc(mezzo_frame *frame, uint64_t bytes);

/// Records that the run failed. `code` is a mezzo_status other than MEZZO_OK;
/// `message` is a constant, in the style of the house: lower case, the way out.
/// The first failure of a run wins. May be called from tasks.
void mezzo_rt_fail(mezzo_frame *frame, int64_t code, const char *message);

/// Nonzero if this CPU has all of `features` (as in required_features): how an
/// object for several machines picks its kernels.
int32_t mezzo_rt_cpu_has(const char *features);

//===----------------------------------------------------------------------===//
// The layout
//===----------------------------------------------------------------------===//

#ifdef __cplusplus
#define MEZZO_RT_LAYOUT(condition) static_assert(condition, #condition)
#else
#define MEZZO_RT_LAYOUT(condition) _Static_assert(condition, #condition)
#endif

MEZZO_RT_LAYOUT(sizeof(void *) == 8);
MEZZO_RT_LAYOUT(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

MEZZO_RT_LAYOUT(sizeof(mezzo_tensor_desc) == 32);
MEZZO_RT_LAYOUT(offsetof(mezzo_tensor_desc, dims) == 8);
MEZZO_RT_LAYOUT(offsetof(mezzo_tensor_desc, dim_names) == 16);
MEZZO_RT_LAYOUT(offsetof(mezzo_tensor_desc, rank) == 24);
MEZZO_RT_LAYOUT(offsetof(mezzo_tensor_desc, dtype_code) == 28);
MEZZO_RT_LAYOUT(offsetof(mezzo_tensor_desc, dtype_bits) == 29);
MEZZO_RT_LAYOUT(offsetof(mezzo_tensor_desc, dtype_lanes) == 30);

MEZZO_RT_LAYOUT(sizeof(mezzo_frame) == 40);
MEZZO_RT_LAYOUT(offsetof(mezzo_frame, weights) == 0);
MEZZO_RT_LAYOUT(offsetof(mezzo_frame, arena) == 8);
MEZZO_RT_LAYOUT(offsetof(mezzo_frame, error_message) == 16);
MEZZO_RT_LAYOUT(offsetof(mezzo_frame, error_code) == 24);

MEZZO_RT_LAYOUT(sizeof(mezzo_module) == 152);
MEZZO_RT_LAYOUT(offsetof(mezzo_module, name) == 8);
MEZZO_RT_LAYOUT(offsetof(mezzo_module, signature_json) == 16);
MEZZO_RT_LAYOUT(offsetof(mezzo_module, required_features) == 24);
MEZZO_RT_LAYOUT(offsetof(mezzo_module, inputs) == 32);
MEZZO_RT_LAYOUT(offsetof(mezzo_module, outputs) == 40);
MEZZO_RT_LAYOUT(offsetof(mezzo_module, num_inputs) == 48);
MEZZO_RT_LAYOUT(offsetof(mezzo_module, num_outputs) == 56);
MEZZO_RT_LAYOUT(offsetof(mezzo_module, shapes) == 64);
MEZZO_RT_LAYOUT(offsetof(mezzo_module, run) == 72);
MEZZO_RT_LAYOUT(offsetof(mezzo_module, arena_bytes) == 80);
MEZZO_RT_LAYOUT(offsetof(mezzo_module, weights) == 88);
MEZZO_RT_LAYOUT(offsetof(mezzo_module, weights_bytes) == 96);
MEZZO_RT_LAYOUT(offsetof(mezzo_module, weights_file) == 104);
MEZZO_RT_LAYOUT(offsetof(mezzo_module, weights_hash) == 112);
MEZZO_RT_LAYOUT(offsetof(mezzo_module, flags) == 144);

MEZZO_RT_LAYOUT(sizeof(mezzo_weights_header) == 64);
MEZZO_RT_LAYOUT(offsetof(mezzo_weights_header, header_bytes) == 12);
MEZZO_RT_LAYOUT(offsetof(mezzo_weights_header, payload_bytes) == 16);
MEZZO_RT_LAYOUT(offsetof(mezzo_weights_header, payload_hash) == 24);

#ifdef __cplusplus
} // extern "C"
#endif

#endif // MEZZO_RUNTIME_ABI_H
