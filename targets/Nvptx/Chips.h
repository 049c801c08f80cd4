//===- Chips.h - What each NVIDIA chip really has ---------------*- C++ -*-===//
//
// ptxas accepts instructions that a chip does not have and writes dozens of
// others for them, without a word. What it accepts is therefore no evidence of
// what is fast; this table is. Its numbers are code sizes: one mma in a kernel
// assembled by ptxas 13.0 for each chip, against the same with an mma that is
// native everywhere.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_TARGETS_NVPTX_CHIPS_H
#define MEZZO_TARGETS_NVPTX_CHIPS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace mezzo::nvptx {

struct Chip {
  llvm::StringRef name;       ///< As LLVM and ptxas call it: sm_80.
  llvm::StringRef ptxFeature; ///< The oldest PTX that knows it, for LLVM.
  bool nativeS4 = false;      ///< mma of s4, m16n8k64.
  bool nativeB1And = false;   ///< mma of b1 with and.popc, m16n8k256.
  bool nativeB1Xor = false;   ///< The same with xor.popc.
  bool nativeE4M3 = false;    ///< mma of e4m3, m16n8k32.
};

/// All chips that kernels are made for, oldest first.
llvm::ArrayRef<Chip> chips();
/// Errors: an unknown name; lists the known ones.
llvm::Expected<Chip> lookupChip(llvm::StringRef name);

} // namespace mezzo::nvptx

#endif // MEZZO_TARGETS_NVPTX_CHIPS_H
