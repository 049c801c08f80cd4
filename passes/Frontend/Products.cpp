//===- Products.cpp - MatMul and Gemm -------------------------------------===//
//
// Products of tensors become linalg contractions in f32. Where the right
// operand is a dequantized weight, a later pass (mezzo-form-matmul) makes a
// quantized product of them.
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/FoldedConstants.h"
#include "passes/Frontend/Pointwise.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// Both operands of a product are of one floating point type of at most 32
/// bits.
LogicalResult checkTypes(Node &node) {
  ElementType type = node.type(0);
  if (type != node.type(1))
    return node.error() << "its operands are of types " << name(type) << " and "
                        << name(node.type(1))
                        << ", but must be of one type; insert a Cast";
  if (!isFloat(type) || isSmallFloat(type) || type == ElementType::F64)
    return node.error() << "products of type " << name(type)
                        << " are not supported: use f32, f16 or bf16";
  return success();
}

/// Two sizes that the operator says are equal.
LogicalResult checkInner(Node &node, Size left, Size right) {
  if (node.sizes.equal(left, right) == std::optional<bool>(false))
    return node.error() << "it multiplies rows of " << describe(left)
                        << " by columns of " << describe(right)
                        << "; check the shapes of its inputs";
  return success();
}

/// x[M, K] * w[K, N].
SizedTensor multiply(Node &node, SizedTensor x, SizedTensor w) {
  Size inner = node.sizes.unify(x.sizes[1], w.sizes[0],
                                node.subject() +
                                    ": the inner sizes of its operands differ");
  x = node.tensors.fit(x, {x.sizes[0], inner});
  w = node.tensors.fit(w, {inner, w.sizes[1]});
  SizedTensor init =
      node.tensors.zeros({x.sizes[0], w.sizes[1]}, node.b.getF32Type());
  Value y = linalg::MatmulOp::create(node.b, TypeRange{init.value.getType()},
                                     ValueRange{x.value, w.value},
                                     ValueRange{init.value})
                .getResult(0);
  return {y, init.sizes};
}

/// x[B, M, K] * w[B, K, N].
SizedTensor multiplyBatches(Node &node, SizedTensor x, SizedTensor w) {
  SizedTensor init = node.tensors.zeros({x.sizes[0], x.sizes[1], w.sizes[2]},
                                        node.b.getF32Type());
  Value y = linalg::BatchMatmulOp::create(
                node.b, TypeRange{init.value.getType()},
                ValueRange{x.value, w.value}, ValueRange{init.value})
                .getResult(0);
  return {y, init.sizes};
}

LogicalResult finish(Node &node, SizedTensor y, ArrayRef<Size> shape) {
  y = node.tensors.reshape(y, shape);
  return node.result(
      node.tensors.convertFloat(y, irType(node.b.getContext(), node.type(0))),
      node.type(0));
}

LogicalResult importMatMul(Node &node) {
  if (failed(checkTypes(node)))
    return failure();
  SizedTensor x = node.f32(0), w = node.f32(1);
  if (x.rank() == 0 || w.rank() == 0)
    return node.error() << "it multiplies a scalar; use Mul";
  // Vectors are matrices for the time of the product.
  bool rowVector = x.rank() == 1, columnVector = w.rank() == 1;
  if (rowVector)
    x = node.tensors.reshape(x, {node.sizes.constant(1), x.sizes[0]});
  if (columnVector)
    w = node.tensors.reshape(w, {w.sizes[0], node.sizes.constant(1)});
  Size m = x.sizes[x.rank() - 2], k = x.sizes.back(), n = w.sizes.back();
  if (failed(checkInner(node, k, w.sizes[w.rank() - 2])))
    return failure();
  Sizes batch(x.sizes.begin(), x.sizes.end() - 2), shape;
  SizedTensor y;
  if (w.rank() == 2) {
    shape = batch;
    Size rows = node.sizes.multiply(node.sizes.product(batch), m);
    y = multiply(node, node.tensors.reshape(x, {rows, k}), w);
  } else {
    Sizes weightBatch(w.sizes.begin(), w.sizes.end() - 2);
    std::optional<Sizes> common =
        node.tensors.broadcastSizes({batch, weightBatch});
    if (!common)
      return node.error()
             << "its batches " << describe(batch) << " and "
             << describe(weightBatch)
             << " cannot be broadcast; check the shapes of its inputs";
    shape = *common;
    auto flatten = [&](SizedTensor t, Size rows, Size columns) {
      Sizes whole = shape;
      whole.append({rows, columns});
      return node.tensors.reshape(node.tensors.broadcastTo(t, whole),
                                  {node.sizes.product(shape), rows, columns});
    };
    Size inner = node.sizes.unify(
        k, w.sizes[w.rank() - 2],
        node.subject() + ": the inner sizes of its operands differ");
    y = multiplyBatches(node, flatten(x, m, inner), flatten(w, inner, n));
  }
  if (!rowVector)
    shape.push_back(m);
  if (!columnVector)
    shape.push_back(n);
  return finish(node, y, shape);
}

/// alpha * A' * B' + beta * C.
LogicalResult importGemm(Node &node) {
  if (failed(checkTypes(node)))
    return failure();
  SizedTensor a = node.f32(0), b = node.f32(1);
  if (a.rank() != 2 || b.rank() != 2)
    return node.error() << "its operands have ranks " << a.rank() << " and "
                        << b.rank() << ", but must be matrices";
  if (node.integer("transA", 0))
    a = node.tensors.transpose(a, {1, 0});
  if (node.integer("transB", 0)) {
    FailureOr<SizedTensor> transposed = transposedF32(node, 1, {1, 0});
    if (failed(transposed))
      return failure();
    b = *transposed;
  }
  if (failed(checkInner(node, a.sizes[1], b.sizes[0])))
    return failure();
  SizedTensor y = multiply(node, a, b);
  float alpha = node.real("alpha", 1), beta = node.real("beta", 1);
  SmallVector<SizedTensor> operands{y};
  if (node.has(2)) {
    operands.push_back(node.f32(2));
    std::optional<Sizes> common =
        node.tensors.broadcastSizes({y.sizes, operands[1].sizes});
    if (!common || !node.sizes.surelyEqual(*common, y.sizes))
      return node.error() << "its C of shape " << describe(operands[1].sizes)
                          << " cannot be broadcast to " << describe(y.sizes);
  }
  if (alpha != 1 || operands.size() == 2)
    y = node.tensors.elementwise(
        operands, node.b.getF32Type(),
        [&](ImplicitLocOpBuilder &inner, ValueRange x) {
          auto scaled = [&](Value value, float factor) -> Value {
            if (factor == 1)
              return value;
            Value constant =
                arith::ConstantOp::create(inner, inner.getF32FloatAttr(factor));
            return arith::MulFOp::create(inner, constant, value);
          };
          Value sum = scaled(x[0], alpha);
          return x.size() == 1
                     ? sum
                     : arith::AddFOp::create(inner, sum, scaled(x[1], beta))
                           .getResult();
        });
  return finish(node, y, y.sizes);
}

} // namespace

ArrayRef<OperatorRow> mezzo::productOperators() {
  static const OperatorRow rows[] = {
      {OnnxDomain, "MatMul", 1, 2, 2, importMatMul},
      {OnnxDomain, "Gemm", 7, 2, 3, importGemm},
  };
  return rows;
}
