//===- ElementType.cpp ----------------------------------------------------===//

#include "lib/Onnx/ElementType.h"

#include <iterator>

using namespace mezzo;

namespace {
enum Class : uint8_t { None, Unsigned, Signed, Float, Complex };
struct Row {
  llvm::StringLiteral name;
  uint8_t bits;
  Class kind;
};
} // namespace

// In the order of the enumeration.
static constexpr Row rows[] = {
    {"undefined", 0, None},     {"f32", 32, Float},
    {"u8", 8, Unsigned},        {"i8", 8, Signed},
    {"u16", 16, Unsigned},      {"i16", 16, Signed},
    {"i32", 32, Signed},        {"i64", 64, Signed},
    {"string", 0, None},        {"bool", 8, None},
    {"f16", 16, Float},         {"f64", 64, Float},
    {"u32", 32, Unsigned},      {"u64", 64, Unsigned},
    {"complex64", 64, Complex}, {"complex128", 128, Complex},
    {"bf16", 16, Float},        {"f8e4m3fn", 8, Float},
    {"f8e4m3fnuz", 8, Float},   {"f8e5m2", 8, Float},
    {"f8e5m2fnuz", 8, Float},   {"u4", 4, Unsigned},
    {"i4", 4, Signed},          {"f4e2m1", 4, Float},
    {"f8e8m0", 8, Float},       {"u2", 2, Unsigned},
    {"i2", 2, Signed},
};
static_assert(std::size(rows) == lastElementType + 1);

static const Row &row(ElementType type) { return rows[int(type)]; }

unsigned mezzo::bitWidth(ElementType type) { return row(type).bits; }
llvm::StringRef mezzo::name(ElementType type) { return row(type).name; }
bool mezzo::isInteger(ElementType type) {
  return row(type).kind == Unsigned || row(type).kind == Signed;
}
bool mezzo::isSignedInteger(ElementType type) {
  return row(type).kind == Signed;
}
bool mezzo::isFloat(ElementType type) { return row(type).kind == Float; }

llvm::Expected<ElementType> mezzo::elementType(int number) {
  if (number >= 1 && number <= lastElementType)
    return ElementType(number);
  return llvm::createStringError(
      "element type " + llvm::Twine(number) + " is unknown; types 1 to " +
      llvm::Twine(lastElementType) + " of TensorProto.DataType are supported");
}
