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

//===----------------------------------------------------------------------===//
// Choices
//===----------------------------------------------------------------------===//

/// The texts of a choice, and where each is kept.
static constexpr std::pair<StringRef, std::string ProductChoice::*>
    choiceFields[] = {{"product", &ProductChoice::product},
                      {"weight", &ProductChoice::weight},
                      {"strategy", &ProductChoice::strategy},
                      {"config", &ProductChoice::config},
                      {"reason", &ProductChoice::reason}};

std::string mezzo::withChoices(StringRef signature, ArrayAttr choices) {
  llvm::json::Array list;
  for (auto choice : choices.getAsRange<DictionaryAttr>()) {
    llvm::json::Object object;
    for (auto [name, field] : choiceFields)
      object[name] =
          llvm::json::fixUTF8(choice.getAs<StringAttr>(name).getValue());
    llvm::json::Array candidates;
    for (auto candidate :
         choice.getAs<ArrayAttr>("candidates").getAsRange<StringAttr>())
      candidates.push_back(candidate.getValue());
    object["candidates"] = std::move(candidates);
    list.push_back(std::move(object));
  }
  // Behind what is there, which stays as it is.
  std::string text;
  llvm::raw_string_ostream os(text);
  os << signature.drop_back()
     << ",\"choices\":" << llvm::json::Value(std::move(list)) << "}";
  return text;
}

std::vector<ProductChoice> mezzo::choicesOf(StringRef signature) {
  std::vector<ProductChoice> result;
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(signature);
  if (!value) {
    llvm::consumeError(value.takeError());
    return result;
  }
  const llvm::json::Object *object = value->getAsObject();
  const llvm::json::Array *list =
      object ? object->getArray("choices") : nullptr;
  if (!list)
    return result;
  for (const llvm::json::Value &entry : *list) {
    const llvm::json::Object *fields = entry.getAsObject();
    if (!fields)
      continue;
    ProductChoice &choice = result.emplace_back();
    for (auto [name, field] : choiceFields)
      choice.*field = fields->getString(name).value_or("").str();
    if (const llvm::json::Array *candidates = fields->getArray("candidates"))
      for (const llvm::json::Value &candidate : *candidates)
        choice.candidates.push_back(candidate.getAsString().value_or("").str());
  }
  return result;
}
