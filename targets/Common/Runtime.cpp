//===- Runtime.cpp - The runtime inside a compiled model ------------------===//

#include "targets/Common/Runtime.h"

#include "lib/Weights/EmbeddedObject.h"
#include "runtime/Bitcode.h"
#include "targets/Common/Object.h"

#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/Module.h"
#include "llvm/Linker/Linker.h"
#include "llvm/Transforms/IPO/Internalize.h"

using namespace mezzo;
using llvm::StringRef;

namespace {

llvm::Expected<llvm::MemoryBufferRef> runtimeFor(const llvm::Triple &triple) {
  auto buffer = [](const char *begin, const char *end) {
    return llvm::MemoryBufferRef(StringRef(begin, end - begin), "runtime");
  };
  switch (triple.getArch()) {
  case llvm::Triple::x86_64:
    return buffer(mezzo_runtime_bitcode_x86_64,
                  mezzo_runtime_bitcode_x86_64_end);
  case llvm::Triple::aarch64:
    return buffer(mezzo_runtime_bitcode_aarch64,
                  mezzo_runtime_bitcode_aarch64_end);
  default:
    return llvm::createStringError(
        "there is no runtime for " + triple.getArchName() +
        " yet: compile for x86-64 or aarch64, or stop at --emit=llvm");
  }
}

/// Collects what LLVM would otherwise print on stderr.
class Collector : public llvm::DiagnosticHandler {
public:
  explicit Collector(std::string &text) : text(text) {}
  bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
    llvm::raw_string_ostream stream(text);
    llvm::DiagnosticPrinterRawOStream printer(stream);
    info.print(printer);
    return true;
  }

private:
  std::string &text;
};

/// llvm::Linker::linkModules with its diagnostics in the error.
llvm::Error link(llvm::Module &module, std::unique_ptr<llvm::Module> other) {
  llvm::LLVMContext &context = module.getContext();
  std::string text;
  std::unique_ptr<llvm::DiagnosticHandler> before =
      context.getDiagnosticHandler();
  context.setDiagnosticHandler(std::make_unique<Collector>(text));
  bool failed = llvm::Linker::linkModules(module, std::move(other));
  context.setDiagnosticHandler(std::move(before));
  if (failed)
    return llvm::createStringError("cannot join the model and its runtime: " +
                                   text);
  return llvm::Error::success();
}

llvm::Error checkDefined(const llvm::Module &module) {
  llvm::Error errors = llvm::Error::success();
  for (const llvm::GlobalValue &value : module.global_values())
    if (value.isDeclaration() && !value.use_empty() &&
        value.getName().starts_with("mezzo_") &&
        value.getName() != weightPayloadSymbol)
      errors = llvm::joinErrors(
          std::move(errors),
          llvm::createStringError("'" + value.getName() +
                                  "' is used, but neither the model nor the "
                                  "runtime defines it"));
  return errors;
}

} // namespace

llvm::Error mezzo::linkRuntime(llvm::Module &module, const Target &target,
                               StringRef apiSymbol) {
  if (llvm::Error error = prepareModule(module, target))
    return error;
  auto bitcode = runtimeFor(module.getTargetTriple());
  if (!bitcode)
    return bitcode.takeError();
  auto runtime = llvm::parseBitcodeFile(*bitcode, module.getContext());
  if (!runtime)
    return runtime.takeError();
  // Vendors may differ in the triple, and nothing else.
  (*runtime)->setTargetTriple(module.getTargetTriple());
  (*runtime)->setDataLayout(module.getDataLayout());
  if (llvm::Error error = link(module, std::move(*runtime)))
    return error;

  llvm::Function *api = module.getFunction(apiSymbol);
  if (!api || api->isDeclaration())
    return llvm::createStringError("the module does not define '" + apiSymbol +
                                   "', the function that a model exports");
  llvm::internalizeModule(
      module, [&](const llvm::GlobalValue &value) { return &value == api; });
  api->setVisibility(llvm::GlobalValue::DefaultVisibility);
  api->setDSOLocal(false);
  return checkDefined(module);
}
