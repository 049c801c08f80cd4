/*===-- compiler.h - The C API of the compiler ----------------------------===*\
|*                                                                            *|
|* What the command line does, as functions of libmezzo.so: models to shared  *|
|* objects, quantization, layouts, passes on IR text.                         *|
|*                                                                            *|
|*     mezzo_compile_options options = MEZZO_COMPILE_OPTIONS_INIT;            *|
|*     options.target = "x86-64-v3";                                          *|
|*     if (mezzo_compile(&options, "model.onnx", "model.so") !=               *|
|*         MEZZO_COMPILER_OK)                                                 *|
|*       fprintf(stderr, "%s\n", mezzo_compiler_last_error());                *|
|*                                                                            *|
|* How a compiled model is run is the matter of model.h, and needs no library *|
|* of ours. Bindings to other languages use these two headers alone.          *|
|*                                                                            *|
|* Every function may be called from any thread. Handles are immutable, so    *|
|* one may be read by several threads at a time; whoever destroys it must be  *|
|* the last. Nothing is printed, and files appear whole or not at all.        *|
|*                                                                            *|
|* This header is stable, needs <stdint.h> alone, and is valid C89 (given     *|
|* that header), C99 and C++.                                                 *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef MEZZO_COMPILER_H
#define MEZZO_COMPILER_H

#include <stdint.h>

#if defined(__GNUC__)
#define MEZZO_API __attribute__((visibility("default")))
#else
#define MEZZO_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** What every function that can fail returns; the exit codes of the tool. */
enum mezzo_compiler_status {
  MEZZO_COMPILER_OK = 0,
  MEZZO_COMPILER_ERROR = 1, /**< of the input; the message says what to do */
  MEZZO_COMPILER_USAGE = 2, /**< of the call: a null pointer, a wrong size */
  /** of the compiler. Either it noticed, and the message names a file that
      repeats what happened; or it crashed and was stopped, and then other calls
      may fail from here on: save your work and start another process. */
  MEZZO_COMPILER_BUG = 3
};

/** The version of this API. It changes when existing functions do; members
    that are added at the end of a struct are announced by its size. */
#define MEZZO_COMPILER_API_VERSION 1u
MEZZO_API uint32_t mezzo_compiler_api_version(void);

/** The message of the last call that failed on this thread, "" if none did.
    Several errors are several lines. Valid until the next failure on this
    thread. */
MEZZO_API const char *mezzo_compiler_last_error(void);

/** Frees a text that a function below has returned. NULL is allowed. */
MEZZO_API void mezzo_text_free(char *text);

/*===-- Compiling ---------------------------------------------------------===*/

enum mezzo_severity {
  MEZZO_SEVERITY_ERROR = 0,
  MEZZO_SEVERITY_WARNING = 1,
  MEZZO_SEVERITY_REMARK = 2 /**< what was chosen, and why */
};

/** Receives one message: one line of printable UTF-8. Is called by one thread
    at a time, which may be a thread of the compiler, and only until the
    function that was given it returns. */
typedef void (*mezzo_diagnostic)(void *user, int32_t severity,
                                 const char *message);

/** "Every dimension of this name has this size." */
typedef struct mezzo_dim_size {
  const char *name;
  int64_t size;
} mezzo_dim_size;

/** "The input of this name has this shape." */
typedef struct mezzo_input_shape {
  const char *name;
  const int64_t *shape;
  int64_t rank;
} mezzo_input_shape;

/** How to compile. Begin with MEZZO_COMPILE_OPTIONS_INIT; zero is the default
    of every member. */
typedef struct mezzo_compile_options {
  uint64_t size;      /**< sizeof(mezzo_compile_options) */
  const char *target; /**< "native", "x86-64-v3", ... */
  const char
      *compute; /**< "float", "int" or "lut8"; NULL: what the model says */
  const char *strategy; /**< of all products: "dequant", "native_dot"; NULL:
                             the compiler's choice */
  const char *tile;     /**< of all products: "rows=4,groups=2,..." */
  const char *prefix;   /**< of the exported symbol; NULL: output's name */
  const char *weights;  /**< "embed", "file" or "auto" */
  const mezzo_dim_size *dims;
  int64_t num_dims;
  const mezzo_input_shape *shapes;
  int64_t num_shapes;
  int32_t no_verify;           /**< 1: a run does not check its tensors */
  int32_t strict_dq;           /**< 1: keep the rounding of DequantizeLinear */
  mezzo_diagnostic diagnostic; /**< gets errors, too; or NULL */
  void *user;                  /**< first argument of diagnostic */
} mezzo_compile_options;

#define MEZZO_COMPILE_OPTIONS_INIT                                             \
  {sizeof(mezzo_compile_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

/** Compiles the ONNX model `input` to the shared object `output`, with its
    header (and its weights, where they are a file) beside it. `options` may be
    NULL, here and below. */
MEZZO_API int32_t mezzo_compile(const mezzo_compile_options *options,
                                const char *input, const char *output);

/** What the model is after a stage, as text: "mezzo" and "tile" are MLIR,
    "llvm" is LLVM IR, "asm" is assembly. */
MEZZO_API int32_t mezzo_emit_text(const mezzo_compile_options *options,
                                  const char *input, const char *stage,
                                  char **text);

/** Runs a pipeline such as "canonicalize,cse" or "builtin.module(mezzo-tensor)"
    on a module in MLIR's text form. Only `diagnostic` and `user` of the options
    are read. */
MEZZO_API int32_t mezzo_run_passes(const mezzo_compile_options *options,
                                   const char *ir, const char *pipeline,
                                   char **text);

/*===-- Quantized matrices ------------------------------------------------===*/

/** A matrix W[rows, cols] as codes, scales and offsets, nothing packed. */
typedef struct mezzo_matrix mezzo_matrix;

/** The parts of a matrix. With q = codes[n * cols + k], C the meaning of a code
    and i = n * groups + k / group_length,

        W[n, k] = scales[i] * (C(q) - zeros[i])    or with float_zeros
        W[n, k] = scales[i] * C(q) + minima[i]

    where at most one of the three offsets is there; the others are NULL. */
typedef struct mezzo_matrix_parts {
  uint64_t size; /**< sizeof(mezzo_matrix_parts) */
  int64_t rows, cols;
  int64_t group_length;       /**< columns that share a scale */
  int64_t groups;             /**< per row: cols / group_length, rounded up */
  const uint8_t *codes;       /**< [rows, cols], a raw field per byte */
  const float *scales;        /**< [rows, groups] */
  const int32_t *zeros;       /**< [rows, groups] or NULL */
  const float *float_zeros;   /**< [rows, groups] or NULL */
  const float *minima;        /**< [rows, groups] or NULL */
  const int32_t *permutation; /**< [cols]: column j of W meets column
                                   permutation[j] of a; or NULL */
  const float *codebook;      /**< [codebook_size]: values of the codes, for the
                                   tensor or per row; or NULL */
  int64_t codebook_size;
  int64_t nans; /**< inputs that were NaN and became the code of zero */
  /** Where the spec has two levels, what scales and minima are the products of,
      rounded to a float: [rows, groups] numbers of the type before the '^', and
      [rows, *_supers] of the type behind it; or NULL. */
  const float *inner_scales, *outer_scales;
  const float *inner_minima, *outer_minima;
  int64_t scale_supers, minimum_supers; /**< super-blocks of a row */
} mezzo_matrix_parts;

#define MEZZO_MATRIX_PARTS_INIT                                                \
  {sizeof(mezzo_matrix_parts),                                                 \
   0,                                                                          \
   0,                                                                          \
   0,                                                                          \
   0,                                                                          \
   0,                                                                          \
   0,                                                                          \
   0,                                                                          \
   0,                                                                          \
   0,                                                                          \
   0,                                                                          \
   0,                                                                          \
   0,                                                                          \
   0,                                                                          \
   0,                                                                          \
   0,                                                                          \
   0,                                                                          \
   0,                                                                          \
   0,                                                                          \
   0}

/** How to quantize; zero is the default of every member. */
typedef struct mezzo_quantize_options {
  uint64_t size;         /**< sizeof(mezzo_quantize_options) */
  const char *rounding;  /**< "nearest-even", "half-up", "stochastic", ... */
  const char *precision; /**< of x / s: "f32", "f16", "bf16" */
  uint64_t seed;         /**< of stochastic rounding */
  /** The values of the codes of a code book, all 2^bits; NULL: they are fitted
      to the weights. */
  const float *codebook;
  int64_t codebook_size;
} mezzo_quantize_options;

#define MEZZO_QUANTIZE_OPTIONS_INIT                                            \
  {sizeof(mezzo_quantize_options), 0, 0, 0, 0, 0}

/** The canonical form of a spec such as "uint4/g32:f16+zp". The grammar is
    FORMAT[/GROUP][:SCALE[^SUPER]][+OFFSET]. */
MEZZO_API int32_t mezzo_spec_canonical(const char *spec, char **text);

/** What offsets are. */
enum mezzo_offset {
  MEZZO_OFFSET_NONE = 0,
  MEZZO_OFFSET_ZERO = 1,       /**< integers: zeros */
  MEZZO_OFFSET_FLOAT_ZERO = 2, /**< float_zeros */
  MEZZO_OFFSET_MINIMUM = 3     /**< minima */
};

/** Which parts a matrix of `cols` columns has under a spec: the length of its
    groups, and a mezzo_offset. */
MEZZO_API int32_t mezzo_spec_parts(const char *spec, int64_t cols,
                                   int64_t *group_length, int32_t *offset);

/** Quantizes W[rows, cols], row-major, with groups along the columns. */
MEZZO_API int32_t mezzo_quantize(const mezzo_quantize_options *options,
                                 const float *w, int64_t rows, int64_t cols,
                                 const char *spec, mezzo_matrix **matrix);

/** Makes a matrix of given parts, which are copied and checked. */
MEZZO_API int32_t mezzo_matrix_create(const char *spec,
                                      const mezzo_matrix_parts *parts,
                                      mezzo_matrix **matrix);
/** NULL is allowed. */
MEZZO_API void mezzo_matrix_destroy(mezzo_matrix *matrix);

/** Where the parts of a matrix lie. Set parts->size first; the pointers live as
    long as the matrix. */
MEZZO_API int32_t mezzo_matrix_get_parts(const mezzo_matrix *matrix,
                                         mezzo_matrix_parts *parts);
/** The canonical spec; lives as long as the matrix. */
MEZZO_API const char *mezzo_matrix_spec(const mezzo_matrix *matrix);
/** Bits of storage per element: codes, scales and offsets. */
MEZZO_API double mezzo_matrix_bits_per_weight(const mezzo_matrix *matrix);
/** C(q) of every code, [rows, cols]. */
MEZZO_API int32_t mezzo_matrix_values(const mezzo_matrix *matrix,
                                      float *values);
/** W[rows, cols], in the order of the original columns. */
MEZZO_API int32_t mezzo_dequantize(const mezzo_matrix *matrix, float *w);

/** Compiles y[m, rows] = x[m, cols] * W^T (+ bias[rows]) to a model with one
    input "x" and one output "y0", in the compute mode of the options (default:
    float). m < 0 leaves m to each run. `bias` may be NULL. */
MEZZO_API int32_t mezzo_compile_linear(const mezzo_compile_options *options,
                                       const mezzo_matrix *matrix,
                                       const float *bias, int64_t m,
                                       const char *output);

/** The same product by the scalar program that defines the compute mode
    "float", "int" or "lut8": slow, and right by definition. */
MEZZO_API int32_t mezzo_reference_linear(const char *compute,
                                         const mezzo_matrix *matrix,
                                         const float *bias, const float *x,
                                         int64_t m, float *y);

/*===-- Layouts -----------------------------------------------------------===*/

/** Where every bit of a packed tensor of codes lies. */
typedef struct mezzo_layout mezzo_layout;

/** The tensor a layout is applied to: an axis is a letter, n (row), g (group),
    k (column); its size is at the same place of `sizes`. Codes are listed in
    row-major order of these axes, one per byte. For a layout with groups, "nk"
    means one group that holds all of k. */
typedef struct mezzo_extents {
  const char *axes; /**< "nk" or "ngk" */
  const int64_t *sizes;
  int32_t bits; /**< of a code, 1 to 8; 0: mezzo_layout_bits */
} mezzo_extents;

/** Reads a name ("gptq3") or a text ("bit=[b:4, k:2], line=[k@2:*], ..."). */
MEZZO_API int32_t mezzo_layout_parse(const char *name_or_text,
                                     mezzo_layout **layout);
/** NULL is allowed. */
MEZZO_API void mezzo_layout_destroy(mezzo_layout *layout);
/** All names, a line each. */
MEZZO_API int32_t mezzo_layout_names(char **text);
/** The text of a layout as it was written, or in its canonical form. */
MEZZO_API int32_t mezzo_layout_text(const mezzo_layout *layout,
                                    int32_t canonical, char **text);
/** The bits of a code, where the layout tells; 0 where it does not. */
MEZZO_API int32_t mezzo_layout_bits(const mezzo_layout *layout);
/** How many bytes the packed tensor takes, padding included. */
MEZZO_API int32_t mezzo_layout_bytes(const mezzo_layout *layout,
                                     const mezzo_extents *extents,
                                     int64_t *bytes);
/** Packs `count` codes into `size` bytes, which must be the numbers that the
    extents and mezzo_layout_bytes say. */
MEZZO_API int32_t mezzo_layout_pack(const mezzo_layout *layout,
                                    const mezzo_extents *extents,
                                    const uint8_t *codes, int64_t count,
                                    uint8_t *bytes, int64_t size);
/** The inverse. */
MEZZO_API int32_t mezzo_layout_unpack(const mezzo_layout *layout,
                                      const mezzo_extents *extents,
                                      const uint8_t *bytes, int64_t size,
                                      uint8_t *codes, int64_t count);
/** A drawing of the first bits. */
MEZZO_API int32_t mezzo_layout_picture(const mezzo_layout *layout,
                                       const mezzo_extents *extents,
                                       int32_t first_bits, char **text);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* MEZZO_COMPILER_H */
