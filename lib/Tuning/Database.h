//===- Database.h - a file of tuning records ------------------------------===//
//
// Look-up, nearest first:
//
//   1. this machine, this shape
//   2. a machine of the same target (the same instructions), this shape
//   3. this machine, then one of the same target, a shape nearby: the same
//      bucket of activation rows, and N and K at most four times away
//
// and after that the price model. Who asks goes through what is found in this
// order, validates each suggestion, and says which one was taken.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_LIB_TUNING_DATABASE_H
#define MEZZO_LIB_TUNING_DATABASE_H

#include "lib/Tuning/Record.h"

namespace mezzo {

/// How near a record is to what was asked for.
enum class Nearness { Exact, SameTarget, NearbyShape };

/// "this machine", ...: for remarks.
llvm::StringRef describe(Nearness nearness);

struct TuningMatch {
  const TuningRecord *record;
  Nearness nearness;
};

class TuningDatabase {
public:
  /// Reads all records of a file. A file that is not there is empty. Lines that
  /// are no records are skipped, and `skipped` tells each with its number and
  /// why. Errors: a file that cannot be read.
  static llvm::Expected<TuningDatabase> load(llvm::StringRef path);
  /// The same of text that is in memory; `name` is for the messages.
  static TuningDatabase parse(llvm::StringRef text, llvm::StringRef name);

  llvm::ArrayRef<TuningRecord> records() const { return all; }
  llvm::ArrayRef<std::string> skipped() const { return problems; }

  /// What there is for `key`, best first: by nearness, then by distance of the
  /// shape, then by time; the first was measured longest of those within noise.
  /// Of one configuration that was measured several times the newest counts.
  /// Failures are left out.
  std::vector<TuningMatch> lookup(const TuningKey &key) const;
  /// The newest record of exactly this configuration, failures as well.
  const TuningRecord *find(const TuningKey &key, llvm::StringRef strategy,
                           const KnobValues &knobs) const;

private:
  std::vector<TuningRecord> all;
  std::vector<std::string> problems;
};

/// Appends records to a file, each as one write of a whole line. Holds a lock
/// on it, so that one process at a time measures for it: two that measured side
/// by side would measure each other.
class TuningWriter {
public:
  /// Errors: the file cannot be written; another process tunes into it.
  static llvm::Expected<TuningWriter> open(llvm::StringRef path);
  TuningWriter(TuningWriter &&other);
  TuningWriter &operator=(TuningWriter &&) = delete;
  ~TuningWriter();

  /// The line is on disk when this returns.
  llvm::Error append(const TuningRecord &record);

private:
  TuningWriter(std::string path, int file)
      : path(std::move(path)), file(file) {}

  std::string path;
  int file;
};

/// What identifies this machine to a record: "AMD EPYC 7R13, family 25 model 1,
/// L1 32K, L2 512K, L3 32768K". Empty where the system does not tell.
std::string machineFingerprint();

} // namespace mezzo

#endif // MEZZO_LIB_TUNING_DATABASE_H
