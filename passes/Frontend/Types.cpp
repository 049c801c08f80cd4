//===- Types.cpp - ONNX's element types in IR -----------------------------===//

#include "passes/Frontend/Types.h"

#include "dialects/Mezzo/Mezzo.h"

using namespace mlir;
using namespace mezzo;

StringRef mezzo::formatName(ElementType type) {
  switch (type) {
  case ElementType::U2:
    return "uint2";
  case ElementType::I2:
    return "int2";
  case ElementType::U4:
    return "uint4";
  case ElementType::I4:
    return "int4";
  case ElementType::U8:
    return "uint8";
  case ElementType::I8:
    return "int8";
  case ElementType::U16:
    return "uint16";
  case ElementType::I16:
    return "int16";
  default:
    return "";
  }
}

Type mezzo::codeType(MLIRContext *context, ElementType type) {
  // The codes of f4e2m1 are kept as numbers of 4 bits.
  return QType::get(context, type == ElementType::F4E2M1 ? StringRef("uint4")
                                                         : formatName(type));
}

Type mezzo::irType(MLIRContext *context, ElementType type) {
  switch (type) {
  case ElementType::F32:
    return Float32Type::get(context);
  case ElementType::F16:
    return Float16Type::get(context);
  case ElementType::BF16:
    return BFloat16Type::get(context);
  case ElementType::F64:
    return Float64Type::get(context);
  case ElementType::Bool:
    return IntegerType::get(context, 1);
  case ElementType::U2:
  case ElementType::I2:
  case ElementType::U4:
  case ElementType::I4:
    return codeType(context, type);
  case ElementType::F4E2M1:
    return QType::get(context, "uint4");
  case ElementType::F8E4M3FN:
  case ElementType::F8E4M3FNUZ:
  case ElementType::F8E5M2:
  case ElementType::F8E5M2FNUZ:
  case ElementType::F8E8M0:
    return IntegerType::get(context, 8);
  default:
    return isInteger(type) ? IntegerType::get(context, bitWidth(type)) : Type();
  }
}

bool mezzo::isSmallFloat(ElementType type) {
  return isFloat(type) && bitWidth(type) <= 8;
}

Type mezzo::computeType(Type type) {
  return type.isF16() || type.isBF16()
             ? Type(Float32Type::get(type.getContext()))
             : type;
}
