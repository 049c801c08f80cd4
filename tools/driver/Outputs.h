//===- Outputs.h - what a run computed, for people and programs -----------===//

#ifndef MEZZO_TOOLS_DRIVER_OUTPUTS_H
#define MEZZO_TOOLS_DRIVER_OUTPUTS_H

#include "tools/driver/LoadedModel.h"

#include "llvm/Support/JSON.h"

#include <optional>

namespace mezzo {

/// Element `index` in row-major order, as a double: exact but for 64-bit
/// integers beyond 2^53. Types of whole bytes only.
double elementValue(const HostTensor &tensor, int64_t index);

/// Minimum, maximum and mean over the numbers, which NaNs are not.
struct TensorSummary {
  int64_t nans = 0;
  double minimum = 0, maximum = 0, mean = 0;
  std::vector<double> first; ///< up to eight elements
};
TensorSummary summarize(const HostTensor &tensor);

/// One line: y: f32[2, 3]  min -1  max 2  mean 0.5  [0.1, 0.2, ...]
void printTensor(llvm::raw_ostream &os, llvm::StringRef name,
                 const HostTensor &tensor);

/// The members of the same as JSON; what is not finite is null.
void writeTensor(llvm::json::OStream &json, llvm::StringRef name,
                 const HostTensor &tensor);

/// A number as JSON: null where it is not finite.
void writeNumber(llvm::json::OStream &json, llvm::StringRef key, double value);

/// Why `actual` is not `expected`: another type or shape, or the coordinates of
/// the first element with |a - e| > atol + rtol * |e|, and how many there are.
/// Nothing where it is. With both tolerances 0, values must be equal; two NaNs
/// are, and so are +0 and -0.
std::optional<std::string> mismatch(const HostTensor &actual,
                                    const HostTensor &expected, double rtol,
                                    double atol);

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_OUTPUTS_H
