//===- Context.cpp - what a compilation needs registered ------------------===//

#include "tools/driver/Context.h"

#include "dialects/Mezzo/Mezzo.h"
#include "dialects/Tile/Tile.h"
#include "passes/Passes.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"

#include <mutex>

void mezzo::registerDialects(mlir::DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  registry.insert<MezzoDialect, tile::TileDialect>();
  registerMezzoBufferization(registry);
}

void mezzo::registerPasses() {
  mlir::registerAllPasses();
  registerMezzoPasses();
  registerMezzoPipelines();
}

llvm::Error mezzo::parsePipeline(llvm::StringRef text,
                                 mlir::OpPassManager &manager) {
  static std::once_flag registered;
  std::call_once(registered, registerPasses);
  text = text.trim();
  if (text.consume_front("builtin.module(") && !text.consume_back(")"))
    return llvm::createStringError(
        "the pipeline has no closing parenthesis: write "
        "builtin.module(pass,pass)");
  std::string errors;
  llvm::raw_string_ostream os(errors);
  if (mlir::failed(mlir::parsePassPipeline(text, manager, os)))
    return llvm::createStringError("cannot read the pipeline '" + text +
                                   "': " + llvm::StringRef(errors).trim());
  return llvm::Error::success();
}
