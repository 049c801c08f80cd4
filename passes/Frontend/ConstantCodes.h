//===- ConstantCodes.h - codes that are known at import -------------------===//

#ifndef MEZZO_PASSES_FRONTEND_CONSTANTCODES_H
#define MEZZO_PASSES_FRONTEND_CONSTANTCODES_H

#include "passes/Frontend/Node.h"

namespace mezzo {

/// The narrowest integer format that holds the codes [low, high] and no others:
/// int4 for [-8, 7], int4[-7,7], uint3[0,5]. Precondition: they fit in 8 bits.
Format narrowestFormat(int64_t low, int64_t high);

/// A plain weight of codes, packed in as many bits as the format has, loaded.
SizedTensor loadCodes(Node &node, llvm::ArrayRef<int64_t> dims,
                      const Format &format, llvm::ArrayRef<int32_t> codes);

/// What a constant is where somebody computes it at import: an initializer.
std::shared_ptr<const TensorView> constantView(llvm::StringRef name,
                                               ElementType type,
                                               llvm::ArrayRef<int64_t> dims,
                                               std::vector<uint8_t> bytes);

/// Imports a Clip of codes between constant bounds as a narrower format of
/// them: what stands between QuantizeLinear and DequantizeLinear says how many
/// bits the codes have (QCDQ). False where the node is no such Clip.
bool narrowCodes(Node &node);

/// Imports a QuantizeLinear of a constant by computing it. False where one of
/// its inputs is no constant, or its scales are not in f32.
bool foldQuantize(Node &node, ElementType type);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_CONSTANTCODES_H
