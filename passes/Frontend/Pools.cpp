//===- Pools.cpp - MaxPool, AveragePool, LpPool and the global ones -------===//

#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Scalars.h"
#include "passes/Frontend/Types.h"
#include "passes/Frontend/WindowGeometry.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

LogicalResult checkImage(Node &node) {
  int64_t rank = node.rank(0);
  if (rank < 3 || rank > 5)
    return node.error() << "its image has rank " << rank
                        << ": one to three spatial dimensions are supported";
  return success();
}

LogicalResult checkFloat(Node &node) {
  ElementType type = node.type(0);
  if (!isFloat(type) || type == ElementType::F64)
    return node.error() << "pools of type " << name(type)
                        << " are not supported: use f32, f16 or bf16";
  return checkImage(node);
}

FailureOr<WindowGeometry> poolWindow(Node &node, ArrayRef<Size> image) {
  std::optional<SmallVector<int64_t>> kernel = node.integerList("kernel_shape");
  if (!kernel || kernel->size() != image.size() ||
      llvm::any_of(*kernel, [](int64_t size) { return size < 1; }))
    return node.error() << "its kernel_shape has to have " << image.size()
                        << " sizes of 1 or more; export the model again";
  return readWindow(node, image, node.sizes.constants(*kernel),
                    /*rounds=*/true);
}

SizedTensor pool(Node &node, PoolKind kind, SizedTensor x,
                 const WindowGeometry &window, Type element,
                 ArrayRef<Size> margins = {}) {
  Sizes shape{x.sizes[0], x.sizes[1]};
  llvm::append_range(shape, window.output);
  auto values = [&](ArrayRef<Size> sizes) {
    return llvm::map_to_vector(
        sizes, [&](Size size) { return node.sizes.value(size); });
  };
  Value init = node.tensors.empty(shape, element);
  Value y =
      PoolOp::create(node.b, init.getType(), kind, x.value,
                     values(window.kernel), values(window.padsBegin),
                     values(margins), init, window.strides, window.dilations);
  return {y, shape};
}

ArrayRef<Size> spatial(const SizedTensor &x) {
  return ArrayRef<Size>(x.sizes).drop_front(2);
}

//===----------------------------------------------------------------------===//
// MaxPool
//===----------------------------------------------------------------------===//

/// The input in f32 or i32, which hold all numbers of the types that MaxPool
/// takes.
FailureOr<SizedTensor> widened(Node &node) {
  ElementType type = node.type(0);
  if (isFloat(type) && type != ElementType::F64)
    return node.f32(0);
  if (type != ElementType::I8 && type != ElementType::U8)
    return node.error() << "MaxPool of type " << name(type)
                        << " is not supported: use f32, f16, bf16, int8 or "
                           "uint8";
  SizedTensor x = node.tensor(0);
  return node.tensors.elementwise(
      x, node.b.getI32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange v) -> Value {
        if (type == ElementType::I8)
          return arith::ExtSIOp::create(b, b.getI32Type(), v[0]);
        return arith::ExtUIOp::create(b, b.getI32Type(), v[0]);
      });
}

/// Places within an image, as MaxPool counts them: within the whole tensor, the
/// last dimension or, with `storage_order`, the first one fastest.
SizedTensor placesInTensor(Node &node, SizedTensor places, ArrayRef<Size> image,
                           bool columnMajor) {
  SizeArithmetic &sizes = node.sizes;
  Value pixels = sizes.value(sizes.product(image));
  Value channels = sizes.value(places.sizes[1]);
  auto extents =
      llvm::map_to_vector(image, [&](Size size) { return sizes.value(size); });
  return node.tensors.generate(
      places.sizes, node.b.getI64Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        Value place = tensor::ExtractOp::create(b, places.value, at);
        place = arith::IndexCastOp::create(b, b.getIndexType(), place);
        if (columnMajor) {
          Value result, scale;
          Value one = arith::ConstantIndexOp::create(b, 1);
          SmallVector<Value> digits(extents.size());
          for (size_t dim = extents.size(); dim-- > 0;) {
            Value extent = arith::MaxUIOp::create(b, extents[dim], one);
            digits[dim] = arith::RemUIOp::create(b, place, extent);
            place = arith::DivUIOp::create(b, place, extent);
          }
          for (size_t dim = extents.size(); dim-- > 0;)
            result = result ? arith::AddIOp::create(
                                  b, digits[dim],
                                  arith::MulIOp::create(b, result, extents[dim])
                                      .getResult())
                                  .getResult()
                            : digits[dim];
          place = result;
        }
        Value channel = arith::AddIOp::create(
            b, at[1], arith::MulIOp::create(b, at[0], channels).getResult());
        place = arith::AddIOp::create(
            b, place, arith::MulIOp::create(b, channel, pixels).getResult());
        return arith::IndexCastOp::create(b, b.getI64Type(), place);
      });
}

LogicalResult importMaxPool(Node &node) {
  if (failed(checkImage(node)))
    return failure();
  FailureOr<SizedTensor> x = widened(node);
  if (failed(x))
    return failure();
  FailureOr<WindowGeometry> window = poolWindow(node, spatial(*x));
  if (failed(window))
    return failure();
  if (node.wants(1)) {
    SizedTensor places =
        pool(node, PoolKind::Argmax, *x, *window, node.b.getI64Type());
    places = placesInTensor(node, places, spatial(*x),
                            node.integer("storage_order", 0) != 0);
    if (failed(node.result(places, ElementType::I64, 1)))
      return failure();
  }
  SizedTensor y = pool(node, PoolKind::Max, *x, *window, x->elementType());
  Type declared = irType(node.b.getContext(), node.type(0));
  if (isa<FloatType>(declared))
    y = node.tensors.convertFloat(y, declared);
  else
    y = node.tensors.elementwise(
        y, declared, [&](ImplicitLocOpBuilder &b, ValueRange v) -> Value {
          return arith::TruncIOp::create(b, declared, v[0]);
        });
  return node.result(y, node.type(0));
}

//===----------------------------------------------------------------------===//
// AveragePool and LpPool
//===----------------------------------------------------------------------===//

LogicalResult finish(Node &node, SizedTensor y) {
  return node.result(
      node.tensors.convertFloat(y, irType(node.b.getContext(), node.type(0))),
      node.type(0));
}

LogicalResult importAveragePool(Node &node) {
  if (failed(checkFloat(node)))
    return failure();
  SizedTensor x = node.f32(0);
  FailureOr<WindowGeometry> window = poolWindow(node, spatial(x));
  if (failed(window))
    return failure();
  Sizes margins(2 * window->rank(), node.sizes.constant(0));
  if (node.integer("count_include_pad", 0)) {
    margins = window->padsBegin;
    llvm::append_range(margins, window->padsEnd);
  }
  return finish(node, pool(node, PoolKind::Average, x, *window,
                           node.b.getF32Type(), margins));
}

/// |x|^p
SizedTensor powers(Node &node, SizedTensor x, int64_t p) {
  return node.tensors.elementwise(
      x, node.b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange v) -> Value {
        ScalarBuilder scalars(b, b.getF32Type(), ElementType::F32);
        return scalars.power(scalars.abs(v[0]), p);
      });
}

/// x^(1/p)
SizedTensor root(Node &node, SizedTensor x, int64_t p) {
  if (p == 1)
    return x;
  return node.tensors.elementwise(
      x, node.b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange v) -> Value {
        if (p == 2)
          return math::SqrtOp::create(b, v[0]);
        Value exponent =
            arith::ConstantOp::create(b, b.getF32FloatAttr(1.0f / p));
        return math::PowFOp::create(b, v[0], exponent);
      });
}

FailureOr<int64_t> exponentOf(Node &node) {
  // A float before version 2.
  int64_t p =
      node.opset() < 2 ? int64_t(node.real("p", 2)) : node.integer("p", 2);
  if (p < 1 || p > 64)
    return node.error() << "its p is " << p << ": use 1..64";
  return p;
}

LogicalResult importLpPool(Node &node) {
  FailureOr<int64_t> p = exponentOf(node);
  if (failed(p) || failed(checkFloat(node)))
    return failure();
  SizedTensor x = node.f32(0);
  FailureOr<WindowGeometry> window = poolWindow(node, spatial(x));
  if (failed(window))
    return failure();
  SizedTensor sums = pool(node, PoolKind::Sum, powers(node, x, *p), *window,
                          node.b.getF32Type());
  return finish(node, root(node, sums, *p));
}

//===----------------------------------------------------------------------===//
// Global pools
//===----------------------------------------------------------------------===//

using Combine = llvm::function_ref<Value(ImplicitLocOpBuilder &, Value, Value)>;

/// Folds each image, all of it, into one number.
SizedTensor foldImages(Node &node, SizedTensor x, float start,
                       Combine combine) {
  ImplicitLocOpBuilder &b = node.b;
  Size images = node.sizes.multiply(x.sizes[0], x.sizes[1]),
       pixels = node.sizes.product(spatial(x));
  SizedTensor rows = node.tensors.reshape(x, {images, pixels});
  SizedTensor init = node.tensors.filled({images}, b.getF32FloatAttr(start));
  SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(2),
                              AffineMap::get(2, 0, b.getAffineDimExpr(0))};
  SmallVector<utils::IteratorType> loops{utils::IteratorType::parallel,
                                         utils::IteratorType::reduction};
  auto generic = linalg::GenericOp::create(
      b, init.value.getType(), ValueRange{rows.value}, ValueRange{init.value},
      maps, loops, [&](OpBuilder &builder, Location loc, ValueRange v) {
        ImplicitLocOpBuilder inner(loc, builder);
        linalg::YieldOp::create(inner, combine(inner, v[1], v[0]));
      });
  Sizes shape{x.sizes[0], x.sizes[1]};
  shape.append(x.rank() - 2, node.sizes.constant(1));
  return node.tensors.reshape({generic.getResult(0), {images}}, shape);
}

/// The sum of each image: its product with ones, the same left fold of
/// fma(x, 1, d), for which there is a kernel.
SizedTensor sumImages(Node &node, SizedTensor x) {
  ImplicitLocOpBuilder &b = node.b;
  Size images = node.sizes.multiply(x.sizes[0], x.sizes[1]),
       pixels = node.sizes.product(spatial(x)), one = node.sizes.constant(1);
  SizedTensor rows = node.tensors.reshape(x, {images, pixels}),
              ones = node.tensors.filled({pixels, one}, b.getF32FloatAttr(1)),
              init = node.tensors.zeros({images, one}, b.getF32Type());
  Value sums = linalg::MatmulOp::create(b, TypeRange{init.value.getType()},
                                        ValueRange{rows.value, ones.value},
                                        ValueRange{init.value})
                   .getResult(0);
  Sizes shape{x.sizes[0], x.sizes[1]};
  shape.append(x.rank() - 2, one);
  return node.tensors.reshape({sums, init.sizes}, shape);
}

LogicalResult checkGlobal(Node &node) {
  if (node.rank(0) < 2)
    return node.error() << "its image has rank " << node.rank(0)
                        << ": it needs a batch and channels";
  ElementType type = node.type(0);
  if (!isFloat(type) || type == ElementType::F64)
    return node.error() << "pools of type " << name(type)
                        << " are not supported: use f32, f16 or bf16";
  return success();
}

LogicalResult importGlobalAverage(Node &node) {
  if (failed(checkGlobal(node)))
    return failure();
  SizedTensor x = node.f32(0);
  Value pixels = node.sizes.value(node.sizes.product(spatial(x)));
  SizedTensor sums = sumImages(node, x);
  return finish(node,
                node.tensors.elementwise(
                    sums, node.b.getF32Type(),
                    [&](ImplicitLocOpBuilder &b, ValueRange v) -> Value {
                      Value count =
                          arith::IndexCastOp::create(b, b.getI64Type(), pixels);
                      Value divisor =
                          arith::SIToFPOp::create(b, b.getF32Type(), count);
                      return arith::DivFOp::create(b, v[0], divisor);
                    }));
}

LogicalResult importGlobalMax(Node &node) {
  if (failed(checkGlobal(node)))
    return failure();
  return finish(
      node,
      foldImages(
          node, node.f32(0), -std::numeric_limits<float>::infinity(),
          [](ImplicitLocOpBuilder &b, Value x, Value y) -> Value {
            return ScalarBuilder(b, b.getF32Type(), ElementType::F32).max(x, y);
          }));
}

LogicalResult importGlobalLp(Node &node) {
  FailureOr<int64_t> p = exponentOf(node);
  if (failed(p) || failed(checkGlobal(node)))
    return failure();
  SizedTensor x = powers(node, node.f32(0), *p);
  return finish(node, root(node, sumImages(node, x), *p));
}

} // namespace

ArrayRef<OperatorRow> mezzo::poolOperators() {
  static const OperatorRow rows[] = {
      {OnnxDomain, "MaxPool", 1, 1, 1, importMaxPool},
      {OnnxDomain, "AveragePool", 1, 1, 1, importAveragePool},
      {OnnxDomain, "LpPool", 1, 1, 1, importLpPool},
      {OnnxDomain, "GlobalAveragePool", 1, 1, 1, importGlobalAverage},
      {OnnxDomain, "GlobalMaxPool", 1, 1, 1, importGlobalMax},
      {OnnxDomain, "GlobalLpPool", 1, 1, 1, importGlobalLp},
  };
  return rows;
}
