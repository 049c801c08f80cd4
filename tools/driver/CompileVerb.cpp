//===- CompileVerb.cpp - `mezzo compile` ----------------------------------===//

#include "tools/driver/Verbs.h"

#include "lib/Support/AtomicFile.h"
#include "tools/driver/CrashWatch.h"

#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>

using namespace mezzo;
namespace cl = llvm::cl;

static cl::SubCommand command("compile", "a model to a shared object");
static CompileFlags flags(command);
static cl::opt<std::string> input(cl::Positional, cl::desc("model.onnx"),
                                  cl::Required, cl::sub(command));
static cl::opt<std::string> output(
    "o",
    cl::desc("output file, or folder (targets c and hls); - for standard "
             "output (text stages)"),
    cl::value_desc("file"), cl::sub(command));
static cl::opt<std::string>
    emit("emit", cl::desc("stop at a stage: mezzo, tile, llvm, asm, obj, so"),
         cl::value_desc("stage"), cl::init("so"), cl::sub(command));
static cl::opt<std::string> prefix(
    "prefix",
    cl::desc("prefix of the exported symbol (default: the output's name)"),
    cl::sub(command));
static cl::opt<std::string> knobs(
    "knobs",
    cl::desc("of targets c and hls: engine=dot|shift-add|look-up, "
             "parallel_n, parallel_k, reuse, interface=axis|m_axi, clock"),
    cl::value_desc("engine=dot,..."), cl::sub(command));
static cl::opt<bool> timing("timing", cl::desc("print the time of each step"),
                            cl::sub(command));
static cl::opt<std::string> debugPasses(
    "debug-passes",
    cl::desc("run these passes on the kernels before they are lowered"),
    cl::value_desc("pipeline"), cl::Hidden, cl::sub(command));
static cl::alias verbose("v", cl::desc("print the steps"),
                         cl::aliasopt(timing));

namespace {

/// Says which step runs: a line that is overwritten on a terminal, plain lines
/// with times where asked for.
class Steps {
public:
  void operator()(llvm::StringRef name) {
    finish();
    current = name.str();
    begin = std::chrono::steady_clock::now();
    if (!timing && llvm::sys::Process::StandardErrIsDisplayed())
      llvm::errs() << "\r\033[K" << current << " ...";
  }
  void finish() {
    if (current.empty())
      return;
    std::chrono::duration<double, std::milli> spent =
        std::chrono::steady_clock::now() - begin;
    if (timing)
      llvm::errs() << llvm::format("%9.1f ms  ", spent.count()) << current
                   << "\n";
    else if (llvm::sys::Process::StandardErrIsDisplayed())
      llvm::errs() << "\r\033[K";
    current.clear();
  }
  ~Steps() { finish(); }

private:
  std::string current;
  std::chrono::steady_clock::time_point begin;
};

int writeText(const std::string &text) {
  if (output.empty() || output == "-") {
    llvm::outs() << text;
    return Done;
  }
  auto file = AtomicFile::create(output);
  if (!file)
    return reportError(file.takeError());
  file->stream() << text;
  if (llvm::Error error = file->commit())
    return reportError(std::move(error));
  return Done;
}

int compile(CompileSession &session, Stage stage, const std::string &path) {
  Steps steps;
  session.onStep = [&](llvm::StringRef name) { steps(name); };
  if (mlir::failed(session.load(input)))
    return UserError;
  if (stage == Stage::Obj)
    return mlir::failed(session.writeObject(path)) ? UserError : Done;
  if (stage == Stage::So && session.target().writeFolder) {
    mlir::FailureOr<std::string> summary = session.writeFolder(path);
    steps.finish();
    if (mlir::failed(summary))
      return UserError;
    if (!summary->empty())
      llvm::outs() << *summary << "\n";
    return Done;
  }
  if (stage == Stage::So)
    return mlir::failed(session.writeShared(path)) ? UserError : Done;
  mlir::FailureOr<std::string> text = session.emitText(stage);
  steps.finish();
  return mlir::failed(text) ? UserError : writeText(*text);
}

int run() {
  // The linker resets all command-line options of the process: what is needed
  // after it is copied before.
  const std::string path = output;
  llvm::Expected<CompileOptions> options = flags.options();
  if (!options)
    return reportError(options.takeError());
  options->prefix = prefix;
  options->knobs = knobs;
  llvm::Expected<Stage> stage = parseStage(emit);
  if (!stage)
    return reportError(stage.takeError());
  if (*stage >= Stage::Obj && path.empty())
    return reportError(llvm::createStringError(
        "no output file: name one with -o, such as -o model.so"));
  bool isText = path.empty() || path == "-";
  options->reproducer = reproducerBeside(isText ? llvm::sys::path::stem(input)
                                                : llvm::StringRef(path));
  options->extraPasses = debugPasses;

  // Not destroyed after a crash.
  auto *session =
      new CompileSession(std::move(*options), terminalSink(flags.remarks));
  int code = Done;
  if (std::optional<std::string> reason =
          runGuarded([&] { code = compile(*session, *stage, path); })) {
    session->reportCrash(*reason);
    llvm::sys::RunInterruptHandlers(); // removes what was half written
    llvm::sys::Process::Exit(Bug, /*NoCleanup=*/true);
  }
  if (code == UserError && session->foundBug())
    code = Bug;
  delete session;
  return code;
}

} // namespace

Verb mezzo::compileVerb() { return {&command, run}; }
