//===- Link.cpp - From objects to a shared object -------------------------===//

#include "targets/Common/Link.h"

#include "lib/Support/AtomicFile.h"

#include "lld/Common/Driver.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"

#include <deque>
#include <mutex>

LLD_HAS_DRIVER(elf)

using namespace mezzo;
using llvm::StringRef;

namespace {

/// Files that are gone with this object: lld reads its inputs by name.
class ScratchFiles {
public:
  ~ScratchFiles() {
    for (const std::string &path : paths) {
      llvm::sys::fs::remove(path);
      llvm::sys::DontRemoveFileOnSignal(path);
    }
  }

  /// A new file with these contents. Returns its path.
  llvm::Expected<StringRef> add(StringRef contents, StringRef suffix) {
    int descriptor;
    llvm::SmallString<128> path;
    if (std::error_code code = llvm::sys::fs::createTemporaryFile(
            "mezzo", suffix, descriptor, path))
      return llvm::createStringError(
          code, "cannot create a temporary file: " + code.message() +
                    " (set TMPDIR to a folder with room)");
    paths.push_back(path.str().str());
    llvm::sys::RemoveFileOnSignal(path);
    llvm::raw_fd_ostream out(descriptor, /*shouldClose=*/true);
    out << contents;
    out.close();
    if (std::error_code code = out.error()) {
      out.clear_error();
      return llvm::createStringError(
          code, "cannot write " + path.str() + ": " + code.message() +
                    " (set TMPDIR to a folder with room)");
    }
    return StringRef(paths.back());
  }

private:
  std::deque<std::string> paths; // whose elements stay where they are
};

bool isIdentifier(StringRef name) {
  return !name.empty() && !llvm::isDigit(name.front()) &&
         llvm::all_of(name,
                      [](char c) { return llvm::isAlnum(c) || c == '_'; });
}

/// What lld's `--version-script` reads: `exported` are visible, nothing else
/// is.
llvm::Expected<std::string> versionScript(llvm::ArrayRef<StringRef> exported) {
  std::string script = "{\n";
  if (!exported.empty())
    script += "global:\n";
  for (StringRef name : exported) {
    // Anything else would be taken for a pattern or for the script's syntax.
    if (!isIdentifier(name))
      return llvm::createStringError(
          "cannot export the symbol '" + name +
          "': it must be letters, digits and underscores");
    script += ("  " + name + ";\n").str();
  }
  return script + "local: *;\n};\n";
}

/// lld's messages, without what only helps on its own command line.
std::string tidy(StringRef messages) {
  llvm::SmallVector<StringRef> lines;
  messages.split(lines, '\n', -1, /*KeepEmpty=*/false);
  for (StringRef &line : lines) {
    line.consume_front("ld.lld: ");
    line.consume_front("error: ");
  }
  return llvm::join(lines, "\n");
}

/// Runs the linker. Its state is global, hence one at a time.
llvm::Error runLinker(llvm::ArrayRef<const char *> arguments,
                      StringRef output) {
  static std::mutex mutex;
  static bool crashed = false;
  std::lock_guard<std::mutex> lock(mutex);
  if (crashed)
    return llvm::createStringError(
        "cannot link '" + output +
        "': the linker crashed earlier in this process; start another one");

  std::string messages;
  llvm::raw_string_ostream stream(messages);
  lld::Result result =
      lld::lldMain(arguments, stream, stream, {{lld::Gnu, &lld::elf::link}});
  crashed = !result.canRunAgain;
  if (result.retCode != 0)
    return llvm::createStringError("cannot link '" + output +
                                   "': " + tidy(messages));
  return llvm::Error::success();
}

} // namespace

llvm::Error mezzo::linkSharedObject(llvm::ArrayRef<LinkInput> inputs,
                                    StringRef output,
                                    llvm::ArrayRef<StringRef> exported) {
  llvm::Expected<std::string> script = versionScript(exported);
  if (!script)
    return script.takeError();
  llvm::Expected<AtomicFile> file =
      AtomicFile::create(output, AtomicFile::Executable);
  if (!file)
    return file.takeError();

  ScratchFiles scratch;
  llvm::Expected<StringRef> scriptPath = scratch.add(*script, "ver");
  if (!scriptPath)
    return scriptPath.takeError();
  llvm::SmallVector<std::string> paths;
  for (const LinkInput &input : inputs) {
    if (!input.path.empty()) {
      paths.push_back(input.path);
      continue;
    }
    llvm::Expected<StringRef> path = scratch.add(input.contents, "o");
    if (!path)
      return path.takeError();
    paths.push_back(path->str());
  }

  std::string soname = ("--soname=" + llvm::sys::path::filename(output)).str();
  std::string versions = ("--version-script=" + *scriptPath).str();
  std::string temporary = file->temporaryPath().str();
  llvm::SmallVector<const char *> arguments = {
      "ld.lld",
      "-shared",
      "--gc-sections",
      "--build-id=none",
      "--color-diagnostics=never",
      // An exported name without a definition is a bug of ours.
      "--no-undefined-version",
      // A link takes a millisecond; a thread pool would outlive it and be in
      // the way of whoever forks.
      "--threads=1",
      // All relocations are done when the model is opened, and its tables are
      // read-only from then on.
      "-z",
      "now",
      soname.c_str(),
      versions.c_str(),
      "-o",
      temporary.c_str(),
  };
  for (const std::string &path : paths)
    arguments.push_back(path.c_str());
  if (llvm::Error error = runLinker(arguments, output))
    return error;
  return file->commit();
}
