//===- Quantize.cpp - from floats to codes and back -----------------------===//

#include "lib/Number/Quantize.h"
#include "lib/Number/FitCodebook.h"
#include "lib/Number/Half.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

using namespace mezzo;

namespace {

/// What a scale rule wants to know about a group. NaN is left out.
struct Range {
  double min = std::numeric_limits<double>::infinity();
  double max = -std::numeric_limits<double>::infinity();
  double sumOfMagnitudes = 0;
  int64_t count = 0;

  void add(float w) {
    if (std::isnan(w))
      return;
    min = std::min<double>(min, w);
    max = std::max<double>(max, w);
    sumOfMagnitudes += std::fabs(w);
    ++count;
  }
  void add(const Range &other) {
    min = std::min(min, other.min);
    max = std::max(max, other.max);
    sumOfMagnitudes += other.sumOfMagnitudes;
    count += other.count;
  }
  double maxMagnitude() const {
    return count ? std::max(std::fabs(min), std::fabs(max)) : 0;
  }
  bool isZero() const { return maxMagnitude() == 0; }
};

/// One run of quantize(), step by step. All arrays per group are [N, G].
class Quantizer {
public:
  Quantizer(llvm::ArrayRef<float> w, const QuantSpec &spec,
            const QuantizeOptions &options, QuantizedMatrix &out)
      : w(w), spec(spec), options(options), out(out), format(spec.format),
        random(options.seed) {
    if (!options.codebook.empty()) {
      out.codebook = options.codebook;
      format = Format::codebook(options.codebook);
    }
    // The range a code book is fitted in, until it is.
    codeMin = format.hasValues() ? format.lowestValue() : -1;
    codeMax = format.hasValues() ? format.highestValue() : 1;
  }

  llvm::Error run() {
    if (llvm::Error error = collectRanges())
      return error;
    chooseScales();
    chooseOffsets();
    if (!format.hasValues())
      fitTable();
    settleZeroGroups();
    chooseCodes();
    return llvm::Error::success();
  }

private:
  llvm::Error collectRanges();
  void chooseScales();
  double idealScale(const Range &range) const;
  void chooseOffsets();
  void fitTable();
  void settleZeroGroups();
  void chooseCodes();
  std::vector<float> store(const ScaleSpec &spec, llvm::ArrayRef<double> ideals,
                           bool isScale, QuantizedMatrix::Levels &levels);

  /// Which super-block group (n, g) lies in.
  int64_t superIndex(const Group &super, int64_t n, int64_t g) const;
  /// w[n, k] on the scale of the codes, before its last rounding.
  float position(int64_t at, float x) const;
  uint32_t encode(int64_t at, float x, uint64_t bits) const;
  float toPrecision(float x) const;

  llvm::ArrayRef<float> w;
  const QuantSpec &spec;
  const QuantizeOptions &options;
  QuantizedMatrix &out;
  Format format; ///< the spec's, with its table once that is known
  CounterRandom random;
  double codeMin, codeMax;
  std::vector<Range> ranges;
};

} // namespace

llvm::Error Quantizer::collectRanges() {
  ranges.resize(out.rows * out.groups());
  for (int64_t n = 0; n < out.rows; ++n)
    for (int64_t k = 0; k < out.cols; ++k) {
      float x = w[n * out.cols + k];
      if (std::isinf(x))
        return llvm::createStringError(
            llvm::formatv("the weight at [{0}, {1}] is infinite, so its group "
                          "has no scale; clip the weights before quantizing",
                          n, k)
                .str());
      out.nans += std::isnan(x);
      ranges[out.groupIndex(n, out.groupOf(k))].add(x);
    }
  if (spec.group.kind == Group::Kind::Tensor) {
    Range all;
    for (const Range &range : ranges)
      all.add(range);
    std::fill(ranges.begin(), ranges.end(), all);
  }
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Scales and offsets
//===----------------------------------------------------------------------===//

/// The real number a scale would be, were it not stored in a type; 0 where the
/// group asks for none.
double Quantizer::idealScale(const Range &range) const {
  if (range.isZero())
    return 0;
  bool powerOfTwo = spec.scale.type.kind == ScaleType::Kind::E8M0;

  if (spec.offset.kind != OffsetSpec::Kind::None) {
    double min = range.min, max = range.max;
    bool countsDown = spec.offset.kind == OffsetSpec::Kind::Minimum &&
                      spec.offset.minimum.type.kind == ScaleType::Kind::UInt;
    if (spec.offset.kind == OffsetSpec::Kind::IntegerZero || countsDown) {
      min = std::min(min, 0.0);
      max = std::max(max, 0.0);
    }
    // A constant group has no extent; its one value is a step from zero.
    double scale = max > min ? (max - min) / (codeMax - codeMin) : max;
    scale = std::fabs(scale);
    return powerOfTwo ? decodeE8M0(encodeE8M0(scale, /*up=*/true)) : scale;
  }

  if (powerOfTwo) {
    double largest = codeMax > 0 ? codeMax : -codeMin;
    return std::ldexp(1.0,
                      std::ilogb(range.maxMagnitude()) - std::ilogb(largest));
  }
  bool isSign = format.kind() == Format::Kind::Ternary ||
                (format.kind() == Format::Kind::Odd && format.bits() == 1);
  if (isSign)
    return range.sumOfMagnitudes / static_cast<double>(range.count);
  double scale = 0;
  if (codeMax > 0)
    scale = std::max(scale, range.max / codeMax);
  if (codeMin < 0)
    scale = std::max(scale, range.min / codeMin);
  return scale;
}

int64_t Quantizer::superIndex(const Group &super, int64_t n, int64_t g) const {
  if (super.kind == Group::Kind::Tensor)
    return 0;
  if (super.kind == Group::Kind::Channel)
    return n;
  int64_t ratio = super.length / out.groupLength;
  int64_t perRow = (out.groups() + ratio - 1) / ratio;
  return n * perRow + g / ratio;
}

/// Rounds one number per group to what `spec` can hold, on one level or two. A
/// scale is divided by: one that would round to 0 becomes the smallest value,
/// and where a group of zeros asks for none, it is 1.
std::vector<float> Quantizer::store(const ScaleSpec &spec,
                                    llvm::ArrayRef<double> ideals, bool isScale,
                                    QuantizedMatrix::Levels &levels) {
  auto round = [](const ScaleType &type, double value, bool nonzero) {
    float rounded = type.round(value);
    if (rounded == 0 && nonzero)
      rounded = std::copysign(static_cast<float>(type.minPositive()), value);
    return rounded;
  };
  auto roundInner = [&](double value) {
    if (value == 0)
      return isScale ? 1.0f : 0.0f;
    return round(spec.type, value, /*nonzero=*/isScale);
  };
  std::vector<float> stored(ideals.size());
  if (!spec.super) {
    for (size_t i = 0; i < ideals.size(); ++i)
      stored[i] = roundInner(ideals[i]);
    return stored;
  }

  // The number of largest magnitude in each super-block, with its sign: where
  // sc has no sign, D carries it for all of them (GGUF's -dmin).
  const Group &super = spec.super->group;
  std::vector<double> extremes(
      superIndex(super, out.rows - 1, out.groups() - 1) + 1, 0.0);
  auto extremeOf = [&](int64_t n, int64_t g) -> double & {
    return extremes[superIndex(super, n, g)];
  };
  for (int64_t n = 0; n < out.rows; ++n)
    for (int64_t g = 0; g < out.groups(); ++g) {
      double ideal = ideals[out.groupIndex(n, g)];
      if (std::fabs(ideal) > std::fabs(extremeOf(n, g)))
        extremeOf(n, g) = ideal;
    }
  bool isBlock = super.kind == Group::Kind::Block;
  levels.length = isBlock ? super.length / out.groupLength : out.groups();
  int64_t supers = llvm::divideCeil(out.groups(), levels.length);
  levels.outer.resize(out.rows * supers);
  levels.inner.resize(ideals.size());
  for (int64_t n = 0; n < out.rows; ++n)
    for (int64_t g = 0; g < out.groups(); ++g) {
      int64_t at = out.groupIndex(n, g);
      double extreme = extremeOf(n, g);
      if (spec.type.isSigned())
        extreme = std::fabs(extreme);
      float outer = 1;
      if (extreme != 0)
        outer = round(spec.super->type, extreme / spec.type.maxFinite(),
                      /*nonzero=*/true);
      float inner = roundInner(ideals[at] / outer);
      if (outer * inner == 0 && isScale) // underflow of the product: sc = 1
        inner = 1;
      levels.outer[n * supers + g / levels.length] = outer;
      levels.inner[at] = inner;
      stored[at] = outer * inner;
    }
  return stored;
}

void Quantizer::chooseScales() {
  std::vector<double> ideals;
  ideals.reserve(ranges.size());
  for (const Range &range : ranges)
    ideals.push_back(idealScale(range));
  out.scales = store(spec.scale, ideals, /*isScale=*/true, out.scaleLevels);
}

void Quantizer::chooseOffsets() {
  // Where zero is a code, a group of zeros needs no offset.
  bool hasZero = format.zeroCode().has_value();
  // min(group) as the code it should get, so that the smallest weight meets the
  // smallest code.
  auto ideal = [&](size_t i, double min) {
    if (ranges[i].isZero() && hasZero)
      return 0.0;
    return codeMin - min / out.scales[i];
  };
  switch (spec.offset.kind) {
  case OffsetSpec::Kind::None:
    return;
  case OffsetSpec::Kind::IntegerZero:
    for (size_t i = 0; i < ranges.size(); ++i) {
      const Format &type = *spec.offset.zeroFormat;
      // Inside the codes too, or zero itself could not be said.
      double z =
          std::clamp(ideal(i, std::min(ranges[i].min, 0.0)), codeMin, codeMax);
      out.zeros.push_back(type.integerValue(type.encode(z)));
    }
    return;
  case OffsetSpec::Kind::FloatZero:
    for (size_t i = 0; i < ranges.size(); ++i)
      out.floatZeros.push_back(
          spec.offset.zeroType.round(ideal(i, ranges[i].min)));
    return;
  case OffsetSpec::Kind::Minimum: {
    // The smallest weight is s*codeMin + m.
    std::vector<double> minima;
    bool countsDown = spec.offset.minimum.type.kind == ScaleType::Kind::UInt;
    for (size_t i = 0; i < ranges.size(); ++i) {
      double min = ranges[i].count ? ranges[i].min : 0;
      if (countsDown)
        min = std::min(min, 0.0);
      bool none = ranges[i].isZero() && hasZero;
      minima.push_back(none ? 0 : min - out.scales[i] * codeMin);
    }
    out.minima = store(spec.offset.minimum, minima, /*isScale=*/false,
                       out.minimumLevels);
    return;
  }
  }
}

void Quantizer::settleZeroGroups() {
  // A format without a zero can still say 0 times something.
  for (int64_t n = 0; n < out.rows; ++n)
    for (int64_t g = 0; g < out.groups(); ++g) {
      int64_t at = out.groupIndex(n, g);
      if (!ranges[at].isZero())
        continue;
      double c = format.decode(encode(at, 0, /*bits=*/0));
      if (!out.zeros.empty())
        c -= out.zeros[at];
      if (!out.floatZeros.empty())
        c -= out.floatZeros[at];
      double value = out.scales[at] * c;
      if (!out.minima.empty())
        value += out.minima[at];
      if (value == 0)
        continue;
      float nothing = spec.scale.type.round(0);
      out.scales[at] = nothing;
      if (!out.scaleLevels.empty()) {
        out.scaleLevels.inner[at] = nothing;
        out.scales[at] = out.scaleLevels.product(n, g, out.groups());
      }
      if (!out.minima.empty())
        out.minima[at] = 0;
      if (!out.minimumLevels.empty())
        out.minimumLevels.inner[at] = 0;
    }
}

//===----------------------------------------------------------------------===//
// Codes
//===----------------------------------------------------------------------===//

float Quantizer::toPrecision(float x) const {
  // For quotients of two such numbers, rounding to f32 first and then to half
  // is the same as rounding once: 24 >= 2 * 11 + 2 (Figueroa 1995).
  switch (options.precision.kind) {
  case ScaleType::Kind::F16:
    return roundToF16(x);
  case ScaleType::Kind::BF16:
    return roundToBF16(x);
  default:
    return x;
  }
}

float Quantizer::position(int64_t at, float x) const {
  x = toPrecision(x);
  if (!out.minima.empty())
    x = toPrecision(x - toPrecision(out.minima[at]));
  // Not 0/0, where a scale is 0 or leaves the range of the precision.
  float quotient = x == 0 ? 0.0f : toPrecision(x / toPrecision(out.scales[at]));
  if (!out.floatZeros.empty())
    return toPrecision(quotient + toPrecision(out.floatZeros[at]));
  return quotient;
}

uint32_t Quantizer::encode(int64_t at, float x, uint64_t bits) const {
  double quotient = position(at, std::isnan(x) ? 0.0f : x);
  if (out.zeros.empty())
    return format.encode(quotient, options.rounding, /*saturate=*/true, bits);
  // An odd number plus z need not be a code, so there z goes in first.
  int32_t zero = out.zeros[at];
  if (format.kind() == Format::Kind::Odd)
    return format.encode(quotient + zero, options.rounding, true, bits);
  // ONNX's order: the zero point is added to a rounded number.
  double rounded = roundToIntegral(quotient, options.rounding, bits);
  return format.encode(rounded + zero);
}

void Quantizer::fitTable() {
  std::vector<float> positions;
  positions.reserve(w.size());
  for (int64_t n = 0; n < out.rows; ++n)
    for (int64_t k = 0; k < out.cols; ++k) {
      float x = w[n * out.cols + k];
      if (!std::isnan(x))
        positions.push_back(position(out.groupIndex(n, out.groupOf(k)), x));
    }
  if (positions.empty())
    positions.push_back(0);
  out.codebook = fitCodebook(std::move(positions), format.bits());
  if (format.bits() <= 4)
    for (float &entry : out.codebook)
      entry = roundToBF16(entry);
  format = Format::codebook(out.codebook);
}

void Quantizer::chooseCodes() {
  bool needsRandom = options.rounding == Rounding::Stochastic ||
                     options.rounding == Rounding::StochasticEqual;
  out.codes.resize(w.size());
  for (int64_t n = 0; n < out.rows; ++n)
    for (int64_t k = 0; k < out.cols; ++k) {
      int64_t i = n * out.cols + k;
      out.codes[i] =
          static_cast<uint8_t>(encode(out.groupIndex(n, out.groupOf(k)), w[i],
                                      needsRandom ? random.at(i) : 0));
    }
}

llvm::Expected<QuantizedMatrix>
mezzo::quantize(llvm::ArrayRef<float> w, int64_t n, int64_t k,
                const QuantSpec &spec, const QuantizeOptions &options) {
  int64_t elements;
  if (n <= 0 || k <= 0 || llvm::MulOverflow(n, k, elements) ||
      w.size() != static_cast<uint64_t>(elements))
    return llvm::createStringError(
        llvm::formatv("{0} weights for a matrix of {1} x {2}; give one value "
                      "per element, row by row",
                      w.size(), n, k)
            .str());
  if (spec.format.bits() > 8)
    return llvm::createStringError(
        "weights of " + spec.format.str() +
        "; a weight has at most 8 bits, so take int8 or leave it unquantized");
  ScaleType::Kind precision = options.precision.kind;
  if (precision != ScaleType::Kind::F32 && precision != ScaleType::Kind::F16 &&
      precision != ScaleType::Kind::BF16)
    return llvm::createStringError("a division in " + options.precision.str() +
                                   "; the precision is f32, f16 or bf16");
  if (!options.codebook.empty()) {
    if (spec.format.hasValues() ||
        options.codebook.size() != spec.format.numCodes())
      return llvm::createStringError(
          llvm::formatv("a code book of {0} entries for codes of {1}; write "
                        "codebook<n> and give 2^n entries",
                        options.codebook.size(), spec.format.str())
              .str());
    for (float entry : options.codebook)
      if (!std::isfinite(entry))
        return llvm::createStringError(
            "a code book with an entry that is not finite; leave it out");
  }
  QuantizedMatrix out;
  out.spec = spec;
  out.rows = n;
  out.cols = k;
  out.groupLength = spec.group.kind == Group::Kind::Block
                        ? std::min(spec.group.length, k)
                        : k;
  if (llvm::Error error = Quantizer(w, spec, options, out).run())
    return std::move(error);
  return out;
}

//===----------------------------------------------------------------------===//
// Back
//===----------------------------------------------------------------------===//

std::vector<float> mezzo::dequantize(const QuantizedMatrix &matrix) {
  std::vector<float> w(matrix.codes.size());
  // NVFP4: element by scale, which is exact, then by the tensor's scale.
  bool leftToRight = !matrix.scaleLevels.empty() &&
                     matrix.spec.scale.type.kind == ScaleType::Kind::E4M3 &&
                     matrix.spec.offset.kind == OffsetSpec::Kind::None;
  for (int64_t n = 0; n < matrix.rows; ++n)
    for (int64_t k = 0; k < matrix.cols; ++k) {
      int64_t column = matrix.permutation.empty() ? k : matrix.permutation[k];
      float &element = w[n * matrix.cols + column];
      if (!matrix.minima.empty()) {
        int64_t at = matrix.groupIndex(n, matrix.groupOf(k));
        element = std::fma(matrix.scales[at], matrix.codeValue(n, k),
                           matrix.minima[at]);
        continue;
      }
      if (leftToRight) {
        double c = matrix.codeValue(n, k);
        int64_t g = matrix.groupOf(k), groups = matrix.groups();
        const QuantizedMatrix::Levels &levels = matrix.scaleLevels;
        element = float(c * levels.inner[n * groups + g]) *
                  levels.outer[n * llvm::divideCeil(groups, levels.length) +
                               g / levels.length];
        continue;
      }
      // The product is exact in double, so this rounds once.
      element = static_cast<float>(matrix.value(n, k));
    }
  return w;
}
