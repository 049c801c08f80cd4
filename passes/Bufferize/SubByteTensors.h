//===- SubByteTensors.h - packed outside, a byte each inside ----*- C++ -*-===//

#ifndef MEZZO_PASSES_BUFFERIZE_SUBBYTETENSORS_H
#define MEZZO_PASSES_BUFFERIZE_SUBBYTETENSORS_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace mezzo {

/// Elements of 2 and 4 bits cross the border of a model packed, first ones in
/// the low bits, in row-major order without gaps between rows, as DLPack and
/// ONNX have them. Inside, every element has a byte to itself, sign-extended
/// where signed. A buffer at the border still has the type memref<?x?xi8> of
/// its shape, of whose bytes only the first elements * bits / 8 exist.
struct PackedType {
  unsigned bits;
  bool isSigned;

  /// Of a name in the signature: "u4", "i2", "f4e2m1" (its codes). None where
  /// elements are whole bytes.
  static std::optional<PackedType> of(llvm::StringRef dtype);
};

/// The tensor<..xi8> in a packed buffer of the entry.
mlir::Value unpack(mlir::OpBuilder &builder, mlir::Location loc,
                   mlir::Value buffer, PackedType packed);

/// Writes tensor<..xi8> to a packed buffer of the entry.
void pack(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value tensor,
          mlir::Value buffer, PackedType packed);

} // namespace mezzo

#endif // MEZZO_PASSES_BUFFERIZE_SUBBYTETENSORS_H
