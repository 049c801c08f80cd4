//===- Passes.h - the rewrites --------------------------------------------===//

#ifndef MEZZO_PASSES_PASSES_H
#define MEZZO_PASSES_PASSES_H

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassOptions.h"

#include <memory>
#include <string>

namespace mezzo {

#define GEN_PASS_DECL
#include "passes/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"

/// What the whole compilation of a module is parameterized by.
struct PipelineOptions : public mlir::PassPipelineOptions<PipelineOptions> {
  Option<std::string> target{*this, "target",
                             llvm::cl::desc("name of the target"),
                             llvm::cl::init("native")};
  Option<std::string> compute{
      *this, "compute",
      llvm::cl::desc("compute mode of products formed from Q/DQ: float, int, "
                     "lut8; empty: as the model says"),
      llvm::cl::init("")};
  Option<std::string> config{*this, "config",
                             llvm::cl::desc("force knobs: rows=4,groups=2,..."),
                             llvm::cl::init("")};
  Option<std::string> tuningDb{*this, "tuning-db",
                               llvm::cl::desc("file of tuning records"),
                               llvm::cl::init("")};
  Option<bool> requireTuned{
      *this, "require-tuned",
      llvm::cl::desc("a product without a tuning record is an error"),
      llvm::cl::init(false)};
};

/// The stages of `mezzo compile`, each a named pipeline of `mezzo-opt`
/// (`mezzo-tensor`, `mezzo-select`, ...). Their order is the order of the
/// declarations.
void buildTensorPipeline(mlir::OpPassManager &manager,
                         const PipelineOptions &options);
/// After the first: what a target gets that writes sources of its own.
void buildSourcePipeline(mlir::OpPassManager &manager,
                         const PipelineOptions &options);
void buildSelectPipeline(mlir::OpPassManager &manager,
                         const PipelineOptions &options);
void buildKernelPipeline(mlir::OpPassManager &manager,
                         const PipelineOptions &options);
void buildBufferizePipeline(mlir::OpPassManager &manager,
                            const PipelineOptions &options);
void buildLowerPipeline(mlir::OpPassManager &manager,
                        const PipelineOptions &options);

/// All of the above, as `mezzo-compile`.
void registerMezzoPipelines();

} // namespace mezzo

#endif // MEZZO_PASSES_PASSES_H
