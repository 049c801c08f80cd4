//===- Movement.cpp - the same elements in another shape or order ---------===//

#include "passes/Frontend/Registry.h"
#include "passes/Frontend/RuntimeAxes.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

LogicalResult importIdentity(Node &node) {
  OnnxValue value = node.in(0);
  return node.result(std::move(value));
}

LogicalResult importDropout(Node &node) {
  if (node.has(2) && node.constantScalar(2) != 0.0)
    return node.error() << "it is in training mode, which is not supported; "
                           "export the model for inference";
  if (node.wants(1)) { // the mask of what is kept: all of it
    SizedTensor mask =
        node.tensors.filled(node.in(0).sizes, node.b.getBoolAttr(true));
    if (failed(node.result(mask, ElementType::Bool, 1)))
      return failure();
  }
  return importIdentity(node);
}

/// Of an initializer that is only seen from another side, nothing has to be
/// computed: it stays one.
LogicalResult reshapeTo(Node &node, ArrayRef<Size> shape) {
  OnnxValue value = node.in(0);
  std::optional<SmallVector<int64_t>> dims = getConstantIntValues(shape);
  if (value.constant && !value.tensor && dims &&
      node.sizes.surelyEqual(node.sizes.product(shape),
                             node.sizes.product(value.sizes))) {
    TensorView view = *value.constant;
    view.dims = *dims;
    value.constant = std::make_shared<const TensorView>(std::move(view));
    value.sizes = Sizes(shape);
    return node.result(std::move(value));
  }
  return node.result(node.tensors.reshape(node.held(0), shape), node.type(0));
}

/// The target of Reshape: 0 copies a size of the input (unless `allowzero`),
/// one -1 stands for what is left.
LogicalResult importReshapeTo(Node &node, ArrayRef<Size> target) {
  SizeArithmetic &sizes = node.sizes;
  const Sizes input = node.in(0).sizes;
  bool copiesZero = node.integer("allowzero", 0) == 0;
  Sizes shape;
  std::optional<size_t> inferred;
  for (auto [dim, wanted] : llvm::enumerate(target)) {
    Size size = wanted;
    std::optional<int64_t> constant = getConstantIntValue(size);
    if (constant == 0 && copiesZero) {
      if (dim >= input.size())
        return node.error()
               << "its target " << describe(target) << " copies dimension "
               << dim << " of an input of shape " << describe(input)
               << ", which has none; write the size";
      size = input[dim];
    } else if (constant == -1) {
      if (inferred)
        return node.error()
               << "its target " << describe(target)
               << " leaves two sizes open: only one can be inferred; write "
               << "the other";
      inferred = dim;
      size = sizes.constant(1);
    } else if (constant && *constant < 0) {
      return node.error() << "its target " << describe(target)
                          << " has the size " << *constant
                          << ": use -1, 0 or more";
    }
    shape.push_back(size);
  }
  Size total = sizes.product(input), known = sizes.product(shape);
  if (inferred) {
    if (getConstantIntValue(known) == 0)
      return node.error() << "its target " << describe(target)
                          << " leaves a size open beside a size of 0, where "
                             "any would do; write it";
    shape[*inferred] = sizes.divide(total, known);
    known = sizes.multiply(known, shape[*inferred]);
  }
  if (sizes.equal(total, known) == false)
    return node.error() << "an input of shape " << describe(input)
                        << " does not fit the target " << describe(target)
                        << ": they have different numbers of elements; check "
                           "--dim and --shape, or export the model with the "
                        << "shapes it is to have";
  return reshapeTo(node, shape);
}

/// The same for a target that only the run knows: which of its numbers are 0 or
/// -1 is seen then. That they make up as many elements is checked by `reshape`.
LogicalResult importReshapeAtRuntime(Node &node, ArrayRef<Size> target) {
  SizeArithmetic &sizes = node.sizes;
  const Sizes input = node.in(0).sizes;
  bool copiesZero = node.integer("allowzero", 0) == 0;
  auto is = [&](Size size, int64_t value) -> Value {
    return arith::CmpIOp::create(node.b, arith::CmpIPredicate::eq,
                                 sizes.value(size),
                                 sizes.value(sizes.constant(value)));
  };
  Size known = sizes.constant(1);
  Sizes shape;
  for (auto [dim, wanted] : llvm::enumerate(target)) {
    Size size = wanted;
    if (copiesZero && dim < input.size())
      size = sizes.select(is(wanted, 0), input[dim], size);
    shape.push_back(size);
    known = sizes.multiply(
        known, sizes.select(is(wanted, -1), sizes.constant(1), size));
  }
  Size inferred = sizes.divide(sizes.product(input), known);
  for (auto [size, wanted] : llvm::zip_equal(shape, target))
    size = sizes.maximum(sizes.select(is(wanted, -1), inferred, size),
                         sizes.constant(0));
  return reshapeTo(node, shape);
}

LogicalResult importReshape(Node &node) {
  if (std::optional<Sizes> target = node.shapeElements(1)) {
    bool surprises = llvm::any_of(*target, [&](Size size) {
      return !getConstantIntValue(size) && !node.sizes.isNonnegative(size);
    });
    return surprises ? importReshapeAtRuntime(node, *target)
                     : importReshapeTo(node, *target);
  }
  return node.error() << "its target shape is computed from the values of "
                         "tensors at run time, which is not supported; fix "
                      << "the shapes of the inputs with --dim or --shape, or "
                         "make the target an initializer";
}

/// Before opset 5 the target was an attribute.
LogicalResult importReshapeAttribute(Node &node) {
  std::optional<SmallVector<int64_t>> target = node.integerList("shape");
  if (!target)
    return node.error()
           << "its attribute 'shape' is missing; export the model again";
  return importReshapeTo(node, node.sizes.constants(*target));
}

LogicalResult importFlatten(Node &node) {
  FailureOr<int64_t> axis =
      node.axis(node.integer("axis", 1), node.rank(0), /*end=*/true);
  if (failed(axis))
    return failure();
  ArrayRef<Size> input = node.in(0).sizes;
  return reshapeTo(node, {node.sizes.product(input.take_front(*axis)),
                          node.sizes.product(input.drop_front(*axis))});
}

/// The axes of Squeeze and Unsqueeze: an attribute before opset 13, then an
/// input. None where neither is given.
FailureOr<std::optional<SmallVector<int64_t>>> readAxes(Node &node,
                                                        int64_t rank) {
  std::optional<SmallVector<int64_t>> axes = node.integerList("axes");
  if (!axes && node.has(1)) {
    FailureOr<SmallVector<int64_t>> given = node.integers(1, "axes");
    if (failed(given))
      return failure();
    axes = *given;
  }
  if (!axes)
    return axes;
  for (int64_t &axis : *axes) {
    FailureOr<int64_t> normal = node.axis(axis, rank);
    if (failed(normal))
      return failure();
    axis = *normal;
  }
  llvm::sort(*axes);
  if (std::adjacent_find(axes->begin(), axes->end()) != axes->end())
    return node.error()
           << "one of its axes is named twice; export the model again";
  return axes;
}

/// The axes where they are an input whose values only the run knows.
std::optional<Sizes> runtimeAxes(Node &node) {
  if (!node.has(1) || node.knownIntegers(1))
    return std::nullopt;
  return node.shapeElements(1);
}

LogicalResult importSqueeze(Node &node) {
  if (std::optional<Sizes> axes = runtimeAxes(node)) {
    Sizes input = node.in(0).sizes;
    SmallVector<Value> flags = flagAxes(node, *axes, input.size());
    return reshapeTo(node, withoutFlagged(node, input, flags, axes->size()));
  }
  FailureOr<std::optional<SmallVector<int64_t>>> axes =
      readAxes(node, node.rank(0));
  if (failed(axes))
    return failure();
  Sizes shape;
  for (auto [dim, size] : llvm::enumerate(node.in(0).sizes)) {
    std::optional<int64_t> constant = getConstantIntValue(size);
    if (!*axes && !constant)
      return node.error() << "dimension " << dim << " of its input, of shape "
                          << describe(node.in(0).sizes)
                          << ", may or may not be 1 at run time, which would "
                             "change the rank: name the axes, or fix the "
                          << "dimension with --dim or --shape";
    bool squeezed =
        *axes ? llvm::is_contained(**axes, int64_t(dim)) : constant == 1;
    if (squeezed && constant && *constant != 1)
      return node.error()
             << "axis " << dim << " of its input, of shape "
             << describe(node.in(0).sizes) << ", has the size " << *constant
             << ": only sizes of 1 can be squeezed; check --dim and --shape";
    if (!squeezed)
      shape.push_back(size);
  }
  return reshapeTo(node, shape);
}

LogicalResult importUnsqueeze(Node &node) {
  if (std::optional<Sizes> axes = runtimeAxes(node)) {
    Sizes input = node.in(0).sizes;
    SmallVector<Value> flags =
        flagAxes(node, *axes, input.size() + axes->size());
    return reshapeTo(node, withFlagged(node, input, flags));
  }
  std::optional<SmallVector<int64_t>> listed = node.integerList("axes");
  FailureOr<SmallVector<int64_t>> given =
      listed ? *listed : SmallVector<int64_t>();
  if (!listed && node.has(1))
    given = node.integers(1, "axes");
  if (failed(given))
    return failure();
  int64_t rank = node.rank(0) + given->size();
  FailureOr<std::optional<SmallVector<int64_t>>> axes = readAxes(node, rank);
  if (failed(axes))
    return failure();
  if (!*axes)
    return node.error() << "its axes are missing; export the model again";
  Sizes shape;
  for (int64_t dim = 0, from = 0; dim < rank; ++dim)
    shape.push_back(llvm::is_contained(**axes, dim) ? node.sizes.constant(1)
                                                    : node.in(0).sizes[from++]);
  return reshapeTo(node, shape);
}

LogicalResult importTranspose(Node &node) {
  int64_t rank = node.rank(0);
  SmallVector<int64_t> permutation;
  for (int64_t dim = rank; dim-- > 0;)
    permutation.push_back(dim);
  if (std::optional<SmallVector<int64_t>> given = node.integerList("perm"))
    permutation = *given;
  SmallVector<int64_t> sorted = permutation;
  llvm::sort(sorted);
  for (auto [index, dim] : llvm::enumerate(sorted))
    if (int64_t(sorted.size()) != rank || dim != int64_t(index))
      return node.error() << "its attribute 'perm' is no permutation of the "
                          << rank
                          << " dimensions of its input; export the model again";
  return node.result(node.tensors.transpose(node.held(0), permutation),
                     node.type(0));
}

LogicalResult importExpand(Node &node) {
  std::optional<Sizes> target = node.shapeElements(1);
  if (!target)
    return node.error() << "its target shape is computed from the values of "
                           "tensors at run time, which is not supported; fix "
                        << "the shapes of the inputs with --dim or --shape, or "
                           "make the target an initializer";
  for (Size size : *target)
    if (!getConstantIntValue(size) && !node.sizes.isNonnegative(size))
      node.sizes.setOpen(size); // it may be 1, as nobody knows
  std::optional<Sizes> shape =
      node.tensors.broadcastSizes({node.in(0).sizes, *target});
  if (!shape)
    return node.error() << "an input of shape " << describe(node.in(0).sizes)
                        << " cannot be expanded to " << describe(*target)
                        << ": sizes must be equal, or one of them 1; check the "
                           "model, --dim and --shape";
  return node.result(node.tensors.broadcastTo(node.held(0), *shape),
                     node.type(0));
}

const OperatorRow rows[] = {
    {OnnxDomain, "Identity", 1, 1, 1, importIdentity},
    {OnnxDomain, "Dropout", 7, 1, 3, importDropout},
    {OnnxDomain, "Reshape", 1, 1, 1, importReshapeAttribute},
    {OnnxDomain, "Reshape", 5, 2, 2, importReshape},
    {OnnxDomain, "Flatten", 1, 1, 1, importFlatten},
    {OnnxDomain, "Squeeze", 1, 1, 2, importSqueeze},
    {OnnxDomain, "Unsqueeze", 1, 1, 2, importUnsqueeze},
    {OnnxDomain, "Transpose", 1, 1, 1, importTranspose},
    {OnnxDomain, "Expand", 8, 2, 2, importExpand},
};

} // namespace

ArrayRef<OperatorRow> mezzo::movementOperators() { return rows; }
