//===- Context.cpp - what a compilation needs registered ------------------===//

#include "tools/driver/Context.h"

#include "dialects/Mezzo/Mezzo.h"
#include "dialects/Tile/Tile.h"
#include "passes/Passes.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"

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
