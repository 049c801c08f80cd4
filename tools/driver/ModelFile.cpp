//===- ModelFile.cpp - a compiled model, looked at and not run ------------===//

#include "tools/driver/ModelFile.h"

#include "lib/Support/Sanitize.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

#include <dlfcn.h>

using namespace mezzo;
using llvm::createStringError;
using llvm::Expected;
using llvm::StringRef;

/// Calls `visit` with the names of symbols.
template <typename Range, typename Visit>
static void forEachName(Range &&symbols, Visit visit) {
  for (const llvm::object::ELFSymbolRef symbol : symbols) {
    Expected<StringRef> name = symbol.getName();
    if (name)
      visit(*name);
    else
      llvm::consumeError(name.takeError());
  }
}

llvm::Error mezzo::checkArchitecture(const llvm::object::ObjectFile &object,
                                     StringRef path) {
  llvm::Triple here(llvm::sys::getProcessTriple());
  if (object.getArch() == here.getArch())
    return llvm::Error::success();
  return createStringError(
      quoted(path) + " is compiled for " +
      llvm::Triple::getArchTypeName(object.getArch()) +
      ", and this machine is " + here.getArchName() +
      ": use it there, or compile it again with --target native");
}

Expected<ModelFile> ModelFile::open(StringRef path) {
  auto binary = llvm::object::ObjectFile::createObjectFile(path);
  auto *elf =
      binary
          ? llvm::dyn_cast<llvm::object::ELFObjectFileBase>(binary->getBinary())
          : nullptr;
  if (!elf) {
    std::string why = binary ? "it is not for this system"
                             : llvm::toString(binary.takeError());
    return createStringError("cannot read " + quoted(path) + ": " + why +
                             "; mezzo compile makes a model");
  }
  ModelFile file;
  std::string symbol;
  forEachName(elf->getDynamicSymbolIterators(), [&](StringRef name) {
    if (name.ends_with("_api"))
      symbol = name.str();
  });
  if (symbol.empty())
    return createStringError(quoted(path) +
                             " exports no model: mezzo compile makes one");
  forEachName(elf->symbols(), [&](StringRef name) {
    if (name.starts_with("matmul."))
      file.kernels.push_back(name.str());
  });
  if (llvm::Error error = checkArchitecture(*elf, path))
    return std::move(error);
  // A name without a slash would be looked for in the library path.
  llvm::SmallString<256> absolute(path);
  llvm::sys::fs::make_absolute(absolute);
  file.handle = dlopen(absolute.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!file.handle)
    return createStringError("cannot open " + quoted(path) + ": " +
                             toPrintable(dlerror(), 500));
  auto function =
      reinterpret_cast<mezzo_api_function>(dlsym(file.handle, symbol.c_str()));
  const mezzo_api *api = function ? function(MEZZO_ABI_VERSION) : nullptr;
  if (!api || api->module->abi_version != MEZZO_RT_ABI_VERSION)
    return createStringError(
        quoted(path) +
        " speaks another version of the ABI: compile the model again");
  file.table = api->module;
  return std::move(file);
}

ModelFile::ModelFile(ModelFile &&other)
    : kernels(std::move(other.kernels)),
      handle(std::exchange(other.handle, nullptr)), table(other.table) {}

ModelFile::~ModelFile() {
  if (handle)
    dlclose(handle);
}
