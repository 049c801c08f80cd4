//===- Session.cpp - one compilation, from a model to a file --------------===//

#include "tools/driver/Session.h"

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Onnx/Model.h"
#include "lib/Support/AtomicFile.h"
#include "lib/Support/Sanitize.h"
#include "lib/Weights/EmbeddedObject.h"
#include "lib/Weights/WeightFile.h"
#include "passes/Frontend/Import.h"
#include "passes/Layout/WeightParts.h"
#include "passes/Passes.h"
#include "targets/Common/Link.h"
#include "targets/Common/Object.h"
#include "targets/Common/Runtime.h"
#include "tools/driver/Context.h"
#include "tools/driver/ModelHeader.h"
#include "tools/driver/Signature.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace mezzo;

/// Weights up to this size go into the shared object when nobody says
/// otherwise.
static constexpr int64_t EmbedLimit = int64_t(16) << 20;

llvm::Expected<Stage> mezzo::parseStage(StringRef name) {
  static const std::pair<StringRef, Stage> stages[] = {
      {"mezzo", Stage::Mezzo}, {"tile", Stage::Tile}, {"llvm", Stage::Llvm},
      {"asm", Stage::Asm},     {"obj", Stage::Obj},   {"so", Stage::So}};
  for (auto [known, stage] : stages)
    if (name == known)
      return stage;
  return llvm::createStringError("cannot emit '" + name +
                                 "': use mezzo, tile, llvm, asm, obj or so");
}

llvm::Expected<WeightStorage> mezzo::parseWeightStorage(StringRef name) {
  if (name == "auto")
    return WeightStorage::Auto;
  if (name == "embed")
    return WeightStorage::Embed;
  if (name == "file")
    return WeightStorage::File;
  return llvm::createStringError("cannot store weights as '" + name +
                                 "': use auto, embed or file");
}

CompileSession::CompileSession(CompileOptions options, MessageSink sink)
    : options(std::move(options)), sink(std::move(sink)) {
  DialectRegistry registry;
  registerDialects(registry);
  mlirContext = std::make_unique<MLIRContext>(registry);
  mlirContext->loadAllAvailableDialects();
  forwarder =
      std::make_unique<DiagnosticForwarder>(mlirContext.get(), this->sink);
}

CompileSession::~CompileSession() = default;

LogicalResult CompileSession::fail(llvm::Error error) {
  sink(Severity::Error, toPrintable(llvm::toString(std::move(error)), 4096));
  return failure();
}

LogicalResult CompileSession::chooseTarget() {
  llvm::Expected<Target> found = lookupTarget(options.target);
  if (!found)
    return fail(found.takeError());
  chosenTarget = std::move(*found);
  if (options.target == "native")
    sink(Severity::Remark, "target native is " + chosenTarget->name +
                               ": the object needs " +
                               chosenTarget->requiredFeatures);
  return success();
}

LogicalResult CompileSession::load(StringRef path) {
  if (failed(chooseTarget()))
    return failure();
  if (onStep)
    onStep("reading");
  auto opened = OnnxModel::open(path);
  if (!opened)
    return fail(opened.takeError());
  model = std::move(*opened);
  if (onStep)
    onStep("importing");
  ImportOptions import;
  for (const auto &[name, size] : options.dims)
    import.dims[name] = size;
  for (const auto &[name, shape] : options.shapes)
    import.shapes[name] = SmallVector<int64_t>(shape.begin(), shape.end());
  if (!options.compute.empty()) {
    import.compute = symbolizeComputeMode(options.compute);
    if (!import.compute || (*import.compute != ComputeMode::Float &&
                            *import.compute != ComputeMode::Int))
      return fail(llvm::createStringError("cannot compute in mode '" +
                                          options.compute +
                                          "': use float or int"));
  }
  import.strictDq = options.strictDq;
  auto imported = importOnnx(model, *mlirContext, import);
  if (failed(imported))
    return failure();
  moduleRef = std::move(*imported);
  return success();
}

LogicalResult CompileSession::adopt(OwningOpRef<ModuleOp> module) {
  moduleRef = std::move(module);
  return chooseTarget();
}

LogicalResult
CompileSession::runPipeline(StringRef step,
                            llvm::function_ref<void(OpPassManager &)> build) {
  if (onStep)
    onStep(step);
  PassManager manager(mlirContext.get(), ModuleOp::getOperationName());
  build(manager);
  return manager.run(*moduleRef);
}

LogicalResult CompileSession::runTo(Stage stage) {
  PipelineOptions pipeline;
  pipeline.target = chosenTarget->name;
  pipeline.compute = options.compute.empty() ? "float" : options.compute;
  pipeline.config = options.config;
  auto due = [&](Stage wanted) {
    return (!reached || *reached < wanted) && wanted <= stage;
  };
  if (due(Stage::Mezzo)) {
    if (failed(runPipeline("canonicalizing", [&](OpPassManager &m) {
          buildTensorPipeline(m, pipeline);
        })))
      return failure();
    reached = Stage::Mezzo;
  }
  if (due(Stage::Tile)) {
    if (failed(runPipeline(
            "choosing strategies",
            [&](OpPassManager &m) { buildSelectPipeline(m, pipeline); })) ||
        failed(runPipeline("writing kernels", [&](OpPassManager &m) {
          buildKernelPipeline(m, pipeline);
        })))
      return failure();
    reached = Stage::Tile;
  }
  if (due(Stage::Llvm)) {
    if (failed(runPipeline("lowering", [&](OpPassManager &m) {
          buildBufferizePipeline(m, pipeline);
          buildLowerPipeline(m, pipeline);
        })))
      return failure();
    reached = Stage::Llvm;
  }
  return success();
}

void CompileSession::setModuleAttributes(StringRef output) {
  if (prefix.empty())
    prefix = toIdentifier(options.prefix.empty() ? llvm::sys::path::stem(output)
                                                 : StringRef(options.prefix));
  ModuleOp module = *moduleRef;
  Builder b(mlirContext.get());
  std::string hash =
      model ? llvm::toHex(model->sha256(), /*LowerCase=*/true) : std::string();
  std::string json =
      signatureJson(readSignature(module), chosenTarget->name,
                    options.compute.empty() ? "float" : options.compute, hash);
  module->setAttr("mezzo.prefix", b.getStringAttr(prefix));
  module->setAttr("mezzo.signature", b.getStringAttr(json));
  module->setAttr("mezzo.required_features",
                  b.getStringAttr(chosenTarget->requiredFeatures));
  if (!options.verifyInputs)
    module->setAttr("mezzo.no_verify", b.getUnitAttr());
}

FailureOr<std::unique_ptr<llvm::Module>>
CompileSession::translate(bool withRuntime) {
  if (failed(runTo(Stage::Llvm)))
    return failure();
  std::unique_ptr<llvm::Module> translated =
      translateModuleToLLVMIR(*moduleRef, llvmContext, prefix);
  if (!translated) {
    sink(Severity::Error,
         "could not translate the module to LLVM IR; this is a bug of mezzo");
    return failure();
  }
  if (withRuntime) {
    if (llvm::Error error =
            linkRuntime(*translated, *chosenTarget, prefix + "_api"))
      return fail(std::move(error));
  } else if (llvm::Error error = prepareModule(*translated, *chosenTarget)) {
    return fail(std::move(error));
  }
  return translated;
}

FailureOr<std::string> CompileSession::emitText(Stage stage) {
  setModuleAttributes("model");
  if (stage <= Stage::Tile) {
    if (failed(runTo(stage)))
      return failure();
    std::string text;
    llvm::raw_string_ostream os(text);
    // Bytes of weights are in the model's file and stay there.
    OpPrintingFlags flags;
    flags.elideLargeElementsAttrs(16).elideLargeResourceString(16);
    moduleRef->print(os, flags);
    return text + "\n";
  }
  auto translated = translate(/*withRuntime=*/false);
  if (failed(translated))
    return failure();
  std::string text;
  llvm::raw_string_ostream os(text);
  if (stage == Stage::Llvm) {
    (*translated)->print(os, nullptr);
    return text;
  }
  llvm::Expected<std::string> assembly =
      emitAssembly(**translated, *chosenTarget);
  if (!assembly) {
    (void)fail(assembly.takeError());
    return failure();
  }
  return *assembly;
}

LogicalResult CompileSession::writeObject(StringRef path) {
  setModuleAttributes(path);
  auto translated = translate(/*withRuntime=*/true);
  if (failed(translated))
    return failure();
  auto object = emitObject(**translated, *chosenTarget);
  if (!object)
    return fail(object.takeError());
  auto file = AtomicFile::create(path);
  if (!file)
    return fail(file.takeError());
  file->stream().write(object->data(), object->size());
  if (llvm::Error error = file->commit())
    return fail(std::move(error));
  return success();
}

LogicalResult CompileSession::writeShared(StringRef path) {
  setModuleAttributes(path);
  ModelSignature signature = readSignature(*moduleRef);
  if (failed(runTo(Stage::Tile)))
    return failure();
  if (onStep)
    onStep("packing weights");
  ModuleOp module = *moduleRef;
  Builder b(mlirContext.get());
  auto bytesAttr = module->getAttrOfType<IntegerAttr>(weightBytesAttrName());
  int64_t bytes = bytesAttr ? bytesAttr.getInt() : 0;
  bool embed = options.weights == WeightStorage::Embed ||
               (options.weights == WeightStorage::Auto && bytes <= EmbedLimit);
  std::string weightsPath = (path + (embed ? ".weights.o" : "")).str();
  if (!embed) {
    llvm::SmallString<128> beside(path);
    llvm::sys::path::replace_extension(beside, "weights");
    weightsPath = beside.str().str();
  }
  auto removeIntermediate = llvm::make_scope_exit([&] {
    if (embed)
      llvm::sys::fs::remove(weightsPath);
  });
  if (bytes > 0) {
    std::unique_ptr<WeightSink> file;
    if (embed) {
      auto created =
          EmbeddedObject::create(weightsPath, EmbeddedObject::Machine::X86_64);
      if (!created)
        return fail(created.takeError());
      file = std::move(*created);
      module->setAttr("mezzo.weights_symbol",
                      b.getStringAttr(weightPayloadSymbol));
    } else {
      auto created = WeightFile::create(weightsPath);
      if (!created)
        return fail(created.takeError());
      file = std::move(*created);
      module->setAttr("mezzo.weights_file",
                      b.getStringAttr(llvm::sys::path::filename(weightsPath)));
    }
    if (llvm::Error error =
            writeWeights(module, [&](int64_t offset, ArrayRef<uint8_t> part) {
              return file->write(offset, part);
            }))
      return fail(std::move(error));
    llvm::Expected<WeightHash> hash = file->finish(bytes);
    if (!hash)
      return fail(hash.takeError());
    module->setAttr("mezzo.weights_hash", b.getStringAttr(llvm::toHex(*hash)));
  }
  auto removeWeights = llvm::make_scope_exit([&] {
    if (bytes > 0 && !embed)
      llvm::sys::fs::remove(weightsPath);
  });
  auto translated = translate(/*withRuntime=*/true);
  if (failed(translated))
    return failure();
  if (onStep)
    onStep("generating code");
  auto object = emitObject(**translated, *chosenTarget);
  if (!object)
    return fail(object.takeError());
  if (onStep)
    onStep("linking");
  SmallVector<LinkInput> inputs{LinkInput::object(*object)};
  if (bytes > 0 && embed)
    inputs.push_back(LinkInput::file(weightsPath));
  std::string api = prefix + "_api";
  if (llvm::Error error = linkSharedObject(inputs, path, {StringRef(api)}))
    return fail(std::move(error));
  llvm::SmallString<128> header(path);
  llvm::sys::path::replace_extension(header, "h");
  auto headerFile = AtomicFile::create(header);
  if (!headerFile)
    return fail(headerFile.takeError());
  headerFile->stream() << modelHeader(signature, prefix);
  if (llvm::Error error = headerFile->commit())
    return fail(std::move(error));
  removeWeights.release();
  return success();
}
