//===- Selection.cpp - Compress and NonZero -------------------------------===//
//
// How many elements come out depends on values. They are counted by the
// arithmetic of shapes, one flag at a time, so there must be few of them.
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/Indices.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Scalars.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// The places of the flags that are set, ascending, in a tensor of `count` + 1
/// numbers (the last is anything), and their number.
struct Places {
  SizedTensor places;
  Size count;
};

/// `flags` has one dimension of static size.
FailureOr<Places> findSet(Node &node, SizedTensor flags) {
  SizeArithmetic &sizes = node.sizes;
  ImplicitLocOpBuilder &b = node.b;
  std::optional<int64_t> length = getConstantIntValue(flags.sizes[0]);
  if (!length || *length > OnnxValue::MaxElements)
    return node.error() << "it selects among " << describe(flags.sizes)
                        << " elements, which is supported up to "
                        << OnnxValue::MaxElements
                        << ", a number that is known when the model is "
                           "compiled; compute it outside the model";
  Size count = sizes.constant(0);
  for (int64_t place = 0; place < *length; ++place) {
    Value flag = tensor::ExtractOp::create(
        b, flags.value, ValueRange{sizes.value(sizes.constant(place))});
    count = sizes.add(count,
                      sizes.select(flag, sizes.constant(1), sizes.constant(0)));
  }
  Value zero = sizes.value(sizes.constant(0)),
        one = sizes.value(sizes.constant(1));
  SizedTensor init = node.tensors.filled({sizes.add(count, sizes.constant(1))},
                                         b.getI64IntegerAttr(0));
  auto loop = scf::ForOp::create(
      b, zero, sizes.value(flags.sizes[0]), one, ValueRange{init.value, zero},
      [&](OpBuilder &builder, Location loc, Value i, ValueRange state) {
        ImplicitLocOpBuilder b(loc, builder);
        Value flag = tensor::ExtractOp::create(b, flags.value, ValueRange{i});
        Value place = arith::IndexCastOp::create(b, b.getI64Type(), i);
        // What is not set is overwritten by the next, or in the last place.
        Value places =
            tensor::InsertOp::create(b, place, state[0], ValueRange{state[1]});
        Value next = arith::AddIOp::create(b, state[1], one);
        scf::YieldOp::create(
            b, ValueRange{places,
                          arith::SelectOp::create(b, flag, next, state[1])});
      });
  return Places{{loop.getResult(0), init.sizes}, count};
}

//   Compress(x[D, E], condition[L], axis 1)
//   -->
//   y[d, k] = x[d, the place of the k-th true]
LogicalResult importCompress(Node &node) {
  SizedTensor x = node.numbers(0);
  int64_t axis = 0;
  if (node.hasAttribute("axis")) {
    FailureOr<int64_t> given = node.axis(node.integer("axis", 0), x.rank());
    if (failed(given))
      return failure();
    axis = *given;
  } else {
    x = node.tensors.reshape(x, {node.sizes.product(x.sizes)});
  }
  if (node.type(1) != ElementType::Bool || node.rank(1) != 1)
    return node.error() << "its condition is of type " << name(node.type(1))
                        << " and rank " << node.rank(1)
                        << ", but must be a list of bool";
  FailureOr<Places> places = findSet(node, node.tensor(1));
  if (failed(places))
    return failure();
  Sizes shape = x.sizes;
  shape[axis] = places->count;
  Value extent = node.sizes.value(x.sizes[axis]);
  std::string message = node.subject() +
                        ": the condition selects beyond the axis; check the "
                        "inputs of the model";
  SizedTensor y = node.tensors.generate(
      shape, x.elementType(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        SmallVector<Value> place(at);
        place[axis] =
            checkIndex(b,
                       tensor::ExtractOp::create(b, places->places.value,
                                                 ValueRange{at[axis]}),
                       extent, message);
        return tensor::ExtractOp::create(b, x.value, place);
      });
  return node.result(y, node.type(0));
}

//   NonZero(x[D, E])
//   -->
//   y[i, k] = the i-th index of the k-th element, in row-major order, that is
//   not 0
LogicalResult importNonZero(Node &node) {
  SizedTensor x = node.numbers(0);
  ElementType type = node.type(0);
  Sizes extents = x.sizes;
  SizedTensor flat = node.tensors.reshape(x, {node.sizes.product(x.sizes)});
  SizedTensor flags = node.tensors.elementwise(
      {flat}, node.b.getI1Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange v) -> Value {
        if (type == ElementType::Bool)
          return v[0];
        return convertScalar(b, v[0], type, ElementType::Bool, b.getI1Type());
      });
  FailureOr<Places> places = findSet(node, flags);
  if (failed(places))
    return failure();
  // One row per dimension: place / (product of those after) % its own.
  int64_t rank = extents.size();
  SizedTensor y{node.tensors.empty({node.sizes.constant(rank), places->count},
                                   node.b.getI64Type()),
                {node.sizes.constant(rank), places->count}};
  for (int64_t dim = 0; dim < rank; ++dim) {
    auto asInteger = [&](Size size) -> Value {
      return arith::IndexCastOp::create(node.b, node.b.getI64Type(),
                                        node.sizes.value(size));
    };
    Value inner = asInteger(
              node.sizes.product(ArrayRef<Size>(extents).drop_front(dim + 1))),
          own = asInteger(extents[dim]);
    SizedTensor row = node.tensors.generate(
        {node.sizes.constant(1), places->count}, node.b.getI64Type(),
        [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
          Value place = tensor::ExtractOp::create(b, places->places.value,
                                                  ValueRange{at[1]});
          return arith::RemUIOp::create(
              b, arith::DivUIOp::create(b, place, inner), own);
        });
    y = node.tensors.insert(row, y,
                            {node.sizes.constant(dim), node.sizes.constant(0)});
  }
  return node.result(y, ElementType::I64);
}

const OperatorRow rows[] = {
    {OnnxDomain, "Compress", 9, 2, 2, importCompress},
    {OnnxDomain, "NonZero", 9, 1, 1, importNonZero},
};

} // namespace

ArrayRef<OperatorRow> mezzo::selectionOperators() { return rows; }
