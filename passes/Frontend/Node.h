//===- Node.h - one node of the graph, under import -----------------------===//

#ifndef MEZZO_PASSES_FRONTEND_NODE_H
#define MEZZO_PASSES_FRONTEND_NODE_H

#include "passes/Frontend/Constants.h"
#include "passes/Frontend/Import.h"
#include "passes/Frontend/Value.h"

#include "mlir/IR/Diagnostics.h"

namespace mezzo {

class Importer;

/// What an operator's import function works with: typed access to inputs and
/// attributes, the builders, and the place where results go. Inputs that the
/// operator's row in the registry calls required are there.
///
/// Accessors of attributes return the default where the attribute is absent,
/// and report an attribute of the wrong kind; the node then fails when its
/// function returns, so that functions need not ask.
class Node {
public:
  Node(Importer &importer, const onnx::NodeProto &proto);

  mlir::ImplicitLocOpBuilder &b;
  SizeArithmetic &sizes;
  TensorBuilder &tensors;
  ConstantPool &constants;
  const ImportOptions &options;

  /// The operator's name, and the version of its domain that the model imports.
  llvm::StringRef op() const { return proto.op_type(); }
  llvm::StringRef domain() const;
  int64_t opset() const;
  /// The node's name, or else that of its first output.
  llvm::StringRef name() const;

  //===--------------------------------------------------------------------===//
  // Inputs
  //===--------------------------------------------------------------------===//

  unsigned numInputs() const { return proto.input_size(); }
  /// Whether an optional input is given.
  bool has(unsigned input) const {
    return input < numInputs() && !proto.input(input).empty();
  }
  OnnxValue &in(unsigned input);
  ElementType type(unsigned input) { return in(input).type; }
  int64_t rank(unsigned input) { return in(input).rank(); }

  /// The tensor as it is held, which may be codes or a half-precision tensor
  /// not yet rounded: for ops that only move.
  SizedTensor held(unsigned input);
  /// The tensor in the element type of the model; codes of 8 or 16 bits as
  /// integers.
  SizedTensor tensor(unsigned input);
  /// The same as numbers to compute with: codes of less than a byte become
  /// bytes.
  SizedTensor numbers(unsigned input);
  /// A floating point tensor in f32, without the rounding that a half-precision
  /// one may not have had yet.
  SizedTensor f32(unsigned input);
  /// An integer tensor as codes of its format.
  SizedTensor codes(unsigned input);

  /// The elements of an integer tensor, as far as the importer tracks them.
  std::optional<Sizes> elements(unsigned input);
  /// The same, and where they are not tracked, read from the tensor at run
  /// time: for operands that make shapes. None where there is no telling how
  /// many there are, or they are no integers.
  std::optional<Sizes> shapeElements(unsigned input);
  /// The same as numbers; none where one of them is not known.
  std::optional<llvm::SmallVector<int64_t>> knownIntegers(unsigned input);
  /// The same, or an error that calls the input `what`.
  mlir::FailureOr<llvm::SmallVector<int64_t>> integers(unsigned input,
                                                       llvm::StringRef what);
  /// The number in a constant of one element, of any type.
  std::optional<double> constantScalar(unsigned input);

  //===--------------------------------------------------------------------===//
  // Attributes
  //===--------------------------------------------------------------------===//

  bool hasAttribute(llvm::StringRef name) const {
    return find(name) != nullptr;
  }
  int64_t integer(llvm::StringRef name, int64_t absent);
  float real(llvm::StringRef name, float absent);
  std::string text(llvm::StringRef name, llvm::StringRef absent);
  std::optional<llvm::SmallVector<int64_t>> integerList(llvm::StringRef name);
  const onnx::AttributeProto *find(llvm::StringRef name) const;

  /// 0 <= axis < rank, counted from the end where negative; an error else.
  /// `rank` is a valid axis where `end`.
  mlir::FailureOr<int64_t> axis(int64_t axis, int64_t rank, bool end = false);

  //===--------------------------------------------------------------------===//
  // Results
  //===--------------------------------------------------------------------===//

  unsigned numOutputs() const { return proto.output_size(); }
  /// Whether anybody reads this output.
  bool wants(unsigned output) const;
  mlir::LogicalResult result(SizedTensor tensor, ElementType type,
                             unsigned output = 0);
  mlir::LogicalResult result(OnnxValue value, unsigned output = 0);
  /// A tensor of integers that are known, as `OnnxValue::elements`.
  mlir::LogicalResult result(Sizes elements, llvm::ArrayRef<int64_t> shape,
                             ElementType type, unsigned output = 0);

  /// "node 'x' (Reshape): ", at the node.
  mlir::InFlightDiagnostic error();
  /// "node 'x' (Reshape)".
  std::string subject() const;
  /// An error of the library, as this node's.
  mlir::LogicalResult error(llvm::Error error);

  /// Whether an accessor has reported an error.
  bool failed() const { return bad; }
  Importer &importer;
  const onnx::NodeProto &proto;

private:
  bool bad = false;
};

/// The shape as in messages: "[2, ?, 768]".
std::string describe(llvm::ArrayRef<Size> sizes);

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_NODE_H
