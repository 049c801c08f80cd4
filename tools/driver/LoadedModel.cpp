//===- LoadedModel.cpp - a compiled model, opened in this process ---------===//

#include "tools/driver/LoadedModel.h"

#include "tools/driver/ModelFile.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#include <dlfcn.h>

using namespace mezzo;
using llvm::StringRef;

unsigned mezzo::elementBits(StringRef dtype) {
  unsigned bits = 8;
  if (dtype != "bool")
    dtype.drop_while([](char c) { return !llvm::isDigit(c); })
        .getAsInteger(10, bits);
  return bits;
}

uint8_t mezzo::elementCode(StringRef dtype) {
  if (dtype == "bool")
    return MEZZO_BOOL;
  if (dtype.starts_with("bf"))
    return MEZZO_BFLOAT;
  if (dtype.starts_with("f"))
    return MEZZO_FLOAT;
  return dtype.starts_with("u") ? MEZZO_UINT : MEZZO_INT;
}

int64_t HostTensor::elements() const {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

mezzo_tensor HostTensor::view() {
  return mezzo_dense(bytes.data(), elementCode(dtype), elementBits(dtype),
                     shape.size(), shape.data());
}

HostTensor HostTensor::of(llvm::ArrayRef<float> values,
                          std::vector<int64_t> shape) {
  HostTensor tensor{"f32", std::move(shape), {}};
  auto *begin = reinterpret_cast<const uint8_t *>(values.data());
  tensor.bytes.assign(begin, begin + values.size() * sizeof(float));
  return tensor;
}

llvm::ArrayRef<float> HostTensor::floats() const {
  return {reinterpret_cast<const float *>(bytes.data()),
          bytes.size() / sizeof(float)};
}

/// The one exported function whose name ends in _api. The symbol table says
/// which, so that a renamed file still opens.
static llvm::Expected<std::string> findApi(StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return llvm::createStringError("cannot read '" + path.str() +
                                   "': " + buffer.getError().message());
  auto object = llvm::object::ObjectFile::createELFObjectFile(**buffer);
  if (!object) {
    llvm::consumeError(object.takeError());
    return llvm::createStringError(
        "'" + path.str() +
        "' is no compiled model: make one with mezzo compile");
  }
  if (llvm::Error error = checkArchitecture(**object, path))
    return std::move(error);
  auto *elf = llvm::dyn_cast<llvm::object::ELFObjectFileBase>(object->get());
  for (const llvm::object::ELFSymbolRef symbol :
       elf->getDynamicSymbolIterators()) {
    llvm::Expected<StringRef> name = symbol.getName();
    if (name && name->ends_with("_api"))
      return name->str();
    if (!name)
      llvm::consumeError(name.takeError());
  }
  return llvm::createStringError(
      "'" + path.str() + "' exports no model: make one with mezzo compile");
}

llvm::Expected<std::unique_ptr<LoadedModel>> LoadedModel::open(StringRef path,
                                                               int threads) {
  llvm::Expected<std::string> symbol = findApi(path);
  if (!symbol)
    return symbol.takeError();
  std::unique_ptr<LoadedModel> loaded(new LoadedModel);
  // A name without a slash would be looked for in the library path.
  llvm::SmallString<256> absolute(path);
  llvm::sys::fs::make_absolute(absolute);
  loaded->handle = dlopen(absolute.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!loaded->handle)
    return llvm::createStringError("cannot open '" + path.str() +
                                   "': " + dlerror());
  auto function = reinterpret_cast<mezzo_api_function>(
      dlsym(loaded->handle, symbol->c_str()));
  loaded->api = function ? function(MEZZO_ABI_VERSION) : nullptr;
  if (!loaded->api)
    return llvm::createStringError(
        "'" + path.str() +
        "' speaks another version of the ABI: compile the model again");
  if (int32_t status = mezzo_model_open(loaded->api, nullptr, &loaded->model))
    return loaded->lastError(status);
  mezzo_context_options options = MEZZO_CONTEXT_OPTIONS_INIT;
  options.threads = threads;
  if (int32_t status =
          mezzo_context_create(loaded->model, &options, &loaded->context))
    return loaded->lastError(status);
  llvm::Expected<ModelSignature> signature =
      parseSignature(loaded->signatureText());
  if (!signature)
    return signature.takeError();
  loaded->modelSignature = std::move(*signature);
  return std::move(loaded);
}

LoadedModel::~LoadedModel() {
  mezzo_context_destroy(context);
  mezzo_model_close(model);
  if (handle)
    dlclose(handle);
}

StringRef LoadedModel::signatureText() const {
  return mezzo_signature_json(api);
}

llvm::Error LoadedModel::lastError(int32_t status) const {
  return llvm::createStringError(std::string(mezzo_last_error(api)));
}

static std::vector<mezzo_tensor> views(std::vector<HostTensor> &tensors) {
  std::vector<mezzo_tensor> result;
  for (HostTensor &tensor : tensors)
    result.push_back(tensor.view());
  return result;
}

llvm::Expected<std::vector<HostTensor>>
LoadedModel::run(std::vector<HostTensor> &inputs) {
  std::vector<mezzo_tensor> in = views(inputs),
                            shapes(modelSignature.outputs.size());
  std::vector<HostTensor> outputs;
  for (auto [description, shape] :
       llvm::zip_equal(modelSignature.outputs, shapes)) {
    outputs.push_back(
        {description.dtype, std::vector<int64_t>(description.dims.size()), {}});
    shape = outputs.back().view();
  }
  for (auto [output, shape] : llvm::zip_equal(outputs, shapes))
    shape.shape = output.shape.data();
  if (int32_t status = mezzo_output_shapes(context, in.data(), in.size(),
                                           shapes.data(), shapes.size()))
    return lastError(status);
  for (HostTensor &output : outputs)
    output.bytes.assign((output.elements() * elementBits(output.dtype) + 7) / 8,
                        0xa5);
  if (llvm::Error error = runInto(inputs, outputs))
    return std::move(error);
  return outputs;
}

llvm::Error LoadedModel::runInto(std::vector<HostTensor> &inputs,
                                 std::vector<HostTensor> &outputs) {
  std::vector<mezzo_tensor> in = views(inputs), out = views(outputs);
  if (int32_t status =
          mezzo_run(context, in.data(), in.size(), out.data(), out.size()))
    return lastError(status);
  return llvm::Error::success();
}

static llvm::Expected<std::vector<TensorSignature>>
parseTensors(const llvm::json::Object &object, StringRef key) {
  std::vector<TensorSignature> result;
  const llvm::json::Array *tensors = object.getArray(key);
  if (!tensors)
    return llvm::createStringError("the signature has no " + key.str());
  for (const llvm::json::Value &value : *tensors) {
    const llvm::json::Object *entry = value.getAsObject();
    const llvm::json::Array *dims = entry ? entry->getArray("dims") : nullptr;
    if (!dims || !entry->getString("name") || !entry->getString("dtype"))
      return llvm::createStringError(
          "the signature has a tensor without name, dtype or dims");
    TensorSignature &tensor = result.emplace_back();
    tensor.name = entry->getString("name")->str();
    tensor.dtype = entry->getString("dtype")->str();
    for (const llvm::json::Value &dim : *dims) {
      tensor.dims.push_back(dim.getAsInteger().value_or(-1));
      tensor.dimNames.push_back(dim.getAsString().value_or("").str());
    }
  }
  return result;
}

llvm::Expected<ModelSignature> mezzo::parseSignature(StringRef json) {
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(json);
  if (!value)
    return value.takeError();
  const llvm::json::Object *object = value->getAsObject();
  if (!object)
    return llvm::createStringError("the signature is no JSON object");
  ModelSignature signature;
  for (auto [key, tensors] : {std::pair("inputs", &signature.inputs),
                              std::pair("outputs", &signature.outputs)}) {
    auto parsed = parseTensors(*object, key);
    if (!parsed)
      return parsed.takeError();
    *tensors = std::move(*parsed);
  }
  return signature;
}
