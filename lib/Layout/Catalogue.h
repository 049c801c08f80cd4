//===- Catalogue.h - Layouts that have a name -----------------------------===//

#ifndef MEZZO_LIB_LAYOUT_CATALOGUE_H
#define MEZZO_LIB_LAYOUT_CATALOGUE_H

#include "lib/Layout/Layout.h"

namespace mezzo {

/// The panel that CPU kernels read: axes n, g, k, b; 1 <= bits <= 8. A step is
/// one or more 32-byte vectors, each 8 rows x 4 k (an int32 lane holds four k
/// of one row); bit fields and further vectors hold further rows. Widths that
/// divide 8 keep all fields whole: 64, 64, 32, 16 rows in 1, 2, 2, 2 vectors
/// for 1, 2, 4, 8 bits. The others keep `bits` vectors (6: three) of whole
/// fields and build the remaining row groups from the bits that are left over.
/// Order outside the vectors: steps of a group, groups, panels.
Layout panel(unsigned bits);

/// The panel that look-up kernels read: axes n, g, k, b; 1 <= bits <= 4
/// (LutPanel.h has the picture). Indices of four bits, one of each k of a step,
/// two planes of a row beside each other, sixteen rows in a vector and 64 in a
/// panel; a plane without a partner stands beside sixteen rows of its own.
Layout lutPanel(unsigned bits);

/// ONNX MatMulNBits, and every format that packs along k with the low bits
/// first: a row is a stream of codes, 1 <= bits <= 8. With a block length, k is
/// padded to whole blocks as that operator wants; without, to whole bytes.
Layout matMulNBits(unsigned bits, int64_t blockLength = 0);

/// ONNX int4, uint2, ...: one stream through the whole tensor, the rows not
/// aligned to anything. Padding occurs at the end only.
Layout flat(unsigned bits);

/// GPTQ's `qweight` [K*bits/32, N] of 32-bit words, packed along k; bits 2, 3,
/// 4, 8. At 3 bits, codes 10 and 21 of 32 straddle two words.
Layout gptq(unsigned bits);

/// AWQ's `qweight` [K, N/8]: eight 4-bit columns n in a word, in the order
/// 0 2 4 6 1 3 5 7.
Layout awq();

/// Nibble order 0 2 4 6 1 3 5 7 along k in a 32-bit word, as conversion by
/// logical operations on GPUs wants it.
Layout lop3();

/// Bit planes: one bit of 8 consecutive k in a byte, plane after plane per row.
Layout bitPlanes(unsigned bits);

/// Look-up tables over groups of four k; 2-bit planes beside each other.
Layout lut2();
/// The same for 3 bits: b stays whole, outside the vector.
Layout lut3();

/// Ten 3-bit codes in a 32-bit word, two bits wasted.
Layout dense3();
/// Five ternary codes in a byte, to base 3.
Layout trit5();

/// The rows of GGUF tensors, blocks of 32 as they lie in the file, with room
/// for the scales that stand before the codes of each block (2, 4 and 2 bytes).
/// The 4-bit ones keep k and k + 16 in one byte.
Layout ggufQ4_0();
Layout ggufQ4_1();
Layout ggufQ8_0();

/// A layout by the name that `mezzo explain layout` and Python use: "panel4",
/// "lutpanel2", "matmulnbits4", "gptq3", "flat4", "planes2", "lut2", "dense3",
/// "trit5", ...; anything else is read as a layout's text.
llvm::Expected<Layout> layoutByName(llvm::StringRef nameOrText);

/// All names that `layoutByName` knows, with the bits of their codes.
struct CatalogueEntry {
  std::string name;
  unsigned bits;
  Layout layout;
};
std::vector<CatalogueEntry> catalogue();

/// How many bits a code has, as far as a layout tells: what the catalogue says
/// of it, else the highest bit that some piece places, else what a digit to the
/// layout's base needs. 0 where b is written `*`.
unsigned codeBits(const Layout &layout);

/// The extents of a matrix of codes [rows, groups, columns] under a layout:
/// what `bind` wants. Where the layout has no axis g and there is one group, as
/// for a plain matrix [rows, columns], g is left out.
Extents matrixExtents(const Layout &layout, int64_t rows, int64_t groups,
                      int64_t columns, unsigned bits);

} // namespace mezzo

#endif // MEZZO_LIB_LAYOUT_CATALOGUE_H
