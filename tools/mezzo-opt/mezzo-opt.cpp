//===- mezzo-opt.cpp - passes on IR text ----------------------------------===//

#include "tools/driver/Context.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mezzo::registerDialects(registry);
  mezzo::registerPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "mezzo-opt: runs passes on modules\n", registry));
}
