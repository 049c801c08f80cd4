//===- ProductKernel.h - the loops around every product kernel ------------===//
//
// A product kernel computes y[M, N] = x[M, K] * W[N, K]^T for a range of weight
// panels. Whatever the strategy, the loops are the same, because the compute
// modes fix the order of additions (docs/numbers.md): lanes run over N, a
// register tile over M and N, groups ascend, and K ascends inside a group.
//
// There are two loop nests, over the same packed bytes. For one activation row
// (DirectKernel.cpp) every code is used once, memory is what takes time, and
// codes are decoded in registers, on the way:
//
//     for panels, `streams` of them side by side
//       y = 0
//       for group in 0 .. G-1
//         d = sum over the group's columns of decode(codes) * x
//         y = y + scale * d
//       store y + bias
//
// For more rows (BlockedKernel.cpp) arithmetic is what takes time, and a block
// of codes is decoded once, into memory that stays in the first-level cache:
//
//     for panel
//       for block of activation rows
//         y = 0
//         for block of columns                 whole groups, or a part of one
//           decode it
//           for tile of `rows` x `groups`      d and y in registers
//             d = sum over the columns; y = y + scale * d
//         store y + bias
//
// A strategy is a class that says what decoded codes look like and writes the
// sums. It names no bit width and no machine: which bits of which vector make
// up a code comes from the layout (PanelFields), what they mean from the format
// (Format::Stored, or its planes), and what may overflow from ranges.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_PASSES_KERNEL_PRODUCTKERNEL_H
#define MEZZO_PASSES_KERNEL_PRODUCTKERNEL_H

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Layout/LutPanel.h"
#include "passes/Kernel/KernelBuilder.h"
#include "targets/Target.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mezzo {

/// What is known about a product at compile time.
struct ProductFacts {
  ProductFacts(PackedMatmulOp op, const Target &target);

  Format format; ///< with its code book, where that is known
  int64_t zero;  ///< the zero point of all groups, if they have one
  /// Codes as bytes, the offset with that zero point in it. Formats that are
  /// no whole numbers have none, and then nobody asks.
  Format::Stored code;
  PanelFields panel;
  PanelRecord record;
  ConfigAttr config;
  int64_t group; ///< columns of a group
  int64_t tail;  ///< columns of the last group, if it is shorter; else 0
  mlir::Type scaleType, offsetType; ///< offsetType: null where there are none
  /// What scales and minima are multiplied by; null where nothing is.
  mlir::Type superScaleType, superOffsetType;
  TableForm table;          ///< of a code book in front of each panel
  bool minima;              ///< whether offsets are minima
  std::optional<int64_t> m; ///< activation rows, if they are known
  int64_t amax;             ///< largest magnitude of their codes
  bool accumulates;         ///< results are the sums, as i32

  /// Row groups that a vector of the machine holds.
  unsigned span;
  /// Sums of row groups that a register tile may have: they take half of the
  /// registers, the other half is for operands.
  unsigned tileSums;
  /// Whether signed codes are multiplied as c + 128, unsigned: the machine's
  /// product of bytes takes no others.
  bool biasesCodes;

  bool hasIntegerZeros() const {
    return offsetType && !minima && offsetType.isInteger();
  }
  bool hasFloatZeros() const {
    return offsetType && !minima && !offsetType.isInteger();
  }
  unsigned rowGroups() const { return panel.fields.size(); }
};

/// The arguments of a kernel.
struct ProductOperands {
  mlir::ValueRange activations;
  mlir::Value inputZeros; ///< of activation rows; null where there are none
  mlir::Value weight;     ///< records, bytes
  mlir::Value bias;       ///< null where there is none
  mlir::Value rows, columns;
  mlir::Value output;
};

/// A run of columns inside one group, and a register tile over it.
struct Segment {
  Values rows;           ///< activation rows
  unsigned width;        ///< row groups
  mlir::Value group;     ///< index of the group along K
  mlir::Value firstStep; ///< of the group, where the run begins
  int64_t columns;       ///< length of the run
  /// Whether codes only have to be loaded: then there are registers and
  /// instructions to spare, and short loops may be written out.
  bool decoded;
  /// The decoded codes of a step of the run: for each of its vectors (see
  /// vectorsPerStep) the row groups, [vectorsPerStep][width]. `position` tells
  /// apart the steps that are written out in one round of a loop.
  llvm::function_ref<Values(mlir::Value step, unsigned position)> codes;

  unsigned tileSize() const { return rows.size() * width; }
};

/// Where what belongs to a vector's rows in one group lies: to a row group and
/// those behind it in one panel, or to the same row group in several panels.
struct RowGroupRecord {
  Values records;       ///< byte offsets of the records, of a panel each
  mlir::Value rowGroup; ///< the first one, in each of them
  /// Of the first panel: the head of the super-block, and the panel. Products
  /// that have them have vectors of one row group.
  mlir::Value head, panel;
};

/// Bytes of a decoded block: half of a first-level cache of 32 KiB.
inline constexpr int64_t DecodedBytes = 16 << 10;

/// Of ProductStrategy::longestChunk: only the default's chunk is known to be
/// right.
inline constexpr int64_t AnyChunk = -1;
/// Columns of a chunk of activations, at least: sums are made for these.
inline constexpr int64_t ShortestChunk = 8;

/// Panels that are read side by side for one activation row, by default: two
/// keep more of memory busy than one, and where panels are narrow, four do, if
/// their sums are one register each.
inline int64_t defaultStreams(const PanelFields &panel, const Target &target) {
  if (target.vectorBytes < PanelFields::VectorBytes)
    return 2;
  return std::clamp<int64_t>(128 / panel.rowsPerPanel, 2, 4);
}

class ProductStrategy {
public:
  virtual ~ProductStrategy() = default;

  /// The choice that is good without measuring, for codes of `format` in
  /// `panel` on `target`.
  virtual ConfigAttr defaultConfig(mlir::MLIRContext *context,
                                   const Format &format,
                                   const PanelFields &panel,
                                   const Target &target) const = 0;

  /// Columns whose terms 16 bits are sure to hold, whatever the codes are: the
  /// longest `chunk` there may be. 0: nothing is added up in 16 bits.
  virtual int64_t longestChunk(const Format &format, const PanelFields &panel,
                               int64_t amax) const {
    return AnyChunk;
  }
  /// Vectors of 32 bytes that hold the sums of one activation row and row group
  /// in the inner loop.
  virtual int64_t sumsPerRowGroup(const Format &format,
                                  const PanelFields &panel) const {
    return 1;
  }

  /// Decoded codes of a row group: vectors of 32 bytes, so many for a step of
  /// four columns. (Of two row groups: of 64 bytes, as many.)
  virtual unsigned vectorsPerStep(const ProductFacts &facts) const = 0;
  /// Whether packed codes need no decoding.
  virtual bool readsPacked(const ProductFacts &facts) const = 0;
  /// Whether sums over padded columns add nothing, to the last bit.
  virtual bool ignoresPadding() const = 0;
  /// Lanes that sums over a group have.
  virtual mlir::Type sumElement(mlir::Builder &builder) const = 0;

  /// What decoding needs of a group, loaded once: zero points and tables, say.
  /// Whether it needs anything says `needsContext` beforehand.
  virtual Values decodeContext(KernelBuilder &builder,
                               const ProductFacts &facts, mlir::Value weight,
                               const RowGroupRecord &at) const {
    return {};
  }
  virtual bool needsContext(const ProductFacts &facts) const { return false; }
  /// The vectors of one row group in one step, of the step's packed vectors.
  virtual Values decode(KernelBuilder &builder, const ProductFacts &facts,
                        llvm::ArrayRef<mlir::Value> packed, unsigned rowGroup,
                        llvm::ArrayRef<mlir::Value> context) const = 0;

  /// sums + codes * activations, for a tile [rows][width].
  virtual Values accumulate(KernelBuilder &builder, const ProductFacts &facts,
                            const ProductOperands &operands,
                            const Segment &segment, Values sums) const = 0;

  /// y + scale * sums for one row group of all `rows`, offsets included.
  virtual Values finish(KernelBuilder &builder, const ProductFacts &facts,
                        const ProductOperands &operands,
                        llvm::ArrayRef<mlir::Value> rows, mlir::Value group,
                        const RowGroupRecord &at,
                        llvm::ArrayRef<mlir::Value> sums, Values y) const = 0;
};

/// The strategy of a kind. The only place that lists them.
const ProductStrategy &productStrategy(StrategyKind kind);

/// `float` mode: decode to f32, fused multiply-add in ascending k.
const ProductStrategy &dequantStrategy();
/// `int` mode: integer dot products of bytes, one scale after the group.
const ProductStrategy &nativeDotStrategy();
/// `lut8` mode: bytes looked up in tables of sums of four activations.
const ProductStrategy &lutStrategy();

/// Writes the kernel of `op` into `module` as a function called `name`.
mlir::func::FuncOp emitProductKernel(mlir::ModuleOp module, PackedMatmulOp op,
                                     const Target &target,
                                     llvm::StringRef name);

/// The readable key of the kernel: everything that its body depends on. N, K
/// and strides are arguments and not in it.
std::string productKernelKey(PackedMatmulOp op, const Target &target);

//===----------------------------------------------------------------------===//
// What the two loop nests and the strategies share
//===----------------------------------------------------------------------===//

/// A kernel that is being written.
struct ProductKernel {
  KernelBuilder builder;
  const ProductStrategy &strategy;
  ProductFacts facts;
  ProductOperands operands;
  mlir::Value groups; ///< records of a panel: ceil(K / group)

  /// Groups that have all their columns: those that the loop runs over. A
  /// shorter last one is written apart, unless its padding does no harm.
  mlir::Value wholeGroups();
  bool hasTail() const { return facts.tail && !strategy.ignoresPadding(); }
  /// Byte offset of the record of a group of a panel.
  mlir::Value record(mlir::Value panel, mlir::Value group);
  /// The same of all these panels, and all else that belongs to a row group.
  RowGroupRecord place(llvm::ArrayRef<mlir::Value> panels, mlir::Value group,
                       mlir::Value rowGroup);
  /// The packed vectors of one step, those that `rowGroups` need: of one panel,
  /// or side by side those of several, whose steps begin at `bases`.
  Values loadPacked(llvm::ArrayRef<mlir::Value> bases,
                    llvm::ArrayRef<unsigned> rowGroups);
  /// Adds the bias and stores the results of a row group; rows beyond N are not
  /// stored.
  void store(mlir::Value m, mlir::Value firstRow, mlir::Value y);
};

/// The loop nests of the file comment: one activation row; any number of them.
void writeDirectKernel(ProductKernel &kernel, mlir::Value begin,
                       mlir::Value end);
void writeBlockedKernel(ProductKernel &kernel, mlir::Value begin,
                        mlir::Value end);

/// The codes of a row group in one step, a byte each: a code that lies in
/// several pieces is put together.
mlir::Value gatherCode(KernelBuilder &builder, const ProductFacts &facts,
                       llvm::ArrayRef<mlir::Value> packed, unsigned rowGroup);

/// Where the code of a row group lies in the step's packed vectors, in one
/// piece: at [shift, shift + width) of each byte, and all else is other codes.
/// A code of several pieces is gathered first.
struct WholeCode {
  mlir::Value bytes;
  unsigned shift, width;
};
WholeCode wholeCode(KernelBuilder &builder, const ProductFacts &facts,
                    llvm::ArrayRef<mlir::Value> packed, unsigned rowGroup);

/// The scales (or float offsets) of a row group as f32, fl(D * sc) on two
/// levels; its integer zeros, less the format's offset, as i32.
mlir::Value loadScales(KernelBuilder &builder, const ProductFacts &facts,
                       mlir::Value weight, const RowGroupRecord &at);
mlir::Value loadFloatZeros(KernelBuilder &builder, const ProductFacts &facts,
                           mlir::Value weight, const RowGroupRecord &at);
mlir::Value loadIntegerZeros(KernelBuilder &builder, const ProductFacts &facts,
                             mlir::Value weight, const RowGroupRecord &at);
/// The sums of the codes of a row group, less its integer zeros, as i32.
mlir::Value loadCodeSums(KernelBuilder &builder, const ProductFacts &facts,
                         mlir::Value weight, const RowGroupRecord &at);
/// The minima of a row group, or for the modes in which a float zero is one,
/// fl(-s * z); null where there is neither.
mlir::Value loadMinima(KernelBuilder &builder, const ProductFacts &facts,
                       mlir::Value weight, const RowGroupRecord &at,
                       mlir::Value scales);

} // namespace mezzo

#endif // MEZZO_PASSES_KERNEL_PRODUCTKERNEL_H
