//===- Tune.cpp - measuring the candidates of a model's products ----------===//
//
// The parent decides and writes; a child measures, one for each product. A
// candidate that crashes ends its child: it gets a record that says so, and the
// rest are measured by another child.
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Tune.h"

#include "lib/Support/Sanitize.h"
#include "passes/Select/Candidates.h"
#include "tools/driver/Child.h"
#include "tools/driver/ExplainProduct.h"
#include "tools/driver/ProductModule.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <map>
#include <sys/file.h>
#include <unistd.h>

using namespace mezzo;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

/// What a child may take for one candidate beyond measuring: compiling it, and
/// copying its weights.
static constexpr double SecondsToPrepare = 120;
/// How much longer the best one and the incumbent meet again.
static constexpr double FinalFactor = 3;

namespace {

/// A configuration to measure.
struct Entry {
  std::string strategy;
  KnobValues knobs;
  uint64_t space;

  std::string config() const {
    return "strategy=" + strategy + "," + knobs.str();
  }
};

/// A product, and what to measure of it; the incumbent first.
struct Task {
  TuningKey key;
  std::vector<Entry> entries;
  std::string bytecode; ///< empty where the subject is "matmul"
};

std::string temporaryFolder() {
  llvm::SmallString<128> path;
  llvm::sys::path::system_temp_directory(/*ErasedOnReboot=*/true, path);
  return path.str().str();
}

constexpr StringRef FolderPrefix = "mezzo-tune-";

/// Folders of earlier runs that were killed.
void removeAbandonedFolders() {
  std::error_code error;
  for (llvm::sys::fs::directory_iterator it(temporaryFolder(), error), end;
       !error && it != end; it.increment(error)) {
    StringRef name = llvm::sys::path::filename(it->path());
    int process = 0;
    if (name.consume_front(FolderPrefix) &&
        !name.take_until([](char c) { return c == '-'; })
             .getAsInteger(10, process) &&
        process > 0 && kill(process, 0) != 0 && errno == ESRCH)
      llvm::sys::fs::remove_directories(it->path());
  }
}

/// One measurement at a time on a machine, whoever asks for it.
class MachineLock {
public:
  MachineLock() {
    std::string path = temporaryFolder() + "/mezzo-tune.lock";
    file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file >= 0)
      flock(file, LOCK_EX);
  }
  ~MachineLock() {
    if (file >= 0)
      close(file);
  }

private:
  int file;
};

/// The child of one task, started again when it has ended.
class Measurer {
public:
  Measurer(const TuneOptions &options, const Task &task)
      : options(options), task(task) {}
  ~Measurer() { stop(); }

  struct Answer {
    double coldUs = 0, warmUs = 0, noise = 0;
    std::string failure;
  };
  /// The time of an entry; of the first one, when a child has not measured it
  /// yet.
  Expected<Answer> measure(const Entry &entry, double seconds);

private:
  Error start();
  void stop();
  Answer ask(const Entry &entry, double seconds);

  const TuneOptions &options;
  const Task &task;
  std::optional<Child> child;
  std::string folder;
  bool knowsIncumbent = false;
};

Error Measurer::start() {
  llvm::SmallString<128> made;
  if (std::error_code error = llvm::sys::fs::createUniqueDirectory(
          FolderPrefix + Twine(llvm::sys::Process::getProcessId()), made))
    return llvm::createStringError("cannot make a temporary folder: " +
                                   error.message());
  folder = made.str().str();
  std::vector<std::string> arguments = {"tune",
                                        options.subject,
                                        "--worker-folder=" + folder,
                                        "--target=" + options.compile.target,
                                        "--threads=" +
                                            std::to_string(options.threads),
                                        "--m=" + std::to_string(options.m),
                                        "--n=" + std::to_string(options.n),
                                        "--k=" + std::to_string(options.k),
                                        "--weights=" + options.weights};
  if (!options.compile.compute.empty())
    arguments.push_back("--compute=" + options.compile.compute);
  int file = -1;
  if (!task.bytecode.empty()) {
    // The name goes at once; the child inherits the file.
    std::string path = folder + "/product";
    file = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
      return llvm::createStringError("cannot write " + quoted(path));
    llvm::raw_fd_ostream out(file, /*shouldClose=*/false);
    out << task.bytecode;
    out.flush();
    llvm::sys::fs::remove(path);
    arguments.push_back("--worker-file=" + std::to_string(file));
  }
  Expected<Child> started = Child::start(arguments, file);
  if (file >= 0)
    close(file);
  if (!started)
    return started.takeError();
  child.emplace(std::move(*started));
  knowsIncumbent = false;
  return Error::success();
}

void Measurer::stop() {
  child.reset();
  if (!folder.empty())
    llvm::sys::fs::remove_directories(folder);
  folder.clear();
}

Measurer::Answer Measurer::ask(const Entry &entry, double seconds) {
  MachineLock lock;
  std::optional<std::string> line =
      child->ask(std::to_string(seconds) + " " + entry.config(),
                 seconds + SecondsToPrepare);
  Answer answer;
  if (!line) {
    answer.failure = child->howItEnded();
    stop();
    return answer;
  }
  auto json = llvm::json::parse(*line);
  const llvm::json::Object *object = json ? json->getAsObject() : nullptr;
  if (!json)
    llvm::consumeError(json.takeError());
  if (!object) {
    answer.failure = "it answered nonsense";
    stop();
    return answer;
  }
  if (auto error = object->getString("error"))
    answer.failure = toPrintable(*error, 400);
  answer.coldUs = object->getNumber("cold_us").value_or(0);
  answer.warmUs = object->getNumber("warm_us").value_or(0);
  answer.noise = object->getNumber("noise").value_or(0);
  return answer;
}

Expected<Measurer::Answer> Measurer::measure(const Entry &entry,
                                             double seconds) {
  if (!child) {
    if (Error error = start())
      return std::move(error);
  }
  const Entry &incumbent = task.entries.front();
  bool isIncumbent = &entry == &incumbent;
  if (!knowsIncumbent && !isIncumbent) {
    Answer first = ask(incumbent, seconds);
    if (!first.failure.empty())
      return first;
  }
  Answer answer = ask(entry, seconds);
  knowsIncumbent = child.has_value();
  return answer;
}

//===----------------------------------------------------------------------===//
// Tasks
//===----------------------------------------------------------------------===//

/// Makes "main" of an isolated product the entry of a model.
void makeEntry(mlir::ModuleOp module) {
  auto function = module.lookupSymbol<mlir::func::FuncOp>("main");
  mlir::Builder b(module.getContext());
  auto tensor = [&](StringRef name, mlir::Type type) {
    return b.getArrayAttr(
        {describeTensor(b, name, llvm::cast<mlir::RankedTensorType>(type))});
  };
  function->setAttr("mezzo.entry", b.getUnitAttr());
  function->setAttr("mezzo.inputs",
                    tensor("x", function.getArgumentTypes()[0]));
  function->setAttr("mezzo.outputs", tensor("y", function.getResultTypes()[0]));
}

class Tuner {
public:
  Tuner(const TuneOptions &options, MessageSink sink,
        std::function<void(const TuneEvent &)> progress)
      : options(options), sink(std::move(sink)), progress(std::move(progress)) {
  }

  Expected<TuneResult> run();

private:
  Error collect();
  Error addTask(MatmulOp op, WeightOp weight, const Target &target);
  Error measureTask(const Task &task, TuningWriter &writer, double until);
  std::optional<TuningRecord> record(const Task &task, const Entry &entry,
                                     const Measurer::Answer &answer,
                                     double seconds, TuningWriter &writer,
                                     Error &failed);
  double now() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                         begin)
        .count();
  }
  void tell(TuneEvent::Kind kind, const Task &task, const Twine &config,
            double us = 0, const Twine &text = "") {
    progress({kind, done, total, task.key.str(), config.str(), text.str(), us,
              bestUs, incumbentUs});
  }

  const TuneOptions &options;
  MessageSink sink;
  std::function<void(const TuneEvent &)> progress;
  std::chrono::steady_clock::time_point begin =
      std::chrono::steady_clock::now();
  std::string machine = machineFingerprint();
  TuningDatabase known;
  std::vector<Task> tasks;
  std::map<std::string, bool> seen;
  TuneResult result;
  size_t done = 0, total = 0;
  double bestUs = 0, incumbentUs = 0;
};

Error Tuner::addTask(MatmulOp op, WeightOp weight, const Target &target) {
  Task task;
  task.key = tuningKey(op, weight, target, machine);
  bool &isKnown = seen[task.key.str()];
  if (std::exchange(isKnown, true))
    return Error::success();
  ++result.products;
  std::vector<StrategyChoice> choices = strategiesOf(op, weight, target);
  auto ranked =
      rankCandidates(op, weight, target, choices,
                     options.exhaustive ? Search::Everything : Search::Near);
  if (mlir::failed(ranked))
    return llvm::createStringError("cannot price " + task.key.str());
  // The cheapest, and what each strategy would take by itself.
  for (const Candidate &candidate : *ranked)
    if (int64_t(task.entries.size()) < options.top || candidate.isSeed())
      task.entries.push_back(
          {stringifyStrategyKind(candidate.choice->kind).str(), candidate.knobs,
           candidate.choice->space.hash()});
  size_t count = task.entries.size();
  size_t measured = llvm::count_if(task.entries, [&](const Entry &entry) {
    return known.find(task.key, entry.strategy, entry.knobs) != nullptr;
  });
  result.known += measured;
  if (measured == count)
    return Error::success();
  total += count - measured;
  if (options.subject != "matmul") {
    Variant open{choices.front().kind,
                 nullptr,
                 {},
                 op.getOutput().getType().getDimSize(0)};
    auto module = isolate(op, weight, open);
    makeEntry(*module);
    llvm::raw_string_ostream os(task.bytecode);
    if (mlir::failed(mlir::writeBytecodeToFile(*module, os)))
      return llvm::createStringError("cannot write down " + task.key.str());
  }
  tasks.push_back(std::move(task));
  return Error::success();
}

Error Tuner::collect() {
  CompileOptions compile = options.compile;
  compile.tuningDb.clear();
  if (Expected<Target> machine = lookupMachine(compile.target); !machine)
    return machine.takeError();
  std::string errors;
  CompileSession session(compile,
                         [&](Severity severity, const std::string &text) {
                           if (severity == Severity::Error)
                             errors += (errors.empty() ? "" : "; ") + text;
                           else
                             sink(severity, text);
                         });
  auto failed = [&] {
    return llvm::createStringError(errors.empty() ? "the model cannot be read"
                                                  : errors);
  };
  if (options.subject == "matmul") {
    if (Error error = loadProduct(session, options.weights, compile.compute,
                                  options.m, options.n, options.k))
      return error;
  } else if (mlir::failed(session.load(options.subject))) {
    return failed();
  }
  if (mlir::failed(session.emitText(Stage::Mezzo)))
    return failed();
  mlir::SymbolTableCollection symbols;
  Error error = Error::success();
  session.module().walk([&](MatmulOp op) {
    auto load = op.getCodes().getDefiningOp<LoadWeightOp>();
    // Codes of activations come with scales that only the model knows.
    if (error || !load || op.takesCodes())
      return;
    auto weight =
        symbols.lookupNearestSymbolFrom<WeightOp>(op, load.getWeightAttr());
    error = addTask(op, weight, session.target());
  });
  if (error)
    return error;
  if (result.products == 0)
    return llvm::createStringError(
        quoted(options.subject) +
        " has no products with quantized weights: there is nothing to tune");
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Measuring
//===----------------------------------------------------------------------===//

std::optional<TuningRecord> Tuner::record(const Task &task, const Entry &entry,
                                          const Measurer::Answer &answer,
                                          double seconds, TuningWriter &writer,
                                          Error &failed) {
  TuningRecord made;
  made.key = task.key;
  made.threads = options.threads;
  made.strategy = entry.strategy;
  made.knobs = entry.knobs;
  made.space = entry.space;
  made.failure = answer.failure;
  if (answer.failure.empty()) {
    made.coldUs = answer.coldUs;
    made.warmUs = answer.warmUs;
    made.noise = answer.noise;
    made.seconds = seconds;
  }
  failed = writer.append(made);
  if (failed)
    return std::nullopt;
  ++result.measured;
  result.failed += !answer.failure.empty();
  return made;
}

Error Tuner::measureTask(const Task &task, TuningWriter &writer, double until) {
  Measurer measurer(options, task);
  const Entry &incumbent = task.entries.front(), *best = &incumbent;
  double noise = 0;
  incumbentUs = bestUs = 0;
  tell(TuneEvent::Product, task, "");
  bool anew = false;
  for (const Entry &entry : task.entries) {
    bool isIncumbent = &entry == &incumbent;
    const TuningRecord *before =
        known.find(task.key, entry.strategy, entry.knobs);
    std::optional<TuningRecord> made;
    if (before && !isIncumbent) {
      made = *before;
    } else {
      // The incumbent always, since the others are measured against it.
      if (!isIncumbent && now() >= until) {
        ++result.left;
        continue;
      }
      auto answer = measurer.measure(entry, options.perCandidate);
      if (!answer)
        return answer.takeError();
      Error failed = Error::success();
      made = record(task, entry, *answer, options.perCandidate, writer, failed);
      if (failed)
        return failed;
      llvm::consumeError(std::move(failed));
      anew |= !isIncumbent;
      done += !before;
    }
    if (!made->failure.empty()) {
      tell(TuneEvent::Failed, task, entry.config(), 0, made->failure);
      if (isIncumbent)
        return Error::success(); // nothing to compare with
      continue;
    }
    if (isIncumbent) {
      incumbentUs = bestUs = made->cost();
      noise = made->noise;
    } else if (made->cost() < bestUs) {
      bestUs = made->cost();
      best = &entry;
    }
    tell(TuneEvent::Measured, task, entry.config(), made->cost());
  }
  // The best of many noisy times is too good to be true: it meets the incumbent
  // again, for longer, and the newer records count.
  if (best != &incumbent && anew) {
    for (const Entry *entry : {&incumbent, best}) {
      double seconds = FinalFactor * options.perCandidate;
      auto answer = measurer.measure(*entry, seconds);
      if (!answer)
        return answer.takeError();
      Error failed = Error::success();
      std::optional<TuningRecord> made =
          record(task, *entry, *answer, seconds, writer, failed);
      if (failed)
        return failed;
      llvm::consumeError(std::move(failed));
      (entry == best ? bestUs : incumbentUs) = made->cost();
    }
  }
  bool improves = best != &incumbent && bestUs < incumbentUs * (1 - noise);
  result.improved += improves;
  tell(improves ? TuneEvent::Improved : TuneEvent::Kept, task,
       improves ? best->config() : incumbent.config(),
       improves ? bestUs : incumbentUs);
  return Error::success();
}

Expected<TuneResult> Tuner::run() {
  if (options.compile.tuningDb.empty())
    return llvm::createStringError(
        "name the file that records are appended to, such as "
        "--tuning-db=tuning.jsonl");
  Expected<TuningWriter> writer = TuningWriter::open(options.compile.tuningDb);
  if (!writer)
    return writer.takeError();
  Expected<TuningDatabase> loaded =
      TuningDatabase::load(options.compile.tuningDb);
  if (!loaded)
    return loaded.takeError();
  known = std::move(*loaded);
  for (const std::string &problem : known.skipped())
    sink(Severity::Remark, problem);
  removeAbandonedFolders();
  if (Error error = collect())
    return std::move(error);
  for (auto [index, task] : llvm::enumerate(tasks)) {
    // What is left is shared by the products that are left.
    double until =
        now() + (options.budget - now()) / double(tasks.size() - index);
    if (Error error = measureTask(task, *writer, until))
      return std::move(error);
  }
  return result;
}

} // namespace

Expected<TuneResult>
mezzo::tune(const TuneOptions &options, MessageSink sink,
            std::function<void(const TuneEvent &)> progress) {
  return Tuner(options, std::move(sink), std::move(progress)).run();
}
