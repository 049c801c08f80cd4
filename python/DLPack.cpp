//===- DLPack.cpp - tensors of other libraries, as buffers ----------------===//
//
// NumPy reads DLPack itself, but refuses bfloat16 and the 8-bit floats, which
// it does not have. Here a tensor becomes a buffer of unsigned integers as wide
// as its elements; the package views these as what they are.
//
//===----------------------------------------------------------------------===//

#include "python/Bindings.h"

#include <dlpack/dlpack.h>

using namespace mezzo::python;

namespace {

/// A tensor that was taken over from a capsule; buffers made of it keep it
/// alive, and with it the memory of whoever made the capsule.
class Tensor {
public:
  explicit Tensor(py::capsule capsule) {
    // A capsule is consumed by renaming it: from then on the tensor is ours.
    if (std::string(capsule.name() ? capsule.name() : "") != "dltensor")
      throw py::value_error("not a capsule of DLPack, or one that was used");
    auto *found = capsule.get_pointer<DLManagedTensor>();
    if (found->dl_tensor.device.device_type != kDLCPU)
      throw py::value_error("the tensor is not in the memory of the CPU");
    DLDataType type = found->dl_tensor.dtype;
    if (type.lanes != 1 || (type.bits != 8 && type.bits != 16 &&
                            type.bits != 32 && type.bits != 64))
      throw py::value_error("elements of " + std::to_string(type.lanes) +
                            " lanes with " + std::to_string(type.bits) +
                            " bits");
    capsule.set_name("used_dltensor");
    managed = found;
  }
  Tensor(Tensor &&other) noexcept
      : managed(std::exchange(other.managed, nullptr)) {}
  Tensor(const Tensor &) = delete;
  ~Tensor() {
    if (managed && managed->deleter)
      managed->deleter(managed);
  }

  int code() const { return tensor().dtype.code; }
  int bits() const { return tensor().dtype.bits; }

  /// Read-only: old capsules do not tell whether they may be written.
  py::buffer_info buffer() {
    py::ssize_t size = bits() / 8;
    std::vector<py::ssize_t> shape(tensor().shape,
                                   tensor().shape + tensor().ndim);
    std::vector<py::ssize_t> strides(shape.size(), size);
    if (tensor().strides)
      for (size_t i = 0; i < shape.size(); ++i)
        strides[i] = tensor().strides[i] * size;
    else
      for (size_t i = shape.size(); i-- > 1;)
        strides[i - 1] = strides[i] * shape[i];
    const char *format = size == 1   ? "B"
                         : size == 2 ? "H"
                         : size == 4 ? "I"
                                     : "Q";
    return py::buffer_info(static_cast<char *>(tensor().data) +
                               tensor().byte_offset,
                           size, format, shape.size(), shape, strides,
                           /*readonly=*/true);
  }

private:
  const DLTensor &tensor() const { return managed->dl_tensor; }
  DLManagedTensor *managed = nullptr;
};

} // namespace

void mezzo::python::bindDLPack(py::module_ &module) {
  py::class_<Tensor>(module, "DLPack", py::buffer_protocol())
      .def(py::init<py::capsule>())
      .def_property_readonly("code", &Tensor::code)
      .def_property_readonly("bits", &Tensor::bits)
      .def_buffer(&Tensor::buffer);
}
