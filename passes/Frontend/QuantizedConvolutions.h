//===- QuantizedConvolutions.h - convolutions of quantized weights --------===//

#ifndef MEZZO_PASSES_FRONTEND_QUANTIZEDCONVOLUTIONS_H
#define MEZZO_PASSES_FRONTEND_QUANTIZEDCONVOLUTIONS_H

#include "passes/Frontend/WindowGeometry.h"

namespace mezzo {

/// The weight of a convolution as [M, taps * channels], dequantized from codes
/// in that order; none where the input is no dequantized constant with one
/// scale per output channel, or for the whole tensor.
std::optional<SizedTensor> dequantizedMatrix(Node &node, unsigned input);

/// What each window of an image [N, C, spatial] reads, in f32: a row per
/// window, a column per tap and channel.
SizedTensor matrixOfWindows(Node &node, SizedTensor x,
                            const WindowGeometry &window);

/// The convolution of an image with a matrix as one product, for weights of
/// one group.
SizedTensor convolveByMatrix(Node &node, SizedTensor x, SizedTensor matrix,
                             const WindowGeometry &window);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_QUANTIZEDCONVOLUTIONS_H
