//===- Shapes.cpp - shapes as tensors, and constants ----------------------===//

#include "passes/Frontend/Importer.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Scalars.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

LogicalResult importShape(Node &node) {
  int64_t rank = node.rank(0);
  auto bound = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  int64_t start = bound(node.integer("start", 0)),
          end = std::max(start, bound(node.integer("end", rank)));
  Sizes shape(ArrayRef<Size>(node.in(0).sizes).slice(start, end - start));
  return node.result(shape, {end - start}, ElementType::I64);
}

LogicalResult importSize(Node &node) {
  return node.result({node.sizes.product(node.in(0).sizes)}, {},
                     ElementType::I64);
}

/// The value of a Constant node, in whichever attribute it is, as a tensor.
LogicalResult importConstant(Node &node) {
  onnx::TensorProto made;
  const onnx::TensorProto *tensor = nullptr;
  auto numbers = [&](auto list, onnx::TensorProto::DataType type, bool isList,
                     auto add) {
    made.set_data_type(type);
    if (isList)
      made.add_dims(list.size());
    for (auto number : list)
      add(number);
    tensor = &made;
  };
  auto addInteger = [&](int64_t number) { made.add_int64_data(number); };
  auto addFloat = [&](float number) { made.add_float_data(number); };
  for (const onnx::AttributeProto &attribute : node.proto.attribute()) {
    StringRef name = attribute.name();
    if (name == "value")
      tensor = &attribute.t();
    else if (name == "value_int")
      numbers(SmallVector<int64_t>{attribute.i()}, onnx::TensorProto::INT64,
              false, addInteger);
    else if (name == "value_ints")
      numbers(SmallVector<int64_t>(attribute.ints().begin(),
                                   attribute.ints().end()),
              onnx::TensorProto::INT64, true, addInteger);
    else if (name == "value_float")
      numbers(SmallVector<float>{attribute.f()}, onnx::TensorProto::FLOAT,
              false, addFloat);
    else if (name == "value_floats")
      numbers(SmallVector<float>(attribute.floats().begin(),
                                 attribute.floats().end()),
              onnx::TensorProto::FLOAT, true, addFloat);
  }
  if (!tensor)
    return node.error() << "it has no dense numeric value; strings and sparse "
                           "tensors are not supported: use a dense tensor";
  llvm::Expected<TensorView> view = node.importer.model->tensor(*tensor);
  if (!view)
    return node.error(view.takeError());
  if (!irType(node.b.getContext(), view->type))
    return node.error() << "elements of type " << name(view->type)
                        << " are not supported: use a floating point type, "
                           "bool or integers of 2 to 64 bits";
  if (view->name.empty())
    view->name = node.name().str();
  OnnxValue value;
  value.type = view->type;
  value.sizes = node.sizes.constants(view->dims);
  value.constant = std::make_shared<const TensorView>(std::move(*view));
  return node.result(std::move(value));
}

/// How many elements a tensor of these sizes has, if it is to be tracked.
std::optional<int64_t> trackedElements(SizeArithmetic &sizes,
                                       ArrayRef<Size> shape) {
  std::optional<int64_t> count = getConstantIntValue(sizes.product(shape));
  return count && *count >= 0 && *count <= OnnxValue::MaxElements &&
                 getConstantIntValues(shape)
             ? count
             : std::nullopt;
}

LogicalResult importConstantOfShape(Node &node) {
  std::optional<Sizes> shape = node.shapeElements(0);
  if (!shape)
    return node.error() << "its shape is computed from the values of tensors "
                           "at run time, which is not supported; fix the "
                        << "shapes of the inputs with --dim or --shape, or "
                           "make it an initializer";
  for (Size size : *shape)
    if (getConstantIntValue(size).value_or(0) < 0)
      return node.error() << "its shape " << describe(*shape)
                          << " has a negative size; check --dim and --shape";
  for (Size &size : *shape) // what only the run knows may be negative
    size = node.sizes.maximum(size, node.sizes.constant(0));
  ElementType type = ElementType::F32;
  Type element = node.b.getF32Type();
  TypedAttr fill = node.b.getF32FloatAttr(0);
  std::optional<int64_t> integer;
  if (const onnx::AttributeProto *attribute = node.find("value")) {
    llvm::Expected<TensorView> view =
        node.importer.model->tensor(attribute->t());
    if (!view)
      return node.error(view.takeError());
    type = view->type;
    element = irType(node.b.getContext(), type);
    if (view->elements() != 1 || !element || !element.isIntOrFloat())
      return node.error() << "its value has " << view->elements()
                          << " elements of type " << name(type)
                          << ": one number of 8 to 64 bits is needed";
    uint64_t bits = rawElement(*view, 0);
    unsigned width = element.getIntOrFloatBitWidth();
    APInt raw(width, type == ElementType::Bool ? bits != 0 : bits, false,
              /*implicitTrunc=*/true);
    if (auto floating = dyn_cast<FloatType>(element)) {
      fill = node.b.getFloatAttr(floating,
                                 APFloat(floating.getFloatSemantics(), raw));
    } else {
      fill = node.b.getIntegerAttr(element, raw);
      integer = isSignedInteger(type) ? raw.getSExtValue()
                                      : int64_t(raw.getZExtValue());
    }
  }
  std::optional<int64_t> count = trackedElements(node.sizes, *shape);
  if (integer && count)
    return node.result(Sizes(*count, node.sizes.constant(*integer)),
                       *getConstantIntValues(*shape), type);
  return node.result(node.tensors.filled(*shape, fill), type);
}

/// The same, of numbers that only the run knows. Floating point bounds are
/// counted in f64.
LogicalResult importRuntimeRange(Node &node) {
  SizeArithmetic &sizes = node.sizes;
  ImplicitLocOpBuilder &b = node.b;
  ElementType type = node.type(0);
  Type element = irType(b.getContext(), type);
  bool isReal = isFloat(type);
  ElementType counted = isReal ? ElementType::F64 : ElementType::I64;
  Type wide = isReal ? Type(b.getF64Type()) : Type(b.getI64Type());
  ScalarBuilder s(b, wide, counted);
  SmallVector<Value, 3> raw, bounds;
  for (unsigned input : {0u, 1u, 2u}) {
    raw.push_back(tensor::ExtractOp::create(
        b, node.tensors.reshape(node.tensor(input), {}).value));
    bounds.push_back(convertScalar(b, raw.back(), type, counted, wide));
  }
  Value start = bounds[0], limit = bounds[1], delta = bounds[2];
  Value zero = s.constant(0), one = s.constant(1);
  Value isZero = s.equal(delta, zero);
  CheckOp::create(
      b,
      arith::XOrIOp::create(b, isZero,
                            arith::ConstantOp::create(b, b.getBoolAttr(true))),
      node.subject() + ": the step is 0; check the inputs of the model");
  Value length = s.sub(limit, start), steps;
  if (isReal) {
    steps = math::CeilOp::create(b, s.div(length, delta, ""));
    // Not a number, or more than any memory holds, counts as the most.
    Value most = s.constant(0x1p40);
    steps = s.select(s.less(steps, most), s.max(steps, zero), most);
    steps = arith::FPToSIOp::create(b, b.getI64Type(), steps);
  } else {
    Value down = s.less(delta, zero);
    Value size = s.select(down, s.neg(delta), delta);
    size = s.select(isZero, one, size);
    length = s.max(s.select(down, s.neg(length), length), zero);
    Value whole = arith::DivUIOp::create(b, length, size);
    Value rest = arith::RemUIOp::create(b, length, size);
    steps = s.select(s.equal(rest, zero), whole, s.add(whole, one));
  }
  Size count = sizes.unknown(
      arith::IndexCastOp::create(b, b.getIndexType(), steps), true);
  Type computed = computeType(element);
  SizedTensor y = node.tensors.generate(
      {count}, element, [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        ScalarBuilder s(b, computed, type);
        auto widened = [&](Value value) {
          return isReal ? convertFloatScalar(b, value, computed) : value;
        };
        Value index = arith::IndexCastOp::create(b, b.getI64Type(), at[0]);
        Value place = convertScalar(
            b, index, ElementType::I64,
            isReal && computed.isF32() ? ElementType::F32 : type, computed);
        Value value = s.add(widened(raw[0]), s.mul(place, widened(raw[2])));
        return isReal ? convertFloatScalar(b, value, element) : value;
      });
  return node.result(y, type);
}

/// start, start + delta, ... below (or above) limit, all known; or of integers
/// with a step of 1, up to a size.
LogicalResult importRange(Node &node) {
  SizeArithmetic &sizes = node.sizes;
  ElementType type = node.type(0);
  if (node.type(1) != type || node.type(2) != type ||
      !irType(node.b.getContext(), type).isIntOrFloat())
    return node.error() << "its inputs are of types " << name(type) << ", "
                        << name(node.type(1)) << " and " << name(node.type(2))
                        << ", but must be of one type; insert a Cast";
  for (unsigned input : {0u, 1u, 2u})
    if (!sizes.surelyEqual(sizes.product(node.in(input).sizes),
                           sizes.constant(1)))
      return node.error() << "its input " << input << " has the shape "
                          << describe(node.in(input).sizes)
                          << ", but must be a scalar; export the model again";
  std::optional<double> start = node.constantScalar(0),
                        limit = node.constantScalar(1),
                        delta = node.constantScalar(2);
  if (delta == 0.0)
    return node.error() << "its step is 0; export the model again";
  Size count;
  if (start && limit && delta) {
    double steps = std::ceil((*limit - *start) / *delta);
    if (!(steps < double(int64_t(1) << 40)))
      return node.error()
             << "it has " << steps
             << " elements, which is beyond all memory; check the model";
    count = sizes.constant(std::max<int64_t>(0, int64_t(steps)));
  } else {
    std::optional<Sizes> from =
                             isInteger(type) ? node.elements(0) : std::nullopt,
                         to = isInteger(type) ? node.elements(1) : std::nullopt;
    if (!from || !to || delta != 1.0)
      return importRuntimeRange(node);
    count =
        sizes.maximum(sizes.subtract((*to)[0], (*from)[0]), sizes.constant(0));
  }
  std::optional<int64_t> known = getConstantIntValue(count);
  std::optional<Sizes> from = node.elements(0);
  if (isInteger(type) && known && *known <= OnnxValue::MaxElements && from) {
    Sizes elements;
    for (int64_t i = 0; i < *known; ++i)
      elements.push_back(
          sizes.add((*from)[0], sizes.constant(i * int64_t(*delta))));
    return node.result(elements, {*known}, type);
  }
  Type element = irType(node.b.getContext(), type),
       computed = computeType(element);
  Value first = tensor::ExtractOp::create(
      node.b, node.tensors.reshape(node.tensor(0), {}).value);
  SizedTensor y = node.tensors.generate(
      {count}, element,
      [&](ImplicitLocOpBuilder &b, ValueRange indices) -> Value {
        Value index = arith::IndexCastOp::create(b, b.getI64Type(), indices[0]);
        if (isa<FloatType>(element)) {
          Value step =
              arith::ConstantOp::create(b, b.getFloatAttr(computed, *delta));
          Value offset = arith::MulFOp::create(
              b, arith::SIToFPOp::create(b, computed, index), step);
          return convertFloatScalar(
              b,
              arith::AddFOp::create(b, convertFloatScalar(b, first, computed),
                                    offset),
              element);
        }
        unsigned bits = element.getIntOrFloatBitWidth();
        Value place =
            bits < 64 ? arith::TruncIOp::create(b, element, index).getResult()
                      : index;
        Value step = arith::ConstantOp::create(
            b, b.getIntegerAttr(element, int64_t(*delta)));
        return arith::AddIOp::create(b, first,
                                     arith::MulIOp::create(b, place, step));
      });
  return node.result(y, type);
}

const OperatorRow rows[] = {
    {OnnxDomain, "Shape", 1, 1, 1, importShape},
    {OnnxDomain, "Size", 1, 1, 1, importSize},
    {OnnxDomain, "Constant", 1, 0, 0, importConstant},
    {OnnxDomain, "ConstantOfShape", 9, 1, 1, importConstantOfShape},
    {OnnxDomain, "Range", 11, 3, 3, importRange},
};

} // namespace

ArrayRef<OperatorRow> mezzo::shapeOperators() { return rows; }
