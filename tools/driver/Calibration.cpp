//===- Calibration.cpp - what tensors of a model hold on samples ----------===//

#include "tools/driver/Calibration.h"

#include "lib/Support/Sanitize.h"
#include "tools/driver/Inputs.h"
#include "tools/driver/LoadedModel.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cmath>
#include <random>

using namespace mezzo;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

namespace {

/// Numbers that are kept of a tensor for its percentiles: enough for the
/// thousandth part of a percent, and no more than fits beside a model.
constexpr size_t Kept = size_t(1) << 20;

/// Sees all numbers of a tensor, and keeps a fair choice of them.
class RangeFinder {
public:
  void add(llvm::ArrayRef<float> values) {
    for (float value : values) {
      if (!std::isfinite(value))
        continue;
      range.low = std::min(range.low, value);
      range.high = std::max(range.high, value);
      // The n-th number takes the place of a kept one with probability Kept/n.
      ++seen;
      if (kept.size() < Kept)
        kept.push_back(value);
      else if (uint64_t place = engine() % seen; place < Kept)
        kept[place] = value;
    }
  }

  /// Half of what a percentile leaves out lies at either end.
  ValueRange find(double percentile) {
    if (percentile >= 100 || kept.empty())
      return range;
    std::sort(kept.begin(), kept.end());
    double outside = (100 - percentile) / 200;
    size_t skip = outside * double(kept.size());
    return {std::min(kept[skip], 0.0f),
            std::max(kept[kept.size() - 1 - skip], 0.0f)};
  }

private:
  ValueRange range; ///< 0 included
  std::vector<float> kept;
  uint64_t seen = 0;
  std::mt19937_64 engine{1};
};

/// A folder that goes with the object.
class ScratchFolder {
public:
  Error create() {
    if (std::error_code error =
            llvm::sys::fs::createUniqueDirectory("mezzo-calibrate", path))
      return createStringError("cannot make a temporary folder: " +
                               error.message());
    return Error::success();
  }
  ~ScratchFolder() {
    if (!path.empty())
      llvm::sys::fs::remove_directories(path);
  }
  std::string file(StringRef name) const {
    llvm::SmallString<128> result(path);
    llvm::sys::path::append(result, name);
    return result.str().str();
  }

private:
  llvm::SmallString<128> path;
};

/// The model with these outputs, compiled and opened.
Expected<std::unique_ptr<LoadedModel>>
compileWithOutputs(const OnnxModel &model, llvm::ArrayRef<std::string> tensors,
                   const ScratchFolder &folder, CompileOptions options,
                   MessageSink sink) {
  Expected<onnx::ModelProto> proto = withOutputs(model, tensors);
  if (!proto)
    return proto.takeError();
  std::string path = folder.file("model.onnx"), object = folder.file("m.so");
  std::error_code code;
  llvm::raw_fd_ostream file(path, code);
  std::string bytes;
  if (code || !proto->SerializeToString(&bytes))
    return createStringError("cannot write a temporary model for calibration");
  file << bytes;
  file.close();
  if (file.has_error()) {
    file.clear_error();
    return createStringError("cannot write a temporary model for calibration");
  }
  options.compute = "float";
  options.prefix = "calibration";
  CompileSession session(std::move(options), std::move(sink));
  if (mlir::failed(session.load(path)) ||
      mlir::failed(session.writeShared(object)))
    return createStringError("the model cannot be compiled, which calibration "
                             "needs: see the errors above");
  return LoadedModel::open(object);
}

} // namespace

Expected<CalibrationMethod> CalibrationMethod::parse(StringRef text) {
  CalibrationMethod method;
  if (text == "minmax")
    return method;
  if (!text.consume_front("percentile:") ||
      text.getAsDouble(method.percentile) || !(method.percentile > 50) ||
      method.percentile > 100)
    return createStringError("cannot read --range " + quoted(text) +
                             ": write minmax, or percentile:99.9 with a number "
                             "above 50 and up to 100");
  return method;
}

Expected<CalibrationSamples>
mezzo::groupSamples(llvm::ArrayRef<std::string> files) {
  CalibrationSamples samples;
  std::map<std::string, size_t> counts;
  for (const std::string &text : files) {
    Expected<NamedFile> file = parseNamedFile("sample", text);
    if (!file)
      return file.takeError();
    size_t index = counts[file->name]++;
    if (index == samples.size())
      samples.emplace_back();
    samples[index].push_back(text);
  }
  for (const auto &[name, count] : counts)
    if (count != samples.size())
      return createStringError(
          "--sample gives " + llvm::Twine(count) + " files for the input " +
          quoted(name) + " and " + llvm::Twine(samples.size()) +
          " for another: give each input a file for every sample");
  return samples;
}

Expected<std::map<std::string, ValueRange>>
mezzo::calibrate(const OnnxModel &model, llvm::ArrayRef<std::string> tensors,
                 const CalibrationSamples &samples, CalibrationMethod method,
                 CompileOptions options, MessageSink sink) {
  ScratchFolder folder;
  if (Error error = folder.create())
    return std::move(error);
  auto loaded = compileWithOutputs(model, tensors, folder, std::move(options),
                                   std::move(sink));
  if (!loaded)
    return loaded.takeError();
  const ModelSignature &signature = (*loaded)->signature();
  std::vector<RangeFinder> finders(tensors.size());
  for (const std::vector<std::string> &sample : samples) {
    auto inputs = bindInputs(signature, sample, {});
    if (!inputs)
      return inputs.takeError();
    auto outputs = (*loaded)->run(*inputs);
    if (!outputs)
      return outputs.takeError();
    for (auto [finder, output] : llvm::zip_equal(finders, *outputs)) {
      if (output.dtype != "f32")
        return createStringError("calibration met activations of type " +
                                 output.dtype + ", but ranges are of f32");
      finder.add(output.floats());
    }
  }
  std::map<std::string, ValueRange> ranges;
  for (auto [name, finder] : llvm::zip_equal(tensors, finders))
    ranges[name] = finder.find(method.percentile);
  return ranges;
}
