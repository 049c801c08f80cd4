//===- Signature.cpp - inputs and outputs of a model, as JSON -------------===//

#include "tools/driver/Signature.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace mezzo;

static std::vector<TensorSignature> readTensors(ArrayAttr tensors) {
  std::vector<TensorSignature> result;
  if (!tensors)
    return result;
  for (auto entry : tensors.getAsRange<DictionaryAttr>()) {
    TensorSignature &tensor = result.emplace_back();
    tensor.name = entry.getAs<StringAttr>("name").str();
    tensor.dtype = entry.getAs<StringAttr>("dtype").str();
    tensor.dims = entry.getAs<DenseI64ArrayAttr>("dims").asArrayRef().vec();
    for (Attribute name : entry.getAs<ArrayAttr>("dim_names"))
      tensor.dimNames.push_back(cast<StringAttr>(name).str());
  }
  return result;
}

ModelSignature mezzo::readSignature(ModuleOp module) {
  ModelSignature signature;
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr("mezzo.entry")) {
      signature.inputs =
          readTensors(function->getAttrOfType<ArrayAttr>("mezzo.inputs"));
      signature.outputs =
          readTensors(function->getAttrOfType<ArrayAttr>("mezzo.outputs"));
    }
  return signature;
}

static void writeTensors(llvm::json::OStream &json, StringRef key,
                         const std::vector<TensorSignature> &tensors) {
  json.attributeArray(key, [&] {
    for (const TensorSignature &tensor : tensors)
      json.object([&] {
        json.attribute("name", tensor.name);
        json.attribute("dtype", tensor.dtype);
        json.attributeArray("dims", [&] {
          for (size_t dim = 0; dim < tensor.dims.size(); ++dim) {
            if (tensor.dims[dim] >= 0)
              json.value(tensor.dims[dim]);
            else
              json.value(tensor.dimNames[dim].empty() ? "?"
                                                      : tensor.dimNames[dim]);
          }
        });
      });
  });
}

std::string mezzo::signatureJson(const ModelSignature &signature,
                                 StringRef target, StringRef compute,
                                 StringRef sourceHash) {
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::json::OStream json(os);
  json.object([&] {
    writeTensors(json, "inputs", signature.inputs);
    writeTensors(json, "outputs", signature.outputs);
    json.attribute("tool", "mezzo 0.1.0");
    json.attribute("target", target);
    json.attribute("compute", compute);
    json.attribute("source_sha256", sourceHash);
  });
  return text;
}
