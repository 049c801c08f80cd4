//===- Pipelines.cpp - the stages of a compilation ------------------------===//

#include "passes/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Affine/Transforms/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mezzo;

void mezzo::buildTensorPipeline(OpPassManager &manager,
                                const PipelineOptions &options) {
  manager.addPass(createPlaceDequantize());
  FormMatmulOptions form;
  form.compute = options.compute;
  manager.addPass(createMoveDequantize());
  manager.addPass(createFormMatmul(form));
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}

void mezzo::buildSourcePipeline(OpPassManager &manager,
                                const PipelineOptions &) {
  manager.addPass(createLinalgElementwiseOpFusionPass());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}

void mezzo::buildSelectPipeline(OpPassManager &manager,
                                const PipelineOptions &options) {
  SelectStrategyOptions select;
  select.target = options.target;
  select.config = options.config;
  select.tuningDb = options.tuningDb;
  select.requireTuned = options.requireTuned;
  manager.addPass(createSelectStrategy(select));
  manager.addPass(createPackWeights());
  manager.addPass(createLowerQuantize());
  manager.addNestedPass<func::FuncOp>(createPrepareActivations());
}

void mezzo::buildKernelPipeline(OpPassManager &manager,
                                const PipelineOptions &options) {
  manager.addNestedPass<func::FuncOp>(createFuseGathers());
  manager.addPass(createFormDense());
  manager.addPass(createLowerContractions());
  manager.addPass(createLinalgElementwiseOpFusionPass());
  EmitKernelsOptions emit;
  emit.target = options.target;
  manager.addPass(createEmitKernels(emit));
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}

void mezzo::buildBufferizePipeline(OpPassManager &manager,
                                   const PipelineOptions &) {
  manager.addPass(createFormEntry());
  manager.addPass(bufferization::createEmptyTensorEliminationPass());
  manager.addPass(bufferization::createOneShotBufferizePass());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  manager.addNestedPass<func::FuncOp>(
      bufferization::createBufferLoopHoistingPass());
  manager.addPass(createPlanArena());
  manager.addPass(createLowerReshapes());
  // Canonical views may be less dense than they look here.
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createLowerCopies());
}

void mezzo::buildLowerPipeline(OpPassManager &manager,
                               const PipelineOptions &options) {
  manager.addPass(createVectorizeElementwise());
  manager.addPass(createConvertLinalgToLoopsPass());
  manager.addPass(createExpandMath());
  LowerTileOptions tile;
  tile.target = options.target;
  manager.addPass(createLowerTile(tile));
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  manager.addPass(createLoopInvariantCodeMotionPass());
  manager.addPass(memref::createExpandStridedMetadataPass());
  manager.addPass(createLowerAffinePass());
  // Rounding to bf16 would call a library that a model does not bring.
  arith::ArithExpandOpsPassOptions expansion;
  expansion.includeBf16 = true;
  manager.addPass(arith::createArithExpandOpsPass(expansion));
  manager.addPass(createSCFToControlFlowPass());
  manager.addPass(createConvertVectorToLLVMPass());
  manager.addPass(createLowerToLLVM());
  manager.addPass(createReconcileUnrealizedCastsPass());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}

void mezzo::registerMezzoPipelines() {
  using Build = void (*)(OpPassManager &, const PipelineOptions &);
  static const std::tuple<const char *, const char *, Build> stages[] = {
      {"mezzo-tensor", "one form for everything quantized",
       buildTensorPipeline},
      {"mezzo-select",
       "strategies, layouts, places of weights, prepared activations",
       buildSelectPipeline},
      {"mezzo-kernel", "kernels and launches", buildKernelPipeline},
      {"mezzo-bufferize", "buffers, in the arena", buildBufferizePipeline},
      {"mezzo-lower", "the LLVM dialect", buildLowerPipeline},
  };
  static SmallVector<std::unique_ptr<PassPipelineRegistration<PipelineOptions>>>
      registrations;
  for (auto [name, summary, build] : stages)
    registrations.push_back(
        std::make_unique<PassPipelineRegistration<PipelineOptions>>(
            name, summary,
            [build = build](OpPassManager &manager,
                            const PipelineOptions &options) {
              build(manager, options);
            }));
  registrations.push_back(
      std::make_unique<PassPipelineRegistration<PipelineOptions>>(
          "mezzo-compile", "all stages, from tensors to the LLVM dialect",
          [](OpPassManager &manager, const PipelineOptions &options) {
            for (auto [name, summary, build] : stages)
              build(manager, options);
          }));
}
