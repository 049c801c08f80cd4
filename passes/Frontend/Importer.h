//===- Importer.h - the walk over the graph -------------------------------===//

#ifndef MEZZO_PASSES_FRONTEND_IMPORTER_H
#define MEZZO_PASSES_FRONTEND_IMPORTER_H

#include "passes/Frontend/Constants.h"
#include "passes/Frontend/Import.h"
#include "passes/Frontend/Value.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mezzo {

/// Builds `@main` from the graph of a model: arguments from its inputs, then
/// node by node in the (topological) order of the file, then the results. Knows
/// every tensor of the model by name.
class Importer {
public:
  Importer(std::shared_ptr<const OnnxModel> model, mlir::MLIRContext &context,
           const ImportOptions &options);

  mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> run();

  //===--------------------------------------------------------------------===//
  // For Node
  //===--------------------------------------------------------------------===//

  /// The tensor of this name. OnnxModel has seen to it that it is defined
  /// before it is used.
  OnnxValue &value(llvm::StringRef name) { return values[name]; }
  bool isRead(llvm::StringRef name) const { return readers.count(name) != 0; }
  /// The tensor in IR, brought there if necessary; see OnnxValue::tensor.
  mlir::Value materialize(OnnxValue &value);
  /// Imports a graph inside of a node where the builder stands. Its names are
  /// forgotten behind it; it sees those around it. Returns its outputs.
  mlir::FailureOr<llvm::SmallVector<OnnxValue>>
  importSubgraph(const onnx::GraphProto &graph,
                 llvm::ArrayRef<OnnxValue> inputs);
  /// Integers known to the importer as a tensor.
  mlir::Value materializeElements(const OnnxValue &value);

  std::shared_ptr<const OnnxModel> model;
  const ImportOptions &options;
  mlir::ImplicitLocOpBuilder b;
  SizeArithmetic sizes;
  TensorBuilder tensors;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp function;
  ConstantPool constants;

private:
  /// Who reads a tensor.
  struct Readers {
    int64_t dequantizing = 0; ///< DequantizeLinear, as its input
    int64_t others = 0;       ///< including the outputs of the graph
  };

  mlir::LogicalResult checkOperators();
  mlir::LogicalResult checkOptions();
  void countReaders();
  mlir::LogicalResult readInitializers(const onnx::GraphProto &graph);
  mlir::LogicalResult addInputs();
  void trackElements(OnnxValue &value, llvm::ArrayRef<int64_t> shape);
  mlir::FailureOr<llvm::SmallVector<int64_t>>
  inputShape(const onnx::ValueInfoProto &input,
             llvm::SmallVectorImpl<std::string> &names);
  mlir::LogicalResult importNode(const onnx::NodeProto &proto);
  mlir::LogicalResult addOutputs();
  mlir::DictionaryAttr signature(llvm::StringRef name, ElementType type,
                                 llvm::ArrayRef<int64_t> dims,
                                 llvm::ArrayRef<std::string> dimNames);
  mlir::InFlightDiagnostic error();

  llvm::StringMap<OnnxValue> values;
  llvm::StringMap<Readers> readers;
  llvm::StringMap<int64_t> fixedDims; ///< from --dim, and from --shape through
                                      ///< the names of its dimensions
  llvm::StringMap<Size> dimensions;   ///< of inputs, by name
};

} // namespace mezzo

#endif // MEZZO_PASSES_FRONTEND_IMPORTER_H
