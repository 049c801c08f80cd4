//===- Attention.h - attention, decomposed --------------------------------===//

#ifndef MEZZO_PASSES_FRONTEND_ATTENTION_H
#define MEZZO_PASSES_FRONTEND_ATTENTION_H

#include "passes/Frontend/Node.h"

#include <functional>

namespace mezzo {

/// What the attention operators of all domains have in common:
///
///     S = scale * Q K', softcap * tanh(S / softcap), S + biases, -inf where a
///     key is not visible, P = softmax(S), Y = P V
///
/// for queries q [B, N, S, H], keys k [B, Nkv, T, H] and values v [B, Nkv, T,
/// H'], N a multiple of Nkv: a key head serves N / Nkv query heads. All of it
/// in f32. A row that sees no key gives zeros.
struct Attention {
  float scale = 1;
  float softcap = 0; ///< 0: none
  /// Added to the scores; broadcast to [B, N, S, T].
  llvm::SmallVector<SizedTensor> biases;
  /// Whether a query sees a key, from their indices [b, n, s, t]; all of them
  /// must hold.
  using Visible = std::function<mlir::Value(mlir::ImplicitLocOpBuilder &,
                                            mlir::ValueRange)>;
  llvm::SmallVector<Visible> visible;

  /// The stages that somebody may ask for: scores, after the soft cap, after
  /// biases and masks, and probabilities.
  SizedTensor stages[4];

  /// Y [B, N, S, H'].
  mlir::FailureOr<SizedTensor> build(Node &node, SizedTensor q, SizedTensor k,
                                     SizedTensor v);
};

/// x[B, S, N * H] as [B, N, S, H], and back.
mlir::FailureOr<SizedTensor> splitHeads(Node &node, SizedTensor x,
                                        int64_t heads);
SizedTensor mergeHeads(Node &node, SizedTensor x);

/// past[B, N, P, H] and what is new behind it: [B, N, P + S, H].
SizedTensor appendRows(Node &node, SizedTensor past, SizedTensor added);

/// A tensor's element at these indices, where they are inside of it; else some
/// other element of it. Inside of a body.
mlir::Value elementAt(mlir::ImplicitLocOpBuilder &b, mlir::Value tensor,
                      mlir::ValueRange indices);

/// An integer of a body as `index`.
mlir::Value toIndex(mlir::ImplicitLocOpBuilder &b, mlir::Value integer);

//===----------------------------------------------------------------------===//
// Rotary embedding
//===----------------------------------------------------------------------===//

/// x[B, N, S, H] turned by the angles whose cosines and sines are `cos` and
/// `sin` [B or 1, S, R / 2], in its first R columns: column pairs (i, i + R/2),
/// or (2i, 2i + 1) where they are interleaved.
mlir::FailureOr<SizedTensor> rotate(Node &node, SizedTensor x, SizedTensor cos,
                                    SizedTensor sin, bool interleaved);

/// table[positions[b, s], r] in f32: the rows of a cache of cosines. `position`
/// gives the row from b and s.
SizedTensor
rowsOfCache(Node &node, SizedTensor table, Size batch, Size sequence,
            llvm::function_ref<mlir::Value(mlir::ImplicitLocOpBuilder &,
                                           mlir::Value b, mlir::Value s)>
                position);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_ATTENTION_H
