//===- CodedActivations.cpp - activations that are codes already ----------===//

#include "passes/Tensor/CodedActivations.h"

#include "passes/Tensor/Constants.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// A tensor of codes as the integers that they are stored in.
Value asBytes(ImplicitLocOpBuilder &b, Value codes) {
  auto type = cast<RankedTensorType>(codes.getType());
  if (type.getElementType().isInteger(8))
    return codes;
  return UnrealizedConversionCastOp::create(
             b, TypeRange{type.clone(b.getI8Type())}, ValueRange{codes})
      .getResult(0);
}

using Body = llvm::function_ref<Value(ImplicitLocOpBuilder &, Value)>;

/// body(x) for each element of a tensor of any rank.
Value mapElements(ImplicitLocOpBuilder &b, Value x, Type element, Body body) {
  auto type = cast<RankedTensorType>(x.getType());
  Value init = tensor::EmptyOp::create(
      b, tensor::getMixedSizes(b, b.getLoc(), x), element);
  AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> loops(type.getRank(),
                                         utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             b, TypeRange{init.getType()}, ValueRange{x}, ValueRange{init},
             ArrayRef<AffineMap>{identity, identity}, loops,
             [&](OpBuilder &builder, Location loc, ValueRange elements) {
               ImplicitLocOpBuilder inner(loc, builder);
               linalg::YieldOp::create(inner, body(inner, elements[0]));
             })
      .getResult(0);
}

/// The scalar or the vector `x`, mapped, for each of `rows` rows.
Value perRow(ImplicitLocOpBuilder &b, Value x, OpFoldResult rows, Type element,
             Body body) {
  Value init =
      tensor::EmptyOp::create(b, SmallVector<OpFoldResult>{rows}, element);
  bool scalar = cast<RankedTensorType>(x.getType()).getRank() == 0;
  SmallVector<AffineMap> maps{scalar ? AffineMap::get(1, 0, b.getContext())
                                     : b.getMultiDimIdentityMap(1),
                              b.getMultiDimIdentityMap(1)};
  return linalg::GenericOp::create(
             b, TypeRange{init.getType()}, ValueRange{x}, ValueRange{init},
             maps, ArrayRef{utils::IteratorType::parallel},
             [&](OpBuilder &builder, Location loc, ValueRange elements) {
               ImplicitLocOpBuilder inner(loc, builder);
               linalg::YieldOp::create(inner, body(inner, elements[0]));
             })
      .getResult(0);
}

} // namespace

bool mezzo::areCoded(Value x) {
  auto dequantize = x.getDefiningOp<DequantizeOp>();
  auto type = cast<RankedTensorType>(x.getType());
  if (!dequantize || dequantize->hasAttr("mezzo.strict") ||
      type.getRank() != 2 || dequantize.getBlock() != 0)
    return false;
  int64_t scaleRank = dequantize.getScales().getType().getRank();
  if (scaleRank > 1 || (scaleRank == 1 && dequantize.getAxis() != 0))
    return false;
  auto code =
      dyn_cast<QType>(getElementTypeOrSelf(dequantize.getInput().getType()));
  if (!code)
    return false;
  Format format = code.getNumberFormat();
  return (format.kind() == Format::Kind::Int ||
          format.kind() == Format::Kind::UInt) &&
         format.bits() <= 8;
}

CodedActivations mezzo::codedActivations(Value x, RewriterBase &rewriter) {
  auto dequantize = x.getDefiningOp<DequantizeOp>();
  ImplicitLocOpBuilder b(dequantize.getLoc(), rewriter);
  Format format =
      cast<QType>(getElementTypeOrSelf(dequantize.getInput().getType()))
          .getNumberFormat();
  bool isUnsigned = format.minValue() >= 0;
  int32_t shift = format.maxValue() > INT8_MAX ? 128 : 0;
  CodedActivations coded;
  coded.codes = asBytes(b, dequantize.getInput());
  if (shift)
    coded.codes = mapElements(
        b, coded.codes, b.getI8Type(),
        [](ImplicitLocOpBuilder &inner, Value code) -> Value {
          Value top = arith::ConstantIntOp::create(inner, code.getType(), -128);
          return arith::XOrIOp::create(inner, code, top);
        });
  OpFoldResult rows = tensor::getMixedSize(b, b.getLoc(), x, 0);
  coded.scales = perRow(b, dequantize.getScales(), rows, b.getF32Type(),
                        [](ImplicitLocOpBuilder &inner, Value scale) -> Value {
                          return scale.getType().isF32()
                                     ? scale
                                     : arith::ExtFOp::create(
                                           inner, inner.getF32Type(), scale)
                                           .getResult();
                        });
  Value zeros = dequantize.getZeros();
  std::optional<SmallVector<int32_t>> known =
      zeros ? integersOf(zeros) : SmallVector<int32_t>{0};
  if (known && llvm::all_of(*known, [&](int32_t zero) {
        // A constant of bytes may be read with a sign that it does not have.
        return ((zero - shift) & 0xff) == 0;
      }))
    return coded;
  if (!zeros) { // what is no zero point is one at -128 once codes are signed
    Value shifted = arith::ConstantOp::create(
        b, DenseElementsAttr::get(RankedTensorType::get({}, b.getI32Type()),
                                  b.getI32IntegerAttr(-shift)));
    coded.zeros =
        perRow(b, shifted, rows, b.getI32Type(),
               [](ImplicitLocOpBuilder &, Value zero) { return zero; });
    return coded;
  }
  coded.zeros = perRow(
      b, asBytes(b, zeros), rows, b.getI32Type(),
      [&](ImplicitLocOpBuilder &inner, Value zero) -> Value {
        Type i32 = inner.getI32Type();
        Value wide = isUnsigned
                         ? arith::ExtUIOp::create(inner, i32, zero).getResult()
                         : arith::ExtSIOp::create(inner, i32, zero);
        if (!shift)
          return wide;
        return arith::SubIOp::create(
            inner, wide, arith::ConstantIntOp::create(inner, i32, shift));
      });
  return coded;
}
