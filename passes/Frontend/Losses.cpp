//===- Losses.cpp - NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss ----===//

#include "passes/Frontend/Indices.h"
#include "passes/Frontend/Reduce.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"

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

LogicalResult finish(Node &node, SizedTensor y, unsigned output = 0) {
  return node.result(
      node.tensors.convertFloat(y, irType(node.b.getContext(), node.type(0))),
      node.type(0), output);
}

//   x[N, C, D...] log probabilities, targets[N, D...] classes
//   -->
//   loss[n, d] = -weight[t] * x[n, t, d] with t = targets[n, d]; nothing where
//   t is to be ignored. The mean is over the weights.
LogicalResult importLoss(Node &node, SizedTensor x) {
  std::string reduction = node.text("reduction", "mean");
  if (reduction != "mean" && reduction != "sum" && reduction != "none")
    return node.error() << "its attribute 'reduction' is " << quoted(reduction)
                        << ": use mean, sum or none";
  if (node.type(1) != ElementType::I32 && node.type(1) != ElementType::I64)
    return node.error() << "its targets are of type " << name(node.type(1))
                        << ", but must be i32 or i64; insert a Cast";
  if (x.rank() < 2 || node.rank(1) != x.rank() - 1)
    return node.error() << "its inputs have the ranks " << x.rank() << " and "
                        << node.rank(1)
                        << ", but the second must have one dimension fewer, "
                           "that of the classes";
  bool ignores = node.hasAttribute("ignore_index");
  int64_t ignored = node.integer("ignore_index", 0);
  Sizes shape = x.sizes;
  shape.erase(shape.begin() + 1);
  SizedTensor targets = node.tensors.fit(node.tensor(1), shape);
  std::optional<SizedTensor> weights;
  if (node.has(2))
    weights = node.tensors.fit(node.f32(2), {x.sizes[1]});
  Value classes = node.sizes.value(x.sizes[1]);
  std::string message = node.subject() +
                        ": a target is out of range; check the inputs of the "
                        "model";
  // A class to be ignored need not exist: it stands for class 0, weighing 0.
  auto target = [&](ImplicitLocOpBuilder &b, ValueRange at, Value &isIgnored) {
    Value raw = tensor::ExtractOp::create(b, targets.value, at);
    Value skipped =
        arith::ConstantOp::create(b, b.getIntegerAttr(raw.getType(), ignored));
    isIgnored = ignores ? arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                                raw, skipped)
                              .getResult()
                        : Value();
    if (isIgnored)
      raw =
          arith::SelectOp::create(b, isIgnored, zeroOf(b, raw.getType()), raw);
    return checkIndex(b, raw, classes, message);
  };
  Type f32 = node.b.getF32Type();
  auto perTarget = [&](auto function) {
    return node.tensors.generate(
        shape, f32, [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
          Value isIgnored;
          Value index = target(b, at, isIgnored);
          ScalarBuilder s(b, f32, ElementType::F32);
          Value value = function(b, at, index, s);
          return isIgnored ? s.select(isIgnored, s.constant(0), value) : value;
        });
  };
  auto weightAt = [&](ImplicitLocOpBuilder &b, Value index) -> Value {
    return tensor::ExtractOp::create(b, weights->value, ValueRange{index});
  };
  SizedTensor loss = perTarget([&](ImplicitLocOpBuilder &b, ValueRange at,
                                   Value index, ScalarBuilder &s) -> Value {
    SmallVector<Value> place(at);
    place.insert(place.begin() + 1, index);
    Value value = s.neg(tensor::ExtractOp::create(b, x.value, place));
    return weights ? s.mul(value, weightAt(b, index)) : value;
  });
  if (reduction == "none")
    return finish(node, loss);
  SmallVector<int64_t> all =
      llvm::to_vector(llvm::seq<int64_t>(0, loss.rank()));
  SizedTensor total =
      dropAxes(node, reduceSum(node, loss, all, ElementType::F32), all);
  if (reduction == "sum")
    return finish(node, total);
  SizedTensor weight = perTarget(
      [&](ImplicitLocOpBuilder &b, ValueRange, Value index, ScalarBuilder &s) {
        return weights ? weightAt(b, index) : s.constant(1);
      });
  SizedTensor count =
      dropAxes(node, reduceSum(node, weight, all, ElementType::F32), all);
  return finish(node, map(node, {total, count}, [](auto &s, ValueRange v) {
                  return s.div(v[0], v[1], "");
                }));
}

LogicalResult checkFloat(Node &node) {
  ElementType type = node.type(0);
  if (isFloat(type) && type != ElementType::F64)
    return success();
  return node.error() << "elements of type " << name(type)
                      << " are not supported here: use f32, f16 or bf16";
}

LogicalResult importNegativeLogLikelihood(Node &node) {
  if (failed(checkFloat(node)))
    return failure();
  return importLoss(node, node.f32(0));
}

LogicalResult importCrossEntropy(Node &node) {
  if (failed(checkFloat(node)))
    return failure();
  SizedTensor x = node.f32(0);
  if (x.rank() < 2)
    return node.error() << "its input has rank " << x.rank()
                        << ", but at least 2 dimensions are needed";
  SizedTensor shifted =
      map(node, {x, reduceMax(node, x, {1}, ElementType::F32)},
          [](auto &s, ValueRange v) { return s.sub(v[0], v[1]); });
  SizedTensor powers =
      map(node, {shifted}, [](auto &s, ValueRange v) { return s.exp(v[0]); });
  SizedTensor logs =
      map(node, {shifted, reduceSum(node, powers, {1}, ElementType::F32)},
          [](auto &s, ValueRange v) { return s.sub(v[0], s.log(v[1])); });
  if (node.wants(1) && failed(finish(node, logs, 1)))
    return failure();
  return importLoss(node, logs);
}

const OperatorRow rows[] = {
    {OnnxDomain, "NegativeLogLikelihoodLoss", 12, 2, 3,
     importNegativeLogLikelihood},
    {OnnxDomain, "SoftmaxCrossEntropyLoss", 12, 2, 3, importCrossEntropy},
};

} // namespace

ArrayRef<OperatorRow> mezzo::lossOperators() { return rows; }
