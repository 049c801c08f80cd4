//===- Registry.cpp - All targets by name ---------------------------------===//

#include "targets/Arm64/Arm64.h"
#include "targets/HlsC/HlsC.h"
#include "targets/Target.h"
#include "targets/X86/X86.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

using namespace mezzo;
using llvm::StringRef;

namespace {

constexpr StringRef genericSuffix = "+generic";

/// Names that users of other compilers will try, and that are coming.
bool isPlanned(StringRef name) {
  static constexpr StringRef beginnings[] = {"x86-64", "aarch64", "arm64",
                                             "ptx-", "sm_"};
  return llvm::any_of(beginnings, [&](StringRef beginning) {
    return name.starts_with(beginning);
  });
}

/// Machines that instructions are written for; the default one first.
std::vector<Target> allTargets() {
  std::vector<Target> all = x86::targets();
  llvm::append_range(all, arm64::targets());
  return all;
}

llvm::Expected<Target> nativeTarget() {
  llvm::Triple host(llvm::sys::getProcessTriple());
  if (host.getArch() == llvm::Triple::x86_64)
    return x86::bestFor(llvm::sys::getHostCPUFeatures());
  return llvm::createStringError(
      "what this machine (" + host.getArchName() +
      ") can do is not asked yet: name the target (--target=x86-64-v3, "
      "--target=aarch64+dotprod)");
}

Target withoutSpellings(Target target) {
  target.name += genericSuffix;
  target.populateTileSpellings = nullptr;
  for (const Target &oldest : allTargets()) {
    if (oldest.triple != target.triple)
      continue;
    target.cpu = oldest.cpu;
    target.features = oldest.features;
    target.requiredFeatures = oldest.requiredFeatures;
    break;
  }
  return target;
}

} // namespace

std::optional<StringRef>
mezzo::featureOfIntrinsic(StringRef name, StringRef machine,
                          llvm::ArrayRef<IntrinsicFamily> families) {
  if (!name.consume_front(machine))
    return StringRef();
  for (const IntrinsicFamily &family : families)
    if (name.starts_with(family.prefix))
      return family.feature;
  return std::nullopt;
}

llvm::Expected<Target> mezzo::lookupTarget(StringRef name) {
  if (name == "native")
    return nativeTarget();
  if (name == "generic")
    return withoutSpellings(allTargets().front());
  for (const Target &target : hlsc::targets())
    if (name == target.name)
      return target;
  for (const Target &target : allTargets()) {
    if (name == target.name)
      return target;
    if (name == target.name + genericSuffix.str())
      return withoutSpellings(target);
  }

  std::string known = llvm::join(targetNames(), ", ");
  if (isPlanned(name))
    return llvm::createStringError(
        "target '" + name + "' is not supported yet: use one of " + known);
  return llvm::createStringError("there is no target '" + name +
                                 "': use one of " + known);
}

bool mezzo::runsHere(const Target &target) {
  llvm::Triple host(llvm::sys::getProcessTriple());
  if (llvm::Triple(target.triple).getArch() != host.getArch())
    return false;
  const llvm::StringMap<bool> has = llvm::sys::getHostCPUFeatures();
  return llvm::all_of(llvm::split(target.requiredFeatures, ','),
                      [&](StringRef feature) { return has.lookup(feature); });
}

llvm::Expected<Target> mezzo::lookupMachine(StringRef name) {
  llvm::Expected<Target> target = lookupTarget(name);
  if (target && target->writeFolder)
    return llvm::createStringError(
        "target '" + name +
        "' has no kernels: it writes a folder of sources, by mezzo compile "
        "model.onnx --target " +
        name + " -o folder");
  return target;
}

std::vector<std::string> mezzo::targetNames() {
  std::vector<std::string> names = {"native", "generic"};
  for (const Target &target : allTargets()) {
    names.push_back(target.name);
    names.push_back(withoutSpellings(target).name);
  }
  for (const Target &target : hlsc::targets())
    names.push_back(target.name);
  return names;
}
