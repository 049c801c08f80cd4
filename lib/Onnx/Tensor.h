//===- Tensor.h - The bytes of a constant tensor --------------------------===//

#ifndef MEZZO_LIB_ONNX_TENSOR_H
#define MEZZO_LIB_ONNX_TENSOR_H

#include "lib/Onnx/ElementType.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <memory>
#include <string>

namespace mezzo {

/// A constant tensor wherever its bytes lie: in the mapped model file, in an
/// external file, or in a buffer that was decoded from one of protobuf's typed
/// fields. ONNX has nine ways to store a tensor; behind this type there is one.
struct TensorView {
  std::string name;
  ElementType type = ElementType::Undefined;
  llvm::SmallVector<int64_t> dims;
  /// ceil(elements * bitWidth / 8) bytes: little-endian, dense, row-major; 2-
  /// and 4-bit elements packed low bits first across rows. No alignment is
  /// promised. Padding bits after the last element are whatever the file says.
  llvm::ArrayRef<uint8_t> bytes;
  /// Keeps `bytes` alive, also past the end of the model. Null only where
  /// bytes belong to the caller of OnnxModel::parse.
  std::shared_ptr<void> owner;

  /// The product of dims; was checked when the view was made.
  int64_t elements() const;

  /// All elements of an integer or Bool tensor, sign-extended. Errors: another
  /// type, a u64 over 2^63 - 1.
  llvm::Expected<llvm::SmallVector<int64_t>> toInts() const;

  /// All elements of a floating point tensor as f32: exact but for F64, which
  /// is rounded to nearest even.
  llvm::Expected<llvm::SmallVector<float>> toFloats() const;
};

/// Raw storage bits of element `index`, zero-extended: for types of at most 64
/// bits.
uint64_t rawElement(const TensorView &tensor, int64_t index);

} // namespace mezzo

#endif // MEZZO_LIB_ONNX_TENSOR_H
