//===- DecodeFloat.h - small floats as f32, by arithmetic -----------------===//
//
// A small float is a sign, an exponent and a mantissa, as a larger float is. So
// its bits are put where a half or an f32 has them, and what is wrong then is
// the bias alone, which one multiplication by a power of two corrects. It is
// exact, for subnormals too: both formats count them in their smallest normal
// number. With e4m3 in a half:
//
//     code, at the top of the word    s EEEE MMM 00000000
//     arithmetic shift by 5 - 4       s s EEEE MMM 0000000
//     and the copied sign away        s 0 EEEE MMM 0000000    2^(E-15) (1 +
//     M/8) to f32, times 2^(15 - 7)                                2^(E-7) (1 +
//     M/8)
//
// A half it is where it can be: machines convert halves whose value is
// subnormal as fast as others, but may take a hundred cycles to multiply an f32
// that is.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_PASSES_KERNEL_DECODEFLOAT_H
#define MEZZO_PASSES_KERNEL_DECODEFLOAT_H

#include "lib/Number/SmallFloat.h"
#include "passes/Kernel/KernelBuilder.h"

namespace mezzo {

/// Bits of the words that codes of `format` are decoded in: 16, or 32 where a
/// half has too few exponents.
unsigned decodingWordBits(const SmallFloat &format);

/// The bits of a half, or of an f32, with the value of a code up to the bias.
/// `words` are integers of 16 or 32 bits with the code at their top; below it
/// words of 16 bits have zeros. Infinities and NaN are what they are.
mlir::Value placeSmallFloat(KernelBuilder &builder, const SmallFloat &format,
                            mlir::Value words);

/// Such bits as f32.
mlir::Value rebiasSmallFloat(KernelBuilder &builder, const SmallFloat &format,
                             mlir::Value placed);

/// Both.
mlir::Value decodeSmallFloat(KernelBuilder &builder, const SmallFloat &format,
                             mlir::Value words);

} // namespace mezzo

#endif // MEZZO_PASSES_KERNEL_DECODEFLOAT_H
