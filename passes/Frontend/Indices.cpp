//===- Indices.cpp - indices that come from tensors -----------------------===//

#include "passes/Frontend/Indices.h"

#include "dialects/Mezzo/Mezzo.h"

using namespace mlir;
using namespace mezzo;

Value mezzo::zeroOf(ImplicitLocOpBuilder &b, Type type) {
  return arith::ConstantOp::create(b, cast<TypedAttr>(b.getZeroAttr(type)));
}

void mezzo::checkBelow(ImplicitLocOpBuilder &b, Value index, Value size,
                       const std::string &message) {
  // Below 0 is very large.
  Value inside =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ult, index, size);
  CheckOp::create(b, inside, message);
}

Value mezzo::checkIndex(ImplicitLocOpBuilder &b, Value raw, Value size,
                        const std::string &message) {
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value index =
      raw.getType().isIndex()
          ? raw
          : arith::IndexCastOp::create(b, b.getIndexType(), raw).getResult();
  Value negative =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, index, zero);
  index = arith::SelectOp::create(b, negative,
                                  arith::AddIOp::create(b, index, size), index);
  checkBelow(b, index, size, message);
  return index;
}
