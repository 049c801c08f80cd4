//===- ElementMovement.cpp - tracked integers in several dimensions -------===//
//
// Exporters compute pads by turning a list of pairs around: ConstantOfShape,
// Concat, Reshape to [-1, 2], Slice with a step of -1, Transpose, Reshape. That
// is movement of a handful of integers that the importer knows, and it ends in
// an operator that needs to know them.
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/Importer.h"
#include "passes/Frontend/Registry.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// Integers that move, and their shape.
struct Movable {
  Sizes elements;
  SmallVector<int64_t> shape;
};

/// Position by position of a new shape: which element stands there.
Movable rearranged(const Movable &from, ArrayRef<int64_t> shape,
                   llvm::function_ref<int64_t(ArrayRef<int64_t>)> source) {
  Movable result{{}, SmallVector<int64_t>(shape)};
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  SmallVector<int64_t> index(shape.size(), 0);
  for (int64_t position = 0; position < count; ++position) {
    result.elements.push_back(from.elements[source(index)]);
    for (size_t dim = shape.size(); dim-- > 0;) {
      if (++index[dim] < shape[dim])
        break;
      index[dim] = 0;
    }
  }
  return result;
}

SmallVector<int64_t> rowMajor(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (size_t dim = shape.size(); dim-- > 1;)
    strides[dim - 1] = strides[dim] * shape[dim];
  return strides;
}

std::optional<Movable> reshaped(Node &node, const Movable &from) {
  std::optional<SmallVector<int64_t>> target = node.knownIntegers(1);
  if (!target || node.integer("allowzero", 0))
    return std::nullopt;
  int64_t known = 1, count = from.elements.size(), open = -1;
  for (auto [dim, size] : llvm::enumerate(*target)) {
    if (size == 0 && dim < from.shape.size())
      size = from.shape[dim];
    if (size == -1 && open < 0)
      open = dim;
    else if (size > 0)
      known *= size;
    else
      return std::nullopt; // reported by the operator itself
  }
  if (open >= 0) {
    (*target)[open] = count / known;
    known *= count / known;
  }
  if (known != count)
    return std::nullopt;
  return Movable{from.elements, *target};
}

std::optional<Movable> transposed(Node &node, const Movable &from) {
  SmallVector<int64_t> order;
  for (int64_t dim = from.shape.size(); dim-- > 0;)
    order.push_back(dim);
  order = node.integerList("perm").value_or(order);
  SmallVector<int64_t> sorted = order, shape, strides = rowMajor(from.shape);
  llvm::sort(sorted);
  if (!llvm::equal(sorted, llvm::seq<int64_t>(0, from.shape.size())))
    return std::nullopt;
  for (int64_t dim : order)
    shape.push_back(from.shape[dim]);
  return rearranged(from, shape, [&](ArrayRef<int64_t> index) {
    int64_t place = 0;
    for (auto [dim, at] : llvm::zip_equal(order, index))
      place += at * strides[dim];
    return place;
  });
}

std::optional<Movable> sliced(Node &node, const Movable &from) {
  if (node.opset() < 10 || !node.has(1) || !node.has(2))
    return std::nullopt;
  std::optional<SmallVector<int64_t>> starts = node.knownIntegers(1),
                                      ends = node.knownIntegers(2), axes, steps;
  if (!starts || !ends || starts->size() != ends->size())
    return std::nullopt;
  axes = node.has(3) ? node.knownIntegers(3)
                     : llvm::to_vector(llvm::seq<int64_t>(0, starts->size()));
  steps = node.has(4) ? node.knownIntegers(4)
                      : SmallVector<int64_t>(starts->size(), 1);
  if (!axes || !steps || axes->size() != starts->size() ||
      steps->size() != starts->size())
    return std::nullopt;
  int64_t rank = from.shape.size();
  SmallVector<int64_t> shape = from.shape, first(rank, 0), step(rank, 1);
  for (auto [axis, start, end, by] :
       llvm::zip_equal(*axes, *starts, *ends, *steps)) {
    int64_t dim = axis < 0 ? axis + rank : axis;
    if (dim < 0 || dim >= rank || by == 0 || by < -OnnxValue::MaxElements)
      return std::nullopt;
    int64_t size = from.shape[dim];
    by = std::min(by, std::max<int64_t>(1, size));
    auto bound = [&](int64_t at, int64_t low, int64_t high) {
      return std::clamp<int64_t>(at < 0 ? std::max(at, -size - 1) + size : at,
                                 low, high);
    };
    int64_t low = by > 0 ? 0 : -1, high = by > 0 ? size : size - 1;
    first[dim] = bound(start, low, high);
    int64_t last = bound(end, low, high);
    int64_t distance = by > 0 ? last - first[dim] : first[dim] - last;
    shape[dim] =
        std::max<int64_t>(0, llvm::divideCeilSigned(distance, std::abs(by)));
    step[dim] = by;
  }
  SmallVector<int64_t> strides = rowMajor(from.shape);
  return rearranged(from, shape, [&](ArrayRef<int64_t> index) {
    int64_t place = 0;
    for (int64_t dim = 0; dim < rank; ++dim)
      place += (first[dim] + index[dim] * step[dim]) * strides[dim];
    return place;
  });
}

/// ConstantOfShape of integers.
std::optional<Movable> filled(Node &node, ElementType &type) {
  std::optional<SmallVector<int64_t>> shape = node.knownIntegers(0);
  const onnx::AttributeProto *value = node.find("value");
  if (!shape || !value || !value->has_t() || shape->size() != 1 ||
      (*shape)[0] < 0 || (*shape)[0] > OnnxValue::MaxElements)
    return std::nullopt;
  llvm::Expected<TensorView> view = node.importer.model->tensor(value->t());
  if (!view) {
    llvm::consumeError(view.takeError()); // reported by the operator itself
    return std::nullopt;
  }
  if (!isInteger(view->type) || view->elements() != 1)
    return std::nullopt;
  llvm::Expected<SmallVector<int64_t>> integers = view->toInts();
  if (!integers) {
    llvm::consumeError(integers.takeError());
    return std::nullopt;
  }
  type = view->type;
  return Movable{Sizes((*shape)[0], node.sizes.constant((*integers)[0])),
                 *shape};
}

} // namespace

bool mezzo::foldElementMovement(Node &node) {
  ElementType type = node.type(0);
  std::optional<Movable> result;
  if (node.op() == "ConstantOfShape") {
    result = filled(node, type);
  } else if (node.op() == "Reshape" || node.op() == "Transpose" ||
             node.op() == "Slice") {
    std::optional<Sizes> elements = node.elements(0);
    std::optional<SmallVector<int64_t>> shape =
        getConstantIntValues(node.in(0).sizes);
    if (!elements || !shape)
      return false;
    Movable from{*elements, *shape};
    result = node.op() == "Reshape"     ? reshaped(node, from)
             : node.op() == "Transpose" ? transposed(node, from)
                                        : sliced(node, from);
  }
  return result &&
         succeeded(node.result(result->elements, result->shape, type));
}
