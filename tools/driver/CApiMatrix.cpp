//===- CApiMatrix.cpp - quantized matrices in C ---------------------------===//

#include "tools/driver/CApi.h"

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Golden/Matmul.h"
#include "lib/Number/Quantize.h"
#include "lib/Support/CheckedInt.h"

#include <cmath>
#include <memory>

using namespace mezzo;
using namespace mezzo::capi;
using llvm::Error;
using llvm::Expected;

namespace {

/// rows * cols, where both are positive.
Expected<int64_t> countElements(int64_t rows, int64_t cols) {
  if (rows <= 0 || cols <= 0)
    return llvm::createStringError("a matrix of " + llvm::Twine(rows) + " x " +
                                   llvm::Twine(cols) +
                                   ": both extents must be positive");
  // Four bytes per element must be addressable, too.
  auto bytes = (CheckedInt(rows) * cols * 4).get("a matrix of floats");
  return bytes ? Expected<int64_t>(*bytes / 4) : bytes.takeError();
}

/// A copy of an array that may be NULL.
template <typename T>
std::vector<T> copy(const T *data, int64_t count) {
  return data ? std::vector<T>(data, data + count) : std::vector<T>();
}

mezzo_matrix *wrap(QuantizedMatrix matrix) {
  std::string spec = matrix.spec.str();
  return new mezzo_matrix{std::move(matrix), std::move(spec)};
}

Expected<QuantizeOptions> parseOptions(const mezzo_quantize_options *given) {
  auto options = readOptions<mezzo_quantize_options>(
      given, MEZZO_QUANTIZE_OPTIONS_INIT, "the options of quantization");
  if (!options)
    return options.takeError();
  QuantizeOptions result;
  result.seed = options->seed;
  if (options->codebook_size < 0 ||
      (options->codebook_size > 0 && !options->codebook))
    return usage("codebook_size is " + llvm::Twine(options->codebook_size));
  result.codebook = copy(options->codebook, options->codebook_size);
  if (options->rounding) {
    Expected<Rounding> rounding = parseRounding(options->rounding);
    if (!rounding)
      return rounding.takeError();
    result.rounding = *rounding;
  }
  if (options->precision) {
    Expected<ScaleType> precision = ScaleType::parse(options->precision);
    if (!precision)
      return precision.takeError();
    if (precision->kind != ScaleType::Kind::F32 &&
        precision->kind != ScaleType::Kind::F16 &&
        precision->kind != ScaleType::Kind::BF16)
      return llvm::createStringError("cannot divide in '" + precision->str() +
                                     "': use f32, f16 or bf16");
    result.precision = *precision;
  }
  return result;
}

/// How many of `cols` columns share a scale.
int64_t groupLength(const QuantSpec &spec, int64_t cols) {
  return spec.group.kind == Group::Kind::Block
             ? std::min(spec.group.length, cols)
             : cols;
}

/// Two levels of scales or minima, which stay empty where `inner` is NULL.
Expected<QuantizedMatrix::Levels>
readLevels(const QuantizedMatrix &matrix, const ScaleSpec &spec,
           const float *inner, const float *outer, int64_t supers) {
  QuantizedMatrix::Levels levels;
  if (!inner)
    return levels;
  if (!spec.super)
    return llvm::createStringError("factors of two levels, but the spec " +
                                   matrix.spec.str() +
                                   " has one: leave them out, or write "
                                   "SCALE^GROUP:TYPE");
  const Group &super = spec.super->group;
  levels.length = super.kind == Group::Kind::Block
                      ? std::max<int64_t>(1, super.length / matrix.groupLength)
                      : matrix.groups();
  int64_t wanted = llvm::divideCeil(matrix.groups(), levels.length);
  if (!outer || supers != wanted)
    return llvm::createStringError(llvm::Twine(outer ? supers : 0) +
                                   " super-blocks a row: " + matrix.spec.str() +
                                   " of " + llvm::Twine(matrix.cols) +
                                   " columns has " + llvm::Twine(wanted));
  auto check = [&](llvm::ArrayRef<float> values,
                   const ScaleType &type) -> Error {
    for (float value : values)
      if (!std::isnan(value) && type.round(value) != value)
        return llvm::createStringError("a factor of " + matrix.spec.str() +
                                       " is " + std::to_string(value) +
                                       ", which is no value of " + type.str() +
                                       ": round it first");
    return Error::success();
  };
  levels.inner = copy(inner, matrix.rows * matrix.groups());
  levels.outer = copy(outer, matrix.rows * supers);
  if (Error error = llvm::joinErrors(check(levels.inner, spec.type),
                                     check(levels.outer, spec.super->type)))
    return std::move(error);
  return levels;
}

/// Checks that the parts are those that the spec names.
Error checkAgainstSpec(const QuantizedMatrix &matrix) {
  const QuantSpec &spec = matrix.spec;
  auto mismatch = [&](const char *what) {
    return llvm::createStringError("the spec " + spec.str() +
                                   " and the parts "
                                   "disagree on " +
                                   what + ": change one of them");
  };
  if ((spec.offset.kind == OffsetSpec::Kind::IntegerZero) ==
      matrix.zeros.empty())
    return mismatch("integer zero points");
  if ((spec.offset.kind == OffsetSpec::Kind::FloatZero) ==
      matrix.floatZeros.empty())
    return mismatch("float zeros");
  if ((spec.offset.kind == OffsetSpec::Kind::Minimum) == matrix.minima.empty())
    return mismatch("minima");
  if (groupLength(spec, matrix.cols) != matrix.groupLength)
    return mismatch("the length of a group");
  if (const auto &format = spec.offset.zeroFormat)
    for (int32_t zero : matrix.zeros)
      if (zero < format->minValue() || zero > format->maxValue())
        return llvm::createStringError(
            "the zero point " + llvm::Twine(zero) + " does not fit " +
            format->str() + ": it lies between " +
            llvm::Twine(format->minValue()) + " and " +
            llvm::Twine(format->maxValue()));
  return Error::success();
}

} // namespace

int32_t mezzo_spec_canonical(const char *spec, char **text) {
  return guarded([&]() -> Error {
    if (Error error = checkPointers({{spec, "spec"}, {text, "text"}}))
      return error;
    *text = nullptr;
    Expected<QuantSpec> parsed = QuantSpec::parse(spec);
    return parsed ? giveText(parsed->str(), text) : parsed.takeError();
  });
}

int32_t mezzo_spec_parts(const char *spec, int64_t cols, int64_t *length,
                         int32_t *offset) {
  return guarded([&]() -> Error {
    if (Error error = checkPointers(
            {{spec, "spec"}, {length, "group_length"}, {offset, "offset"}}))
      return error;
    Expected<QuantSpec> parsed = QuantSpec::parse(spec);
    if (!parsed)
      return parsed.takeError();
    static_assert(int(OffsetSpec::Kind::Minimum) == MEZZO_OFFSET_MINIMUM &&
                      int(OffsetSpec::Kind::None) == MEZZO_OFFSET_NONE,
                  "the two enumerations are one");
    *length = groupLength(*parsed, cols);
    *offset = int32_t(parsed->offset.kind);
    return Error::success();
  });
}

int32_t mezzo_quantize(const mezzo_quantize_options *options, const float *w,
                       int64_t rows, int64_t cols, const char *spec,
                       mezzo_matrix **matrix) {
  return guarded([&]() -> Error {
    if (Error error =
            checkPointers({{w, "w"}, {spec, "spec"}, {matrix, "matrix"}}))
      return error;
    *matrix = nullptr;
    Expected<int64_t> elements = countElements(rows, cols);
    if (!elements)
      return elements.takeError();
    Expected<QuantizeOptions> how = parseOptions(options);
    if (!how)
      return how.takeError();
    Expected<QuantSpec> parsed = QuantSpec::parse(spec);
    if (!parsed)
      return parsed.takeError();
    auto quantized =
        quantize({w, size_t(*elements)}, rows, cols, *parsed, *how);
    if (!quantized)
      return quantized.takeError();
    *matrix = wrap(std::move(*quantized));
    return Error::success();
  });
}

int32_t mezzo_matrix_create(const char *spec, const mezzo_matrix_parts *given,
                            mezzo_matrix **matrix) {
  return guarded([&]() -> Error {
    if (Error error = checkPointers(
            {{spec, "spec"}, {given, "parts"}, {matrix, "matrix"}}))
      return error;
    *matrix = nullptr;
    auto parts = readOptions<mezzo_matrix_parts>(given, MEZZO_MATRIX_PARTS_INIT,
                                                 "the parts of a matrix");
    if (!parts)
      return parts.takeError();
    if (Error error =
            checkPointers({{parts->codes, "codes"}, {parts->scales, "scales"}}))
      return error;
    Expected<int64_t> elements = countElements(parts->rows, parts->cols);
    if (!elements)
      return elements.takeError();
    Expected<QuantSpec> parsed = QuantSpec::parse(spec);
    if (!parsed)
      return parsed.takeError();
    QuantizedMatrix made;
    made.spec = *parsed;
    made.rows = parts->rows;
    made.cols = parts->cols;
    made.groupLength = parts->group_length;
    if (made.groupLength < 1 || made.groups() != parts->groups)
      return llvm::createStringError(
          llvm::Twine(parts->groups) + " groups of " +
          llvm::Twine(parts->group_length) + " for " +
          llvm::Twine(parts->cols) +
          " columns: their product covers the columns, with the last group "
          "perhaps short");
    // At most one group per column, so this product does not overflow.
    int64_t perGroup = parts->rows * parts->groups;
    if (parts->codebook_size < 0)
      return usage("codebook_size is " + llvm::Twine(parts->codebook_size));
    made.codes = copy(parts->codes, *elements);
    made.scales = copy(parts->scales, perGroup);
    made.zeros = copy(parts->zeros, perGroup);
    made.floatZeros = copy(parts->float_zeros, perGroup);
    made.minima = copy(parts->minima, perGroup);
    made.permutation = copy(parts->permutation, parts->cols);
    made.codebook = copy(parts->codebook, parts->codebook_size);
    made.nans = parts->nans;
    auto scaleLevels = readLevels(made, made.spec.scale, parts->inner_scales,
                                  parts->outer_scales, parts->scale_supers);
    if (!scaleLevels)
      return scaleLevels.takeError();
    made.scaleLevels = std::move(*scaleLevels);
    auto minimumLevels =
        readLevels(made, made.spec.offset.minimum, parts->inner_minima,
                   parts->outer_minima, parts->minimum_supers);
    if (!minimumLevels)
      return minimumLevels.takeError();
    made.minimumLevels = std::move(*minimumLevels);
    if (Error error = made.validate())
      return error;
    if (Error error = checkAgainstSpec(made))
      return error;
    *matrix = wrap(std::move(made));
    return Error::success();
  });
}

void mezzo_matrix_destroy(mezzo_matrix *matrix) { delete matrix; }

int32_t mezzo_matrix_get_parts(const mezzo_matrix *matrix,
                               mezzo_matrix_parts *parts) {
  return guarded([&]() -> Error {
    if (Error error = checkPointers({{matrix, "matrix"}, {parts, "parts"}}))
      return error;
    const QuantizedMatrix &m = matrix->value;
    auto orNull = [](const auto &array) {
      return array.empty() ? nullptr : array.data();
    };
    mezzo_matrix_parts all = MEZZO_MATRIX_PARTS_INIT;
    if (parts->size < sizeof(uint64_t) || parts->size > sizeof(all))
      return usage("parts->size is " + llvm::Twine(parts->size) +
                   ": set it to sizeof(mezzo_matrix_parts)");
    all.size = parts->size;
    all.rows = m.rows;
    all.cols = m.cols;
    all.group_length = m.groupLength;
    all.groups = m.groups();
    all.codes = orNull(m.codes);
    all.scales = orNull(m.scales);
    all.zeros = orNull(m.zeros);
    all.float_zeros = orNull(m.floatZeros);
    all.minima = orNull(m.minima);
    all.permutation = orNull(m.permutation);
    all.codebook = orNull(m.codebook);
    all.codebook_size = m.codebook.size();
    all.nans = m.nans;
    auto supers = [&](const QuantizedMatrix::Levels &levels) -> int64_t {
      return levels.outer.size() / m.rows;
    };
    all.inner_scales = orNull(m.scaleLevels.inner);
    all.outer_scales = orNull(m.scaleLevels.outer);
    all.inner_minima = orNull(m.minimumLevels.inner);
    all.outer_minima = orNull(m.minimumLevels.outer);
    all.scale_supers = supers(m.scaleLevels);
    all.minimum_supers = supers(m.minimumLevels);
    std::memcpy(parts, &all, parts->size);
    return Error::success();
  });
}

const char *mezzo_matrix_spec(const mezzo_matrix *matrix) {
  return matrix ? matrix->spec.c_str() : "";
}

double mezzo_matrix_bits_per_weight(const mezzo_matrix *matrix) {
  return matrix ? matrix->value.spec.bitsPerWeight(matrix->value.rows,
                                                   matrix->value.cols)
                : 0;
}

int32_t mezzo_matrix_values(const mezzo_matrix *matrix, float *values) {
  return guarded([&]() -> Error {
    if (Error error = checkPointers({{matrix, "matrix"}, {values, "values"}}))
      return error;
    const QuantizedMatrix &m = matrix->value;
    for (int64_t n = 0; n < m.rows; ++n)
      for (int64_t k = 0; k < m.cols; ++k)
        *values++ = m.codeValue(n, k);
    return Error::success();
  });
}

int32_t mezzo_dequantize(const mezzo_matrix *matrix, float *w) {
  return guarded([&]() -> Error {
    if (Error error = checkPointers({{matrix, "matrix"}, {w, "w"}}))
      return error;
    std::vector<float> values = dequantize(matrix->value);
    std::copy(values.begin(), values.end(), w);
    return Error::success();
  });
}

int32_t mezzo_reference_linear(const char *compute, const mezzo_matrix *matrix,
                               const float *bias, const float *x, int64_t m,
                               float *y) {
  return guarded([&]() -> Error {
    if (Error error = checkPointers(
            {{compute, "compute"}, {matrix, "matrix"}, {x, "x"}, {y, "y"}}))
      return error;
    const QuantizedMatrix &w = matrix->value;
    llvm::Expected<ComputeMode> mode = parseComputeMode(compute);
    if (!mode)
      return mode.takeError();
    if (*mode == ComputeMode::Int && !w.format().hasValues())
      return llvm::createStringError(
          "the weight " + matrix->spec +
          " has a code book for each row, and mode `int` takes one for all: "
          "use mode `float`");
    if (auto refusal = refusalOf(*mode, w.format()))
      return llvm::createStringError("the weights are " + *refusal);
    auto xSize = (CheckedInt(m) * w.cols * 4).get("x");
    auto ySize = (CheckedInt(m) * w.rows * 4).get("y");
    if (Error error =
            llvm::joinErrors(xSize ? Error::success() : xSize.takeError(),
                             ySize ? Error::success() : ySize.takeError()))
      return error;
    llvm::ArrayRef<float> a(x, *xSize / 4);
    llvm::ArrayRef<float> b(bias, bias ? w.rows : 0);
    llvm::MutableArrayRef<float> out(y, *ySize / 4);
    if (*mode == ComputeMode::Float)
      golden::matmulFloat(a, m, w, b, out);
    else if (*mode == ComputeMode::Int)
      golden::matmulInt(golden::quantizeRows(a, m, w.cols), w, b, out);
    else
      golden::matmulLut8(a, m, w, b, out);
    return Error::success();
  });
}
