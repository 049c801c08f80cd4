//===- InspectVerb.cpp - `mezzo inspect` ----------------------------------===//

#include "tools/driver/Verbs.h"

#include "lib/Onnx/Model.h"
#include "lib/Onnx/Walk.h"
#include "lib/Support/Sanitize.h"
#include "passes/Frontend/Import.h"
#include "tools/driver/Decisions.h"
#include "tools/driver/Inputs.h"
#include "tools/driver/LoadedModel.h"
#include "tools/driver/ModelFile.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/BinaryFormat/Magic.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

using namespace mezzo;
namespace cl = llvm::cl;
using llvm::StringRef;

static cl::SubCommand command("inspect",
                              "what is in a model, compiled or not: operators, "
                              "weights, what cannot be compiled");
static CompileFlags flags(command);
static cl::opt<std::string> input(cl::Positional,
                                  cl::desc("model.onnx|model.so"), cl::Required,
                                  cl::sub(command));
static cl::opt<bool> json("json",
                          cl::desc("print one JSON object as the last line"),
                          cl::sub(command));

namespace {

/// "MatMulNBits" of the standard's own domain, "com.microsoft.MatMulNBits" of
/// another.
std::string operatorName(StringRef domain, StringRef op) {
  if (domain.empty() || domain == "ai.onnx")
    return toPrintable(op);
  return toPrintable((domain + "." + op).str());
}

std::string shapeText(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (int64_t size : shape)
    text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

/// What there is to say about an ONNX model.
struct ModelReport {
  llvm::MapVector<std::string, int64_t, std::map<std::string, unsigned>>
      operators;
  std::vector<UnsupportedOp> unsupported;
  std::vector<WeightDecision> weights;

  int64_t weightBytes() const {
    int64_t bytes = 0;
    for (const WeightDecision &weight : weights)
      bytes += weight.bytes;
    return bytes;
  }
};

void printReport(const ModelReport &report) {
  llvm::raw_ostream &os = llvm::outs();
  os << "operators\n";
  for (const auto &[name, count] : report.operators)
    os << llvm::format("%8lld  ", (long long)count) << name << "\n";
  if (!report.unsupported.empty())
    os << "not supported\n";
  for (const UnsupportedOp &op : report.unsupported) {
    os << llvm::format("%8lld  ", (long long)op.count)
       << operatorName(op.domain, op.op) << " (version " << op.version << "): ";
    llvm::interleaveComma(op.nodes, os,
                          [&](StringRef node) { os << quoted(node); });
    os << (op.count > int64_t(op.nodes.size()) ? ", ...\n" : "\n");
  }
  if (!report.unsupported.empty())
    return;
  os << "weights\n";
  for (const WeightDecision &weight : report.weights) {
    os << llvm::format("%12lld B  %6.3f bits  ", (long long)weight.bytes,
                       weight.bitsPerWeight())
       << toPrintable(weight.name) << " " << shapeText(weight.shape) << " "
       << weight.spec;
    if (weight.isQuantized())
      os << ": " << weight.strategy << ", " << weight.layout;
    os << "\n";
  }
  os << llvm::format("%12lld B  in all\n", (long long)report.weightBytes());
}

void writeReport(const ModelReport &report) {
  llvm::json::OStream out(llvm::outs());
  out.object([&] {
    out.attributeObject("operators", [&] {
      for (const auto &[name, count] : report.operators)
        out.attribute(name, count);
    });
    out.attributeArray("unsupported", [&] {
      for (const UnsupportedOp &op : report.unsupported)
        out.object([&] {
          out.attribute("op", llvm::json::fixUTF8(op.op));
          out.attribute("domain", llvm::json::fixUTF8(op.domain));
          out.attribute("version", op.version);
          out.attribute("count", op.count);
          out.attributeArray("nodes", [&] {
            for (const std::string &node : op.nodes)
              out.value(llvm::json::fixUTF8(node));
          });
        });
    });
    out.attributeArray("weights", [&] {
      for (const WeightDecision &weight : report.weights)
        out.object([&] {
          out.attribute("name", llvm::json::fixUTF8(weight.name));
          out.attribute("shape", llvm::json::Array(weight.shape));
          out.attribute("spec", weight.spec);
          out.attribute("bytes", weight.bytes);
          out.attribute("bits_per_weight", weight.bitsPerWeight());
          if (!weight.isQuantized())
            return;
          out.attribute("strategy", weight.strategy);
          out.attribute("layout", weight.layout);
          out.attribute("keys", llvm::json::Array(weight.keys));
        });
    });
    out.attribute("weight_bytes", report.weightBytes());
  });
  llvm::outs() << "\n";
}

int inspectOnnx() {
  llvm::Expected<CompileOptions> options = flags.options();
  if (!options)
    return reportError(options.takeError());
  ModelReport report;
  {
    auto model = OnnxModel::open(input);
    if (!model)
      return reportError(model.takeError());
    llvm::cantFail(
        walkNodes((*model)->graph().node(), [&](const onnx::NodeProto &node) {
          ++report.operators[operatorName(node.domain(), node.op_type())];
          return llvm::Error::success();
        }));
    report.unsupported = listUnsupported(**model);
  }
  int code = report.unsupported.empty() ? Done : UserError;
  if (code == Done) {
    CompileSession session(std::move(*options), terminalSink(flags.remarks));
    if (mlir::failed(session.load(input)) ||
        mlir::failed(session.emitText(Stage::Tile)))
      return UserError;
    report.weights = readDecisions(session.module());
  }
  printReport(report);
  if (json)
    writeReport(report);
  if (code != Done)
    return reportError(llvm::createStringError(
        quoted(input) + " has operators that are not supported: " +
        llvm::Twine(report.unsupported.size()) +
        " kinds, listed above; replace them in the model"));
  return code;
}

/// Where the weights of a compiled model are.
std::string weightPlace(const mezzo_module &module) {
  if (!module.weights_bytes)
    return "none";
  if (module.weights)
    return "embedded";
  return module.weights_file ? module.weights_file : "none";
}

int inspectShared() {
  llvm::Expected<ModelFile> file = ModelFile::open(input);
  if (!file)
    return reportError(file.takeError());
  const mezzo_module &module = file->module();
  llvm::Expected<ModelSignature> signature =
      parseSignature(module.signature_json);
  if (!signature)
    return reportError(signature.takeError());
  llvm::Expected<llvm::json::Value> facts =
      llvm::json::parse(module.signature_json);
  if (!facts)
    return reportError(facts.takeError());
  llvm::json::Object &object = *facts->getAsObject();
  llvm::raw_ostream &os = llvm::outs();
  os << "model     " << toPrintable(module.name) << "\n";
  for (auto [kind, tensors] : {std::pair("input     ", &signature->inputs),
                               std::pair("output    ", &signature->outputs)})
    for (const TensorSignature &tensor : *tensors)
      os << kind << toPrintable(tensor.name) << ": " << typeText(tensor)
         << "\n";
  os << "target    " << toPrintable(object.getString("target").value_or(""))
     << ", needs " << toPrintable(module.required_features, 400) << "\n"
     << "compute   " << toPrintable(object.getString("compute").value_or(""))
     << "\n"
     << "made by   " << toPrintable(object.getString("tool").value_or(""))
     << " from " << toPrintable(object.getString("source_sha256").value_or(""))
     << "\n"
     << "weights   " << module.weights_bytes << " B, "
     << toPrintable(weightPlace(module)) << "\n"
     << "scratch   " << module.arena_bytes << " B per context\n";
  for (const std::string &kernel : file->kernels)
    os << "kernel    " << toPrintable(kernel, 400) << "\n";
  if (json) {
    object["name"] = llvm::json::fixUTF8(module.name);
    object["required_features"] = module.required_features;
    object["weight_bytes"] = int64_t(module.weights_bytes);
    object["weights"] = llvm::json::fixUTF8(weightPlace(module));
    object["arena_bytes"] = int64_t(module.arena_bytes);
    object["verifies_inputs"] = !(module.flags & MEZZO_RT_NO_VERIFY);
    object["kernels"] = llvm::json::Array(file->kernels);
    os << *facts << "\n";
  }
  return Done;
}

int run() {
  // A model is what begins like one; the ending of a name is only a name.
  llvm::file_magic magic;
  if (!llvm::identify_magic(input, magic) &&
      magic == llvm::file_magic::elf_shared_object)
    return inspectShared();
  return inspectOnnx();
}

} // namespace

Verb mezzo::inspectVerb() { return {&command, run}; }
