//===- Import.h - from an ONNX model to a module on tensors ---------------===//

#ifndef MEZZO_PASSES_FRONTEND_IMPORT_H
#define MEZZO_PASSES_FRONTEND_IMPORT_H

#include "dialects/Mezzo/Mezzo.h"
#include "lib/Onnx/Model.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringMap.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mezzo {

struct ImportOptions {
  /// --dim: the size of every dimension that a model calls by this name.
  llvm::StringMap<int64_t> dims;
  /// --shape: the whole shape of an input.
  llvm::StringMap<llvm::SmallVector<int64_t>> shapes;
  /// --compute: the mode of products whose weights are quantized in one
  /// operator (MatMulNBits). None: float.
  std::optional<ComputeMode> compute;
  /// --strict-dq: keep the rounding of every DequantizeLinear (docs/numbers.md,
  /// "expressed"). Its op then carries the unit attribute `mezzo.strict`, and
  /// no product may read its codes instead.
  bool strictDq = false;
};

/// Imports the graph of a model as
///
///     module { mezzo.weight ... ; func.func @main(tensors) -> tensors }
///
/// The function carries `mezzo.entry`, and its signature in `mezzo.inputs` and
/// `mezzo.outputs`: arrays of dictionaries {name, dtype, dims (-1 where
/// dynamic), dim_names ("" where static or without a name)}. Locations are the
/// names of nodes. Weights are resources that point into the mapped files; they
/// keep the files mapped, and through `model` its memory alive, as long as the
/// context lives.
///
/// Errors are diagnostics of the context, at the node that they are about; all
/// unsupported operators are reported at once. The caller verifies the module:
/// what is wrong with it is not the user's mistake.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>
importOnnx(std::shared_ptr<const OnnxModel> model, mlir::MLIRContext &context,
           const ImportOptions &options = {});

/// An operator that the importer does not know, in the version that the model
/// imports.
struct UnsupportedOp {
  std::string op, domain;
  int64_t version = 0;
  int64_t count = 0;
  std::vector<std::string>
      nodes; ///< names, in the order of the graph; at most the first eight
};

/// All unsupported operators of a model, subgraphs included, in the order in
/// which they first appear.
std::vector<UnsupportedOp> listUnsupported(const OnnxModel &model);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_IMPORT_H
