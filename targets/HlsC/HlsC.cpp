//===- HlsC.cpp - C99, and C++ for high-level synthesis -------------------===//

#include "targets/HlsC/HlsC.h"

#include "targets/HlsC/Elements.h"
#include "targets/HlsC/Ports.h"
#include "targets/HlsC/PrintCode.h"
#include "targets/HlsC/Project.h"
#include "targets/HlsC/Shipped.h"

#include "mlir/IR/OwningOpRef.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mezzo;
using namespace mezzo::hlsc;

/// The elementary functions that stages call, in one order.
static void writeElementaryFunctions(Kernel &k) {
  llvm::StringSet<> wanted;
  for (const Stage &stage : k.plan.stages) {
    if (stage.kind == Stage::Kind::Elementwise)
      collectElementary(stage.generic, wanted);
    if (stage.kind == Stage::Kind::Softmax)
      wanted.insert("exp");
  }
  // tanh and erf have their own exp inside: each stands alone.
  for (StringRef name : {"exp", "log", "tanh", "erf", "sin", "cos", "maximum"})
    if (wanted.contains(name))
      writeElementary(k.c, name);
}

static llvm::Error writeStages(Kernel &k) {
  if (llvm::any_of(k.plan.stages, [](const Stage &stage) {
        return stage.kind == Stage::Kind::IntegerProduct;
      }))
    writeRescale(k);
  for (const Stage &stage : k.plan.stages) {
    switch (stage.kind) {
    case Stage::Kind::Quantize:
      writeQuantize(k, stage);
      break;
    case Stage::Kind::Tables:
      writeTables(k, stage);
      break;
    case Stage::Kind::StaticQuantize:
      writeStaticQuantize(k, stage);
      break;
    case Stage::Kind::StaticDequantize:
      writeStaticDequantize(k, stage);
      break;
    case Stage::Kind::Product:
    case Stage::Kind::IntegerProduct:
      if (llvm::Error error = writeProduct(k, stage))
        return error;
      break;
    case Stage::Kind::RmsNorm:
    case Stage::Kind::LayerNorm:
      writeNorm(k, stage);
      break;
    case Stage::Kind::Softmax:
      writeSoftmax(k, stage);
      break;
    case Stage::Kind::Elementwise:
      writeElementwise(k, stage);
      break;
    }
  }
  return llvm::Error::success();
}

static llvm::Expected<FolderResult>
writeFolder(ModuleOp module, const FolderRequest &request, Language language) {
  llvm::Expected<Knobs> knobs = Knobs::parse(request.knobs, language);
  if (!knobs)
    return knobs.takeError();
  llvm::Expected<Plan> plan =
      planOf(module, request.name, knobs->engine, request.isIntegerOnly);
  if (!plan)
    return plan.takeError();

  OwningOpRef<ModuleOp> code(ModuleOp::create(module.getLoc()));
  module.getContext()->getOrLoadDialect<emitc::EmitCDialect>();
  CodeBuilder builder(*code, language);
  Kernel kernel(builder, *plan, *knobs);
  writeElementaryFunctions(kernel);
  if (llvm::Error error = writeStages(kernel))
    return std::move(error);
  writeTop(kernel);
  if (failed(verify(*code)))
    return llvm::createStringError("the code that was written is not valid");
  if (llvm::Error error = checkPorts(*code))
    return std::move(error);

  Vectors vectors = testVectors(*plan);
  Project project{kernel, vectors, {}};
  llvm::raw_string_ostream os(project.code);
  printCode(*code, os);

  bool isHls = language == Language::Hls;
  Estimate estimate = isHls ? estimateOf(kernel) : Estimate();
  std::string suffix = isHls ? ".cpp" : ".c";
  FolderResult result;
  result.files = {{"kernel" + suffix, kernelFile(project)},
                  {"kernel.h", headerFile(project)},
                  {"weights.h", weightsFile(project)},
                  {"vectors.h", vectorsFile(project)},
                  {"bench" + suffix, benchFile(project)},
                  {"Makefile", makeFile(project)},
                  {"README.md", readmeFile(project, estimate)}};
  if (isHls) {
    result.files.push_back({"hls.cfg", configFile(project)});
    result.files.push_back({"run_hls.tcl", tclFile(project)});
    result.files.push_back({"dataflow.h", std::string(mezzo_hls_dataflow,
                                                      mezzo_hls_dataflow_end)});
    result.files.push_back(
        {"sim/hls_stream.h",
         std::string(mezzo_hls_stream, mezzo_hls_stream_end)});
  }
  result.summary = isHls ? estimate.summary() : memoryEstimate(project);
  return result;
}

std::vector<Target> hlsc::targets() {
  Target c;
  c.name = "c";
  c.writeFolder = [](ModuleOp module, const FolderRequest &request) {
    return writeFolder(module, request, Language::C);
  };
  Target hls;
  hls.name = "hls";
  hls.writeFolder = [](ModuleOp module, const FolderRequest &request) {
    return writeFolder(module, request, Language::Hls);
  };
  return {c, hls};
}
