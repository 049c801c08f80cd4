//===- CodeAccess.h - One code at a time, in any layout -------------------===//

#ifndef MEZZO_LIB_LAYOUT_CODEACCESS_H
#define MEZZO_LIB_LAYOUT_CODEACCESS_H

#include "lib/Layout/BoundLayout.h"

namespace mezzo {

/// Reads and writes single codes of any layout.
class CodeAccess {
public:
  explicit CodeAccess(const BoundLayout &bound)
      : bound(bound), bit(bound.axisIndex('b')),
        radix(bound.layout().positional()) {}

  /// `x` has a coordinate for every axis; that of b is overwritten.
  uint8_t read(llvm::ArrayRef<uint8_t> in,
               llvm::MutableArrayRef<int64_t> x) const {
    if (bit >= 0)
      x[bit] = 0;
    if (radix != 2)
      return uint8_t(number(in, bound.bitAddress(x)) / weight(x) % radix);
    unsigned code = 0;
    for (int64_t b = 0; b < bound.extent('b'); ++b) {
      if (bit >= 0)
        x[bit] = b;
      int64_t at = bound.bitAddress(x);
      if (at >= 0)
        code |= unsigned(in[at / 8] >> (at % 8) & 1) << b;
    }
    return uint8_t(code);
  }

  /// ORs (positional: adds) the code; its place must hold zero.
  void write(llvm::MutableArrayRef<uint8_t> out, int64_t origin,
             llvm::MutableArrayRef<int64_t> x, uint8_t code) const {
    if (bit >= 0)
      x[bit] = 0;
    for (int64_t b = 0; b < (radix == 2 ? bound.extent('b') : 1); ++b) {
      if (bit >= 0)
        x[bit] = b;
      const BoundPiece *piece = bound.pieceOf(x);
      if (!piece)
        continue;
      int64_t at = bound.bitAddress(x) - origin;
      if (radix != 2) {
        // A number never straddles its bytes, and its sum stays below
        // radix^digits, so adding the bytes with carry cannot leave them.
        uint64_t value = number(out, at) + code * weight(x);
        for (int64_t i = 0; i < bound.wordBits() / 8; ++i)
          out[at / 8 + i] = uint8_t(value >> 8 * i);
        continue;
      }
      if (code >> b & 1)
        for (int64_t replica : piece->replicas)
          out[(at + replica) / 8] |= uint8_t(1u << ((at + replica) % 8));
    }
  }

private:
  uint64_t weight(llvm::ArrayRef<int64_t> x) const {
    uint64_t w = 1;
    for (unsigned i = bound.digitIndex(x); i > 0; --i)
      w *= radix;
    return w;
  }

  uint64_t number(llvm::ArrayRef<uint8_t> bytes, int64_t at) const {
    uint64_t value = 0;
    for (int64_t i = 0; i < bound.wordBits() / 8; ++i)
      value |= uint64_t(bytes[at / 8 + i]) << 8 * i;
    return value;
  }

  const BoundLayout &bound;
  int bit;
  uint64_t radix;
};

/// "<what>: the buffer has 3 bytes, the layout wants 4", or success.
llvm::Error checkBufferSize(llvm::StringRef what, size_t have, int64_t want);

} // namespace mezzo

#endif // MEZZO_LIB_LAYOUT_CODEACCESS_H
