//===- ProductModule.cpp - quantized products without a model -------------===//

#include "tools/driver/ProductModule.h"

#include "lib/Layout/BoundLayout.h"
#include "lib/Layout/Relayout.h"
#include "lib/Number/Half.h"
#include "passes/Tensor/CodedActivations.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AsmState.h"

using namespace mlir;
using namespace mezzo;

/// A resource that owns a copy of `values`.
template <typename T>
static ElementsAttr resource(StringRef name, ArrayRef<T> values,
                             ArrayRef<int64_t> shape, Type element) {
  return DenseResourceElementsAttr::get(
      RankedTensorType::get(shape, element), name,
      HeapAsmResourceBlob::allocateAndCopyWithAlign(
          ArrayRef<char>(reinterpret_cast<const char *>(values.data()),
                         values.size() * sizeof(T)),
          alignof(T)));
}

/// The type that numbers of a spec are kept in. Integers take a byte each here;
/// packing gives them the bits that they have.
static Type storedType(MLIRContext *context, const ScaleType &type) {
  switch (type.kind) {
  case ScaleType::Kind::F32:
    return Float32Type::get(context);
  case ScaleType::Kind::F16:
    return Float16Type::get(context);
  case ScaleType::Kind::BF16:
    return BFloat16Type::get(context);
  case ScaleType::Kind::E4M3:
    return Float8E4M3FNType::get(context);
  case ScaleType::Kind::E8M0:
    return Float8E8M0FNUType::get(context);
  case ScaleType::Kind::UInt:
    return IntegerType::get(context, 8, IntegerType::Unsigned);
  case ScaleType::Kind::Int:
    return IntegerType::get(context, 8, IntegerType::Signed);
  }
  llvm_unreachable("unknown scale type");
}

/// Numbers in the type that the spec stores them in; their values are of that
/// type already.
static ElementsAttr numbers(MLIRContext *context, const Twine &name,
                            ArrayRef<float> values, ArrayRef<int64_t> shape,
                            ScaleType type) {
  Type element = storedType(context, type);
  auto convert = [&](auto encode) -> ElementsAttr {
    SmallVector<decltype(encode(0.0f))> bits;
    for (float value : values)
      bits.push_back(encode(value));
    return resource<decltype(encode(0.0f))>(name.str(), bits, shape, element);
  };
  switch (type.kind) {
  case ScaleType::Kind::F32:
    return resource<float>(name.str(), values, shape, element);
  case ScaleType::Kind::F16:
    return convert(f32ToF16);
  case ScaleType::Kind::BF16:
    return convert(f32ToBF16);
  case ScaleType::Kind::E4M3:
    return convert(
        [](float v) { return uint8_t(SmallFloat::e4m3fn().encode(v)); });
  case ScaleType::Kind::E8M0:
    return convert([](float v) { return encodeE8M0(v); });
  case ScaleType::Kind::UInt:
  case ScaleType::Kind::Int:
    return convert([](float v) { return uint8_t(int32_t(v)); });
  }
  llvm_unreachable("unknown scale type");
}

namespace {

/// Scales or minima, as a weight has them: on one level or two.
struct Levels {
  Levels(const ScaleSpec &spec, ArrayRef<float> products,
         const QuantizedMatrix::Levels &factors)
      : inner(products), type(spec.type) {
    if (!spec.super)
      return;
    if (factors.empty()) { // only the product is known, and only f32 holds it
      type = ScaleType{};
      return;
    }
    inner = factors.inner;
    outer = factors.outer;
    outerType = spec.super->type;
    length = factors.length;
  }

  ArrayRef<float> inner, outer;
  ScaleType type, outerType;
  int64_t length = 0;
};

} // namespace

/// The quantized weight of a product, its codes packed along K as in ONNX.
static llvm::Expected<WeightOp>
makeWeight(OpBuilder &builder, const QuantizedMatrix &w, StringRef name) {
  const Format &format = w.spec.format;
  std::string bits = std::to_string(format.bits());
  std::string text =
      "flat=[b:" + bits + ", k:" + std::to_string(w.cols) + ", n:*]";
  llvm::Expected<Layout> layout = Layout::parse(text);
  if (!layout)
    return layout.takeError();
  llvm::Expected<BoundLayout> bound =
      layout->bind({{'n', w.rows}, {'k', w.cols}, {'b', format.bits()}});
  if (!bound)
    return bound.takeError();
  std::vector<uint8_t> packed(bound->totalBytes());
  if (llvm::Error error = pack(*bound, w.codes, packed))
    return std::move(error);
  auto type = RankedTensorType::get(
      {w.rows, w.cols}, QType::get(builder.getContext(), format.str()));
  auto op = WeightOp::create(builder, builder.getUnknownLoc(), name, type,
                             resource<uint8_t>((name + ".codes").str(), packed,
                                               {int64_t(packed.size())},
                                               builder.getI8Type()));
  op.setSpec(w.spec.str());
  op.setGroup(w.groupLength);
  op.setLayoutAttr(LayoutAttr::get(builder.getContext(), text));
  SmallVector<int64_t> perGroup{w.rows, w.groups()};
  MLIRContext *context = builder.getContext();
  Levels scales(w.spec.scale, w.scales, w.scaleLevels);
  op.setScalesAttr(
      numbers(context, name + ".scales", scales.inner, perGroup, scales.type));
  auto setSuper = [&](int64_t length) -> llvm::Error {
    int64_t super = length < w.groups() ? length * w.groupLength : 0;
    if (op.getSuper().value_or(super) != super)
      return llvm::createStringError(
          "weights of " + w.spec.str() +
          " have super-blocks of one length for scales and of another for "
          "minima, which products do not have: use one length");
    op.setSuper(super);
    return llvm::Error::success();
  };
  auto perSuper = [&](const Levels &levels) {
    return SmallVector<int64_t>{w.rows, int64_t(levels.outer.size()) / w.rows};
  };
  if (!scales.outer.empty()) {
    op.setSuperScalesAttr(numbers(context, name + ".super_scales", scales.outer,
                                  perSuper(scales), scales.outerType));
    if (llvm::Error error = setSuper(scales.length))
      return std::move(error);
  }
  if (!w.zeros.empty()) {
    std::vector<int16_t> zeros(w.zeros.begin(), w.zeros.end());
    op.setOffsetsAttr(resource<int16_t>((name + ".zeros").str(), zeros,
                                        perGroup, builder.getI16Type()));
  } else if (!w.floatZeros.empty()) {
    op.setOffsetsAttr(numbers(context, name + ".zeros", w.floatZeros, perGroup,
                              w.spec.offset.zeroType));
  } else if (!w.minima.empty()) {
    Levels minima(w.spec.offset.minimum, w.minima, w.minimumLevels);
    op.setOffsetsAttr(numbers(context, name + ".minima", minima.inner, perGroup,
                              minima.type));
    if (!minima.outer.empty()) {
      op.setSuperOffsetsAttr(numbers(context, name + ".super_minima",
                                     minima.outer, perSuper(minima),
                                     minima.outerType));
      if (llvm::Error error = setSuper(minima.length))
        return std::move(error);
    }
  }
  if (!w.codebook.empty()) {
    int64_t entries = w.spec.format.numCodes(), count = w.codebook.size();
    SmallVector<int64_t> shape{entries};
    if (count != entries)
      shape = {w.rows, entries};
    op.setCodebookAttr(resource<float>((name + ".codebook").str(), w.codebook,
                                       shape, builder.getF32Type()));
  }
  if (!w.permutation.empty())
    op.setPermutationAttr(resource<int32_t>((name + ".order").str(),
                                            w.permutation, {w.cols},
                                            builder.getI32Type()));
  return op;
}

DictionaryAttr mezzo::describeTensor(Builder &b, StringRef name,
                                     RankedTensorType type) {
  SmallVector<int64_t> dims;
  SmallVector<Attribute> names;
  for (int64_t size : type.getShape()) {
    dims.push_back(ShapedType::isDynamic(size) ? -1 : size);
    names.push_back(b.getStringAttr(ShapedType::isDynamic(size) ? "m" : ""));
  }
  return b.getDictionaryAttr(
      {b.getNamedAttr("name", b.getStringAttr(name)),
       b.getNamedAttr("dtype", b.getStringAttr("f32")),
       b.getNamedAttr("dims", b.getDenseI64ArrayAttr(dims)),
       b.getNamedAttr("dim_names", b.getArrayAttr(names))});
}

/// x quantized as the spec says, and dequantized: what a model has in front of
/// a product. Dynamic int8 is the product's own affair.
static Value quantizedActivations(OpBuilder &builder, Location loc, Value x,
                                  const ActivationSpec &spec) {
  auto type = cast<RankedTensorType>(x.getType());
  auto scalar = [&](Type element) {
    return RankedTensorType::get({}, element);
  };
  auto dequantize = [&](Value codes, Value scale, Value zero) -> Value {
    return DequantizeOp::create(builder, loc, type, codes, scale, zero, 0, 0);
  };
  if (spec.kind == ActivationSpec::Kind::Int8)
    return x;
  bool isStatic = spec.kind == ActivationSpec::Kind::Static;
  Type code =
      QType::get(builder.getContext(), isStatic ? spec.format : "uint8");
  if (!isStatic) {
    auto op = DynamicQuantizeOp::create(builder, loc, type.clone(code),
                                        scalar(builder.getF32Type()),
                                        scalar(code), x);
    return dequantize(op.getCodes(), op.getScale(), op.getZero());
  }
  Value scale = arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(scalar(builder.getF32Type()),
                             builder.getF32FloatAttr(spec.scale)));
  Value byte = arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(
          scalar(builder.getI8Type()),
          builder.getIntegerAttr(builder.getI8Type(),
                                 APInt(8, spec.zero & 0xff))));
  Value zero;
  if (spec.zero != 0)
    zero = UnrealizedConversionCastOp::create(
               builder, loc, TypeRange{scalar(code)}, ValueRange{byte})
               .getResult(0);
  Value codes =
      QuantizeOp::create(builder, loc, type.clone(code), x, scale, zero, 0, 0);
  return dequantize(codes, scale, zero);
}

llvm::Expected<OwningOpRef<ModuleOp>>
mezzo::productModule(MLIRContext &context, ArrayRef<Product> products,
                     ComputeMode mode, int64_t m,
                     const ActivationSpec &activations) {
  OpBuilder builder(&context);
  Location loc = builder.getUnknownLoc();
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder, loc);
  builder.setInsertionPointToEnd(module->getBody());
  SmallVector<WeightOp> weights;
  for (auto [index, product] : llvm::enumerate(products)) {
    auto weight =
        makeWeight(builder, product.weight, "w" + std::to_string(index));
    if (!weight)
      return weight.takeError();
    if (mode == ComputeMode::Int && !product.weight.codebook.empty() &&
        !product.weight.format().hasValues())
      return llvm::createStringError(
          "the weights have a code book for each row, and mode `int` takes one "
          "for all: use mode `float`");
    if (auto refusal = refusalOf(mode, product.weight.format()))
      return llvm::createStringError("the weights are " + *refusal);
    weights.push_back(*weight);
  }
  Type f32 = builder.getF32Type();
  auto inputType = RankedTensorType::get({m, products[0].weight.cols}, f32);
  SmallVector<Type> outputTypes;
  for (const Product &product : products)
    outputTypes.push_back(RankedTensorType::get({m, product.weight.rows}, f32));
  auto function = func::FuncOp::create(
      builder, loc, "main", builder.getFunctionType({inputType}, outputTypes));
  builder.setInsertionPointToStart(function.addEntryBlock());
  Value x =
      quantizedActivations(builder, loc, function.getArgument(0), activations);
  CodedActivations coded{x, Value(), Value()};
  if (mode == ComputeMode::Int && areCoded(x)) {
    IRRewriter rewriter(builder);
    coded = codedActivations(x, rewriter);
    builder.setInsertionPointToEnd(&function.front());
  }
  SmallVector<Value> results;
  for (auto [product, weight, type] :
       llvm::zip_equal(products, weights, outputTypes)) {
    SmallVector<Type> types{weight.getTensorType(),
                            loadedType(*weight.getScales())};
    if (auto offsets = weight.getOffsets())
      types.push_back(loadedType(*offsets));
    if (auto permutation = weight.getPermutation())
      types.push_back(permutation->getType());
    auto load = LoadWeightOp::create(builder, loc, types, weight.getSymName());
    unsigned next = 2;
    Value offsets = weight.getOffsets() ? load.getResult(next++) : Value();
    Value permutation =
        weight.getPermutation() ? load.getResult(next++) : Value();
    Value bias;
    if (!product.bias.empty())
      bias = arith::ConstantOp::create(
          builder, loc,
          DenseElementsAttr::get(
              RankedTensorType::get({product.weight.rows}, f32),
              ArrayRef(product.bias)));
    results.push_back(MatmulOp::create(
        builder, loc, type, coded.codes, coded.scales, coded.zeros,
        load.getResult(0), load.getResult(1), offsets, permutation, bias, mode,
        int64_t(*weight.getGroup()), activations.block, ConfigAttr(),
        /*minima=*/!product.weight.minima.empty()));
  }
  func::ReturnOp::create(builder, loc, results);
  SmallVector<Attribute> outputs;
  for (auto [index, type] : llvm::enumerate(outputTypes))
    outputs.push_back(describeTensor(builder, "y" + std::to_string(index),
                                     cast<RankedTensorType>(type)));
  function->setAttr("mezzo.entry", builder.getUnitAttr());
  function->setAttr(
      "mezzo.inputs",
      builder.getArrayAttr({describeTensor(builder, "x", inputType)}));
  function->setAttr("mezzo.outputs", builder.getArrayAttr(outputs));
  return module;
}
