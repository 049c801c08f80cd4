//===- Reductions.cpp - ReduceSum and its like, ArgMax, ArgMin ------------===//

#include "passes/Frontend/Pointwise.h"
#include "passes/Frontend/Reduce.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/RuntimeAxes.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

enum class Kind {
  Sum,
  Mean,
  Max,
  Min,
  Prod,
  L1,
  L2,
  SumSquare,
  LogSum,
  LogSumExp
};

/// Where the axes are numbers: these. Else, a flag per dimension that is true
/// where the run reduces it.
struct Axes {
  SmallVector<int64_t> known;
  SmallVector<Value> flags;
  int64_t count = 0; ///< how many are reduced
};

FailureOr<Axes> readAxes(Node &node) {
  int64_t rank = node.rank(0);
  Axes axes;
  std::optional<Sizes> given;
  if (std::optional<SmallVector<int64_t>> listed = node.integerList("axes")) {
    given = node.sizes.constants(*listed);
  } else if (node.has(1)) {
    given = node.shapeElements(1);
    if (!given)
      return node.error() << "its axes are computed at run time from other "
                             "than the inputs, which is not supported; make "
                             "them an initializer";
  }
  bool all = (!given || given->empty()) &&
             node.integer("noop_with_empty_axes", 0) == 0;
  if (all)
    axes.known = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  axes.count = axes.known.size();
  if (all || !given)
    return axes;
  axes.count = given->size();
  if (std::optional<SmallVector<int64_t>> known =
          getConstantIntValues(*given)) {
    for (int64_t axis : *known) {
      FailureOr<int64_t> normal = node.axis(axis, rank);
      if (failed(normal))
        return failure();
      axes.known.push_back(*normal);
    }
    llvm::sort(axes.known);
    if (std::adjacent_find(axes.known.begin(), axes.known.end()) !=
        axes.known.end())
      return node.error()
             << "one of its axes is named twice; export the model again";
    return axes;
  }
  axes.flags = flagAxes(node, *given, rank);
  return axes;
}

/// One loop over all of x in row-major order: which element of the result it
/// meets depends on the flags. This is the ascending order of `reduce`, without
/// its lanes.
SizedTensor reduceByFlags(Node &node, SizedTensor x, const Axes &axes,
                          ElementType element, Fold fold) {
  SizeArithmetic &sizes = node.sizes;
  Sizes shape;
  SmallVector<Value> low, high, step;
  for (int64_t dim = 0; dim < x.rank(); ++dim) {
    shape.push_back(
        sizes.select(axes.flags[dim], sizes.constant(1), x.sizes[dim]));
    sizes.setOpen(shape.back()); // it may be 1, or not
    low.push_back(sizes.value(sizes.constant(0)));
    high.push_back(sizes.value(x.sizes[dim]));
    step.push_back(sizes.value(sizes.constant(1)));
  }
  SizedTensor init = node.tensors.filled(shape, fold.start);
  scf::LoopNest nest = scf::buildLoopNest(
      node.b, node.b.getLoc(), low, high, step, ValueRange{init.value},
      [&](OpBuilder &builder, Location loc, ValueRange indices,
          ValueRange state) -> scf::ValueVector {
        ImplicitLocOpBuilder b(loc, builder);
        SmallVector<Value> place;
        for (auto [index, flag] : llvm::zip_equal(indices, axes.flags))
          place.push_back(arith::SelectOp::create(b, flag, low[0], index));
        Value next = tensor::ExtractOp::create(b, x.value, indices);
        Value sum = tensor::ExtractOp::create(b, state[0], place);
        ScalarBuilder scalars(b, x.elementType(), element);
        return {tensor::InsertOp::create(b, fold.step(scalars, sum, next),
                                         state[0], place)};
      });
  return {nest.results[0], shape};
}

SizedTensor reduceAlong(Node &node, SizedTensor x, const Axes &axes,
                        ElementType element, Fold fold) {
  return axes.flags.empty() ? reduce(node, x, axes.known, element, fold)
                            : reduceByFlags(node, x, axes, element, fold);
}

SizedTensor sumAlong(Node &node, SizedTensor x, const Axes &axes,
                     ElementType element) {
  return reduceAlong(node, x, axes, element,
                     {cast<TypedAttr>(node.b.getZeroAttr(x.elementType())),
                      [](ScalarBuilder &s, Value sum, Value next) {
                        return s.add(sum, next);
                      }});
}

/// The number of elements per result, in the element type.
Value countOf(Node &node, ArrayRef<Size> shape, const Axes &axes, Type type) {
  Size count = node.sizes.constant(1);
  for (int64_t axis : axes.known)
    count = node.sizes.multiply(count, shape[axis]);
  for (auto [flag, size] : llvm::zip(axes.flags, shape))
    count = node.sizes.multiply(
        count, node.sizes.select(flag, size, node.sizes.constant(1)));
  Value integer = arith::IndexCastOp::create(node.b, node.b.getI64Type(),
                                             node.sizes.value(count));
  if (isa<FloatType>(type))
    return arith::SIToFPOp::create(node.b, type, integer);
  return type.isInteger(64)
             ? integer
             : arith::TruncIOp::create(node.b, type, integer).getResult();
}

template <typename Function>
SizedTensor map(Node &node, ArrayRef<SizedTensor> x, ElementType element,
                Function function) {
  return node.tensors.elementwise(
      x, x[0].elementType(), [&](ImplicitLocOpBuilder &b, ValueRange values) {
        ScalarBuilder scalars(b, x[0].elementType(), element);
        return function(scalars, values);
      });
}

/// m + log(sum(exp(x - m))) with the maximum m, or 0 where that is infinite.
SizedTensor logSumExp(Node &node, SizedTensor x, const Axes &axes,
                      ElementType element) {
  SizedTensor most = reduceAlong(
      node, x, axes, element,
      {extreme(node.b, x.elementType(), element, false),
       [](ScalarBuilder &s, Value a, Value b) { return s.max(a, b); }});
  SizedTensor shift = map(node, {most}, element, [](auto &s, ValueRange v) {
    Value finite = s.less(s.abs(v[0]), s.constant(HUGE_VAL));
    return s.select(finite, v[0], s.constant(0));
  });
  SizedTensor powers =
      map(node, {x, shift}, element,
          [](auto &s, ValueRange v) { return s.exp(s.sub(v[0], v[1])); });
  return map(node, {sumAlong(node, powers, axes, element), shift}, element,
             [](auto &s, ValueRange v) { return s.add(v[1], s.log(v[0])); });
}

SizedTensor compute(Node &node, Kind kind, SizedTensor x, const Axes &axes,
                    ElementType element) {
  Type type = x.elementType();
  switch (kind) {
  case Kind::Sum:
    return sumAlong(node, x, axes, element);
  case Kind::Mean: {
    Value count = countOf(node, x.sizes, axes, type);
    return map(node, {sumAlong(node, x, axes, element)}, element,
               [&](auto &s, ValueRange v) {
                 return s.div(v[0], count, node.subject());
               });
  }
  case Kind::Max:
  case Kind::Min: {
    bool isMax = kind == Kind::Max;
    return reduceAlong(node, x, axes, element,
                       {extreme(node.b, type, element, !isMax),
                        [=](ScalarBuilder &s, Value a, Value b) {
                          return isMax ? s.max(a, b) : s.min(a, b);
                        }});
  }
  case Kind::Prod:
    return reduceAlong(
        node, x, axes, element,
        {cast<TypedAttr>(node.b.getOneAttr(type)),
         [](ScalarBuilder &s, Value a, Value b) { return s.mul(a, b); }});
  case Kind::L1:
    return sumAlong(node,
                    map(node, {x}, element,
                        [](auto &s, ValueRange v) { return s.abs(v[0]); }),
                    axes, element);
  case Kind::SumSquare:
  case Kind::L2: {
    SizedTensor squares = map(node, {x}, element, [](auto &s, ValueRange v) {
      return s.mul(v[0], v[0]);
    });
    SizedTensor sum = sumAlong(node, squares, axes, element);
    if (kind == Kind::SumSquare)
      return sum;
    return map(node, {sum}, element,
               [](auto &s, ValueRange v) { return s.sqrt(v[0]); });
  }
  case Kind::LogSum:
    return map(node, {sumAlong(node, x, axes, element)}, element,
               [](auto &s, ValueRange v) { return s.log(v[0]); });
  case Kind::LogSumExp:
    return logSumExp(node, x, axes, element);
  }
  llvm_unreachable("all kinds are covered");
}

template <Kind K>
LogicalResult importReduce(Node &node) {
  ElementType type = node.type(0);
  bool chooses = K == Kind::Max || K == Kind::Min;
  bool floatOnly = K == Kind::L2 || K == Kind::LogSum || K == Kind::LogSumExp;
  bool fits = isFloat(type) || (isInteger(type) && !floatOnly) ||
              (type == ElementType::Bool && chooses);
  if (!fits)
    return node.error() << "elements of type " << name(type)
                        << " are not supported here: use a floating point type"
                        << (floatOnly ? "" : " or integers")
                        << ", for example by a Cast";
  FailureOr<Axes> axes = readAxes(node);
  if (failed(axes))
    return failure();
  SizedTensor x = node.numbers(0);
  Type declared = x.elementType();
  x = node.tensors.convertFloat(x, computeType(declared));
  SizedTensor y = compute(node, K, x, *axes, type);
  if (node.integer("keepdims", 1) == 0) {
    if (axes->flags.empty())
      y = dropAxes(node, y, axes->known);
    else // sizes of the run: whether they make up as many elements is checked
      y = node.tensors.reshape(
          y, withoutFlagged(node, x.sizes, axes->flags, axes->count));
  }
  if (isa<FloatType>(declared))
    y = node.tensors.convertFloat(y, declared);
  return node.result(y, type);
}

template <bool Max>
LogicalResult importArg(Node &node) {
  FailureOr<int64_t> axis = node.axis(node.integer("axis", 0), node.rank(0));
  if (failed(axis))
    return failure();
  ElementType type = node.type(0);
  if (!isFloat(type) && !isInteger(type))
    return node.error() << "elements of type " << name(type)
                        << " are not supported here: use a floating point or "
                           "integer type";
  SizedTensor x = node.numbers(0);
  x = node.tensors.convertFloat(x, computeType(x.elementType()));
  if (getConstantIntValue(x.sizes[*axis]) == 0)
    return node.error() << "axis " << *axis
                        << " has no elements; check --dim and --shape";
  SizedTensor y = argExtreme(node, x, *axis, type, Max,
                             node.integer("select_last_index", 0) != 0);
  if (node.integer("keepdims", 1) != 0) {
    Sizes kept = y.sizes;
    kept.insert(kept.begin() + *axis, node.sizes.constant(1));
    y = node.tensors.reshape(y, kept);
  }
  return node.result(y, ElementType::I64);
}

const OperatorRow rows[] = {
    {OnnxDomain, "ReduceSum", 1, 1, 2, importReduce<Kind::Sum>},
    {OnnxDomain, "ReduceMean", 1, 1, 2, importReduce<Kind::Mean>},
    {OnnxDomain, "ReduceMax", 1, 1, 2, importReduce<Kind::Max>},
    {OnnxDomain, "ReduceMin", 1, 1, 2, importReduce<Kind::Min>},
    {OnnxDomain, "ReduceProd", 1, 1, 2, importReduce<Kind::Prod>},
    {OnnxDomain, "ReduceL1", 1, 1, 2, importReduce<Kind::L1>},
    {OnnxDomain, "ReduceL2", 1, 1, 2, importReduce<Kind::L2>},
    {OnnxDomain, "ReduceSumSquare", 1, 1, 2, importReduce<Kind::SumSquare>},
    {OnnxDomain, "ReduceLogSum", 1, 1, 2, importReduce<Kind::LogSum>},
    {OnnxDomain, "ReduceLogSumExp", 1, 1, 2, importReduce<Kind::LogSumExp>},
    {OnnxDomain, "ArgMax", 1, 1, 1, importArg<true>},
    {OnnxDomain, "ArgMin", 1, 1, 1, importArg<false>},
};

} // namespace

ArrayRef<OperatorRow> mezzo::reductionOperators() { return rows; }

//   ArgMax(x, axis)
//   -->
//   a fold of pairs: an element that is greater than the best so far (or as
//   great, where the last is wanted) takes its place
SizedTensor mezzo::argExtreme(Node &node, SizedTensor x, int64_t axis,
                              ElementType element, bool greatest, bool last) {
  ImplicitLocOpBuilder &b = node.b;
  Sizes kept;
  SmallVector<AffineExpr> place;
  SmallVector<utils::IteratorType> loops;
  for (int64_t dim = 0; dim < x.rank(); ++dim) {
    loops.push_back(dim == axis ? utils::IteratorType::reduction
                                : utils::IteratorType::parallel);
    if (dim == axis)
      continue;
    kept.push_back(x.sizes[dim]);
    place.push_back(b.getAffineDimExpr(dim));
  }
  AffineMap map = AffineMap::get(x.rank(), 0, place, b.getContext());
  SizedTensor best = node.tensors.filled(
      kept, extreme(b, x.elementType(), element, !greatest));
  SizedTensor where = node.tensors.filled(kept, b.getI64IntegerAttr(0));
  auto generic = linalg::GenericOp::create(
      b, TypeRange{best.type(), where.type()}, ValueRange{x.value},
      ValueRange{best.value, where.value},
      ArrayRef<AffineMap>{b.getMultiDimIdentityMap(x.rank()), map, map}, loops,
      [&](OpBuilder &builder, Location loc, ValueRange v) {
        ImplicitLocOpBuilder b(loc, builder);
        ScalarBuilder s(b, x.elementType(), element);
        Value left = greatest ? v[1] : v[0], right = greatest ? v[0] : v[1];
        Value takes = last ? s.lessOrEqual(left, right) : s.less(left, right);
        if (isa<FloatType>(x.elementType())) {
          auto isNaN = [&](Value value) -> Value {
            return arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, value,
                                         value);
          };
          Value one = arith::ConstantOp::create(b, b.getBoolAttr(true));
          Value first = arith::XOrIOp::create(b, isNaN(v[1]), one);
          takes = arith::OrIOp::create(
              b, takes, arith::AndIOp::create(b, isNaN(v[0]), first));
        }
        Value index = arith::IndexCastOp::create(
            b, b.getI64Type(), linalg::IndexOp::create(b, axis));
        linalg::YieldOp::create(b, ValueRange{s.select(takes, v[0], v[1]),
                                              s.select(takes, index, v[2])});
      });
  return {generic.getResult(1), kept};
}
