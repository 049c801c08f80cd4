//===- Module.cpp - the module mezzo._mezzo -------------------------------===//

#include "python/Bindings.h"

#include "include/mezzo/compiler.h"

#include <dlfcn.h>

using namespace mezzo::python;

void mezzo::python::checkCompiler(int32_t status) {
  switch (status) {
  case MEZZO_COMPILER_OK:
    return;
  case MEZZO_COMPILER_BUG:
    throw InternalError(mezzo_compiler_last_error());
  default:
    throw UserError(mezzo_compiler_last_error());
  }
}

/// Where libmezzo.so lies: what it compiles depends on it.
static std::string libraryPath() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void *>(&mezzo_compile), &info))
    throw InternalError("the compiler's library is not to be found");
  return info.dli_fname;
}

PYBIND11_MODULE(_mezzo, module) {
  module.doc() = "The C interfaces of the compiler and of compiled models.";
  if (mezzo_compiler_api_version() != MEZZO_COMPILER_API_VERSION)
    throw py::import_error(
        "libmezzo.so is of another version than this module");
  // Users see these two under the name of the package.
  static py::exception<UserError> userError(module, "Error", PyExc_ValueError);
  static py::exception<InternalError> internalError(module, "InternalError",
                                                    PyExc_RuntimeError);
  userError.attr("__module__") = "mezzo";
  internalError.attr("__module__") = "mezzo";
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown)
        std::rethrow_exception(thrown);
    } catch (const UserError &error) {
      userError(error.what());
    } catch (const InternalError &error) {
      internalError(error.what());
    }
  });
  module.def("library_path", &libraryPath);
  bindCompiler(module);
  bindDLPack(module);
  bindMatrix(module);
  bindLayout(module);
  bindModel(module);
}
