//===- Shapes.cpp - shapes as values, and the arithmetic on them
//----------------===//
//
// Models compute with shapes: Shape -> Gather -> Mul -> Concat -> Reshape. The
// importer follows these integers itself, as sizes that are equal where they
// are equal (Sizes.h), and none of it is left in the compiled model.
//
//===------------------------------------------------------------------------===//

#include "passes/Frontend/Importer.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

LogicalResult importShape(Node &node) {
  const Sizes &all = node.in(0).sizes;
  int64_t rank = all.size();
  auto clamp = [&](int64_t position) {
    return std::clamp<int64_t>(position < 0 ? position + rank : position, 0,
                               rank);
  };
  int64_t begin = clamp(node.integer("start", 0)),
          end = clamp(node.integer("end", rank));
  Sizes part(all.begin() + begin, all.begin() + std::max(begin, end));
  int64_t count = part.size();
  return node.result(std::move(part), {count}, ElementType::I64);
}

LogicalResult importSize(Node &node) {
  return node.result({node.sizes.product(node.in(0).sizes)}, {},
                     ElementType::I64);
}

LogicalResult importConstant(Node &node) {
  const onnx::AttributeProto *value = node.find("value");
  if (value) {
    llvm::Expected<TensorView> view = node.importer.model->tensor(value->t());
    if (!view)
      return node.error(view.takeError());
    if (!irType(node.b.getContext(), view->type))
      return node.error() << "constants of type " << name(view->type)
                          << " are not supported";
    OnnxValue result;
    result.type = view->type;
    result.sizes = node.sizes.constants(view->dims);
    result.constant = std::make_shared<const TensorView>(std::move(*view));
    return node.result(std::move(result));
  }
  if (node.hasAttribute("value_int"))
    return node.result(node.sizes.constants({node.integer("value_int", 0)}), {},
                       ElementType::I64);
  if (auto list = node.integerList("value_ints")) {
    int64_t count = list->size();
    return node.result(node.sizes.constants(*list), {count}, ElementType::I64);
  }
  if (node.hasAttribute("value_float"))
    return node.result(node.tensors.splat({}, node.b.getF32FloatAttr(
                                                  node.real("value_float", 0))),
                       ElementType::F32);
  return node.error() << "it has none of the attributes value, value_int, "
                         "value_ints and value_float; the others are not "
                         "supported";
}

LogicalResult importConstantOfShape(Node &node) {
  std::optional<Sizes> shape = node.elements(0);
  if (!shape)
    return node.error() << "its shape is computed at run time, which is not "
                           "supported; fix it with --dim or --shape";
  ElementType type = ElementType::F32;
  TypedAttr element = node.b.getF32FloatAttr(0);
  if (const onnx::AttributeProto *value = node.find("value")) {
    llvm::Expected<TensorView> view = node.importer.model->tensor(value->t());
    if (!view)
      return node.error(view.takeError());
    type = view->type;
    Type ir = irType(node.b.getContext(), type);
    if (!ir || isa<QType>(ir) || view->elements() != 1)
      return node.error() << "its value must be one number of f32, f16, bf16, "
                             "f64, bool or an integer of 8 to 64 bits";
    uint64_t bits = rawElement(*view, 0);
    if (auto floating = dyn_cast<FloatType>(ir))
      element = FloatAttr::get(ir, APFloat(floating.getFloatSemantics(),
                                           APInt(floating.getWidth(), bits)));
    else
      element = IntegerAttr::get(ir, APInt(ir.getIntOrFloatBitWidth(), bits,
                                           false, /*implicitTrunc=*/true));
  }
  return node.result(node.tensors.filled(*shape, element), type);
}

/// All operands as tracked integers.
std::optional<SmallVector<Sizes>> trackedInputs(Node &node) {
  SmallVector<Sizes> inputs;
  for (unsigned input = 0; input < node.numInputs(); ++input) {
    if (!node.has(input) || !isInteger(node.type(input)))
      return std::nullopt;
    std::optional<Sizes> elements = node.elements(input);
    if (!elements)
      return std::nullopt;
    inputs.push_back(std::move(*elements));
  }
  return inputs;
}

/// One of Add, Sub, Mul, Div, Min, Max on two sizes.
std::optional<Size> combine(Node &node, Size x, Size y) {
  StringRef op = node.op();
  if (op == "Add")
    return node.sizes.add(x, y);
  if (op == "Sub")
    return node.sizes.subtract(x, y);
  if (op == "Mul")
    return node.sizes.multiply(x, y);
  if (op == "Div" && getConstantIntValue(y).value_or(0) > 0)
    return node.sizes.divide(x, y);
  if (op == "Min")
    return node.sizes.minimum(x, y);
  if (op == "Max")
    return node.sizes.maximum(x, y);
  return std::nullopt;
}

SmallVector<int64_t> constantShape(const OnnxValue &value) {
  SmallVector<int64_t> shape;
  for (Size size : value.sizes)
    shape.push_back(getConstantIntValue(size).value_or(0));
  return shape;
}

bool foldArithmetic(Node &node, ArrayRef<Sizes> inputs) {
  if (inputs.size() != 2)
    return false;
  size_t count = std::max(inputs[0].size(), inputs[1].size());
  if ((inputs[0].size() != count && inputs[0].size() != 1) ||
      (inputs[1].size() != count && inputs[1].size() != 1) ||
      node.rank(0) > 1 || node.rank(1) > 1)
    return false;
  Sizes result;
  for (size_t i = 0; i < count; ++i) {
    std::optional<Size> size =
        combine(node, inputs[0][inputs[0].size() == 1 ? 0 : i],
                inputs[1][inputs[1].size() == 1 ? 0 : i]);
    if (!size)
      return false;
    result.push_back(*size);
  }
  bool scalar = node.rank(0) == 0 && node.rank(1) == 0;
  SmallVector<int64_t> shape;
  if (!scalar)
    shape.push_back(count);
  return succeeded(node.result(std::move(result), shape, node.type(0)));
}

bool foldGather(Node &node, ArrayRef<Sizes> inputs) {
  std::optional<SmallVector<int64_t>> indices = node.knownIntegers(1);
  if (!indices || node.rank(0) != 1 || node.rank(1) > 1)
    return false;
  Sizes result;
  for (int64_t index : *indices) {
    int64_t at = index < 0 ? index + int64_t(inputs[0].size()) : index;
    if (at < 0 || at >= int64_t(inputs[0].size()))
      return false; // reported by the importer of Gather
    result.push_back(inputs[0][at]);
  }
  return succeeded(
      node.result(std::move(result), constantShape(node.in(1)), node.type(0)));
}

bool foldSlice(Node &node, ArrayRef<Sizes> inputs) {
  if (node.rank(0) != 1 || inputs.size() < 3)
    return false;
  int64_t count = inputs[0].size();
  auto scalar = [&](unsigned input) {
    return node.has(input) ? node.constantScalar(input)
                           : std::optional<double>();
  };
  std::optional<double> start = scalar(1), end = scalar(2);
  if (!start || !end || (node.numInputs() > 4 && scalar(4) != 1.0))
    return false;
  auto clamp = [&](double at) {
    return int64_t(std::clamp<double>(at < 0 ? at + count : at, 0, count));
  };
  int64_t from = clamp(*start), to = std::max(from, clamp(*end));
  Sizes part(inputs[0].begin() + from, inputs[0].begin() + to);
  return succeeded(node.result(std::move(part), {to - from}, node.type(0)));
}

} // namespace

bool mezzo::foldOnElements(Node &node) {
  StringRef op = node.op();
  if (!node.domain().empty() || op == "Shape" || op == "Constant" ||
      node.numInputs() == 0)
    return false;
  static const llvm::StringSet<> folded{
      "Add",   "Sub",    "Mul",     "Div",       "Min",  "Max",     "Gather",
      "Slice", "Concat", "Squeeze", "Unsqueeze", "Cast", "Identity"};
  if (!folded.contains(op))
    return false;
  std::optional<SmallVector<Sizes>> inputs = trackedInputs(node);
  if (!inputs)
    return false;
  if (op == "Gather")
    return foldGather(node, *inputs);
  if (op == "Slice")
    return foldSlice(node, *inputs);
  if (op == "Concat") {
    Sizes all;
    for (unsigned input = 0; input < node.numInputs(); ++input) {
      if (node.rank(input) != 1)
        return false;
      llvm::append_range(all, (*inputs)[input]);
    }
    int64_t count = all.size();
    return count <= OnnxValue::MaxElements &&
           succeeded(node.result(std::move(all), {count}, node.type(0)));
  }
  if (op == "Cast") {
    ElementType to = ElementType(node.integer("to", 0));
    if (to != ElementType::I64 && to != ElementType::I32)
      return false;
    return succeeded(node.result((*inputs)[0], constantShape(node.in(0)), to));
  }
  if (op == "Identity")
    return succeeded(
        node.result((*inputs)[0], constantShape(node.in(0)), node.type(0)));
  if (op == "Squeeze" ||
      op == "Unsqueeze") { // between a scalar and a vector of one
    if ((*inputs)[0].size() != 1 || node.rank(0) > 1)
      return false;
    SmallVector<int64_t> shape;
    if (op == "Unsqueeze" && node.rank(0) == 0)
      shape.push_back(1);
    else if (op == "Unsqueeze")
      return false;
    return succeeded(node.result((*inputs)[0], shape, node.type(0)));
  }
  return foldArithmetic(node, *inputs);
}

ArrayRef<OperatorRow> mezzo::shapeOperators() {
  static const OperatorRow rows[] = {
      {OnnxDomain, "Shape", 1, 1, 1, importShape},
      {OnnxDomain, "Size", 1, 1, 1, importSize},
      {OnnxDomain, "Constant", 1, 0, 0, importConstant},
      {OnnxDomain, "ConstantOfShape", 9, 1, 1, importConstantOfShape},
  };
  return rows;
}
