//===- Emulator.h - Programs for aarch64, run under qemu ------------------===//
//
// For tests: this machine compiles for aarch64 in process, and qemu's user mode
// runs the result with the C library of Debian's cross packages. Which CPU qemu
// plays decides which features there are.
//
//===----------------------------------------------------------------------===//

#ifndef MEZZO_TARGETS_ARM64_EMULATOR_H
#define MEZZO_TARGETS_ARM64_EMULATOR_H

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

#include <string>
#include <vector>

namespace mezzo::arm64 {

/// A target and the CPU that qemu plays to run its code: the oldest that has
/// what the target needs.
struct EmulatedCpu {
  const char *target, *cpu;
};
inline constexpr EmulatedCpu emulatedCpus[] = {
    {"aarch64", "cortex-a72"},
    {"aarch64+dotprod", "neoverse-n1"},
    {"aarch64+dotprod+i8mm", "max"},
};

/// Skips the test where there is no emulator.
#define SKIP_WITHOUT_EMULATOR()                                                \
  if (llvm::StringRef(MEZZO_QEMU_AARCH64).empty())                             \
  GTEST_SKIP() << "there is no qemu-aarch64 here, so code for aarch64 is not " \
                  "run; ./dev setup installs it (qemu-user)"

/// A folder for what goes in and out, gone with the object.
class EmulatorFolder {
public:
  EmulatorFolder() {
    EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("mezzo-arm", path));
  }
  ~EmulatorFolder() { llvm::sys::fs::remove_directories(path); }

  std::string file(const llvm::Twine &name) const {
    llvm::SmallString<128> result(path);
    llvm::sys::path::append(result, name);
    return result.str().str();
  }
  void write(const llvm::Twine &name, llvm::StringRef bytes) const {
    std::error_code code;
    llvm::raw_fd_ostream out(file(name), code);
    EXPECT_FALSE(code) << code.message();
    out << bytes;
  }
  std::string read(const llvm::Twine &name) const {
    auto buffer = llvm::MemoryBuffer::getFile(file(name), /*IsText=*/false,
                                              /*RequiresNullTerminator=*/false);
    return buffer ? (*buffer)->getBuffer().str() : std::string();
  }

private:
  llvm::SmallString<128> path;
};

/// How a program ended, and what it wrote on stderr.
struct EmulatorResult {
  int status; ///< negative: it was killed by a signal
  std::string errors;
};

/// Runs a program of mezzo_aarch64_program on a CPU.
inline EmulatorResult emulate(llvm::StringRef cpu, llvm::StringRef program,
                              llvm::ArrayRef<std::string> arguments) {
  EmulatorFolder folder;
  std::string errors = folder.file("errors");
  std::vector<llvm::StringRef> command{MEZZO_QEMU_AARCH64,    "-cpu", cpu, "-L",
                                       MEZZO_AARCH64_SYSROOT, program};
  command.insert(command.end(), arguments.begin(), arguments.end());
  std::string problem;
  std::optional<llvm::StringRef> redirects[] = {
      llvm::StringRef(), llvm::StringRef(), llvm::StringRef(errors)};
  int status =
      llvm::sys::ExecuteAndWait(command[0], command, std::nullopt, redirects,
                                /*SecondsToWait=*/600, 0, &problem);
  return {status, folder.read("errors") + problem};
}

} // namespace mezzo::arm64

#endif // MEZZO_TARGETS_ARM64_EMULATOR_H
