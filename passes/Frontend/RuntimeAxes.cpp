//===- RuntimeAxes.cpp - axes that only the run knows ---------------------===//

#include "passes/Frontend/RuntimeAxes.h"

using namespace mlir;
using namespace mezzo;

static Value indexOf(Node &node, int64_t value) {
  return node.sizes.value(node.sizes.constant(value));
}

/// `count` + 1 where the flag is set.
static Value countFlag(Node &node, Value count, Value flag) {
  Value more = arith::AddIOp::create(node.b, count, indexOf(node, 1));
  return arith::SelectOp::create(node.b, flag, more, count);
}

static Value equal(Node &node, Value lhs, Value rhs) {
  return arith::CmpIOp::create(node.b, arith::CmpIPredicate::eq, lhs, rhs);
}

static Value negated(Node &node, Value flag) {
  Value one = arith::ConstantOp::create(node.b, node.b.getBoolAttr(true));
  return arith::XOrIOp::create(node.b, flag, one);
}

SmallVector<Value> mezzo::flagAxes(Node &node, ArrayRef<Size> axes,
                                   int64_t rank) {
  SmallVector<Value> places, flags;
  for (Size axis : axes)
    places.push_back(
        node.sizes.value(node.sizes.fromEnd(axis, node.sizes.constant(rank))));
  Value met = indexOf(node, 0);
  for (int64_t dim = 0; dim < rank; ++dim) {
    Value flag = arith::ConstantOp::create(node.b, node.b.getBoolAttr(false));
    for (Value place : places)
      flag = arith::OrIOp::create(node.b, flag,
                                  equal(node, place, indexOf(node, dim)));
    flags.push_back(flag);
    met = countFlag(node, met, flag);
  }
  CheckOp::create(node.b, equal(node, met, indexOf(node, axes.size())),
                  node.subject() + ": an axis is out of range or named twice; "
                                   "check the inputs of the model");
  return flags;
}

Sizes mezzo::withoutFlagged(Node &node, ArrayRef<Size> shape,
                            ArrayRef<Value> flags, int64_t count) {
  Sizes result;
  for (int64_t k = 0, rank = shape.size(); k < rank - count; ++k) {
    Value before = indexOf(node, 0); // dimensions without a flag
    Size size = node.sizes.constant(1);
    for (int64_t dim = 0; dim < rank; ++dim) {
      Value stays = negated(node, flags[dim]);
      Value isKth = arith::AndIOp::create(
          node.b, stays, equal(node, before, indexOf(node, k)));
      size = node.sizes.select(isKth, shape[dim], size);
      before = countFlag(node, before, stays);
    }
    result.push_back(size);
  }
  return result;
}

Sizes mezzo::withFlagged(Node &node, ArrayRef<Size> shape,
                         ArrayRef<Value> flags) {
  Sizes result;
  Value before = indexOf(node, 0); // dimensions without a flag
  for (Value flag : flags) {
    Size size = node.sizes.constant(1);
    for (auto [k, given] : llvm::enumerate(shape))
      size =
          node.sizes.select(equal(node, before, indexOf(node, k)), given, size);
    result.push_back(node.sizes.select(flag, node.sizes.constant(1), size));
    before = countFlag(node, before, negated(node, flag));
  }
  return result;
}
