//===- Register.h - The vector registers of x86 ---------------------------===//

#ifndef MEZZO_TARGETS_X86_REGISTER_H
#define MEZZO_TARGETS_X86_REGISTER_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace mezzo::x86 {

/// A ymm register, or a zmm register: how spellings see the 32 or 64 bytes.
struct Register {
  bool isWide;

  int64_t bytes() const { return isWide ? 64 : 32; }
  mlir::VectorType asBytes(mlir::Builder &builder) const {
    return mlir::VectorType::get(bytes(), builder.getI8Type());
  }
  mlir::VectorType asWords(mlir::Builder &builder) const {
    return mlir::VectorType::get(bytes() / 2, builder.getI16Type());
  }
  mlir::VectorType asLanes(mlir::Builder &builder) const {
    return mlir::VectorType::get(bytes() / 4, builder.getI32Type());
  }
};

} // namespace mezzo::x86

#endif // MEZZO_TARGETS_X86_REGISTER_H
