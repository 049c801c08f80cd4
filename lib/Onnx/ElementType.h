//===- ElementType.h - Element types of ONNX tensors ----------------------===//

#ifndef MEZZO_LIB_ONNX_ELEMENTTYPE_H
#define MEZZO_LIB_ONNX_ELEMENTTYPE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace mezzo {

/// The numbers are those of onnx.TensorProto.DataType.
enum class ElementType : int {
  Undefined = 0,
  F32 = 1,
  U8 = 2,
  I8 = 3,
  U16 = 4,
  I16 = 5,
  I32 = 6,
  I64 = 7,
  String = 8,
  Bool = 9,
  F16 = 10,
  F64 = 11,
  U32 = 12,
  U64 = 13,
  Complex64 = 14,
  Complex128 = 15,
  BF16 = 16,
  F8E4M3FN = 17,
  F8E4M3FNUZ = 18,
  F8E5M2 = 19,
  F8E5M2FNUZ = 20,
  U4 = 21,
  I4 = 22,
  F4E2M1 = 23,
  F8E8M0 = 24,
  U2 = 25,
  I2 = 26,
};

/// The highest number above.
constexpr int lastElementType = 26;

/// Bits of one element in dense storage; 8 for Bool, 0 for Undefined and
/// String.
unsigned bitWidth(ElementType type);

/// The name as in messages and signatures: "f32", "i8", "bool", "f8e4m3fn",
/// "u4", ...
llvm::StringRef name(ElementType type);

bool isInteger(ElementType type); // signed or unsigned; not Bool
bool isSignedInteger(ElementType type);
bool isFloat(ElementType type); // not complex

/// The type with this number, or an error that says which numbers exist.
llvm::Expected<ElementType> elementType(int number);

} // namespace mezzo

#endif // MEZZO_LIB_ONNX_ELEMENTTYPE_H
