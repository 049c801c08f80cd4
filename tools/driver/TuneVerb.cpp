//===- TuneVerb.cpp - `mezzo tune` ----------------------------------------===//

#include "tools/driver/Verbs.h"

#include "lib/Support/Sanitize.h"
#include "tools/driver/Tune.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/Process.h"

using namespace mezzo;
namespace cl = llvm::cl;
using llvm::Error;

static cl::SubCommand command("tune",
                              "measure candidates and keep records: tune "
                              "model.onnx, tune matmul");
static CompileFlags flags(command);
static const TuneOptions defaults;
static cl::opt<std::string> subject(cl::Positional,
                                    cl::desc("model.onnx|matmul"), cl::Required,
                                    cl::sub(command));
static cl::opt<std::string>
    budget("budget", cl::desc("time to measure for, such as 60s or 5m"),
           cl::value_desc("time"), cl::init("60s"), cl::sub(command));
static cl::opt<double> perCandidate("per-candidate",
                                    cl::desc("seconds for each candidate"),
                                    cl::init(defaults.perCandidate),
                                    cl::sub(command));
static cl::opt<int64_t>
    top("top", cl::desc("how many candidates of a product are measured"),
        cl::init(defaults.top), cl::sub(command));
static cl::opt<bool>
    exhaustive("exhaustive",
               cl::desc("price all configurations, not those near the default"),
               cl::sub(command));
static cl::opt<int> threads("threads", cl::desc("threads (default: 1)"),
                            cl::init(defaults.threads), cl::sub(command));

static cl::OptionCategory ofMatmul("Options of matmul");
static cl::opt<int64_t> m("m", cl::desc("rows of the activation"),
                          cl::init(defaults.m), cl::cat(ofMatmul),
                          cl::sub(command));
static cl::opt<int64_t> n("n", cl::desc("rows of the weight"),
                          cl::init(defaults.n), cl::cat(ofMatmul),
                          cl::sub(command));
static cl::opt<int64_t> k("k", cl::desc("columns of both"),
                          cl::init(defaults.k), cl::cat(ofMatmul),
                          cl::sub(command));
static cl::opt<std::string> weights("weights",
                                    cl::desc("how the weight is quantized"),
                                    cl::value_desc("spec"),
                                    cl::init(defaults.weights),
                                    cl::cat(ofMatmul), cl::sub(command));

// What the tool says to itself when it starts the child that measures.
static cl::opt<std::string> workerFolder("worker-folder", cl::Hidden,
                                         cl::sub(command));
static cl::opt<int> workerFile("worker-file", cl::Hidden, cl::init(-1),
                               cl::sub(command));

namespace {

/// "60s", "5m", "90".
llvm::Expected<double> parseTime(llvm::StringRef text) {
  llvm::StringRef number = text;
  double unit = number.consume_back("m") ? 60 : 1;
  if (unit == 1)
    number.consume_back("s");
  double value = 0;
  if (number.getAsDouble(value) || value < 0)
    return llvm::createStringError("cannot read --budget '" + text +
                                   "': write a time such as 60s or 5m");
  return value * unit;
}

/// A bar that is drawn over on a terminal; a line for each step elsewhere.
class Progress {
public:
  ~Progress() { clear(); }

  void operator()(const TuneEvent &event) {
    switch (event.kind) {
    case TuneEvent::Product:
      line("product " + toPrintable(event.product, 200));
      break;
    case TuneEvent::Measured:
      if (!isTerminal)
        line(step(event) + event.config + ": " + times(event.us, event));
      break;
    case TuneEvent::Failed:
      line(step(event) + event.config + ": failed, " + event.text);
      break;
    case TuneEvent::Kept:
      line("  keeps " + event.config + ", " + times(event.us, event));
      break;
    case TuneEvent::Improved:
      line("  takes " + event.config + ", " + times(event.us, event));
      break;
    }
    if (isTerminal && event.total)
      draw(event);
  }

private:
  void clear() {
    if (isTerminal)
      llvm::errs() << "\r\033[K";
  }
  void line(const std::string &text) {
    clear();
    llvm::errs() << text << "\n";
  }
  static std::string step(const TuneEvent &event) {
    return "  [" + std::to_string(event.done) + "/" +
           std::to_string(event.total) + "] ";
  }
  static std::string times(double us, const TuneEvent &event) {
    std::string text;
    llvm::raw_string_ostream os(text);
    os << llvm::format("%.1f us", us);
    if (event.incumbentUs > 0)
      os << llvm::format(" (%+.1f %%)", 100 * (us / event.incumbentUs - 1));
    return text;
  }
  static void draw(const TuneEvent &event) {
    constexpr size_t width = 24;
    size_t full = width * std::min(event.done, event.total) / event.total;
    llvm::errs() << "[" << std::string(full, '=')
                 << std::string(width - full, ' ') << "] " << event.done << "/"
                 << event.total << "  best so far "
                 << times(event.bestUs, event);
  }

  const bool isTerminal = llvm::sys::Process::StandardErrIsDisplayed();
};

int run() {
  llvm::Expected<CompileOptions> compile = flags.options();
  if (!compile)
    return reportError(compile.takeError());
  llvm::Expected<double> seconds = parseTime(budget);
  if (!seconds)
    return reportError(seconds.takeError());
  if (top < 1 || threads < 1 || perCandidate <= 0)
    return reportError(llvm::createStringError(
        "--top and --threads are at least 1, and --per-candidate more than 0"));
  if (!compile->config.empty())
    return reportError(llvm::createStringError(
        "--tile forces a choice, which leaves nothing to tune: leave it out"));
  TuneOptions options;
  options.subject = subject;
  options.compile = std::move(*compile);
  options.m = m;
  options.n = n;
  options.k = k;
  options.weights = weights;
  options.threads = threads;
  options.budget = *seconds;
  options.perCandidate = perCandidate;
  options.top = top;
  options.exhaustive = exhaustive;
  if (!workerFolder.empty())
    return runTuneWorker(options, std::string(workerFolder), workerFile);

  Progress progress;
  llvm::Expected<TuneResult> result =
      tune(options, terminalSink(flags.remarks),
           [&](const TuneEvent &event) { progress(event); });
  if (!result)
    return reportError(result.takeError());
  llvm::outs() << result->products << " products: " << result->measured
               << " records written, " << result->failed << " of failures; "
               << result->known << " were there; " << result->improved
               << " products improved";
  if (result->left)
    llvm::outs() << "; " << result->left
                 << " candidates left: run it again, or raise --budget";
  llvm::outs() << "\n";
  return Done;
}

} // namespace

Verb mezzo::tuneVerb() { return {&command, run}; }
