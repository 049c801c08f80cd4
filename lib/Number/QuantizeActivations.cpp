//===- QuantizeActivations.cpp - int8 per row, at run time ----------------===//

#include "lib/Number/Quantize.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>

using namespace mezzo;

llvm::Expected<QuantizedRows>
mezzo::quantizeActivationsInt8PerRow(llvm::ArrayRef<float> x, int64_t m,
                                     int64_t k) {
  int64_t elements;
  if (m < 0 || k < 0 || llvm::MulOverflow(m, k, elements) ||
      x.size() != static_cast<uint64_t>(elements))
    return llvm::createStringError(
        llvm::formatv("{0} activations for a matrix of {1} x {2}; give one "
                      "value per element, row by row",
                      x.size(), m, k)
            .str());
  QuantizedRows out;
  out.rows = m;
  out.cols = k;
  out.codes.resize(x.size());
  out.scales.resize(m);
  for (int64_t row = 0; row < m; ++row) {
    llvm::ArrayRef<float> values = x.slice(row * k, k);
    float largest = 0;
    for (float value : values)
      largest = std::fabs(value) > largest ? std::fabs(value) : largest;
    float scale = largest / 127.0f;
    if (scale == 0) // all zeros, or so small that the quotient underflows
      scale = 1;
    out.scales[row] = scale;
    for (int64_t j = 0; j < k; ++j) {
      float quotient = values[j] / scale;
      double code = std::isnan(quotient) ? 0 : roundToIntegral(quotient);
      out.codes[row * k + j] =
          static_cast<int8_t>(std::clamp(code, -127.0, 127.0));
    }
  }
  return out;
}
