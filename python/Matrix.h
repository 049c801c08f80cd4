//===- Matrix.h - a quantized matrix, as Python holds it ------------------===//

#ifndef MEZZO_PYTHON_MATRIX_H
#define MEZZO_PYTHON_MATRIX_H

#include "include/mezzo/compiler.h"

#include <memory>

namespace mezzo::python {

/// A mezzo_matrix with its parts. Arrays that show a part own a share of it.
struct Matrix {
  std::shared_ptr<const mezzo_matrix> handle;
  mezzo_matrix_parts parts;

  explicit Matrix(mezzo_matrix *owned);
  int64_t elements() const { return parts.rows * parts.cols; }
};

} // namespace mezzo::python

#endif // MEZZO_PYTHON_MATRIX_H
