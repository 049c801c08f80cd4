//===- FloatMath.h - Floats as a GPU rounds them ----------------*- C++ -*-===//

#ifndef MEZZO_LIB_PTX_FLOATMATH_H
#define MEZZO_LIB_PTX_FLOATMATH_H

#include "lib/Ptx/Decode.h"

namespace mezzo::ptx {

/// Whether the instruction's last type is a float.
bool isFloatArithmetic(Decoder &d);
/// add, sub, mul, mad, fma, div, min, max, abs, neg of floats.
Action decodeFloatArithmetic(Decoder &d);

/// The value of one element of a float type. Exact.
double toDouble(uint64_t bits, Type type);
/// Nearest-even in one rounding: `value` itself may be the result of a sum that
/// was rounded to odd. NaN becomes the canonical one of the type.
uint64_t fromDouble(double value, Type type);
/// a + b rounded to odd: a later rounding to 24 bits or fewer gives what one
/// rounding of the exact sum would have given.
double sumToOdd(double a, double b);
/// `value` rounded to f32, to odd.
float floatToOdd(double value);
/// A subnormal f32 becomes a zero of its sign.
float flush(float value);

} // namespace mezzo::ptx

#endif // MEZZO_LIB_PTX_FLOATMATH_H
