//===- Calibration.h - what tensors of a model hold on samples ------------===//

#ifndef MEZZO_TOOLS_DRIVER_CALIBRATION_H
#define MEZZO_TOOLS_DRIVER_CALIBRATION_H

#include "lib/Onnx/QuantizeModel.h"
#include "tools/driver/Session.h"

namespace mezzo {

/// How a range follows from numbers.
struct CalibrationMethod {
  /// The share of numbers that a range holds, in percent; 100: all of them.
  double percentile = 100;

  /// "minmax" or "percentile:99.9". Errors: anything else.
  static llvm::Expected<CalibrationMethod> parse(llvm::StringRef text);
};

/// Samples: for each, NAME=@FILE.npy of every input.
using CalibrationSamples = std::vector<std::vector<std::string>>;

/// The files of each input in their order: the first of all inputs are one
/// sample, the second another. Error: inputs with unequal numbers of files.
llvm::Expected<CalibrationSamples>
groupSamples(llvm::ArrayRef<std::string> files);

/// Compiles the model with `tensors` (of f32) as its outputs, in mode float,
/// runs it on every sample, and returns their ranges. NaN and infinities are
/// left out. `options`: dimensions and shapes of the compilation. Errors have
/// been reported to `sink` where the compilation fails.
llvm::Expected<std::map<std::string, ValueRange>>
calibrate(const OnnxModel &model, llvm::ArrayRef<std::string> tensors,
          const CalibrationSamples &samples, CalibrationMethod method,
          CompileOptions options, MessageSink sink);

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_CALIBRATION_H
