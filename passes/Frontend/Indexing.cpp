//===- Indexing.cpp - parts of tensors, and tensors of parts --------------===//

#include "passes/Frontend/Registry.h"
#include "passes/Frontend/RuntimeAxes.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

LogicalResult importConcat(Node &node) {
  FailureOr<int64_t> axis = node.axis(node.integer("axis", 1), node.rank(0));
  if (failed(axis))
    return failure();
  SizeArithmetic &sizes = node.sizes;
  Sizes shape = node.in(0).sizes;
  bool mixed = false; // codes beside integers
  for (unsigned input = 1; input < node.numInputs(); ++input) {
    if (node.type(input) != node.type(0))
      return node.error() << "its inputs are of types " << name(node.type(0))
                          << " and " << name(node.type(input))
                          << ", but must be of one type; insert a Cast";
    const Sizes &other = node.in(input).sizes;
    bool fits = other.size() == shape.size();
    for (int64_t dim = 0; fits && dim < int64_t(shape.size()); ++dim) {
      if (dim == *axis)
        shape[dim] = sizes.add(shape[dim], other[dim]);
      else if (sizes.equal(shape[dim], other[dim]) == false)
        fits = false;
      else
        shape[dim] = sizes.unify(shape[dim], other[dim],
                                 node.subject() +
                                     ": sizes beside the axis differ; check "
                                     "the shapes of the inputs of the model");
    }
    if (!fits)
      return node.error()
             << "its inputs have the shapes " << describe(node.in(0).sizes)
             << " and " << describe(other) << ": beside axis " << *axis
             << " they must be equal; check the model, --dim and --shape";
  }
  for (unsigned input = 0; input < node.numInputs(); ++input)
    mixed |= node.held(input).elementType() != node.held(0).elementType();
  SizedTensor first = mixed ? node.tensor(0) : node.held(0);
  SizedTensor result{node.tensors.empty(shape, first.elementType()), shape};
  Sizes offsets(shape.size(), sizes.constant(0));
  for (unsigned input = 0; input < node.numInputs(); ++input) {
    SizedTensor part = mixed ? node.tensor(input) : node.held(input);
    Sizes wanted = shape;
    wanted[*axis] = part.sizes[*axis];
    result =
        node.tensors.insert(node.tensors.fit(part, wanted), result, offsets);
    offsets[*axis] = sizes.add(offsets[*axis], part.sizes[*axis]);
  }
  return node.result(result, node.type(0));
}

//===----------------------------------------------------------------------===//
// Slice, Split
//===----------------------------------------------------------------------===//

/// One axis of Slice: `size` elements from `start`, every `step`th.
struct Range {
  Size start, size;
  int64_t step;
};

/// Bounds as in Python: counted from the end where negative, cut to the
/// dimension. A bound that is not a number is a size, hence not negative.
Range sliceRange(SizeArithmetic &sizes, Size start, Size end, int64_t step,
                 Size extent) {
  auto place = [&](Size bound, Size low, Size high) {
    if (std::optional<int64_t> constant = getConstantIntValue(bound)) {
      if (*constant >=
          std::numeric_limits<int32_t>::max()) // how exporters write "to the
                                               // end"
        return high;
      if (*constant <= std::numeric_limits<int32_t>::min())
        return low;
    }
    bound = sizes.fromEnd(bound, extent);
    return sizes.maximum(low, sizes.minimum(bound, high));
  };
  if (step > 0) {
    start = place(start, sizes.constant(0), extent);
    end = place(end, sizes.constant(0), extent);
    Size length = sizes.maximum(sizes.subtract(end, start), sizes.constant(0));
    return {start, sizes.ceilDivide(length, step), step};
  }
  // Backwards from `start` down to, but without, `end`, both at least -1.
  Size last = sizes.subtract(extent, sizes.constant(1));
  start = place(start, sizes.constant(-1), last);
  end = place(end, sizes.constant(-1), last);
  Size length = sizes.maximum(sizes.subtract(start, end), sizes.constant(0));
  return {start, sizes.ceilDivide(length, -step), step};
}

/// x[offset + i * stride], element by element.
LogicalResult readStrided(Node &node, SizedTensor x, ArrayRef<Size> offsets,
                          ArrayRef<Size> shape, ArrayRef<Size> steps) {
  auto valueOf = [&](Size size) { return node.sizes.value(size); };
  SmallVector<Value> starts = llvm::map_to_vector(offsets, valueOf),
                     strides = llvm::map_to_vector(steps, valueOf);
  SizedTensor y = node.tensors.generate(
      shape, x.elementType(),
      [&](ImplicitLocOpBuilder &b, ValueRange indices) -> Value {
        SmallVector<Value> source;
        for (auto [index, start, stride] :
             llvm::zip_equal(indices, starts, strides))
          source.push_back(arith::AddIOp::create(
              b, start, arith::MulIOp::create(b, index, stride)));
        return tensor::ExtractOp::create(b, x.value, source);
      });
  return node.result(y, node.type(0));
}

LogicalResult sliceTo(Node &node, ArrayRef<Range> ranges) {
  Sizes offsets, shape;
  SmallVector<int64_t> steps;
  for (const Range &range : ranges) {
    offsets.push_back(range.start);
    shape.push_back(range.size);
    steps.push_back(range.step);
  }
  SizedTensor x = node.held(0);
  if (llvm::all_of(steps, [](int64_t step) { return step > 0; }))
    return node.result(node.tensors.slice(x, offsets, shape, steps),
                       node.type(0));
  // No view runs backwards: element by element.
  return readStrided(node, x, offsets, shape, node.sizes.constants(steps));
}

LogicalResult importSliceRanges(Node &node, ArrayRef<Size> starts,
                                ArrayRef<Size> ends, ArrayRef<int64_t> axes,
                                ArrayRef<int64_t> steps) {
  if (starts.size() != ends.size() || axes.size() != starts.size() ||
      steps.size() != starts.size())
    return node.error()
           << "it has " << starts.size() << " starts, " << ends.size()
           << " ends, " << axes.size() << " axes and " << steps.size()
           << " steps: as many of each are needed; export the model again";
  SmallVector<Range> ranges;
  for (Size size : node.in(0).sizes)
    ranges.push_back({node.sizes.constant(0), size, 1});
  for (auto [start, end, rawAxis, step] :
       llvm::zip_equal(starts, ends, axes, steps)) {
    FailureOr<int64_t> axis = node.axis(rawAxis, node.rank(0));
    if (failed(axis))
      return failure();
    if (step == 0 || step < -std::numeric_limits<int32_t>::max())
      return node.error() << "it has a step of " << step << " on axis " << *axis
                          << ": use any number but 0";
    ranges[*axis] =
        sliceRange(node.sizes, start, end, step, node.in(0).sizes[*axis]);
  }
  return sliceTo(node, ranges);
}

/// Axes or steps that only the run knows: start, step and size of every
/// dimension are then chosen there, and elements read one by one.
LogicalResult sliceAtRuntime(Node &node, ArrayRef<Size> starts,
                             ArrayRef<Size> ends, ArrayRef<Size> axes,
                             ArrayRef<Size> steps) {
  if (starts.size() != ends.size() || axes.size() != starts.size() ||
      steps.size() != starts.size())
    return node.error()
           << "it has " << starts.size() << " starts, " << ends.size()
           << " ends, " << axes.size() << " axes and " << steps.size()
           << " steps: as many of each are needed; export the model again";
  SizeArithmetic &sizes = node.sizes;
  ImplicitLocOpBuilder &b = node.b;
  SizedTensor x = node.held(0);
  SmallVector<Value> flags = flagAxes(node, axes, x.rank());
  Size zero = sizes.constant(0), one = sizes.constant(1);
  auto compare = [&](arith::CmpIPredicate predicate, Size lhs, Size rhs) {
    return arith::CmpIOp::create(b, predicate, sizes.value(lhs),
                                 sizes.value(rhs))
        .getResult();
  };
  Sizes offsets, strides, shape;
  for (int64_t dim = 0; dim < x.rank(); ++dim) {
    Size extent = x.sizes[dim], start = zero, end = extent, step = one;
    for (size_t i = 0; i < axes.size(); ++i) {
      Size axis = sizes.fromEnd(axes[i], sizes.constant(x.rank()));
      Value here = compare(arith::CmpIPredicate::eq, axis, sizes.constant(dim));
      start = sizes.select(here, sizes.fromEnd(starts[i], extent), start);
      end = sizes.select(here, sizes.fromEnd(ends[i], extent), end);
      step = sizes.select(here, steps[i], step);
    }
    CheckOp::create(b, compare(arith::CmpIPredicate::ne, step, zero),
                    node.subject() +
                        ": a step is 0; check the inputs of the model");
    Value forward = compare(arith::CmpIPredicate::sge, step, zero);
    // Bounds are cut to 0 .. extent forwards, to -1 .. extent - 1 backwards.
    Size low = sizes.select(forward, zero, sizes.constant(-1)),
         high = sizes.select(forward, extent, sizes.subtract(extent, one));
    start = sizes.maximum(low, sizes.minimum(start, high));
    end = sizes.maximum(low, sizes.minimum(end, high));
    Size length = sizes.select(forward, sizes.subtract(end, start),
                               sizes.subtract(start, end)),
         stride = sizes.select(forward, step, sizes.subtract(zero, step));
    length = sizes.maximum(length, zero);
    // Rounded up: a length below the stride still has one element.
    Size whole = sizes.divide(length, stride);
    Value rest = compare(arith::CmpIPredicate::ne,
                         sizes.multiply(whole, stride), length);
    shape.push_back(sizes.select(rest, sizes.add(whole, one), whole));
    offsets.push_back(start);
    strides.push_back(step);
  }
  return readStrided(node, x, offsets, shape, strides);
}

LogicalResult importSlice(Node &node) {
  std::optional<Sizes> starts = node.shapeElements(1),
                       ends = node.shapeElements(2);
  if (!starts || !ends)
    return node.error() << "its bounds are computed from the values of tensors "
                           "at run time, which is not supported; fix the "
                        << "shapes of the inputs with --dim or --shape, or "
                           "make the bounds initializers";
  for (unsigned input : {3u, 4u}) {
    if (!node.has(input) || node.in(input).constant ||
        !node.shapeElements(input) || node.knownIntegers(input))
      continue;
    Sizes axes, steps(starts->size(), node.sizes.constant(1));
    for (size_t axis = 0; axis < starts->size(); ++axis)
      axes.push_back(node.sizes.constant(axis));
    for (auto [which, list] : {std::pair(3u, &axes), std::pair(4u, &steps)})
      if (node.has(which) && node.shapeElements(which))
        *list = *node.shapeElements(which);
    return sliceAtRuntime(node, *starts, *ends, axes, steps);
  }
  SmallVector<int64_t> axes, steps(starts->size(), 1);
  for (size_t axis = 0; axis < starts->size(); ++axis)
    axes.push_back(axis);
  for (auto [input, list, what] :
       {std::tuple(3u, &axes, "axes"), std::tuple(4u, &steps, "steps")})
    if (node.has(input)) {
      FailureOr<SmallVector<int64_t>> given = node.integers(input, what);
      if (failed(given))
        return failure();
      *list = *given;
    }
  return importSliceRanges(node, *starts, *ends, axes, steps);
}

/// Before opset 10 all bounds were attributes.
LogicalResult importSliceAttributes(Node &node) {
  std::optional<SmallVector<int64_t>> starts = node.integerList("starts"),
                                      ends = node.integerList("ends"),
                                      axes = node.integerList("axes");
  if (!starts || !ends)
    return node.error() << "its bounds are missing; export the model again";
  if (!axes) {
    axes.emplace();
    for (size_t axis = 0; axis < starts->size(); ++axis)
      axes->push_back(axis);
  }
  return importSliceRanges(node, node.sizes.constants(*starts),
                           node.sizes.constants(*ends), *axes,
                           SmallVector<int64_t>(starts->size(), 1));
}

LogicalResult importSplit(Node &node) {
  FailureOr<int64_t> axis = node.axis(node.integer("axis", 0), node.rank(0));
  if (failed(axis))
    return failure();
  Size extent = node.in(0).sizes[*axis];
  Sizes parts;
  if (std::optional<SmallVector<int64_t>> listed = node.integerList("split")) {
    parts = node.sizes.constants(*listed);
  } else if (node.has(1)) {
    std::optional<Sizes> given = node.shapeElements(1);
    if (!given)
      return node.error() << "the sizes of its parts are computed at run time, "
                             "which is not supported; make them an initializer";
    for (Size part : *given)
      parts.push_back(getConstantIntValue(part)
                          ? part
                          : node.sizes.maximum(part, node.sizes.constant(0)));
  } else {
    // Equal parts; from opset 18 on the last may be smaller.
    int64_t count = node.integer("num_outputs", node.numOutputs());
    if (count != node.numOutputs() || count == 0)
      return node.error() << "it has " << node.numOutputs()
                          << " outputs, but num_outputs is " << count
                          << "; export the model again";
    Size part = node.sizes.ceilDivide(extent, count);
    parts.assign(count - 1, part);
    parts.push_back(node.sizes.subtract(
        extent, node.sizes.multiply(part, node.sizes.constant(count - 1))));
    if (node.sizes.lessOrEqual(node.sizes.constant(0), parts.back()) == false)
      return node.error() << "an axis of " << describe(extent)
                          << " elements cannot be split into " << count
                          << " parts; give the sizes of the parts";
    if (!getConstantIntValue(extent)) // the last ones may be empty
      for (auto [index, size] : llvm::enumerate(parts)) {
        Size before =
            node.sizes.multiply(part, node.sizes.constant(int64_t(index)));
        size = node.sizes.maximum(
            node.sizes.minimum(part, node.sizes.subtract(extent, before)),
            node.sizes.constant(0));
      }
  }
  Size total = node.sizes.constant(0);
  for (Size part : parts) {
    if (getConstantIntValue(part).value_or(0) < 0)
      return node.error() << "it has a part of " << *getConstantIntValue(part)
                          << " elements: use 0 or more";
    total = node.sizes.add(total, part);
  }
  if (parts.size() != node.numOutputs() ||
      node.sizes.equal(total, extent) == false)
    return node.error() << "parts of " << describe(parts)
                        << " elements do not make up the " << describe(extent)
                        << " of axis " << *axis << " for " << node.numOutputs()
                        << " outputs; check --dim and --shape";
  // Where the sum may differ from the size, the input is cut or padded to it,
  // so that every part lies inside.
  SizedTensor x = node.held(0);
  Size common = node.sizes.unify(
      total, extent,
      node.subject() +
          ": the parts do not make up the axis; check the shapes of the "
          "inputs of the model");
  Sizes whole = x.sizes;
  whole[*axis] = common;
  x = node.tensors.fit(x, whole);
  whole[*axis] = total;
  x = node.tensors.fit(x, whole);
  Sizes offsets(x.rank(), node.sizes.constant(0));
  for (auto [output, part] : llvm::enumerate(parts)) {
    Sizes shape = x.sizes;
    shape[*axis] = part;
    if (node.wants(output) &&
        failed(node.result(node.tensors.slice(x, offsets, shape), node.type(0),
                           output)))
      return failure();
    offsets[*axis] = node.sizes.add(offsets[*axis], part);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Gather
//===----------------------------------------------------------------------===//

/// An index that is a constant is a slice.
LogicalResult gatherOne(Node &node, int64_t axis, int64_t index) {
  SizedTensor x = node.held(0);
  Sizes offsets(x.rank(), node.sizes.constant(0)), shape = x.sizes,
                                                   squeezed = x.sizes;
  offsets[axis] = node.sizes.constant(index);
  shape[axis] = node.sizes.constant(1);
  squeezed.erase(squeezed.begin() + axis);
  Sizes result(squeezed.begin(), squeezed.begin() + axis);
  llvm::append_range(result, node.in(1).sizes);
  result.append(squeezed.begin() + axis, squeezed.end());
  return node.result(
      node.tensors.reshape(node.tensors.slice(x, offsets, shape), result),
      node.type(0));
}

//   Gather(x[A, K, B], i[J], axis 1)
//   -->
//   y[a, j, b] = x[a, i[j], b], one element at a time. An index out of range
//   fails the run and reads the nearest element.
LogicalResult importGather(Node &node) {
  FailureOr<int64_t> axis = node.axis(node.integer("axis", 0), node.rank(0));
  if (failed(axis))
    return failure();
  if (node.type(1) != ElementType::I32 && node.type(1) != ElementType::I64)
    return node.error() << "its indices are of type " << name(node.type(1))
                        << ", but must be i32 or i64; insert a Cast";
  const Sizes input = node.in(0).sizes, indexSizes = node.in(1).sizes;
  std::optional<int64_t> extent = getConstantIntValue(input[*axis]);
  std::optional<SmallVector<int64_t>> known = node.knownIntegers(1);
  if (known && extent)
    for (int64_t index : *known)
      if (index < -*extent || index >= *extent)
        return node.error() << "index " << index << " is out of range for axis "
                            << *axis << " of " << *extent
                            << " elements; check the model, --dim and --shape";
  if (known && known->size() == 1 && extent)
    return gatherOne(node, *axis,
                     (*known)[0] < 0 ? (*known)[0] + *extent : (*known)[0]);

  Sizes shape(input.begin(), input.begin() + *axis);
  llvm::append_range(shape, indexSizes);
  shape.append(input.begin() + *axis + 1, input.end());
  SizedTensor x = node.held(0), indices = node.tensor(1);
  Value size = node.sizes.value(input[*axis]);
  int64_t rank = shape.size(), indexRank = indexSizes.size();
  ImplicitLocOpBuilder &b = node.b;
  SmallVector<AffineExpr> read;
  for (int64_t dim = 0; dim < indexRank; ++dim)
    read.push_back(b.getAffineDimExpr(*axis + dim));
  SmallVector<AffineMap> maps{AffineMap::get(rank, 0, read, b.getContext()),
                              b.getMultiDimIdentityMap(rank)};
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  std::string message =
      node.subject() +
      ": an index is out of range; check the inputs of the model";
  bool checked = !(known && extent);
  auto body = [&](OpBuilder &builder, Location loc, ValueRange elements) {
    ImplicitLocOpBuilder b(loc, builder);
    Value zero = arith::ConstantIndexOp::create(b, 0),
          one = arith::ConstantIndexOp::create(b, 1);
    Value index = arith::IndexCastOp::create(b, b.getIndexType(), elements[0]);
    Value negative =
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt, index, zero);
    index = arith::SelectOp::create(
        b, negative, arith::AddIOp::create(b, index, size), index);
    Value inside = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, index,
                                         size); // negative is very large
    if (checked)
      CheckOp::create(b, inside, message);
    index = arith::MaxSIOp::create(
        b,
        arith::MinSIOp::create(b, index, arith::SubIOp::create(b, size, one)),
        zero);
    SmallVector<Value> source;
    for (int64_t dim = 0; dim < int64_t(input.size()); ++dim) {
      if (dim == *axis)
        source.push_back(index);
      else
        source.push_back(linalg::IndexOp::create(
            b, dim < *axis ? dim : dim + indexRank - 1));
    }
    TypedAttr zeroElement = b.getZeroAttr(x.elementType());
    if (extent.value_or(0) > 0 || !zeroElement) {
      linalg::YieldOp::create(
          b, tensor::ExtractOp::create(b, x.value, source).getResult());
      return;
    }
    // An axis without elements has no nearest one.
    auto element = scf::IfOp::create(
        b, loc, inside,
        [&](OpBuilder &then, Location at) {
          scf::YieldOp::create(
              then, at,
              tensor::ExtractOp::create(then, at, x.value, source).getResult());
        },
        [&](OpBuilder &otherwise, Location at) {
          scf::YieldOp::create(
              otherwise, at,
              arith::ConstantOp::create(otherwise, at, zeroElement)
                  .getResult());
        });
    linalg::YieldOp::create(b, element.getResult(0));
  };
  Value init = node.tensors.empty(shape, x.elementType());
  auto generic =
      linalg::GenericOp::create(b, init.getType(), ValueRange{indices.value},
                                ValueRange{init}, maps, loops, body);
  return node.result(SizedTensor{generic.getResult(0), shape}, node.type(0));
}

const OperatorRow rows[] = {
    {OnnxDomain, "Concat", 4, 1, OperatorRow::Variadic, importConcat},
    {OnnxDomain, "Slice", 1, 1, 1, importSliceAttributes},
    {OnnxDomain, "Slice", 10, 3, 5, importSlice},
    {OnnxDomain, "Split", 2, 1, 2, importSplit},
    {OnnxDomain, "Gather", 1, 2, 2, importGather},
};

} // namespace

ArrayRef<OperatorRow> mezzo::indexingOperators() { return rows; }
