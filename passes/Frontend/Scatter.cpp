//===- Scatter.cpp - reading and writing where tensors of indices say -----===//

#include "passes/Frontend/Indices.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Scalars.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

std::string outOfRange(Node &node) {
  return node.subject() +
         ": an index is out of range; check the inputs of the model";
}

LogicalResult checkIndexType(Node &node, unsigned input) {
  ElementType type = node.type(input);
  if (type == ElementType::I32 || type == ElementType::I64)
    return success();
  return node.error() << "its indices are of type " << name(type)
                      << ", but must be i32 or i64; insert a Cast";
}

Value sizeValue(Node &node, Size size) { return node.sizes.value(size); }

SmallVector<Value> sizeValues(Node &node, ArrayRef<Size> sizes) {
  return llvm::map_to_vector(sizes,
                             [&](Size size) { return sizeValue(node, size); });
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

/// y[i] = x[i with indices[i] in place of i[axis]].
LogicalResult importGatherElements(Node &node) {
  FailureOr<int64_t> axis = node.axis(node.integer("axis", 0), node.rank(0));
  if (failed(axis) || failed(checkIndexType(node, 1)))
    return failure();
  if (node.rank(1) != node.rank(0))
    return node.error() << "its indices have rank " << node.rank(1)
                        << " and its data rank " << node.rank(0)
                        << ": they must be equal; export the model again";
  SizedTensor x = node.numbers(0), indices = node.tensor(1);
  SmallVector<Value> extents = sizeValues(node, x.sizes);
  std::string message = outOfRange(node);
  SizedTensor y = node.tensors.generate(
      indices.sizes, x.elementType(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        SmallVector<Value> place(at);
        // Beside the axis the indices may be fewer than the data.
        for (int64_t dim = 0; dim < x.rank(); ++dim)
          if (dim != *axis &&
              !node.sizes.lessOrEqual(indices.sizes[dim], x.sizes[dim])
                   .value_or(false))
            checkBelow(b, at[dim], extents[dim], message);
        place[*axis] =
            checkIndex(b, tensor::ExtractOp::create(b, indices.value, at),
                       extents[*axis], message);
        return tensor::ExtractOp::create(b, x.value, place);
      });
  return node.result(y, node.type(0));
}

/// The static length of the tuples of indices in the last dimension.
FailureOr<int64_t> tupleLength(Node &node, unsigned input, int64_t most) {
  if (node.rank(input) == 0)
    return node.error() << "its indices are a scalar; export the model again";
  Size last = node.in(input).sizes.back();
  std::optional<int64_t> length = getConstantIntValue(last);
  if (!length)
    return node.error() << "the last dimension of its indices is known at run "
                           "time only, which is not supported: fix it with "
                           "--dim or --shape";
  if (*length > most || *length < 1)
    return node.error() << "its indices are tuples of " << *length
                        << ", but there are " << most
                        << " dimensions to index; export the model again";
  return *length;
}

//   GatherND(x[B, D, E, F], indices[B, I, 2], batch_dims 1)
//   -->
//   y[b, i, f] = x[b, indices[b, i, 0], indices[b, i, 1], f]
LogicalResult importGatherND(Node &node) {
  int64_t batch = node.integer("batch_dims", 0);
  if (failed(checkIndexType(node, 1)))
    return failure();
  if (batch < 0 || batch >= std::min(node.rank(0), node.rank(1)))
    return node.error() << "its attribute 'batch_dims' is " << batch
                        << ": use less than the ranks of its inputs";
  FailureOr<int64_t> length = tupleLength(node, 1, node.rank(0) - batch);
  if (failed(length))
    return failure();
  SizedTensor x = node.numbers(0), indices = node.tensor(1);
  Sizes shape(indices.sizes.begin(), indices.sizes.end() - 1);
  int64_t outer = shape.size();
  shape.append(x.sizes.begin() + batch + *length, x.sizes.end());
  SmallVector<Value> extents = sizeValues(node, x.sizes);
  std::string message = outOfRange(node);
  SizedTensor y = node.tensors.generate(
      shape, x.elementType(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        SmallVector<Value> place(at.take_front(batch)),
            tuple(at.take_front(outer));
        tuple.push_back(Value());
        for (int64_t dim = 0; dim < batch; ++dim)
          if (!node.sizes.lessOrEqual(shape[dim], x.sizes[dim]).value_or(false))
            checkBelow(b, at[dim], extents[dim], message);
        for (int64_t part = 0; part < *length; ++part) {
          tuple.back() = arith::ConstantIndexOp::create(b, part);
          Value raw = tensor::ExtractOp::create(b, indices.value, tuple);
          place.push_back(checkIndex(b, raw, extents[batch + part], message));
        }
        llvm::append_range(place, at.drop_front(outer));
        return tensor::ExtractOp::create(b, x.value, place);
      });
  return node.result(y, node.type(0));
}

/// The first sequence_lens[n] elements along time, backwards; the others as
/// they are.
LogicalResult importReverseSequence(Node &node) {
  FailureOr<int64_t> time =
                         node.axis(node.integer("time_axis", 0), node.rank(0)),
                     batch =
                         node.axis(node.integer("batch_axis", 1), node.rank(0));
  if (failed(time) || failed(batch) || failed(checkIndexType(node, 1)))
    return failure();
  SizedTensor x = node.numbers(0);
  SizedTensor lengths = node.tensors.fit(node.tensor(1), {x.sizes[*batch]});
  Value extent = sizeValue(node, x.sizes[*time]);
  std::string message = node.subject() +
                        ": a length is out of range; check the inputs of the "
                        "model";
  SizedTensor y = node.tensors.generate(
      x.sizes, x.elementType(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        Value length = arith::IndexCastOp::create(
            b, b.getIndexType(),
            tensor::ExtractOp::create(b, lengths.value,
                                      ValueRange{at[*batch]}));
        Value fits =
            arith::CmpIOp::create(b, arith::CmpIPredicate::ule, length, extent);
        CheckOp::create(b, fits, message);
        Value reversed = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                               at[*time], length);
        Value last = arith::SubIOp::create(
            b, length, arith::ConstantIndexOp::create(b, 1));
        SmallVector<Value> place(at);
        place[*time] = arith::SelectOp::create(
            b, reversed, arith::SubIOp::create(b, last, at[*time]), at[*time]);
        return tensor::ExtractOp::create(b, x.value, place);
      });
  return node.result(y, node.type(0));
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

/// One loop over all updates in row-major order: `place` says where in x each
/// goes, and checks it; a later one overwrites or is combined with an earlier
/// one.
using Place =
    llvm::function_ref<SmallVector<Value>(ImplicitLocOpBuilder &, ValueRange)>;

LogicalResult scatter(Node &node, SizedTensor x, SizedTensor updates,
                      StringRef reduction, Place place) {
  ElementType type = node.type(0);
  bool known =
      llvm::is_contained({"none", "add", "mul", "max", "min"}, reduction);
  if (!known)
    return node.error() << "its attribute 'reduction' is " << quoted(reduction)
                        << ": use none, add, mul, max or min";
  if (reduction != "none" && !isFloat(type) && !isInteger(type))
    return node.error() << "elements of type " << name(type)
                        << " cannot be combined: use a floating point or "
                           "integer type";
  SmallVector<Value> low, high, step;
  for (Size size : updates.sizes) {
    low.push_back(sizeValue(node, node.sizes.constant(0)));
    high.push_back(sizeValue(node, size));
    step.push_back(sizeValue(node, node.sizes.constant(1)));
  }
  Type computed = computeType(x.elementType());
  scf::LoopNest nest = scf::buildLoopNest(
      node.b, node.b.getLoc(), low, high, step, ValueRange{x.value},
      [&](OpBuilder &builder, Location loc, ValueRange at,
          ValueRange state) -> scf::ValueVector {
        ImplicitLocOpBuilder b(loc, builder);
        SmallVector<Value> indices = place(b, at);
        Value next = tensor::ExtractOp::create(b, updates.value, at);
        if (reduction != "none") {
          ScalarBuilder s(b, computed, type);
          auto widen = [&](Value value) {
            return isa<FloatType>(computed)
                       ? convertFloatScalar(b, value, computed)
                       : value;
          };
          Value old = widen(tensor::ExtractOp::create(b, state[0], indices));
          next = widen(next);
          next = reduction == "add"   ? s.add(old, next)
                 : reduction == "mul" ? s.mul(old, next)
                 : reduction == "max" ? s.max(old, next)
                                      : s.min(old, next);
          if (isa<FloatType>(computed))
            next = convertFloatScalar(b, next, x.elementType());
        }
        return {tensor::InsertOp::create(b, next, state[0], indices)};
      });
  if (nest.results.empty()) // a scalar update: no loop was needed
    return node.error() << "its updates are a scalar; export the model again";
  return node.result(SizedTensor{nest.results[0], x.sizes}, type);
}

LogicalResult importScatterElements(Node &node) {
  FailureOr<int64_t> axis = node.axis(node.integer("axis", 0), node.rank(0));
  if (failed(axis) || failed(checkIndexType(node, 1)))
    return failure();
  if (node.rank(1) != node.rank(0) || node.rank(2) != node.rank(0))
    return node.error() << "its data, indices and updates have ranks "
                        << node.rank(0) << ", " << node.rank(1) << " and "
                        << node.rank(2)
                        << ": they must be equal; export the model again";
  SizedTensor x = node.numbers(0), indices = node.tensor(1);
  SizedTensor updates = node.tensors.fit(node.numbers(2), indices.sizes);
  SmallVector<Value> extents = sizeValues(node, x.sizes);
  std::string message = outOfRange(node);
  return scatter(node, x, updates, node.text("reduction", "none"),
                 [&](ImplicitLocOpBuilder &b, ValueRange at) {
                   SmallVector<Value> place(at);
                   for (int64_t dim = 0; dim < x.rank(); ++dim)
                     if (dim != *axis)
                       checkBelow(b, at[dim], extents[dim], message);
                   place[*axis] = checkIndex(
                       b, tensor::ExtractOp::create(b, indices.value, at),
                       extents[*axis], message);
                   return place;
                 });
}

//   ScatterND(x[D, E, F], indices[I, 2], updates[I, F])
//   -->
//   y = x, y[indices[i, 0], indices[i, 1], f] = updates[i, f]
LogicalResult importScatterND(Node &node) {
  if (failed(checkIndexType(node, 1)))
    return failure();
  FailureOr<int64_t> length = tupleLength(node, 1, node.rank(0));
  if (failed(length))
    return failure();
  SizedTensor x = node.numbers(0), indices = node.tensor(1);
  Sizes shape(indices.sizes.begin(), indices.sizes.end() - 1);
  int64_t outer = shape.size();
  shape.append(x.sizes.begin() + *length, x.sizes.end());
  if (node.rank(2) != int64_t(shape.size()))
    return node.error() << "its updates have the shape "
                        << describe(node.in(2).sizes) << ", but "
                        << describe(shape) << " is needed";
  SizedTensor updates = node.tensors.fit(node.numbers(2), shape);
  SmallVector<Value> extents = sizeValues(node, x.sizes);
  std::string message = outOfRange(node);
  return scatter(
      node, x, updates, node.text("reduction", "none"),
      [&](ImplicitLocOpBuilder &b, ValueRange at) {
        SmallVector<Value> place, tuple(at.take_front(outer));
        tuple.push_back(Value());
        for (int64_t part = 0; part < *length; ++part) {
          tuple.back() = arith::ConstantIndexOp::create(b, part);
          Value raw = tensor::ExtractOp::create(b, indices.value, tuple);
          place.push_back(checkIndex(b, raw, extents[part], message));
        }
        for (int64_t dim = *length; dim < x.rank(); ++dim)
          place.push_back(at[outer + dim - *length]);
        return place;
      });
}

/// A cache that is written from a position of each batch on: "linear" up to its
/// end, "circular" around it.
LogicalResult importTensorScatter(Node &node) {
  FailureOr<int64_t> axis = node.axis(node.integer("axis", -2), node.rank(0));
  if (failed(axis))
    return failure();
  std::string mode = node.text("mode", "linear");
  if (mode != "linear" && mode != "circular")
    return node.error() << "its attribute 'mode' is " << quoted(mode)
                        << ": use linear or circular";
  if (*axis == 0)
    return node.error() << "its axis is that of the batch; use another";
  SizedTensor x = node.numbers(0), updates = node.numbers(1);
  Sizes shape = x.sizes;
  shape[*axis] = updates.sizes[*axis];
  updates = node.tensors.fit(updates, shape);
  std::optional<SizedTensor> starts;
  if (node.has(2)) {
    if (failed(checkIndexType(node, 2)))
      return failure();
    starts = node.tensors.fit(node.tensor(2), {x.sizes[0]});
  }
  Value extent = sizeValue(node, x.sizes[*axis]),
        one = sizeValue(node, node.sizes.constant(1));
  std::string message = outOfRange(node);
  return scatter(
      node, x, updates, "none", [&](ImplicitLocOpBuilder &b, ValueRange at) {
        SmallVector<Value> place(at);
        if (starts) {
          Value start = arith::IndexCastOp::create(
              b, b.getIndexType(),
              tensor::ExtractOp::create(b, starts->value, ValueRange{at[0]}));
          place[*axis] = arith::AddIOp::create(b, at[*axis], start);
        }
        if (mode == "circular")
          place[*axis] = arith::RemUIOp::create(
              b, place[*axis], arith::MaxUIOp::create(b, extent, one));
        checkBelow(b, place[*axis], extent, message);
        return place;
      });
}

const OperatorRow rows[] = {
    {OnnxDomain, "GatherElements", 11, 2, 2, importGatherElements},
    {OnnxDomain, "GatherND", 11, 2, 2, importGatherND},
    {OnnxDomain, "ReverseSequence", 10, 2, 2, importReverseSequence},
    {OnnxDomain, "Scatter", 9, 3, 3, importScatterElements},
    {OnnxDomain, "ScatterElements", 11, 3, 3, importScatterElements},
    {OnnxDomain, "ScatterND", 11, 3, 3, importScatterND},
    {OnnxDomain, "TensorScatter", 24, 2, 3, importTensorScatter},
};

} // namespace

ArrayRef<OperatorRow> mezzo::scatterOperators() { return rows; }
