//===- ShapeInputs.h - inputs whose values make shapes ----------*- C++ -*-===//

#ifndef MEZZO_PASSES_FRONTEND_SHAPEINPUTS_H
#define MEZZO_PASSES_FRONTEND_SHAPEINPUTS_H

#include "lib/Onnx/Model.h"

#include "llvm/ADT/StringSet.h"

namespace mezzo {

/// The inputs of the graph whose *values* decide shapes: the target of a
/// Reshape, the bounds of a Slice, the axes of a reduction, directly or by way
/// of arithmetic on integers. The importer tracks their elements, and the entry
/// computes shapes from them as it does from sizes.
llvm::StringSet<> findShapeInputs(const OnnxModel &model);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_SHAPEINPUTS_H
