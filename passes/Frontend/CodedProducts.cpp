//===- CodedProducts.cpp - products of two tensors of codes ---------------===//
//
// All integer products of ONNX, standard and com.microsoft, are one exact sum
// in i32 and what each makes of it. The sum is a `mezzo.matmul` in mode `int`
// wherever the right operand is a constant matrix: activations are read as
// signed bytes, u8 with the top bit flipped and 128 taken off the zero point.
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/CodedProducts.h"

#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

bool isByte(ElementType type) {
  return type == ElementType::U8 || type == ElementType::I8;
}

LogicalResult checkBytes(Node &node, unsigned input) {
  if (isByte(node.type(input)))
    return success();
  return node.error() << "its input " << input << " is of type "
                      << name(node.type(input)) << ": use i8 or u8";
}

Value widened(ImplicitLocOpBuilder &b, Value code, bool isSigned) {
  return isSigned ? arith::ExtSIOp::create(b, b.getI32Type(), code).getResult()
                  : arith::ExtUIOp::create(b, b.getI32Type(), code);
}

/// A zero point as i32: a scalar where it has one element, else of its shape.
SizedTensor wideZero(Node &node, SizedTensor zero, bool isSigned,
                     int32_t shift = 0) {
  if (node.sizes.surelyEqual(node.sizes.product(zero.sizes),
                             node.sizes.constant(1)))
    zero = node.tensors.reshape(zero, {});
  return node.tensors.elementwise(
      zero, node.b.getI32Type(), [&](ImplicitLocOpBuilder &b, ValueRange x) {
        Value wide = widened(b, x[0], isSigned);
        if (!shift)
          return wide;
        Value offset = arith::ConstantIntOp::create(b, b.getI32Type(), shift);
        return arith::SubIOp::create(b, wide, offset).getResult();
      });
}

//===----------------------------------------------------------------------===//
// A constant right operand
//===----------------------------------------------------------------------===//

/// The matrix W[N, K] of a constant b[K, N], or b[N, K] where it is turned.
struct ConstantWeight {
  LoadWeightOp load;
  int64_t n, k;
};

/// Null where b is no constant matrix with constant zero points.
FailureOr<std::optional<ConstantWeight>>
constantWeight(Node &node, const ProductInputs &inputs) {
  OnnxValue &b = node.in(inputs.b);
  bool hasZero = node.has(inputs.bZero);
  if (!b.constant || b.rank() != 2 ||
      (hasZero && !node.in(inputs.bZero).constant))
    return std::optional<ConstantWeight>();
  const TensorView &view = *b.constant;
  int64_t k = view.dims[inputs.transB ? 1 : 0],
          n = view.dims[inputs.transB ? 0 : 1];
  if (n == 0 || k == 0)
    return std::optional<ConstantWeight>();
  MLIRContext *context = node.b.getContext();
  Type i16 = node.b.getI16Type();
  std::vector<int16_t> zeros;
  if (hasZero) {
    auto values = node.in(inputs.bZero).constant->toInts();
    if (!values)
      return node.error(values.takeError());
    if (values->size() != 1 && int64_t(values->size()) != n)
      return node.error() << "its weight has " << values->size()
                          << " zero points for " << n
                          << " columns; export the model again";
    if (llvm::any_of(*values, [](int64_t zero) { return zero != 0; }))
      for (int64_t column = 0; column < n; ++column)
        zeros.push_back((*values)[values->size() == 1 ? 0 : column]);
  }
  std::string format = formatName(view.type).str();
  auto bytes =
      RankedTensorType::get({int64_t(view.bytes.size())}, node.b.getI8Type());
  WeightOp weight = node.constants.weight(
      view.name, RankedTensorType::get({n, k}, QType::get(context, format)),
      node.constants.inPlace(view, bytes));
  weight.setSpec(format + (zeros.empty() ? "/ch" : "/ch+zp"));
  weight.setGroup(k);
  weight.setLayoutAttr(LayoutAttr::get(
      context, inputs.transB ? "flat=[b:8, k:" + std::to_string(k) + ", n:*]"
                             : "flat=[b:8, n:" + std::to_string(n) + ", k:*]"));
  weight.setScalesAttr(
      DenseElementsAttr::get(RankedTensorType::get({n, 1}, node.b.getF32Type()),
                             node.b.getF32FloatAttr(1)));
  if (!zeros.empty()) {
    std::vector<uint8_t> raw(zeros.size() * sizeof(int16_t));
    std::memcpy(raw.data(), zeros.data(), raw.size());
    weight.setOffsetsAttr(node.constants.computed(
        view.name + ".zeros", RankedTensorType::get({n, 1}, i16),
        std::move(raw)));
  }
  return std::optional(ConstantWeight{node.constants.load(weight), n, k});
}

/// Of activations a[.., K] as bytes of `type`.
FailureOr<SizedTensor> multiplyByWeight(Node &node, SizedTensor a,
                                        ElementType type,
                                        std::optional<SizedTensor> zero,
                                        std::optional<int64_t> knownZero,
                                        const ConstantWeight &weight) {
  SizeArithmetic &sizes = node.sizes;
  if (a.rank() == 0 || sizes.equal(a.sizes.back(), sizes.constant(weight.k)) ==
                           std::optional<bool>(false))
    return node.error() << "it multiplies rows of " << describe(a.sizes)
                        << " by columns of " << weight.k
                        << "; check the shapes of its inputs";
  Sizes outer(a.sizes.begin(), a.sizes.end() - 1), result = outer;
  result.push_back(sizes.constant(weight.n));
  Size rows = sizes.product(outer);
  SizedTensor x = node.tensors.reshape(a, {rows, sizes.constant(weight.k)});
  bool isSigned = type == ElementType::I8;
  int32_t shift = isSigned ? 0 : 128;
  if (!isSigned)
    x = node.tensors.elementwise(
        x, node.b.getI8Type(),
        [](ImplicitLocOpBuilder &b, ValueRange code) -> Value {
          Value top = arith::ConstantIntOp::create(b, b.getI8Type(), -128);
          return arith::XOrIOp::create(b, code[0], top);
        });
  Value zeros;
  if (zero && !(knownZero && *knownZero == shift)) {
    SizedTensor wide = wideZero(node, *zero, isSigned, shift);
    if (wide.rank() > 1)
      wide = node.tensors.reshape(wide, {rows});
    zeros = node.tensors.broadcastTo(wide, {rows}).value;
  } else if (!zero && shift) {
    zeros = node.tensors.filled({rows}, node.b.getI32IntegerAttr(-shift)).value;
  }
  Value ones = node.tensors.filled({rows}, node.b.getF32FloatAttr(1)).value;
  LoadWeightOp load = weight.load;
  Sizes flat{rows, sizes.constant(weight.n)};
  Value sum = MatmulOp::create(
      node.b, node.tensors.typeOf(flat, node.b.getI32Type()), x.value, ones,
      zeros, load.getResult(0), load.getResult(1),
      load.getNumResults() > 2 ? load.getResult(2) : Value(),
      /*permutation=*/Value(), /*bias=*/Value(), ComputeMode::Int, weight.k,
      /*block=*/int64_t(0), ConfigAttr());
  return node.tensors.reshape({sum, flat}, result);
}

//===----------------------------------------------------------------------===//
// Any right operand
//===----------------------------------------------------------------------===//

/// Codes less their zero points, as i32. `perRow`: a vector of zero points has
/// one for each row, not for each column.
SizedTensor differences(Node &node, SizedTensor codes, bool isSigned,
                        std::optional<SizedTensor> zero, bool perRow) {
  SmallVector<SizedTensor> operands{codes};
  if (zero) {
    SizedTensor wide = wideZero(node, *zero, isSigned);
    if (perRow && wide.rank() == 1)
      wide =
          node.tensors.reshape(wide, {wide.sizes[0], node.sizes.constant(1)});
    operands.push_back(wide);
  }
  return node.tensors.elementwise(
      operands, node.b.getI32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange x) {
        Value wide = widened(b, x[0], isSigned);
        return x.size() == 1 ? wide
                             : arith::SubIOp::create(b, wide, x[1]).getResult();
      });
}

/// a[.., m, k] * b[.., k, n] of i32.
FailureOr<SizedTensor> multiplyIntegers(Node &node, SizedTensor a,
                                        SizedTensor b) {
  if (a.rank() == 0 || b.rank() == 0)
    return node.error() << "it multiplies a scalar; use Mul";
  SizeArithmetic &sizes = node.sizes;
  TensorBuilder &tensors = node.tensors;
  bool rowVector = a.rank() == 1, columnVector = b.rank() == 1;
  if (rowVector)
    a = tensors.reshape(a, {sizes.constant(1), a.sizes[0]});
  if (columnVector)
    b = tensors.reshape(b, {b.sizes[0], sizes.constant(1)});
  Size m = a.sizes[a.rank() - 2], k = a.sizes.back(), n = b.sizes.back(),
       other = b.sizes[b.rank() - 2];
  if (sizes.equal(k, other) == std::optional<bool>(false))
    return node.error() << "it multiplies rows of " << describe(k)
                        << " by columns of " << describe(other)
                        << "; check the shapes of its inputs";
  Sizes aBatch(a.sizes.begin(), a.sizes.end() - 2),
      bBatch(b.sizes.begin(), b.sizes.end() - 2);
  std::optional<Sizes> common = tensors.broadcastSizes({aBatch, bBatch});
  if (!common)
    return node.error() << "its batches " << describe(aBatch) << " and "
                        << describe(bBatch)
                        << " cannot be broadcast; check the shapes of its "
                           "inputs";
  Size batch = sizes.product(*common);
  k = sizes.unify(k, other,
                  node.subject() + ": the inner sizes of its operands differ");
  auto flatten = [&](SizedTensor t, Size rows, Size columns) {
    Sizes whole = *common;
    whole.append({rows, columns});
    return tensors.reshape(tensors.broadcastTo(t, whole),
                           {batch, rows, columns});
  };
  a = flatten(a, m, k);
  b = flatten(b, k, n);
  SizedTensor init = tensors.zeros({batch, m, n}, node.b.getI32Type());
  AffineExpr ab, am, an, ak;
  bindDims(node.b.getContext(), ab, am, an, ak);
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(4, 0, exprs, node.b.getContext());
  };
  SmallVector<utils::IteratorType> loops(3, utils::IteratorType::parallel);
  loops.push_back(utils::IteratorType::reduction);
  Value sum =
      linalg::GenericOp::create(
          node.b, TypeRange{init.value.getType()}, ValueRange{a.value, b.value},
          ValueRange{init.value},
          ArrayRef<AffineMap>{map({ab, am, ak}), map({ab, ak, an}),
                              map({ab, am, an})},
          loops,
          [](OpBuilder &builder, Location loc, ValueRange x) {
            Value product = arith::MulIOp::create(builder, loc, x[0], x[1]);
            Value next = arith::AddIOp::create(builder, loc, x[2], product);
            linalg::YieldOp::create(builder, loc, next);
          })
          .getResult(0);
  Sizes shape = *common;
  if (!rowVector)
    shape.push_back(m);
  if (!columnVector)
    shape.push_back(n);
  return tensors.reshape({sum, {batch, m, n}}, shape);
}

SizedTensor turned(Node &node, SizedTensor x) {
  return node.tensors.transpose(x, {1, 0});
}

FailureOr<SizedTensor> productOf(Node &node, SizedTensor a, ElementType type,
                                 std::optional<SizedTensor> aZero,
                                 std::optional<int64_t> knownZero,
                                 const ProductInputs &inputs) {
  if (failed(checkBytes(node, inputs.b)))
    return failure();
  if (inputs.transA)
    a = turned(node, a);
  auto weight = constantWeight(node, inputs);
  if (failed(weight))
    return failure();
  // Zero points of rows are read row by row, whatever the batch.
  bool rowsKnown =
      !aZero || aZero->rank() <= 1 ||
      node.sizes.surelyEqual(
          node.sizes.product(aZero->sizes),
          node.sizes.product(a.sizes.empty()
                                 ? ArrayRef<Size>()
                                 : ArrayRef<Size>(a.sizes).drop_back()));
  bool vectorFits =
      !aZero || aZero->rank() != 1 || a.rank() == 2 ||
      node.sizes.surelyEqual(aZero->sizes[0], node.sizes.constant(1));
  if (*weight && rowsKnown && vectorFits && a.rank() > 0)
    return multiplyByWeight(node, a, type, aZero, knownZero, **weight);
  SizedTensor left =
      differences(node, a, type == ElementType::I8, aZero, /*perRow=*/true);
  std::optional<SizedTensor> bZero;
  if (node.has(inputs.bZero))
    bZero = node.tensor(inputs.bZero);
  SizedTensor b = node.tensor(inputs.b);
  if (inputs.transB) // zero points then belong to rows, which become columns
    b = turned(node, b);
  SizedTensor right = differences(
      node, b, node.type(inputs.b) == ElementType::I8, bZero, false);
  return multiplyIntegers(node, left, right);
}

} // namespace

FailureOr<SizedTensor> mezzo::codedProduct(Node &node,
                                           const ProductInputs &inputs) {
  if (failed(checkBytes(node, inputs.a)))
    return failure();
  std::optional<SizedTensor> zero;
  std::optional<int64_t> known;
  if (node.has(inputs.aZero)) {
    if (node.type(inputs.aZero) != node.type(inputs.a))
      return node.error() << "its zero points are of type "
                          << name(node.type(inputs.aZero))
                          << ", but its codes of type "
                          << name(node.type(inputs.a));
    zero = node.tensor(inputs.aZero);
    if (auto constant = node.constantScalar(inputs.aZero))
      known = *constant;
  }
  return productOf(node, node.tensor(inputs.a), node.type(inputs.a), zero,
                   known, inputs);
}

FailureOr<SizedTensor> mezzo::codedProduct(Node &node, SizedTensor a,
                                           SizedTensor aZero,
                                           const ProductInputs &inputs) {
  return productOf(node, a, ElementType::U8, aZero, std::nullopt, inputs);
}

//===----------------------------------------------------------------------===//
// Scales
//===----------------------------------------------------------------------===//

namespace {

/// A scale with its dimensions: none where it is a scalar, [M, 1] where it is
/// one per row, [N] where it is one per column.
SizedTensor shapedScale(Node &node, SizedTensor scale, bool perRow) {
  if (node.sizes.surelyEqual(node.sizes.product(scale.sizes),
                             node.sizes.constant(1)))
    return node.tensors.reshape(scale, {});
  if (perRow && scale.rank() == 1)
    return node.tensors.reshape(scale,
                                {scale.sizes[0], node.sizes.constant(1)});
  return scale;
}

/// The constant result, where all inputs are constants and vectors at most.
std::optional<SmallVector<float>> foldScale(Node &node,
                                            ArrayRef<unsigned> inputs,
                                            size_t factors, float constant) {
  SmallVector<float> result{constant};
  for (auto [index, input] : llvm::enumerate(inputs)) {
    const OnnxValue &value = node.in(input);
    if (!value.constant || value.rank() > 1)
      return std::nullopt;
    auto floats = value.constant->toFloats();
    if (!floats) {
      llvm::consumeError(floats.takeError());
      return std::nullopt;
    }
    if (floats->size() > 1 && result.size() == 1)
      result.assign(floats->size(), result[0]);
    if (floats->size() != 1 && floats->size() != result.size())
      return std::nullopt;
    for (auto [at, scale] : llvm::enumerate(result)) {
      float operand = (*floats)[floats->size() == 1 ? 0 : at];
      scale = index < factors ? scale * operand : scale / operand;
    }
  }
  return result;
}

} // namespace

FailureOr<SizedTensor> mezzo::combinedScale(Node &node,
                                            ArrayRef<unsigned> factors,
                                            std::optional<unsigned> divisor,
                                            std::optional<unsigned> rows,
                                            float constant) {
  SmallVector<unsigned> inputs(factors);
  if (divisor)
    inputs.push_back(*divisor);
  for (unsigned input : inputs)
    if (!isFloat(node.type(input)) || node.type(input) == ElementType::F64)
      return node.error() << "its scale, input " << input << ", is of type "
                          << name(node.type(input)) << ": use f32, f16 or bf16";
  // A vector of one per row has a dimension more than constants here.
  bool foldable =
      !rows || node.sizes.surelyEqual(node.sizes.product(node.in(*rows).sizes),
                                      node.sizes.constant(1));
  if (foldable)
    if (auto folded = foldScale(node, inputs, factors.size(), constant)) {
      SmallVector<int64_t> shape;
      if (folded->size() != 1)
        shape.push_back(folded->size());
      std::vector<uint8_t> bytes(folded->size() * sizeof(float));
      std::memcpy(bytes.data(), folded->data(), bytes.size());
      TensorView view;
      view.name = (node.name() + ".scale").str();
      view.type = ElementType::F32;
      view.dims = shape;
      auto owner = std::make_shared<std::vector<uint8_t>>(std::move(bytes));
      view.bytes = *owner;
      view.owner = owner;
      return SizedTensor{node.constants.tensor(view),
                         node.sizes.constants(shape)};
    }
  SmallVector<SizedTensor> operands;
  for (unsigned input : inputs)
    operands.push_back(
        shapedScale(node, node.f32(input), rows && input == *rows));
  auto shapes = llvm::map_to_vector(
      operands, [](const SizedTensor &scale) { return scale.sizes; });
  if (!node.tensors.broadcastSizes(shapes))
    return node.error() << "its scales do not fit each other; check their "
                           "shapes";
  return node.tensors.elementwise(
      operands, node.b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange x) {
        Value scale = x[0];
        if (constant != 1)
          scale = arith::MulFOp::create(
              b, arith::ConstantOp::create(b, b.getF32FloatAttr(constant)),
              scale);
        for (auto [index, operand] : llvm::enumerate(x.drop_front()))
          scale = index + 1 < factors.size()
                      ? arith::MulFOp::create(b, scale, operand).getResult()
                      : arith::DivFOp::create(b, scale, operand);
        return scale;
      });
}

LogicalResult mezzo::checkBroadcastTo(Node &node, SizedTensor x,
                                      SizedTensor target) {
  std::optional<Sizes> common =
      node.tensors.broadcastSizes({x.sizes, target.sizes});
  if (common && node.sizes.surelyEqual(*common, target.sizes))
    return success();
  return node.error() << "a scale or bias of shape " << describe(x.sizes)
                      << " cannot be broadcast to its result of shape "
                      << describe(target.sizes)
                      << "; check the shapes of its inputs";
}

SizedTensor mezzo::requantize(Node &node, SizedTensor acc, SizedTensor scale,
                              std::optional<unsigned> zeroInput,
                              ElementType type) {
  SmallVector<SizedTensor> operands{acc, scale};
  bool isSigned = type == ElementType::I8;
  if (zeroInput)
    operands.push_back(wideZero(node, node.tensor(*zeroInput), isSigned));
  float low = isSigned ? -128 : 0, high = isSigned ? 127 : 255;
  return node.tensors.elementwise(
      operands, node.b.getI8Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange x) -> Value {
        Type f32 = b.getF32Type();
        auto constant = [&](float value) -> Value {
          return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
        };
        Value sum = x[0];
        if (!isa<FloatType>(sum.getType()))
          sum = arith::SIToFPOp::create(b, f32, sum);
        Value code = math::RoundEvenOp::create(
            b, arith::MulFOp::create(b, sum, x[1]).getResult());
        if (x.size() > 2)
          code = arith::AddFOp::create(
              b, code, arith::SIToFPOp::create(b, f32, x[2]).getResult());
        code = arith::MaxNumFOp::create(b, code, constant(low));
        code = arith::MinNumFOp::create(b, code, constant(high));
        Value wide = arith::FPToSIOp::create(b, b.getI32Type(), code);
        return arith::TruncIOp::create(b, b.getI8Type(), wide);
      });
}
