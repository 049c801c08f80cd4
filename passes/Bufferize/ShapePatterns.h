//===- ShapePatterns.h - sizes without their tensors ------------*- C++ -*-===//

#ifndef MEZZO_PASSES_BUFFERIZE_SHAPEPATTERNS_H
#define MEZZO_PASSES_BUFFERIZE_SHAPEPATTERNS_H

#include "mlir/IR/PatternMatch.h"

namespace mezzo {

/// What upstream's patterns leave of the arithmetic of shapes: sizes of loops'
/// results, and single elements of tensors that are computed element by
/// element.
void populateShapePatterns(mlir::RewritePatternSet &patterns);

} // namespace mezzo

#endif // MEZZO_PASSES_BUFFERIZE_SHAPEPATTERNS_H
