//===- WindowOps.cpp - unquantized products and windows -------------------===//

#include "dialects/Mezzo/Mezzo.h"

using namespace mlir;
using namespace mezzo;

/// Whether two sizes may be equal at run time.
static bool compatible(int64_t a, int64_t b) {
  return a == b || ShapedType::isDynamic(a) || ShapedType::isDynamic(b);
}

//===----------------------------------------------------------------------===//
// dense_matmul
//===----------------------------------------------------------------------===//

LogicalResult DenseMatmulOp::verify() {
  ShapedType x = getLhs().getType(), w = getRhs().getType(),
             y = getOutput().getType();
  if (x.getRank() != 3 || w.getRank() != 3 || y.getRank() != 3)
    return emitOpError() << "multiplies " << x << " and " << w << " to " << y
                         << ": all three must be batches of matrices";
  if (x.getElementType() != w.getElementType() ||
      x.getElementType() != y.getElementType())
    return emitOpError() << "multiplies " << x << " and " << w << " to " << y
                         << ": the elements must be of one type";
  int64_t batch = x.getDimSize(0) == 1 ? w.getDimSize(0) : x.getDimSize(0);
  bool batches = x.getDimSize(0) == 1 || w.getDimSize(0) == 1 ||
                 compatible(x.getDimSize(0), w.getDimSize(0));
  if (!batches || !compatible(x.getDimSize(2), w.getDimSize(1)) ||
      y.getDimSize(1) != x.getDimSize(1) ||
      y.getDimSize(2) != w.getDimSize(2) || !compatible(y.getDimSize(0), batch))
    return emitOpError() << "multiplies " << x << " and " << w << " to " << y
                         << ": the sizes do not follow";
  return success();
}

LogicalResult
DenseMatmulOp::reifyResultShapes(OpBuilder &builder,
                                 ReifiedRankedShapedTypeDims &shapes) {
  auto size = [&](Value value, int64_t dim) {
    return tensor::getMixedSize(builder, getLoc(), value, dim);
  };
  bool single = cast<ShapedType>(getLhs().getType()).getDimSize(0) == 1;
  shapes.push_back({size(single ? getRhs() : getLhs(), 0), size(getLhs(), 1),
                    size(getRhs(), 2)});
  return success();
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

/// What conv and pool have in common: one number of everything per dimension.
template <typename Op>
static LogicalResult verifyWindow(Op op) {
  auto input = cast<ShapedType>(op.getInput().getType());
  int64_t dims = input.getRank() - 2;
  if (dims < 1 || dims > 3)
    return op.emitOpError() << "reads " << input
                            << ": images have one to three spatial dimensions";
  for (auto [what, count] :
       {std::pair("sizes of the kernel", int64_t(op.getKernel().size())),
        std::pair("pads", int64_t(op.getPads().size())),
        std::pair("strides", int64_t(op.getStrides().size())),
        std::pair("dilations", int64_t(op.getDilations().size()))})
    if (count != dims)
      return op.emitOpError() << "has " << count << " " << what << " for "
                              << dims << " spatial dimensions";
  for (int64_t step :
       llvm::concat<const int64_t>(op.getStrides(), op.getDilations()))
    if (step < 1)
      return op.emitOpError() << "has a stride or dilation of " << step
                              << ": at least 1 is needed";
  auto output = cast<ShapedType>(op.getOutput().getType());
  if (op.getInit().getType() != output)
    return op.emitOpError() << "has the result " << output
                            << ", but init gives " << op.getInit().getType();
  if (output.getRank() != input.getRank() ||
      !compatible(input.getDimSize(0), output.getDimSize(0)))
    return op.emitOpError() << "maps " << input << " to " << output
                            << ": the sizes do not follow";
  return success();
}

template <typename Op>
static LogicalResult reifyWindow(Op op, OpBuilder &builder,
                                 ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(builder, op.getLoc(), op.getInit()));
  return success();
}

LogicalResult ConvOp::verify() {
  if (failed(verifyWindow(*this)))
    return failure();
  ShapedType x = getInput().getType(), w = getWeight().getType(),
             y = getOutput().getType();
  if (x.getElementType() != w.getElementType() ||
      x.getElementType() != y.getElementType() || w.getRank() != 2 ||
      !compatible(w.getDimSize(0), y.getDimSize(1)))
    return emitOpError() << "has the weight " << w << " for " << x << " and "
                         << y << ": [M, taps * channels] is needed";
  if (getGroups() < 1)
    return emitOpError() << "has " << getGroups()
                         << " groups: at least 1 is needed";
  if (Value bias = getBias()) {
    auto type = cast<ShapedType>(bias.getType());
    if (type.getRank() != 1 || !compatible(type.getDimSize(0), w.getDimSize(0)))
      return emitOpError() << "has the bias " << type << " for " << w
                           << ": one number per row is needed";
  }
  return success();
}

LogicalResult ConvOp::reifyResultShapes(OpBuilder &builder,
                                        ReifiedRankedShapedTypeDims &shapes) {
  return reifyWindow(*this, builder, shapes);
}

LogicalResult PoolOp::verify() {
  if (failed(verifyWindow(*this)))
    return failure();
  ShapedType x = getInput().getType(),
             y = cast<ShapedType>(getOutput().getType());
  bool places = getKind() == PoolKind::Argmax;
  if (y.getElementType() !=
      (places ? IntegerType::get(getContext(), 64) : x.getElementType()))
    return emitOpError()
           << "makes " << y << " of " << x
           << ": argmax gives i64, other kinds the type that they "
              "read";
  if (getKind() == PoolKind::Average && !isa<FloatType>(x.getElementType()))
    return emitOpError() << "averages " << x << ": only floats have an average";
  int64_t margins = getKind() == PoolKind::Average ? 2 * (x.getRank() - 2) : 0;
  if (int64_t(getMargins().size()) != margins)
    return emitOpError() << "has " << getMargins().size() << " margins, but "
                         << margins << " are needed";
  if (!compatible(x.getDimSize(1), y.getDimSize(1)))
    return emitOpError() << "maps " << x << " to " << y
                         << ": the sizes do not follow";
  return success();
}

LogicalResult PoolOp::reifyResultShapes(OpBuilder &builder,
                                        ReifiedRankedShapedTypeDims &shapes) {
  return reifyWindow(*this, builder, shapes);
}

//===----------------------------------------------------------------------===//
// sized
//===----------------------------------------------------------------------===//

LogicalResult SizedOp::verify() {
  int64_t dynamic = cast<ShapedType>(getInput().getType()).getNumDynamicDims();
  if (int64_t(getSizes().size()) != dynamic)
    return emitOpError() << "has " << getSizes().size() << " sizes for "
                         << getInput().getType() << ": " << dynamic
                         << " are needed";
  return success();
}

LogicalResult SizedOp::reifyResultShapes(OpBuilder &builder,
                                         ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> sizes;
  unsigned next = 0;
  for (int64_t size : cast<ShapedType>(getInput().getType()).getShape())
    sizes.push_back(ShapedType::isDynamic(size)
                        ? OpFoldResult(getSizes()[next++])
                        : builder.getIndexAttr(size));
  shapes.push_back(std::move(sizes));
  return success();
}
