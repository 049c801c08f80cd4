//===- Generators.cpp - tensors made of their indices ---------------------===//

#include "passes/Frontend/Indices.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Scalars.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// The type that an attribute names, or `absent`; an integer, floating point or
/// bool type of whole bytes.
FailureOr<ElementType> typeAttribute(Node &node, StringRef attribute,
                                     ElementType absent) {
  llvm::Expected<ElementType> type =
      elementType(node.integer(attribute, int64_t(absent)));
  if (!type)
    return node.error(type.takeError());
  Type element = irType(node.b.getContext(), *type);
  if (!element || !element.isIntOrFloat() || isSmallFloat(*type))
    return node.error() << "elements of type " << name(*type)
                        << " are not supported here: use f32, f16, bf16, f64, "
                           "bool or integers of 8 to 64 bits";
  return *type;
}

Value oneOf(ImplicitLocOpBuilder &b, Type type) {
  return arith::ConstantOp::create(b, cast<TypedAttr>(b.getOneAttr(type)));
}

/// A scalar input as a size, where only the run knows it.
Size scalarSize(Node &node, unsigned input) {
  ImplicitLocOpBuilder &b = node.b;
  Value raw = tensor::ExtractOp::create(
      b, node.tensors.reshape(node.numbers(input), {}).value);
  Value number =
      convertScalar(b, raw, node.type(input), ElementType::I64, b.getI64Type());
  Size size = node.sizes.unknown(
      arith::IndexCastOp::create(b, b.getIndexType(), number), false);
  return node.sizes.maximum(size, node.sizes.constant(0));
}

/// Ones on the k-th diagonal.
LogicalResult importEyeLike(Node &node) {
  FailureOr<ElementType> type = typeAttribute(node, "dtype", node.type(0));
  if (failed(type))
    return failure();
  if (node.rank(0) != 2)
    return node.error() << "its input has rank " << node.rank(0)
                        << ", but must be a matrix";
  int64_t diagonal = node.integer("k", 0);
  Type element = irType(node.b.getContext(), *type);
  SizedTensor y = node.tensors.generate(
      node.in(0).sizes, element,
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        Value wanted = arith::AddIOp::create(
            b, at[0], arith::ConstantIndexOp::create(b, diagonal));
        return arith::SelectOp::create(
            b,
            arith::CmpIOp::create(b, arith::CmpIPredicate::eq, wanted, at[1]),
            oneOf(b, element), zeroOf(b, element));
      });
  return node.result(y, *type);
}

//   OneHot(indices[I], depth, [off, on], axis)
//   -->
//   y[i, d] = indices[i] == d ? on : off. An index that is out of range is hot
//   nowhere.
LogicalResult importOneHot(Node &node) {
  SizedTensor indices = node.numbers(0);
  ElementType indexType = node.type(0);
  FailureOr<int64_t> axis =
      node.axis(node.integer("axis", -1), indices.rank() + 1);
  if (failed(axis))
    return failure();
  Size depth;
  std::optional<Sizes> known = node.shapeElements(1);
  std::optional<double> number = node.constantScalar(1);
  if (known && known->size() == 1)
    depth = node.sizes.maximum((*known)[0], node.sizes.constant(0));
  else if (number && *number >= 0)
    depth = node.sizes.constant(int64_t(*number));
  else
    depth = scalarSize(node, 1);
  if (indexType == ElementType::Bool)
    return node.error() << "its indices are of type bool; insert a Cast";
  Sizes shape = indices.sizes;
  shape.insert(shape.begin() + *axis, depth);
  Value extent = node.sizes.value(depth);
  SizedTensor values =
      node.tensors.fit(node.numbers(2), {node.sizes.constant(2)});
  SizedTensor y = node.tensors.generate(
      shape, values.elementType(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        SmallVector<Value> place(at);
        place.erase(place.begin() + *axis);
        Value raw = tensor::ExtractOp::create(b, indices.value, place);
        Value index = arith::IndexCastOp::create(
            b, b.getIndexType(),
            convertScalar(b, raw, indexType, ElementType::I64, b.getI64Type()));
        Value negative =
            arith::CmpIOp::create(b, arith::CmpIPredicate::slt, index,
                                  arith::ConstantIndexOp::create(b, 0));
        index = arith::SelectOp::create(
            b, negative, arith::AddIOp::create(b, index, extent), index);
        Value hot = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, index,
                                          at[*axis]);
        Value which = arith::SelectOp::create(
            b, hot, arith::ConstantIndexOp::create(b, 1),
            arith::ConstantIndexOp::create(b, 0));
        return tensor::ExtractOp::create(b, values.value, ValueRange{which});
      });
  return node.result(y, node.type(2));
}

/// The triangle above the k-th diagonal, or below it, and zeros.
LogicalResult importTrilu(Node &node) {
  if (node.rank(0) < 2)
    return node.error() << "its input has rank " << node.rank(0)
                        << ", but at least 2 dimensions are needed";
  bool upper = node.integer("upper", 1) != 0;
  SizedTensor x = node.numbers(0);
  ImplicitLocOpBuilder &b = node.b;
  Value diagonal = arith::ConstantIndexOp::create(b, 0);
  if (node.has(1)) {
    if (node.type(1) != ElementType::I64 ||
        !node.sizes.surelyEqual(node.sizes.product(node.in(1).sizes),
                                node.sizes.constant(1)))
      return node.error() << "its diagonal is of type " << name(node.type(1))
                          << " and shape " << describe(node.in(1).sizes)
                          << ", but must be one i64";
    Value k = tensor::ExtractOp::create(
        b, node.tensors.reshape(node.tensor(1), {}).value);
    // Within the range of indices, so that the sum below does not wrap around.
    Value most = arith::ConstantOp::create(
              b, b.getI64IntegerAttr(int64_t(1) << 48)),
          least = arith::ConstantOp::create(
              b, b.getI64IntegerAttr(-(int64_t(1) << 48)));
    k = arith::MaxSIOp::create(b, arith::MinSIOp::create(b, k, most), least);
    diagonal = arith::IndexCastOp::create(b, b.getIndexType(), k);
  }
  SizedTensor y = node.tensors.generate(
      x.sizes, x.elementType(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        Value first = arith::AddIOp::create(b, at[x.rank() - 2], diagonal);
        Value kept = arith::CmpIOp::create(
            b, upper ? arith::CmpIPredicate::sle : arith::CmpIPredicate::sge,
            first, at[x.rank() - 1]);
        return arith::SelectOp::create(
            b, kept, tensor::ExtractOp::create(b, x.value, at),
            zeroOf(b, x.elementType()));
      });
  return node.result(y, node.type(0));
}

/// Windows are sums of cosines: a[0] - a[1] cos(t) + a[2] cos(2t), with t from
/// 0 up to, but without, 2 pi where periodic, else up to 2 pi.
LogicalResult importWindow(Node &node) {
  FailureOr<ElementType> type =
      typeAttribute(node, "output_datatype", ElementType::F32);
  if (failed(type))
    return failure();
  if (!isFloat(*type) || *type == ElementType::F64)
    return node.error() << "a window of type " << name(*type)
                        << " is not supported: use f32, f16 or bf16";
  std::optional<Sizes> known = node.shapeElements(0);
  if (!known || known->size() != 1)
    return node.error() << "its size is computed from the values of tensors at "
                           "run time, which is not supported; make it an "
                           "initializer";
  SmallVector<double> a = node.op() == "HannWindow"
                              ? SmallVector<double>{0.5, 0.5, 0}
                          : node.op() == "HammingWindow"
                              ? SmallVector<double>{25. / 46, 21. / 46, 0}
                              : SmallVector<double>{0.42, 0.5, 0.08};
  Size size = node.sizes.maximum((*known)[0], node.sizes.constant(0));
  bool periodic = node.integer("periodic", 1) != 0;
  Value steps = node.sizes.value(
      periodic ? size
               : node.sizes.maximum(
                     node.sizes.subtract(size, node.sizes.constant(1)),
                     node.sizes.constant(1)));
  ImplicitLocOpBuilder &b = node.b;
  auto toFloat = [](ImplicitLocOpBuilder &b, Value index) -> Value {
    return arith::SIToFPOp::create(
        b, b.getF32Type(),
        arith::IndexCastOp::create(b, b.getI64Type(), index));
  };
  Value count = toFloat(b, steps);
  Type element = irType(b.getContext(), *type);
  SizedTensor y = node.tensors.generate(
      {size}, element, [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        ScalarBuilder s(b, b.getF32Type(), ElementType::F32);
        Value place = s.div(toFloat(b, at[0]), count, "");
        Value angle = s.mul(place, s.constant(6.28318530717958648));
        Value first = math::CosOp::create(b, angle);
        Value value = s.sub(s.constant(a[0]), s.mul(s.constant(a[1]), first));
        if (a[2] != 0) {
          Value twice = math::CosOp::create(b, s.add(angle, angle));
          value = s.add(value, s.mul(s.constant(a[2]), twice));
        }
        return convertFloatScalar(b, value, element);
      });
  return node.result(y, *type);
}

const OperatorRow rows[] = {
    {OnnxDomain, "EyeLike", 9, 1, 1, importEyeLike},
    {OnnxDomain, "OneHot", 9, 3, 3, importOneHot},
    {OnnxDomain, "Trilu", 14, 1, 2, importTrilu},
    {OnnxDomain, "HannWindow", 17, 1, 1, importWindow},
    {OnnxDomain, "HammingWindow", 17, 1, 1, importWindow},
    {OnnxDomain, "BlackmanWindow", 17, 1, 1, importWindow},
};

} // namespace

ArrayRef<OperatorRow> mezzo::generatorOperators() { return rows; }
