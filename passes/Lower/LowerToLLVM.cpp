//===- LowerToLLVM.cpp - the LLVM dialect, and the C interface ------------===//

#include "passes/Passes.h"

#include "dialects/Mezzo/Mezzo.h"
#include "passes/Lower/LowerRuntime.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace mezzo {
#define GEN_PASS_DEF_LOWERTOLLVM
#include "passes/Passes.h.inc"
} // namespace mezzo

using namespace mlir;
using namespace mezzo;

namespace {

class LowerToLLVMPass : public mezzo::impl::LowerToLLVMBase<LowerToLLVMPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    ArrayAttr inputs, outputs;
    for (auto function : module.getOps<func::FuncOp>())
      if (function->hasAttr("mezzo.entry")) {
        inputs = function->getAttrOfType<ArrayAttr>("mezzo.inputs");
        outputs = function->getAttrOfType<ArrayAttr>("mezzo.outputs");
      }
    LowerToLLVMOptions options(&getContext());
    LLVMTypeConverter converter(&getContext(), options);
    // Ops of the runtime first, while the frame is still the first argument of
    // a func.func.
    if (failed(lowerRuntimeOps(converter)) || failed(lowerRest(converter)))
      return signalPassFailure();
    for (WeightOp weight :
         llvm::make_early_inc_range(module.getOps<WeightOp>()))
      weight.erase();
    for (auto function : module.getOps<LLVM::LLVMFuncOp>())
      for (StringRef name : {"mezzo.entry", "mezzo.inputs", "mezzo.outputs"})
        function->removeAttr(name);
    if (inputs && outputs && failed(emitModuleTable(module, inputs, outputs)))
      signalPassFailure();
  }

  LogicalResult lowerRuntimeOps(LLVMTypeConverter &converter) {
    RewritePatternSet patterns(&getContext());
    populateRuntimePatterns(converter, patterns);
    ConversionTarget target(getContext());
    target.addIllegalOp<LaunchOp, CheckOp, WeightViewOp, ArenaOp, AllocOp>();
    target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
    return applyPartialConversion(getOperation(), target, std::move(patterns));
  }

  LogicalResult lowerRest(LLVMTypeConverter &converter) {
    RewritePatternSet patterns(&getContext());
    populateFinalizeMemRefToLLVMConversionPatterns(converter, patterns);
    populateFuncToLLVMConversionPatterns(converter, patterns);
    arith::populateArithToLLVMConversionPatterns(converter, patterns);
    cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
    index::populateIndexToLLVMConversionPatterns(converter, patterns);
    populateMathToLLVMConversionPatterns(converter, patterns);
    ub::populateUBToLLVMConversionPatterns(converter, patterns);
    LLVMConversionTarget target(getContext());
    target.addLegalOp<ModuleOp, WeightOp>();
    target.addLegalOp<UnrealizedConversionCastOp>();
    return applyPartialConversion(getOperation(), target, std::move(patterns));
  }
};

} // namespace
