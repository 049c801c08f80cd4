//===- Bindings.h - what the parts of the Python module share -------------===//
//
// The module `mezzo._mezzo` is a thin skin over include/mezzo/compiler.h and
// model.h, and sees nothing else of Mezzo. It knows no NumPy either: arrays
// come in, and go out, through Python's buffer protocol, and the package around
// it gives them their types. So the module's own checks are about memory alone
// (sizes, contiguity); what a user can get wrong is said in Python.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_PYTHON_BINDINGS_H
#define MEZZO_PYTHON_BINDINGS_H

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace mezzo::python {

namespace py = pybind11;

/// Becomes `mezzo.Error`: the caller can do something about it.
struct UserError : std::runtime_error {
  using runtime_error::runtime_error;
};

/// Becomes `mezzo.InternalError`: a bug of ours.
struct InternalError : std::runtime_error {
  using runtime_error::runtime_error;
};

/// Throws what a status of compiler.h stands for, with the message of the call
/// before on this thread.
void checkCompiler(int32_t status);

/// A contiguous view of an object that has the buffer protocol. Made and
/// dropped with the GIL held; the bytes may be used without it.
class Buffer {
public:
  /// Errors: BufferError where the object is not C-contiguous, or read-only
  /// and asked to be writable.
  explicit Buffer(py::handle object, bool writable = false) {
    int flags = PyBUF_C_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object.ptr(), &view, flags) != 0)
      throw py::error_already_set();
  }
  Buffer(Buffer &&other) noexcept : view(other.view) {
    other.view.obj = nullptr;
  }
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;
  ~Buffer() {
    if (view.obj)
      PyBuffer_Release(&view);
  }

  void *data() const { return view.buf; }
  int64_t bytes() const { return view.len; }

  /// The elements, of which there must be `count`.
  template <typename T>
  T *array(int64_t count, const char *what) const {
    if (view.len % int64_t(sizeof(T)) != 0 ||
        view.len / int64_t(sizeof(T)) != count)
      throw py::value_error(std::string(what) + " has " +
                            std::to_string(view.len) + " bytes instead of " +
                            std::to_string(count) + " elements of " +
                            std::to_string(sizeof(T)));
    return static_cast<T *>(view.buf);
  }

private:
  Py_buffer view{};
};

void bindCompiler(py::module_ &module);
void bindDLPack(py::module_ &module);
void bindMatrix(py::module_ &module);
void bindLayout(py::module_ &module);
void bindModel(py::module_ &module);

} // namespace mezzo::python

#endif // MEZZO_PYTHON_BINDINGS_H
