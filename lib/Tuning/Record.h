//===- Record.h - what was measured for one configuration -----------------===//
//
// Tuning records are lines of JSON, one for each configuration that was
// measured, appended to a file and never changed. Files are merged by `cat`.
//
//     {"v":1, "product":"int int4/g128:f16", "m":1, "n":4096, "k":4096,
//      "threads":1, "target":"x86-64-v3", "machine":"...", "strategy":
//      "native_dot", "config":"rows=4,...", "cold_us":231.5, "warm_us":88.1,
//      "noise":0.012, "seconds":0.5, "space":"9f...", "sum":"c3a1..."}
//
// `sum` is a checksum of the line before it. A line whose checksum is wrong, or
// that ends before its time (the writer was killed), is skipped and counted.
// What a record says is a suggestion: whoever uses it validates the
// configuration like one that a user has written.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_LIB_TUNING_RECORD_H
#define MEZZO_LIB_TUNING_RECORD_H

#include "lib/Tuning/Knobs.h"

namespace mezzo {

/// What a record is about: a product without its configuration.
struct TuningKey {
  /// All that the kernel depends on but configuration, shape and machine, in
  /// words: "int int4/g128:f16+zp bias".
  std::string product;
  int64_t m = 1; ///< activation rows; -1: any number
  int64_t n = 0, k = 0;
  std::string target;  ///< as `lookupTarget` takes it; a class of features
  std::string machine; ///< as `machineFingerprint` writes it

  std::string str() const;
  std::string shape() const; ///< "m = any, n = 64, k = 64"
};

struct TuningRecord {
  TuningKey key;
  int64_t threads = 1;
  std::string strategy; ///< "native_dot"
  KnobValues knobs;
  /// Medians in microseconds: weights from memory, and from the caches; 0 where
  /// one was not measured.
  double coldUs = 0, warmUs = 0;
  /// The relative distance below which two times are equal.
  double noise = 0;
  /// How long was measured: of times that are equal, the longer one counts.
  double seconds = 0;
  uint64_t space = 0; ///< KnobSpace::hash
  /// Of a configuration that was refused by its own check, why; its times are
  /// 0, and it is never used.
  std::string failure;

  /// What configurations are compared by. Few rows read their weights from
  /// memory, as a model does, and many were measured warm; of a product of any
  /// number of rows both count.
  double cost() const;

  /// The line, with its end.
  std::string line() const;
  /// Errors say what is wrong with the line: no JSON, the checksum, a field.
  static llvm::Expected<TuningRecord> parse(llvm::StringRef line);
};

/// Buckets of activation rows: kernels of one bucket are tuned alike. 1, 2-4,
/// 5-16, 17-64, more, and any (-1).
int rowBucket(int64_t m);
/// "1", "2-4", ...
llvm::StringRef rowBucketName(int bucket);

} // namespace mezzo

#endif // MEZZO_LIB_TUNING_RECORD_H
