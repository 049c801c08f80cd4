//===- Cumulative.cpp - CumSum and CumProd --------------------------------===//

#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Scalars.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

//   CumSum(x, axis)
//   -->
//   y[i] = y[i - 1] + x[i] along the axis, one loop over all elements; with
//   `exclusive`, y[i] = y[i - 1] + x[i - 1]; with `reverse`, from the end.
//
// The axis may be an input: then which index is "before" depends on the run.
template <bool Product>
LogicalResult importCumulative(Node &node) {
  ElementType type = node.type(0);
  if (!isFloat(type) && !isInteger(type))
    return node.error() << "elements of type " << name(type)
                        << " are not supported here: use a floating point or "
                           "integer type";
  SizeArithmetic &sizes = node.sizes;
  int64_t rank = node.rank(0);
  std::optional<Sizes> given = node.shapeElements(1);
  if (!given || given->size() != 1)
    return node.error() << "its axis is computed at run time from other than "
                           "the inputs, which is not supported; make it an "
                           "initializer";
  if (std::optional<int64_t> known = getConstantIntValue((*given)[0]))
    if (failed(node.axis(*known, rank)))
      return failure();
  Size axis = sizes.fromEnd((*given)[0], sizes.constant(rank));
  bool exclusive = node.integer("exclusive", 0) != 0,
       reverse = node.integer("reverse", 0) != 0;

  SizedTensor x = node.numbers(0);
  Type declared = x.elementType();
  x = node.tensors.convertFloat(x, computeType(declared));
  ImplicitLocOpBuilder &b = node.b;
  SmallVector<Value> low, high, step, flags;
  for (int64_t dim = 0; dim < rank; ++dim) {
    low.push_back(sizes.value(sizes.constant(0)));
    high.push_back(sizes.value(x.sizes[dim]));
    step.push_back(sizes.value(sizes.constant(1)));
    flags.push_back(arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                          sizes.value(axis),
                                          sizes.value(sizes.constant(dim))));
  }
  if (!getConstantIntValue(axis)) {
    Value any = arith::ConstantOp::create(b, b.getBoolAttr(false));
    for (Value flag : flags)
      any = arith::OrIOp::create(b, any, flag);
    CheckOp::create(b, any,
                    node.subject() + ": the axis is out of range; check the "
                                     "inputs of the model");
  }
  TypedAttr start = cast<TypedAttr>(Product ? b.getOneAttr(x.elementType())
                                            : b.getZeroAttr(x.elementType()));
  SizedTensor init = node.tensors.filled(x.sizes, start);
  scf::LoopNest nest = scf::buildLoopNest(
      b, b.getLoc(), low, high, step, ValueRange{init.value},
      [&](OpBuilder &builder, Location loc, ValueRange indices,
          ValueRange state) -> scf::ValueVector {
        ImplicitLocOpBuilder b(loc, builder);
        Value zero = low[0], one = step[0];
        // Where this element and the one before it are; the first has none.
        SmallVector<Value> here, before;
        Value isFirst = arith::ConstantOp::create(b, b.getBoolAttr(false));
        for (int64_t dim = 0; dim < rank; ++dim) {
          Value index = indices[dim], back = one;
          if (reverse) {
            Value last = arith::SubIOp::create(b, high[dim], one);
            index = arith::SelectOp::create(
                b, flags[dim], arith::SubIOp::create(b, last, index), index);
            back = arith::ConstantIndexOp::create(b, -1);
          }
          here.push_back(index);
          Value atFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                                indices[dim], zero);
          atFirst = arith::AndIOp::create(b, atFirst, flags[dim]);
          isFirst = arith::OrIOp::create(b, isFirst, atFirst);
          Value moves = arith::XOrIOp::create(
              b, atFirst, arith::ConstantOp::create(b, b.getBoolAttr(true)));
          moves = arith::AndIOp::create(b, moves, flags[dim]);
          before.push_back(arith::SelectOp::create(
              b, moves, arith::SubIOp::create(b, index, back), index));
        }
        ScalarBuilder s(b, x.elementType(), type);
        Value neutral = arith::ConstantOp::create(b, start);
        Value sum = s.select(isFirst, neutral,
                             tensor::ExtractOp::create(b, state[0], before));
        Value term =
            tensor::ExtractOp::create(b, x.value, exclusive ? before : here);
        if (exclusive)
          term = s.select(isFirst, neutral, term);
        sum = Product ? s.mul(sum, term) : s.add(sum, term);
        return {tensor::InsertOp::create(b, sum, state[0], here)};
      });
  SizedTensor y{nest.results[0], x.sizes};
  if (isa<FloatType>(declared))
    y = node.tensors.convertFloat(y, declared);
  return node.result(y, type);
}

const OperatorRow rows[] = {
    {OnnxDomain, "CumSum", 11, 2, 2, importCumulative<false>},
    {OnnxDomain, "CumProd", 26, 2, 2, importCumulative<true>},
};

} // namespace

ArrayRef<OperatorRow> mezzo::cumulativeOperators() { return rows; }
