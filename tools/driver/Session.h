//===- Session.h - one compilation, from a model to a file ----------------===//

#ifndef MEZZO_TOOLS_DRIVER_SESSION_H
#define MEZZO_TOOLS_DRIVER_SESSION_H

#include "targets/Target.h"
#include "tools/driver/Diagnostics.h"
#include "tools/driver/Reproducer.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace mezzo {

class OnnxModel;

/// Where a compilation stops, in the order of the way of a model.
enum class Stage { Mezzo, Tile, Llvm, Asm, Obj, So };

/// The stage that `--emit` names; an error that lists them otherwise.
llvm::Expected<Stage> parseStage(llvm::StringRef name);

enum class WeightStorage { Auto, Embed, File };
llvm::Expected<WeightStorage> parseWeightStorage(llvm::StringRef name);

struct CompileOptions {
  std::string target = "native";
  std::string compute;       ///< empty: the model's own word, else float
  std::string config;        ///< forced tile, for tests and tuning
  std::string knobs;         ///< of a target that writes a folder
  std::string tuningDb;      ///< file of tuning records; empty: none
  bool requireTuned = false; ///< a product without a record is an error
  std::string prefix; ///< of the exported symbol; empty: from the output's name
  std::map<std::string, int64_t> dims;
  std::map<std::string, std::vector<int64_t>> shapes;
  WeightStorage weights = WeightStorage::Auto;
  bool verifyInputs = true;
  bool strictDq = false;
  /// Where a bug of ours writes what is needed to repeat it; empty: nowhere.
  std::string reproducer;
  /// Passes to run on the kernels before they are lowered, as text: for those
  /// who develop passes.
  std::string extraPasses;
};

/// One compilation. Methods are called in order and each at most once; errors
/// have been reported to the sink when one fails. Nothing is left on disk by a
/// compilation that failed.
class CompileSession {
public:
  CompileSession(CompileOptions options, MessageSink sink);
  ~CompileSession();

  /// Called at the start of each step with its name ("importing", "packing
  /// weights", ...).
  std::function<void(llvm::StringRef)> onStep;

  /// Reads an ONNX model.
  mlir::LogicalResult load(llvm::StringRef path);
  /// Takes a module in the form that the frontend makes, instead of a model.
  mlir::LogicalResult adopt(mlir::OwningOpRef<mlir::ModuleOp> module);

  /// Whether what failed is a bug of ours, as reported to the sink; otherwise
  /// it is for the user to mend.
  bool foundBug() const { return isBug; }
  /// Reports that a method crashed, for `reason` if LLVM gave one. After that,
  /// the session must not be used again, nor destroyed.
  void reportCrash(llvm::StringRef reason);

  /// Text of an intermediate stage.
  mlir::FailureOr<std::string> emitText(Stage stage);
  /// The object code without weights and run-time library, for those who want
  /// to look at it.
  mlir::FailureOr<llvm::SmallVector<char, 0>> objectCode();
  /// The object file, without weights.
  mlir::LogicalResult writeObject(llvm::StringRef path);
  /// The shared object, its C header and, if they are not embedded, its
  /// weights.
  mlir::LogicalResult writeShared(llvm::StringRef path);
  /// The folder of sources of a target that writes one; what the user should
  /// be told of it, or nothing.
  mlir::FailureOr<std::string> writeFolder(llvm::StringRef path);

  mlir::MLIRContext &context() { return *mlirContext; }
  mlir::ModuleOp module() { return *moduleRef; }
  const Target &target() const { return *chosenTarget; }
  /// What the model will say about itself, from emitText on.
  llvm::StringRef signature();

private:
  mlir::LogicalResult fail(llvm::Error error);
  /// Reports a bug of ours, and writes the reproducer.
  mlir::LogicalResult bug(const llvm::Twine &what);
  void begin(llvm::StringRef step);
  mlir::LogicalResult chooseTarget();
  /// Runs the pipelines up to a stage.
  mlir::LogicalResult runTo(Stage stage);
  mlir::LogicalResult
  runPipeline(llvm::StringRef step,
              llvm::function_ref<void(mlir::OpPassManager &)> build);
  mlir::LogicalResult runExtraPasses();
  mlir::FailureOr<std::unique_ptr<llvm::Module>> translate(bool withRuntime);
  void setModuleAttributes(llvm::StringRef output);
  /// Puts what was chosen for the products into the signature.
  void noteChoices();

  CompileOptions options;
  MessageSink sink;
  std::unique_ptr<mlir::MLIRContext> mlirContext;
  std::unique_ptr<DiagnosticForwarder> forwarder;
  llvm::LLVMContext llvmContext;
  std::shared_ptr<OnnxModel> model;
  mlir::OwningOpRef<mlir::ModuleOp> moduleRef;
  std::optional<Target> chosenTarget;
  std::string prefix;
  std::optional<Stage> reached;
  /// What runs now, and the last pipeline as it was before it ran.
  std::string currentStep;
  std::optional<PipelineSnapshot> snapshot;
  bool isBug = false;
  bool isIntegerOnly = false; ///< of a target that writes a folder
};

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_SESSION_H
