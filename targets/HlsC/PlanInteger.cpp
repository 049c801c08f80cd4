//===- PlanInteger.cpp - regions without floats, found in a model ---------===//

#include "targets/HlsC/PlanInteger.h"

#include "lib/Number/Rounding.h"
#include "targets/HlsC/Weights.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using namespace mezzo;
using namespace mezzo::hlsc;
using llvm::Twine;

/// The data of a value that is a constant with one element.
static std::optional<ElementsAttr> scalarOf(ModuleOp module, Value value) {
  std::optional<ElementsAttr> data;
  if (auto load = value.getDefiningOp<LoadWeightOp>()) {
    auto weight = module.lookupSymbol<WeightOp>(load.getWeight());
    if (weight && !weight.isQuantized() &&
        weight.getTensorType().getNumElements() == 1)
      data = weight.getData();
  } else if (auto constant = value.getDefiningOp<arith::ConstantOp>()) {
    if (auto elements = dyn_cast<ElementsAttr>(constant.getValue()))
      if (elements.getNumElements() == 1)
        data = elements;
  }
  return data;
}

static llvm::Expected<StaticCodes> staticCodes(ModuleOp module, Value scale,
                                               Value zero, Type codes) {
  auto element = dyn_cast<QType>(cast<ShapedType>(codes).getElementType());
  if (!element || !element.getNumberFormat().isInteger() ||
      element.getNumberFormat().bits() != 8)
    return llvm::createStringError(
        "has codes of another kind than int8 and uint8, which integer-only "
        "activations have");
  std::optional<ElementsAttr> data = scalarOf(module, scale);
  if (!data)
    return llvm::createStringError(
        "has a scale that is not one constant for the tensor, which "
        "integer-only activations have");
  auto scales = floatsOf(*data);
  if (!scales)
    return scales.takeError();
  StaticCodes result;
  result.scale = scales->front();
  result.isSigned = element.getNumberFormat().minValue() < 0;
  if (zero) {
    std::optional<ElementsAttr> zeros = scalarOf(module, zero);
    auto bytes =
        zeros ? bytesOf(*zeros, 1)
              : llvm::Expected<std::vector<uint8_t>>(llvm::createStringError(
                    "has a zero point that is computed"));
    if (!bytes)
      return bytes.takeError();
    result.zero = result.isSigned ? int8_t(bytes->front()) : bytes->front();
  }
  return result;
}

llvm::Expected<StaticCodes> mezzo::hlsc::staticCodesOf(ModuleOp module,
                                                       QuantizeOp op) {
  return staticCodes(module, op.getScales(), op.getZeros(),
                     op.getOutput().getType());
}

llvm::Expected<StaticCodes> mezzo::hlsc::staticCodesOf(ModuleOp module,
                                                       DequantizeOp op) {
  return staticCodes(module, op.getScales(), op.getZeros(),
                     op.getInput().getType());
}

static bool isZero(Value value) {
  auto constant = value.getDefiningOp<arith::ConstantOp>();
  auto number =
      constant ? dyn_cast<FloatAttr>(constant.getValue()) : FloatAttr();
  return number && number.getValue().isZero();
}

/// The other operand of `op` where one is `value`.
static Value otherOperand(Operation *op, Value value) {
  if (op->getOperand(0) == value)
    return op->getOperand(1);
  return op->getOperand(1) == value ? op->getOperand(0) : Value();
}

/// Takes x + bias and max(x, 0), in this order, out of an elementwise operator
/// that reads `value`; false where it does anything else.
static bool readElements(linalg::GenericOp op, Value value,
                         RequantizeChain &chain) {
  Block &body = *op.getBody();
  auto argumentOf = [&](Value operand) {
    for (auto [index, input] : llvm::enumerate(op.getInputs()))
      if (input == operand)
        return body.getArgument(index);
    return BlockArgument();
  };
  Value current = argumentOf(value);
  for (Operation &inner : body.without_terminator()) {
    if (isa<arith::AddFOp>(inner) && !chain.bias && !chain.hasRelu) {
      auto bias =
          dyn_cast_or_null<BlockArgument>(otherOperand(&inner, current));
      if (!bias || bias.getArgNumber() >= op.getNumDpsInputs())
        return false;
      chain.bias = op.getInputs()[bias.getArgNumber()];
    } else if (isa<arith::MaximumFOp>(inner)) {
      Value zero = otherOperand(&inner, current);
      if (!zero || !isZero(zero))
        return false;
      chain.hasRelu = true;
    } else {
      return false;
    }
    current = inner.getResult(0);
  }
  return body.getTerminator()->getOperand(0) == current;
}

std::optional<RequantizeChain> mezzo::hlsc::chainAfter(Value product) {
  RequantizeChain chain;
  for (Value value = product; value.hasOneUse();) {
    Operation *user = *value.user_begin();
    chain.ops.push_back(user);
    if (auto quantize = dyn_cast<QuantizeOp>(user)) {
      chain.quantize = quantize;
      return chain;
    }
    auto elements = dyn_cast<linalg::GenericOp>(user);
    bool isReshape = isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(user);
    if (!isReshape && !(elements && readElements(elements, value, chain)))
      return std::nullopt;
    value = user->getResult(0);
  }
  return std::nullopt;
}

llvm::Error mezzo::hlsc::fillRequantization(Stage &stage,
                                            const StaticCodes &input,
                                            const StaticCodes &output,
                                            bool hasRelu) {
  const QuantizedMatrix &weight = *stage.weight;
  if (weight.groups() != 1 || !weight.floatZeros.empty())
    return llvm::createStringError(
        "has " + Twine(weight.groups()) +
        " groups along K or a float zero point, which integer-only cannot "
        "have: use weights per tensor or channel, or --compute int");
  golden::Requantization &to = stage.requantization;
  to.zeroPoint = output.zero;
  to.lo = hasRelu ? std::max(output.lo(), output.zero) : output.lo();
  to.hi = output.hi();
  for (int64_t row = 0; row < weight.rows; ++row) {
    double step = double(input.scale) * weight.scales[row];
    auto factor = Dyadic::fromScale(step / output.scale);
    if (!factor)
      return llvm::createStringError("has, in row " + Twine(row) + ", " +
                                     llvm::toString(factor.takeError()));
    to.factors.push_back(*factor);
    if (stage.bias.empty())
      continue;
    double bias = roundToIntegral(stage.bias[row] / step);
    // Half of 32 bits: the sum of products has the other half.
    if (!(std::abs(bias) < 0x1p30))
      return llvm::createStringError("has a bias in row " + Twine(row) +
                                     " that 31 bits do not hold in steps of "
                                     "the scales: check the scales");
    stage.integerBias.push_back(int32_t(bias));
  }
  stage.bias.clear();
  return llvm::Error::success();
}
