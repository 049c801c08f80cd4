//===- Sorting.cpp - TopK -------------------------------------------------===//

#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Scalars.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// The k best elements of each row, best first, and where they were; of equal
/// ones the first is better.
//
//   for each row r, for each element i of it:
//     (v, j) = (x[r, i], i)
//     for p in 0 .. k - 1:                  insertion: the list stays sorted
//       if the place p is free, or v is better than values[r, p], or is what
//       an earlier place has pushed on:
//         swap (v, j) and (values[r, p], indices[r, p])
std::pair<SizedTensor, SizedTensor> bestOfRows(Node &node, SizedTensor x,
                                               Size k, bool largest) {
  SizeArithmetic &sizes = node.sizes;
  ImplicitLocOpBuilder &b = node.b;
  ElementType type = node.type(0);
  Sizes shape{x.sizes[0], k};
  TypedAttr start = cast<TypedAttr>(b.getZeroAttr(x.elementType()));
  SizedTensor values = node.tensors.filled(shape, start),
              places = node.tensors.filled(shape, b.getI64IntegerAttr(-1));
  Value zero = sizes.value(sizes.constant(0)),
        one = sizes.value(sizes.constant(1));
  Value rows = sizes.value(x.sizes[0]), columns = sizes.value(x.sizes[1]),
        count = sizes.value(k);
  scf::LoopNest nest = scf::buildLoopNest(
      b, b.getLoc(), {zero, zero}, {rows, columns}, {one, one},
      ValueRange{values.value, places.value},
      [&](OpBuilder &builder, Location loc, ValueRange at,
          ValueRange state) -> scf::ValueVector {
        ImplicitLocOpBuilder b(loc, builder);
        Value value = tensor::ExtractOp::create(b, x.value, at);
        Value place = arith::IndexCastOp::create(b, b.getI64Type(), at[1]);
        Value no = arith::ConstantOp::create(b, b.getBoolAttr(false));
        auto insertion = scf::ForOp::create(
            b, zero, count, one,
            ValueRange{value, place, state[0], state[1], no},
            [&](OpBuilder &inner, Location where, Value p, ValueRange carried) {
              ImplicitLocOpBuilder b(where, inner);
              ScalarBuilder s(b, x.elementType(), type);
              SmallVector<Value> slot{at[0], p};
              Value held = tensor::ExtractOp::create(b, carried[2], slot),
                    heldPlace = tensor::ExtractOp::create(b, carried[3], slot);
              Value none =
                  arith::ConstantOp::create(b, b.getI64IntegerAttr(-1));
              Value isFree = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                                   heldPlace, none);
              Value better =
                  largest ? s.less(held, carried[0]) : s.less(carried[0], held);
              Value swap = arith::OrIOp::create(
                  b, carried[4], arith::OrIOp::create(b, isFree, better));
              Value isReal = arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                                                   carried[1], none);
              swap = arith::AndIOp::create(b, swap, isReal);
              Value nextValues = tensor::InsertOp::create(
                  b, s.select(swap, carried[0], held), carried[2], slot);
              Value nextPlaces = tensor::InsertOp::create(
                  b, s.select(swap, carried[1], heldPlace), carried[3], slot);
              scf::YieldOp::create(
                  b, ValueRange{s.select(swap, held, carried[0]),
                                s.select(swap, heldPlace, carried[1]),
                                nextValues, nextPlaces, swap});
            });
        return {insertion.getResult(2), insertion.getResult(3)};
      });
  return {SizedTensor{nest.results[0], shape},
          SizedTensor{nest.results[1], shape}};
}

LogicalResult importTopKOf(Node &node, Size k) {
  SizeArithmetic &sizes = node.sizes;
  FailureOr<int64_t> axis = node.axis(node.integer("axis", -1), node.rank(0));
  if (failed(axis))
    return failure();
  ElementType type = node.type(0);
  if (!isFloat(type) && !isInteger(type))
    return node.error() << "elements of type " << name(type)
                        << " are not supported here: use a floating point or "
                           "integer type";
  SizedTensor x = node.numbers(0);
  Type declared = x.elementType();
  x = node.tensors.convertFloat(x, computeType(declared));
  k = sizes.maximum(k, sizes.constant(0));
  std::optional<bool> fits = sizes.lessOrEqual(k, x.sizes[*axis]);
  if (fits == false)
    return node.error() << "it wants " << describe(k) << " of the "
                        << describe(x.sizes[*axis]) << " elements of axis "
                        << *axis << "; check --dim and --shape";
  if (!fits)
    CheckOp::create(node.b,
                    arith::CmpIOp::create(node.b, arith::CmpIPredicate::sle,
                                          sizes.value(k),
                                          sizes.value(x.sizes[*axis])),
                    node.subject() + ": k is larger than the axis; check the "
                                     "inputs of the model");
  SmallVector<int64_t> swap = llvm::to_vector(llvm::seq<int64_t>(0, x.rank()));
  std::swap(swap[*axis], swap.back()); // its own inverse
  x = node.tensors.transpose(x, swap);
  Sizes outer(x.sizes.begin(), x.sizes.end() - 1);
  SizedTensor matrix =
      node.tensors.reshape(x, {sizes.product(outer), x.sizes.back()});
  auto [values, places] =
      bestOfRows(node, matrix, k, node.integer("largest", 1) != 0);
  outer.push_back(k);
  auto back = [&](SizedTensor y) {
    return node.tensors.transpose(node.tensors.reshape(y, outer), swap);
  };
  SizedTensor best = back(values);
  if (isa<FloatType>(declared))
    best = node.tensors.convertFloat(best, declared);
  return success(succeeded(node.result(best, type)) &&
                 succeeded(node.result(back(places), ElementType::I64, 1)));
}

LogicalResult importTopK(Node &node) {
  std::optional<Sizes> k = node.shapeElements(1);
  if (!k || k->size() != 1)
    return node.error() << "its number of elements is computed from the values "
                           "of tensors at run time, which is not supported; "
                           "make it an initializer";
  return importTopKOf(node, (*k)[0]);
}

/// Before opset 10 the number was an attribute.
LogicalResult importTopKAttribute(Node &node) {
  return importTopKOf(node, node.sizes.constant(node.integer("k", 0)));
}

const OperatorRow rows[] = {
    {OnnxDomain, "TopK", 1, 1, 1, importTopKAttribute},
    {OnnxDomain, "TopK", 10, 2, 2, importTopK},
};

} // namespace

ArrayRef<OperatorRow> mezzo::sortingOperators() { return rows; }
