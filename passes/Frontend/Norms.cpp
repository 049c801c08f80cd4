//===- Norms.cpp - normalization over batches, instances, groups ----------===//
//
// Norms of the last axes are row operations (Normalization.cpp); the others are
// folds and element-wise arithmetic, variance in two passes.
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/Reduce.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

template <typename Function>
SizedTensor map(Node &node, ArrayRef<SizedTensor> x, Function function) {
  return node.tensors.elementwise(
      x, node.b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange v) -> Value {
        ScalarBuilder scalars(b, b.getF32Type(), ElementType::F32);
        return function(scalars, v);
      });
}

SizedTensor meanOf(Node &node, SizedTensor x, ArrayRef<int64_t> axes) {
  Value count = countAsFloat(node, x.sizes, axes, node.b.getF32Type());
  return map(node, {reduceSum(node, x, axes, ElementType::F32)},
             [&](auto &s, ValueRange v) { return s.div(v[0], count, ""); });
}

SizedTensor differenceOf(Node &node, SizedTensor x, SizedTensor y) {
  return map(node, {x, y},
             [](auto &s, ValueRange v) { return s.sub(v[0], v[1]); });
}

/// The mean of the squares of x - mean.
SizedTensor varianceOf(Node &node, SizedTensor centred,
                       ArrayRef<int64_t> axes) {
  return meanOf(node,
                map(node, {centred},
                    [](auto &s, ValueRange v) { return s.mul(v[0], v[0]); }),
                axes);
}

/// (x - mean) * (1 / sqrt(variance + epsilon)) * scale + bias, from left to
/// right; all but x are broadcast.
SizedTensor normalize(Node &node, SizedTensor centred, SizedTensor variance,
                      std::optional<SizedTensor> scale,
                      std::optional<SizedTensor> bias, float epsilon) {
  SizedTensor inverse = map(node, {variance}, [&](auto &s, ValueRange v) {
    return s.div(s.constant(1), s.sqrt(s.add(v[0], s.constant(epsilon))), "");
  });
  SmallVector<SizedTensor> operands{centred, inverse};
  if (scale)
    operands.push_back(*scale);
  if (bias)
    operands.push_back(*bias);
  return map(node, operands, [&](auto &s, ValueRange v) {
    Value y = s.mul(v[0], v[1]);
    unsigned next = 2;
    if (scale)
      y = s.mul(y, v[next++]);
    return bias ? s.add(y, v[next]) : y;
  });
}

LogicalResult checkFloat(Node &node, int64_t minRank = 0) {
  ElementType type = node.type(0);
  if (!isFloat(type) || type == ElementType::F64)
    return node.error() << "elements of type " << name(type)
                        << " are not supported here: use f32, f16 or bf16";
  if (node.rank(0) < minRank)
    return node.error() << "its input has rank " << node.rank(0)
                        << ", but at least " << minRank
                        << " dimensions are needed; export the model again";
  return success();
}

LogicalResult finish(Node &node, SizedTensor y, ElementType type,
                     unsigned output = 0) {
  return node.result(
      node.tensors.convertFloat(y, irType(node.b.getContext(), type)), type,
      output);
}

/// A vector over the channels (dimension 1 of rank) as [C, 1, ...].
FailureOr<SizedTensor> perChannel(Node &node, unsigned input, int64_t rank,
                                  Size channels) {
  SizedTensor vector = node.f32(input);
  Size count = node.sizes.product(vector.sizes);
  if (node.sizes.equal(count, channels) == std::optional<bool>(false))
    return node.error() << "its input " << input << " of shape "
                        << describe(vector.sizes) << " does not cover "
                        << describe(channels)
                        << " channels; check the shapes of its inputs";
  Sizes shape(rank - 1, node.sizes.constant(1));
  shape[0] = channels;
  return node.tensors.reshape(vector, shape);
}

SmallVector<int64_t> axesFrom(int64_t first, int64_t rank) {
  return llvm::to_vector(llvm::seq<int64_t>(first, rank));
}

LogicalResult importBatchNorm(Node &node) {
  if (failed(checkFloat(node, 1)))
    return failure();
  if (node.opset() < 9 && node.integer("spatial", 1) == 0)
    return node.error() << "its attribute 'spatial' is 0, which is not "
                           "supported: export the model from opset 9 on";
  SizedTensor x = node.f32(0);
  int64_t rank = x.rank();
  Size channels = rank > 1 ? x.sizes[1] : node.sizes.constant(1);
  SmallVector<SizedTensor, 4> vectors;
  for (unsigned input = 1; input < 5; ++input) {
    FailureOr<SizedTensor> vector =
        perChannel(node, input, std::max<int64_t>(rank, 2), channels);
    if (failed(vector))
      return failure();
    vectors.push_back(*vector);
  }
  float epsilon = node.real("epsilon", 1e-5f);
  SizedTensor mean = vectors[2], variance = vectors[3];
  if (node.opset() >= 14 && node.integer("training_mode", 0) != 0) {
    SmallVector<int64_t> axes{0};
    llvm::append_range(axes, axesFrom(2, rank));
    SizedTensor batchMean = meanOf(node, x, axes);
    SizedTensor batchVariance =
        varianceOf(node, differenceOf(node, x, batchMean), axes);
    float momentum = node.real("momentum", 0.9f);
    for (auto [output, running, batch] :
         {std::tuple(1u, mean, batchMean),
          std::tuple(2u, variance, batchVariance)}) {
      if (!node.wants(output))
        continue;
      SizedTensor flat = node.tensors.reshape(batch, running.sizes);
      SizedTensor mixed =
          map(node, {running, flat}, [&](auto &s, ValueRange v) {
            return s.add(s.mul(v[0], s.constant(momentum)),
                         s.mul(v[1], s.constant(1 - double(momentum))));
          });
      if (failed(finish(node, node.tensors.reshape(mixed, {channels}),
                        node.type(3), output)))
        return failure();
    }
    mean = batchMean;
    variance = batchVariance;
  }
  return finish(node,
                normalize(node, differenceOf(node, x, mean), variance,
                          vectors[0], vectors[1], epsilon),
                node.type(0));
}

LogicalResult importInstanceNorm(Node &node) {
  if (failed(checkFloat(node, 3)))
    return failure();
  SizedTensor x = node.f32(0);
  SmallVector<int64_t> axes = axesFrom(2, x.rank());
  FailureOr<SizedTensor> scale = perChannel(node, 1, x.rank(), x.sizes[1]),
                         bias = perChannel(node, 2, x.rank(), x.sizes[1]);
  if (failed(scale) || failed(bias))
    return failure();
  SizedTensor centred = differenceOf(node, x, meanOf(node, x, axes));
  return finish(node,
                normalize(node, centred, varianceOf(node, centred, axes),
                          *scale, *bias, node.real("epsilon", 1e-5f)),
                node.type(0));
}

//   GroupNormalization(x[N, C, ...], G groups)
//   -->
//   the norm of x as [N, G, C / G * ...] along its last axis. From version 21
//   on scale and bias belong to channels, before to groups.
LogicalResult importGroupNorm(Node &node) {
  if (failed(checkFloat(node, 2)))
    return failure();
  SizedTensor x = node.f32(0);
  int64_t groups = node.integer("num_groups", 0);
  std::optional<int64_t> channels = getConstantIntValue(x.sizes[1]);
  if (groups <= 0 || (channels && *channels % groups != 0))
    return node.error() << "its " << describe(x.sizes[1])
                        << " channels do not make up " << groups
                        << " groups of one size; export the model again";
  SizeArithmetic &sizes = node.sizes;
  bool perGroup = node.opset() < 21;
  Size count = sizes.constant(groups),
       members = sizes.divide(x.sizes[1], count);
  Size space = sizes.product(ArrayRef<Size>(x.sizes).drop_front(2));
  SizedTensor grouped =
      node.tensors.reshape(x, {x.sizes[0], count, members, space});
  SmallVector<SizedTensor, 2> vectors;
  for (unsigned input : {1u, 2u}) {
    FailureOr<SizedTensor> vector =
        perChannel(node, input, 2, perGroup ? count : x.sizes[1]);
    if (failed(vector))
      return failure();
    vectors.push_back(node.tensors.reshape(
        *vector,
        {count, perGroup ? sizes.constant(1) : members, sizes.constant(1)}));
  }
  SizedTensor centred =
      differenceOf(node, grouped, meanOf(node, grouped, {2, 3}));
  SizedTensor y =
      normalize(node, centred, varianceOf(node, centred, {2, 3}), vectors[0],
                vectors[1], node.real("epsilon", 1e-5f));
  return finish(node, node.tensors.reshape(y, x.sizes), node.type(0));
}

/// x / |x| along an axis; 0 where the norm is 0.
LogicalResult importLpNorm(Node &node) {
  int64_t p = node.integer("p", 2);
  FailureOr<int64_t> axis = node.axis(node.integer("axis", -1), node.rank(0));
  if (failed(checkFloat(node)) || failed(axis))
    return failure();
  if (p != 1 && p != 2)
    return node.error() << "its attribute 'p' is " << p << ": use 1 or 2";
  SizedTensor x = node.f32(0);
  SizedTensor powers = map(node, {x}, [&](auto &s, ValueRange v) {
    return p == 1 ? s.abs(v[0]) : s.mul(v[0], v[0]);
  });
  SizedTensor sum = reduceSum(node, powers, {*axis}, ElementType::F32);
  return finish(node,
                map(node, {x, sum},
                    [&](auto &s, ValueRange v) {
                      Value norm = p == 1 ? v[1] : s.sqrt(v[1]);
                      Value zero = s.constant(0);
                      return s.select(s.equal(norm, zero), zero,
                                      s.div(v[0], norm, ""));
                    }),
                node.type(0));
}

//   LRN(x[N, C, ...], size 3)
//   -->
//   x / (bias + alpha / size * sum of the squares of channels c - 1 to c + 1)
//   to the power of beta
LogicalResult importLrn(Node &node) {
  if (failed(checkFloat(node, 3)))
    return failure();
  int64_t size = node.integer("size", 0);
  if (size < 1)
    return node.error() << "its attribute 'size' is " << size
                        << ": use 1 or more";
  float alpha = node.real("alpha", 1e-4f), beta = node.real("beta", 0.75f),
        bias = node.real("bias", 1);
  SizedTensor x = node.f32(0);
  Value channels = node.sizes.value(x.sizes[1]);
  SizedTensor squares = node.tensors.generate(
      x.sizes, node.b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        auto index = [&](int64_t value) -> Value {
          return arith::ConstantIndexOp::create(b, value);
        };
        // Of an even size the larger half comes after.
        Value low = arith::SubIOp::create(b, at[1], index((size - 1) / 2));
        low = arith::MaxSIOp::create(b, low, index(0));
        Value high = arith::AddIOp::create(b, at[1], index(size / 2 + 1));
        high = arith::MinSIOp::create(b, high, channels);
        SmallVector<Value> place(at);
        auto loop = scf::ForOp::create(
            b, low, high, index(1),
            ValueRange{arith::ConstantOp::create(b, b.getF32FloatAttr(0))},
            [&](OpBuilder &inner, Location loc, Value c, ValueRange sum) {
              ImplicitLocOpBuilder b(loc, inner);
              place[1] = c;
              Value value = tensor::ExtractOp::create(b, x.value, place);
              value = arith::MulFOp::create(b, value, value);
              scf::YieldOp::create(
                  b, arith::AddFOp::create(b, sum[0], value).getResult());
            });
        return loop.getResult(0);
      });
  return finish(
      node,
      map(node, {x, squares},
          [&](auto &s, ValueRange v) -> Value {
            Value base =
                s.add(s.constant(bias), s.mul(s.constant(alpha / size), v[1]));
            return s.div(v[0],
                         math::PowFOp::create(s.b, base, s.constant(beta)), "");
          }),
      node.type(0));
}

/// (x - mean) / (sqrt(variance) + 1e-9).
LogicalResult importMeanVarianceNorm(Node &node) {
  if (failed(checkFloat(node)))
    return failure();
  SizedTensor x = node.f32(0);
  SmallVector<int64_t> axes{0, 2, 3};
  if (std::optional<SmallVector<int64_t>> given = node.integerList("axes"))
    axes = *given;
  for (int64_t &axis : axes) {
    FailureOr<int64_t> normal = node.axis(axis, x.rank());
    if (failed(normal))
      return failure();
    axis = *normal;
  }
  llvm::sort(axes);
  axes.erase(llvm::unique(axes), axes.end());
  SizedTensor centred = differenceOf(node, x, meanOf(node, x, axes));
  return finish(node,
                map(node, {centred, varianceOf(node, centred, axes)},
                    [](auto &s, ValueRange v) {
                      return s.div(v[0], s.add(s.sqrt(v[1]), s.constant(1e-9)),
                                   "");
                    }),
                node.type(0));
}

} // namespace

/// Mean and 1 / sqrt(variance + epsilon) of rows, in the arithmetic of
/// mezzo.layer_norm.
LogicalResult mezzo::importRowMoments(Node &node, SizedTensor x, int64_t axis,
                                      unsigned meanOutput,
                                      unsigned inverseOutput) {
  SmallVector<int64_t> axes = axesFrom(axis, x.rank());
  SizedTensor mean = meanOf(node, x, axes);
  float epsilon = node.real("epsilon", 1e-5f);
  if (node.wants(meanOutput) &&
      failed(node.result(mean, ElementType::F32, meanOutput)))
    return failure();
  if (!node.wants(inverseOutput))
    return success();
  SizedTensor variance = varianceOf(node, differenceOf(node, x, mean), axes);
  SizedTensor inverse = map(node, {variance}, [&](auto &s, ValueRange v) {
    return s.div(s.constant(1), s.sqrt(s.add(v[0], s.constant(epsilon))), "");
  });
  return node.result(inverse, ElementType::F32, inverseOutput);
}

ArrayRef<OperatorRow> mezzo::normOperators() {
  static const OperatorRow rows[] = {
      {OnnxDomain, "BatchNormalization", 7, 5, 5, importBatchNorm},
      {OnnxDomain, "InstanceNormalization", 6, 3, 3, importInstanceNorm},
      {OnnxDomain, "GroupNormalization", 18, 3, 3, importGroupNorm},
      {OnnxDomain, "LRN", 1, 1, 1, importLrn},
      {OnnxDomain, "LpNormalization", 1, 1, 1, importLpNorm},
      {OnnxDomain, "MeanVarianceNormalization", 9, 1, 1,
       importMeanVarianceNorm},
  };
  return rows;
}
