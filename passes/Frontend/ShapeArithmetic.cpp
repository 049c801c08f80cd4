//===- ShapeArithmetic.cpp - computing with shapes at import --------------===//
//
// Exporters write the shape of a Reshape as a program: Shape, Gather, Mul,
// Concat. All of it is integers that follow from the sizes of the inputs, so it
// is computed here, on OnnxValue::elements, and no tensor is made. What comes
// out is what Reshape, Expand and Slice read.
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/Registry.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// Tracked integers and their (static) shape.
struct Tracked {
  Sizes elements;
  SmallVector<int64_t> shape;
};

std::optional<Tracked> trackedInput(Node &node, unsigned input) {
  std::optional<Sizes> elements = node.elements(input);
  std::optional<SmallVector<int64_t>> shape =
      getConstantIntValues(node.in(input).sizes);
  if (!elements || !shape)
    return std::nullopt;
  return Tracked{*elements, *shape};
}

/// The element of an operand of this shape that a position of the result's
/// shape reads.
int64_t sourceOf(int64_t position, ArrayRef<int64_t> shape,
                 ArrayRef<int64_t> from) {
  int64_t source = 0, stride = 1;
  for (size_t i = 1; i <= shape.size(); ++i) {
    int64_t index = position % shape[shape.size() - i];
    position /= shape[shape.size() - i];
    if (i > from.size())
      continue;
    source += from[from.size() - i] == 1 ? 0 : index * stride;
    stride *= from[from.size() - i];
  }
  return source;
}

/// Element by element, broadcast; none where `compute` is none for an element,
/// or the result would be too long.
std::optional<Tracked>
pointwise(ArrayRef<Tracked> inputs,
          llvm::function_ref<std::optional<Size>(ArrayRef<Size>)> compute) {
  SmallVector<int64_t> shape;
  for (const Tracked &input : inputs) {
    if (input.shape.size() > shape.size())
      shape.insert(shape.begin(), input.shape.size() - shape.size(), 1);
    for (size_t i = 1; i <= input.shape.size(); ++i) {
      int64_t &have = shape[shape.size() - i],
              size = input.shape[input.shape.size() - i];
      if (size == 1)
        continue;
      if (have != 1 && have != size)
        return std::nullopt; // reported where the tensor is made
      have = size;
    }
  }
  int64_t count = 1;
  for (int64_t size : shape)
    if ((count *= size) > OnnxValue::MaxElements)
      return std::nullopt;
  Tracked result{{}, shape};
  for (int64_t position = 0; position < count; ++position) {
    auto operands = llvm::map_to_vector(inputs, [&](const Tracked &input) {
      return input.elements[sourceOf(position, shape, input.shape)];
    });
    std::optional<Size> element = compute(operands);
    if (!element)
      return std::nullopt;
    result.elements.push_back(*element);
  }
  return result;
}

/// What the integers of an operator are computed by; null where it is none of
/// these.
std::optional<Size> compute(SizeArithmetic &sizes, StringRef op,
                            ArrayRef<Size> x) {
  auto flag = [&](std::optional<bool> value) {
    return value ? std::optional<Size>(sizes.constant(*value)) : std::nullopt;
  };
  auto negation = [](std::optional<bool> value) {
    return value ? std::optional<bool>(!*value) : value;
  };
  if (op == "Add")
    return sizes.add(x[0], x[1]);
  if (op == "Sub")
    return sizes.subtract(x[0], x[1]);
  if (op == "Mul")
    return sizes.multiply(x[0], x[1]);
  if (op == "Div") // a divisor that may be 0 or negative is the general
                   // operator's business
    return sizes.lessOrEqual(sizes.constant(1), x[1]) == true ||
                   getConstantIntValue(x[0]) == 0
               ? std::optional<Size>(sizes.divide(x[0], x[1]))
               : std::nullopt;
  if (op == "Min")
    return sizes.minimum(x[0], x[1]);
  if (op == "Max")
    return sizes.maximum(x[0], x[1]);
  if (op == "Neg")
    return sizes.subtract(sizes.constant(0), x[0]);
  if (op == "Not") {
    std::optional<int64_t> known = getConstantIntValue(x[0]);
    return known ? flag(*known == 0) : std::nullopt;
  }
  if (op == "Equal")
    return flag(sizes.equal(x[0], x[1]));
  if (op == "LessOrEqual")
    return flag(sizes.lessOrEqual(x[0], x[1]));
  if (op == "GreaterOrEqual")
    return flag(sizes.lessOrEqual(x[1], x[0]));
  if (op == "Less")
    return flag(negation(sizes.lessOrEqual(x[1], x[0])));
  if (op == "Greater")
    return flag(negation(sizes.lessOrEqual(x[0], x[1])));
  if (op == "Mod")
    return getConstantIntValue(x[1]).value_or(0) > 0 &&
                   sizes.lessOrEqual(sizes.constant(0), x[0]) == true
               ? std::optional<Size>(sizes.subtract(
                     x[0], sizes.multiply(sizes.divide(x[0], x[1]), x[1])))
               : std::nullopt;
  if (op == "And" || op == "Or" || op == "Xor" || op == "Not") {
    std::optional<int64_t> left = getConstantIntValue(x[0]),
                           right = getConstantIntValue(x.back());
    if (!left || !right)
      return std::nullopt;
    return sizes.constant(op == "And"   ? *left && *right
                          : op == "Or"  ? *left || *right
                          : op == "Xor" ? *left != *right
                                        : !*left);
  }
  if (op == "Where") {
    std::optional<int64_t> condition = getConstantIntValue(x[0]);
    return condition ? std::optional<Size>(*condition ? x[1] : x[2])
                     : std::nullopt;
  }
  return std::nullopt;
}

bool foldPointwise(Node &node) {
  static const llvm::StringMap<unsigned> arity{{"Add", 2},
                                               {"Sub", 2},
                                               {"Mul", 2},
                                               {"Div", 2},
                                               {"Min", 2},
                                               {"Max", 2},
                                               {"Neg", 1},
                                               {"Equal", 2},
                                               {"Less", 2},
                                               {"LessOrEqual", 2},
                                               {"Greater", 2},
                                               {"Where", 3},
                                               {"GreaterOrEqual", 2},
                                               {"Mod", 2},
                                               {"And", 2},
                                               {"Or", 2},
                                               {"Xor", 2},
                                               {"Not", 1}};
  auto expected = arity.find(node.op());
  if (expected == arity.end() || node.numInputs() != expected->second)
    return false;
  SmallVector<Tracked> inputs;
  for (unsigned input = 0; input < node.numInputs(); ++input) {
    std::optional<Tracked> tracked = trackedInput(node, input);
    if (!tracked)
      return false;
    inputs.push_back(std::move(*tracked));
  }
  std::optional<Tracked> result = pointwise(inputs, [&](ArrayRef<Size> x) {
    return compute(node.sizes, node.op(), x);
  });
  if (!result)
    return false;
  bool isComparison = node.op() == "Equal" || node.op().starts_with("Less") ||
                      node.op().starts_with("Greater") || node.op() == "And" ||
                      node.op() == "Or" || node.op() == "Xor" ||
                      node.op() == "Not";
  ElementType type =
      isComparison ? ElementType::Bool : node.type(node.numInputs() - 1);
  return succeeded(node.result(result->elements, result->shape, type));
}

bool foldConcat(Node &node) {
  Sizes elements;
  for (unsigned input = 0; input < node.numInputs(); ++input) {
    std::optional<Tracked> tracked = trackedInput(node, input);
    if (!tracked || tracked->shape.size() != 1 ||
        node.type(input) != node.type(0))
      return false;
    llvm::append_range(elements, tracked->elements);
  }
  int64_t axis = node.integer("axis", 1), count = elements.size();
  if ((axis != 0 && axis != -1) || count > OnnxValue::MaxElements)
    return false;
  return succeeded(node.result(elements, {count}, node.type(0)));
}

bool foldGather(Node &node) {
  std::optional<Tracked> data = trackedInput(node, 0);
  std::optional<SmallVector<int64_t>> indices = node.knownIntegers(1);
  std::optional<SmallVector<int64_t>> shape =
      getConstantIntValues(node.in(1).sizes);
  if (!data || data->shape.size() != 1 || !indices || !shape ||
      node.integer("axis", 0) > 0)
    return false;
  Sizes elements;
  for (int64_t index : *indices) {
    int64_t at = index < 0 ? index + data->shape[0] : index;
    if (at < 0 || at >= data->shape[0])
      return false; // reported by the operator itself
    elements.push_back(data->elements[at]);
  }
  return succeeded(node.result(elements, *shape, node.type(0)));
}

bool foldSlice(Node &node) {
  std::optional<Tracked> data = trackedInput(node, 0);
  if (!data || data->shape.size() != 1 || node.opset() < 10 ||
      node.numInputs() < 3)
    return false;
  std::optional<SmallVector<int64_t>> start = node.knownIntegers(1),
                                      end = node.knownIntegers(2),
                                      step = node.has(4)
                                                 ? node.knownIntegers(4)
                                                 : SmallVector<int64_t>{1};
  if (!start || !end || !step || start->size() != 1 || end->size() != 1 ||
      step->size() != 1 || (*step)[0] <= 0)
    return false;
  int64_t size = data->shape[0];
  auto bound = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size);
  };
  Sizes elements;
  for (int64_t at = bound((*start)[0]), last = bound((*end)[0]); at < last;
       at += std::min((*step)[0], size))
    elements.push_back(data->elements[at]);
  return succeeded(
      node.result(elements, {int64_t(elements.size())}, node.type(0)));
}

/// A list of sizes folded to one: their product, sum, least or greatest.
bool foldReduction(Node &node) {
  std::optional<Tracked> data = trackedInput(node, 0);
  if (!data || data->shape.size() != 1 || data->elements.empty())
    return false;
  std::optional<SmallVector<int64_t>> axes = node.integerList("axes");
  if (!axes && node.has(1))
    axes = node.knownIntegers(1);
  bool isAll =
      axes ? axes->size() == 1 && ((*axes)[0] == 0 || (*axes)[0] == -1)
           : !node.has(1) && node.integer("noop_with_empty_axes", 0) == 0;
  StringRef kind = node.op().drop_front(StringRef("Reduce").size());
  if (!isAll || !llvm::is_contained({"Prod", "Sum", "Min", "Max"}, kind))
    return false;
  SizeArithmetic &sizes = node.sizes;
  Size result = data->elements[0];
  for (Size next : ArrayRef<Size>(data->elements).drop_front())
    result = kind == "Prod"  ? sizes.multiply(result, next)
             : kind == "Sum" ? sizes.add(result, next)
             : kind == "Min" ? sizes.minimum(result, next)
                             : sizes.maximum(result, next);
  bool keeps = node.integer("keepdims", 1) != 0;
  return succeeded(
      node.result({result}, keeps ? ArrayRef<int64_t>(1) : ArrayRef<int64_t>(),
                  node.type(0)));
}

/// The same elements under another shape or type.
bool foldMovement(Node &node) {
  std::optional<Tracked> data = trackedInput(node, 0);
  if (!data)
    return false;
  ElementType type = node.type(0);
  if (node.op() == "Cast" || node.op() == "CastLike") {
    type =
        node.op() == "Cast" ? ElementType(node.integer("to", 0)) : node.type(1);
    // Sizes fit into any of these, and flags are sizes 0 and 1.
    if (type != ElementType::I64 && type != ElementType::I32 &&
        type != ElementType::Bool)
      return false;
    if (type == ElementType::Bool && !getConstantIntValues(data->elements))
      return false;
    if (type == ElementType::Bool)
      for (Size &element : data->elements)
        element = node.sizes.constant(getConstantIntValue(element) != 0);
    if (type == ElementType::I32)
      for (Size element : data->elements)
        if (std::optional<int64_t> constant = getConstantIntValue(element);
            constant && *constant != int32_t(*constant))
          return false;
    return succeeded(node.result(data->elements, data->shape, type));
  }
  if (node.op() == "Squeeze" && data->elements.size() == 1 &&
      data->shape.size() == 1)
    return succeeded(node.result(data->elements, {}, type));
  if (node.op() == "Unsqueeze" && data->shape.empty() &&
      (node.has(1) || node.hasAttribute("axes"))) {
    std::optional<SmallVector<int64_t>> axes = node.integerList("axes");
    if (!axes)
      axes = node.knownIntegers(1);
    return axes && axes->size() == 1 && ((*axes)[0] == 0 || (*axes)[0] == -1) &&
           succeeded(node.result(data->elements, {1}, type));
  }
  if (node.op() == "Reshape" && node.has(1)) {
    std::optional<SmallVector<int64_t>> target = node.knownIntegers(1);
    int64_t count = data->elements.size();
    if (!target || target->size() > 1 ||
        (target->size() == 1 && (*target)[0] != -1 && (*target)[0] != count))
      return false;
    if (target->empty() && count != 1)
      return false;
    return succeeded(node.result(data->elements,
                                 target->empty() ? ArrayRef<int64_t>()
                                                 : ArrayRef<int64_t>(count),
                                 type));
  }
  return false;
}

} // namespace

bool mezzo::foldOnElements(Node &node) {
  if (!node.domain().empty() || node.numInputs() == 0)
    return false;
  for (unsigned input = 0; input < node.numInputs(); ++input)
    if (node.has(input) && input == 0 && !isInteger(node.type(0)) &&
        node.type(0) != ElementType::Bool)
      return false;
  StringRef op = node.op();
  for (unsigned input = 0; input < node.numInputs(); ++input)
    if (!node.has(input) && op != "Slice")
      return false;
  if (op == "Concat")
    return foldConcat(node);
  if (op == "Gather")
    return foldGather(node);
  if (op == "Slice")
    return foldSlice(node) || foldElementMovement(node);
  if (op == "Transpose" || op == "ConstantOfShape")
    return foldElementMovement(node);
  if (op.starts_with("Reduce"))
    return foldReduction(node);
  if (op == "Cast" || op == "CastLike" || op == "Squeeze" ||
      op == "Unsqueeze" || op == "Reshape")
    return foldMovement(node) || foldElementMovement(node);
  return foldPointwise(node);
}
