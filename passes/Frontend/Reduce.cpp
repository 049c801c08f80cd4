//===- Reduce.cpp - folding a tensor along some of its axes ---------------===//

#include "passes/Frontend/Reduce.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

constexpr int64_t Lanes = 16;

/// The fold of x along some axes into `init`, in row-major order of x. The
/// result has no dimensions for them.
SizedTensor foldInOrder(Node &node, SizedTensor x, ArrayRef<int64_t> axes,
                        ElementType element, SizedTensor init, Fold fold) {
  int64_t rank = x.rank();
  SmallVector<AffineExpr> kept;
  SmallVector<utils::IteratorType> loops;
  for (int64_t dim = 0; dim < rank; ++dim) {
    bool reduced = llvm::is_contained(axes, dim);
    loops.push_back(reduced ? utils::IteratorType::reduction
                            : utils::IteratorType::parallel);
    if (!reduced)
      kept.push_back(node.b.getAffineDimExpr(dim));
  }
  SmallVector<AffineMap> maps{
      node.b.getMultiDimIdentityMap(rank),
      AffineMap::get(rank, 0, kept, node.b.getContext())};
  auto generic = linalg::GenericOp::create(
      node.b, init.type(), ValueRange{x.value}, ValueRange{init.value}, maps,
      loops, [&](OpBuilder &builder, Location loc, ValueRange elements) {
        ImplicitLocOpBuilder b(loc, builder);
        ScalarBuilder scalars(b, elements[0].getType(), element);
        Value next = fold.step(scalars, elements[1], elements[0]);
        linalg::YieldOp::create(b, next);
      });
  return {generic.getResult(0), init.sizes};
}

/// Rows of a matrix, folded in 16 lanes.
//
//   x[r, 40]
//   -->
//   lanes[r, 16]  = fold of x[r, 0:32] as [r, 2, 16] along the middle
//   lanes[r, 0:8] = step(lanes[r, 0:8], x[r, 32:40])
//   lanes[r, 0:8] = step(lanes[r, 0:8], lanes[r, 8:16]), then 4, 2, 1
SizedTensor foldRows(Node &node, SizedTensor x, ElementType element,
                     Fold fold) {
  SizeArithmetic &sizes = node.sizes;
  Size rows = x.sizes[0], columns = x.sizes[1], zero = sizes.constant(0),
       width = sizes.constant(Lanes);
  auto combine = [&](SizedTensor left, SizedTensor right) {
    return node.tensors.elementwise(
        {left, right}, x.elementType(),
        [&](ImplicitLocOpBuilder &b, ValueRange elements) {
          ScalarBuilder scalars(b, x.elementType(), element);
          return fold.step(scalars, elements[0], elements[1]);
        });
  };
  Size blocks = sizes.divide(columns, width),
       whole = sizes.multiply(blocks, width),
       rest = sizes.subtract(columns, whole);
  SizedTensor lanes = node.tensors.filled({rows, width}, fold.start);
  if (getConstantIntValue(blocks) != 0) {
    SizedTensor body =
        node.tensors.reshape(node.tensors.slice(x, {zero, zero}, {rows, whole}),
                             {rows, blocks, width});
    lanes = foldInOrder(node, body, {1}, element, lanes, fold);
  }
  if (getConstantIntValue(rest) != 0) {
    SizedTensor tail = node.tensors.slice(x, {zero, whole}, {rows, rest});
    SizedTensor some = node.tensors.slice(lanes, {zero, zero}, {rows, rest});
    lanes = node.tensors.insert(combine(some, tail), lanes, {zero, zero});
  }
  for (int64_t step = Lanes / 2; step > 0; step /= 2) {
    Sizes half{rows, sizes.constant(step)};
    lanes =
        combine(node.tensors.slice(lanes, {zero, zero}, half),
                node.tensors.slice(lanes, {zero, sizes.constant(step)}, half));
  }
  return node.tensors.reshape(lanes, {rows});
}

} // namespace

SizedTensor mezzo::reduce(Node &node, SizedTensor x, ArrayRef<int64_t> axes,
                          ElementType element, Fold fold) {
  int64_t rank = x.rank(), last = rank;
  Sizes result = x.sizes;
  for (int64_t axis : axes)
    result[axis] = node.sizes.constant(1);
  while (last > 0 && llvm::is_contained(axes, last - 1))
    --last;
  SmallVector<int64_t> outer;
  for (int64_t axis : axes)
    if (axis < last)
      outer.push_back(axis);
  if (last < rank && isa<FloatType>(x.elementType())) {
    Sizes front(x.sizes.begin(), x.sizes.begin() + last);
    SizedTensor matrix = node.tensors.reshape(
        x, {node.sizes.product(front),
            node.sizes.product(ArrayRef<Size>(x.sizes).drop_front(last))});
    x = node.tensors.reshape(foldRows(node, matrix, element, fold), front);
    // As rows without columns would: the dimensions are there, and 1.
    axes = outer;
  }
  if (!axes.empty()) {
    Sizes kept;
    for (int64_t dim = 0; dim < x.rank(); ++dim)
      if (!llvm::is_contained(axes, dim))
        kept.push_back(x.sizes[dim]);
    x = foldInOrder(node, x, axes, element,
                    node.tensors.filled(kept, fold.start), fold);
  }
  return node.tensors.reshape(x, result);
}

TypedAttr mezzo::extreme(OpBuilder &b, Type type, ElementType element,
                         bool greatest) {
  if (auto floating = dyn_cast<FloatType>(type))
    return b.getFloatAttr(floating,
                          llvm::APFloat::getInf(floating.getFloatSemantics(),
                                                /*Negative=*/!greatest));
  unsigned bits = type.getIntOrFloatBitWidth();
  APInt value =
      isSignedInteger(element)
          ? (greatest ? APInt::getSignedMaxValue(bits)
                      : APInt::getSignedMinValue(bits))
          : (greatest ? APInt::getMaxValue(bits) : APInt::getMinValue(bits));
  return b.getIntegerAttr(type, value);
}

SizedTensor mezzo::reduceSum(Node &node, SizedTensor x, ArrayRef<int64_t> axes,
                             ElementType element) {
  return reduce(node, x, axes, element,
                {cast<TypedAttr>(node.b.getZeroAttr(x.elementType())),
                 [](ScalarBuilder &s, Value sum, Value next) {
                   return s.add(sum, next);
                 }});
}

SizedTensor mezzo::reduceMax(Node &node, SizedTensor x, ArrayRef<int64_t> axes,
                             ElementType element) {
  return reduce(node, x, axes, element,
                {extreme(node.b, x.elementType(), element, false),
                 [](ScalarBuilder &s, Value most, Value next) {
                   return s.max(most, next);
                 }});
}

Value mezzo::countAsFloat(Node &node, ArrayRef<Size> sizes,
                          ArrayRef<int64_t> axes, Type type) {
  Size count = node.sizes.constant(1);
  for (int64_t axis : axes)
    count = node.sizes.multiply(count, sizes[axis]);
  if (std::optional<int64_t> known = getConstantIntValue(count))
    return arith::ConstantOp::create(node.b,
                                     node.b.getFloatAttr(type, double(*known)));
  Value integer = arith::IndexCastOp::create(node.b, node.b.getI64Type(),
                                             node.sizes.value(count));
  return arith::SIToFPOp::create(node.b, type, integer);
}

SizedTensor mezzo::dropAxes(Node &node, SizedTensor x, ArrayRef<int64_t> axes) {
  Sizes kept;
  for (int64_t dim = 0; dim < x.rank(); ++dim)
    if (!llvm::is_contained(axes, dim))
      kept.push_back(x.sizes[dim]);
  return node.tensors.reshape(x, kept);
}
