//===- TensorBuilder.cpp - tensor ops that know their sizes ---------------===//

#include "passes/Frontend/TensorBuilder.h"

#include "dialects/Mezzo/Mezzo.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

/// Whether a tensor of this shape is known to have no elements.
static bool isEmpty(ArrayRef<Size> shape) {
  return llvm::any_of(shape,
                      [](Size size) { return getConstantIntValue(size) == 0; });
}

RankedTensorType TensorBuilder::typeOf(ArrayRef<Size> shape, Type element) {
  auto dims = llvm::map_to_vector(shape, [](Size size) {
    return getConstantIntValue(size).value_or(ShapedType::kDynamic);
  });
  return RankedTensorType::get(dims, element);
}

Value TensorBuilder::empty(ArrayRef<Size> shape, Type element) {
  return tensor::EmptyOp::create(b, shape, element);
}

SizedTensor TensorBuilder::filled(ArrayRef<Size> shape, TypedAttr element) {
  Value scalar = arith::ConstantOp::create(b, element);
  Value init = empty(shape, element.getType());
  return {linalg::FillOp::create(b, scalar, init).getResult(0), Sizes(shape)};
}

SizedTensor TensorBuilder::zeros(ArrayRef<Size> shape, Type element) {
  if (TypedAttr zero = b.getZeroAttr(element))
    return filled(shape, zero);
  return {empty(shape, element), Sizes(shape)}; // codes have no constants in IR
}

SizedTensor TensorBuilder::splat(ArrayRef<int64_t> shape, TypedAttr element) {
  auto type = RankedTensorType::get(shape, element.getType());
  return {arith::ConstantOp::create(b, DenseElementsAttr::get(type, element)),
          sizes.constants(shape)};
}

//===----------------------------------------------------------------------===//
// Element by element
//===----------------------------------------------------------------------===//

/// Of two sizes either may turn out to be 1 when the model runs; else they must
/// be equal.
Size TensorBuilder::broadcastOpen(Size lhs, Size rhs) {
  auto is = [&](Size size, Size other) -> Value {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, sizes.value(size),
                                 sizes.value(other));
  };
  Size one = sizes.constant(1);
  Value lhsIsOne = is(lhs, one);
  Value fits = arith::OrIOp::create(
      b, arith::OrIOp::create(b, lhsIsOne, is(rhs, one)), is(lhs, rhs));
  CheckOp::create(b, fits,
                  subject + ": sizes that must be equal, or one of them 1, "
                            "differ; check the shapes of the inputs of the "
                            "model");
  // A size that is known, and then is not 1, is the result of every run.
  if (getConstantIntValue(lhs))
    return lhs;
  if (getConstantIntValue(rhs))
    return rhs;
  Size result = sizes.select(lhsIsOne, rhs, lhs);
  sizes.setOpen(result);
  return result;
}

/// x, of which some dimensions may turn out to be 1, stretched to the last
/// dimensions of `shape`.
SizedTensor TensorBuilder::stretchOpen(SizedTensor x, ArrayRef<Size> shape) {
  ArrayRef<Size> wanted = shape.take_back(x.rank());
  auto mayStretch = [&](int64_t dim) {
    return getConstantIntValue(x.sizes[dim]) != 1 &&
           !sizes.surelyEqual(x.sizes[dim], wanted[dim]) &&
           (sizes.isOpen(x.sizes[dim]) || sizes.isOpen(wanted[dim]));
  };
  SmallVector<Value> strides(x.rank()); // 0 where stretched, else 1
  Sizes result = x.sizes;
  bool any = false;
  for (int64_t dim = 0; dim < x.rank(); ++dim)
    if (mayStretch(dim)) {
      any = true;
      result[dim] = wanted[dim];
      Value isOne = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                          sizes.value(x.sizes[dim]),
                                          sizes.value(sizes.constant(1)));
      strides[dim] =
          arith::SelectOp::create(b, isOne, sizes.value(sizes.constant(0)),
                                  sizes.value(sizes.constant(1)));
    }
  if (!any)
    return x;
  return generate(result, x.elementType(),
                  [&](ImplicitLocOpBuilder &b, ValueRange indices) -> Value {
                    SmallVector<Value> source(indices);
                    for (int64_t dim = 0; dim < x.rank(); ++dim)
                      if (strides[dim])
                        source[dim] =
                            arith::MulIOp::create(b, source[dim], strides[dim]);
                    return tensor::ExtractOp::create(b, x.value, source);
                  });
}

std::optional<Sizes> TensorBuilder::broadcastSizes(ArrayRef<Sizes> inputs) {
  size_t rank = 0;
  for (const Sizes &input : inputs)
    rank = std::max(rank, input.size());
  Sizes result(rank, sizes.constant(1));
  for (const Sizes &input : inputs)
    for (size_t dim = 0; dim < input.size(); ++dim) {
      Size &have = result[rank - input.size() + dim], size = input[dim];
      if (getConstantIntValue(size) == 1)
        continue;
      if (getConstantIntValue(have) == 1)
        have = size;
      else if (sizes.equal(have, size) == false)
        return std::nullopt;
      else if (sizes.surelyEqual(have, size))
        continue;
      else if (sizes.isOpen(have) || sizes.isOpen(size))
        have = broadcastOpen(have, size);
      else
        have = sizes.unify(have, size,
                           subject + ": sizes that must be equal differ; check "
                                     "the shapes of the inputs of the model");
    }
  return result;
}

SizedTensor TensorBuilder::elementwise(ArrayRef<SizedTensor> inputs,
                                       Type element, Body body) {
  auto shapes = llvm::map_to_vector(
      inputs, [](const SizedTensor &input) { return input.sizes; });
  Sizes shape = *broadcastSizes(shapes);
  int64_t rank = shape.size();
  SmallVector<AffineMap> maps;
  SmallVector<Value> operands;
  for (const SizedTensor &given : inputs) {
    SizedTensor input = stretchOpen(given, shape);
    // A size of 1 is read at index 0, unless the result is 1 there too.
    Sizes wanted;
    SmallVector<AffineExpr> indices;
    for (int64_t dim = 0; dim < input.rank(); ++dim) {
      int64_t at = rank - input.rank() + dim;
      bool stretched = getConstantIntValue(input.sizes[dim]) == 1 &&
                       getConstantIntValue(shape[at]) != 1;
      wanted.push_back(stretched ? input.sizes[dim] : shape[at]);
      indices.push_back(stretched ? b.getAffineConstantExpr(0)
                                  : b.getAffineDimExpr(at));
    }
    operands.push_back(fit(input, wanted).value);
    maps.push_back(AffineMap::get(rank, 0, indices, b.getContext()));
  }
  maps.push_back(b.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  Value init = empty(shape, element);
  auto generic = linalg::GenericOp::create(
      b, init.getType(), operands, ValueRange{init}, maps, loops,
      [&](OpBuilder &builder, Location loc, ValueRange elements) {
        ImplicitLocOpBuilder inner(loc, builder);
        Value result = body(inner, elements.drop_back());
        linalg::YieldOp::create(inner, result);
      });
  return {generic.getResult(0), shape};
}

SizedTensor TensorBuilder::broadcastTo(SizedTensor x, ArrayRef<Size> shape) {
  if (sizes.surelyEqual(x.sizes, shape))
    return x;
  x = stretchOpen(x, shape);
  // Stretching means to read x under a map: the body is the identity.
  int64_t rank = shape.size();
  SmallVector<AffineExpr> indices;
  Sizes wanted;
  for (int64_t dim = 0; dim < x.rank(); ++dim) {
    int64_t at = rank - x.rank() + dim;
    bool stretched = getConstantIntValue(x.sizes[dim]) == 1 &&
                     getConstantIntValue(shape[at]) != 1;
    wanted.push_back(stretched ? x.sizes[dim] : shape[at]);
    indices.push_back(stretched ? b.getAffineConstantExpr(0)
                                : b.getAffineDimExpr(at));
  }
  SmallVector<AffineMap> maps{AffineMap::get(rank, 0, indices, b.getContext()),
                              b.getMultiDimIdentityMap(rank)};
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  Value init = empty(shape, x.elementType());
  auto generic = linalg::GenericOp::create(
      b, init.getType(), ValueRange{fit(x, wanted).value}, ValueRange{init},
      maps, loops, [](OpBuilder &builder, Location loc, ValueRange elements) {
        linalg::YieldOp::create(builder, loc, elements[0]);
      });
  return {generic.getResult(0), Sizes(shape)};
}

SizedTensor TensorBuilder::generate(ArrayRef<Size> shape, Type element,
                                    Body body) {
  int64_t rank = shape.size();
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  Value init = empty(shape, element);
  auto generic = linalg::GenericOp::create(
      b, init.getType(), ValueRange{}, ValueRange{init},
      ArrayRef<AffineMap>{b.getMultiDimIdentityMap(rank)}, loops,
      [&](OpBuilder &builder, Location loc, ValueRange) {
        ImplicitLocOpBuilder inner(loc, builder);
        SmallVector<Value> indices;
        for (int64_t dim = 0; dim < rank; ++dim)
          indices.push_back(linalg::IndexOp::create(inner, dim));
        Value result = body(inner, indices);
        linalg::YieldOp::create(inner, result);
      });
  return {generic.getResult(0), Sizes(shape)};
}

/// An f64 as f32 with its last bit set where anything was lost, so that another
/// rounding to fewer bits gives what one rounding of x would have.
static Value roundToOdd(ImplicitLocOpBuilder &b, Value x) {
  Type f32 = b.getF32Type(), i32 = b.getI32Type();
  Value nearest = arith::TruncFOp::create(b, f32, x);
  Value back = arith::ExtFOp::create(b, x.getType(), nearest);
  Value inexact = arith::CmpFOp::create(b, arith::CmpFPredicate::ONE, back, x);
  Value tooLarge = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT,
                                         math::AbsFOp::create(b, back),
                                         math::AbsFOp::create(b, x));
  Value one = arith::ConstantOp::create(b, b.getI32IntegerAttr(1));
  Value bits = arith::BitcastOp::create(b, i32, nearest);
  Value below = arith::SelectOp::create(
      b, tooLarge, arith::SubIOp::create(b, bits, one), bits);
  Value odd = arith::SelectOp::create(
      b, inexact, arith::OrIOp::create(b, below, one), bits);
  return arith::BitcastOp::create(b, f32, odd);
}

Value mezzo::convertFloatScalar(ImplicitLocOpBuilder &b, Value x, Type type) {
  unsigned from = x.getType().getIntOrFloatBitWidth(),
           to = type.getIntOrFloatBitWidth();
  if (x.getType() == type)
    return x;
  // Between 16 and 64 bits by way of 32: elsewhere than there, machines have no
  // instruction, and a compiled model has no library to call.
  if (from == 16 && to == 64)
    x = arith::ExtFOp::create(b, b.getF32Type(), x);
  if (from == 64 && to == 16)
    x = roundToOdd(b, x);
  if (from < to)
    return arith::ExtFOp::create(b, type, x);
  if (from > to)
    return arith::TruncFOp::create(b, type, x);
  // f16 and bf16 meet in f32, which holds both.
  return arith::TruncFOp::create(b, type,
                                 arith::ExtFOp::create(b, b.getF32Type(), x));
}

SizedTensor TensorBuilder::convertFloat(SizedTensor x, Type element) {
  if (x.elementType() == element)
    return x;
  return elementwise(x, element,
                     [&](ImplicitLocOpBuilder &b, ValueRange elements) {
                       return convertFloatScalar(b, elements[0], element);
                     });
}

//===----------------------------------------------------------------------===//
// Movement
//===----------------------------------------------------------------------===//

/// x[prefix.., middle.., suffix..], the middle collapsed to one dimension and
/// taken apart again.
SizedTensor TensorBuilder::expandOrCollapse(SizedTensor x, ArrayRef<Size> shape,
                                            size_t prefix, size_t suffix) {
  size_t oldRank = x.sizes.size(), newRank = shape.size();
  size_t oldMiddle = oldRank - prefix - suffix,
         newMiddle = newRank - prefix - suffix;
  auto groups = [&](size_t middle) {
    SmallVector<ReassociationIndices> result;
    int64_t dim = 0;
    for (size_t i = 0; i < prefix; ++i)
      result.push_back({dim++});
    ReassociationIndices &joined = result.emplace_back();
    for (size_t i = 0; i < middle; ++i)
      joined.push_back(dim++);
    for (size_t i = 0; i < suffix; ++i)
      result.push_back({dim++});
    return result;
  };
  Sizes flat(shape.take_front(prefix));
  Size middle = sizes.product(shape.slice(prefix, newMiddle));
  flat.push_back(middle);
  llvm::append_range(flat, shape.take_back(suffix));
  Value value = x.value;
  if (oldMiddle > 1) {
    SmallVector<ReassociationIndices> reassociation = groups(oldMiddle);
    value = tensor::CollapseShapeOp::create(b, value, reassociation);
  }
  RankedTensorType flatType = typeOf(flat, x.elementType());
  if (value.getType() != flatType)
    value = tensor::CastOp::create(b, flatType, value);
  if (newMiddle > 1)
    value =
        tensor::ExpandShapeOp::create(b, typeOf(shape, x.elementType()), value,
                                      groups(newMiddle), Sizes(shape));
  return {value, Sizes(shape)};
}

SizedTensor TensorBuilder::reshape(SizedTensor x, ArrayRef<Size> shape) {
  if (sizes.surelyEqual(x.sizes, shape))
    return x;
  Size have = sizes.product(x.sizes), wanted = sizes.product(shape);
  if (!sizes.surelyEqual(have, wanted)) {
    // Not known to hold as many elements: flatten, cut or pad, and give it the
    // wanted shape.
    Size common =
        sizes.unify(wanted, have,
                    subject + ": the new shape has another number of elements "
                              "than the input; check the shapes of "
                              "the inputs of the model");
    SizedTensor flat = reshape(x, {have});
    if (!sizes.surelyEqual(common, wanted))
      flat = fit(flat, {common});
    return reshape(fit(flat, {wanted}), shape);
  }
  if (x.sizes.empty() ||
      shape.empty()) { // from or to a scalar: all sizes are 1
    ArrayRef<ReassociationIndices> none;
    if (shape.empty())
      return {tensor::CollapseShapeOp::create(b, x.value, none), {}};
    return {tensor::ExpandShapeOp::create(b, typeOf(shape, x.elementType()),
                                          x.value, none, Sizes(shape)),
            Sizes(shape)};
  }
  size_t prefix = 0, suffix = 0,
         shorter = std::min(x.sizes.size(), shape.size());
  while (prefix < shorter && sizes.surelyEqual(x.sizes[prefix], shape[prefix]))
    ++prefix;
  while (prefix + suffix < shorter &&
         sizes.surelyEqual(x.sizes[x.sizes.size() - 1 - suffix],
                           shape[shape.size() - 1 - suffix]))
    ++suffix;
  // A dimension of size 1 that comes or goes needs a neighbour to belong to.
  if (prefix + suffix == shorter) {
    if (suffix > 0)
      --suffix;
    else
      --prefix;
  }
  // With a factor 0 in common, equal products do not make equal middles. The
  // sizes are then all that matters.
  if (!sizes.surelyEqual(
          sizes.product(ArrayRef<Size>(x.sizes).slice(
              prefix, x.sizes.size() - prefix - suffix)),
          sizes.product(shape.slice(prefix, shape.size() - prefix - suffix))))
    prefix = suffix = 0;
  return expandOrCollapse(x, shape, prefix, suffix);
}

SizedTensor TensorBuilder::transpose(SizedTensor x,
                                     ArrayRef<int64_t> permutation) {
  bool identity = llvm::all_of(llvm::enumerate(permutation), [](auto at) {
    return int64_t(at.index()) == at.value();
  });
  if (identity)
    return x;
  Sizes shape = llvm::map_to_vector(permutation,
                                    [&](int64_t dim) { return x.sizes[dim]; });
  Value init = empty(shape, x.elementType());
  return {
      linalg::TransposeOp::create(b, x.value, init, permutation)->getResult(0),
      shape};
}

SizedTensor TensorBuilder::slice(SizedTensor x, ArrayRef<Size> offsets,
                                 ArrayRef<Size> shape,
                                 ArrayRef<int64_t> strides) {
  bool whole =
      sizes.surelyEqual(x.sizes, shape) &&
      llvm::all_of(strides, [](int64_t stride) { return stride == 1; }) &&
      llvm::all_of(offsets, [](Size offset) {
        return getConstantIntValue(offset) == 0;
      });
  if (whole)
    return x;
  if (isEmpty(shape)) // where nothing is, no offset is within bounds
    return {empty(shape, x.elementType()), Sizes(shape)};
  SmallVector<int64_t> ones(shape.size(), 1);
  Sizes steps =
      sizes.constants(strides.empty() ? ArrayRef<int64_t>(ones) : strides);
  return {tensor::ExtractSliceOp::create(b, typeOf(shape, x.elementType()),
                                         x.value, Sizes(offsets), Sizes(shape),
                                         steps),
          Sizes(shape)};
}

SizedTensor TensorBuilder::insert(SizedTensor x, SizedTensor into,
                                  ArrayRef<Size> offsets) {
  if (isEmpty(x.sizes))
    return into;
  Sizes ones(x.rank(), sizes.constant(1));
  return {tensor::InsertSliceOp::create(b, x.value, into.value, Sizes(offsets),
                                        x.sizes, ones),
          into.sizes};
}

SizedTensor TensorBuilder::fit(SizedTensor x, ArrayRef<Size> shape) {
  if (sizes.surelyEqual(x.sizes, shape))
    return x;
  Sizes common, zero(shape.size(), sizes.constant(0));
  for (auto [have, wanted] : llvm::zip_equal(x.sizes, shape))
    common.push_back(sizes.minimum(have, wanted));
  SizedTensor part = slice(x, zero, common);
  if (sizes.surelyEqual(common, shape))
    return part;
  return insert(part, zeros(shape, x.elementType()), zero);
}
