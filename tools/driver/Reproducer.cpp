//===- Reproducer.cpp - a refused model, or a bug of ours? ----------------===//

#include "tools/driver/Reproducer.h"

#include "lib/Support/AtomicFile.h"
#include "tools/driver/Diagnostics.h"

#include "mlir/IR/AsmState.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace mezzo;

/// Digits of the longest constant that is written; the pipeline, which is a
/// resource too, is far shorter.
static constexpr int64_t LongestResource = int64_t(1) << 16;

/// The passes that look at what a model asks for and may refuse it. What any
/// other pass fails at was accepted before, hence is our mistake.
static bool mayRefuse(StringRef pass) {
  return llvm::is_contained({"mezzo-form-matmul", "mezzo-select-strategy",
                             "mezzo-lower-quantize", "mezzo-form-entry"},
                            pass);
}

namespace {

/// Remembers the first pass that failed: those around it fail because of it.
class FirstFailure : public PassInstrumentation {
public:
  explicit FirstFailure(std::optional<std::string> &pass) : pass(pass) {}
  void runAfterPassFailed(Pass *failed, Operation *) override {
    if (!pass)
      pass = (failed->getArgument().empty() ? failed->getName()
                                            : failed->getArgument())
                 .str();
  }

private:
  std::optional<std::string> &pass;
};

} // namespace

PipelineSnapshot::PipelineSnapshot(ModuleOp module, const PassManager &manager)
    : module(module.clone()) {
  llvm::raw_string_ostream os(pipeline);
  manager.printAsTextualPipeline(os);
}

llvm::Error PipelineSnapshot::write(StringRef path) const {
  auto file = AtomicFile::create(path);
  if (!file)
    return file.takeError();
  OpPrintingFlags flags;
  flags.elideLargeResourceString(LongestResource).enableDebugInfo();
  ModuleOp op = *module;
  AsmState state(op, flags);
  state.attachResourcePrinter("mlir_reproducer",
                              [&](Operation *, AsmResourceBuilder &builder) {
                                builder.buildString("pipeline", pipeline);
                                builder.buildBool("disable_threading", true);
                                builder.buildBool("verify_each", true);
                              });
  op->print(file->stream(), state);
  file->stream() << "\n";
  return file->commit();
}

ErrorHold::ErrorHold(MLIRContext *context)
    : ScopedDiagnosticHandler(context, [this](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
          return failure(); // goes on to the next handler
        errors.push_back(messageOf(diagnostic));
        return success();
      }) {}

bool ErrorHold::hasVerifierError() const {
  // They begin with the name of the operation, as in "'arith.addi' op
  // requires ...": no other error of ours does.
  return llvm::any_of(errors,
                      [](StringRef error) { return error.contains("' op "); });
}

PipelineEnd mezzo::runWatched(PassManager &manager, ModuleOp module) {
  ErrorHold hold(manager.getContext());
  std::optional<std::string> pass;
  manager.addInstrumentation(std::make_unique<FirstFailure>(pass));
  PipelineEnd end;
  end.failed = failed(manager.run(module));
  bool refused = pass && mayRefuse(*pass) && !hold.errors.empty() &&
                 !hold.hasVerifierError();
  if (end.failed && !refused)
    end.brokenPass = pass.value_or("(none)");
  end.errors = std::move(hold.errors);
  return end;
}
