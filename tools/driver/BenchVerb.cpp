//===- BenchVerb.cpp - `mezzo bench` --------------------------------------===//

#include "tools/driver/Verbs.h"

#include "lib/Support/Sanitize.h"
#include "tools/driver/BenchMatmul.h"
#include "tools/driver/Inputs.h"
#include "tools/driver/LoadedModel.h"
#include "tools/driver/Outputs.h"
#include "tools/driver/Timing.h"

#include "llvm/Support/Format.h"

using namespace mezzo;
namespace cl = llvm::cl;
using llvm::Error;

static cl::SubCommand command("bench",
                              "time a compiled model, or one product: bench "
                              "model.so, bench matmul");
static cl::opt<std::string> subject(cl::Positional, cl::desc("model.so|matmul"),
                                    cl::Required, cl::sub(command));
static cl::opt<int> threads("threads",
                            cl::desc("threads (default: 1 for a product; for "
                                     "a model MEZZO_NUM_THREADS, else one per "
                                     "CPU)"),
                            cl::init(0), cl::sub(command));
static cl::opt<int64_t> repetitions("reps",
                                    cl::desc("samples (default: a second's)"),
                                    cl::init(0), cl::sub(command));
static cl::opt<bool> json("json",
                          cl::desc("print one JSON object as the last line"),
                          cl::sub(command));

static cl::OptionCategory ofModel("Options of a model");
static cl::list<std::string>
    inputs("input",
           cl::desc("value of an input: NAME=@FILE.npy or NAME=random[:SEED]; "
                    "the others are random"),
           cl::value_desc("name=value"), cl::cat(ofModel), cl::sub(command));
static cl::list<std::string>
    dims("dim", cl::desc("size of a dynamic dimension (default: 1)"),
         cl::value_desc("name=size"), cl::cat(ofModel), cl::sub(command));

static const MatmulBench defaults;
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
static cl::opt<std::string>
    compute("compute", cl::desc("compute mode: float, int or lut8"),
            cl::value_desc("mode"), cl::init(defaults.compute),
            cl::cat(ofMatmul), cl::sub(command));
static cl::opt<std::string> target("target", cl::desc("machine to compile for"),
                                   cl::value_desc("name"),
                                   cl::init(defaults.target), cl::cat(ofMatmul),
                                   cl::sub(command));
static cl::opt<std::string> tile("tile", cl::desc("force the register tile"),
                                 cl::value_desc("rows=4,groups=2,..."),
                                 cl::cat(ofMatmul), cl::sub(command));
static cl::opt<bool> cold("cold",
                          cl::desc("read the weights from memory: rotate over "
                                   "copies that exceed the caches"),
                          cl::cat(ofMatmul), cl::sub(command));

namespace {

Error benchModel() {
  auto loaded = LoadedModel::open(subject, threads);
  if (!loaded)
    return loaded.takeError();
  const ModelSignature &signature = (*loaded)->signature();
  std::vector<std::string> values(inputs.begin(), inputs.end());
  for (const TensorSignature &input : signature.inputs)
    if (llvm::none_of(inputs, [&](llvm::StringRef text) {
          return text.starts_with(input.name + "=");
        }))
      values.push_back(input.name + "=random");
  auto bound = bindInputs(signature, values, dims);
  if (!bound)
    return bound.takeError();
  auto outputs = (*loaded)->run(*bound);
  if (!outputs)
    return outputs.takeError();

  // The first run has touched every page; the second is warm.
  Error failed = Error::success();
  auto once = [&] {
    if (!failed)
      failed = (*loaded)->runInto(*bound, *outputs);
  };
  int64_t count = sampleCount(repetitions, microseconds(once));
  Samples samples;
  for (int64_t i = 0; i < count && !failed; ++i)
    samples.add(microseconds(once));
  if (failed)
    return failed;

  for (auto [input, tensor] : llvm::zip_equal(signature.inputs, *bound))
    llvm::outs() << toPrintable(input.name) << ": " << typeText(tensor) << "\n";
  llvm::outs() << llvm::format(
      "median %.1f us, best %.1f us (%lld samples, wall clock)\n",
      samples.median(), samples.best(), (long long)count);
  if (json) {
    llvm::json::OStream out(llvm::outs());
    out.object([&] {
      writeNumber(out, "median_us", samples.median());
      writeNumber(out, "best_us", samples.best());
      out.attribute("samples", count);
      out.attribute("threads", threads.getValue());
      out.attribute("clock", "wall");
    });
    llvm::outs() << "\n";
  }
  return Error::success();
}

const char *clockName(const MatmulBench &bench) {
  return clockFor(bench.threads) == Clock::Wall ? "wall" : "thread";
}

void printMatmul(const MatmulBench &bench, const MatmulTimes &times) {
  llvm::outs() << "[" << bench.m << ", " << bench.k << "] x [" << bench.n
               << ", " << bench.k << "]^T, weights " << bench.weights
               << ", mode " << bench.compute << ", " << bench.threads
               << (bench.threads == 1 ? " thread, " : " threads, ");
  if (bench.cold)
    llvm::outs() << "cold (" << times.copies << " copies)\n";
  else
    llvm::outs() << "hot\n";
  llvm::outs() << "strategy " << times.strategy << ", layout " << times.layout
               << ", kernel " << times.key << "\n"
               << "check    " << times.check << "\n"
               << llvm::format("median   %.1f us, best %.1f us (%lld samples, "
                               "%s clock)\n",
                               times.medianUs, times.bestUs,
                               (long long)times.samples, clockName(bench))
               << llvm::format("         %.1f GOP/s; weights at %.2f GB/s, "
                               "%.0f %% of a pure read (%.2f GB/s in %d "
                               "stream%s)\n",
                               times.gops, times.weightGbps,
                               times.readPercent(), times.readGbps,
                               times.readStreams,
                               times.readStreams == 1 ? "" : "s");
}

void writeMatmul(const MatmulBench &bench, const MatmulTimes &times) {
  llvm::json::OStream out(llvm::outs());
  out.object([&] {
    for (auto [key, value] :
         {std::pair("m", bench.m), {"n", bench.n}, {"k", bench.k}})
      out.attribute(key, value);
    out.attribute("weights", bench.weights);
    out.attribute("compute", bench.compute);
    out.attribute("target", bench.target);
    out.attribute("threads", bench.threads);
    out.attribute("cold", bench.cold);
    writeNumber(out, "median_us", times.medianUs);
    writeNumber(out, "best_us", times.bestUs);
    out.attribute("samples", times.samples);
    out.attribute("clock", clockName(bench));
    writeNumber(out, "gops", times.gops);
    writeNumber(out, "weight_gbps", times.weightGbps);
    writeNumber(out, "read_gbps", times.readGbps);
    writeNumber(out, "read_percent", times.readPercent());
    out.attribute("read_streams", times.readStreams);
    out.attribute("weight_bytes", times.weightBytes);
    out.attribute("copies", times.copies);
    out.attribute("strategy", times.strategy);
    out.attribute("layout", times.layout);
    out.attribute("key", times.key);
    out.attribute("check", times.check);
  });
  llvm::outs() << "\n";
}

int run() {
  if (repetitions < 0 || threads < 0)
    return reportError(llvm::createStringError(
        "--reps and --threads are at least 1, or 0 for the default"));
  if (subject != "matmul") {
    if (Error error = benchModel())
      return reportError(std::move(error));
    return Done;
  }
  MatmulBench bench{m,           n,      k,    weights,
                    compute,     target, tile, threads ? threads : 1,
                    repetitions, cold};
  // The linker resets all command-line options of the process.
  const bool wantsJson = json;
  llvm::Expected<MatmulTimes> times = benchMatmul(bench, terminalSink(false));
  if (!times)
    return reportError(times.takeError());
  printMatmul(bench, *times);
  if (wantsJson)
    writeMatmul(bench, *times);
  return Done;
}

} // namespace

Verb mezzo::benchVerb() { return {&command, run}; }
