//===- Constants.h - reading constants behind values ----------------------===//

#ifndef MEZZO_PASSES_TENSOR_CONSTANTS_H
#define MEZZO_PASSES_TENSOR_CONSTANTS_H

#include "dialects/Mezzo/Mezzo.h"

namespace mezzo {

/// The weight that a value is, if it is a plain one that was loaded.
WeightOp plainWeightOf(mlir::Value value);

/// The constant behind a value: of an `arith.constant` or a plain weight that
/// holds no codes; null if there is none.
mlir::ElementsAttr constantOf(mlir::Value value);

/// Elements as numbers; f32, f16, bf16, or integers of up to 32 bits. Fails
/// where the bytes are not at hand.
std::optional<llvm::SmallVector<float>> floatsOf(mlir::ElementsAttr attr);

/// Codes or integers behind a value, as the numbers they stand for: an
/// `arith.constant` of integers, or a plain weight of integers or of codes of
/// an integer format.
std::optional<llvm::SmallVector<int32_t>> integersOf(mlir::Value value);

} // namespace mezzo

#endif // MEZZO_PASSES_TENSOR_CONSTANTS_H
