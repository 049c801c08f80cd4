//===- Outputs.cpp - what a run computed, for people and programs ---------===//

#include "tools/driver/Outputs.h"

#include "lib/Number/Half.h"
#include "lib/Support/Sanitize.h"
#include "tools/driver/Inputs.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"

#include <cmath>
#include <cstring>

using namespace mezzo;
using llvm::StringRef;

template <typename T>
static T load(const HostTensor &tensor, int64_t index) {
  T value;
  std::memcpy(&value, tensor.bytes.data() + index * sizeof value, sizeof value);
  return value;
}

double mezzo::elementValue(const HostTensor &tensor, int64_t index) {
  StringRef dtype = tensor.dtype;
  if (dtype == "f32")
    return load<float>(tensor, index);
  if (dtype == "f64")
    return load<double>(tensor, index);
  if (dtype == "f16")
    return f16ToF32(load<uint16_t>(tensor, index));
  if (dtype == "bf16")
    return bf16ToF32(load<uint16_t>(tensor, index));
  bool isSigned = dtype.starts_with("i");
  switch (elementBits(dtype)) {
  case 8:
    return isSigned ? load<int8_t>(tensor, index)
                    : load<uint8_t>(tensor, index);
  case 16:
    return isSigned ? load<int16_t>(tensor, index)
                    : load<uint16_t>(tensor, index);
  case 32:
    return isSigned ? double(load<int32_t>(tensor, index))
                    : double(load<uint32_t>(tensor, index));
  case 64:
    return isSigned ? double(load<int64_t>(tensor, index))
                    : double(load<uint64_t>(tensor, index));
  }
  return NAN; // parts of bytes have no element that stands alone
}

TensorSummary mezzo::summarize(const HostTensor &tensor) {
  TensorSummary summary;
  double sum = 0;
  int64_t numbers = 0;
  for (int64_t i = 0, count = tensor.elements(); i < count; ++i) {
    double value = elementValue(tensor, i);
    if (i < 8)
      summary.first.push_back(value);
    if (std::isnan(value)) {
      ++summary.nans;
      continue;
    }
    summary.minimum = numbers ? std::min(summary.minimum, value) : value;
    summary.maximum = numbers ? std::max(summary.maximum, value) : value;
    sum += value;
    ++numbers;
  }
  if (numbers)
    summary.mean = sum / double(numbers);
  return summary;
}

void mezzo::printTensor(llvm::raw_ostream &os, StringRef name,
                        const HostTensor &tensor) {
  TensorSummary summary = summarize(tensor);
  os << toPrintable(name) << ": " << typeText(tensor);
  if (!summary.first.empty()) {
    os << llvm::format("  min %.6g  max %.6g  mean %.6g  [", summary.minimum,
                       summary.maximum, summary.mean);
    llvm::interleaveComma(summary.first, os, [&](double value) {
      os << llvm::format("%.6g", value);
    });
    os << (tensor.elements() > int64_t(summary.first.size()) ? ", ...]" : "]");
  }
  if (summary.nans)
    os << "  " << summary.nans << " NaN";
  os << "\n";
}

static llvm::json::Value number(double value) {
  return std::isfinite(value) ? llvm::json::Value(value)
                              : llvm::json::Value(nullptr);
}

void mezzo::writeNumber(llvm::json::OStream &json, StringRef key,
                        double value) {
  json.attribute(key, number(value));
}

void mezzo::writeTensor(llvm::json::OStream &json, StringRef name,
                        const HostTensor &tensor) {
  TensorSummary summary = summarize(tensor);
  json.attribute("name", llvm::json::fixUTF8(name));
  json.attribute("dtype", tensor.dtype);
  json.attribute("shape", llvm::json::Array(tensor.shape));
  writeNumber(json, "min", summary.minimum);
  writeNumber(json, "max", summary.maximum);
  writeNumber(json, "mean", summary.mean);
  json.attribute("nans", summary.nans);
  json.attributeArray("first", [&] {
    for (double value : summary.first)
      json.value(number(value));
  });
}

static std::string coordinates(const HostTensor &tensor, int64_t index) {
  std::string text;
  for (int64_t size : llvm::reverse(tensor.shape)) {
    text = std::to_string(index % size) + (text.empty() ? "" : ", ") + text;
    index /= size;
  }
  return "[" + text + "]";
}

std::optional<std::string> mezzo::mismatch(const HostTensor &actual,
                                           const HostTensor &expected,
                                           double rtol, double atol) {
  if (actual.dtype != expected.dtype || actual.shape != expected.shape)
    return "is " + typeText(actual) + ", expected is " + typeText(expected);
  auto differs = [&](int64_t i) {
    double a = elementValue(actual, i), e = elementValue(expected, i);
    if (std::isnan(a) || std::isnan(e))
      return std::isnan(a) != std::isnan(e);
    if (a == e)
      // Integers of 64 bits may be equal as doubles only.
      return !StringRef(actual.dtype).starts_with("f") &&
             !StringRef(actual.dtype).starts_with("b") && rtol == 0 &&
             atol == 0 && elementBits(actual.dtype) == 64 &&
             load<uint64_t>(actual, i) != load<uint64_t>(expected, i);
    // An infinity is near to nothing else; inf - e > atol holds by itself,
    // but rtol * inf would let everything pass.
    return std::isinf(e) || !(std::abs(a - e) <= atol + rtol * std::abs(e));
  };
  int64_t count = 0, first = 0;
  for (int64_t i = 0, end = actual.elements(); i < end; ++i)
    if (differs(i) && count++ == 0)
      first = i;
  if (!count)
    return std::nullopt;
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "differs at " << coordinates(actual, first) << ": "
     << llvm::format("%.9g", elementValue(actual, first)) << ", expected "
     << llvm::format("%.9g", elementValue(expected, first)) << " (" << count
     << " of " << actual.elements() << " elements differ";
  if (rtol != 0 || atol != 0)
    os << llvm::format(" by more than %g + %g * |expected|", atol, rtol);
  else
    os << "; --rtol and --atol allow for a difference";
  os << ")";
  return text;
}
