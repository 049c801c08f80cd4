//===- Plan.h - a model as stages that rows run through -------------------===//

#ifndef MEZZO_TARGETS_HLSC_PLAN_H
#define MEZZO_TARGETS_HLSC_PLAN_H

#include "lib/Golden/Matmul.h"
#include "lib/Number/QuantizedMatrix.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace mezzo::hlsc {

/// Codes of 8 bits whose scale and zero point the model fixes, for a tensor.
struct StaticCodes {
  float scale = 1;
  int32_t zero = 0;
  bool isSigned = true;
  int32_t lo() const { return isSigned ? -128 : 0; }
  int32_t hi() const { return isSigned ? 127 : 255; }
};

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
    Floats,   ///< `columns` floats
    Codes,    ///< a float, the scale; then `columns` codes of 8 bits
    Tables,   ///< a float, the scale; then half a table per block of 4 columns
    Integers, ///< `columns` codes of 8 bits, as `codes` says
  };
  std::string name;
  Kind kind = Kind::Floats;
  int64_t columns = 0;
  StaticCodes codes; ///< Integers
  /// Whether rows come with a scale of their own.
  bool hasStep() const { return kind == Kind::Codes || kind == Kind::Tables; }
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
    Quantize,         ///< Floats -> Codes
    Tables,           ///< Codes -> Tables
    Product,          ///< Codes or Tables -> Floats
    StaticQuantize,   ///< Floats -> Integers
    IntegerProduct,   ///< Integers -> Integers: mode `integer-only`
    StaticDequantize, ///< Integers -> Floats
    RmsNorm,          ///< Floats -> Floats; as are the others
    LayerNorm,
    Softmax,
    Elementwise
  };
  Kind kind;
  std::string name;
  std::vector<int> inputs;
  int output = -1;
  bool isProduct() const {
    return kind == Kind::Product || kind == Kind::IntegerProduct;
  }

  // Product.
  std::shared_ptr<QuantizedMatrix> weight;
  std::vector<float> bias;
  // IntegerProduct.
  std::vector<int32_t> integerBias;
  golden::Requantization requantization;
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
///
/// With `isIntegerOnly`, products lie between DequantizeLinear and
/// QuantizeLinear, and are of mode `integer-only`.
llvm::Expected<Plan> planOf(mlir::ModuleOp module, llvm::StringRef name,
                            Engine engine, bool isIntegerOnly);

} // namespace mezzo::hlsc

#endif // MEZZO_TARGETS_HLSC_PLAN_H
