//===- Engine.h - One tensor-core kernel for weights of any width -*- C++ -*-=//
//
// y[M, N] = a[M, K] * W[N, K]^T on mma.sync, with W in 1 to 8 bits.
//
// A block of `warps` warps computes 16 * rowTiles rows of y and 64 columns per
// warp. It walks K in chunks of 64. Copies run `stages` - 1 chunks ahead with
// cp.async: the activations of a chunk for the whole block, and for each warp
// the codes that its own lanes will read, 16 bytes at a time and without any
// permutation, because weights are packed in the order of the fragments
// (Fragments.h). A lane widens codes in registers, one shift and one lop3 for
// two of them, and multiplies. Sums of a group are kept apart and scaled when
// the group ends, as numbers.md wants it.
//
// Two arithmetics share the pipeline:
//
//   HalfFloat  f16 activations, codes as f16, sums in f32: mode `float-mma`,
//              whose order inside an mma is the hardware's own.
//   Integer    int8 activations, codes as bytes, sums in s32: mode `int`, equal
//              to it in all bits. The zero point is taken out of the sum:
//              sum (c - z) a = sum c a - z sum a.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_TARGETS_NVPTX_ENGINE_H
#define MEZZO_TARGETS_NVPTX_ENGINE_H

#include "targets/Nvptx/Fragments.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <string>

namespace mezzo::nvptx {

/// What a kernel is made for; N, K and M are arguments.
struct EngineSpec {
  Arithmetic arithmetic = Arithmetic::HalfFloat;
  unsigned bits = 4; ///< Of a code, 1 to 8.
  /// Columns of a group; 0 where a row is one group. A multiple of the depth of
  /// an mma (16 or 32 columns) that divides 64 or is a multiple of it.
  int64_t groupLength = 128;
  /// Zero points in memory, one per group and row of W; else `zero` for all.
  bool hasZeros = false;
  int32_t zero = 8;
  bool hasBias = false;

  unsigned warps = 4;    ///< 1 to 8
  unsigned rowTiles = 1; ///< 1 or 2
  unsigned stages = 4;   ///< 2 to 6

  /// As kernels are named: "matmul_float_mma_u4_g128_z8_w4_r1_s4". PTX takes
  /// nothing but letters, digits, _ and $.
  std::string key() const;
  /// Bytes of dynamic shared memory of a block.
  unsigned sharedBytes() const;
  unsigned threads() const { return 32 * warps; }
  /// Rows and columns of y that a block computes.
  int64_t blockRows() const { return 16 * rowTiles; }
  int64_t blockColumns() const { return int64_t(columnsOfTile) * warps; }

  /// Errors: what the engine has no kernel for, with the way out.
  llvm::Error check() const;
};

/// Adds the kernel `spec.key()` to a module of the LLVM dialect. Its
/// parameters, pointers to global memory unless said otherwise:
///
///     a       [M, Kp] f16, or s8 codes; Kp is K rounded up to 64, filled up
///             with zeros
///     weights packWeights(...)
///     scales  f32 [G, Np], Np is N rounded up to 64
///     zeros   i32 [G, Np], the numbers z of Fragments.h; not read without
///     rows    f32 [M] scales of the activations' rows (Integer only)
///     sums    s32 [M, G] sums of the activations' codes by group (Integer
///     only) bias    f32 [N]; not read without y       f32 [M, N] M, N, K i32
void buildEngine(mlir::ModuleOp module, const EngineSpec &spec);

} // namespace mezzo::nvptx

#endif // MEZZO_TARGETS_NVPTX_ENGINE_H
