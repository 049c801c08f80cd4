//===- TensorBuilder.h - tensor ops that know their sizes -----------------===//

#ifndef MEZZO_PASSES_FRONTEND_TENSORBUILDER_H
#define MEZZO_PASSES_FRONTEND_TENSORBUILDER_H

#include "passes/Frontend/Sizes.h"

#include "mlir/IR/BuiltinTypes.h"

namespace mezzo {

/// A tensor and its sizes, which say more than its type: what is `?` there is a
/// polynomial here.
struct SizedTensor {
  mlir::Value value;
  Sizes sizes;

  int64_t rank() const { return sizes.size(); }
  mlir::RankedTensorType type() const {
    return llvm::cast<mlir::RankedTensorType>(value.getType());
  }
  mlir::Type elementType() const { return type().getElementType(); }
};

/// The ops that all operator families are written in: element-wise with
/// broadcasting, movement, conversion. Each returns a tensor with its sizes,
/// emits nothing where nothing has to be done, and stays inside all buffers
/// when a check of sizes fails at run time.
class TensorBuilder {
public:
  TensorBuilder(mlir::ImplicitLocOpBuilder &b, SizeArithmetic &sizes)
      : b(b), sizes(sizes) {}

  /// How messages of run-time checks name the node at hand: "node 'x' (Add)".
  std::string subject;

  mlir::RankedTensorType typeOf(llvm::ArrayRef<Size> shape, mlir::Type element);
  /// Undefined contents; to be written.
  mlir::Value empty(llvm::ArrayRef<Size> shape, mlir::Type element);
  SizedTensor filled(llvm::ArrayRef<Size> shape, mlir::TypedAttr element);
  SizedTensor zeros(llvm::ArrayRef<Size> shape, mlir::Type element);
  /// A scalar (rank 0) or splat constant.
  SizedTensor splat(llvm::ArrayRef<int64_t> shape, mlir::TypedAttr element);

  using Body = llvm::function_ref<mlir::Value(mlir::ImplicitLocOpBuilder &,
                                              mlir::ValueRange)>;
  /// One linalg.generic over all inputs, broadcast against each other as numpy
  /// does. Precondition: broadcastSizes(inputs).
  SizedTensor elementwise(llvm::ArrayRef<SizedTensor> inputs,
                          mlir::Type element, Body body);
  /// The sizes of the result, with checks for what is not known to be equal;
  /// none where two sizes surely differ. Stretched is a size that is known to
  /// be 1, and one that is open (SizeArithmetic::isOpen) where it turns out to
  /// be.
  std::optional<Sizes> broadcastSizes(llvm::ArrayRef<Sizes> inputs);
  /// `x` stretched to exactly these sizes. Precondition as above, with the
  /// sizes as the second input.
  SizedTensor broadcastTo(SizedTensor x, llvm::ArrayRef<Size> shape);
  /// One element at a time: `body` gets the indices of the result.
  SizedTensor generate(llvm::ArrayRef<Size> shape, mlir::Type element,
                       Body body);

  /// The same elements in row-major order under other sizes. Precondition: the
  /// products do not surely differ; where they may, a check is emitted.
  SizedTensor reshape(SizedTensor x, llvm::ArrayRef<Size> shape);
  SizedTensor transpose(SizedTensor x, llvm::ArrayRef<int64_t> permutation);
  /// x[offset + i * stride], i < shape. Strides are positive; all of it lies
  /// inside x.
  SizedTensor slice(SizedTensor x, llvm::ArrayRef<Size> offsets,
                    llvm::ArrayRef<Size> shape,
                    llvm::ArrayRef<int64_t> strides = {});
  /// x in a larger tensor.
  SizedTensor insert(SizedTensor x, SizedTensor into,
                     llvm::ArrayRef<Size> offsets);
  /// x brought to sizes that were made by SizeArithmetic::unify: a part of it,
  /// or (after a failed check) padded with zeros.
  SizedTensor fit(SizedTensor x, llvm::ArrayRef<Size> shape);

  /// Between floating point types, rounding to nearest even.
  SizedTensor convertFloat(SizedTensor x, mlir::Type element);

private:
  Size broadcastOpen(Size lhs, Size rhs);
  SizedTensor stretchOpen(SizedTensor x, llvm::ArrayRef<Size> shape);
  SizedTensor expandOrCollapse(SizedTensor x, llvm::ArrayRef<Size> shape,
                               size_t prefix, size_t suffix);

  mlir::ImplicitLocOpBuilder &b;
  SizeArithmetic &sizes;
};

/// A scalar in another floating point type.
mlir::Value convertFloatScalar(mlir::ImplicitLocOpBuilder &b, mlir::Value x,
                               mlir::Type type);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_TENSORBUILDER_H
