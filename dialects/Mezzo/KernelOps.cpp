//===- KernelOps.cpp - launches: verifier and effects ---------------------===//

#include "dialects/Mezzo/Mezzo.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace mezzo;

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel = symbols.lookupNearestSymbolFrom<FunctionOpInterface>(
      *this, getKernelAttr());
  if (!kernel)
    return emitOpError() << "launches " << getKernelAttr()
                         << ", which is no function of this module";
  size_t expected = getInputs().size() + getOutputs().size() + 2;
  // Once lowered, a memref is several arguments; what was checked before stays
  // true.
  if (isa<func::FuncOp>(kernel) && kernel.getNumArguments() != expected)
    return emitOpError() << "passes " << expected
                         << " arguments (inputs, outputs, begin, end), but "
                         << getKernelAttr() << " takes "
                         << kernel.getNumArguments();
  return success();
}

void LaunchOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  for (OpOperand &operand : getInputsMutable())
    if (isa<MemRefType>(operand.get().getType()))
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
  for (OpOperand &operand : getOutputsMutable())
    if (isa<MemRefType>(operand.get().getType())) {
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
    }
}
