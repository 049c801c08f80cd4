//===- Padding.cpp - tensors with more around them: Pad, Tile -------------===//

#include "passes/Frontend/Indices.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/RuntimeAxes.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// How many elements are put before and after a dimension; cut off where
/// negative.
struct Border {
  Size before, after;
};

/// x[indices] where all of them are inside, else `fill`.
Value readOrFill(ImplicitLocOpBuilder &b, Value x, ValueRange indices,
                 ValueRange extents, Value fill) {
  Value inside = arith::ConstantOp::create(b, b.getBoolAttr(true));
  for (auto [index, extent] : llvm::zip_equal(indices, extents))
    inside = arith::AndIOp::create(
        b, inside,
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, index, extent));
  SmallVector<Value> place(indices);
  auto element = scf::IfOp::create(
      b, b.getLoc(), inside,
      [&](OpBuilder &then, Location loc) {
        scf::YieldOp::create(
            then, loc,
            tensor::ExtractOp::create(then, loc, x, place).getResult());
      },
      [&](OpBuilder &otherwise, Location loc) {
        scf::YieldOp::create(otherwise, loc, fill);
      });
  return element.getResult(0);
}

Value remainder(ImplicitLocOpBuilder &b, Value x, Value y) {
  // Of a positive divisor, with its sign.
  Value rest = arith::RemSIOp::create(b, x, y);
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value negative =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, rest, zero);
  return arith::SelectOp::create(b, negative, arith::AddIOp::create(b, rest, y),
                                 rest);
}

/// Which element stands at a place outside: the nearest (edge), the one at the
/// other side of the last (reflect), or the next copy's (wrap).
Value sourceOf(ImplicitLocOpBuilder &b, StringRef mode, Value index,
               Value extent) {
  Value zero = arith::ConstantIndexOp::create(b, 0),
        one = arith::ConstantIndexOp::create(b, 1);
  Value last = arith::SubIOp::create(b, extent, one);
  if (mode == "edge")
    return arith::MaxSIOp::create(b, arith::MinSIOp::create(b, index, last),
                                  zero);
  Value positive = arith::MaxSIOp::create(b, extent, one);
  if (mode == "wrap")
    return remainder(b, index, positive);
  Value period = arith::AddIOp::create(b, last, last);
  Value place = remainder(b, index, arith::MaxSIOp::create(b, period, one));
  Value back = arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, place, last);
  return arith::SelectOp::create(
      b, back, arith::SubIOp::create(b, period, place), place);
}

LogicalResult padBy(Node &node, ArrayRef<Border> borders, StringRef mode,
                    Value fill) {
  SizeArithmetic &sizes = node.sizes;
  ImplicitLocOpBuilder &b = node.b;
  SizedTensor x = node.numbers(0);
  Size zero = sizes.constant(0);
  Sizes shape, offsets;
  SmallVector<Value> extents, before;
  bool grows = true;
  for (auto [size, border] : llvm::zip_equal(x.sizes, borders)) {
    shape.push_back(sizes.maximum(
        sizes.add(size, sizes.add(border.before, border.after)), zero));
    offsets.push_back(border.before);
    extents.push_back(sizes.value(size));
    before.push_back(sizes.value(border.before));
    grows &=
        sizes.isNonnegative(border.before) && sizes.isNonnegative(border.after);
  }
  if (mode == "constant" && grows) {
    SizedTensor filled{linalg::FillOp::create(
                           b, fill, node.tensors.empty(shape, x.elementType()))
                           .getResult(0),
                       shape};
    return node.result(node.tensors.insert(x, filled, offsets), node.type(0));
  }
  if (mode != "constant")
    for (int64_t dim = 0; dim < x.rank(); ++dim) {
      if (getConstantIntValue(borders[dim].before) == 0 &&
          getConstantIntValue(borders[dim].after) == 0)
        continue;
      std::optional<bool> some =
          sizes.lessOrEqual(sizes.constant(1), x.sizes[dim]);
      std::string message = node.subject() + ": dimension " +
                            std::to_string(dim) +
                            " has no elements to pad with; check the shapes "
                            "of the inputs of the model";
      if (some == false)
        return node.error() << "dimension " << dim
                            << " has no elements to pad with; check --dim and "
                               "--shape";
      if (!some)
        CheckOp::create(b,
                        arith::CmpIOp::create(b, arith::CmpIPredicate::sgt,
                                              extents[dim], sizes.value(zero)),
                        message);
    }
  SizedTensor y = node.tensors.generate(
      shape, x.elementType(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        SmallVector<Value> place;
        for (int64_t dim = 0; dim < x.rank(); ++dim) {
          bool untouched = getConstantIntValue(borders[dim].before) == 0 &&
                           getConstantIntValue(borders[dim].after) == 0;
          Value index = arith::SubIOp::create(b, at[dim], before[dim]);
          place.push_back(untouched ? at[dim]
                          : mode == "constant"
                              ? index
                              : sourceOf(b, mode, index, extents[dim]));
        }
        if (mode == "constant")
          return readOrFill(b, x.value, place, extents, fill);
        return tensor::ExtractOp::create(b, x.value, place);
      });
  return node.result(y, node.type(0));
}

LogicalResult checkMode(Node &node, StringRef mode) {
  if (llvm::is_contained({"constant", "reflect", "edge", "wrap"}, mode))
    return success();
  return node.error() << "its attribute 'mode' is " << quoted(mode)
                      << ": use constant, reflect, edge or wrap";
}

/// Pads of all dimensions from lists over some: first all before, then all
/// after.
FailureOr<SmallVector<Border>> bordersOf(Node &node, ArrayRef<Size> pads,
                                         ArrayRef<int64_t> axes) {
  if (pads.size() != 2 * axes.size())
    return node.error() << "it has " << pads.size() << " pads for "
                        << axes.size()
                        << " axes: twice as many are needed; export the model "
                           "again";
  Size zero = node.sizes.constant(0);
  SmallVector<Border> borders(node.rank(0), Border{zero, zero});
  for (auto [place, given] : llvm::enumerate(axes)) {
    FailureOr<int64_t> axis = node.axis(given, node.rank(0));
    if (failed(axis))
      return failure();
    borders[*axis] = {pads[place], pads[axes.size() + place]};
  }
  return borders;
}

/// The pads of all dimensions where only the run knows which the axes are;
/// empty where there are not two pads per axis.
Sizes padsByAxis(Node &node, ArrayRef<Size> pads, ArrayRef<Size> axes) {
  if (pads.size() != 2 * axes.size())
    return {};
  SizeArithmetic &sizes = node.sizes;
  int64_t rank = node.rank(0);
  flagAxes(node, axes, rank); // checks them
  Sizes all(2 * rank, sizes.constant(0));
  for (auto [place, axis] : llvm::enumerate(axes)) {
    Value where = sizes.value(sizes.fromEnd(axis, sizes.constant(rank)));
    for (int64_t dim = 0; dim < rank; ++dim) {
      Value here =
          arith::CmpIOp::create(node.b, arith::CmpIPredicate::eq, where,
                                sizes.value(sizes.constant(dim)));
      all[dim] = sizes.select(here, pads[place], all[dim]);
      all[rank + dim] =
          sizes.select(here, pads[axes.size() + place], all[rank + dim]);
    }
  }
  return all;
}

LogicalResult importPad(Node &node) {
  std::string mode = node.text("mode", "constant");
  if (failed(checkMode(node, mode)))
    return failure();
  std::optional<Sizes> pads = node.shapeElements(1);
  if (!pads)
    return node.error() << "its pads are computed from the values of tensors "
                           "at run time, which is not supported; fix the "
                           "shapes of the inputs with --dim or --shape, or "
                           "make them an initializer";
  SmallVector<int64_t> axes =
      llvm::to_vector(llvm::seq<int64_t>(0, node.rank(0)));
  if (node.has(3) && !node.in(3).constant && node.shapeElements(3) &&
      !node.knownIntegers(3)) {
    Sizes all = padsByAxis(node, *pads, *node.shapeElements(3));
    if (all.empty())
      return node.error() << "it has " << pads->size() << " pads for "
                          << node.shapeElements(3)->size()
                          << " axes: twice as many are needed; export the "
                             "model again";
    pads = all;
  } else if (node.has(3)) {
    FailureOr<SmallVector<int64_t>> given = node.integers(3, "axes");
    if (failed(given))
      return failure();
    axes = *given;
  }
  FailureOr<SmallVector<Border>> borders = bordersOf(node, *pads, axes);
  if (failed(borders))
    return failure();
  Value fill = zeroOf(node.b, node.numbers(0).elementType());
  if (node.has(2)) {
    if (node.type(2) != node.type(0) ||
        !node.sizes.surelyEqual(node.sizes.product(node.in(2).sizes),
                                node.sizes.constant(1)))
      return node.error() << "its value is of type " << name(node.type(2))
                          << " and shape " << describe(node.in(2).sizes)
                          << ", but must be a scalar of the type of its input, "
                          << name(node.type(0));
    fill = tensor::ExtractOp::create(
        node.b, node.tensors.reshape(node.numbers(2), {}).value);
  }
  return padBy(node, *borders, mode, fill);
}

/// Before opset 11 pads and value were attributes.
LogicalResult importPadAttributes(Node &node) {
  std::string mode = node.text("mode", "constant");
  if (failed(checkMode(node, mode)))
    return failure();
  std::optional<SmallVector<int64_t>> pads =
      node.integerList(node.opset() < 2 ? "paddings" : "pads");
  auto type = dyn_cast<FloatType>(node.numbers(0).elementType());
  if (!pads || !type)
    return node.error() << "it has no pads, or its input is of type "
                        << name(node.type(0))
                        << " rather than a floating point type; export the "
                           "model again";
  FailureOr<SmallVector<Border>> borders =
      bordersOf(node, node.sizes.constants(*pads),
                llvm::to_vector(llvm::seq<int64_t>(0, node.rank(0))));
  if (failed(borders))
    return failure();
  Value fill = arith::ConstantOp::create(
      node.b, node.b.getFloatAttr(type, node.real("value", 0)));
  return padBy(node, *borders, mode, fill);
}

/// Along each axis the middle is kept, or zeros are put around it.
LogicalResult importCenterCropPad(Node &node) {
  SizeArithmetic &sizes = node.sizes;
  std::optional<Sizes> target = node.shapeElements(1);
  if (!target)
    return node.error() << "its shape is computed from the values of tensors "
                           "at run time, which is not supported; make it an "
                           "initializer";
  SmallVector<int64_t> axes = node.integerList("axes").value_or(
      llvm::to_vector(llvm::seq<int64_t>(0, node.rank(0))));
  if (axes.size() != target->size())
    return node.error() << "it has " << target->size() << " sizes for "
                        << axes.size()
                        << " axes: as many are needed; export the model again";
  Size zero = sizes.constant(0), two = sizes.constant(2);
  SmallVector<Border> borders(node.rank(0), Border{zero, zero});
  for (auto [given, wanted] : llvm::zip_equal(axes, *target)) {
    FailureOr<int64_t> axis = node.axis(given, node.rank(0));
    if (failed(axis))
      return failure();
    Size size = node.in(0).sizes[*axis];
    // Of an odd difference the smaller half comes first, when padding as when
    // cropping.
    Size more = sizes.maximum(sizes.subtract(wanted, size), zero),
         less = sizes.maximum(sizes.subtract(size, wanted), zero);
    Size before =
        sizes.subtract(sizes.divide(more, two), sizes.divide(less, two));
    borders[*axis] = {before,
                      sizes.subtract(sizes.subtract(wanted, size), before)};
  }
  return padBy(node, borders, "constant",
               zeroOf(node.b, node.numbers(0).elementType()));
}

//   Tile(x[D, E], repeats [2, 1])
//   -->
//   y[i, j] = x[i mod D, j]
LogicalResult importTile(Node &node) {
  SizeArithmetic &sizes = node.sizes;
  std::optional<Sizes> repeats = node.shapeElements(1);
  if (!repeats)
    return node.error() << "its repeats are computed from the values of "
                           "tensors at run time, which is not supported; make "
                           "them an initializer";
  SizedTensor x = node.numbers(0);
  if (int64_t(repeats->size()) != x.rank())
    return node.error() << "it has " << repeats->size()
                        << " repeats for an input of rank " << x.rank()
                        << ": as many are needed; export the model again";
  Sizes shape;
  for (auto [size, times] : llvm::zip_equal(x.sizes, *repeats)) {
    if (sizes.lessOrEqual(sizes.constant(0), times) ==
        std::optional<bool>(false))
      return node.error() << "it repeats a dimension "
                          << *getConstantIntValue(times)
                          << " times: use 0 or more";
    shape.push_back(
        sizes.multiply(size, sizes.maximum(times, sizes.constant(0))));
  }
  SmallVector<Value> extents = llvm::map_to_vector(
      x.sizes, [&](Size size) { return sizes.value(size); });
  SizedTensor y = node.tensors.generate(
      shape, x.elementType(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        SmallVector<Value> place(at);
        for (int64_t dim = 0; dim < x.rank(); ++dim)
          if (getConstantIntValue((*repeats)[dim]) != 1)
            place[dim] = arith::RemUIOp::create(b, at[dim], extents[dim]);
        return tensor::ExtractOp::create(b, x.value, place);
      });
  return node.result(y, node.type(0));
}

const OperatorRow rows[] = {
    {OnnxDomain, "Pad", 1, 1, 1, importPadAttributes},
    {OnnxDomain, "Pad", 11, 2, 4, importPad},
    {OnnxDomain, "CenterCropPad", 18, 2, 2, importCenterCropPad},
    {OnnxDomain, "Tile", 6, 2, 2, importTile},
};

} // namespace

ArrayRef<OperatorRow> mezzo::paddingOperators() { return rows; }
