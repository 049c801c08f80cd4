//===- Normalization.cpp - softmax and the norms --------------------------===//

#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// A tensor as rows over its last dimensions [axis, rank).
struct Rows {
  SizedTensor matrix;
  Sizes shape; ///< to go back to
};

Rows toRows(Node &node, SizedTensor x, int64_t axis) {
  Size rows = node.sizes.product(ArrayRef<Size>(x.sizes).take_front(axis));
  Size columns = node.sizes.product(ArrayRef<Size>(x.sizes).drop_front(axis));
  return {node.tensors.reshape(x, {rows, columns}), x.sizes};
}

LogicalResult finish(Node &node, Value y, const Rows &rows,
                     unsigned output = 0) {
  SizedTensor shaped = node.tensors.reshape({y, rows.matrix.sizes}, rows.shape);
  Type declared = irType(node.b.getContext(), node.type(0));
  return node.result(node.tensors.convertFloat(shaped, declared), node.type(0),
                     output);
}

LogicalResult checkFloat(Node &node) {
  if (isFloat(node.type(0)) && node.type(0) != ElementType::F64)
    return success();
  return node.error() << "elements of type " << name(node.type(0))
                      << " are not supported here: use f32, f16 or bf16";
}

/// From version 13 on along one axis; before, over everything from the axis on.
LogicalResult importSoftmax(Node &node) {
  bool coerced = node.opset() < 13;
  SizedTensor x = node.f32(0);
  FailureOr<int64_t> axis =
      node.axis(node.integer("axis", coerced ? 1 : -1), x.rank());
  if (failed(checkFloat(node)) || failed(axis))
    return failure();
  if (coerced || *axis == x.rank() - 1) {
    Rows rows = toRows(node, x, *axis);
    return finish(
        node, SoftmaxOp::create(node.b, rows.matrix.type(), rows.matrix.value),
        rows);
  }
  SmallVector<int64_t> swap = llvm::to_vector(llvm::seq<int64_t>(0, x.rank()));
  std::swap(swap[*axis], swap.back()); // its own inverse
  Rows rows = toRows(node, node.tensors.transpose(x, swap), x.rank() - 1);
  Value y = SoftmaxOp::create(node.b, rows.matrix.type(), rows.matrix.value);
  SizedTensor back = node.tensors.transpose(
      node.tensors.reshape({y, rows.matrix.sizes}, rows.shape), swap);
  return node.result(node.tensors.convertFloat(
                         back, irType(node.b.getContext(), node.type(0))),
                     node.type(0));
}

/// Scale or bias of a norm as a vector over the columns.
FailureOr<Value> perColumn(Node &node, unsigned input, const Rows &rows) {
  SizedTensor vector = node.f32(input);
  Size count = node.sizes.product(vector.sizes);
  if (node.sizes.equal(count, rows.matrix.sizes[1]) ==
      std::optional<bool>(false))
    return node.error() << "its input " << input << " of shape "
                        << describe(vector.sizes) << " does not cover rows of "
                        << describe(rows.matrix.sizes[1])
                        << " elements, which is not supported";
  return node.tensors.reshape(vector, {rows.matrix.sizes[1]}).value;
}

/// Inputs that scale and shift a norm.
struct NormInputs {
  unsigned scale, bias;
};

LogicalResult importLayerNorm(Node &node, SizedTensor x, NormInputs inputs,
                              int64_t axisAttribute) {
  FailureOr<int64_t> axis = node.axis(axisAttribute, x.rank());
  if (failed(checkFloat(node)) || failed(axis))
    return failure();
  Rows rows = toRows(node, x, *axis);
  FailureOr<Value> scale = perColumn(node, inputs.scale, rows);
  FailureOr<Value> bias = node.has(inputs.bias)
                              ? perColumn(node, inputs.bias, rows)
                              : FailureOr<Value>(Value());
  if (failed(scale) || failed(bias) ||
      failed(importRowMoments(node, x, *axis, 1, 2)))
    return failure();
  return finish(node,
                LayerNormOp::create(
                    node.b, rows.matrix.type(), rows.matrix.value, *scale,
                    *bias, node.b.getF32FloatAttr(node.real("epsilon", 1e-5f))),
                rows);
}

LogicalResult importLayerNormOfInput(Node &node) {
  return importLayerNorm(node, node.f32(0), {1, 2}, node.integer("axis", -1));
}

LogicalResult importRmsNorm(Node &node, SizedTensor x, unsigned scaleInput,
                            int64_t axisAttribute) {
  FailureOr<int64_t> axis = node.axis(axisAttribute, x.rank());
  if (failed(checkFloat(node)) || failed(axis))
    return failure();
  Rows rows = toRows(node, x, *axis);
  FailureOr<Value> scale = perColumn(node, scaleInput, rows);
  if (failed(scale))
    return failure();
  return finish(
      node,
      RmsNormOp::create(node.b, rows.matrix.type(), rows.matrix.value, *scale,
                        node.b.getF32FloatAttr(node.real("epsilon", 1e-5f))),
      rows);
}

LogicalResult importRms(Node &node) {
  return importRmsNorm(node, node.f32(0), 1, node.integer("axis", -1));
}

/// s = input + skip (+ bias), which is output 3; output 0 is a norm of it.
FailureOr<SizedTensor> importSkip(Node &node, unsigned biasInput) {
  if (failed(checkFloat(node)))
    return failure();
  SmallVector<SizedTensor> terms{node.f32(0), node.f32(1)};
  if (node.has(biasInput))
    terms.push_back(node.f32(biasInput));
  auto shapes = llvm::map_to_vector(
      terms, [](const SizedTensor &term) { return term.sizes; });
  std::optional<Sizes> common = node.tensors.broadcastSizes(shapes);
  if (!common || !node.sizes.surelyEqual(*common, terms[0].sizes))
    return node.error() << "its skip input cannot be broadcast to "
                        << describe(terms[0].sizes);
  SizedTensor sum = node.tensors.elementwise(
      terms, node.b.getF32Type(), [](ImplicitLocOpBuilder &b, ValueRange x) {
        Value total = arith::AddFOp::create(b, x[0], x[1]);
        return x.size() == 2
                   ? total
                   : arith::AddFOp::create(b, total, x[2]).getResult();
      });
  if (node.wants(3) &&
      failed(node.result(node.tensors.convertFloat(
                             sum, irType(node.b.getContext(), node.type(0))),
                         node.type(0), 3)))
    return failure();
  return sum;
}

/// Inputs: input, skip, scale, bias of the sum.
LogicalResult importSkipRms(Node &node) {
  FailureOr<SizedTensor> sum = importSkip(node, 3);
  return failed(sum) ? failure() : importRmsNorm(node, *sum, 2, -1);
}

/// Inputs: input, skip, scale, bias of the norm, bias of the sum.
LogicalResult importSkipLayerNorm(Node &node) {
  FailureOr<SizedTensor> sum = importSkip(node, 4);
  if (failed(sum))
    return failure();
  return importLayerNorm(node, *sum, {2, 3}, node.integer("axis", -1));
}

} // namespace

ArrayRef<OperatorRow> mezzo::normalizationOperators() {
  static const OperatorRow rows[] = {
      {OnnxDomain, "Softmax", 1, 1, 1, importSoftmax},
      {OnnxDomain, "LayerNormalization", 1, 2, 3, importLayerNormOfInput},
      {OnnxDomain, "RMSNormalization", 23, 2, 2, importRms},
      {OnnxDomain, "SimplifiedLayerNormalization", 1, 2, 2, importRms},
      {MicrosoftDomain, "SimplifiedLayerNormalization", 1, 2, 2, importRms},
      {MicrosoftDomain, "SkipSimplifiedLayerNormalization", 1, 3, 4,
       importSkipRms},
      {MicrosoftDomain, "SkipLayerNormalization", 1, 3, 5, importSkipLayerNorm},
  };
  return rows;
}
