//===- QuantOps.cpp - quantize, dequantize: verifiers and shapes ----------===//

#include "dialects/Mezzo/Mezzo.h"

using namespace mlir;
using namespace mezzo;

/// The sizes of a ranked value as attributes where static, `tensor.dim` where
/// not.
static SmallVector<OpFoldResult> sizesOf(OpBuilder &builder, Location loc,
                                         Value value) {
  return tensor::getMixedSizes(builder, loc, value);
}

/// Scales of Q/DQ: a scalar, a vector along the axis, or blocks of `block`
/// elements along it.
static LogicalResult verifyScales(Operation *op, ShapedType input,
                                  ShapedType scales, Value zeros, int64_t axis,
                                  int64_t block) {
  int64_t rank = input.getRank();
  if (zeros &&
      cast<ShapedType>(zeros.getType()).getShape() != scales.getShape())
    return op->emitOpError() << "has zero points of type " << zeros.getType()
                             << " beside scales of type " << scales
                             << ": their shapes must be equal";
  if (scales.getRank() == 0)
    return success();
  if (rank == 0)
    return op->emitOpError() << "has scales of type " << scales
                             << " for a scalar: use a scalar scale";
  if (axis < 0 || axis >= rank)
    return op->emitOpError()
           << "has axis " << axis << ", but the input has rank " << rank
           << ": use 0.." << rank - 1;
  if (block < 0)
    return op->emitOpError() << "has a block of " << block
                             << ": use the length of a block, or 0 for none";
  if (block == 0) {
    if (scales.getRank() != 1)
      return op->emitOpError() << "has scales of rank " << scales.getRank()
                               << ": without a block they are a scalar or a "
                                  "vector along the axis";
    int64_t slices = input.getDimSize(axis), have = scales.getDimSize(0);
    if (!ShapedType::isDynamic(slices) && !ShapedType::isDynamic(have) &&
        have != slices)
      return op->emitOpError() << "has " << have << " scales for " << slices
                               << " slices along axis " << axis;
    return success();
  }
  if (scales.getRank() != rank)
    return op->emitOpError()
           << "has a block of " << block << ", so its scales must have rank "
           << rank << ", not " << scales.getRank();
  for (int64_t dim = 0; dim < rank; ++dim) {
    int64_t extent = input.getDimSize(dim), have = scales.getDimSize(dim);
    if (ShapedType::isDynamic(extent) || ShapedType::isDynamic(have))
      continue;
    int64_t want =
        dim == axis ? int64_t(llvm::divideCeil(extent, block)) : extent;
    if (have != want)
      return op->emitOpError()
             << "has " << have << " scales along dimension " << dim << ", but "
             << want << " are needed for " << extent << " elements";
  }
  return success();
}

LogicalResult QuantizeOp::verify() {
  if (getInput().getType().getShape() !=
      cast<ShapedType>(getOutput().getType()).getShape())
    return emitOpError() << "maps " << getInput().getType() << " to "
                         << getOutput().getType()
                         << ": the shapes must be equal";
  return verifyScales(*this, getInput().getType(), getScales().getType(),
                      getZeros(), getAxis(), getBlock());
}

LogicalResult DequantizeOp::verify() {
  if (cast<ShapedType>(getInput().getType()).getShape() !=
      getOutput().getType().getShape())
    return emitOpError() << "maps " << getInput().getType() << " to "
                         << getOutput().getType()
                         << ": the shapes must be equal";
  return verifyScales(*this, cast<ShapedType>(getInput().getType()),
                      getScales().getType(), getZeros(), getAxis(), getBlock());
}

LogicalResult
QuantizeOp::reifyResultShapes(OpBuilder &builder,
                              ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(sizesOf(builder, getLoc(), getInput()));
  return success();
}

LogicalResult
DequantizeOp::reifyResultShapes(OpBuilder &builder,
                                ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(sizesOf(builder, getLoc(), getInput()));
  return success();
}

LogicalResult DynamicQuantizeOp::verify() {
  for (Value result : {getCodes(), getZero()}) {
    auto code = dyn_cast<QType>(getElementTypeOrSelf(result.getType()));
    if (code ? code.getFormat() != "uint8"
             : !getElementTypeOrSelf(result.getType()).isInteger(8))
      return emitOpError() << "makes " << result.getType()
                           << ": codes and zero point are of format uint8";
  }
  auto zero = cast<ShapedType>(getZero().getType());
  if (zero.getRank() != 0 ||
      cast<ShapedType>(getCodes().getType()).getShape() !=
          cast<ShapedType>(getInput().getType()).getShape())
    return emitOpError() << "maps " << getInput().getType() << " to "
                         << getCodes().getType() << " and " << zero
                         << ": the codes have the shape of the input, and the "
                            "zero point is a scalar";
  return success();
}

LogicalResult
DynamicQuantizeOp::reifyResultShapes(OpBuilder &builder,
                                     ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(sizesOf(builder, getLoc(), getInput()));
  shapes.resize(3);
  return success();
}

/// Codes, sums and perhaps pairs as products read them.
template <typename Op>
static LogicalResult verifyArranged(Op op) {
  int64_t columns = op.getInput().getType().getDimSize(1),
          group = op.getGroup();
  if (ShapedType::isDynamic(columns))
    return op.emitOpError(
        "needs a static number of columns: groups of the weight "
        "are counted along them");
  if (group < 1)
    return op.emitOpError()
           << "has a group of " << group << " columns: at least 1 is needed";
  int64_t groups = llvm::divideCeil(columns, group), chunk = op.getChunk();
  if (chunk < 0 || chunk % 4 != 0)
    return op.emitOpError() << "has chunks of " << chunk
                            << " columns: use a multiple of 4, or 0 for none";
  int64_t length = quantizedRowLength(columns, group);
  if (op.getCodes().getType().getDimSize(1) != length)
    return op.emitOpError()
           << "has " << op.getCodes().getType().getDimSize(1)
           << " columns of codes, but " << groups << " groups of "
           << padToFour(group) << " take " << length;
  if (op.getSums().getType().getDimSize(1) != groups)
    return op.emitOpError() << "has " << op.getSums().getType().getDimSize(1)
                            << " sums a row for " << groups << " groups";
  int64_t pairs = op.getPairs()
                      ? cast<ShapedType>(op.getPairs().getType()).getDimSize(1)
                      : 0;
  int64_t chunks =
      chunk ? groups * int64_t(llvm::divideCeil(padToFour(group), chunk)) : 0;
  if (pairs != chunks || bool(op.getPairs()) != (chunk != 0))
    return op.emitOpError()
           << "has " << pairs << " pairs a row for " << chunks << " chunks";
  return success();
}

LogicalResult QuantizeRowsOp::verify() {
  if (failed(verifyArranged(*this)))
    return failure();
  int64_t block = getBlock(), group = getGroup();
  if (block < 0 || block % group != 0)
    return emitOpError() << "has a scale for " << block
                         << " columns, which is no multiple of its group of "
                         << group;
  RankedTensorType scales = getScales().getType();
  SmallVector<int64_t> wanted{getInput().getType().getDimSize(0)};
  if (block)
    wanted.push_back(
        llvm::divideCeil(getInput().getType().getDimSize(1), group));
  if (scales.getShape() != ArrayRef<int64_t>(wanted))
    return emitOpError() << "has scales of type " << scales << ", but one "
                         << (block ? "for each row and group" : "for each row")
                         << " is needed";
  return success();
}

LogicalResult ArrangeRowsOp::verify() { return verifyArranged(*this); }

LogicalResult LutBuildOp::verify() {
  int64_t columns = getInput().getType().getDimSize(1), group = getGroup();
  if (ShapedType::isDynamic(columns))
    return emitOpError("needs a static number of columns: groups of the weight "
                       "are counted along them");
  if (group < 1)
    return emitOpError() << "has a group of " << group
                         << " columns: at least 1 is needed";
  int64_t groups = llvm::divideCeil(columns, group),
          length = lutRowLength(columns, group);
  if (getTables().getType().getDimSize(1) != length)
    return emitOpError() << "has " << getTables().getType().getDimSize(1)
                         << " bytes of tables a row, but " << groups
                         << " groups of " << padToFour(group) / 4
                         << " tables take " << length;
  for (Value perGroup : {getSteps(), getNegatives(), getSums()})
    if (int64_t have = cast<ShapedType>(perGroup.getType()).getDimSize(1);
        have != groups)
      return emitOpError() << "has " << have
                           << " steps, negatives or sums a row for " << groups
                           << " groups";
  return success();
}

LogicalResult GroupSumsOp::verify() {
  int64_t columns = getInput().getType().getDimSize(1), group = getGroup();
  if (ShapedType::isDynamic(columns))
    return emitOpError("needs a static number of columns: groups of the weight "
                       "are counted along them");
  if (group < 1)
    return emitOpError() << "has a group of " << group
                         << " columns: at least 1 is needed";
  int64_t groups = llvm::divideCeil(columns, group),
          have = getSums().getType().getDimSize(1);
  if (have != groups)
    return emitOpError() << "has " << have << " sums a row for " << groups
                         << " groups";
  return success();
}

/// Results of an op on rows: as many rows as the input has, and their static
/// width.
static LogicalResult reifyPerRow(OpBuilder &builder, Operation *op,
                                 ReifiedRankedShapedTypeDims &shapes) {
  OpFoldResult rows = sizesOf(builder, op->getLoc(), op->getOperand(0))[0];
  for (Type type : op->getResultTypes()) {
    auto shaped = cast<ShapedType>(type);
    shapes.push_back({rows});
    if (shaped.getRank() == 2)
      shapes.back().push_back(builder.getIndexAttr(shaped.getDimSize(1)));
  }
  return success();
}

LogicalResult
QuantizeRowsOp::reifyResultShapes(OpBuilder &builder,
                                  ReifiedRankedShapedTypeDims &shapes) {
  return reifyPerRow(builder, *this, shapes);
}

LogicalResult
ArrangeRowsOp::reifyResultShapes(OpBuilder &builder,
                                 ReifiedRankedShapedTypeDims &shapes) {
  return reifyPerRow(builder, *this, shapes);
}

LogicalResult
LutBuildOp::reifyResultShapes(OpBuilder &builder,
                              ReifiedRankedShapedTypeDims &shapes) {
  return reifyPerRow(builder, *this, shapes);
}

LogicalResult
GroupSumsOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &shapes) {
  return reifyPerRow(builder, *this, shapes);
}
