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
#include "passes/Select/Choices.h"
#include "targets/Common/Link.h"
#include "targets/Common/Object.h"
#include "targets/Common/Runtime.h"
#include "tools/driver/Context.h"
#include "tools/driver/Folder.h"
#include "tools/driver/ModelHeader.h"
#include "tools/driver/Signature.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace mezzo;

/// Weights up to this size go into the shared object when nobody says
/// otherwise.
static constexpr int64_t EmbedLimit = int64_t(16) << 20;

static EmbeddedObject::Machine machineOf(const Target &target) {
  return llvm::Triple(target.triple).isAArch64()
             ? EmbeddedObject::Machine::AArch64
             : EmbeddedObject::Machine::X86_64;
}

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

LogicalResult CompileSession::bug(const llvm::Twine &what) {
  isBug = true;
  std::string text =
      (what + "; this is a bug of mezzo: please report it").str();
  if (snapshot && !options.reproducer.empty()) {
    if (llvm::Error error = snapshot->write(options.reproducer))
      text += " (no reproducer: " + llvm::toString(std::move(error)) + ")";
    else
      text += " with " + quoted(options.reproducer) +
              ", which mezzo-opt --run-reproducer repeats";
  }
  sink(Severity::Error, toPrintable(text, 8192));
  return failure();
}

void CompileSession::reportCrash(StringRef reason) {
  (void)bug("the compiler crashed while " + currentStep +
            (reason.empty() ? "" : " (" + reason + ")"));
}

void CompileSession::begin(StringRef step) {
  currentStep = step.str();
  if (onStep)
    onStep(step);
}

LogicalResult CompileSession::chooseTarget() {
  llvm::Expected<Target> found = lookupTarget(options.target);
  if (!found)
    return fail(found.takeError());
  chosenTarget = std::move(*found);
  if (!options.knobs.empty() && !chosenTarget->writeFolder)
    return fail(llvm::createStringError(
        "target " + quoted(chosenTarget->name) +
        " has no knobs: --knobs is for targets that write sources (c, hls)"));
  // No strategy computes this mode in kernels; sources of C have it.
  if (options.compute == "integer-only" && chosenTarget->writeFolder) {
    isIntegerOnly = true;
    options.compute = "float"; // of numbers that were codes
  }
  if (options.target == "native")
    sink(Severity::Remark, "target native is " + chosenTarget->name +
                               ": the object needs " +
                               chosenTarget->requiredFeatures);
  return success();
}

LogicalResult CompileSession::load(StringRef path) {
  if (failed(chooseTarget()))
    return failure();
  begin("reading");
  auto opened = OnnxModel::open(path);
  if (!opened)
    return fail(opened.takeError());
  model = std::move(*opened);
  begin("importing");
  ImportOptions import;
  for (const auto &[name, size] : options.dims)
    import.dims[name] = size;
  for (const auto &[name, shape] : options.shapes)
    import.shapes[name] = SmallVector<int64_t>(shape.begin(), shape.end());
  if (!options.compute.empty()) {
    auto compute = parseComputeMode(options.compute);
    if (!compute)
      return fail(compute.takeError());
    import.compute = *compute;
  }
  import.strictDq = options.strictDq;
  auto imported = importOnnx(model, *mlirContext, import);
  if (failed(imported))
    return failure();
  ErrorHold hold(mlirContext.get());
  if (failed(verify(**imported)))
    return bug("the imported module is not valid: " +
               llvm::join(llvm::ArrayRef(hold.errors).take_front(1), ""));
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
  begin(step);
  PassManager manager(mlirContext.get(), ModuleOp::getOperationName());
  build(manager);
  snapshot.emplace(*moduleRef, manager);
  PipelineEnd end = runWatched(manager, *moduleRef);
  if (end.brokenPass)
    return bug("pass " + *end.brokenPass + " failed while " + step +
               (end.errors.empty() ? "" : ": " + end.errors.front()));
  for (const std::string &error : end.errors)
    sink(Severity::Error, error);
  return success(!end.failed);
}

LogicalResult CompileSession::runExtraPasses() {
  if (options.extraPasses.empty())
    return success();
  OpPassManager extra(ModuleOp::getOperationName());
  if (llvm::Error error = parsePipeline(options.extraPasses, extra))
    return fail(std::move(error));
  return runPipeline("running extra passes", [&](OpPassManager &manager) {
    llvm::cantFail(parsePipeline(options.extraPasses, manager));
  });
}

LogicalResult CompileSession::runTo(Stage stage) {
  PipelineOptions pipeline;
  pipeline.target = chosenTarget->name;
  pipeline.compute = options.compute;
  pipeline.config = options.config;
  pipeline.tuningDb = options.tuningDb;
  pipeline.requireTuned = options.requireTuned;
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
    if (chosenTarget->writeFolder)
      return fail(lookupMachine(chosenTarget->name).takeError());
    if (failed(runPipeline(
            "choosing strategies",
            [&](OpPassManager &m) { buildSelectPipeline(m, pipeline); })) ||
        failed(runPipeline(
            "writing kernels",
            [&](OpPassManager &m) { buildKernelPipeline(m, pipeline); })) ||
        failed(runExtraPasses()))
      return failure();
    reached = Stage::Tile;
    noteChoices();
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
  noteChoices();
}

FailureOr<std::unique_ptr<llvm::Module>>
CompileSession::translate(bool withRuntime) {
  if (failed(runTo(Stage::Llvm)))
    return failure();
  std::unique_ptr<llvm::Module> translated =
      translateModuleToLLVMIR(*moduleRef, llvmContext, prefix);
  if (!translated)
    return bug("could not translate the module to LLVM IR");
  // What is missing would be missed only when the model is opened.
  for (const llvm::Function &function : *translated)
    if (function.isDeclaration() && !function.isIntrinsic() &&
        !function.getName().starts_with("mezzo_rt_"))
      return bug("the code calls '" + function.getName() +
                 "', which a compiled model does not have");
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

void CompileSession::noteChoices() {
  ModuleOp module = *moduleRef;
  auto signature = module->getAttrOfType<StringAttr>("mezzo.signature");
  auto choices = module->getAttrOfType<ArrayAttr>(choicesAttrName());
  if (signature && choices)
    module->setAttr(
        "mezzo.signature",
        StringAttr::get(mlirContext.get(), withChoices(signature, choices)));
}

StringRef CompileSession::signature() {
  auto text = (*moduleRef)->getAttrOfType<StringAttr>("mezzo.signature");
  return text ? text.getValue() : StringRef();
}

FailureOr<llvm::SmallVector<char, 0>> CompileSession::objectCode() {
  setModuleAttributes("model");
  auto translated = translate(/*withRuntime=*/false);
  if (failed(translated))
    return failure();
  auto object = emitObject(**translated, *chosenTarget);
  if (!object) {
    (void)fail(object.takeError());
    return failure();
  }
  return std::move(*object);
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

FailureOr<std::string> CompileSession::writeFolder(StringRef path) {
  if (options.weights != WeightStorage::Auto || !options.config.empty())
    return fail(llvm::createStringError(
        "target " + quoted(chosenTarget->name) +
        " writes weights as constants and has no register tiles: leave out "
        "--weight-storage and --tile"));
  setModuleAttributes(path);
  PipelineOptions pipeline;
  if (failed(runTo(Stage::Mezzo)) ||
      failed(runPipeline("forming stages", [&](OpPassManager &m) {
        buildSourcePipeline(m, pipeline);
      })))
    return failure();
  begin("writing sources");
  auto result = chosenTarget->writeFolder(
      *moduleRef, {prefix, options.knobs, isIntegerOnly});
  if (!result)
    return fail(result.takeError());
  if (llvm::Error error = writeFiles(path, result->files))
    return fail(std::move(error));
  return result->summary;
}

LogicalResult CompileSession::writeShared(StringRef path) {
  llvm::SmallString<128> headerPath(path), weightsPath(path);
  llvm::sys::path::replace_extension(headerPath, "h");
  llvm::sys::path::replace_extension(weightsPath, "weights");
  if (path == headerPath || path == weightsPath)
    return fail(llvm::createStringError(
        "cannot write the shared object to " + quoted(path) +
        ": the file beside it would have the same name; call it " +
        quoted(llvm::sys::path::stem(path).str() + ".so")));
  // Where it cannot be written, that is better known before the long part.
  llvm::Expected<AtomicFile> header = AtomicFile::create(headerPath);
  if (!header)
    return fail(header.takeError());

  setModuleAttributes(path);
  ModelSignature signature = readSignature(*moduleRef);
  if (failed(runTo(Stage::Tile)))
    return failure();
  begin("packing weights");
  ModuleOp module = *moduleRef;
  Builder b(mlirContext.get());
  auto bytesAttr = module->getAttrOfType<IntegerAttr>(weightBytesAttrName());
  int64_t bytes = bytesAttr ? bytesAttr.getInt() : 0;
  bool embed = options.weights == WeightStorage::Embed ||
               (options.weights == WeightStorage::Auto && bytes <= EmbedLimit);
  // Embedded weights are an object that only the linker sees; it never gets its
  // name.
  std::unique_ptr<WeightSink> weights;
  if (bytes > 0) {
    if (embed) {
      auto created =
          EmbeddedObject::create(weightsPath, machineOf(*chosenTarget));
      if (!created)
        return fail(created.takeError());
      weights = std::move(*created);
      module->setAttr("mezzo.weights_symbol",
                      b.getStringAttr(weightPayloadSymbol));
    } else {
      auto created = WeightFile::create(weightsPath);
      if (!created)
        return fail(created.takeError());
      weights = std::move(*created);
      module->setAttr("mezzo.weights_file",
                      b.getStringAttr(llvm::sys::path::filename(weightsPath)));
    }
    if (llvm::Error error =
            writeWeights(module, [&](int64_t offset, ArrayRef<uint8_t> part) {
              return weights->write(offset, part);
            }))
      return fail(std::move(error));
    llvm::Expected<WeightHash> hash = weights->seal(bytes);
    if (!hash)
      return fail(hash.takeError());
    module->setAttr("mezzo.weights_hash", b.getStringAttr(llvm::toHex(*hash)));
  }
  auto translated = translate(/*withRuntime=*/true);
  if (failed(translated))
    return failure();
  begin("generating code");
  auto object = emitObject(**translated, *chosenTarget);
  if (!object)
    return fail(object.takeError());
  begin("linking");
  SmallVector<LinkInput> inputs{LinkInput::object(*object)};
  if (weights && embed)
    inputs.push_back(LinkInput::file(weights->temporaryPath()));
  header->stream() << modelHeader(signature, prefix);
  std::string api = prefix + "_api";
  llvm::Error error = linkSharedObject(inputs, path, {StringRef(api)});
  if (!error && weights && !embed)
    error = weights->commit();
  if (!error)
    error = header->commit();
  return error ? fail(std::move(error)) : success();
}
