//===- MezzoDialect.cpp - registration ------------------------------------===//

#include "dialects/Mezzo/Mezzo.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mezzo;

#include "dialects/Mezzo/MezzoDialect.cpp.inc"
#include "dialects/Mezzo/MezzoEnums.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/Mezzo/MezzoOps.cpp.inc"

void MezzoDialect::initialize() {
  registerTypes();
  registerAttributes();
  addOperations<
#define GET_OP_LIST
#include "dialects/Mezzo/MezzoOps.cpp.inc"
      >();
}
