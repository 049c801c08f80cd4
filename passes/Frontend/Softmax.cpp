//===- Softmax.cpp - LogSoftmax and Hardmax -------------------------------===//
//
// Softmax itself is a row operation (Normalization.cpp).
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/Reduce.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// The input as it is folded: before version 13 as a matrix, over everything
/// from the axis on; after, along one axis.
struct Folded {
  SizedTensor x;
  int64_t axis;
};

FailureOr<Folded> foldedInput(Node &node) {
  ElementType type = node.type(0);
  if (!isFloat(type) || type == ElementType::F64)
    return node.error() << "elements of type " << name(type)
                        << " are not supported here: use f32, f16 or bf16";
  bool coerced = node.opset() < 13;
  SizedTensor x = node.f32(0);
  FailureOr<int64_t> axis =
      node.axis(node.integer("axis", coerced ? 1 : -1), x.rank());
  if (failed(axis))
    return failure();
  if (!coerced)
    return Folded{x, *axis};
  ArrayRef<Size> sizes = x.sizes;
  Size rows = node.sizes.product(sizes.take_front(*axis)),
       columns = node.sizes.product(sizes.drop_front(*axis));
  return Folded{node.tensors.reshape(x, {rows, columns}), 1};
}

LogicalResult finish(Node &node, SizedTensor y) {
  y = node.tensors.reshape(y, node.in(0).sizes);
  return node.result(
      node.tensors.convertFloat(y, irType(node.b.getContext(), node.type(0))),
      node.type(0));
}

/// d - log(sum(exp(d))) with d = x - max.
LogicalResult importLogSoftmax(Node &node) {
  FailureOr<Folded> in = foldedInput(node);
  if (failed(in))
    return failure();
  ElementType element = ElementType::F32;
  auto map = [&](ArrayRef<SizedTensor> inputs, auto function) {
    return node.tensors.elementwise(
        inputs, node.b.getF32Type(),
        [&](ImplicitLocOpBuilder &b, ValueRange v) -> Value {
          ScalarBuilder scalars(b, b.getF32Type(), element);
          return function(scalars, v);
        });
  };
  SizedTensor most = reduceMax(node, in->x, {in->axis}, element);
  SizedTensor shifted = map(
      {in->x, most}, [](auto &s, ValueRange v) { return s.sub(v[0], v[1]); });
  SizedTensor powers =
      map({shifted}, [](auto &s, ValueRange v) { return s.exp(v[0]); });
  SizedTensor sum = reduceSum(node, powers, {in->axis}, element);
  return finish(node, map({shifted, sum}, [](auto &s, ValueRange v) {
                  return s.sub(v[0], s.log(v[1]));
                }));
}

/// 1 where the first maximum is, else 0.
LogicalResult importHardmax(Node &node) {
  FailureOr<Folded> in = foldedInput(node);
  if (failed(in))
    return failure();
  SizedTensor where = argExtreme(node, in->x, in->axis, ElementType::F32,
                                 /*greatest=*/true, /*last=*/false);
  SizedTensor y = node.tensors.generate(
      in->x.sizes, node.b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange indices) -> Value {
        SmallVector<Value> place(indices);
        place.erase(place.begin() + in->axis);
        Value at = tensor::ExtractOp::create(b, where.value, place);
        Value index =
            arith::IndexCastOp::create(b, b.getI64Type(), indices[in->axis]);
        ScalarBuilder s(b, b.getF32Type(), ElementType::F32);
        return s.select(
            arith::CmpIOp::create(b, arith::CmpIPredicate::eq, at, index),
            s.constant(1), s.constant(0));
      });
  return finish(node, y);
}

const OperatorRow rows[] = {
    {OnnxDomain, "LogSoftmax", 1, 1, 1, importLogSoftmax},
    {OnnxDomain, "Hardmax", 1, 1, 1, importHardmax},
};

} // namespace

ArrayRef<OperatorRow> mezzo::softmaxOperators() { return rows; }
