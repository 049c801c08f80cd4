//===- GridSample.cpp - reading between pixels: GridSample, AffineGrid ----===//

#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Scalars.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

enum class Outside { Zeros, Border, Reflection };

/// Builds the body: one output element from some pixels around a place.
class Sampler {
public:
  Sampler(ImplicitLocOpBuilder &b, Value image, ValueRange extents,
          Outside outside, bool alignCorners)
      : b(b), s(b, b.getF32Type(), ElementType::F32), image(image),
        extents(extents), outside(outside), alignCorners(alignCorners) {}

  /// -1 and 1 are the centres of the outermost pixels, or their outer edges.
  Value denormalize(Value g, Value extent) {
    Value size = arith::SIToFPOp::create(
        b, b.getF32Type(),
        arith::IndexCastOp::create(b, b.getI64Type(), extent));
    Value one = s.constant(1), half = s.constant(0.5);
    if (alignCorners)
      return s.mul(s.mul(s.add(g, one), half), s.sub(size, one));
    return s.mul(s.sub(s.mul(s.add(g, one), size), one), half);
  }

  Value toIndex(Value x) {
    // Far enough for any image, and defined for whatever is in the grid.
    Value most = s.constant(0x1p30), least = s.constant(-0x1p30);
    x = arith::MinNumFOp::create(b, arith::MaxNumFOp::create(b, x, least),
                                 most);
    Value integer = arith::FPToSIOp::create(b, b.getI64Type(), x);
    return arith::IndexCastOp::create(b, b.getIndexType(), integer);
  }

  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }

  /// The pixel at a place that may be outside.
  Value pixel(ValueRange batchAndChannel, ArrayRef<Value> places) {
    SmallVector<Value> at(batchAndChannel);
    Value inside = arith::ConstantOp::create(b, b.getBoolAttr(true));
    for (auto [place, extent] : llvm::zip_equal(places, extents)) {
      Value last = arith::SubIOp::create(b, extent, index(1));
      if (outside == Outside::Zeros) {
        inside = arith::AndIOp::create(
            b, inside,
            arith::CmpIOp::create(b, arith::CmpIPredicate::ult, place, extent));
        at.push_back(place);
      } else {
        Value moved =
            outside == Outside::Reflection ? reflect(place, extent) : place;
        moved = arith::MaxSIOp::create(
            b, arith::MinSIOp::create(b, moved, last), index(0));
        at.push_back(moved);
      }
    }
    if (outside != Outside::Zeros)
      return tensor::ExtractOp::create(b, image, at);
    auto element = scf::IfOp::create(
        b, b.getLoc(), inside,
        [&](OpBuilder &then, Location loc) {
          scf::YieldOp::create(
              then, loc,
              tensor::ExtractOp::create(then, loc, image, at).getResult());
        },
        [&](OpBuilder &otherwise, Location loc) {
          scf::YieldOp::create(otherwise, loc,
                               arith::ConstantOp::create(
                                   otherwise, loc, otherwise.getF32FloatAttr(0))
                                   .getResult());
        });
    return element.getResult(0);
  }

  ImplicitLocOpBuilder &b;
  ScalarBuilder s;

private:
  /// About the centres of the outermost pixels, or their outer edges.
  Value reflect(Value place, Value extent) {
    Value span = alignCorners
                     ? arith::SubIOp::create(b, extent, index(1)).getResult()
                     : extent;
    Value period = arith::MaxSIOp::create(
        b, arith::AddIOp::create(b, span, span), index(1));
    Value rest = arith::RemSIOp::create(b, place, period);
    Value negative =
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt, rest, index(0));
    rest = arith::SelectOp::create(
        b, negative, arith::AddIOp::create(b, rest, period), rest);
    Value mirrored = arith::SubIOp::create(b, period, rest);
    if (!alignCorners)
      mirrored = arith::SubIOp::create(b, mirrored, index(1));
    Value beyond =
        arith::CmpIOp::create(b, arith::CmpIPredicate::sge, rest, extent);
    return arith::SelectOp::create(b, beyond, mirrored, rest);
  }

  Value image;
  ValueRange extents;
  Outside outside;
  bool alignCorners;
};

/// Weights of the taps at floor(x) + first ... along one dimension.
SmallVector<Value> weightsOf(ScalarBuilder &s, Value fraction, bool cubic) {
  Value one = s.constant(1);
  if (!cubic)
    return {s.sub(one, fraction), fraction};
  // Keys' kernel with a = -0.75, at the distances 1 + f, f, 1 - f, 2 - f.
  Value a = s.constant(-0.75);
  auto inner = [&](Value d) { // (a + 2) d^3 - (a + 3) d^2 + 1
    Value y = s.sub(s.mul(s.constant(1.25), d), s.constant(2.25));
    return s.add(s.mul(s.mul(y, d), d), one);
  };
  auto outer = [&](Value d) { // a (d^3 - 5 d^2 + 8 d - 4)
    Value y = s.add(s.mul(s.sub(d, s.constant(5)), d), s.constant(8));
    return s.mul(a, s.sub(s.mul(y, d), s.constant(4)));
  };
  Value rest = s.sub(one, fraction);
  return {outer(s.add(one, fraction)), inner(fraction), inner(rest),
          outer(s.add(one, rest))};
}

//   GridSample(x[N, C, D...], grid[N, O..., k])
//   -->
//   y[n, c, o] = the weighted sum of the pixels of x[n, c] around the place
//   that grid[n, o] names, the last dimension first
LogicalResult importGridSample(Node &node) {
  ElementType type = node.type(0);
  for (unsigned input : {0u, 1u})
    if (!isFloat(node.type(input)) || node.type(input) == ElementType::F64)
      return node.error() << "elements of type " << name(node.type(input))
                          << " are not supported here: use f32, f16 or bf16";
  std::string mode =
                  node.text("mode", node.opset() < 20 ? "bilinear" : "linear"),
              padding = node.text("padding_mode", "zeros");
  bool nearest = mode == "nearest",
       cubic = mode == "cubic" || mode == "bicubic";
  if (!nearest && !cubic && mode != "linear" && mode != "bilinear")
    return node.error() << "its attribute 'mode' is " << quoted(mode)
                        << ": use nearest, linear or cubic";
  if (padding != "zeros" && padding != "border" && padding != "reflection")
    return node.error() << "its attribute 'padding_mode' is " << quoted(padding)
                        << ": use zeros, border or reflection";
  Outside outside = padding == "zeros"    ? Outside::Zeros
                    : padding == "border" ? Outside::Border
                                          : Outside::Reflection;
  bool alignCorners = node.integer("align_corners", 0) != 0;
  SizedTensor x = node.f32(0), grid = node.f32(1);
  int64_t rank = x.rank(), spatial = rank - 2;
  if (rank < 3 || rank > 5 || grid.rank() != rank)
    return node.error() << "its inputs have the ranks " << rank << " and "
                        << grid.rank() << ", but must have the same, of 3 to 5";
  Sizes gridSizes = grid.sizes;
  gridSizes[0] = x.sizes[0];
  gridSizes.back() = node.sizes.constant(spatial);
  grid = node.tensors.fit(grid, gridSizes);
  Sizes shape{x.sizes[0], x.sizes[1]};
  shape.append(grid.sizes.begin() + 1, grid.sizes.end() - 1);
  SmallVector<Value> extents;
  for (Size size : ArrayRef<Size>(x.sizes).drop_front(2)) {
    extents.push_back(node.sizes.value(size));
    if (node.sizes.lessOrEqual(node.sizes.constant(1), size) != true)
      CheckOp::create(
          node.b,
          arith::CmpIOp::create(node.b, arith::CmpIPredicate::sgt,
                                extents.back(),
                                node.sizes.value(node.sizes.constant(0))),
          node.subject() + ": the image has no pixels; check the shapes of "
                           "the inputs of the model");
  }
  SizedTensor y = node.tensors.generate(
      shape, node.b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        Sampler sampler(b, x.value, extents, outside, alignCorners);
        ScalarBuilder &s = sampler.s;
        SmallVector<Value> gridPlace{at[0]};
        llvm::append_range(gridPlace, at.drop_front(2));
        gridPlace.push_back(Value());
        SmallVector<Value> base;
        SmallVector<SmallVector<Value>> weights;
        for (int64_t dim = 0; dim < spatial; ++dim) {
          gridPlace.back() = sampler.index(spatial - 1 - dim);
          Value place = sampler.denormalize(
              tensor::ExtractOp::create(b, grid.value, gridPlace),
              extents[dim]);
          if (nearest) {
            base.push_back(
                sampler.toIndex(math::RoundEvenOp::create(b, place)));
            continue;
          }
          Value floor = math::FloorOp::create(b, place);
          weights.push_back(weightsOf(s, s.sub(place, floor), cubic));
          base.push_back(sampler.toIndex(floor));
        }
        ValueRange outer = at.take_front(2);
        if (nearest)
          return sampler.pixel(outer, base);
        // All combinations of taps, the last dimension fastest.
        int64_t taps = cubic ? 4 : 2, first = cubic ? -1 : 0, count = 1;
        for (int64_t dim = 0; dim < spatial; ++dim)
          count *= taps;
        Value sum = s.constant(0);
        for (int64_t tap = 0; tap < count; ++tap) {
          SmallVector<Value> places(spatial);
          Value weight;
          int64_t rest = tap;
          for (int64_t dim = spatial; dim-- > 0; rest /= taps) {
            int64_t step = rest % taps;
            places[dim] = arith::AddIOp::create(b, base[dim],
                                                sampler.index(step + first));
            weight =
                weight ? s.mul(weight, weights[dim][step]) : weights[dim][step];
          }
          sum = s.add(sum, s.mul(weight, sampler.pixel(outer, places)));
        }
        return sum;
      });
  return node.result(
      node.tensors.convertFloat(y, irType(node.b.getContext(), type)), type);
}

//   AffineGrid(theta[N, k, k + 1], size [N, C, O...])
//   -->
//   y[n, o..., i] = sum over j of theta[n, i, j] * place_j(o), place_k = 1
LogicalResult importAffineGrid(Node &node) {
  ElementType type = node.type(0);
  if (!isFloat(type) || type == ElementType::F64)
    return node.error() << "elements of type " << name(type)
                        << " are not supported here: use f32, f16 or bf16";
  std::optional<Sizes> size = node.shapeElements(1);
  if (!size || (size->size() != 4 && size->size() != 5) || node.rank(0) != 3)
    return node.error() << "its size is not known to be 4 or 5 numbers; make "
                           "it an initializer";
  int64_t spatial = size->size() - 2;
  bool alignCorners = node.integer("align_corners", 0) != 0;
  SizeArithmetic &sizes = node.sizes;
  Sizes shape{(*size)[0]};
  llvm::append_range(shape, ArrayRef<Size>(*size).drop_front(2));
  for (Size &extent : shape)
    extent = sizes.maximum(extent, sizes.constant(0));
  SmallVector<Value> extents =
      llvm::map_to_vector(ArrayRef<Size>(shape).drop_front(),
                          [&](Size extent) { return sizes.value(extent); });
  shape.push_back(sizes.constant(spatial));
  SizedTensor theta =
      node.tensors.fit(node.f32(0), {shape[0], sizes.constant(spatial),
                                     sizes.constant(spatial + 1)});
  SizedTensor y = node.tensors.generate(
      shape, node.b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        ScalarBuilder s(b, b.getF32Type(), ElementType::F32);
        auto toFloat = [&](Value index) -> Value {
          return arith::SIToFPOp::create(
              b, b.getF32Type(),
              arith::IndexCastOp::create(b, b.getI64Type(), index));
        };
        Value sum;
        for (int64_t j = 0; j <= spatial; ++j) {
          Value factor = tensor::ExtractOp::create(
              b, theta.value,
              ValueRange{at[0], at.back(),
                         arith::ConstantIndexOp::create(b, j)});
          if (j < spatial) { // the last dimension first
            int64_t dim = spatial - 1 - j;
            Value place = toFloat(at[1 + dim]), count = toFloat(extents[dim]),
                  one = s.constant(1), two = s.constant(2);
            // From -1 to 1 over the centres, or over the edges, of the pixels.
            place = alignCorners
                        ? s.sub(s.div(s.mul(two, place),
                                      s.max(s.sub(count, one), one), ""),
                                one)
                        : s.sub(s.div(s.add(s.mul(two, place), one), count, ""),
                                one);
            factor = s.mul(factor, place);
          }
          sum = sum ? s.add(sum, factor) : factor;
        }
        return sum;
      });
  return node.result(
      node.tensors.convertFloat(y, irType(node.b.getContext(), type)), type);
}

const OperatorRow rows[] = {
    {OnnxDomain, "GridSample", 16, 2, 2, importGridSample},
    {OnnxDomain, "AffineGrid", 20, 2, 2, importAffineGrid},
};

} // namespace

ArrayRef<OperatorRow> mezzo::gridOperators() { return rows; }
