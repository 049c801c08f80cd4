//===- Attention.cpp - attention, decomposed ------------------------------===//

#include "passes/Frontend/Attention.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// x[b, m, k] * y[b, k, n] in f32.
SizedTensor multiplyBatches(Node &node, SizedTensor x, SizedTensor y) {
  SizedTensor init = node.tensors.zeros({x.sizes[0], x.sizes[1], y.sizes[2]},
                                        node.b.getF32Type());
  Value product = linalg::BatchMatmulOp::create(
                      node.b, TypeRange{init.value.getType()},
                      ValueRange{x.value, y.value}, ValueRange{init.value})
                      .getResult(0);
  return {product, init.sizes};
}

Value constant(ImplicitLocOpBuilder &b, float value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
}

Value infinity(ImplicitLocOpBuilder &b) {
  return constant(b, -std::numeric_limits<float>::infinity());
}

/// A bias brought to the sizes of the scores, but for those that are 1: names
/// of dimensions often do not tell that they are equal, and a check does.
FailureOr<SizedTensor> fitBias(Node &node, SizedTensor bias,
                               const Sizes &shape) {
  if (bias.rank() > int64_t(shape.size()))
    return node.error() << "its mask or bias has rank " << bias.rank()
                        << ", more than that of the scores";
  Sizes wanted;
  for (int64_t dim = 0; dim < bias.rank(); ++dim) {
    Size have = bias.sizes[dim], want = shape[shape.size() - bias.rank() + dim];
    if (getConstantIntValue(have) == 1) {
      wanted.push_back(have);
      continue;
    }
    if (node.sizes.equal(have, want) == std::optional<bool>(false))
      return node.error() << "its mask or bias of shape "
                          << describe(bias.sizes)
                          << " cannot be broadcast to scores of shape "
                          << describe(shape);
    node.sizes.unify(want, have,
                     node.subject() + ": its mask or bias does not fit the "
                                      "numbers of queries and keys");
    wanted.push_back(want);
  }
  return node.tensors.fit(bias, wanted);
}

} // namespace

FailureOr<SizedTensor> Attention::build(Node &node, SizedTensor q,
                                        SizedTensor k, SizedTensor v) {
  SizeArithmetic &sizes = node.sizes;
  TensorBuilder &tensors = node.tensors;
  Size batch = q.sizes[0], queries = q.sizes[2], keys = k.sizes[2];
  std::optional<int64_t> heads = getConstantIntValue(q.sizes[1]),
                         kvHeads = getConstantIntValue(k.sizes[1]);
  if (!heads || !kvHeads || *kvHeads < 1 || *heads % *kvHeads != 0 ||
      sizes.equal(v.sizes[1], k.sizes[1]) != std::optional<bool>(true))
    return node.error() << "it has " << describe(q.sizes[1])
                        << " heads of queries, " << describe(k.sizes[1])
                        << " of keys and " << describe(v.sizes[1])
                        << " of values: they must be known, and the first a "
                           "multiple of the others";
  for (auto [left, right] :
       {std::pair(q.sizes[3], k.sizes[3]), std::pair(k.sizes[2], v.sizes[2]),
        std::pair(q.sizes[0], k.sizes[0]), std::pair(k.sizes[0], v.sizes[0])})
    if (sizes.equal(left, right) == std::optional<bool>(false))
      return node.error() << "its queries " << describe(q.sizes) << ", keys "
                          << describe(k.sizes) << " and values "
                          << describe(v.sizes)
                          << " do not fit each other; check their shapes";
  k = tensors.fit(k, {batch, k.sizes[1], keys, q.sizes[3]});
  v = tensors.fit(v, {batch, k.sizes[1], keys, v.sizes[3]});

  // The query heads of one key head are rows of one product.
  Size groups = sizes.multiply(batch, k.sizes[1]),
       rows = sizes.multiply(sizes.constant(*heads / *kvHeads), queries);
  SizedTensor turned = tensors.transpose(k, {0, 1, 3, 2});
  SizedTensor scores =
      multiplyBatches(node, tensors.reshape(q, {groups, rows, q.sizes[3]}),
                      tensors.reshape(turned, {groups, q.sizes[3], keys}));
  Sizes shape{batch, q.sizes[1], queries, keys};
  scores = tensors.elementwise(
      tensors.reshape(scores, shape), node.b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange x) {
        return arith::MulFOp::create(b, x[0], constant(b, scale)).getResult();
      });
  stages[0] = scores;
  if (softcap != 0)
    scores = tensors.elementwise(
        scores, node.b.getF32Type(),
        [&](ImplicitLocOpBuilder &b, ValueRange x) -> Value {
          Value part = arith::DivFOp::create(b, x[0], constant(b, softcap));
          return arith::MulFOp::create(
              b, math::TanhOp::create(b, part).getResult(),
              constant(b, softcap));
        });
  stages[1] = scores;
  SmallVector<SizedTensor> operands{scores};
  for (SizedTensor &bias : biases) {
    FailureOr<SizedTensor> fitted = fitBias(node, bias, shape);
    if (failed(fitted))
      return failure();
    operands.push_back(*fitted);
  }
  if (operands.size() > 1 || !visible.empty())
    scores = tensors.elementwise(
        operands, node.b.getF32Type(),
        [&](ImplicitLocOpBuilder &b, ValueRange x) {
          Value score = x[0];
          for (Value bias : x.drop_front())
            score = arith::AddFOp::create(b, score, bias);
          if (visible.empty())
            return score;
          SmallVector<Value> indices;
          for (int64_t dim = 0; dim < 4; ++dim)
            indices.push_back(linalg::IndexOp::create(b, dim));
          for (Visible &sees : visible)
            score = arith::SelectOp::create(b, sees(b, indices), score,
                                            infinity(b));
          return score;
        });
  stages[2] = scores;

  // A row of nothing but -inf has no softmax; with the lowest float instead it
  // has one, of which nothing is kept.
  SizedTensor finite = tensors.elementwise(
      scores, node.b.getF32Type(),
      [](ImplicitLocOpBuilder &b, ValueRange x) -> Value {
        Value lowest = constant(b, std::numeric_limits<float>::lowest());
        Value masked = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x[0],
                                             infinity(b));
        return arith::SelectOp::create(b, masked, lowest, x[0]);
      });
  SizedTensor matrix = tensors.reshape(
      finite, {sizes.product(ArrayRef<Size>(shape).take_front(3)), keys});
  Value softmax = SoftmaxOp::create(node.b, matrix.type(), matrix.value);
  SizedTensor weights = tensors.elementwise(
      {tensors.reshape({softmax, matrix.sizes}, shape), scores},
      node.b.getF32Type(), [](ImplicitLocOpBuilder &b, ValueRange x) -> Value {
        Value masked = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x[1],
                                             infinity(b));
        return arith::SelectOp::create(b, masked, constant(b, 0), x[0]);
      });
  stages[3] = weights;
  SizedTensor y =
      multiplyBatches(node, tensors.reshape(weights, {groups, rows, keys}),
                      tensors.reshape(v, {groups, keys, v.sizes[3]}));
  return tensors.reshape(y, {batch, q.sizes[1], queries, v.sizes[3]});
}

FailureOr<SizedTensor> mezzo::splitHeads(Node &node, SizedTensor x,
                                         int64_t heads) {
  std::optional<int64_t> width =
      x.rank() == 3 ? getConstantIntValue(x.sizes[2]) : std::nullopt;
  if (!width || heads < 1 || *width % heads != 0)
    return node.error() << "it splits a tensor of shape " << describe(x.sizes)
                        << " into " << heads
                        << " heads; its last size must be known and a multiple "
                           "of them";
  SizedTensor split = node.tensors.reshape(
      x, {x.sizes[0], x.sizes[1], node.sizes.constant(heads),
          node.sizes.constant(*width / heads)});
  return node.tensors.transpose(split, {0, 2, 1, 3});
}

SizedTensor mezzo::mergeHeads(Node &node, SizedTensor x) {
  SizedTensor turned = node.tensors.transpose(x, {0, 2, 1, 3});
  return node.tensors.reshape(
      turned, {turned.sizes[0], turned.sizes[1],
               node.sizes.multiply(turned.sizes[2], turned.sizes[3])});
}

SizedTensor mezzo::appendRows(Node &node, SizedTensor past, SizedTensor added) {
  Sizes shape = added.sizes;
  shape[2] = node.sizes.add(past.sizes[2], added.sizes[2]);
  SizedTensor whole{node.tensors.empty(shape, added.elementType()), shape};
  Sizes at(4, node.sizes.constant(0)), first = shape;
  first[2] = past.sizes[2];
  whole = node.tensors.insert(node.tensors.fit(past, first), whole, at);
  at[2] = past.sizes[2];
  return node.tensors.insert(added, whole, at);
}

Value mezzo::toIndex(ImplicitLocOpBuilder &b, Value integer) {
  return arith::IndexCastOp::create(b, b.getIndexType(), integer);
}

Value mezzo::elementAt(ImplicitLocOpBuilder &b, Value tensor,
                       ValueRange indices) {
  SmallVector<Value> inside;
  Value zero = arith::ConstantIndexOp::create(b, 0),
        one = arith::ConstantIndexOp::create(b, 1);
  for (auto [dim, index] : llvm::enumerate(indices)) {
    Value size = tensor::DimOp::create(b, tensor, dim);
    Value last = arith::MaxSIOp::create(
        b, arith::SubIOp::create(b, size, one).getResult(), zero);
    inside.push_back(arith::MinSIOp::create(
        b, arith::MaxSIOp::create(b, index, zero).getResult(), last));
  }
  return tensor::ExtractOp::create(b, tensor, inside);
}
