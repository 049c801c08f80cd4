//===- Casts.cpp - conversions between element types ----------------------===//

#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Scalars.h"
#include "passes/Frontend/SmallFloats.h"
#include "passes/Frontend/Types.h"

#include "llvm/ADT/APFloat.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// x toward zero, in the range of the integers; NaN is 0. ONNX leaves what is
/// out of range open, LLVM makes it undefined.
Value toInteger(ImplicitLocOpBuilder &b, Value x, Type type, bool isSigned) {
  x = convertFloatScalar(b, x, computeType(x.getType()));
  auto floatType = cast<FloatType>(x.getType());
  unsigned bits = type.getIntOrFloatBitWidth();
  // 2^n and its negative are floats; 2^n - 1 need not be one.
  auto powerOfTwo = [&](int exponent) {
    return scalbn(llvm::APFloat::getOne(floatType.getFloatSemantics()),
                  exponent, llvm::APFloat::rmNearestTiesToEven);
  };
  llvm::APFloat low = isSigned ? -powerOfTwo(bits - 1) : -powerOfTwo(0),
                high = powerOfTwo(isSigned ? bits - 1 : bits);
  Value lowest = arith::ConstantOp::create(b, b.getFloatAttr(floatType, low));
  Value end = arith::ConstantOp::create(b, b.getFloatAttr(floatType, high));
  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(floatType));
  // Of unsigned integers, what lies between -1 and 0 is 0 too.
  Value above = arith::CmpFOp::create(
      b, isSigned ? arith::CmpFPredicate::OGE : arith::CmpFPredicate::OGT, x,
      lowest);
  Value below = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, end);
  Value inside = arith::AndIOp::create(b, above, below);
  Value safe = arith::SelectOp::create(b, inside, x, zero);
  Value result = isSigned ? arith::FPToSIOp::create(b, type, safe).getResult()
                          : arith::FPToUIOp::create(b, type, safe).getResult();
  APInt largest =
      isSigned ? APInt::getSignedMaxValue(bits) : APInt::getMaxValue(bits);
  APInt smallest =
      isSigned ? APInt::getSignedMinValue(bits) : APInt::getZero(bits);
  Value over = arith::CmpFOp::create(b, arith::CmpFPredicate::OGE, x, end);
  Value under = arith::CmpFOp::create(
      b, isSigned ? arith::CmpFPredicate::OLT : arith::CmpFPredicate::OLE, x,
      lowest);
  Value most = arith::ConstantOp::create(b, b.getIntegerAttr(type, largest));
  Value least = arith::ConstantOp::create(b, b.getIntegerAttr(type, smallest));
  return arith::SelectOp::create(
      b, over, most, arith::SelectOp::create(b, under, least, result));
}

} // namespace

Value mezzo::convertScalar(ImplicitLocOpBuilder &b, Value x, ElementType from,
                           ElementType to, Type type) {
  Type given = x.getType();
  bool fromFloat = isa<FloatType>(given), toFloat = isa<FloatType>(type),
       fromSigned = isSignedInteger(from);
  if (to == ElementType::Bool) {
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(given));
    if (fromFloat) // NaN is true
      return arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, x, zero);
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, x, zero);
  }
  if (fromFloat)
    return toFloat ? convertFloatScalar(b, x, type)
                   : toInteger(b, x, type, isSignedInteger(to));
  if (toFloat) {
    // An integer beyond 2^24 that becomes a half is rounded in f32 and again;
    // the second rounding overflows it anyway.
    Type wide = computeType(type);
    Value value = fromSigned ? arith::SIToFPOp::create(b, wide, x).getResult()
                             : arith::UIToFPOp::create(b, wide, x).getResult();
    return convertFloatScalar(b, value, type);
  }
  unsigned fromBits = given.getIntOrFloatBitWidth(),
           toBits = type.getIntOrFloatBitWidth();
  if (fromBits > toBits)
    return arith::TruncIOp::create(b, type, x);
  if (fromBits == toBits)
    return x;
  return fromSigned ? arith::ExtSIOp::create(b, type, x).getResult()
                    : arith::ExtUIOp::create(b, type, x).getResult();
}

namespace {

/// An integer of 2 or 4 bits is kept in a byte, extended from those bits.
Value wrapToBits(ImplicitLocOpBuilder &b, Value x, ElementType type) {
  Value rest = arith::ConstantOp::create(
      b, b.getIntegerAttr(x.getType(), 8 - bitWidth(type)));
  Value high = arith::ShLIOp::create(b, x, rest);
  return isSignedInteger(type)
             ? arith::ShRSIOp::create(b, high, rest).getResult()
             : arith::ShRUIOp::create(b, high, rest).getResult();
}

LogicalResult castTo(Node &node, ElementType to) {
  ElementType from = node.type(0);
  OnnxValue input = node.in(0);
  if (from == to)
    return node.result(input);
  ImplicitLocOpBuilder &builder = node.b;
  Type type = irType(builder.getContext(), to);
  if (!type)
    return node.error() << "a cast to " << name(to)
                        << " is not supported; use a floating point type, "
                           "bool or integers of 2 to 64 bits";
  SmallFloatRounding rounding;
  rounding.saturate = node.integer("saturate", 1) != 0;
  std::string powers = node.text("round_mode", "up");
  rounding.powers = powers;
  if (powers != "up" && powers != "down" && powers != "nearest")
    return node.error() << "its attribute 'round_mode' is " << quoted(powers)
                        << ": use up, down or nearest";
  // A half-precision tensor that was never rounded is f32 already, and products
  // may read its codes.
  if (to == ElementType::F32 && input.tensor &&
      getElementTypeOrSelf(input.tensor).isF32())
    return node.result(node.f32(0), to);
  SizedTensor x = node.numbers(0);
  bool narrow = isInteger(to) && bitWidth(to) < 8;
  // To fewer than 8 bits an integer is cut, as to more, also a negative one
  // that has been a float.
  ElementType made = narrow ? ElementType::I32 : to;
  Type stored = isSmallFloat(to) || narrow ? Type(builder.getI8Type()) : type;
  SizedTensor y = node.tensors.elementwise(
      x, stored, [&](ImplicitLocOpBuilder &b, ValueRange elements) -> Value {
        Value value = elements[0];
        ElementType given = from;
        if (isSmallFloat(from)) {
          value = decodeSmallFloat(b, value, from);
          given = ElementType::F32;
        }
        if (isSmallFloat(to)) {
          value =
              convertScalar(b, value, given, ElementType::F32, b.getF32Type());
          return encodeSmallFloat(b, value, to, rounding);
        }
        if (!narrow)
          return convertScalar(b, value, given, to, type);
        value = convertScalar(b, value, given, made, b.getI32Type());
        return wrapToBits(b, arith::TruncIOp::create(b, stored, value), to);
      });
  return node.result(y, to);
}

LogicalResult importCast(Node &node) {
  llvm::Expected<ElementType> to = elementType(node.integer("to", 0));
  if (!to)
    return node.error(to.takeError());
  return castTo(node, *to);
}

LogicalResult importCastLike(Node &node) { return castTo(node, node.type(1)); }

const OperatorRow rows[] = {
    {OnnxDomain, "Cast", 6, 1, 1, importCast},
    {OnnxDomain, "CastLike", 15, 2, 2, importCastLike},
};

} // namespace

ArrayRef<OperatorRow> mezzo::castOperators() { return rows; }
