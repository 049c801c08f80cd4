//===- LinearCodes.cpp - com.microsoft's operators on quantized tensors ---===//
//
// QLinearAdd and its kin take codes with one scale and zero point and give
// such codes. Each is what it stands for: DequantizeLinear of the inputs, the
// float operator, QuantizeLinear of the result, and is imported as these.
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Scalars.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// The inputs that say what the codes of a tensor mean.
struct Parameters {
  unsigned scale, zero;
};

/// A scale or zero point of one element as a scalar.
FailureOr<Value> scalarOf(Node &node, SizedTensor x, unsigned input) {
  if (!node.sizes.surelyEqual(node.sizes.product(x.sizes),
                              node.sizes.constant(1)))
    return node.error() << "its input " << input << " has the shape "
                        << describe(x.sizes)
                        << ", but one scale and one zero point serve all codes";
  return node.tensors.reshape(x, {}).value;
}

struct Scalars {
  Value scale, zero;
};

FailureOr<Scalars> readParameters(Node &node, Parameters of, ElementType type) {
  if (formatName(type).empty())
    return node.error() << "its codes are of type " << name(type)
                        << ": use an integer of 2 to 16 bits";
  FailureOr<Value> scale = scalarOf(node, node.f32(of.scale), of.scale);
  if (failed(scale) || !node.has(of.zero))
    return failed(scale) ? FailureOr<Scalars>(failure())
                         : FailureOr<Scalars>(Scalars{*scale, Value()});
  if (node.type(of.zero) != type)
    return node.error() << "its zero point, input " << of.zero
                        << ", is of type " << name(node.type(of.zero))
                        << ", but its codes of type " << name(type);
  FailureOr<Value> zero = scalarOf(node, node.codes(of.zero), of.zero);
  if (failed(zero))
    return failure();
  return Scalars{*scale, *zero};
}

FailureOr<SizedTensor> dequantized(Node &node, unsigned input, Parameters of) {
  FailureOr<Scalars> scalars = readParameters(node, of, node.type(input));
  if (failed(scalars))
    return failure();
  SizedTensor codes = node.codes(input);
  Value numbers =
      DequantizeOp::create(node.b, codes.type().clone(node.b.getF32Type()),
                           codes.value, scalars->scale, scalars->zero, 0, 0);
  return SizedTensor{numbers, codes.sizes};
}

LogicalResult quantize(Node &node, SizedTensor y, Parameters of,
                       ElementType type) {
  FailureOr<Scalars> scalars = readParameters(node, of, type);
  if (failed(scalars))
    return failure();
  auto result = y.type().clone(codeType(node.b.getContext(), type));
  Value codes = QuantizeOp::create(node.b, result, y.value, scalars->scale,
                                   scalars->zero, 0, 0);
  return node.result(SizedTensor{codes, y.sizes}, type);
}

using Function =
    llvm::function_ref<Value(ScalarBuilder &, ArrayRef<Value> operands)>;

/// function(x...) of dequantized inputs, quantized.
LogicalResult importFunction(Node &node,
                             ArrayRef<std::pair<unsigned, Parameters>> inputs,
                             Parameters result, Function function) {
  SmallVector<SizedTensor> operands;
  SmallVector<Sizes> shapes;
  for (auto [input, of] : inputs) {
    FailureOr<SizedTensor> operand = dequantized(node, input, of);
    if (failed(operand))
      return failure();
    operands.push_back(*operand);
    shapes.push_back(operand->sizes);
  }
  if (!node.tensors.broadcastSizes(shapes))
    return node.error() << "its inputs cannot be broadcast; check their shapes";
  SizedTensor y = node.tensors.elementwise(
      operands, node.b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange x) {
        ScalarBuilder scalars(b, b.getF32Type(), ElementType::F32);
        return function(scalars, SmallVector<Value>(x));
      });
  return quantize(node, y, result, node.type(inputs[0].first));
}

constexpr Parameters One{1, 2}, Result{3, 4};

/// Zero points may be left out in the middle of the inputs; these may not.
LogicalResult checkGiven(Node &node, ArrayRef<unsigned> inputs) {
  for (unsigned input : inputs)
    if (!node.has(input))
      return node.error() << "its input " << input
                          << " is missing; export the model again";
  return success();
}

LogicalResult importBinary(Node &node) {
  if (failed(checkGiven(node, {3, 4, 6})))
    return failure();
  bool isAdd = node.op() == "QLinearAdd";
  return importFunction(node, {{0, Parameters{1, 2}}, {3, Parameters{4, 5}}},
                        Parameters{6, 7},
                        [&](ScalarBuilder &s, ArrayRef<Value> x) {
                          return isAdd ? s.add(x[0], x[1]) : s.mul(x[0], x[1]);
                        });
}

LogicalResult importSigmoid(Node &node) {
  if (failed(checkGiven(node, {3})))
    return failure();
  return importFunction(
      node, {{0, One}}, Result,
      [](ScalarBuilder &s, ArrayRef<Value> x) { return s.sigmoid(x[0]); });
}

LogicalResult importLeakyRelu(Node &node) {
  if (failed(checkGiven(node, {3})))
    return failure();
  float alpha = node.real("alpha", 0.01f);
  return importFunction(node, {{0, One}}, Result,
                        [&](ScalarBuilder &s, ArrayRef<Value> x) {
                          return s.select(s.less(x[0], s.constant(0)),
                                          s.mul(s.constant(alpha), x[0]), x[0]);
                        });
}

/// `opset` says whose axis this is: before 13 everything from it on is one row.
LogicalResult importSoftmax(Node &node) {
  if (failed(checkGiven(node, {3})))
    return failure();
  FailureOr<SizedTensor> x = dequantized(node, 0, One);
  if (failed(x))
    return failure();
  bool coerced = node.integer("opset", 13) < 13;
  FailureOr<int64_t> axis =
      node.axis(node.integer("axis", coerced ? 1 : -1), x->rank());
  if (failed(axis))
    return failure();
  SmallVector<int64_t> swap = llvm::to_vector(llvm::seq<int64_t>(0, x->rank()));
  if (!coerced)
    std::swap(swap[*axis], swap.back()); // its own inverse
  int64_t split = coerced ? *axis : x->rank() - 1;
  SizedTensor turned = node.tensors.transpose(*x, swap);
  ArrayRef<Size> shape = turned.sizes;
  SizedTensor rows = node.tensors.reshape(
      turned, {node.sizes.product(shape.take_front(split)),
               node.sizes.product(shape.drop_front(split))});
  Value y = SoftmaxOp::create(node.b, rows.type(), rows.value);
  SizedTensor back = node.tensors.transpose(
      node.tensors.reshape({y, rows.sizes}, turned.sizes), swap);
  return quantize(node, back, Result, node.type(0));
}

/// The mean over the spatial dimensions: an exact sum of the codes, and then
/// float(sum - count * zero) * scale / count.
LogicalResult importGlobalAveragePool(Node &node) {
  if (failed(checkGiven(node, {3})))
    return failure();
  if (node.rank(0) < 3)
    return node.error() << "it pools a tensor of rank " << node.rank(0)
                        << ", which has no spatial dimensions";
  bool last = node.integer("channels_last", 0) != 0;
  FailureOr<SizedTensor> given = dequantized(node, 0, One);
  if (failed(given))
    return failure();
  SizedTensor x = *given;
  if (last) {
    SmallVector<int64_t> first{0, x.rank() - 1};
    for (int64_t dim = 1; dim + 1 < x.rank(); ++dim)
      first.push_back(dim);
    x = node.tensors.transpose(x, first);
  }
  ArrayRef<Size> shape = x.sizes;
  Size outer = node.sizes.product(shape.take_front(2)),
       count = node.sizes.product(shape.drop_front(2));
  SizedTensor rows = node.tensors.reshape(x, {outer, count});
  SizedTensor init = node.tensors.zeros({outer}, node.b.getF32Type());
  AffineExpr row, column;
  bindDims(node.b.getContext(), row, column);
  Value sum =
      linalg::GenericOp::create(
          node.b, TypeRange{init.value.getType()}, ValueRange{rows.value},
          ValueRange{init.value},
          ArrayRef<AffineMap>{node.b.getMultiDimIdentityMap(2),
                              AffineMap::get(2, 0, {row}, node.b.getContext())},
          ArrayRef{utils::IteratorType::parallel,
                   utils::IteratorType::reduction},
          [](OpBuilder &builder, Location loc, ValueRange e) {
            Value next = arith::AddFOp::create(builder, loc, e[1], e[0]);
            linalg::YieldOp::create(builder, loc, next);
          })
          .getResult(0);
  Value divisor = arith::SIToFPOp::create(
      node.b, node.b.getF32Type(),
      arith::IndexCastOp::create(node.b, node.b.getI64Type(),
                                 node.sizes.value(count))
          .getResult());
  SizedTensor mean = node.tensors.elementwise(
      SizedTensor{sum, {outer}}, node.b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange e) -> Value {
        return arith::DivFOp::create(b, e[0], divisor);
      });
  Sizes pooled(x.rank(), node.sizes.constant(1));
  pooled[0] = x.sizes[0];
  pooled[last ? x.rank() - 1 : 1] = x.sizes[1];
  return quantize(node, node.tensors.reshape(mean, pooled), Result,
                  node.type(0));
}

LogicalResult importConcat(Node &node) {
  if (node.numInputs() % 3 != 2 || node.numInputs() < 5)
    return node.error() << "it has " << node.numInputs()
                        << " inputs, but takes a scale and a zero point, and "
                           "three for each tensor; export the model again";
  FailureOr<int64_t> axis = node.axis(node.integer("axis", 0), node.rank(2));
  if (failed(axis))
    return failure();
  SmallVector<SizedTensor> parts;
  Size total = node.sizes.constant(0);
  for (unsigned input = 2; input < node.numInputs(); input += 3) {
    FailureOr<SizedTensor> part =
        dequantized(node, input, {input + 1, input + 2});
    if (failed(part))
      return failure();
    if (part->rank() != node.rank(2))
      return node.error() << "its tensors are of ranks " << node.rank(2)
                          << " and " << part->rank();
    total = node.sizes.add(total, part->sizes[*axis]);
    parts.push_back(*part);
  }
  Sizes shape = parts[0].sizes;
  shape[*axis] = total;
  SizedTensor all{node.tensors.empty(shape, node.b.getF32Type()), shape};
  Sizes at(shape.size(), node.sizes.constant(0));
  for (SizedTensor &part : parts) {
    Sizes wanted = shape;
    wanted[*axis] = part.sizes[*axis];
    for (auto [have, want] : llvm::zip_equal(part.sizes, wanted))
      if (node.sizes.equal(have, want) == std::optional<bool>(false))
        return node.error()
               << "its tensors " << describe(parts[0].sizes) << " and "
               << describe(part.sizes) << " do not fit along axis " << *axis;
    all = node.tensors.insert(node.tensors.fit(part, wanted), all, at);
    at[*axis] = node.sizes.add(at[*axis], part.sizes[*axis]);
  }
  return quantize(node, all, {0, 1}, node.type(2));
}

LogicalResult importWhere(Node &node) {
  FailureOr<SizedTensor> x = dequantized(node, 1, {2, 3});
  FailureOr<SizedTensor> y = failed(x) ? x : dequantized(node, 4, {5, 6});
  if (failed(y))
    return failure();
  SizedTensor condition = node.tensor(0);
  if (!node.tensors.broadcastSizes({condition.sizes, x->sizes, y->sizes}))
    return node.error() << "its inputs cannot be broadcast; check their shapes";
  SizedTensor chosen = node.tensors.elementwise(
      {condition, *x, *y}, node.b.getF32Type(),
      [](ImplicitLocOpBuilder &b, ValueRange e) -> Value {
        return arith::SelectOp::create(b, e[0], e[1], e[2]);
      });
  return quantize(node, chosen, {7, 8}, node.type(1));
}

const OperatorRow rows[] = {
    {MicrosoftDomain, "QLinearAdd", 1, 2, 8, importBinary},
    {MicrosoftDomain, "QLinearMul", 1, 2, 8, importBinary},
    {MicrosoftDomain, "QLinearSigmoid", 1, 2, 5, importSigmoid},
    {MicrosoftDomain, "QLinearLeakyRelu", 1, 2, 5, importLeakyRelu},
    {MicrosoftDomain, "QLinearSoftmax", 1, 2, 5, importSoftmax},
    {MicrosoftDomain, "QLinearGlobalAveragePool", 1, 2, 5,
     importGlobalAveragePool},
    {MicrosoftDomain, "QLinearConcat", 1, 5, OperatorRow::Variadic,
     importConcat},
    {MicrosoftDomain, "QLinearWhere", 1, 9, 9, importWhere},
};

} // namespace

ArrayRef<OperatorRow> mezzo::linearCodeOperators() { return rows; }
