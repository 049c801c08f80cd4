//===- Compiler.cpp - compilation in Python -------------------------------===//

#include "python/Bindings.h"
#include "python/Matrix.h"

#include "include/mezzo/compiler.h"

#include <optional>

using namespace mezzo::python;

namespace {

using Message = std::pair<int, std::string>;
using Text = std::optional<std::string>;

/// mezzo_compile_options as keyword arguments, with the memory that it points
/// to. Messages are collected rather than passed on one by one: they come from
/// threads of the compiler, at times when Python's lock is not held.
class Options {
public:
  explicit Options(const py::dict &given) {
    texts.reserve(6);
    options.target = text(given, "target");
    options.compute = text(given, "compute");
    options.strategy = text(given, "strategy");
    options.tile = text(given, "tile");
    options.prefix = text(given, "prefix");
    options.weights = text(given, "weights");
    options.no_verify = flag(given, "no_verify");
    options.strict_dq = flag(given, "strict_dq");
    if (given.contains("dims"))
      names = given["dims"].cast<std::map<std::string, int64_t>>();
    for (const auto &[name, size] : names)
      dims.push_back({name.c_str(), size});
    if (given.contains("shapes"))
      inputs =
          given["shapes"].cast<std::map<std::string, std::vector<int64_t>>>();
    for (const auto &[name, shape] : inputs)
      shapes.push_back({name.c_str(), shape.data(), int64_t(shape.size())});
    options.dims = dims.data();
    options.num_dims = dims.size();
    options.shapes = shapes.data();
    options.num_shapes = shapes.size();
    options.user = this;
    options.diagnostic = [](void *user, int32_t severity, const char *message) {
      // Errors come back as the text of the exception.
      if (severity != MEZZO_SEVERITY_ERROR)
        static_cast<Options *>(user)->messages.emplace_back(severity, message);
    };
  }
  Options(const Options &) = delete;

  /// Runs a function of compiler.h without Python's lock.
  template <typename Function>
  void call(Function function) {
    int32_t status;
    {
      py::gil_scoped_release release;
      status = function(&options);
    }
    checkCompiler(status);
  }

  /// The same for one that returns a text.
  template <typename Function>
  std::string callForText(Function function) {
    char *text = nullptr;
    call([&](const mezzo_compile_options *o) { return function(o, &text); });
    std::string result = text;
    mezzo_text_free(text);
    return result;
  }

  std::vector<Message> messages;

private:
  const char *text(const py::dict &given, const char *key) {
    if (!given.contains(key) || given[key].is_none())
      return nullptr;
    return texts.emplace_back(given[key].cast<std::string>()).c_str();
  }
  static int32_t flag(const py::dict &given, const char *key) {
    return given.contains(key) && given[key].cast<bool>();
  }

  mezzo_compile_options options = MEZZO_COMPILE_OPTIONS_INIT;
  std::vector<std::string> texts;
  std::map<std::string, int64_t> names;
  std::map<std::string, std::vector<int64_t>> inputs;
  std::vector<mezzo_dim_size> dims;
  std::vector<mezzo_input_shape> shapes;
};

std::vector<Message> compile(const std::string &input,
                             const std::string &output, const py::dict &given) {
  Options options(given);
  options.call([&](const mezzo_compile_options *o) {
    return mezzo_compile(o, input.c_str(), output.c_str());
  });
  return options.messages;
}

std::string emitText(const std::string &input, const std::string &stage,
                     const py::dict &given) {
  Options options(given);
  return options.callForText([&](const mezzo_compile_options *o, char **text) {
    return mezzo_emit_text(o, input.c_str(), stage.c_str(), text);
  });
}

std::pair<std::string, std::vector<Message>>
runPasses(const std::string &ir, const std::string &pipeline) {
  Options options(py::dict{});
  std::string text =
      options.callForText([&](const mezzo_compile_options *o, char **out) {
        return mezzo_run_passes(o, ir.c_str(), pipeline.c_str(), out);
      });
  return {text, options.messages};
}

/// The bias of a product, or nothing.
std::optional<Buffer> biasOf(const Matrix &matrix, py::handle bias,
                             const float *&data) {
  data = nullptr;
  if (bias.is_none())
    return std::nullopt;
  std::optional<Buffer> buffer(std::in_place, bias);
  data = buffer->array<float>(matrix.parts.rows, "bias");
  return buffer;
}

std::vector<Message> compileLinear(const Matrix &matrix, py::object bias,
                                   int64_t m, const std::string &output,
                                   const py::dict &given) {
  const float *data;
  std::optional<Buffer> buffer = biasOf(matrix, bias, data);
  Options options(given);
  options.call([&](const mezzo_compile_options *o) {
    return mezzo_compile_linear(o, matrix.handle.get(), data, m,
                                output.c_str());
  });
  return options.messages;
}

void referenceLinear(const std::string &compute, const Matrix &matrix,
                     py::object bias, py::object x, int64_t m, py::object y) {
  const float *data;
  std::optional<Buffer> buffer = biasOf(matrix, bias, data);
  Buffer in(x), out(y, /*writable=*/true);
  const float *a = in.array<float>(m * matrix.parts.cols, "x");
  float *result = out.array<float>(m * matrix.parts.rows, "y");
  int32_t status;
  {
    py::gil_scoped_release release;
    status = mezzo_reference_linear(compute.c_str(), matrix.handle.get(), data,
                                    a, m, result);
  }
  checkCompiler(status);
}

} // namespace

void mezzo::python::bindCompiler(py::module_ &module) {
  module.def("compile", &compile);
  module.def("emit_text", &emitText);
  module.def("run_passes", &runPasses);
  module.def("compile_linear", &compileLinear);
  module.def("reference_linear", &referenceLinear);
}
