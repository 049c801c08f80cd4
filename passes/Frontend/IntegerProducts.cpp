//===- IntegerProducts.cpp - products whose operands are codes ------------===//
//
// One exact sum (CodedProducts.h), and what each operator makes of it: the sum
// itself, codes of another scale, or numbers. The numbers are those of the
// chain Cast, Mul, Add that the fused operators replace, in all bits.
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/CodedProducts.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"

using namespace mlir;
using namespace mezzo;

namespace {

LogicalResult importMatMulInteger(Node &node) {
  FailureOr<SizedTensor> sum =
      codedProduct(node, {/*a=*/0, /*aZero=*/2, /*b=*/1, /*bZero=*/3});
  return failed(sum) ? failure() : node.result(*sum, ElementType::I32);
}

/// Codes of u8 or i8; what says so is the zero point, else the operator's
/// default.
FailureOr<ElementType> resultType(Node &node, unsigned zero,
                                  ElementType absent) {
  ElementType type = node.has(zero) ? node.type(zero) : absent;
  if (type == ElementType::U8 || type == ElementType::I8)
    return type;
  return node.error() << "it quantizes to " << name(type)
                      << ", which is not supported: use i8 or u8";
}

LogicalResult importQLinearMatMul(Node &node) {
  FailureOr<ElementType> type = resultType(node, 7, node.type(0));
  FailureOr<SizedTensor> sum =
      failed(type)
          ? FailureOr<SizedTensor>(failure())
          : codedProduct(node, {/*a=*/0, /*aZero=*/2, /*b=*/3, /*bZero=*/5});
  FailureOr<SizedTensor> scale =
      failed(sum) ? FailureOr<SizedTensor>(failure())
                  : combinedScale(node, {1, 4}, /*divisor=*/6, /*rows=*/1);
  if (failed(scale) || failed(checkBroadcastTo(node, *scale, *sum)))
    return failure();
  return node.result(requantize(node, *sum, *scale, 7, *type), *type);
}

/// fl(fl(float(sum) * scale) + bias)
SizedTensor toNumbers(Node &node, SizedTensor sum, SizedTensor scale,
                      std::optional<SizedTensor> bias) {
  SmallVector<SizedTensor> operands{sum, scale};
  if (bias)
    operands.push_back(*bias);
  return node.tensors.elementwise(
      operands, node.b.getF32Type(),
      [](ImplicitLocOpBuilder &b, ValueRange x) -> Value {
        Value number = arith::SIToFPOp::create(b, b.getF32Type(), x[0]);
        number = arith::MulFOp::create(b, number, x[1]);
        return x.size() == 2 ? number : arith::AddFOp::create(b, number, x[2]);
      });
}

LogicalResult finishNumbers(Node &node, SizedTensor sum, SizedTensor scale,
                            unsigned biasInput) {
  std::optional<SizedTensor> bias;
  if (node.has(biasInput))
    bias = node.f32(biasInput);
  if (failed(checkBroadcastTo(node, scale, sum)) ||
      (bias && failed(checkBroadcastTo(node, *bias, sum))))
    return failure();
  return node.result(toNumbers(node, sum, scale, bias), ElementType::F32);
}

LogicalResult importMatMulIntegerToFloat(Node &node) {
  FailureOr<SizedTensor> sum =
      codedProduct(node, {/*a=*/0, /*aZero=*/4, /*b=*/1, /*bZero=*/5});
  FailureOr<SizedTensor> scale =
      failed(sum) ? FailureOr<SizedTensor>(failure())
                  : combinedScale(node, {2, 3}, std::nullopt, /*rows=*/2);
  return failed(scale) ? failure() : finishNumbers(node, *sum, *scale, 6);
}

/// x as codes of u8, with the scale and the zero point that its range asks for.
DynamicQuantizeOp quantizeDynamically(Node &node, SizedTensor x) {
  Type code = codeType(node.b.getContext(), ElementType::U8);
  return DynamicQuantizeOp::create(
      node.b, x.type().clone(code),
      RankedTensorType::get({}, node.b.getF32Type()),
      RankedTensorType::get({}, code), x.value);
}

/// Codes as the bytes that they are.
SizedTensor asBytes(Node &node, Value codes, Sizes sizes) {
  auto type = cast<RankedTensorType>(codes.getType());
  Value bytes =
      UnrealizedConversionCastOp::create(
          node.b, TypeRange{type.clone(node.b.getI8Type())}, ValueRange{codes})
          .getResult(0);
  return {bytes, std::move(sizes)};
}

LogicalResult importDynamicQuantizeLinear(Node &node) {
  if (node.type(0) != ElementType::F32)
    return node.error() << "it quantizes elements of type "
                        << name(node.type(0)) << ": use f32";
  SizedTensor x = node.f32(0);
  DynamicQuantizeOp op = quantizeDynamically(node, x);
  if (failed(node.result(SizedTensor{op.getCodes(), x.sizes}, ElementType::U8)))
    return failure();
  if (failed(node.result(SizedTensor{op.getScale(), {}}, ElementType::F32, 1)))
    return failure();
  return node.result(SizedTensor{op.getZero(), {}}, ElementType::U8, 2);
}

LogicalResult importDynamicQuantizeMatMul(Node &node) {
  SizedTensor x = node.f32(0);
  DynamicQuantizeOp op = quantizeDynamically(node, x);
  FailureOr<SizedTensor> sum =
      codedProduct(node, asBytes(node, op.getCodes(), x.sizes),
                   asBytes(node, op.getZero(), {}),
                   {/*a=*/0, /*aZero=*/0, /*b=*/1, /*bZero=*/3});
  if (failed(sum))
    return failure();
  FailureOr<SizedTensor> weightScale =
      combinedScale(node, {2}, std::nullopt, std::nullopt);
  if (failed(weightScale))
    return failure();
  SizedTensor scale = node.tensors.elementwise(
      {SizedTensor{op.getScale(), {}}, *weightScale}, node.b.getF32Type(),
      [](ImplicitLocOpBuilder &b, ValueRange s) -> Value {
        return arith::MulFOp::create(b, s[0], s[1]);
      });
  return finishNumbers(node, *sum, scale, 4);
}

/// alpha * (A' B' + C), C of i32 with the scale of the product; codes where
/// there is a scale for them, else numbers.
LogicalResult importQGemm(Node &node) {
  ProductInputs inputs{/*a=*/0,
                       /*aZero=*/2,
                       /*b=*/3,
                       /*bZero=*/5,
                       node.integer("transA", 0) != 0,
                       node.integer("transB", 0) != 0};
  if (node.rank(0) != 2 || node.rank(3) != 2)
    return node.error() << "its operands have ranks " << node.rank(0) << " and "
                        << node.rank(3) << ", but must be matrices";
  float alpha = node.real("alpha", 1);
  FailureOr<SizedTensor> sum = codedProduct(node, inputs);
  if (failed(sum))
    return failure();
  if (node.has(6)) {
    SizedTensor bias = node.numbers(6);
    if (node.type(6) != ElementType::I32)
      return node.error() << "its C is of type " << name(node.type(6))
                          << ": use i32";
    if (failed(checkBroadcastTo(node, bias, *sum)))
      return failure();
    sum = node.tensors.elementwise(
        {*sum, bias}, node.b.getI32Type(),
        [](ImplicitLocOpBuilder &b, ValueRange x) -> Value {
          return arith::AddIOp::create(b, x[0], x[1]);
        });
  }
  std::optional<unsigned> divisor;
  if (node.has(7))
    divisor = 7;
  FailureOr<SizedTensor> scale =
      combinedScale(node, {1, 4}, divisor, std::nullopt, alpha);
  if (failed(scale) || failed(checkBroadcastTo(node, *scale, *sum)))
    return failure();
  if (!divisor)
    return node.result(toNumbers(node, *sum, *scale, std::nullopt),
                       ElementType::F32);
  FailureOr<ElementType> type = resultType(node, 8, node.type(0));
  if (failed(type))
    return failure();
  std::optional<unsigned> zero;
  if (node.has(8))
    zero = 8;
  return node.result(requantize(node, *sum, *scale, zero, *type), *type);
}

const OperatorRow rows[] = {
    {OnnxDomain, "MatMulInteger", 10, 2, 4, importMatMulInteger},
    {OnnxDomain, "QLinearMatMul", 10, 8, 8, importQLinearMatMul},
    {OnnxDomain, "DynamicQuantizeLinear", 11, 1, 1,
     importDynamicQuantizeLinear},
    {MicrosoftDomain, "MatMulIntegerToFloat", 1, 4, 7,
     importMatMulIntegerToFloat},
    {MicrosoftDomain, "DynamicQuantizeMatMul", 1, 3, 5,
     importDynamicQuantizeMatMul},
    {MicrosoftDomain, "QGemm", 1, 6, 9, importQGemm},
};

} // namespace

ArrayRef<OperatorRow> mezzo::integerProductOperators() { return rows; }
