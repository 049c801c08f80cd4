//===- Model.cpp ----------------------------------------------------------===//

#include "lib/Onnx/Model.h"

#include "lib/Onnx/Check.h"
#include "lib/Onnx/Walk.h"
#include "lib/Onnx/WireScan.h"
#include "lib/Support/CheckedInt.h"
#include "lib/Support/Sanitize.h"

#include "llvm/Support/SHA256.h"

using namespace mezzo;
using llvm::ArrayRef;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

/// The newest format of the file itself; 14 was still to come at ONNX 1.22.
static constexpr int64_t newestIrVersion = 13;

OnnxModel::~OnnxModel() = default;

Expected<std::unique_ptr<OnnxModel>> OnnxModel::open(StringRef path,
                                                     const OnnxLimits &limits) {
  Expected<MappedFile> opened = openFile(path);
  if (!opened)
    return opened.takeError();
  Expected<DataRoots> roots = DataRoots::ofModel(path);
  if (!roots)
    return roots.takeError();
  auto file = std::make_shared<MappedFile>(std::move(*opened));
  auto model = read(file->bytes(), file, std::move(*roots), limits);
  if (!model)
    return createStringError(toPrintable(path) + ": " +
                             llvm::toString(model.takeError()));
  return model;
}

Expected<std::unique_ptr<OnnxModel>>
OnnxModel::parse(ArrayRef<uint8_t> bytes, StringRef directory,
                 const OnnxLimits &limits, std::shared_ptr<void> owner) {
  DataRoots roots;
  if (!directory.empty()) {
    Expected<DataRoots> found = DataRoots::ofDirectory(directory);
    if (!found)
      return found.takeError();
    roots = std::move(*found);
  }
  return read(bytes, std::move(owner), std::move(roots), limits);
}

Expected<std::unique_ptr<OnnxModel>>
OnnxModel::read(ArrayRef<uint8_t> bytes, std::shared_ptr<void> owner,
                DataRoots roots, const OnnxLimits &limits) {
  std::unique_ptr<OnnxModel> result(new OnnxModel);
  result->file = bytes;
  result->fileOwner = std::move(owner);
  result->roots = std::move(roots);
  result->limits = limits;

  // From the outside in: each step may rely on what the ones before it checked.
  onnx::ModelProto &model = result->model;
  if (Error error = parseThin(bytes, limits, model))
    return error;
  if (!model.has_graph())
    return createStringError("the model has no graph; it is no ONNX model");
  // How to go on training it says nothing about how to run it.
  model.clear_training_info();
  if (Error error = checkMessages(model, limits))
    return error;
  if (Error error = result->checkTensors())
    return error;
  if (Error error = inlineFunctions(model, limits))
    return error;
  if (Error error = result->readOpsets())
    return error;
  if (Error error = result->checkDomains())
    return error;
  if (Error error = sortGraphs(model))
    return error;
  return result;
}

Error OnnxModel::readOpsets() {
  if (irVersion() < 1 || irVersion() > newestIrVersion)
    return createStringError("IR version " + Twine(irVersion()) +
                             " is not supported; versions 1 "
                             "to " +
                             Twine(newestIrVersion) +
                             " are (onnx.version_converter, or "
                             "an older opset at export, changes it)");
  for (const onnx::OperatorSetIdProto &import : model.opset_import()) {
    if (Error error = checkOpset(import.domain(), import.version()))
      return error;
    auto [known, isNew] = opsets.try_emplace(
        canonicalDomain(import.domain()).str(), import.version());
    if (!isNew && known->second != import.version())
      return createStringError(
          "domain " + quoted(known->first) + " is imported twice, as opset " +
          Twine(known->second) + " and " + Twine(import.version()));
  }
  // Before IR version 3 there were no imports and one opset.
  if (irVersion() < 3 && opsets.empty())
    opsets[""] = 1;
  return Error::success();
}

/// What an operator means depends on the version of its domain, so there must
/// be one.
Error OnnxModel::checkDomains() const {
  return walkNodes(
      model.graph().node(), [&](const onnx::NodeProto &node) -> Error {
        if (opset(node.domain()) != 0)
          return Error::success();
        StringRef domain = canonicalDomain(node.domain());
        return createStringError(
            describe(node) + ": the model does not say which opset of domain " +
            (domain.empty() ? "'ai.onnx'" : quoted(domain)) +
            " it uses; add it to opset_import");
      });
}

int64_t OnnxModel::opset(StringRef domain) const {
  auto known = opsets.find(canonicalDomain(domain));
  return known == opsets.end() ? 0 : known->second;
}

Error OnnxModel::checkTensors() const {
  CheckedInt declared = 0;
  if (Error error =
          walkTensors(model, [&](const onnx::TensorProto &proto) -> Error {
            if (proto.data_type() == onnx::TensorProto::STRING)
              return checkStrings(proto);
            Expected<TensorView> view = tensor(proto);
            if (!view)
              return view.takeError();
            declared += int64_t(view->bytes.size());
            return Error::success();
          }))
    return error;

  // Tensors may share bytes of an external file (tied embeddings do), but a
  // small file that stands for terabytes of different tensors is meant to hurt.
  CheckedInt present = int64_t(file.size());
  for (const auto &[location, mapping] : externalFiles)
    present += int64_t(mapping->bytes().size());
  CheckedInt allowed = present * 16 + (int64_t(64) << 20);
  if (!declared.isValid() || (allowed.isValid() && *declared > *allowed))
    return createStringError(
        "the tensors of the model declare " +
        (declared.isValid() ? Twine(*declared) : Twine("2^63 or more")) +
        " bytes, but its files have only " + Twine(*present) +
        ", which they share too often");
  return Error::success();
}

ArrayRef<uint8_t> OnnxModel::sha256() const {
  std::call_once(hashOnce, [&] { hash = llvm::SHA256::hash(file); });
  return hash;
}
