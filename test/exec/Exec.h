//===- Exec.h - compile a module in this process and run it ---------------===//

#ifndef MEZZO_TEST_EXEC_EXEC_H
#define MEZZO_TEST_EXEC_EXEC_H

#include "tools/driver/LoadedModel.h"
#include "tools/driver/ProductModule.h"
#include "tools/driver/Session.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <gtest/gtest.h>
#include <random>

namespace mezzo::test {

/// A folder of its own, gone with the object.
class ScratchFolder {
public:
  ScratchFolder() {
    EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("mezzo-exec", path));
  }
  ~ScratchFolder() { llvm::sys::fs::remove_directories(path); }
  std::string file(llvm::StringRef name) const {
    llvm::SmallString<128> result(path);
    llvm::sys::path::append(result, name);
    return result.str().str();
  }

private:
  llvm::SmallString<128> path;
};

/// Compiles the module that `make` builds, and opens it. Diagnostics become
/// test failures.
inline std::unique_ptr<LoadedModel> compileAndOpen(
    const ScratchFolder &folder, CompileOptions options, int threads,
    llvm::function_ref<
        llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>(mlir::MLIRContext &)>
        make) {
  static int serial = 0;
  CompileSession session(options,
                         [](Severity severity, const std::string &text) {
                           if (severity == Severity::Error)
                             ADD_FAILURE() << text;
                         });
  auto module = make(session.context());
  if (!module) {
    ADD_FAILURE() << llvm::toString(module.takeError());
    return nullptr;
  }
  std::string path = folder.file("model" + std::to_string(serial++) + ".so");
  if (mlir::failed(session.adopt(std::move(*module))) ||
      mlir::failed(session.writeShared(path)))
    return nullptr;
  auto model = LoadedModel::open(path, threads);
  if (!model) {
    ADD_FAILURE() << llvm::toString(model.takeError());
    return nullptr;
  }
  return std::move(*model);
}

/// Numbers of a heavy-tailed kind, never all zero.
inline std::vector<float> randomFloats(size_t count, unsigned seed,
                                       float scale = 1) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(count);
  for (float &value : values)
    value = normal(engine);
  return values;
}

} // namespace mezzo::test

#endif // MEZZO_TEST_EXEC_EXEC_H
