//===- Model.cpp - a compiled model in Python -----------------------------===//

#include "python/Bindings.h"

#include "include/mezzo/model.h"

#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <mutex>

using namespace mezzo::python;

namespace {

/// A tensor as Python describes it: a buffer (or None where there is none yet),
/// type code, bits, shape.
using Description = std::tuple<py::object, int, int, std::vector<int64_t>>;

/// A way to write `path` under which the loader does not know another file.
///
/// The loader takes a name that it has met for the library it has loaded under
/// it, even where the file has been replaced since: whoever compiles a model
/// again, while a session still holds the old one, would go on with the old
/// one. A name that is new to it makes it look at the file itself. So each
/// replacement is called by one more "./" before its last part:
///
///     /a/model.so  -->  /a/./model.so  -->  /a/././model.so
std::string nameForLoader(const std::string &path) {
  struct Known {
    dev_t device;
    ino_t inode;
    size_t replacements;
  };
  static std::mutex mutex;
  static std::map<std::string, Known> all;
  struct stat status;
  if (stat(path.c_str(), &status) != 0)
    return path; // dlopen says what is wrong
  std::lock_guard<std::mutex> lock(mutex);
  auto [entry, isNew] =
      all.try_emplace(path, Known{status.st_dev, status.st_ino, 0});
  Known &known = entry->second;
  if (known.device != status.st_dev || known.inode != status.st_ino)
    known = {status.st_dev, status.st_ino, known.replacements + 1};
  std::string name = path;
  size_t last = name.rfind('/') + 1;
  for (size_t i = 0; i < known.replacements; ++i)
    name.insert(last, "./");
  return name;
}

/// A loaded model. A context serves one run at a time, so there is a pool of
/// them, and runs on several Python threads each take their own.
class Model {
public:
  Model(const std::string &path, const std::string &symbol, py::object weights,
        int threads)
      : threads(threads), process(getpid()) {
    handle = dlopen(nameForLoader(path).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle)
      throw UserError("cannot open '" + path + "': " + dlerror());
    try {
      auto function =
          reinterpret_cast<mezzo_api_function>(dlsym(handle, symbol.c_str()));
      api = function ? function(MEZZO_ABI_VERSION) : nullptr;
      if (!api)
        throw UserError("'" + path +
                        "' speaks another version of the ABI: compile the "
                        "model again");
      std::string weightsPath;
      if (!weights.is_none())
        weightsPath = weights.cast<std::string>();
      check(mezzo_model_open(
          api, weights.is_none() ? nullptr : weightsPath.c_str(), &model));
      // The first context is made at once: what is wrong is said at the door.
      idle.push_back(makeContext());
    } catch (...) {
      close();
      throw;
    }
  }
  Model(const Model &) = delete;
  Model &operator=(const Model &) = delete;
  ~Model() { close(); }

  std::string signature() const { return mezzo_signature_json(api); }

  /// Calls allocate([shape, ...]), which returns a writable buffer per output,
  /// and computes into these. `outputs` have no buffers, and as shape as many
  /// numbers as their rank.
  py::object run(std::vector<Description> inputs,
                 std::vector<Description> outputs,
                 const py::function &allocate) {
    std::vector<Buffer> buffers;
    buffers.reserve(inputs.size() + outputs.size());
    std::vector<mezzo_tensor> in, out;
    for (auto &[object, code, bits, shape] : inputs)
      in.push_back(view(buffers.emplace_back(object), code, bits, shape));
    for (auto &[object, code, bits, shape] : outputs)
      out.push_back(
          mezzo_dense(nullptr, code, bits, shape.size(), shape.data()));

    Lease context(*this);
    int32_t status;
    {
      py::gil_scoped_release release;
      status = mezzo_output_shapes(context.get(), in.data(), in.size(),
                                   out.data(), out.size());
    }
    check(status);
    py::list shapes;
    for (auto &description : outputs)
      shapes.append(py::tuple(py::cast(std::get<3>(description))));
    py::list arrays = allocate(shapes);
    if (arrays.size() != outputs.size())
      throw py::value_error("a buffer per output");
    for (size_t i = 0; i < outputs.size(); ++i) {
      auto &[object, code, bits, shape] = outputs[i];
      out[i] = view(buffers.emplace_back(arrays[i], /*writable=*/true), code,
                    bits, shape);
    }
    {
      py::gil_scoped_release release;
      status = mezzo_run(context.get(), in.data(), in.size(), out.data(),
                         out.size());
    }
    check(status);
    return std::move(arrays);
  }

private:
  /// A context of the pool, for one run.
  class Lease {
  public:
    explicit Lease(Model &model) : model(model) {
      std::lock_guard<std::mutex> lock(model.mutex);
      // After a fork, threads of contexts exist in the parent only: such
      // contexts can neither run nor be destroyed here.
      if (model.process != getpid()) {
        model.idle.clear();
        model.process = getpid();
      }
      if (model.idle.empty()) {
        context = model.makeContext();
      } else {
        context = model.idle.back();
        model.idle.pop_back();
      }
    }
    ~Lease() {
      std::lock_guard<std::mutex> lock(model.mutex);
      model.idle.push_back(context);
    }
    mezzo_context *get() const { return context; }

  private:
    Model &model;
    mezzo_context *context = nullptr;
  };

  void check(int32_t status) const {
    if (status != MEZZO_OK)
      throw UserError(mezzo_last_error(api));
  }

  mezzo_context *makeContext() const {
    mezzo_context_options options = MEZZO_CONTEXT_OPTIONS_INIT;
    options.threads = threads;
    mezzo_context *context = nullptr;
    check(mezzo_context_create(model, &options, &context));
    return context;
  }

  /// The bytes must be there even where the model was compiled without checks.
  static mezzo_tensor view(const Buffer &buffer, int code, int bits,
                           std::vector<int64_t> &shape) {
    int64_t total = bits;
    for (int64_t size : shape)
      if (size < 0 || __builtin_mul_overflow(total, size, &total))
        throw py::value_error("the shape of a tensor");
    if (total > INT64_MAX - 7 || (total + 7) / 8 != buffer.bytes())
      throw py::value_error("a tensor of " + std::to_string(total) +
                            " bits in a buffer of " +
                            std::to_string(buffer.bytes()) + " bytes");
    return mezzo_dense(buffer.data(), code, bits, shape.size(), shape.data());
  }

  void close() {
    if (process == getpid()) {
      for (mezzo_context *context : idle)
        mezzo_context_destroy(context);
      mezzo_model_close(model);
      if (handle)
        dlclose(handle);
    }
    idle.clear();
    model = nullptr;
    handle = nullptr;
  }

  int threads;
  pid_t process;
  void *handle = nullptr;
  const mezzo_api *api = nullptr;
  mezzo_model *model = nullptr;
  std::mutex mutex;
  std::vector<mezzo_context *> idle;
};

} // namespace

void mezzo::python::bindModel(py::module_ &module) {
  py::class_<Model>(module, "Model")
      .def(
          py::init<const std::string &, const std::string &, py::object, int>())
      .def_property_readonly("signature", &Model::signature)
      .def("run", &Model::run);
}
