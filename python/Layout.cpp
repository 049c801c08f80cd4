//===- Layout.cpp - layouts in Python -------------------------------------===//

#include "python/Bindings.h"

#include "include/mezzo/compiler.h"

#include <memory>

using namespace mezzo::python;

namespace {

std::string take(char *text) {
  std::string result = text;
  mezzo_text_free(text);
  return result;
}

/// Sizes along n, k or n, g, k, and the bits of a code (0: what the layout
/// says).
struct Extents {
  std::vector<int64_t> sizes;
  mezzo_extents value;

  Extents(std::vector<int64_t> given, int bits)
      : sizes(std::move(given)),
        value{sizes.size() == 3 ? "ngk" : "nk", sizes.data(), bits} {
    if (sizes.size() != 2 && sizes.size() != 3)
      throw UserError(
          "a tensor of " + std::to_string(sizes.size()) +
          " dimensions: layouts take codes[n, k] or codes[n, g, k]");
  }
  int64_t elements() const {
    int64_t product = 1;
    for (int64_t size : sizes)
      if (size < 0 || __builtin_mul_overflow(product, size, &product))
        throw UserError("the shape of a tensor is negative or too large: pass "
                        "the shape of the codes");
    return product;
  }
};

class Layout {
public:
  explicit Layout(const std::string &nameOrText) {
    mezzo_layout *parsed = nullptr;
    checkCompiler(mezzo_layout_parse(nameOrText.c_str(), &parsed));
    handle.reset(parsed, mezzo_layout_destroy);
  }

  std::string text(bool canonical) const {
    char *result = nullptr;
    checkCompiler(mezzo_layout_text(handle.get(), canonical, &result));
    return take(result);
  }
  int bits() const { return mezzo_layout_bits(handle.get()); }

  int64_t bytes(const std::vector<int64_t> &sizes, int bits) const {
    Extents extents(sizes, bits);
    int64_t result = 0;
    checkCompiler(mezzo_layout_bytes(handle.get(), &extents.value, &result));
    return result;
  }
  void pack(const std::vector<int64_t> &sizes, int bits, py::object codes,
            py::object bytes) const {
    Extents extents(sizes, bits);
    Buffer in(codes), out(bytes, /*writable=*/true);
    const uint8_t *from = in.array<uint8_t>(extents.elements(), "codes");
    int32_t status;
    {
      py::gil_scoped_release release;
      status =
          mezzo_layout_pack(handle.get(), &extents.value, from, in.bytes(),
                            static_cast<uint8_t *>(out.data()), out.bytes());
    }
    checkCompiler(status);
  }
  void unpack(const std::vector<int64_t> &sizes, int bits, py::object bytes,
              py::object codes) const {
    Extents extents(sizes, bits);
    Buffer in(bytes), out(codes, /*writable=*/true);
    uint8_t *to = out.array<uint8_t>(extents.elements(), "codes");
    int32_t status;
    {
      py::gil_scoped_release release;
      status = mezzo_layout_unpack(handle.get(), &extents.value,
                                   static_cast<const uint8_t *>(in.data()),
                                   in.bytes(), to, out.bytes());
    }
    checkCompiler(status);
  }
  std::string picture(const std::vector<int64_t> &sizes, int bits,
                      int firstBits) const {
    Extents extents(sizes, bits);
    char *result = nullptr;
    checkCompiler(
        mezzo_layout_picture(handle.get(), &extents.value, firstBits, &result));
    return take(result);
  }

private:
  std::shared_ptr<const mezzo_layout> handle;
};

std::string layoutNames() {
  char *names = nullptr;
  checkCompiler(mezzo_layout_names(&names));
  return take(names);
}

} // namespace

void mezzo::python::bindLayout(py::module_ &module) {
  py::class_<Layout>(module, "Layout")
      .def(py::init<const std::string &>())
      .def("text", &Layout::text)
      .def_property_readonly("bits", &Layout::bits)
      .def("bytes", &Layout::bytes)
      .def("pack", &Layout::pack)
      .def("unpack", &Layout::unpack)
      .def("picture", &Layout::picture);
  module.def("layout_names", &layoutNames);
}
