//===- Matrix.cpp - quantized matrices in Python --------------------------===//

#include "python/Matrix.h"

#include "python/Bindings.h"

#include <optional>

using namespace mezzo::python;

Matrix::Matrix(mezzo_matrix *owned) : handle(owned, mezzo_matrix_destroy) {
  parts = MEZZO_MATRIX_PARTS_INIT;
  checkCompiler(mezzo_matrix_get_parts(owned, &parts));
}

namespace {

/// One array of a matrix. It has the buffer protocol, so that
/// numpy.asarray(part) is a view, read-only, that keeps the matrix alive.
struct Part {
  std::shared_ptr<const mezzo_matrix> owner;
  const void *data;
  py::ssize_t itemSize;
  std::string format;
  std::vector<py::ssize_t> shape;
};

template <typename T>
std::optional<Part> part(const Matrix &matrix, const T *data,
                         std::vector<py::ssize_t> shape) {
  if (!data)
    return std::nullopt;
  return Part{matrix.handle, data, sizeof(T),
              py::format_descriptor<T>::format(), std::move(shape)};
}

/// Shape of the arrays that have an element per group.
std::vector<py::ssize_t> perGroup(const Matrix &matrix) {
  return {py::ssize_t(matrix.parts.rows), py::ssize_t(matrix.parts.groups)};
}

py::buffer_info bufferOf(Part &part) {
  std::vector<py::ssize_t> strides(part.shape.size(), part.itemSize);
  for (size_t i = part.shape.size() - 1; i > 0; --i)
    strides[i - 1] = strides[i] * part.shape[i];
  return py::buffer_info(const_cast<void *>(part.data), part.itemSize,
                         part.format, part.shape.size(), part.shape, strides,
                         /*readonly=*/true);
}

Matrix quantize(py::object w, int64_t rows, int64_t cols,
                const std::string &spec, const std::string &rounding,
                const std::string &precision, uint64_t seed,
                py::object codebook) {
  Buffer weights(w);
  if (rows < 0 || cols < 0 || (cols && rows > INT64_MAX / cols))
    throw py::value_error("the extents of a matrix");
  const float *data = weights.array<float>(rows * cols, "w");
  mezzo_quantize_options options = MEZZO_QUANTIZE_OPTIONS_INIT;
  options.rounding = rounding.c_str();
  options.precision = precision.c_str();
  options.seed = seed;
  std::optional<Buffer> entries;
  if (!codebook.is_none()) {
    options.codebook_size = py::len(codebook);
    entries.emplace(codebook);
    options.codebook = entries->array<float>(options.codebook_size, "codebook");
  }
  mezzo_matrix *made = nullptr;
  int32_t status;
  {
    py::gil_scoped_release release;
    status = mezzo_quantize(&options, data, rows, cols, spec.c_str(), &made);
  }
  checkCompiler(status);
  return Matrix(made);
}

/// `offset`, a mezzo_offset, says what `offsets` are.
Matrix fromParts(const std::string &spec, int64_t rows, int64_t cols,
                 int64_t groupLength, py::object codes, py::object scales,
                 int offset, py::object offsets, py::object permutation,
                 py::object codebook, int64_t nans, py::object innerScales,
                 py::object outerScales, py::object innerMinima,
                 py::object outerMinima) {
  if (rows < 1 || cols < 1 || groupLength < 1 || rows > INT64_MAX / cols)
    throw py::value_error("the extents of a matrix");
  mezzo_matrix_parts parts = MEZZO_MATRIX_PARTS_INIT;
  parts.rows = rows;
  parts.cols = cols;
  parts.group_length = groupLength;
  parts.groups = (cols - 1) / groupLength + 1;
  parts.nans = nans;
  int64_t scaleCount = rows * parts.groups;
  std::vector<Buffer> keep;
  keep.reserve(9);
  auto read = [&](py::handle object, auto *&out, int64_t count,
                  const char *what) {
    keep.emplace_back(object);
    using T = std::remove_reference_t<decltype(*out)>;
    out = keep.back().array<std::remove_const_t<T>>(count, what);
  };
  read(codes, parts.codes, rows * cols, "codes");
  read(scales, parts.scales, scaleCount, "scales");
  if (offset == MEZZO_OFFSET_ZERO)
    read(offsets, parts.zeros, scaleCount, "offsets");
  else if (offset == MEZZO_OFFSET_FLOAT_ZERO)
    read(offsets, parts.float_zeros, scaleCount, "offsets");
  else if (offset == MEZZO_OFFSET_MINIMUM)
    read(offsets, parts.minima, scaleCount, "offsets");
  if (!permutation.is_none())
    read(permutation, parts.permutation, cols, "permutation");
  if (!codebook.is_none()) {
    parts.codebook_size = py::len(codebook);
    read(codebook, parts.codebook, parts.codebook_size, "codebook");
  }
  auto readLevels = [&](py::object inner, py::object outer, auto *&innerOut,
                        auto *&outerOut, int64_t &supers) {
    if (inner.is_none())
      return;
    int64_t count = py::len(outer);
    supers = count / rows;
    read(inner, innerOut, scaleCount, "inner");
    read(outer, outerOut, supers * rows, "outer");
  };
  readLevels(innerScales, outerScales, parts.inner_scales, parts.outer_scales,
             parts.scale_supers);
  readLevels(innerMinima, outerMinima, parts.inner_minima, parts.outer_minima,
             parts.minimum_supers);
  mezzo_matrix *made = nullptr;
  checkCompiler(mezzo_matrix_create(spec.c_str(), &parts, &made));
  return Matrix(made);
}

/// Runs a function that fills `out` with an f32 per element.
void fill(int32_t (*function)(const mezzo_matrix *, float *),
          const Matrix &matrix, py::object out) {
  Buffer values(out, /*writable=*/true);
  float *data = values.array<float>(matrix.elements(), "out");
  int32_t status;
  {
    py::gil_scoped_release release;
    status = function(matrix.handle.get(), data);
  }
  checkCompiler(status);
}

/// The length of a group of `cols` columns, and a mezzo_offset.
std::pair<int64_t, int> specParts(const std::string &spec, int64_t cols) {
  int64_t length = 0;
  int32_t offset = 0;
  checkCompiler(mezzo_spec_parts(spec.c_str(), cols, &length, &offset));
  return {length, offset};
}

std::string canonicalSpec(const std::string &spec) {
  char *text = nullptr;
  checkCompiler(mezzo_spec_canonical(spec.c_str(), &text));
  std::string result = text;
  mezzo_text_free(text);
  return result;
}

} // namespace

void mezzo::python::bindMatrix(py::module_ &module) {
  py::class_<Part>(module, "Part", py::buffer_protocol()).def_buffer(&bufferOf);
  py::class_<Matrix>(module, "Matrix")
      .def_static("quantize", &quantize)
      .def_static("from_parts", &fromParts)
      .def_property_readonly("rows",
                             [](const Matrix &m) { return m.parts.rows; })
      .def_property_readonly("cols",
                             [](const Matrix &m) { return m.parts.cols; })
      .def_property_readonly(
          "group_length", [](const Matrix &m) { return m.parts.group_length; })
      .def_property_readonly("nans",
                             [](const Matrix &m) { return m.parts.nans; })
      .def_property_readonly(
          "spec",
          [](const Matrix &m) { return mezzo_matrix_spec(m.handle.get()); })
      .def_property_readonly("bits_per_weight",
                             [](const Matrix &m) {
                               return mezzo_matrix_bits_per_weight(
                                   m.handle.get());
                             })
      .def_property_readonly(
          "codes",
          [](const Matrix &m) {
            return part(m, m.parts.codes,
                        {py::ssize_t(m.parts.rows), py::ssize_t(m.parts.cols)});
          })
      .def_property_readonly(
          "scales",
          [](const Matrix &m) { return part(m, m.parts.scales, perGroup(m)); })
      .def_property_readonly(
          "zeros",
          [](const Matrix &m) { return part(m, m.parts.zeros, perGroup(m)); })
      .def_property_readonly("float_zeros",
                             [](const Matrix &m) {
                               return part(m, m.parts.float_zeros, perGroup(m));
                             })
      .def_property_readonly(
          "minima",
          [](const Matrix &m) { return part(m, m.parts.minima, perGroup(m)); })
      .def_property_readonly("inner_scales",
                             [](const Matrix &m) {
                               return part(m, m.parts.inner_scales,
                                           perGroup(m));
                             })
      .def_property_readonly("outer_scales",
                             [](const Matrix &m) {
                               return part(m, m.parts.outer_scales,
                                           {py::ssize_t(m.parts.rows),
                                            py::ssize_t(m.parts.scale_supers)});
                             })
      .def_property_readonly("inner_minima",
                             [](const Matrix &m) {
                               return part(m, m.parts.inner_minima,
                                           perGroup(m));
                             })
      .def_property_readonly("outer_minima",
                             [](const Matrix &m) {
                               return part(
                                   m, m.parts.outer_minima,
                                   {py::ssize_t(m.parts.rows),
                                    py::ssize_t(m.parts.minimum_supers)});
                             })
      .def_property_readonly("permutation",
                             [](const Matrix &m) {
                               return part(m, m.parts.permutation,
                                           {py::ssize_t(m.parts.cols)});
                             })
      .def_property_readonly("codebook",
                             [](const Matrix &m) {
                               return part(
                                   m, m.parts.codebook,
                                   {py::ssize_t(m.parts.codebook_size)});
                             })
      .def("values", [](const Matrix &m,
                        py::object out) { fill(mezzo_matrix_values, m, out); })
      .def("dequantize", [](const Matrix &m, py::object out) {
        fill(mezzo_dequantize, m, out);
      });
  module.def("canonical_spec", &canonicalSpec);
  module.def("spec_parts", &specParts);
  module.attr("OFFSET_NONE") = int(MEZZO_OFFSET_NONE);
  module.attr("OFFSET_ZERO") = int(MEZZO_OFFSET_ZERO);
  module.attr("OFFSET_FLOAT_ZERO") = int(MEZZO_OFFSET_FLOAT_ZERO);
  module.attr("OFFSET_MINIMUM") = int(MEZZO_OFFSET_MINIMUM);
}
