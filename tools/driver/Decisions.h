//===- Decisions.h - what was chosen for every weight ---------------------===//

#ifndef MEZZO_TOOLS_DRIVER_DECISIONS_H
#define MEZZO_TOOLS_DRIVER_DECISIONS_H

#include "dialects/Mezzo/Mezzo.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace mezzo {

/// A weight of a module and what became of it.
struct WeightDecision {
  std::string name;
  std::vector<int64_t> shape;
  /// "int4/g128"; of a plain weight its element type.
  std::string spec;
  /// As stored: padding, scales and offsets included.
  int64_t bytes = 0;
  /// The rest is empty for a plain weight.
  std::string strategy;          ///< "native_dot"
  std::string layout;            ///< name in the catalogue, else the text
  std::vector<std::string> keys; ///< of the kernels that read it

  bool isQuantized() const { return !layout.empty(); }
  double bitsPerWeight() const;
};

/// Reads the attributes and launches of a module at Stage::Tile.
std::vector<WeightDecision> readDecisions(mlir::ModuleOp module);

/// The catalogue's name of a layout ("panel4"), or its text.
std::string layoutName(const Layout &layout);

} // namespace mezzo

#endif // MEZZO_TOOLS_DRIVER_DECISIONS_H
