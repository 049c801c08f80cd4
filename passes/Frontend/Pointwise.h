//===- Pointwise.h - element-wise operators from scalar functions ---------===//

#ifndef MEZZO_PASSES_FRONTEND_POINTWISE_H
#define MEZZO_PASSES_FRONTEND_POINTWISE_H

#include "passes/Frontend/Node.h"
#include "passes/Frontend/Scalars.h"

namespace mezzo {

/// What a scalar function may work on.
enum class Domain {
  Float32, ///< f32, and half precision by way of it: the elementary functions
           ///< are programs in f32
  Float,   ///< also f64 (exp and log have programs in it, too)
  Number,  ///< also integers
  Bool,    ///< flags alone
  NumberOrBool ///< all of them
};

using ScalarFunction = llvm::function_ref<mlir::Value(
    ScalarBuilder &, llvm::ArrayRef<mlir::Value>)>;

/// One op over the operands, broadcast; half precision is computed in f32 and
/// rounded once at the end. `type` is the operands' common type, which must be
/// of the domain, `result` that of the result; Undefined: the same.
mlir::LogicalResult
importPointwise(Node &node, Domain domain, ScalarFunction function,
                llvm::ArrayRef<SizedTensor> operands, ElementType type,
                ElementType result = ElementType::Undefined);
/// The same over the inputs [first, first + count) of the node, which must be
/// of one type.
mlir::LogicalResult
importPointwise(Node &node, Domain domain, ScalarFunction function,
                unsigned first, unsigned count,
                ElementType result = ElementType::Undefined);
/// The same over all inputs.
mlir::LogicalResult
importPointwise(Node &node, Domain domain, ScalarFunction function,
                ElementType result = ElementType::Undefined);

/// Reports sizes that cannot be broadcast against each other.
mlir::LogicalResult checkBroadcast(Node &node, llvm::ArrayRef<Sizes> shapes);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_POINTWISE_H
