//===- QuantizeVerb.cpp - `mezzo quantize` --------------------------------===//

#include "tools/driver/Verbs.h"

#include "lib/Support/AtomicFile.h"
#include "lib/Support/Sanitize.h"
#include "tools/driver/Calibration.h"

#include "llvm/Support/Format.h"

#include <set>

using namespace mezzo;
namespace cl = llvm::cl;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;

static cl::SubCommand command("quantize",
                              "an ONNX model of floats to one of codes");
static cl::opt<std::string> input(cl::Positional, cl::desc("model.onnx"),
                                  cl::Required, cl::sub(command));
static cl::opt<std::string> output("o", cl::desc("output file, an ONNX model"),
                                   cl::value_desc("file"), cl::Required,
                                   cl::sub(command));
static cl::opt<std::string>
    weights("weights",
            cl::desc("what weights of MatMul and Gemm become: int4/g32, "
                     "uint4/g128+zp, int8/ch, ..."),
            cl::value_desc("spec"), cl::Required, cl::sub(command));
static cl::opt<std::string> activations(
    "activations",
    cl::desc("what their activations become: int8/t or uint8/t+zp, by samples "
             "(default: they stay f32)"),
    cl::value_desc("spec"), cl::sub(command));
static cl::list<std::string>
    samples("sample",
            cl::desc("a value of an input to find ranges with; repeat it for "
                     "every input and every sample"),
            cl::value_desc("name=@file.npy"), cl::sub(command));
static cl::opt<std::string>
    range("range",
          cl::desc("how ranges follow from samples: minmax, percentile:99.9"),
          cl::value_desc("method"), cl::init("minmax"), cl::sub(command));
static cl::list<std::string>
    dims("dim", cl::desc("fix a named dimension while samples run"),
         cl::value_desc("name=size"), cl::sub(command));

namespace {

Expected<ModelQuantization> readSpecs() {
  ModelQuantization how;
  Expected<QuantSpec> spec = QuantSpec::parse(weights);
  if (!spec)
    return createStringError("--weights: " + llvm::toString(spec.takeError()));
  how.weights = *spec;
  if (!activations.empty()) {
    Expected<QuantSpec> given = QuantSpec::parse(activations);
    if (!given)
      return createStringError("--activations: " +
                               llvm::toString(given.takeError()));
    how.activations = *given;
  }
  if (Error error = checkExpressible(how))
    return std::move(error);
  if (how.activations && samples.empty())
    return createStringError(
        "--activations needs samples: give each input of the model some, such "
        "as --sample x=@first.npy --sample x=@second.npy");
  if (!how.activations && !samples.empty())
    return createStringError("--sample finds ranges of activations: give "
                             "--activations int8/t as well");
  return how;
}

Error findRanges(const OnnxModel &model, ModelQuantization &how) {
  Expected<CalibrationMethod> method = CalibrationMethod::parse(range);
  if (!method)
    return method.takeError();
  Expected<CalibrationSamples> grouped = groupSamples(samples);
  if (!grouped)
    return grouped.takeError();
  Expected<std::vector<FloatProduct>> products = listFloatProducts(model);
  if (!products)
    return products.takeError();
  std::set<std::string> tensors;
  for (const FloatProduct &product : *products)
    tensors.insert(product.activation);
  if (tensors.empty())
    return Error::success(); // quantizeModel says so
  CompileOptions options;
  for (const std::string &text : dims) {
    auto [name, value] = llvm::StringRef(text).rsplit('=');
    int64_t size = 0;
    if (name.empty() || value.getAsInteger(10, size) || size < 0)
      return createStringError("cannot read --dim '" + text +
                               "': write NAME=SIZE");
    options.dims[name.str()] = size;
  }
  auto ranges =
      calibrate(model, std::vector<std::string>(tensors.begin(), tensors.end()),
                *grouped, *method, std::move(options), terminalSink(false));
  if (!ranges)
    return ranges.takeError();
  how.ranges = std::move(*ranges);
  return Error::success();
}

Error quantizeFile(const std::string &source, const std::string &target) {
  Expected<ModelQuantization> how = readSpecs();
  if (!how)
    return how.takeError();
  auto model = OnnxModel::open(source);
  if (!model)
    return model.takeError();
  if (how->activations)
    if (Error error = findRanges(**model, *how))
      return error;
  Expected<QuantizedModel> quantized = quantizeModel(**model, *how);
  if (!quantized)
    return quantized.takeError();
  auto file = AtomicFile::create(target);
  if (!file)
    return file.takeError();
  std::string bytes;
  if (quantized->proto.ByteSizeLong() > size_t(INT32_MAX) ||
      !quantized->proto.SerializeToString(&bytes))
    return createStringError(
        "the quantized model is larger than 2 GiB, which one ONNX file cannot "
        "hold; quantize to fewer bits");
  file->stream() << bytes;
  if (Error error = file->commit())
    return error;
  llvm::outs() << "quantized " << quantized->products << " products to "
               << how->weights.str() << ": "
               << llvm::format("%.2f", quantized->floatBytes / 1e6) << " MB to "
               << llvm::format("%.2f", quantized->weightBytes / 1e6)
               << " MB of weights\n";
  return Error::success();
}

int run() {
  // The linker, which calibration runs, resets all command-line options.
  const std::string source = input, target = output;
  if (Error error = quantizeFile(source, target))
    return reportError(std::move(error));
  return Done;
}

} // namespace

Verb mezzo::quantizeVerb() { return {&command, run}; }
