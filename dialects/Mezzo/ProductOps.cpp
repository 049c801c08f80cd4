//===- ProductOps.cpp - products: verifiers and shapes --------------------===//

#include "dialects/Mezzo/Mezzo.h"

#include "lib/Layout/LutPanel.h"

#include <cmath>

using namespace mlir;
using namespace mezzo;

std::optional<std::string> mezzo::refusalOf(ComputeMode mode,
                                            const Format &format) {
  std::string codes = "codes of format " + format.str();
  if (format.bits() > 8)
    return codes + ": a packed weight has at most 8 bits";
  if (mode == ComputeMode::Lut8 && !format.isInteger())
    return codes + " in mode `lut8`, which adds up bit planes of integers: use "
                   "mode `float`";
  if (mode == ComputeMode::Lut8 && format.bits() > MostLutBits)
    return codes +
           " in mode `lut8`, whose time grows with the bits: it takes formats "
           "of at most " +
           std::to_string(MostLutBits) + " bits; use mode `int`";
  if (mode != ComputeMode::Int || format.isInteger() || !format.hasValues())
    return std::nullopt;
  if (!format.wholeNumbers())
    return codes +
           " in mode `int`, which needs values that are whole numbers of one "
           "byte times a power of two: use mode `float`";
  return std::nullopt;
}

static LogicalResult verifyFormat(Operation *op, ComputeMode mode,
                                  const Format &format) {
  if (std::optional<std::string> refusal = refusalOf(mode, format))
    return op->emitOpError() << "has " << *refusal;
  return success();
}

int64_t MatmulOp::getPiece() {
  int64_t block = getBlock(), group = getGroup();
  return block && block < group ? block : group;
}

/// What is special about activations that are codes, and about accumulators.
static LogicalResult verifyActivations(MatmulOp op) {
  RankedTensorType input = op.getInput().getType(),
                   output = op.getOutput().getType();
  bool accumulates = output.getElementType().isInteger();
  int64_t group = op.getGroup(), block = op.getBlock(),
          k = op.getCodes().getType().getDimSize(1);
  if (!op.takesCodes() &&
      (op.getInputScales() || op.getInputZeros() || accumulates))
    return op.emitOpError() << "has scales or zero points of activations, or a "
                               "result of i32, but multiplies numbers of type "
                            << input.getElementType() << ", not codes of i8";
  if (op.takesCodes() && op.getMode() != ComputeMode::Int)
    return op.emitOpError()
           << "multiplies codes in mode `" << stringifyComputeMode(op.getMode())
           << "`: use `int`, or numbers";
  if (op.takesCodes() && !op.getInputScales())
    return op.emitOpError("multiplies codes of no scale: give one for each row "
                          "(1 where they are numbers themselves)");
  for (Value perRow : {op.getInputScales(), op.getInputZeros()})
    if (perRow &&
        cast<ShapedType>(perRow.getType()).getDimSize(0) != input.getDimSize(0))
      return op.emitOpError()
             << "has scales or zero points of type " << perRow.getType()
             << " for activations of type " << input;
  if (block < 0 ||
      (block && (op.takesCodes() || op.getMode() != ComputeMode::Int)))
    return op.emitOpError()
           << "has a block of " << block
           << " columns, which mode `int` has for activations that are numbers";
  if (block && block % group != 0 && group % block != 0 && group < k)
    return op.emitOpError()
           << "has scales for " << block << " columns of activations and "
           << group << " of the weight: one must divide the other";
  if (accumulates && (group < k || op.getBias() || op.getOffsets()))
    if (group < k || op.getBias() ||
        !cast<ShapedType>(op.getOffsets().getType())
             .getElementType()
             .isInteger())
      return op.emitOpError("is a sum of i32, which has one group, no bias and "
                            "no float zero points");
  return success();
}

LogicalResult MatmulOp::verify() {
  RankedTensorType input = getInput().getType(), codes = getCodes().getType(),
                   output = getOutput().getType();
  int64_t n = codes.getDimSize(0), k = codes.getDimSize(1), group = getGroup();
  if (!codes.hasStaticShape())
    return emitOpError() << "has codes of type " << codes
                         << ": a weight needs a static shape";
  if (input.getDimSize(1) != k)
    return emitOpError() << "multiplies " << input << " by a weight of " << k
                         << " columns: the sizes must be equal and static";
  auto follows =
      RankedTensorType::get({input.getDimSize(0), n}, output.getElementType());
  if (output != follows)
    return emitOpError() << "has the result " << output << ", but " << follows
                         << " follows";
  if (group < 1)
    return emitOpError() << "has a group of " << group
                         << " columns: at least 1 is needed";
  SmallVector<int64_t> perGroup{n, int64_t(llvm::divideCeil(k, group))};
  if (getScales().getType().getShape() != ArrayRef<int64_t>(perGroup))
    return emitOpError() << "has scales of type " << getScales().getType()
                         << ", but " << perGroup[0] << "x" << perGroup[1]
                         << " are needed for groups of " << group;
  if (Value offsets = getOffsets())
    if (cast<ShapedType>(offsets.getType()).getShape() !=
        ArrayRef<int64_t>(perGroup))
      return emitOpError() << "has offsets of type " << offsets.getType()
                           << ", but " << perGroup[0] << "x" << perGroup[1]
                           << " are needed for groups of " << group;
  if (Value permutation = getPermutation())
    if (cast<ShapedType>(permutation.getType()).getDimSize(0) != k)
      return emitOpError() << "has a permutation of type "
                           << permutation.getType() << " for " << k
                           << " columns";
  if (Value bias = getBias())
    if (cast<ShapedType>(bias.getType()).getDimSize(0) != n)
      return emitOpError() << "has a bias of type " << bias.getType() << " for "
                           << n << " rows";
  if (!isComputable(getMode()))
    return emitOpError()
           << "has mode `" << stringifyComputeMode(getMode())
           << "`, which no strategy computes yet: use `float`, `int` or `lut8`";
  if (failed(verifyActivations(*this)))
    return failure();
  return verifyFormat(*this, getMode(),
                      cast<QType>(codes.getElementType()).getNumberFormat());
}

LogicalResult MatmulOp::reifyResultShapes(OpBuilder &builder,
                                          ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back({tensor::getMixedSize(builder, getLoc(), getInput(), 0),
                    builder.getIndexAttr(getCodes().getType().getDimSize(0))});
  return success();
}

LogicalResult PackedMatmulOp::verify() {
  // Codes of i8 that are not arranged yet come with their scales.
  bool codes = !getActivation().empty() &&
               getElementTypeOrSelf(getActivation()[0].getType()).isInteger(8);
  size_t operands = getActivation().size(), prepared = getMinima() ? 2 : 1,
         given = codes && getMode() == ComputeMode::Int ? 2 : 1;
  if (getMode() == ComputeMode::Int)
    prepared = getConfig().getChunk() ? 4 : 3;
  if (getMode() == ComputeMode::Lut8)
    prepared = 4;
  if (operands != given && operands != prepared)
    return emitOpError()
           << "has " << operands << " activation operands in mode `"
           << stringifyComputeMode(getMode()) << "` with a chunk of "
           << getConfig().getChunk()
           << ": one is needed (or codes and scales), or in mode `int` three "
              "(codes, scales, sums), and pairs where there is a chunk, or in "
              "mode `lut8` four (tables, steps, negatives, sums)";
  if (getInputZeros() && !getSums())
    return emitOpError("takes zero points off its activations, for which the "
                       "records need `sums`");
  llvm::Expected<Format> format = Format::parse(getFormat());
  if (!format)
    return emitOpError() << llvm::toString(format.takeError());
  if (auto codebook = getCodebook()) {
    if (format->hasValues() || codebook->size() != format->numCodes() ||
        !llvm::all_of(*codebook, [](float v) { return std::isfinite(v); }))
      return emitOpError() << "has a code book of " << codebook->size()
                           << " entries for codes of " << format->str()
                           << ": 2^n finite ones of a codebook<n> are needed";
    format = Format::codebook(*codebook);
  }
  if (failed(verifyFormat(*this, getMode(), *format)))
    return failure();
  bool hasTable = getTable() != TableForm::None;
  if (format->isCodebook() && !hasTable && !format->hasValues())
    return emitOpError() << "has codes of " << format->str()
                         << ", but their values are neither in the records "
                            "(`table`) nor given (`codebook`)";
  if (getMode() == ComputeMode::Int && !format->hasValues())
    return emitOpError() << "has codes of " << format->str()
                         << " in mode `int` without their `codebook`";
  if (getMinima() && !getOffsetType())
    return emitOpError("has minima, but no `offset_type`");
  if (getSuper() < 0 || getSuper() % std::max<int64_t>(getGroup(), 1) != 0)
    return emitOpError() << "has super-blocks of " << getSuper()
                         << " columns, which do not hold whole groups of "
                         << getGroup();
  bool lut = getMode() == ComputeMode::Lut8;
  if (llvm::Expected<PanelFields> panel = (lut ? lutFields : panelFields)(
          getLayout().getLayout(), format->bits());
      !panel)
    return emitOpError() << "has a layout that no kernel reads: "
                         << llvm::toString(panel.takeError());
  int64_t rows = getRows(), columns = getColumns(), group = getGroup();
  if (rows < 1 || columns < 1 || group < 1)
    return emitOpError() << "is a product with " << rows << "x" << columns
                         << " in groups of " << group
                         << ": at least 1 of each is needed";
  if (getConfig().getChunk() == 0)
    return success();
  if (getMode() == ComputeMode::Float)
    return emitOpError("adds up chunks in mode `float`, which has none");
  int64_t longest = 4 * (lut ? format->exactPlaneSums(LutEntryMax)
                             : format->stored().exactPairs(getAmax()));
  if (getConfig().getChunk() > longest)
    return emitOpError() << "adds up chunks of " << getConfig().getChunk()
                         << " columns, but 16 bits hold " << longest
                         << " columns of " << format->str();
  return success();
}

LogicalResult
PackedMatmulOp::reifyResultShapes(OpBuilder &builder,
                                  ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(
      {tensor::getMixedSize(builder, getLoc(), getActivation()[0], 0),
       builder.getIndexAttr(getRows())});
  return success();
}
