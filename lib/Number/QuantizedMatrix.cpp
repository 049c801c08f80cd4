//===- QuantizedMatrix.cpp - a quantized weight as plain arrays -----------===//

#include "lib/Number/QuantizedMatrix.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>

using namespace mezzo;

float QuantizedMatrix::Levels::product(int64_t n, int64_t g,
                                       int64_t groups) const {
  int64_t supers = llvm::divideCeil(groups, length);
  return outer[n * supers + g / length] * inner[n * groups + g];
}

int64_t QuantizedMatrix::lengthOf(int64_t g) const {
  return std::min(groupLength, cols - g * groupLength);
}

Format QuantizedMatrix::format() const {
  return codebook.size() == spec.format.numCodes() ? Format::codebook(codebook)
                                                   : spec.format;
}

float QuantizedMatrix::codeValue(int64_t n, int64_t k) const {
  uint32_t raw = code(n, k);
  if (codebook.empty())
    return spec.format.decode(raw);
  size_t entries = spec.format.numCodes();
  size_t table = codebook.size() == entries ? 0 : n * entries;
  return codebook[table + raw];
}

double QuantizedMatrix::value(int64_t n, int64_t k) const {
  int64_t at = groupIndex(n, groupOf(k));
  double scale = scales[at];
  double c = codeValue(n, k);
  if (!zeros.empty())
    return scale * (c - zeros[at]);
  if (!floatZeros.empty())
    return scale * (c - floatZeros[at]);
  if (!minima.empty())
    return scale * c + minima[at];
  return scale * c;
}

template <typename... Args>
static llvm::Error invalid(const char *format, Args &&...args) {
  return llvm::createStringError(
      llvm::formatv(format, std::forward<Args>(args)...).str());
}

llvm::Error QuantizedMatrix::validate() const {
  if (rows <= 0 || cols <= 0)
    return invalid("a quantized matrix of {0} x {1}; both extents must be "
                   "positive",
                   rows, cols);
  if (groupLength < 1 || groupLength > cols)
    return invalid("groups of {0} along {1} columns; the length lies between 1 "
                   "and the number of columns",
                   groupLength, cols);
  if (spec.format.bits() > 8)
    return invalid("a matrix of {0}; its codes are one byte each, so a format "
                   "has at most 8 bits",
                   spec.format.str());
  int64_t elements, perGroup;
  if (llvm::MulOverflow(rows, cols, elements) ||
      llvm::MulOverflow(rows, groups(), perGroup))
    return invalid("a quantized matrix of {0} x {1} does not fit 64 bits; "
                   "split it",
                   rows, cols);

  auto sized = [&](const auto &array, int64_t size, const char *what,
                   bool optional) -> llvm::Error {
    if ((optional && array.empty()) ||
        array.size() == static_cast<uint64_t>(size))
      return llvm::Error::success();
    return invalid("{0} {1} for a matrix of {2} x {3} in groups of {4}; it "
                   "needs {5}",
                   array.size(), what, rows, cols, groupLength, size);
  };
  if (llvm::Error error = sized(codes, elements, "codes", false))
    return error;
  if (llvm::Error error = sized(scales, perGroup, "scales", false))
    return error;
  if (llvm::Error error = sized(zeros, perGroup, "zero points", true))
    return error;
  if (llvm::Error error = sized(floatZeros, perGroup, "float zeros", true))
    return error;
  if (llvm::Error error = sized(minima, perGroup, "minima", true))
    return error;
  if (llvm::Error error = sized(permutation, cols, "permuted columns", true))
    return error;
  if (!zeros.empty() + !floatZeros.empty() + !minima.empty() > 1)
    return invalid("a matrix with more than one of zero points, float zeros "
                   "and minima; keep the one its spec names");
  if (!zeros.empty() && !spec.format.isInteger())
    return invalid("integer zero points with codes of {0}; use float zeros",
                   spec.format.str());

  auto factored = [&](const Levels &levels, const std::vector<float> &products,
                      const char *what) -> llvm::Error {
    if (levels.empty())
      return llvm::Error::success();
    if (levels.length < 1 ||
        levels.outer.size() !=
            uint64_t(rows) * llvm::divideCeil(groups(), levels.length) ||
        levels.inner.size() != products.size())
      return invalid("{0} on two levels of {1} and {2} numbers, {3} groups to "
                     "a super-block, for a matrix of {4} x {5} in groups of "
                     "{6}; give one per group, and one per super-block",
                     what, levels.inner.size(), levels.outer.size(),
                     levels.length, rows, cols, groupLength);
    for (int64_t n = 0; n < rows; ++n)
      for (int64_t g = 0; g < groups(); ++g) {
        float product = levels.product(n, g, groups());
        float stated = products[groupIndex(n, g)];
        if (product != stated && !(std::isnan(product) && std::isnan(stated)))
          return invalid("{0} at [{1}, {2}] are {3}, but the factors on two "
                         "levels make {4}; leave out the one or the other",
                         what, n, g, stated, product);
      }
    return llvm::Error::success();
  };
  if (llvm::Error error = factored(scaleLevels, scales, "scales"))
    return error;
  if (llvm::Error error = factored(minimumLevels, minima, "minima"))
    return error;

  uint64_t entries = spec.format.numCodes();
  if (!codebook.empty() && !spec.format.isCodebook())
    return invalid("a code book with codes of {0}; drop it", spec.format.str());
  if (!codebook.empty() && codebook.size() != entries &&
      codebook.size() != entries * static_cast<uint64_t>(rows))
    return invalid("a code book of {0} entries; it has {1}, or {1} per row",
                   codebook.size(), entries);
  if (codebook.empty() && !spec.format.hasValues())
    return invalid("codes of {0} without their table; give {1} entries",
                   spec.format.str(), entries);

  for (size_t i = 0; i < codes.size(); ++i)
    if (codes[i] >= entries)
      return invalid("code {0} at [{1}, {2}] does not fit {3}; it has {4} "
                     "bits",
                     unsigned(codes[i]), i / cols, i % cols, spec.format.str(),
                     spec.format.bits());
  std::vector<bool> seen(permutation.size());
  for (int32_t column : permutation) {
    if (column < 0 || column >= cols || seen[column])
      return invalid("column {0} of a permutation of {1} columns is {2}; every "
                     "column occurs once",
                     column, cols,
                     column < 0 || column >= cols ? "out of range"
                                                  : "repeated");
    seen[column] = true;
  }
  return llvm::Error::success();
}
