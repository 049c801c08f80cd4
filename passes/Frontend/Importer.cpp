//===- Importer.cpp - the walk over the graph -----------------------------===//

#include "passes/Frontend/Importer.h"

#include "passes/Frontend/Registry.h"
#include "passes/Frontend/ShapeInputs.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mezzo;

/// The module with an empty entry function, whose type is completed when all
/// nodes are imported.
static OwningOpRef<ModuleOp> emptyModule(MLIRContext &context) {
  context.loadDialect<MezzoDialect, func::FuncDialect, linalg::LinalgDialect,
                      math::MathDialect, scf::SCFDialect>();
  OpBuilder builder(&context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder.getUnknownLoc());
  builder.setInsertionPointToEnd(module->getBody());
  auto function = func::FuncOp::create(builder, builder.getUnknownLoc(), "main",
                                       builder.getFunctionType({}, {}));
  function.addEntryBlock();
  return module;
}

Importer::Importer(std::shared_ptr<const OnnxModel> model, MLIRContext &context,
                   const ImportOptions &options)
    : model(model), options(options), b(UnknownLoc::get(&context), &context),
      sizes(b), tensors(b, sizes), module(emptyModule(context)),
      function(*module->getOps<func::FuncOp>().begin()),
      constants(b, function, model) {}

InFlightDiagnostic Importer::error() {
  return mlir::emitError(UnknownLoc::get(b.getContext()));
}

FailureOr<OwningOpRef<ModuleOp>> Importer::run() {
  if (failed(checkOperators()) || failed(checkOptions()))
    return failure();
  b.setInsertionPointToEnd(&function.front());
  countReaders();
  if (failed(readInitializers(model->graph())) || failed(addInputs()))
    return failure();
  for (const onnx::NodeProto &node : model->graph().node())
    if (failed(importNode(node)))
      return failure();
  if (failed(addOutputs()))
    return failure();
  return std::move(module);
}

FailureOr<OwningOpRef<ModuleOp>>
mezzo::importOnnx(std::shared_ptr<const OnnxModel> model, MLIRContext &context,
                  const ImportOptions &options) {
  return Importer(std::move(model), context, options).run();
}

//===----------------------------------------------------------------------===//
// Before the first node
//===----------------------------------------------------------------------===//

LogicalResult Importer::checkOperators() {
  std::vector<UnsupportedOp> unsupported = listUnsupported(*model);
  for (const UnsupportedOp &op : unsupported) {
    std::string nodes = llvm::join(
        llvm::map_range(op.nodes, [](StringRef name) { return quoted(name); }),
        ", ");
    error() << "operator " << toPrintable(op.op) << " of domain "
            << quoted(op.domain.empty() ? "ai.onnx" : op.domain) << ", version "
            << op.version << ", is not supported: " << op.count
            << (op.count == 1 ? " node, " : " nodes, ") << nodes
            << (op.count > int64_t(op.nodes.size()) ? ", ..." : "")
            << "; compute it outside the model, or export it from other "
               "operators or another opset";
  }
  return success(unsupported.empty());
}

/// The name of a dimension. Some exporters call all that are open "?".
static StringRef nameOf(const onnx::TensorShapeProto::Dimension &dim) {
  return dim.dim_param() == "?" ? StringRef() : StringRef(dim.dim_param());
}

/// Names that the model does not have are typing errors, and silence would hide
/// them.
LogicalResult Importer::checkOptions() {
  llvm::StringSet<> inputs, dims;
  for (const onnx::ValueInfoProto &input : model->graph().input()) {
    inputs.insert(input.name());
    for (const auto &dim : input.type().tensor_type().shape().dim())
      if (!nameOf(dim).empty())
        dims.insert(nameOf(dim));
  }
  auto list = [](const llvm::StringSet<> &names) {
    SmallVector<std::string> sorted;
    for (const auto &entry : names)
      sorted.push_back(quoted(entry.getKey()));
    llvm::sort(sorted);
    return sorted.empty() ? std::string("there are none")
                          : "there are " + llvm::join(sorted, ", ");
  };
  for (const auto &entry : options.dims) {
    if (!dims.contains(entry.getKey()))
      return error() << "--dim: no input has a dimension called "
                     << quoted(entry.getKey()) << "; " << list(dims);
    if (entry.getValue() < 0)
      return error() << "--dim: " << quoted(entry.getKey()) << " is set to "
                     << entry.getValue() << ": use 0 or more";
    fixedDims[entry.getKey()] = entry.getValue();
  }
  for (const auto &entry : options.shapes)
    if (!inputs.contains(entry.getKey()))
      return error() << "--shape: no input is called " << quoted(entry.getKey())
                     << "; " << list(inputs);
  return success();
}

void Importer::countReaders() {
  std::function<void(const onnx::GraphProto &)> count =
      [&](const onnx::GraphProto &graph) {
        for (const onnx::NodeProto &node : graph.node()) {
          for (const onnx::AttributeProto &attribute : node.attribute())
            if (attribute.has_g())
              count(attribute.g());
          for (int input = 0; input < node.input_size(); ++input) {
            Readers &reader = readers[node.input(input)];
            ++(node.op_type() == "DequantizeLinear" && input == 0
                   ? reader.dequantizing
                   : reader.others);
          }
        }
        for (const onnx::ValueInfoProto &output : graph.output())
          ++readers[output.name()].others;
      };
  count(model->graph());
}

LogicalResult Importer::readInitializers(const onnx::GraphProto &graph) {
  if (graph.sparse_initializer_size() > 0)
    return error() << "the model has " << graph.sparse_initializer_size()
                   << " sparse initializers, which are not supported: export "
                      "it with dense ones";
  for (const onnx::TensorProto &proto : graph.initializer()) {
    if (!isRead(proto.name()))
      continue;
    llvm::Expected<TensorView> view = model->tensor(proto);
    if (!view)
      return error() << llvm::toString(view.takeError());
    OnnxValue &value = values[proto.name()] = {};
    value.type = view->type;
    value.sizes = sizes.constants(view->dims);
    value.constant = std::make_shared<const TensorView>(std::move(*view));
    if (!irType(b.getContext(), value.type))
      return error() << "initializer " << quoted(proto.name())
                     << " has elements of type " << mezzo::name(value.type)
                     << ", which is not supported: use a floating point "
                        "type, bool or integers of 2 to 64 bits";
  }
  return success();
}

/// Sizes as the model and the options have them, -1 where open.
FailureOr<SmallVector<int64_t>>
Importer::inputShape(const onnx::ValueInfoProto &input,
                     SmallVectorImpl<std::string> &names) {
  const onnx::TypeProto::Tensor &type = input.type().tensor_type();
  auto given = options.shapes.find(input.name());
  std::string subject = "input " + quoted(input.name());
  if (!type.has_shape()) {
    if (given == options.shapes.end())
      return error()
             << subject
             << " has no shape, not even a rank: give it one, such as --shape "
             << toPrintable(input.name()) << "=1x128";
    names.resize(given->second.size());
    return given->second;
  }
  if (given != options.shapes.end() &&
      int(given->second.size()) != type.shape().dim_size())
    return error() << "--shape gives " << subject << " " << given->second.size()
                   << " dimensions, but it has " << type.shape().dim_size();
  SmallVector<int64_t> shape;
  for (const auto &[index, dim] : llvm::enumerate(type.shape().dim())) {
    int64_t wanted = given == options.shapes.end() ? -1 : given->second[index];
    names.push_back(nameOf(dim).str());
    // Some exporters write -1 for a size that is open.
    if (!dim.has_dim_value() || dim.dim_value() == -1) {
      auto fixed = fixedDims.find(nameOf(dim));
      bool isFixed = !nameOf(dim).empty() && fixed != fixedDims.end();
      if (isFixed && wanted >= 0 && fixed->second != wanted)
        return error() << "dimension " << quoted(nameOf(dim)) << " is fixed to "
                       << fixed->second << " and, by " << subject << ", to "
                       << wanted << ": make --dim and --shape agree";
      shape.push_back(isFixed ? fixed->second : wanted);
      if (wanted >= 0 && !nameOf(dim).empty())
        fixedDims[nameOf(dim)] = wanted;
      continue;
    }
    if (dim.dim_value() < 0)
      return error()
             << subject << " has the size " << dim.dim_value()
             << " in dimension " << index
             << ": export the model with a name there, or a size of 0 or more";
    if (wanted >= 0 && wanted != dim.dim_value())
      return error() << "--shape gives " << subject << " the size " << wanted
                     << " in dimension " << index
                     << ", but the model fixes it to " << dim.dim_value();
    shape.push_back(dim.dim_value());
  }
  return shape;
}

LogicalResult Importer::addInputs() {
  llvm::StringSet<> initializers;
  for (const onnx::TensorProto &proto : model->graph().initializer())
    initializers.insert(proto.name());
  SmallVector<const onnx::ValueInfoProto *> inputs;
  for (const onnx::ValueInfoProto &input : model->graph().input())
    if (!initializers.contains(
            input.name())) // the others have a default, which is a constant to
                           // a compiler
      inputs.push_back(&input);
  // Once for what shapes say about names, which may concern inputs before them.
  SmallVector<std::string> ignored;
  for (const onnx::ValueInfoProto *input : inputs)
    if (failed(inputShape(*input, ignored)))
      return failure();
  SmallVector<Attribute> signatures;
  llvm::StringSet<> shapeInputs = findShapeInputs(*model);
  for (const onnx::ValueInfoProto *input : inputs) {
    b.setLoc(NameLoc::get(b.getStringAttr(toPrintable(input->name()))));
    if (!input->type().has_tensor_type())
      return error()
             << "input " << quoted(input->name())
             << " is no tensor, which is not supported: split it into tensors";
    llvm::Expected<ElementType> type =
        elementType(input->type().tensor_type().elem_type());
    if (!type)
      return error() << "input " << quoted(input->name()) << ": "
                     << llvm::toString(type.takeError());
    Type element = irType(b.getContext(), *type);
    if (!element)
      return error() << "input " << quoted(input->name())
                     << " has elements of type " << mezzo::name(*type)
                     << ", which is not supported: use a floating point "
                        "type, bool or integers of 2 to 64 bits";
    auto reader = readers.find(input->name());
    if (reader != readers.end() && reader->second.dequantizing &&
        !reader->second.others && !formatName(*type).empty())
      element = codeType(b.getContext(), *type);
    SmallVector<std::string> names;
    FailureOr<SmallVector<int64_t>> shape = inputShape(*input, names);
    if (failed(shape))
      return failure();
    auto dims = llvm::map_to_vector(*shape, [](int64_t dim) {
      return dim < 0 ? ShapedType::kDynamic : dim;
    });
    BlockArgument argument = function.front().addArgument(
        RankedTensorType::get(dims, element), b.getLoc());
    OnnxValue &value = values[input->name()];
    value.type = *type;
    value.tensor = argument;
    for (auto [index, dim] : llvm::enumerate(*shape)) {
      if (dim >= 0) {
        names[index].clear();
        value.sizes.push_back(sizes.constant(dim));
        continue;
      }
      // The runtime sees to it that dimensions of one name are equal before it
      // runs the model.
      Size size;
      if (!names[index].empty())
        size = dimensions.lookup(names[index]);
      if (!size)
        size = tensor::DimOp::create(b, argument, index).getResult();
      if (!names[index].empty())
        dimensions[names[index]] = size;
      else
        sizes.setOpen(size);
      value.sizes.push_back(size);
    }
    if (shapeInputs.contains(input->name()))
      trackElements(value, *shape);
    signatures.push_back(signature(input->name(), *type, *shape, names));
  }
  function->setAttr("mezzo.entry", b.getUnitAttr());
  function->setAttr("mezzo.inputs", b.getArrayAttr(signatures));
  return success();
}

/// The elements of an input whose values make shapes, one by one. Its shape
/// must be known.
void Importer::trackElements(OnnxValue &value, ArrayRef<int64_t> shape) {
  if (!isSignedInteger(value.type) || bitWidth(value.type) < 32 ||
      shape.size() > 1)
    return;
  int64_t count = shape.empty() ? 1 : shape[0];
  if (count < 0 || count > OnnxValue::MaxElements)
    return;
  value.elements.emplace();
  for (int64_t position = 0; position < count; ++position) {
    SmallVector<Value> place;
    if (!shape.empty())
      place.push_back(sizes.value(sizes.constant(position)));
    Value element = tensor::ExtractOp::create(b, value.tensor, place);
    value.elements->push_back(sizes.unknown(
        arith::IndexCastOp::create(b, b.getIndexType(), element), false));
  }
}

DictionaryAttr Importer::signature(StringRef name, ElementType type,
                                   ArrayRef<int64_t> dims,
                                   ArrayRef<std::string> dimNames) {
  SmallVector<StringRef> names(dimNames.begin(), dimNames.end());
  return b.getDictionaryAttr(
      {b.getNamedAttr("name", b.getStringAttr(name)),
       b.getNamedAttr("dtype", b.getStringAttr(mezzo::name(type))),
       b.getNamedAttr("dims", b.getDenseI64ArrayAttr(dims)),
       b.getNamedAttr("dim_names", b.getStrArrayAttr(names))});
}

//===----------------------------------------------------------------------===//
// Nodes and outputs
//===----------------------------------------------------------------------===//

/// Floats of eight bits and fewer are stored, moved, cast and quantized, and
/// nothing else: no operator computes with them.
static LogicalResult checkSmallFloats(Node &node) {
  static const llvm::StringSet<> operators{
      "Cast",        "CastLike", "QuantizeLinear", "DequantizeLinear",
      "BitCast",     "Identity", "Reshape",        "Flatten",
      "Squeeze",     "Concat",   "Unsqueeze",      "Transpose",
      "Slice",       "Split",    "Gather",         "Shape",
      "Size",        "Expand",   "Tile",           "DepthToSpace",
      "SpaceToDepth"};
  if (operators.contains(node.op()))
    return success();
  for (unsigned input = 0; input < node.numInputs(); ++input)
    if (node.has(input) && isSmallFloat(node.type(input)))
      return node.error() << "elements of type " << name(node.type(input))
                          << " are not supported here: insert a Cast to f32";
  return success();
}

LogicalResult Importer::importNode(const onnx::NodeProto &proto) {
  Node node(*this, proto);
  b.setLoc(NameLoc::get(b.getStringAttr(toPrintable(node.name()))));
  tensors.subject = node.subject();
  const OperatorRow *row =
      findOperator(proto.domain(), proto.op_type(), node.opset());
  if (node.numInputs() > row->maxInputs || node.numInputs() < row->minInputs)
    return node.error() << "it has " << node.numInputs()
                        << " inputs, but the operator takes " << row->minInputs
                        << (row->maxInputs == OperatorRow::Variadic ? " or more"
                            : row->maxInputs == row->minInputs
                                ? ""
                                : " to " + std::to_string(row->maxInputs))
                        << "; export the model again";
  for (unsigned input = 0; input < row->minInputs; ++input)
    if (!node.has(input))
      return node.error() << "its input " << input
                          << " is missing; export the model again";
  if (failed(checkSmallFloats(node)))
    return failure();
  if (!foldOnElements(node) && failed(row->import(node)))
    return failure();
  if (node.failed())
    return failure();
  for (unsigned output = 0; output < node.numOutputs(); ++output)
    if (node.wants(output) && !values.count(proto.output(output)))
      return node.error()
             << "its output " << output << ", " << quoted(proto.output(output))
             << ", is used, but not supported; export the model without it";
  return success();
}

FailureOr<SmallVector<OnnxValue>>
Importer::importSubgraph(const onnx::GraphProto &graph,
                         ArrayRef<OnnxValue> inputs) {
  // What a branch or a body brings into IR does not dominate what follows.
  llvm::StringMap<OnnxValue> outside = values;
  Location loc = b.getLoc();
  std::string subject = tensors.subject;
  assert(int(inputs.size()) == graph.input_size() && "checked by the caller");
  for (auto [input, value] : llvm::zip_equal(graph.input(), inputs))
    values[input.name()] = value;
  if (failed(readInitializers(graph)))
    return failure();
  for (const onnx::NodeProto &node : graph.node())
    if (failed(importNode(node)))
      return failure();
  SmallVector<OnnxValue> outputs;
  for (const onnx::ValueInfoProto &output : graph.output())
    outputs.push_back(values[output.name()]);
  values = std::move(outside);
  b.setLoc(loc);
  tensors.subject = subject;
  return outputs;
}

Value Importer::materialize(OnnxValue &value) {
  if (!value.tensor)
    value.tensor = value.constant ? constants.tensor(*value.constant)
                                  : materializeElements(value);
  return value.tensor;
}

Value Importer::materializeElements(const OnnxValue &value) {
  Type element = irType(b.getContext(), value.type);
  RankedTensorType type = tensors.typeOf(value.sizes, element);
  if (std::optional<SmallVector<int64_t>> integers =
          getConstantIntValues(*value.elements)) {
    auto attributes =
        llvm::map_to_vector(*integers, [&](int64_t integer) -> Attribute {
          return b.getIntegerAttr(element, integer);
        });
    return arith::ConstantOp::create(b,
                                     DenseElementsAttr::get(type, attributes));
  }
  auto elements = llvm::map_to_vector(*value.elements, [&](Size size) -> Value {
    return arith::IndexCastOp::create(b, element, sizes.value(size));
  });
  return tensor::FromElementsOp::create(b, type, elements);
}

LogicalResult Importer::addOutputs() {
  SmallVector<Value> results;
  SmallVector<Attribute> signatures;
  for (const onnx::ValueInfoProto &output : model->graph().output()) {
    OnnxValue &value = values[output.name()];
    b.setLoc(NameLoc::get(b.getStringAttr(toPrintable(output.name()))));
    SizedTensor tensor{materialize(value), value.sizes};
    Type declared = irType(b.getContext(), value.type);
    if (isa<FloatType>(declared)) // round what has been left unrounded
      tensor = tensors.convertFloat(tensor, declared);
    SmallVector<int64_t> dims;
    SmallVector<std::string> names;
    const auto &shape = output.type().tensor_type().shape();
    for (auto [index, size] : llvm::enumerate(tensor.sizes)) {
      dims.push_back(getConstantIntValue(size).value_or(-1));
      bool hasName =
          dims.back() < 0 && int(tensor.sizes.size()) == shape.dim_size();
      names.push_back(hasName ? nameOf(shape.dim(index)).str() : "");
    }
    SmallVector<Value> dynamic;
    for (auto [dim, size] : llvm::enumerate(tensor.sizes))
      if (tensor.type().isDynamicDim(dim))
        dynamic.push_back(sizes.value(size));
    results.push_back(dynamic.empty()
                          ? tensor.value
                          : SizedOp::create(b, tensor.value.getType(),
                                            tensor.value, dynamic));
    signatures.push_back(signature(output.name(), value.type, dims, names));
  }
  func::ReturnOp::create(b, results);
  function->setAttr("mezzo.outputs", b.getArrayAttr(signatures));
  function.setType(b.getFunctionType(function.front().getArgumentTypes(),
                                     TypeRange(results)));
  return success();
}
