//===- FloatQuantization.cpp - Quantize- and DequantizeLinear of f8, f4 ---===//

#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Scalars.h"
#include "passes/Frontend/SmallFloats.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// One scale per element of x: scales of one element, along an axis, or of
/// blocks along it, read where they are needed.
FailureOr<SizedTensor> scaleOfEach(Node &node) {
  ElementType type = node.type(1);
  if (!isFloat(type) || type == ElementType::F64)
    return node.error() << "its scales are of type " << name(type)
                        << ": use f32, f16, bf16 or f8e8m0";
  SizedTensor scales = node.f32(1);
  Sizes shape = node.in(0).sizes;
  int64_t rank = shape.size(), block = node.integer("block_size", 0);
  if (node.sizes.surelyEqual(node.sizes.product(scales.sizes),
                             node.sizes.constant(1)) &&
      scales.rank() <= 1)
    return node.tensors.reshape(scales, {});
  FailureOr<int64_t> axis = node.axis(node.integer("axis", 1), rank);
  if (failed(axis))
    return failure();
  if (block == 0) {
    Sizes along(rank - *axis, node.sizes.constant(1));
    along[0] = shape[*axis];
    return node.tensors.reshape(scales, along);
  }
  Sizes blocks = shape;
  blocks[*axis] =
      node.sizes.ceilDivide(shape[*axis], std::max<int64_t>(block, 1));
  if (block < 0 || scales.rank() != rank)
    return node.error() << "its blocks have " << block
                        << " elements and its scales the shape "
                        << describe(scales.sizes) << ", but "
                        << describe(blocks) << " is needed";
  scales = node.tensors.fit(scales, blocks);
  Value length = node.sizes.value(node.sizes.constant(block));
  return node.tensors.generate(
      shape, scales.elementType(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        SmallVector<Value> place(at);
        place[*axis] = arith::DivUIOp::create(b, at[*axis], length);
        return tensor::ExtractOp::create(b, scales.value, place);
      });
}

} // namespace

/// The code of x / scale. A zero point can only be 0 (it names the type).
LogicalResult mezzo::importQuantizeToFloat(Node &node, ElementType type) {
  FailureOr<SizedTensor> scale = scaleOfEach(node);
  if (failed(scale))
    return failure();
  SmallFloatRounding rounding;
  rounding.saturate = node.integer("saturate", 1) != 0;
  SizedTensor y = node.tensors.elementwise(
      {node.f32(0), *scale}, node.b.getI8Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange x) -> Value {
        Value quotient = arith::DivFOp::create(b, x[0], x[1]);
        return encodeSmallFloat(b, quotient, type, rounding);
      });
  return node.result(y, type);
}

LogicalResult mezzo::importDequantizeFloat(Node &node) {
  FailureOr<SizedTensor> scale = scaleOfEach(node);
  if (failed(scale))
    return failure();
  llvm::Expected<ElementType> declared = elementType(
      node.integer("output_dtype", 0) ? node.integer("output_dtype", 0)
                                      : int64_t(node.type(1)));
  if (!declared)
    return node.error(declared.takeError());
  ElementType type =
      *declared == ElementType::F8E8M0 ? ElementType::F32 : *declared;
  SizedTensor y = node.tensors.elementwise(
      {node.f32(0), *scale}, node.b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange x) -> Value {
        return arith::MulFOp::create(b, x[0], x[1]);
      });
  return node.result(
      node.tensors.convertFloat(y, irType(node.b.getContext(), type)), type);
}
