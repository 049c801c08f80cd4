//===- Reduce.h - folding a tensor along some of its axes -------*- C++ -*-===//

#ifndef MEZZO_PASSES_FRONTEND_REDUCE_H
#define MEZZO_PASSES_FRONTEND_REDUCE_H

#include "passes/Frontend/Node.h"
#include "passes/Frontend/Scalars.h"

namespace mezzo {

/// A fold: where it starts, and a step.
struct Fold {
  mlir::TypedAttr start;
  llvm::function_ref<mlir::Value(ScalarBuilder &, mlir::Value, mlir::Value)>
      step;
};

/// x folded along `axes` (sorted, distinct), which become 1.
///
/// The order is part of the meaning (docs/numbers.md). Axes at the end are
/// rows: lane j of 16 folds the elements i = j mod 16 ascending, then lanes
/// l += l + 8, + 4, + 2, + 1, as lib/Golden/Rows.h has it. What those leave, or
/// all where the last axis stays, is folded ascending in row-major order.
/// Integers, and folds that choose (minimum, maximum), have no order to keep.
SizedTensor reduce(Node &node, SizedTensor x, llvm::ArrayRef<int64_t> axes,
                   ElementType element, Fold fold);

/// Sum, in the element type of x.
SizedTensor reduceSum(Node &node, SizedTensor x, llvm::ArrayRef<int64_t> axes,
                      ElementType element);
/// Maximum; NaN if there is one; of no elements the least number.
SizedTensor reduceMax(Node &node, SizedTensor x, llvm::ArrayRef<int64_t> axes,
                      ElementType element);

/// The least or the greatest number of a type, infinities included.
mlir::TypedAttr extreme(mlir::OpBuilder &b, mlir::Type type,
                        ElementType element, bool greatest);

/// How many elements each result is folded from, as a scalar of type f32 or
/// f64.
mlir::Value countAsFloat(Node &node, llvm::ArrayRef<Size> sizes,
                         llvm::ArrayRef<int64_t> axes, mlir::Type type);

/// Where along `axis` the greatest (or least) element is, as i64: the first of
/// equal ones, or the last. NaN beats all. The result has no such axis.
SizedTensor argExtreme(Node &node, SizedTensor x, int64_t axis,
                       ElementType element, bool greatest, bool last);

/// x without the dimensions `axes`, which are 1.
SizedTensor dropAxes(Node &node, SizedTensor x, llvm::ArrayRef<int64_t> axes);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_REDUCE_H
