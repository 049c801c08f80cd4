//===- BenchMatmul.cpp - the time of one product --------------------------===//

#include "tools/driver/BenchMatmul.h"

#include "lib/Golden/Compare.h"
#include "lib/Golden/Matmul.h"
#include "lib/Number/Quantize.h"
#include "lib/Support/CheckedInt.h"
#include "lib/Support/FileOpen.h"
#include "lib/Support/Sanitize.h"
#include "lib/Weights/WeightSink.h"
#include "tools/driver/Decisions.h"
#include "tools/driver/Inputs.h"
#include "tools/driver/LoadedModel.h"
#include "tools/driver/ProductModule.h"
#include "tools/driver/Session.h"
#include "tools/driver/Timing.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"

#include <set>

using namespace mezzo;
using llvm::ArrayRef;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

/// Rows of the weight, and of the activation, whose results are compared with
/// the reference: it computes one number at a time.
static constexpr int64_t RowsToCheck = 64;
/// Each copy of a model has a context of its own.
static constexpr int64_t MostCopies = 256;
static constexpr int64_t LargestMatrix = int64_t(1) << 31;

/// Some of `count` indices, evenly spread, the first and the last among them.
static std::vector<int64_t> spread(int64_t count) {
  std::set<int64_t> indices;
  int64_t wanted = std::min(count, RowsToCheck);
  for (int64_t i = 0; i < wanted; ++i)
    indices.insert(wanted == 1 ? 0 : i * (count - 1) / (wanted - 1));
  return {indices.begin(), indices.end()};
}

template <typename T>
static std::vector<T> takeRows(ArrayRef<T> values, ArrayRef<int64_t> rows,
                               int64_t width) {
  std::vector<T> result;
  // What a matrix does not have is empty.
  for (int64_t row : values.empty() ? ArrayRef<int64_t>() : rows)
    llvm::append_range(result, values.slice(row * width, width));
  return result;
}

static QuantizedMatrix takeRows(const QuantizedMatrix &w,
                                ArrayRef<int64_t> rows) {
  QuantizedMatrix part = w;
  int64_t groups = w.groups();
  part.rows = rows.size();
  part.codes = takeRows<uint8_t>(w.codes, rows, w.cols);
  part.scales = takeRows<float>(w.scales, rows, groups);
  part.zeros = takeRows<int32_t>(w.zeros, rows, groups);
  part.floatZeros = takeRows<float>(w.floatZeros, rows, groups);
  part.minima = takeRows<float>(w.minima, rows, groups);
  return part;
}

Expected<QuantizedMatrix> mezzo::randomWeight(StringRef text, int64_t m,
                                              int64_t n, int64_t k) {
  for (auto [rows, cols] : {std::pair(n, k), {m, k}, {m, n}}) {
    CheckedInt elements = CheckedInt(rows) * cols;
    if (rows < 1 || cols < 1 || !elements.isValid() ||
        *elements > LargestMatrix)
      return createStringError("--m, --n and --k are " + Twine(m) + ", " +
                               Twine(n) + " and " + Twine(k) +
                               ": use at least 1, and products of two of them "
                               "of at most 2^31");
  }
  Expected<QuantSpec> spec = QuantSpec::parse(text);
  if (!spec)
    return spec.takeError();
  Expected<HostTensor> values = randomTensor("f32", {n, k}, 1);
  if (!values)
    return values.takeError();
  return quantize(values->floats(), n, k, *spec);
}

Expected<std::string> mezzo::compareSample(const QuantizedMatrix &weight,
                                           ComputeMode mode, ArrayRef<float> x,
                                           int64_t m, ArrayRef<float> y) {
  int64_t n = weight.rows, k = weight.cols;
  std::vector<int64_t> rows = spread(m), cols = spread(n);
  std::vector<float> a = takeRows<float>(x, rows, k);
  QuantizedMatrix part = takeRows(weight, cols);
  std::vector<float> expected(rows.size() * cols.size()), actual;
  if (mode == ComputeMode::Int)
    golden::matmulInt(golden::quantizeRows(a, rows.size(), k), part, {},
                      expected);
  else if (mode == ComputeMode::Lut8)
    golden::matmulLut8(a, rows.size(), part, {}, expected);
  else
    golden::matmulFloat(a, rows.size(), part, {}, expected);
  for (int64_t row : rows)
    for (int64_t col : cols)
      actual.push_back(y[row * n + col]);
  golden::Comparison comparison =
      golden::compareX0(actual, expected, cols.size());
  if (!comparison.ok)
    return createStringError(
        "the product is wrong, a bug of mezzo (x0, among the sampled rows): " +
        comparison.message);
  std::string check = "x0 ok, " + std::to_string(cols.size()) + " of " +
                      std::to_string(n) + " rows";
  if (int64_t(rows.size()) < m)
    check += ", " + std::to_string(rows.size()) + " of " + std::to_string(m) +
             " activations";
  return check;
}

namespace {

/// A compiled model that was opened, and the file of its weights, mapped a
/// second time. The second map shows the same pages, so a pure read of it finds
/// the memory, and the caches, as the kernel does.
struct Copy {
  std::unique_ptr<LoadedModel> model;
  MappedFile weights;

  ArrayRef<uint8_t> payload() const {
    return weights.bytes().drop_front(weightPayloadOffset);
  }
};

/// One measurement from quantizing to the clock.
class MatmulRunner {
public:
  MatmulRunner(const MatmulBench &bench, MessageSink sink)
      : bench(bench), sink(std::move(sink)) {}

  Expected<MatmulTimes> run();

private:
  Error checkOptions();
  Error quantizeWeights();
  Error compile();
  Error openCopies();
  Expected<Copy> openCopy(StringRef base);
  Error check();
  Error measure();

  std::string pathOf(const Twine &name) const {
    return (folder + "/" + name).str();
  }

  const MatmulBench &bench;
  MessageSink sink;
  ComputeMode mode = ComputeMode::Float;
  llvm::SmallString<128> folder;
  QuantizedMatrix weight;
  std::vector<HostTensor> inputs;
  std::vector<Copy> copies;
  MatmulTimes times;
};

Error MatmulRunner::checkOptions() {
  Expected<ComputeMode> known = parseComputeMode(bench.compute);
  if (!known)
    return known.takeError();
  mode = *known;
  return Error::success();
}

Error MatmulRunner::quantizeWeights() {
  auto quantized = randomWeight(bench.weights, bench.m, bench.n, bench.k);
  if (!quantized)
    return quantized.takeError();
  weight = std::move(*quantized);
  Expected<HostTensor> x = randomTensor("f32", {bench.m, bench.k}, 2);
  if (!x)
    return x.takeError();
  inputs.push_back(std::move(*x));
  return Error::success();
}

/// model.so and model.weights in the folder, and what was decided on the way.
Error MatmulRunner::compile() {
  CompileOptions options;
  options.target = bench.target;
  options.compute = bench.compute;
  options.config = bench.tile;
  options.weights = WeightStorage::File;
  // Errors of a session go to its sink; here they are results.
  std::string messages;
  CompileSession session(options,
                         [&](Severity severity, const std::string &text) {
                           if (severity == Severity::Error)
                             messages += (messages.empty() ? "" : "; ") + text;
                           else
                             sink(severity, text);
                         });
  auto failed = [&] {
    return createStringError(messages.empty() ? "the product cannot be compiled"
                                              : messages);
  };
  Product product{weight, {}};
  auto module = productModule(session.context(), product, mode, bench.m);
  if (!module)
    return module.takeError();
  if (mlir::failed(session.adopt(std::move(*module))) ||
      mlir::failed(session.emitText(Stage::Tile)))
    return failed();
  for (const WeightDecision &decision : readDecisions(session.module()))
    if (decision.isQuantized() && !decision.keys.empty()) {
      times.strategy = decision.strategy;
      times.layout = decision.layout;
      times.key = decision.keys.front();
    }
  if (mlir::failed(session.writeShared(pathOf("model.so"))))
    return failed();
  return Error::success();
}

/// Opens `base`.so, whose weights lie beside it.
Expected<Copy> MatmulRunner::openCopy(StringRef base) {
  auto model = LoadedModel::open((base + ".so").str(), bench.threads);
  if (!model)
    return model.takeError();
  auto weights = openFile((base.rsplit('/').first + "/model.weights").str());
  if (!weights)
    return weights.takeError();
  return Copy{std::move(*model), std::move(*weights)};
}

/// The files are copied, not linked: two names of one file would share their
/// pages, and two models of one file one table.
Error MatmulRunner::openCopies() {
  Expected<Copy> first = openCopy(pathOf("model"));
  if (!first)
    return first.takeError();
  times.weightBytes = first->payload().size();
  copies.push_back(std::move(*first));
  if (bench.cold) {
    int64_t wanted = std::max(2 * lastLevelCacheBytes(), int64_t(128) << 20);
    times.copies = llvm::divideCeil(wanted, times.weightBytes);
    if (times.copies > MostCopies)
      return createStringError(
          "--cold would need " + Twine(times.copies) + " copies of " +
          Twine(times.weightBytes) + " bytes to exceed the caches, and " +
          Twine(MostCopies) + " are the limit: use a larger --n or --k");
  }
  for (int64_t i = 1; i < times.copies; ++i) {
    std::string to = pathOf(Twine(i));
    std::error_code error = llvm::sys::fs::create_directory(to);
    for (StringRef name : {"model.so", "model.weights"})
      if (!error)
        error = llvm::sys::fs::copy_file(pathOf(name), to + "/" + name);
    if (error)
      return createStringError("cannot copy the weights to " + quoted(to) +
                               ": " + error.message());
    Expected<Copy> copy = openCopy(to + "/model");
    if (!copy)
      return copy.takeError();
    copies.push_back(std::move(*copy));
  }
  return Error::success();
}

/// Runs every copy once. The first one's results are compared with the
/// reference, the others' with the first one's.
Error MatmulRunner::check() {
  std::vector<uint8_t> first;
  for (auto [index, copy] : llvm::enumerate(copies)) {
    auto outputs = copy.model->run(inputs);
    if (!outputs)
      return outputs.takeError();
    if (index == 0) {
      first = (*outputs)[0].bytes;
      Expected<std::string> checked = compareSample(
          weight, mode, inputs[0].floats(), bench.m, (*outputs)[0].floats());
      if (!checked)
        return checked.takeError();
      times.check = *checked;
    } else if ((*outputs)[0].bytes != first) {
      return createStringError("copy " + Twine(index) +
                               " of the model computes other numbers than the "
                               "first; this is a bug of mezzo");
    }
  }
  return Error::success();
}

/// The product and the two pure reads take turns, sample by sample, so that
/// whatever happens to the machine happens to all. One cursor rotates over the
/// copies: each is touched again only after all others were.
Error MatmulRunner::measure() {
  auto outputs = copies[0].model->run(inputs);
  if (!outputs)
    return outputs.takeError();
  size_t cursor = 0;
  auto next = [&]() -> Copy & { return copies[cursor++ % copies.size()]; };
  Error failed = Error::success();
  auto timeProduct = [&] {
    Copy &copy = next();
    return microseconds(
        [&] {
          if (!failed)
            failed = copy.model->runInto(inputs, *outputs);
        },
        clockFor(bench.threads));
  };
  auto timeRead = [&](int streams) {
    return readTime(next().payload(), streams, bench.threads);
  };
  // Warm-up: the pages of both maps, and the clock of the CPU.
  for (size_t i = 0; i < copies.size(); ++i)
    timeRead(1);
  double round = timeProduct() + timeRead(1) + timeRead(2);
  times.samples = sampleCount(bench.repetitions, round);
  Samples product, reads[2];
  for (int64_t i = 0; i < times.samples && !failed; ++i) {
    product.add(timeProduct());
    for (int streams : {1, 2})
      reads[streams - 1].add(timeRead(streams));
  }
  if (failed)
    return failed;
  times.readStreams = reads[1].median() < reads[0].median() ? 2 : 1;
  times.medianUs = product.median();
  times.bestUs = product.best();
  times.gops = 2e-3 * double(bench.m) * double(bench.n) * double(bench.k) /
               times.medianUs;
  times.weightGbps = 1e-3 * double(times.weightBytes) / times.medianUs;
  times.readGbps =
      1e-3 * double(times.weightBytes) / reads[times.readStreams - 1].median();
  return Error::success();
}

Expected<MatmulTimes> MatmulRunner::run() {
  if (Error error = checkOptions())
    return std::move(error);
  if (Error error = quantizeWeights())
    return std::move(error);
  if (std::error_code error =
          llvm::sys::fs::createUniqueDirectory("mezzo-bench", folder))
    return createStringError("cannot make a temporary folder: " +
                             error.message());
  {
    // What is mapped stays when its name goes, so nothing is left behind by a
    // measurement that is interrupted.
    llvm::scope_exit remove([&] { llvm::sys::fs::remove_directories(folder); });
    if (Error error = compile())
      return std::move(error);
    if (Error error = openCopies())
      return std::move(error);
  }
  if (Error error = check())
    return std::move(error);
  if (Error error = measure())
    return std::move(error);
  return std::move(times);
}

} // namespace

Expected<MatmulTimes> mezzo::benchMatmul(const MatmulBench &bench,
                                         MessageSink sink) {
  return MatmulRunner(bench, std::move(sink)).run();
}
