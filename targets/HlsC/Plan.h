//===- Plan.h - a model as stages that rows run through -------------------===//

#ifndef MEZZO_TARGETS_HLSC_PLAN_H
#define MEZZO_TARGETS_HLSC_PLAN_H

#include "lib/Number/QuantizedMatrix.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace mezzo::hlsc {

/// A model as a plain C program or a hardware pipeline has it: stages, each of
/// which makes a row of one thing out of rows of others, and nothing crosses
/// rows. Worked example, the feed-forward block:
///
///     x ----> norm ----> norm_codes --+--> gate --> gated --> ... --> y
///      \                               \-> up ------^                 ^
///       \-------------------------------------------------------------/
///
/// In C a stage is a function and a wire is an array for one row; in HLS a
/// stage is a process and a wire is a FIFO (one per reader).
struct Wire {
  /// What a row of it is.
  enum class Kind {
    Floats, ///< `columns` floats
    Codes,  ///< a float, the scale; then `columns` codes of 8 bits
    Tables, ///< a float, the scale; then half a table per block of 4 columns
  };
  std::string name;
  Kind kind = Kind::Floats;
  int64_t columns = 0;
  int producer = -1;          ///< index of a stage; -1: an input of the model
  std::vector<int> consumers; ///< indices of stages
  bool isOutput = false;
};

/// An operand of an elementwise stage.
struct ElementOperand {
  enum class Kind { Row, Vector, Scalar };
  Kind kind;
  int wire = -1;             ///< Row
  std::vector<float> values; ///< Vector: one per column; Scalar: one
};

struct Stage {
  enum class Kind {
    Quantize, ///< Floats -> Codes
    Tables,   ///< Codes -> Tables
    Product,  ///< Codes or Tables -> Floats
    RmsNorm,  ///< Floats -> Floats; as are the others
    LayerNorm,
    Softmax,
    Elementwise
  };
  Kind kind;
  std::string name;
  std::vector<int> inputs;
  int output = -1;

  // Product.
  std::shared_ptr<QuantizedMatrix> weight;
  std::vector<float> bias;
  // Tables: padded columns of a group; and of the products that read them.
  int64_t group = 0;
  // Norms.
  std::vector<float> gamma, beta;
  float epsilon = 0;
  // Elementwise: what happens to one element of each operand.
  mlir::linalg::GenericOp generic;
  std::vector<ElementOperand> operands;
};

struct Plan {
  std::string name; ///< of the kernel
  int64_t rows = 0;
  std::vector<Wire> wires;
  std::vector<Stage> stages;        ///< producers first
  std::vector<int> inputs, outputs; ///< wires, in the model's order
};

/// Whether the look-up engine will read tables.
enum class Engine { Dot, ShiftAdd, LookUp };

/// Reads the stages out of a module of tensors. Errors, all at once: sizes that
/// are not known, operators that have no stage.
llvm::Expected<Plan> planOf(mlir::ModuleOp module, llvm::StringRef name,
                            Engine engine);

} // namespace mezzo::hlsc

#endif // MEZZO_TARGETS_HLSC_PLAN_H
