//===- Reproducer.h - a refused model, or a bug of ours? ------------------===//
//
// A pipeline can fail in three ways:
//
//   a pass refuses the model      its errors say what the user can do;
//   a pass fails, or leaves IR    a bug of ours: the user can do nothing but
//   that the verifier complains   report it, and what is needed to repeat it is
//   about                         written to a file;
//   a pass crashes                likewise.
//
// The file holds the module as it was before the pipeline and, in the form that
// `mezzo-opt --run-reproducer` reads, the pipeline. Bytes of large
// weights are left out: passes do not look at them.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_TOOLS_DRIVER_REPRODUCER_H
#define MEZZO_TOOLS_DRIVER_REPRODUCER_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>

namespace mlir {
class PassManager;
}

namespace mezzo {

/// Where the reproducer of a compilation to `output` goes.
inline std::string reproducerBeside(llvm::StringRef output) {
  return (output + ".reproducer.mlir").str();
}

/// A pipeline about to run, as a reproducer needs it.
struct PipelineSnapshot {
  /// Copies the module: its weights are shared, so it costs little.
  PipelineSnapshot(mlir::ModuleOp module, const mlir::PassManager &manager);

  /// Writes the reproducer.
  llvm::Error write(llvm::StringRef path) const;

  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string pipeline; ///< "builtin.module(...)"
};

/// Holds the errors of a context back while it lives, for somebody to judge;
/// other diagnostics go their way.
class ErrorHold : public mlir::ScopedDiagnosticHandler {
public:
  explicit ErrorHold(mlir::MLIRContext *context);
  /// Whether a verifier is among those who complained.
  bool hasVerifierError() const;

  llvm::SmallVector<std::string> errors;
};

/// How a pipeline ended.
struct PipelineEnd {
  bool failed = false;
  /// What was said on the way.
  llvm::SmallVector<std::string> errors;
  /// The pass that failed on a model that it should have compiled; none where
  /// nothing did, or where a pass refused the model.
  std::optional<std::string> brokenPass;
};

PipelineEnd runWatched(mlir::PassManager &manager, mlir::ModuleOp module);

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_REPRODUCER_H
