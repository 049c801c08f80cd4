//===- Object.cpp - From LLVM IR to machine code --------------------------===//

#include "targets/Common/Object.h"

#include "targets/Common/Sink.h"

#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/CodeGen/TargetSubtargetInfo.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Target/TargetOptions.h"

using namespace mezzo;
using llvm::StringRef;

namespace {

/// LLVM only warns, on stderr, about a CPU or feature that it does not know,
/// and goes on without.
llvm::Error checkNames(const Target &target,
                       const llvm::MCSubtargetInfo &info) {
  if (!info.isCPUStringValid(target.cpu))
    return llvm::createStringError("LLVM has no CPU '" + target.cpu +
                                   "' for the target " + target.name);
  if (!target.tuneCpu.empty() && !info.isCPUStringValid(target.tuneCpu))
    return llvm::createStringError("LLVM has no CPU '" + target.tuneCpu +
                                   "' to schedule for, of the target " +
                                   target.name);
  llvm::SmallVector<StringRef> features;
  StringRef(target.features).split(features, ',', -1, /*KeepEmpty=*/false);
  for (StringRef feature : features)
    if (llvm::none_of(info.getAllProcessorFeatures(), [&](const auto &known) {
          return feature.drop_front() == known.Key;
        }))
      return llvm::createStringError("LLVM has no feature '" + feature +
                                     "' for the target " + target.name);
  return llvm::Error::success();
}

void setAttributes(llvm::Module &module, const Target &target) {
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    if (function.hasFnAttribute("target-cpu")) {
      // LLVM would take the features that it does not name from the target.
      if (!function.hasFnAttribute("target-features"))
        function.addFnAttr("target-features", "");
      continue;
    }
    function.addFnAttr("target-cpu", target.cpu);
    function.addFnAttr("target-features", target.features);
    if (!target.tuneCpu.empty())
      function.addFnAttr("tune-cpu", target.tuneCpu);
    // Callers keep the stack at 16 bytes. Spill slots of 32-byte vectors that
    // straddle cache lines make kernels 2 to 3 times slower at some depths.
    function.addFnAttr("stackrealign");
    function.addFnAttr(llvm::Attribute::NoUnwind);
  }
}

/// Whether there is one of the features "a|b".
bool hasAny(const llvm::MCSubtargetInfo &info, StringRef features) {
  return llvm::any_of(llvm::split(features, '|'), [&](StringRef feature) {
    return info.checkFeatures("+" + feature.str());
  });
}

/// Instruction selection calls abort() on an intrinsic without an instruction,
/// so it must not see one.
llvm::Error checkIntrinsics(const llvm::Module &module, const Target &target,
                            const llvm::TargetMachine &machine) {
  if (!target.intrinsicFeature)
    return llvm::Error::success();
  llvm::Error errors = llvm::Error::success();
  auto refuse = [&](const llvm::Function &caller, StringRef intrinsic,
                    const llvm::Twine &why) {
    errors = llvm::joinErrors(
        std::move(errors),
        llvm::createStringError("function '" + caller.getName() + "' uses " +
                                intrinsic + ", " + why));
  };
  for (const llvm::Function &intrinsic : module) {
    if (!intrinsic.isIntrinsic() || intrinsic.use_empty())
      continue;
    std::optional<StringRef> feature =
        target.intrinsicFeature(intrinsic.getName());
    if (feature && feature->empty())
      continue;
    llvm::SmallPtrSet<const llvm::Function *, 8> seen;
    for (const llvm::User *user : intrinsic.users()) {
      const auto *call = llvm::dyn_cast<llvm::Instruction>(user);
      if (!call || !seen.insert(call->getFunction()).second)
        continue;
      const llvm::Function &caller = *call->getFunction();
      if (!feature)
        refuse(caller, intrinsic.getName(),
               "and the target " + target.name +
                   " does not say which CPUs have it: add it to the table of "
                   "intrinsics of that target");
      else if (!hasAny(*machine.getSubtargetImpl(caller), *feature))
        refuse(caller, intrinsic.getName(),
               "which needs " + llvm::join(llvm::split(*feature, '|'), " or ") +
                   ", and " +
                   caller.getFnAttribute("target-cpu").getValueAsString() +
                   " does not have it: lower this kernel for the target that "
                   "it is emitted for");
    }
  }
  return errors;
}

llvm::Error emit(llvm::Module &module, const Target &target,
                 llvm::CodeGenOptLevel level, llvm::CodeGenFileType type,
                 llvm::raw_pwrite_stream &out) {
  auto machine = createTargetMachine(target, level);
  if (!machine)
    return machine.takeError();
  if (llvm::Error error = prepareModule(module, target))
    return error;

  std::string problem;
  llvm::raw_string_ostream problems(problem);
  if (llvm::verifyModule(module, &problems))
    return llvm::createStringError(
        "the LLVM IR of '" + module.getName() +
        "' is not valid: " + StringRef(problem).rtrim());
  if (llvm::Error error = checkIntrinsics(module, target, **machine))
    return error;
  if (target.sinksDecoding)
    sinkDecoding(module);

  llvm::legacy::PassManager passes;
  if ((*machine)->addPassesToEmitFile(passes, out, nullptr, type))
    return llvm::createStringError("LLVM cannot write such a file for the "
                                   "target " +
                                   target.name);
  passes.run(module);
  return llvm::Error::success();
}

} // namespace

llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
mezzo::createTargetMachine(const Target &target, llvm::CodeGenOptLevel level) {
  if (target.initializeBackend)
    target.initializeBackend();
  llvm::Triple triple(target.triple);
  std::string problem;
  const llvm::Target *backend =
      llvm::TargetRegistry::lookupTarget(triple, problem);
  if (!backend)
    return llvm::createStringError("the target " + target.name +
                                   " has no back end in this LLVM: " + problem);

  // By the names of a machine without features, so that LLVM has nothing to
  // warn about before they are checked.
  std::unique_ptr<llvm::MCSubtargetInfo> names(
      backend->createMCSubtargetInfo(triple, "", ""));
  if (llvm::Error error = checkNames(target, *names))
    return std::move(error);

  llvm::TargetOptions options;
  // So that the linker can drop what nothing reaches.
  options.FunctionSections = true;
  options.DataSections = true;
  return std::unique_ptr<llvm::TargetMachine>(backend->createTargetMachine(
      triple, target.cpu, target.features, options, llvm::Reloc::PIC_,
      llvm::CodeModel::Small, level));
}

llvm::Error mezzo::prepareModule(llvm::Module &module, const Target &target) {
  auto machine = createTargetMachine(target);
  if (!machine)
    return machine.takeError();
  module.setTargetTriple((*machine)->getTargetTriple());
  module.setDataLayout((*machine)->createDataLayout());
  // Without this flag LLVM addresses data as a program does, not a library.
  if (module.getPICLevel() == llvm::PICLevel::NotPIC)
    module.setPICLevel(llvm::PICLevel::BigPIC);
  setAttributes(module, target);
  return llvm::Error::success();
}

llvm::Expected<llvm::SmallVector<char, 0>>
mezzo::emitObject(llvm::Module &module, const Target &target,
                  llvm::CodeGenOptLevel level) {
  llvm::SmallVector<char, 0> object;
  llvm::raw_svector_ostream out(object);
  if (llvm::Error error =
          emit(module, target, level, llvm::CodeGenFileType::ObjectFile, out))
    return std::move(error);
  return object;
}

llvm::Expected<std::string> mezzo::emitAssembly(llvm::Module &module,
                                                const Target &target,
                                                llvm::CodeGenOptLevel level) {
  llvm::SmallVector<char, 0> text;
  llvm::raw_svector_ostream out(text);
  if (llvm::Error error =
          emit(module, target, level, llvm::CodeGenFileType::AssemblyFile, out))
    return std::move(error);
  return std::string(text.data(), text.size());
}
