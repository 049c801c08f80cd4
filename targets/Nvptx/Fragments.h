//===- Fragments.h - Weights in the order in which lanes use them -*- C++ -*-=//
//
// An mma wants its operand B spread over the lanes of a warp in a pattern of
// its own. Instead of moving codes between lanes at run time, they are packed
// in that pattern: what lane l reads, 16 bytes at a time, is what lane l
// multiplies. The pattern is a layout like any other (lib/Layout).
//
// A tile is 64 rows of W (columns of y), a chunk 64 columns (k). Of a tile and
// a chunk each lane holds 128 codes. With t = lane mod 4 and g = lane div 4,
// the f16 mma m16n8k16 takes from a lane
//
//     register h = 0, 1:  k = 16 step + 8 h + 2 t and the next,  n = 8 j + g
//
// for each of four steps and eight j: 64 registers of two codes. The code of
// the even k lies in the lower half of a 32-bit word and that of the odd k at
// the same place of the upper half, so that one shift and one mask give both.
// Four bits, from the least significant address on:
//
//     bit    = [b:4, k@8:2, n@8:2, k:2, n@16:4]   a word of 8 codes, 4 words
//     lane   = [k@2:4, n:8]                       t and g
//     vector = [k@16:4]                           one step each
//     chunk  = [k@64:*], tile = [n@64:*]
//
// The s8 mma m16n8k32 takes four consecutive k from a lane, one to a byte:
//
//     register h = 0, 1:  k = 32 step + 16 h + 4 t and the next three
//
// Widths that are no power of two are split into pieces that are: 5 bits are 4
// and 1, each piece packed as if it were a code of its own.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_TARGETS_NVPTX_FRAGMENTS_H
#define MEZZO_TARGETS_NVPTX_FRAGMENTS_H

#include "lib/Layout/Layout.h"
#include "lib/Number/QuantizedMatrix.h"

#include <cstdint>
#include <vector>

namespace mezzo::nvptx {

enum class Arithmetic { HalfFloat, Integer };

constexpr unsigned columnsOfTile = 64; ///< Of y; rows of W.
constexpr unsigned depthOfChunk = 64;  ///< Columns of W.
constexpr unsigned bytesOfVector = 16; ///< What a lane reads at once.

/// How deep one mma is: 16 or 32 columns.
inline unsigned depthOfMma(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::HalfFloat ? 16 : 32;
}

/// A power-of-two part of a code: bits [low, low + bits). A piece of p bits
/// takes p vectors of a lane's chunk, from `vector` on.
struct CodePart {
  unsigned low, bits, vector;
};
/// The pieces of an n-bit code, the widest and lowest first.
std::vector<CodePart> partsOfCode(unsigned bits);

/// Where a lane finds two (HalfFloat) or four (Integer) codes of a piece.
struct FieldPlace {
  unsigned word;  ///< Of the lane's words of this piece, 0 to 4 * bits - 1.
  unsigned shift; ///< Of the lowest of the fields.
};
/// The fields for register `half` of the mma number `step` of a chunk, columns
/// 8 * `column` to 8 * `column` + 7 of the tile.
FieldPlace fieldOf(Arithmetic arithmetic, unsigned pieceBits, unsigned step,
                   unsigned column, unsigned half);

/// The layout of codes of this width, axes n, k and b.
Layout fragmentLayout(Arithmetic arithmetic, unsigned bits);

/// A weight as the engine reads it. Codes are stored as unsigned numbers c with
/// value = scale * (c - z).
struct PackedWeight {
  std::vector<uint8_t> codes;
  std::vector<float> scales;  ///< [G, Np]
  std::vector<int32_t> zeros; ///< [G, Np], or empty where all are `zero`
  int32_t zero = 0;
  int64_t groups = 0, paddedRows = 0;
};

/// Errors: formats and offsets that are no integers times a scale, and column
/// permutations, with the way out.
llvm::Expected<PackedWeight> packWeight(const QuantizedMatrix &weight,
                                        Arithmetic arithmetic);

} // namespace mezzo::nvptx

#endif // MEZZO_TARGETS_NVPTX_FRAGMENTS_H
