//===- CApiCompile.cpp - compilation in C ---------------------------------===//

#include "tools/driver/CApi.h"

#include "dialects/Mezzo/Mezzo.h"
#include "tools/driver/Context.h"
#include "tools/driver/ProductModule.h"
#include "tools/driver/Session.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <mutex>

using namespace mlir;
using namespace mezzo;
using namespace mezzo::capi;
using llvm::Error;
using llvm::Expected;

namespace {

/// Collects the errors of a compilation, and passes everything on to the
/// caller.
class Messages {
public:
  explicit Messages(const mezzo_compile_options &options)
      : forward(options.diagnostic), user(options.user) {}

  MessageSink sink() {
    return [this](Severity severity, const std::string &text) {
      add(severity, text);
    };
  }
  void add(Severity severity, const std::string &text) {
    // Passes run on several threads; MLIR orders their diagnostics, but ours
    // come from anywhere.
    std::lock_guard<std::mutex> lock(mutex);
    if (severity == Severity::Error)
      errors += (errors.empty() ? "" : "\n") + text;
    if (forward)
      forward(user, int32_t(severity), text.c_str());
  }
  /// The error that a failed compilation is.
  Error failed(llvm::StringRef what, bool isBug = false) const {
    if (errors.empty())
      return llvm::make_error<BugError>(
          (what + " failed without a message; this is a bug of mezzo").str());
    if (isBug)
      return llvm::make_error<BugError>(errors);
    return llvm::createStringError(errors);
  }

private:
  std::mutex mutex;
  std::string errors;
  mezzo_diagnostic forward;
  void *user;
};

/// Each mode has one strategy so far, so what can be asked for is that one.
Error checkStrategy(llvm::StringRef strategy, llvm::StringRef compute) {
  if (strategy.empty())
    return Error::success();
  llvm::StringRef only =
      stringifyStrategyKind(compute == "int"    ? StrategyKind::NativeDot
                            : compute == "lut8" ? StrategyKind::Lut
                                                : StrategyKind::Dequant);
  if (strategy != only)
    return llvm::createStringError(
        "mode " + (compute.empty() ? "float" : compute) + " has no strategy '" +
        strategy + "': use " + only + ", or leave the choice to the compiler");
  return Error::success();
}

Expected<CompileOptions> translate(const mezzo_compile_options &given) {
  CompileOptions options;
  if (given.target)
    options.target = given.target;
  options.compute = orEmpty(given.compute);
  options.config = orEmpty(given.tile);
  options.prefix = orEmpty(given.prefix);
  options.verifyInputs = !given.no_verify;
  options.strictDq = given.strict_dq;
  if (Error error = checkStrategy(orEmpty(given.strategy), options.compute))
    return std::move(error);
  if (given.weights) {
    Expected<WeightStorage> storage = parseWeightStorage(given.weights);
    if (!storage)
      return storage.takeError();
    options.weights = *storage;
  }
  if (given.num_dims < 0 || given.num_shapes < 0 ||
      (given.num_dims && !given.dims) || (given.num_shapes && !given.shapes))
    return usage("dims or shapes are NULL, or their number is negative");
  for (const mezzo_dim_size &dim : llvm::ArrayRef(given.dims, given.num_dims)) {
    if (Error error = checkPointers({{dim.name, "dims.name"}}))
      return std::move(error);
    if (dim.size < 0)
      return llvm::createStringError("the dimension '" + llvm::Twine(dim.name) +
                                     "' is " + llvm::Twine(dim.size) +
                                     ": sizes are at least 0");
    options.dims[dim.name] = dim.size;
  }
  for (const mezzo_input_shape &input :
       llvm::ArrayRef(given.shapes, given.num_shapes)) {
    if (input.rank < 0 || (input.rank && !input.shape))
      return usage("a shape is NULL, or its rank is negative");
    if (Error error = checkPointers({{input.name, "shapes.name"}}))
      return std::move(error);
    std::vector<int64_t> shape(input.shape, input.shape + input.rank);
    for (int64_t size : shape)
      if (size < 0)
        return llvm::createStringError(
            "the shape of '" + llvm::Twine(input.name) + "' has a " +
            llvm::Twine(size) + ": sizes are at least 0");
    options.shapes[input.name] = std::move(shape);
  }
  return options;
}

/// What a function below begins with.
struct Compilation {
  Compilation(const mezzo_compile_options &given, CompileOptions options)
      : compute(options.compute), messages(given),
        session(std::move(options), messages.sink()) {}

  static Expected<std::unique_ptr<Compilation>>
  begin(const mezzo_compile_options *given, const char *output = nullptr) {
    auto options = readOptions<mezzo_compile_options>(
        given, MEZZO_COMPILE_OPTIONS_INIT, "the options of compilation");
    if (!options)
      return options.takeError();
    Expected<CompileOptions> translated = translate(*options);
    if (!translated)
      return translated.takeError();
    if (output)
      translated->reproducer = reproducerBeside(output);
    return std::make_unique<Compilation>(*options, std::move(*translated));
  }
  Error failed(llvm::StringRef what = "compilation") const {
    return messages.failed(what, session.foundBug());
  }

  std::string compute;
  Messages messages;
  CompileSession session;
};

/// "line 3:7: " where a diagnostic points into the text that was given.
std::string placeInText(Location location) {
  std::string place;
  location->walk([&](Location at) {
    auto line = dyn_cast<FileLineColLoc>(at);
    if (!line)
      return WalkResult::advance();
    place = "line " + std::to_string(line.getLine()) + ":" +
            std::to_string(line.getColumn()) + ": ";
    return WalkResult::interrupt();
  });
  return place;
}

Severity severityOf(DiagnosticSeverity severity) {
  switch (severity) {
  case DiagnosticSeverity::Error:
    return Severity::Error;
  case DiagnosticSeverity::Warning:
    return Severity::Warning;
  case DiagnosticSeverity::Remark:
  case DiagnosticSeverity::Note:
    return Severity::Remark;
  }
  llvm_unreachable("all severities are covered");
}

Error runPasses(llvm::StringRef ir, llvm::StringRef pipeline,
                Messages &messages, char **text) {
  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry);
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    messages.add(severityOf(diagnostic.getSeverity()),
                 placeInText(diagnostic.getLocation()) + diagnostic.str());
    return success();
  });
  PassManager manager(&context, ModuleOp::getOperationName());
  if (Error error = parsePipeline(pipeline, manager))
    return error;
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(ir, &context);
  if (!module)
    return messages.failed("parsing the module");
  if (failed(manager.run(*module)))
    return messages.failed("the pipeline");
  std::string printed;
  llvm::raw_string_ostream os(printed);
  module->print(os);
  return giveText(printed + "\n", text);
}

} // namespace

int32_t mezzo_compile(const mezzo_compile_options *options, const char *input,
                      const char *output) {
  return guarded([&]() -> Error {
    if (Error error = checkPointers({{input, "input"}, {output, "output"}}))
      return error;
    auto begun = Compilation::begin(options, output);
    if (!begun)
      return begun.takeError();
    CompileSession &session = (*begun)->session;
    if (failed(session.load(input)) || failed(session.writeShared(output)))
      return (*begun)->failed();
    return Error::success();
  });
}

int32_t mezzo_emit_text(const mezzo_compile_options *options, const char *input,
                        const char *stage, char **text) {
  return guarded([&]() -> Error {
    if (Error error =
            checkPointers({{input, "input"}, {stage, "stage"}, {text, "text"}}))
      return error;
    *text = nullptr;
    Expected<Stage> parsed = parseStage(stage);
    if (!parsed)
      return parsed.takeError();
    if (*parsed >= Stage::Obj)
      return llvm::createStringError("the stage '" + llvm::StringRef(stage) +
                                     "' is no text: use mezzo, tile, llvm or "
                                     "asm");
    auto begun = Compilation::begin(options);
    if (!begun)
      return begun.takeError();
    CompileSession &session = (*begun)->session;
    if (failed(session.load(input)))
      return (*begun)->failed("reading the model");
    FailureOr<std::string> emitted = session.emitText(*parsed);
    if (failed(emitted))
      return (*begun)->failed();
    return giveText(*emitted, text);
  });
}

int32_t mezzo_run_passes(const mezzo_compile_options *options, const char *ir,
                         const char *pipeline, char **text) {
  return guarded([&]() -> Error {
    if (Error error =
            checkPointers({{ir, "ir"}, {pipeline, "pipeline"}, {text, "text"}}))
      return error;
    *text = nullptr;
    auto read = readOptions<mezzo_compile_options>(
        options, MEZZO_COMPILE_OPTIONS_INIT, "the options of compilation");
    if (!read)
      return read.takeError();
    Messages messages(*read);
    return runPasses(ir, pipeline, messages, text);
  });
}

int32_t mezzo_compile_linear(const mezzo_compile_options *options,
                             const mezzo_matrix *matrix, const float *bias,
                             int64_t m, const char *output) {
  return guarded([&]() -> Error {
    if (Error error = checkPointers({{matrix, "matrix"}, {output, "output"}}))
      return error;
    auto begun = Compilation::begin(options, output);
    if (!begun)
      return begun.takeError();
    llvm::StringRef compute = (*begun)->compute;
    auto mode = parseComputeMode(compute.empty() ? "float" : compute);
    if (!mode)
      return mode.takeError();
    Product product{matrix->value, {}};
    if (bias)
      product.bias.assign(bias, bias + matrix->value.rows);
    CompileSession &session = (*begun)->session;
    auto module = productModule(session.context(), product, *mode,
                                m < 0 ? ShapedType::kDynamic : m);
    if (!module)
      return module.takeError();
    if (failed(session.adopt(std::move(*module))) ||
        failed(session.writeShared(output)))
      return (*begun)->failed();
    return Error::success();
  });
}
