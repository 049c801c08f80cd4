//===- TileDialect.cpp - registration, verifiers, folders -----------------===//

#include "dialects/Tile/Tile.h"

using namespace mlir;
using namespace mezzo::tile;

#include "dialects/Tile/TileDialect.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/Tile/TileOps.cpp.inc"

void TileDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/Tile/TileOps.cpp.inc"
      >();
}

LogicalResult FieldOp::verify() {
  int64_t shift = getShift(), width = getWidth(), to = getTo();
  if (width < 1 || shift < 0 || to < 0 || shift + width > 8 || to + width > 8)
    return emitOpError() << "moves " << width << " bits from bit " << shift
                         << " to bit " << to << ", but a byte has bits 0..7";
  return success();
}

OpFoldResult FieldOp::fold(FoldAdaptor) {
  // A whole byte that stays in place is the byte.
  if (getWidth() == 8)
    return getSource();
  return {};
}

LogicalResult DotOp::verify() {
  auto u = cast<VectorType>(getU().getType()),
       acc = cast<VectorType>(getAcc().getType());
  if (u.getNumElements() != 4 * acc.getNumElements())
    return emitOpError() << "adds " << u.getNumElements() << " products to "
                         << acc.getNumElements()
                         << " lanes: four products a lane are needed";
  if (getUmax() < 0 || getUmax() > 255 || getSmax() < 0 || getSmax() > 128)
    return emitOpError() << "declares u <= " << getUmax()
                         << " and |s| <= " << getSmax()
                         << ", but bytes hold 0..255 and -128..127";
  return success();
}

LogicalResult BroadcastGroupOp::verify() {
  int64_t bytes = cast<VectorType>(getResult().getType()).getNumElements();
  if (bytes % 4 != 0)
    return emitOpError() << "repeats four bytes over " << bytes
                         << ": a multiple of four is needed";
  int64_t rank = cast<MemRefType>(getBase().getType()).getRank();
  if (int64_t(getIndices().size()) != rank)
    return emitOpError() << "has " << getIndices().size()
                         << " indices into a memref of rank " << rank;
  return success();
}
