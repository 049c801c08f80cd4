//===- RowOps.cpp - reductions over rows: verifiers and shapes ------------===//

#include "dialects/Mezzo/Mezzo.h"

using namespace mlir;
using namespace mezzo;

/// Input and output agree, and a per-column operand has one entry per column.
static LogicalResult verifyRow(Operation *op, ArrayRef<Value> perColumn) {
  auto input = cast<RankedTensorType>(op->getOperand(0).getType());
  if (input != op->getResult(0).getType())
    return op->emitOpError()
           << "maps " << input << " to " << op->getResult(0).getType()
           << ": the types must be equal";
  for (Value value : perColumn) {
    if (!value)
      continue;
    int64_t have = cast<ShapedType>(value.getType()).getDimSize(0),
            want = input.getDimSize(1);
    if (!ShapedType::isDynamic(have) && !ShapedType::isDynamic(want) &&
        have != want)
      return op->emitOpError()
             << "has " << have << " scales or biases for rows of " << want
             << " columns";
  }
  return success();
}

static LogicalResult reifyRow(Operation *op, OpBuilder &builder,
                              ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(
      tensor::getMixedSizes(builder, op->getLoc(), op->getOperand(0)));
  return success();
}

LogicalResult SoftmaxOp::verify() { return verifyRow(*this, {}); }
LogicalResult LayerNormOp::verify() {
  return verifyRow(*this, {getScale(), getBias()});
}
LogicalResult RmsNormOp::verify() { return verifyRow(*this, {getScale()}); }

LogicalResult
SoftmaxOp::reifyResultShapes(OpBuilder &builder,
                             ReifiedRankedShapedTypeDims &shapes) {
  return reifyRow(*this, builder, shapes);
}
LogicalResult
LayerNormOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &shapes) {
  return reifyRow(*this, builder, shapes);
}
LogicalResult
RmsNormOp::reifyResultShapes(OpBuilder &builder,
                             ReifiedRankedShapedTypeDims &shapes) {
  return reifyRow(*this, builder, shapes);
}
