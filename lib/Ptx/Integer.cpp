//===- Integer.cpp - add, mul, mad, div, min and dot products -------------===//
//
// Opcodes that integers and floats share begin here and go to Float.cpp where
// the type says so.
//
//===----------------------------------------------------------------------===//

#include "lib/Ptx/Decode.h"
#include "lib/Ptx/FloatMath.h"

using namespace mezzo::ptx;

namespace {

/// `f` on the typed values of two operands.
template <typename T, typename F>
Action typedBinary(Decoder &d, Type type, F f) {
  d.expectOperands(3);
  return binary(d.destination(0), type.bits, d.source(1, type),
                d.source(2, type),
                [f](uint64_t a, uint64_t b) { return f(T(a), T(b)); });
}

/// Calls `f` with a value of the C++ type that `type` means.
template <typename F>
Action withType(Decoder &d, Type type, F f) {
  bool isSigned = type.kind == Type::Signed;
  switch (type.bits) {
  case 16:
    return isSigned ? f(int16_t()) : f(uint16_t());
  case 32:
    return isSigned ? f(int32_t()) : f(uint32_t());
  case 64:
    return isSigned ? f(int64_t()) : f(uint64_t());
  default:
    return d.complain("no arithmetic on integers of " + llvm::Twine(type.bits) +
                      " bits");
  }
}

template <typename F>
Action integerBinary(Decoder &d, F f) {
  Type type = d.type();
  return withType(d, type, [&](auto zero) {
    return typedBinary<decltype(zero)>(d, type, f);
  });
}

/// As unsigned, where overflow is defined.
template <typename T>
uint64_t bitsOfValue(T value) {
  return uint64_t(value);
}

int32_t saturate32(int64_t value) {
  return int32_t(std::clamp<int64_t>(value, INT32_MIN, INT32_MAX));
}

template <int sign>
Action decodeAdd(Decoder &d) {
  if (isFloatArithmetic(d))
    return decodeFloatArithmetic(d);
  if (d.take("sat")) {
    Type type = d.type();
    if (!(type == Type{Type::Signed, 32, 1}))
      return d.complain("'.sat' of integers needs '.s32'");
    return typedBinary<int32_t>(d, type, [](int64_t a, int64_t b) {
      return uint32_t(saturate32(a + sign * b));
    });
  }
  return integerBinary(d, [](auto a, auto b) {
    return bitsOfValue(a) + (sign > 0 ? bitsOfValue(b) : -bitsOfValue(b));
  });
}

/// The upper half of a product of two 64-bit or smaller numbers.
template <typename T>
uint64_t upperHalf(T a, T b) {
  if constexpr (std::is_signed_v<T>)
    return uint64_t((__int128(a) * b) >> (8 * sizeof(T)));
  else
    return uint64_t((static_cast<unsigned __int128>(a) * b) >> (8 * sizeof(T)));
}

enum class Half { Low, High, Wide };

Half takeHalf(Decoder &d) {
  switch (d.takeOneOf({"lo", "hi", "wide"})) {
  case 0:
    return Half::Low;
  case 1:
    return Half::High;
  case 2:
    return Half::Wide;
  default:
    d.complain("'" + d.opcode() +
               "' of integers needs '.lo', '.hi' or '.wide'");
    return Half::Low;
  }
}

template <typename T>
uint64_t productPart(Half half, T a, T b) {
  if (half == Half::High)
    return upperHalf(a, b);
  if (half == Half::Wide) {
    using Wide = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
    return uint64_t(Wide(a) * Wide(b));
  }
  return uint64_t(a) * uint64_t(b);
}

Action decodeMul(Decoder &d) {
  if (isFloatArithmetic(d))
    return decodeFloatArithmetic(d);
  Half half = takeHalf(d);
  Type type = d.type();
  if (half == Half::Wide && type.bits == 64)
    return d.complain("no '.wide' product of 64-bit integers");
  unsigned bits = type.bits * (half == Half::Wide ? 2 : 1);
  return withType(d, type, [&](auto zero) {
    using T = decltype(zero);
    d.expectOperands(3);
    return binary(d.destination(0), bits, d.source(1, type), d.source(2, type),
                  [half](uint64_t a, uint64_t b) {
                    return productPart(half, T(a), T(b));
                  });
  });
}

Action decodeMad(Decoder &d) {
  if (isFloatArithmetic(d))
    return decodeFloatArithmetic(d);
  Half half = takeHalf(d);
  Type type = d.type();
  Type sum = type;
  if (half == Half::Wide)
    sum.bits *= 2;
  if (sum.bits > 64)
    return d.complain("no '.wide' product of 64-bit integers");
  return withType(d, type, [&](auto zero) {
    using T = decltype(zero);
    d.expectOperands(4);
    return ternary(d.destination(0), sum.bits, d.source(1, type),
                   d.source(2, type), d.source(3, sum),
                   [half](uint64_t a, uint64_t b, uint64_t c) {
                     return productPart(half, T(a), T(b)) + c;
                   });
  });
}

/// Division by zero gives all ones and the dividend, as the hardware does.
Action decodeDiv(Decoder &d) {
  if (isFloatArithmetic(d))
    return decodeFloatArithmetic(d);
  return integerBinary(d, [](auto a, auto b) -> uint64_t {
    if (b == 0)
      return ~uint64_t(0);
    if (std::is_signed_v<decltype(a)> && b == decltype(b)(-1))
      return -uint64_t(a);
    return uint64_t(a / b);
  });
}

Action decodeRem(Decoder &d) {
  return integerBinary(d, [](auto a, auto b) -> uint64_t {
    if (b == 0)
      return uint64_t(a);
    if (std::is_signed_v<decltype(a)> && b == decltype(b)(-1))
      return 0;
    return uint64_t(a % b);
  });
}

Action decodeMin(Decoder &d) {
  if (isFloatArithmetic(d))
    return decodeFloatArithmetic(d);
  return integerBinary(d,
                       [](auto a, auto b) { return uint64_t(std::min(a, b)); });
}

Action decodeMax(Decoder &d) {
  if (isFloatArithmetic(d))
    return decodeFloatArithmetic(d);
  return integerBinary(d,
                       [](auto a, auto b) { return uint64_t(std::max(a, b)); });
}

Action decodeAbs(Decoder &d) {
  if (isFloatArithmetic(d))
    return decodeFloatArithmetic(d);
  Type type = d.type();
  d.expectOperands(2);
  return unary(d.destination(0), type.bits, d.source(1, type),
               [bits = type.bits](uint64_t a) {
                 return signExtend(a, bits) < 0 ? -a : a;
               });
}

Action decodeNeg(Decoder &d) {
  if (isFloatArithmetic(d))
    return decodeFloatArithmetic(d);
  Type type = d.type();
  d.expectOperands(2);
  return unary(d.destination(0), type.bits, d.source(1, type),
               [](uint64_t a) { return -a; });
}

/// dp4a.atype.btype d, a, b, c: c plus the products of four bytes each.
Action decodeDp4a(Decoder &d) {
  bool signedA = d.type().kind == Type::Signed;
  bool signedB = d.type().kind == Type::Signed;
  Type word{Type::Bits, 32, 1};
  d.expectOperands(4);
  return ternary(d.destination(0), 32, d.source(1, word), d.source(2, word),
                 d.source(3, word), [=](uint64_t a, uint64_t b, uint64_t c) {
                   for (unsigned i = 0; i < 32; i += 8) {
                     int64_t x = a >> i & 0xff, y = b >> i & 0xff;
                     c += (signedA ? int8_t(x) : x) * (signedB ? int8_t(y) : y);
                   }
                   return c;
                 });
}

} // namespace

void mezzo::ptx::addArithmetic(OpcodeTable &table) {
  table["add"] = decodeAdd<1>;
  table["sub"] = decodeAdd<-1>;
  table["mul"] = decodeMul;
  table["mad"] = decodeMad;
  table["div"] = decodeDiv;
  table["rem"] = decodeRem;
  table["min"] = decodeMin;
  table["max"] = decodeMax;
  table["abs"] = decodeAbs;
  table["neg"] = decodeNeg;
  table["dp4a"] = decodeDp4a;
}
