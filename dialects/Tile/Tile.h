//===- Tile.h - vector operations that every machine has ------------------===//

#ifndef MEZZO_DIALECTS_TILE_TILE_H
#define MEZZO_DIALECTS_TILE_TILE_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Tile/TileDialect.h.inc"

#define GET_OP_CLASSES
#include "dialects/Tile/TileOps.h.inc"

namespace mezzo::tile {

/// Rewrites every `tile` op into its definition in `vector` and `arith`.
void populateDefinitionPatterns(mlir::RewritePatternSet &patterns);

} // namespace mezzo::tile

#endif // MEZZO_DIALECTS_TILE_TILE_H
