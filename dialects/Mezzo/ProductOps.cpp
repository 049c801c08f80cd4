//===- ProductOps.cpp - products: verifiers and shapes --------------------===//

#include "dialects/Mezzo/Mezzo.h"

#include "lib/Layout/LutPanel.h"

using namespace mlir;
using namespace mezzo;

std::optional<std::string> mezzo::refusalOf(ComputeMode mode,
                                            const Format &format) {
  if (!format.isInteger())
    return "codes of format " + format.str() +
           ", which no strategy computes yet: use an integer format of 1 to 8 "
           "bits";
  if (mode == ComputeMode::Lut8 && format.bits() > MostLutBits)
    return "codes of format " + format.str() +
           " in mode `lut8`, whose time grows with the bits: it takes formats "
           "of at most " +
           std::to_string(MostLutBits) + " bits; use mode `int`";
  return std::nullopt;
}

static LogicalResult verifyFormat(Operation *op, ComputeMode mode,
                                  const Format &format) {
  if (std::optional<std::string> refusal = refusalOf(mode, format))
    return op->emitOpError() << "has " << *refusal;
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
  size_t operands = getActivation().size(), prepared = 1;
  if (getMode() == ComputeMode::Int)
    prepared = getConfig().getChunk() ? 4 : 3;
  if (getMode() == ComputeMode::Lut8)
    prepared = 4;
  if (operands != 1 && operands != prepared)
    return emitOpError()
           << "has " << operands << " activation operands in mode `"
           << stringifyComputeMode(getMode()) << "` with a chunk of "
           << getConfig().getChunk()
           << ": one is needed, or in mode `int` three (codes, scales, sums), "
              "and pairs where there is a chunk, or in mode `lut8` four "
              "(tables, steps, negatives, sums)";
  llvm::Expected<Format> format = Format::parse(getFormat());
  if (!format)
    return emitOpError() << llvm::toString(format.takeError());
  if (failed(verifyFormat(*this, getMode(), *format)))
    return failure();
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
  int64_t longest = 4 * (lut ? format->exactPlaneSums(LutEntryMax)
                             : format->stored().exactPairs(ActivationMax));
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
