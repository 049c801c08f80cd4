//===- Inputs.cpp - the tensors that a command line gives to a model ------===//

#include "tools/driver/Inputs.h"

#include "lib/Number/Half.h"
#include "lib/Support/CheckedInt.h"
#include "lib/Support/Sanitize.h"
#include "tools/driver/Npy.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <map>
#include <optional>
#include <random>

using namespace mezzo;
using llvm::ArrayRef;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

/// The largest random tensor, 16 GiB: more is a slip of the finger.
static constexpr int64_t LargestRandomTensor = int64_t(1) << 34;

std::string mezzo::typeText(const TensorSignature &tensor) {
  std::string text = tensor.dtype + "[";
  for (size_t dim = 0; dim < tensor.dims.size(); ++dim) {
    text += dim ? ", " : "";
    if (tensor.dims[dim] >= 0)
      text += std::to_string(tensor.dims[dim]);
    else
      text += tensor.dimNames[dim].empty() ? "?"
                                           : toPrintable(tensor.dimNames[dim]);
  }
  return text + "]";
}

std::string mezzo::typeText(const HostTensor &tensor) {
  return typeText(
      TensorSignature{"", tensor.dtype, tensor.shape,
                      std::vector<std::string>(tensor.shape.size())});
}

Expected<NamedFile> mezzo::parseNamedFile(StringRef flag, StringRef text) {
  auto [name, path] = text.split("=@");
  if (name.empty() || path.empty())
    return createStringError("cannot read --" + flag + " " + quoted(text) +
                             ": write NAME=@FILE.npy");
  return NamedFile{name.str(), path.str()};
}

/// A number of [0, 1) without a distribution of the standard library, whose
/// results differ between libraries.
static double uniform(std::mt19937_64 &engine) {
  return double(engine() >> 11) * 0x1p-53;
}

/// N(0, 1) by the method of Box and Muller.
static float normal(std::mt19937_64 &engine) {
  double radius = std::sqrt(-2 * std::log(1 - uniform(engine)));
  return float(radius * std::cos(2 * M_PI * uniform(engine)));
}

template <typename T>
static void store(uint8_t *at, T value) {
  std::memcpy(at, &value, sizeof value);
}

Expected<HostTensor> mezzo::randomTensor(StringRef dtype,
                                         std::vector<int64_t> shape,
                                         uint64_t seed) {
  unsigned bits = elementBits(dtype);
  if (bits % 8 != 0)
    return createStringError("there are no random numbers of type " + dtype +
                             ": give a file");
  CheckedInt bytes = CheckedInt::product(shape) * (bits / 8);
  if (!bytes.isValid() || *bytes > LargestRandomTensor)
    return createStringError("a random tensor of this shape would have more "
                             "than 16 GiB: use smaller sizes");
  HostTensor tensor{dtype.str(), std::move(shape), {}};
  tensor.bytes.resize(*bytes);
  std::mt19937_64 engine(seed);
  unsigned step = bits / 8;
  for (uint8_t *at = tensor.bytes.data(), *end = at + *bytes; at != end;
       at += step) {
    if (dtype == "f32")
      store(at, normal(engine));
    else if (dtype == "f64")
      store(at, double(normal(engine)));
    else if (dtype == "f16")
      store(at, f32ToF16(normal(engine)));
    else if (dtype == "bf16")
      store(at, f32ToBF16(normal(engine)));
    else if (dtype == "bool")
      *at = engine() >> 63;
    else if (bits == 8)
      *at = engine() >> 56;
    else
      *at = engine() >> 61; // little-endian: the other bytes stay 0
  }
  return tensor;
}

namespace {

/// Where an input comes from.
struct Source {
  std::string path; ///< empty: random
  uint64_t seed = 0;
};

class InputBinder {
public:
  InputBinder(const ModelSignature &signature) : signature(signature) {}

  Error parse(ArrayRef<std::string> inputs, ArrayRef<std::string> dims);
  Expected<std::vector<HostTensor>> bind();

private:
  Error parseInput(StringRef text);
  Error parseDim(StringRef text);
  Error readFiles();
  Error checkFile(const TensorSignature &input, const HostTensor &tensor,
                  StringRef path) const;
  std::string inputNames() const;

  const ModelSignature &signature;
  std::map<std::string, Source> sources;
  std::map<std::string, int64_t> sizes; ///< of named dimensions
  std::map<std::string, HostTensor> files;
};

std::string InputBinder::inputNames() const {
  std::string names;
  llvm::raw_string_ostream os(names);
  llvm::interleaveComma(
      signature.inputs, os, [&](const TensorSignature &input) {
        os << quoted(input.name) << " (" << typeText(input) << ")";
      });
  return names.empty() ? "none" : names;
}

Error InputBinder::parseInput(StringRef text) {
  Source source;
  StringRef name;
  if (text.contains("=@")) {
    Expected<NamedFile> file = parseNamedFile("input", text);
    if (!file)
      return file.takeError();
    name = StringRef(text).take_front(file->name.size());
    source.path = file->path;
  } else {
    StringRef value;
    std::tie(name, value) = text.rsplit('=');
    bool random = value.consume_front("random");
    if (name.empty() || !random ||
        (!value.empty() &&
         (!value.consume_front(":") || value.getAsInteger(10, source.seed))))
      return createStringError("cannot read --input " + quoted(text) +
                               ": write NAME=@FILE.npy, NAME=random or "
                               "NAME=random:SEED");
  }
  if (llvm::none_of(signature.inputs,
                    [&](const TensorSignature &i) { return i.name == name; }))
    return createStringError("the model has no input " + quoted(name) +
                             "; its inputs: " + inputNames());
  if (!sources.emplace(name.str(), source).second)
    return createStringError("the input " + quoted(name) +
                             " is given twice: give it once");
  return Error::success();
}

Error InputBinder::parseDim(StringRef text) {
  auto [name, value] = text.rsplit('=');
  int64_t size = 0;
  if (name.empty() || value.getAsInteger(10, size) || size < 0)
    return createStringError("cannot read --dim " + quoted(text) +
                             ": write NAME=SIZE, such as batch=4");
  if (llvm::none_of(signature.inputs,
                    [&, name = name](const TensorSignature &i) {
                      return llvm::is_contained(i.dimNames, name);
                    }))
    return createStringError("no input has a dynamic dimension " +
                             quoted(name) + "; the inputs: " + inputNames());
  sizes[name.str()] = size;
  return Error::success();
}

Error InputBinder::parse(ArrayRef<std::string> inputs,
                         ArrayRef<std::string> dims) {
  for (const std::string &text : inputs)
    if (Error error = parseInput(text))
      return error;
  for (const std::string &text : dims)
    if (Error error = parseDim(text))
      return error;
  std::string missing;
  llvm::raw_string_ostream os(missing);
  for (const TensorSignature &input : signature.inputs)
    if (!sources.count(input.name))
      os << (missing.empty() ? "" : ", ") << quoted(input.name) << " ("
         << typeText(input) << ")";
  if (!missing.empty())
    return createStringError("no value for " + missing +
                             ": give --input NAME=@FILE.npy or --input "
                             "NAME=random for each");
  return Error::success();
}

/// A model checks its tensors as well, but it does not know the file's name,
/// and one compiled with --no-verify does not check.
Error InputBinder::checkFile(const TensorSignature &input,
                             const HostTensor &tensor, StringRef path) const {
  bool fits =
      tensor.dtype == input.dtype && tensor.shape.size() == input.dims.size();
  for (size_t dim = 0; fits && dim < input.dims.size(); ++dim)
    fits = input.dims[dim] < 0 || input.dims[dim] == tensor.shape[dim];
  if (fits)
    return Error::success();
  const char *way = tensor.dtype == input.dtype
                        ? ": give one of this shape"
                        : ": convert it with numpy's astype";
  return createStringError("the input " + quoted(input.name) + " is " +
                           typeText(input) + ", and " + quoted(path) +
                           " holds " + typeText(tensor) + way);
}

Error InputBinder::readFiles() {
  for (const TensorSignature &input : signature.inputs) {
    const Source &source = sources.at(input.name);
    if (source.path.empty())
      continue;
    Expected<HostTensor> tensor = readNpy(source.path);
    if (!tensor)
      return tensor.takeError();
    if (Error error = checkFile(input, *tensor, source.path))
      return error;
    for (size_t dim = 0; dim < input.dims.size(); ++dim)
      if (input.dims[dim] < 0 && !input.dimNames[dim].empty())
        sizes.emplace(input.dimNames[dim], tensor->shape[dim]);
    files.emplace(input.name, std::move(*tensor));
  }
  return Error::success();
}

Expected<std::vector<HostTensor>> InputBinder::bind() {
  if (Error error = readFiles())
    return std::move(error);
  std::vector<HostTensor> tensors;
  for (const TensorSignature &input : signature.inputs) {
    if (auto file = files.find(input.name); file != files.end()) {
      tensors.push_back(std::move(file->second));
      continue;
    }
    std::vector<int64_t> shape = input.dims;
    for (size_t dim = 0; dim < shape.size(); ++dim)
      if (shape[dim] < 0) {
        auto known = sizes.find(input.dimNames[dim]);
        shape[dim] = known == sizes.end() ? 1 : known->second;
      }
    Expected<HostTensor> tensor = randomTensor(input.dtype, std::move(shape),
                                               sources.at(input.name).seed);
    if (!tensor)
      return createStringError("the input " + quoted(input.name) + ": " +
                               llvm::toString(tensor.takeError()));
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}

} // namespace

Expected<std::vector<HostTensor>>
mezzo::bindInputs(const ModelSignature &signature, ArrayRef<std::string> inputs,
                  ArrayRef<std::string> dims) {
  InputBinder binder(signature);
  if (Error error = binder.parse(inputs, dims))
    return std::move(error);
  return binder.bind();
}
