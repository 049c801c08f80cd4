//===- Tune.h - measuring the candidates of a model's products ------------===//

#ifndef MEZZO_TOOLS_DRIVER_TUNE_H
#define MEZZO_TOOLS_DRIVER_TUNE_H

#include "lib/Tuning/Database.h"
#include "tools/driver/Session.h"

#include <functional>

namespace mezzo {

struct TuneOptions {
  /// A model, or "matmul": then the product below.
  std::string subject;
  CompileOptions compile; ///< target, mode, sizes; the file of records
  int64_t m = 1, n = 4096, k = 4096;
  std::string weights = "int4/g128";
  int threads = 1;
  double budget = 60;        ///< seconds, of all
  double perCandidate = 0.5; ///< seconds of measuring
  int64_t top = 8;           ///< candidates of a product that are measured
  bool exhaustive = false;   ///< price the whole space, not what is near
};

/// What happens, for a progress bar.
struct TuneEvent {
  enum Kind { Product, Measured, Failed, Kept, Improved } kind;
  size_t done = 0, total = 0; ///< candidates
  std::string product, config, text;
  double us = 0, bestUs = 0, incumbentUs = 0;
};

struct TuneResult {
  size_t products = 0, measured = 0, failed = 0, known = 0, improved = 0;
  size_t left = 0; ///< candidates that the budget did not reach
};

/// Measures the cheapest candidates of each different product against what the
/// compiler would take without records, in a child process, and appends a
/// record for each. What has a record of this machine is not measured again.
/// Errors: those of compiling the model, and of the file of records.
llvm::Expected<TuneResult>
tune(const TuneOptions &options, MessageSink sink,
     std::function<void(const TuneEvent &)> progress);

/// The child: answers configurations with times, line by line, until its input
/// ends. `file` is an open file with the product in MLIR's bytecode, or -1
/// where the subject is "matmul". Returns an exit code.
int runTuneWorker(const TuneOptions &options, llvm::StringRef folder, int file);

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_TUNE_H
