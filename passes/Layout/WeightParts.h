//===- WeightParts.h - the parts of a weight in the weight file -----------===//

#ifndef MEZZO_PASSES_LAYOUT_WEIGHTPARTS_H
#define MEZZO_PASSES_LAYOUT_WEIGHTPARTS_H

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Layout/LutPanel.h"

namespace mezzo {

/// One contiguous array of the payload.
struct WeightPart {
  enum Kind { Plain, Packed };
  static constexpr int64_t Alignment = 64;

  Kind kind;
  int64_t elements;       ///< length of the array
  mlir::Type elementType; ///< as kernels read it; bytes for packed weights
  int64_t bytes() const {
    return elements * int64_t(elementType.getIntOrFloatBitWidth() / 8);
  }
};

/// The part that a weight is in the payload. The permutation of a quantized
/// weight is a plain weight of its own.
WeightPart weightPart(WeightOp weight);

/// The records of a quantized weight whose packed layout is chosen.
struct PackedWeight {
  explicit PackedWeight(WeightOp weight);

  PanelFields panel;
  PanelRecord record;
  mlir::Type scaleType;
  /// How offsets are stored; null where there are none. An integer zero is
  /// stored less the offset of the format (Format::Stored), which a byte holds
  /// unless odd zeros of many bits are allowed.
  mlir::Type offsetType;
  /// The integer zero point of all groups, where it is one: not stored.
  int64_t zero = 0;
  /// Whether the offsets are minima.
  bool minima = false;
  /// What scales and minima are multiplied by; null where nothing is. `super`
  /// columns share one, or with 0 the whole row does.
  mlir::Type superScaleType, superOffsetType;
  int64_t super = 0;
  /// How the entries of a code book lie in front of each panel.
  TableForm table = TableForm::None;
  int64_t panels, groups;
  int64_t columns; ///< of a record: a group of the weight, or a piece of one
  int64_t bytes() const { return panels * record.panelBytes(groups); }
};

/// Bytes of the code book of a panel: `entries` for all its `rows`, or each.
int64_t tableBytes(TableForm form, int64_t entries, int64_t rows);
/// Entries of a byte table that a vector looks up.
inline constexpr int64_t LookupEntries = 16;

/// The entries of a weight's code book, row by row where each row has one.
std::vector<float> readCodebook(WeightOp weight);

/// Called with the parts of all weights in the order of their offsets, a piece
/// at a time: `offset` from the start of the payload, and the bytes to write
/// there.
using PartSink = llvm::function_ref<llvm::Error(int64_t offset,
                                                llvm::ArrayRef<uint8_t> bytes)>;

/// Packs all weights of a module, streaming: at no time is more than one slice
/// of one weight in memory.
llvm::Error writeWeights(mlir::ModuleOp module, PartSink sink);

/// Attribute of the module: bytes of the payload.
inline llvm::StringRef weightBytesAttrName() { return "mezzo.weight_bytes"; }

} // namespace mezzo

#endif // MEZZO_PASSES_LAYOUT_WEIGHTPARTS_H
