//===- PlanInteger.h - regions without floats, found in a model -----------===//

#ifndef MEZZO_TARGETS_HLSC_PLANINTEGER_H
#define MEZZO_TARGETS_HLSC_PLANINTEGER_H

#include "targets/HlsC/Plan.h"

#include "dialects/Mezzo/Mezzo.h"

namespace mezzo::hlsc {

/// The scale, zero point and range of codes that are static, all of a tensor.
/// Errors: scales per channel or block, or computed at run time.
llvm::Expected<StaticCodes> staticCodesOf(mlir::ModuleOp module, QuantizeOp op);
llvm::Expected<StaticCodes> staticCodesOf(mlir::ModuleOp module,
                                          DequantizeOp op);

/// What follows a product of mode `integer-only` up to its new codes: perhaps a
/// bias, perhaps a Relu, then QuantizeLinear; each has one user.
struct RequantizeChain {
  QuantizeOp quantize;
  mlir::Value bias; ///< a constant per column, or null
  bool hasRelu = false;
  std::vector<mlir::Operation *> ops; ///< that the product's stage replaces
};
std::optional<RequantizeChain> chainAfter(mlir::Value product);

/// The factors of a product's rows, sa * sw / sy as m / 2^e, and its bias in
/// steps of sa * sw, nearest-even. Errors: groups along K, float zero points,
/// factors that have no dyadic form, a bias beyond int32.
llvm::Error fillRequantization(Stage &stage, const StaticCodes &input,
                               const StaticCodes &output, bool hasRelu);

} // namespace mezzo::hlsc

#endif // MEZZO_TARGETS_HLSC_PLANINTEGER_H
