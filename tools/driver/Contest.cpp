//===- Contest.cpp - configurations of one product against an incumbent ---===//

#include "tools/driver/Contest.h"

#include "lib/Support/Sanitize.h"
#include "passes/Select/Candidates.h"
#include "tools/driver/BenchMatmul.h"
#include "tools/driver/Decisions.h"
#include "tools/driver/Inputs.h"
#include "tools/driver/Session.h"
#include "tools/driver/Timing.h"

#include "llvm/Support/FileSystem.h"

#include <chrono>
#include <cmath>

using namespace mezzo;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

/// Copies of weights, at most: small ones are read from a cache then.
static constexpr int64_t MostCopies = 48;
/// Rows from which on the weights' way from memory does not count any more.
static constexpr int64_t MostColdRows = 16;
/// Times that are closer are equal, however quiet the machine is.
static constexpr double LeastNoise = 0.01;
/// A warm sample: calls in a row, until the clock is fine enough.
static constexpr double SampleUs = 100;

Contest::~Contest() = default;

static Error systemError(const Twine &what, std::error_code error) {
  return createStringError(what + ": " + error.message());
}

/// The folders in which the weights of a layout lie, made from those that
/// `compiled` holds.
Expected<Contest::Copies *> Contest::copiesOf(StringRef layout,
                                              StringRef compiled) {
  Copies &found = copies[layout.str()];
  if (!found.folders.empty())
    return &found;
  std::string weights = (compiled + "/model.weights").str();
  uint64_t bytes = 0;
  if (std::error_code error = llvm::sys::fs::file_size(weights, bytes))
    return systemError("cannot read the packed weights", error);
  int64_t wanted = std::max(2 * lastLevelCacheBytes(), int64_t(128) << 20);
  int64_t count = std::clamp<int64_t>(
      llvm::divideCeil(wanted, std::max<uint64_t>(bytes, 1)), 2, MostCopies);
  std::string base = folder + "/layout" + std::to_string(copies.size());
  for (int64_t i = 0; i < count; ++i) {
    std::string copy = base + "-" + std::to_string(i);
    std::error_code error = llvm::sys::fs::create_directory(copy);
    if (!error)
      error = llvm::sys::fs::copy_file(weights, copy + "/model.weights");
    if (error)
      return systemError("cannot copy the weights to " + quoted(copy), error);
    found.folders.push_back(copy);
  }
  return &found;
}

/// Compiles a configuration and opens it beside each copy of its weights.
Expected<std::unique_ptr<Contest::Contender>>
Contest::compile(StringRef config) {
  unsigned id = number++;
  std::string here = folder + "/compiled" + std::to_string(id);
  if (std::error_code error = llvm::sys::fs::create_directory(here))
    return systemError("cannot make " + quoted(here), error);
  CompileOptions options;
  options.target = product.target;
  options.compute = product.compute;
  options.config = config.str();
  options.weights = WeightStorage::File;
  std::string messages;
  CompileSession session(options,
                         [&](Severity severity, const std::string &text) {
                           if (severity == Severity::Error)
                             messages += (messages.empty() ? "" : "; ") + text;
                         });
  auto failed = [&] {
    return createStringError(messages.empty() ? "it cannot be compiled"
                                              : messages);
  };
  auto module = product.module(session.context());
  if (!module)
    return module.takeError();
  if (mlir::failed(session.adopt(std::move(*module))) ||
      mlir::failed(session.emitText(Stage::Tile)))
    return failed();
  std::string layout;
  for (const WeightDecision &decision : readDecisions(session.module()))
    if (decision.isQuantized())
      layout = decision.layout;
  if (mlir::failed(session.writeShared(here + "/model.so")))
    return failed();

  Expected<Copies *> weights = copiesOf(layout, here);
  if (!weights)
    return weights.takeError();
  auto contender = std::make_unique<Contender>();
  for (const std::string &copy : (*weights)->folders) {
    // A name of its own: two models of one file are one to the loader.
    std::string object = copy + "/" + std::to_string(id) + ".so";
    if (std::error_code error =
            llvm::sys::fs::copy_file(here + "/model.so", object))
      return systemError("cannot copy the model to " + quoted(object), error);
    auto model = LoadedModel::open(object, product.threads);
    if (!model)
      return model.takeError();
    contender->models.push_back(std::move(*model));
    llvm::sys::fs::remove(object);
  }
  llvm::sys::fs::remove_directories(here);
  return std::move(contender);
}

/// Random activations, for each number of rows.
Error Contest::makeInputs(const LoadedModel &model) {
  const TensorSignature &x = model.signature().inputs[0];
  if (product.rows.empty()) {
    if (x.dims[0] >= 0)
      product.rows = {x.dims[0]};
    else
      product.rows.assign(typicalRows().begin(), typicalRows().end());
  }
  for (int64_t rows : product.rows) {
    std::vector<int64_t> shape = x.dims;
    shape[0] = rows;
    Expected<HostTensor> tensor = randomTensor(x.dtype, shape, 2);
    if (!tensor)
      return tensor.takeError();
    inputs.emplace_back();
    inputs.back().push_back(std::move(*tensor));
  }
  return Error::success();
}

/// Runs every copy; of the incumbent, the first is compared with the reference,
/// and everything else with that one.
Error Contest::check(Contender &contender) {
  for (size_t r = 0; r < inputs.size(); ++r) {
    for (auto &model : contender.models) {
      auto outputs = model->run(inputs[r]);
      if (!outputs)
        return outputs.takeError();
      if (contender.outputs.size() == r) {
        contender.outputs.push_back(std::move(*outputs));
        if (!incumbent && product.weight) {
          Expected<std::string> checked = compareSample(
              *product.weight, product.mode, inputs[r][0].floats(),
              product.rows[r], contender.outputs[r][0].floats());
          if (!checked)
            return checked.takeError();
        }
      } else if ((*outputs)[0].bytes != contender.outputs[r][0].bytes) {
        return createStringError("it computes other numbers from another copy "
                                 "of the weights");
      }
    }
    if (incumbent &&
        contender.outputs[r][0].bytes != incumbent->outputs[r][0].bytes)
      return createStringError("it computes other bits than the incumbent");
  }
  return Error::success();
}

/// Medians of both in turns.
Expected<Contest::Pair> Contest::race(Contender &other, size_t r, bool cold,
                                      double seconds) {
  Error failed = Error::success();
  auto once = [&](Contender &contender, size_t copy) {
    if (!failed)
      failed = contender.models[copy % contender.models.size()]->runInto(
          inputs[r], contender.outputs[r]);
  };
  Clock clock = clockFor(product.threads);
  // Warm samples of short products are several calls.
  int64_t calls = 1;
  if (!cold) {
    once(*incumbent, 0);
    double first = microseconds([&] { once(*incumbent, 0); }, clock);
    calls =
        std::clamp<int64_t>(int64_t(SampleUs / std::max(first, 0.1)), 1, 1000);
  }
  auto sample = [&](Contender &contender) {
    if (cold) {
      size_t copy = cursor++;
      return microseconds([&] { once(contender, copy); }, clock);
    }
    // What the other one left in the caches is not its fault.
    once(contender, 0);
    double time = microseconds(
        [&] {
          for (int64_t i = 0; i < calls; ++i)
            once(contender, 0);
        },
        clock);
    return time / double(calls);
  };
  Samples a, b;
  auto end =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  constexpr int64_t fewest = 6, most = 2000;
  while (!failed && a.count() < most &&
         (a.count() < fewest || std::chrono::steady_clock::now() < end)) {
    bool swapped = a.count() / 2 % 2;
    double first = sample(swapped ? other : *incumbent),
           second = sample(swapped ? *incumbent : other);
    a.add(swapped ? second : first);
    b.add(swapped ? first : second);
  }
  if (failed)
    return std::move(failed);
  // How far a median of so many samples may be off: their spread over the root
  // of their number.
  double spread = (a.median() - a.best()) / a.median();
  return Pair{a.median(), b.median(),
              std::max(LeastNoise, spread / std::sqrt(double(a.count())))};
}

Expected<ContestTimes> Contest::measure(StringRef config, double seconds) {
  auto contender = compile(config);
  if (!contender)
    return contender.takeError();
  if (inputs.empty())
    if (Error error = makeInputs(*(*contender)->models[0]))
      return std::move(error);
  if (Error error = check(**contender))
    return std::move(error);
  bool isFirst = !incumbent;
  if (isFirst)
    incumbent = std::move(*contender);
  Contender &other = isFirst ? *incumbent : **contender;

  // The factor to the incumbent is taken over all numbers of rows.
  ContestTimes times;
  double coldLog = 0, warmLog = 0, coldCount = 0, warmCount = 0;
  int64_t races = 0;
  for (int64_t rows : product.rows)
    races += rows <= MostColdRows ? 2 : 1;
  times.noise = floor;
  for (size_t r = 0; r < product.rows.size(); ++r)
    for (bool cold : {true, false}) {
      if (cold && product.rows[r] > MostColdRows)
        continue;
      Expected<Pair> pair = race(other, r, cold, seconds / double(races));
      if (!pair)
        return pair.takeError();
      std::vector<double> &bases = cold ? coldBase : warmBase;
      size_t &position = cold ? coldPosition : warmPosition;
      if (isFirst) {
        bases.push_back(pair->incumbent);
        // Against itself, all difference is noise.
        times.noise = std::max({times.noise, pair->noise,
                                std::abs(pair->other / pair->incumbent - 1)});
      }
      double us = bases[position++] * pair->other / pair->incumbent;
      (cold ? coldLog : warmLog) += std::log(us);
      (cold ? coldCount : warmCount) += 1;
    }
  coldPosition = warmPosition = 0;
  if (isFirst)
    floor = times.noise;
  if (coldCount)
    times.coldUs = std::exp(coldLog / coldCount);
  if (warmCount)
    times.warmUs = std::exp(warmLog / warmCount);
  return times;
}
