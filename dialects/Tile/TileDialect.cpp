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

/// Codes and activations that `dot` and `dot_pairs` share: `bytes` for each of
/// `lanes` accumulators, and declared ranges that bytes can have.
static LogicalResult verifyProduct(Operation *op, Type codes, Type acc,
                                   int64_t bytesPerLane, int64_t low,
                                   int64_t high, int64_t amax) {
  int64_t bytes = cast<VectorType>(codes).getNumElements(),
          lanes = cast<VectorType>(acc).getNumElements();
  if (bytes != bytesPerLane * lanes)
    return op->emitOpError()
           << "adds " << bytes << " products to " << lanes
           << " lanes: " << bytesPerLane << " products a lane are needed";
  bool unsignedCodes = low >= 0 && high <= 255,
       signedCodes = low >= -128 && high <= 127;
  if (low > high || !(unsignedCodes || signedCodes) || amax < 0 || amax > 128)
    return op->emitOpError() << "declares codes in [" << low << ", " << high
                             << "] and |activations| <= " << amax
                             << ", but bytes hold 0..255 or -128..127";
  return success();
}

LogicalResult DotOp::verify() {
  return verifyProduct(*this, getCodes().getType(), getAcc().getType(), 4,
                       getLow(), getHigh(), getAmax());
}

LogicalResult DotPairsOp::verify() {
  if (failed(verifyProduct(*this, getCodes().getType(), getAcc().getType(), 2,
                           getLow(), getHigh(), getAmax())))
    return failure();
  int64_t largest = 2 * std::max(-getLow(), getHigh()) * getAmax();
  if (largest > INT16_MAX)
    return emitOpError() << "adds two products of up to " << largest / 2
                         << ", which 16 bits do not hold: use `tile.dot`";
  return success();
}

LogicalResult AddPairsOp::verify() {
  int64_t words = cast<VectorType>(getWords().getType()).getNumElements(),
          lanes = cast<VectorType>(getAcc().getType()).getNumElements();
  if (words != 2 * lanes)
    return emitOpError() << "adds " << words << " words to " << lanes
                         << " lanes: two words a lane are needed";
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
