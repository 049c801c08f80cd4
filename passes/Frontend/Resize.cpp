//===- Resize.cpp - Resize and Upsample -----------------------------------===//
//
// Resampling is separable: dimension by dimension, each output is a weighted
// sum of a few neighbours in the input. Which these are, and their weights, are
// two small tables [output, taps] that are computed before, in the arithmetic
// of the operator's text; nearest needs only one table per dimension, and one
// pass over all of them.
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Scalars.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <cmath>

using namespace mlir;
using namespace mezzo;

namespace {

/// Neighbours of an output that are summed at most: beyond, the image is better
/// shrunk in steps.
constexpr int64_t MostTaps = 64;

/// One dimension that changes.
struct Axis {
  int64_t dim;
  Size input, output;
  std::optional<float> scale;      ///< none: output / input
  float begin = 0, end = 1;        ///< the region, of tf_crop_and_resize
  Value inputValue, outputValue{}; ///< the sizes, for use in bodies
};

struct Resampling {
  std::string mode, coordinates, nearest;
  bool antialias = false, excludeOutside = false;
  float cubicA = -0.75f, extrapolation = 0;
};

/// Floating point arithmetic in a body.
struct Floats : ScalarBuilder {
  explicit Floats(ImplicitLocOpBuilder &b)
      : ScalarBuilder(b, b.getF32Type(), ElementType::F32) {}
  Value of(Value index) {
    Value integer = arith::IndexCastOp::create(b, b.getI64Type(), index);
    return arith::SIToFPOp::create(b, b.getF32Type(), integer);
  }
  Value quotient(Value x, Value y) { return arith::DivFOp::create(b, x, y); }
  Value floor(Value x) { return math::FloorOp::create(b, x); }
  Value ceil(Value x) { return math::CeilOp::create(b, x); }
  Value toInteger(Value x) {
    return arith::FPToSIOp::create(b, b.getI64Type(), x);
  }
};

class Resizer {
public:
  Resizer(Node &node, Resampling how, ArrayRef<Axis> axes)
      : node(node), how(std::move(how)), axes(axes.begin(), axes.end()) {
    for (Axis &axis : this->axes) {
      axis.inputValue = node.sizes.value(axis.input);
      axis.outputValue = node.sizes.value(axis.output);
    }
  }

  LogicalResult resize();

private:
  SizedTensor nearest(SizedTensor x);
  SizedTensor interpolate(SizedTensor x, const Axis &axis, int64_t first,
                          int64_t taps);
  LogicalResult tapsOf(const Axis &axis, int64_t &first, int64_t &taps);
  SizedTensor extrapolate(SizedTensor y);

  /// Where an output lies in the input.
  Value coordinate(Floats &f, const Axis &axis, Value position);
  Value scaleOf(Floats &f, const Axis &axis);
  Value nearestOf(Floats &f, const Axis &axis, Value x);
  /// An integer clamped to the input, as an index.
  Value clamped(Floats &f, const Axis &axis, Value integer);
  Value weight(Floats &f, const Axis &axis, Value distance);
  bool crops() const { return how.coordinates == "tf_crop_and_resize"; }

  Node &node;
  Resampling how;
  SmallVector<Axis> axes;
};

Value Resizer::scaleOf(Floats &f, const Axis &axis) {
  if (axis.scale)
    return f.constant(*axis.scale);
  return f.quotient(f.of(axis.outputValue), f.of(axis.inputValue));
}

Value Resizer::coordinate(Floats &f, const Axis &axis, Value position) {
  Value x = f.of(position), half = f.constant(0.5), one = f.constant(1),
        zero = f.constant(0);
  Value input = f.of(axis.inputValue), output = f.of(axis.outputValue);
  StringRef kind = how.coordinates;
  auto halfPixel = [&] {
    return f.sub(f.quotient(f.add(x, half), scaleOf(f, axis)), half);
  };
  Value isOne = f.equal(output, one);
  if (kind == "asymmetric")
    return f.quotient(x, scaleOf(f, axis));
  if (kind == "tf_half_pixel_for_nn")
    return f.quotient(f.add(x, half), scaleOf(f, axis));
  if (kind == "pytorch_half_pixel")
    return f.select(isOne, zero, halfPixel());
  if (kind == "align_corners") {
    Value last = f.select(isOne, one, f.sub(output, one));
    return f.select(isOne, zero, f.quotient(f.mul(x, f.sub(input, one)), last));
  }
  if (kind == "half_pixel_symmetric") {
    Value adjustment = f.quotient(output, f.mul(scaleOf(f, axis), input));
    Value offset = f.mul(f.mul(input, half), f.sub(one, adjustment));
    Value x0 = f.quotient(f.add(x, half), scaleOf(f, axis));
    return f.sub(f.add(offset, x0), half); // in this order: halves are ties
  }
  if (kind == "tf_crop_and_resize") {
    Value begin = f.constant(axis.begin), end = f.constant(axis.end),
          lastInput = f.sub(input, one);
    Value last = f.select(isOne, one, f.sub(output, one));
    Value step = f.quotient(f.mul(f.sub(end, begin), lastInput), last);
    Value inside = f.add(f.mul(begin, lastInput), f.mul(x, step));
    Value centre = f.mul(f.mul(half, f.add(begin, end)), lastInput);
    return f.select(isOne, centre, inside);
  }
  return halfPixel();
}

Value Resizer::clamped(Floats &f, const Axis &axis, Value integer) {
  Value index = arith::IndexCastOp::create(f.b, f.b.getIndexType(), integer);
  Value zero = arith::ConstantIndexOp::create(f.b, 0),
        one = arith::ConstantIndexOp::create(f.b, 1);
  Value last = arith::SubIOp::create(f.b, axis.inputValue, one);
  index = arith::MinSIOp::create(f.b, index, last);
  return arith::MaxSIOp::create(f.b, index, zero);
}

//===----------------------------------------------------------------------===//
// Nearest
//===----------------------------------------------------------------------===//

Value Resizer::nearestOf(Floats &f, const Axis &axis, Value x) {
  Value half = f.constant(0.5);
  if (how.nearest == "floor")
    return f.floor(x);
  if (how.nearest == "ceil")
    return f.ceil(x);
  if (how.nearest == "round_prefer_ceil")
    return f.floor(f.add(x, half));
  if (how.nearest == "simple") { // before version 11
    Value shrinks = f.less(scaleOf(f, axis), f.constant(1));
    return f.select(shrinks, f.ceil(x), f.floor(x));
  }
  return f.ceil(f.sub(x, half)); // round_prefer_floor
}

SizedTensor Resizer::nearest(SizedTensor x) {
  Sizes shape = x.sizes;
  SmallVector<Value> tables(x.rank());
  for (const Axis &axis : axes) {
    shape[axis.dim] = axis.output;
    tables[axis.dim] =
        node.tensors
            .generate({axis.output}, node.b.getIndexType(),
                      [&](ImplicitLocOpBuilder &b, ValueRange at) {
                        Floats f(b);
                        Value place =
                            nearestOf(f, axis, coordinate(f, axis, at[0]));
                        return clamped(f, axis, f.toInteger(place));
                      })
            .value;
  }
  return node.tensors.generate(
      shape, x.elementType(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        SmallVector<Value> indices;
        for (auto [dim, index] : llvm::enumerate(at))
          indices.push_back(tables[dim] ? tensor::ExtractOp::create(
                                              b, tables[dim], ValueRange{index})
                                              .getResult()
                                        : index);
        return tensor::ExtractOp::create(b, x.value, indices);
      });
}

//===----------------------------------------------------------------------===//
// Weighted sums
//===----------------------------------------------------------------------===//

/// The taps of an output at x are floor(x) + first .. + first + taps - 1. A
/// filter that is stretched against aliasing has as many as its scale asks for.
LogicalResult Resizer::tapsOf(const Axis &axis, int64_t &first, int64_t &taps) {
  double scale = 1;
  if (how.antialias) {
    std::optional<int64_t> input = getConstantIntValue(axis.input),
                           output = getConstantIntValue(axis.output);
    if (!axis.scale && (!input || !output))
      return node.error()
             << "it smoothes by a scale that is not known when the "
                "model is compiled; fix the shape of its input "
                "with --dim or --shape, or give scales";
    scale = std::min(1.0, axis.scale ? double(*axis.scale)
                                     : double(*output) / double(*input));
  }
  int64_t reach = how.mode == "cubic" ? 2 : 1;
  first = int64_t(std::floor(-reach / scale)) + 1;
  taps = 2 - 2 * first;
  if (taps < 1 || taps > MostTaps)
    return node.error() << "it shrinks dimension " << axis.dim << " by "
                        << 1 / scale << ", which takes sums of " << taps
                        << " neighbours: " << MostTaps
                        << " are supported; shrink in steps";
  return success();
}

/// Of a neighbour at this distance, before the weights are made to sum to 1.
Value Resizer::weight(Floats &f, const Axis &axis, Value distance) {
  Value one = f.constant(1);
  if (how.antialias)
    distance = f.mul(distance, f.min(scaleOf(f, axis), one));
  Value d = f.abs(distance);
  if (how.mode == "linear")
    return f.max(f.sub(one, d), f.constant(0));
  float a = how.cubicA;
  // (a+2) d^3 - (a+3) d^2 + 1, and a d^3 - 5a d^2 + 8a d - 4a beyond 1.
  Value near = f.add(
      f.mul(f.mul(f.sub(f.mul(f.constant(a + 2), d), f.constant(a + 3)), d), d),
      one);
  Value far = f.mul(f.constant(a), d);
  far = f.sub(far, f.constant(5 * a));
  far = f.add(f.mul(far, d), f.constant(8 * a));
  far = f.sub(f.mul(far, d), f.constant(4 * a));
  Value beyond = f.select(f.less(d, f.constant(2)), far, f.constant(0));
  return f.select(f.lessOrEqual(d, one), near, beyond);
}

SizedTensor Resizer::interpolate(SizedTensor x, const Axis &axis, int64_t first,
                                 int64_t taps) {
  Size count = node.sizes.constant(taps);
  auto base = [&](Floats &f, Value at) {
    Value x = coordinate(f, axis, at);
    return std::pair(x, f.floor(x));
  };
  SizedTensor places = node.tensors.generate(
      {axis.output, count}, node.b.getIndexType(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) {
        Floats f(b);
        Value tap = f.add(f.of(at[1]), f.constant(first));
        return clamped(f, axis, f.toInteger(f.add(base(f, at[0]).second, tap)));
      });
  SizedTensor weights = node.tensors.generate(
      {axis.output, count}, node.b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) {
        Floats f(b);
        Value x, floor;
        std::tie(x, floor) = base(f, at[0]);
        auto ofTap = [&](Value tap) {
          Value place = f.add(floor, tap);
          Value w = weight(f, axis, f.sub(x, place));
          if (!how.excludeOutside)
            return w;
          Value input = f.of(axis.inputValue);
          w = f.select(f.less(place, f.constant(0)), f.constant(0), w);
          return f.select(f.lessOrEqual(input, place), f.constant(0), w);
        };
        Value own = ofTap(f.add(f.of(at[1]), f.constant(first)));
        if (!how.antialias && !how.excludeOutside)
          return own;
        Value sum = f.constant(0);
        for (int64_t tap = 0; tap < taps; ++tap)
          sum = f.add(sum, ofTap(f.constant(first + tap)));
        return f.quotient(own, sum);
      });
  Sizes shape = x.sizes;
  shape[axis.dim] = axis.output;
  return node.tensors.generate(
      shape, node.b.getF32Type(), [&](ImplicitLocOpBuilder &b, ValueRange at) {
        Floats f(b);
        Value sum;
        for (int64_t tap = 0; tap < taps; ++tap) {
          Value index = arith::ConstantIndexOp::create(b, tap);
          SmallVector<Value> table{at[axis.dim], index}, indices(at);
          indices[axis.dim] = tensor::ExtractOp::create(b, places.value, table);
          Value number = tensor::ExtractOp::create(b, x.value, indices);
          Value w = tensor::ExtractOp::create(b, weights.value, table);
          Value term = f.mul(number, w);
          sum = sum ? f.add(sum, term) : term;
        }
        return sum;
      });
}

/// What lies outside of the input has a value of its own.
SizedTensor Resizer::extrapolate(SizedTensor y) {
  return node.tensors.generate(
      y.sizes, y.elementType(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        Floats f(b);
        Value value =
            tensor::ExtractOp::create(b, y.value, SmallVector<Value>(at));
        Value outside = convertFloatScalar(b, f.constant(how.extrapolation),
                                           y.elementType());
        for (const Axis &axis : axes) {
          Value x = coordinate(f, axis, at[axis.dim]);
          Value last = f.sub(f.of(axis.inputValue), f.constant(1));
          value = f.select(f.less(x, f.constant(0)), outside, value);
          value = f.select(f.less(last, x), outside, value);
        }
        return value;
      });
}

LogicalResult Resizer::resize() {
  ElementType type = node.type(0);
  bool isFloatType = isFloat(type) && type != ElementType::F64;
  if (how.mode == "nearest") {
    SizedTensor y = nearest(crops() ? node.tensor(0) : node.held(0));
    if (crops() && !isa<FloatType>(y.elementType()))
      return node.error() << "crops of type " << name(type)
                          << " are not supported: use a float type";
    return node.result(crops() ? extrapolate(y) : y, type);
  }
  if (!isFloatType)
    return node.error() << "it interpolates numbers of type " << name(type)
                        << ", which is not supported: use f32, f16 or bf16";
  SizedTensor y = node.f32(0);
  for (const Axis &axis : axes) {
    int64_t first, taps;
    if (failed(tapsOf(axis, first, taps)))
      return failure();
    y = interpolate(y, axis, first, taps);
  }
  if (crops())
    y = extrapolate(y);
  return node.result(
      node.tensors.convertFloat(y, irType(node.b.getContext(), type)), type);
}

//===----------------------------------------------------------------------===//
// Reading the operators
//===----------------------------------------------------------------------===//

/// Numbers of a constant input, in f32.
FailureOr<SmallVector<float>> constantFloats(Node &node, unsigned input,
                                             StringRef what) {
  OnnxValue &value = node.in(input);
  if (!value.constant || !isFloat(value.type))
    return node.error() << "its " << what
                        << " are computed at run time, which is not supported; "
                           "make them an initializer, or give sizes instead";
  llvm::Expected<SmallVector<float>> numbers = value.constant->toFloats();
  if (!numbers)
    return node.error(numbers.takeError());
  return *numbers;
}

bool isGiven(Node &node, unsigned input) {
  if (!node.has(input))
    return false;
  const OnnxValue &value = node.in(input);
  return !(value.sizes.size() == 1 && getConstantIntValue(value.sizes[0]) == 0);
}

/// floor(size * scale), in f32 as ONNX Runtime has it.
Size scaled(Node &node, Size size, float scale) {
  if (std::optional<int64_t> known = getConstantIntValue(size))
    return node.sizes.constant(int64_t(float(*known) * scale));
  if (scale == std::floor(scale))
    return node.sizes.multiply(size, node.sizes.constant(int64_t(scale)));
  Floats f(node.b);
  Value product = f.mul(f.of(node.sizes.value(size)), f.constant(scale));
  return arith::IndexCastOp::create(node.b, node.b.getIndexType(),
                                    f.toInteger(product))
      .getResult();
}

LogicalResult resizeByScales(Node &node, Resampling how, ArrayRef<float> scales,
                             ArrayRef<int64_t> dims, ArrayRef<float> regions) {
  if (scales.size() != dims.size())
    return node.error() << "it has " << scales.size() << " scales for "
                        << dims.size() << " dimensions; export the model again";
  SmallVector<Axis> axes;
  for (auto [index, dim] : llvm::enumerate(dims)) {
    float scale = scales[index];
    if (!(scale > 0) || scale > 65536)
      return node.error() << "its scale of dimension " << dim << " is "
                          << double(scale)
                          << ": use a number above 0, of at most "
                          << "65536";
    Size input = node.in(0).sizes[dim];
    Axis axis{dim, input, scaled(node, input, scale), scale};
    if (!regions.empty()) {
      axis.begin = regions[index];
      axis.end = regions[dims.size() + index];
    }
    bool stays = scale == 1 && axis.begin == 0 && axis.end == 1;
    if (!stays)
      axes.push_back(axis);
  }
  return Resizer(node, how, axes).resize();
}

LogicalResult resizeToSizes(Node &node, Resampling how, Sizes wanted,
                            ArrayRef<int64_t> dims, ArrayRef<float> regions) {
  if (wanted.size() != dims.size())
    return node.error() << "it has " << wanted.size() << " sizes for "
                        << dims.size() << " dimensions; export the model again";
  std::string policy = node.text("keep_aspect_ratio_policy", "stretch");
  std::optional<float> common;
  if (policy != "stretch") {
    for (auto [index, dim] : llvm::enumerate(dims)) {
      std::optional<int64_t> input = getConstantIntValue(node.in(0).sizes[dim]),
                             output = getConstantIntValue(wanted[index]);
      if (!input || !output || *input == 0)
        return node.error()
               << "its keep_aspect_ratio_policy needs sizes that are known "
                  "when "
                  "the model is compiled; fix them with --dim or --shape";
      float scale = float(*output) / float(*input);
      common = !common                  ? scale
               : policy == "not_larger" ? std::min(*common, scale)
                                        : std::max(*common, scale);
    }
    for (auto [index, dim] : llvm::enumerate(dims))
      wanted[index] = node.sizes.constant(int64_t(std::floor(
          *common * float(*getConstantIntValue(node.in(0).sizes[dim])) +
          0.5f)));
  }
  SmallVector<Axis> axes;
  for (auto [index, dim] : llvm::enumerate(dims)) {
    if (std::optional<int64_t> size = getConstantIntValue(wanted[index]);
        size && *size < 0)
      return node.error() << "its size of dimension " << dim << " is " << *size
                          << ": use 0 or more";
    Axis axis{dim, node.in(0).sizes[dim], wanted[index], common};
    if (!regions.empty()) {
      axis.begin = regions[index];
      axis.end = regions[dims.size() + index];
    }
    bool stays = node.sizes.surelyEqual(axis.input, axis.output) &&
                 axis.begin == 0 && axis.end == 1;
    if (!stays)
      axes.push_back(axis);
  }
  return Resizer(node, how, axes).resize();
}

LogicalResult importResize(Node &node) {
  Resampling how;
  how.mode = node.text("mode", "nearest");
  how.coordinates = node.text("coordinate_transformation_mode", "half_pixel");
  how.nearest = node.text("nearest_mode", "round_prefer_floor");
  how.antialias = node.integer("antialias", 0) != 0 && how.mode != "nearest";
  how.excludeOutside = node.integer("exclude_outside", 0) != 0;
  how.cubicA = node.real("cubic_coeff_a", -0.75f);
  how.extrapolation = node.real("extrapolation_value", 0);
  if (how.mode != "nearest" && how.mode != "linear" && how.mode != "cubic")
    return node.error() << "its mode is " << quoted(how.mode)
                        << ": use nearest, linear or cubic";
  static const llvm::StringRef known[] = {
      "half_pixel",        "half_pixel_symmetric", "pytorch_half_pixel",
      "align_corners",     "asymmetric",           "tf_half_pixel_for_nn",
      "tf_crop_and_resize"};
  if (!llvm::is_contained(known, how.coordinates))
    return node.error() << "its coordinate_transformation_mode is "
                        << quoted(how.coordinates) << ", which does not exist";
  SmallVector<int64_t> dims =
      llvm::to_vector(llvm::seq<int64_t>(0, node.rank(0)));
  if (std::optional<SmallVector<int64_t>> axes = node.integerList("axes")) {
    dims = *axes;
    for (int64_t &dim : dims) {
      FailureOr<int64_t> normal = node.axis(dim, node.rank(0));
      if (failed(normal))
        return failure();
      dim = *normal;
    }
  }
  SmallVector<float> regions;
  if (how.coordinates == "tf_crop_and_resize") {
    if (!isGiven(node, 1))
      return node.error() << "it crops, but has no region; export the model "
                             "again";
    FailureOr<SmallVector<float>> given = constantFloats(node, 1, "regions");
    if (failed(given))
      return failure();
    if (given->size() != 2 * dims.size())
      return node.error() << "its region has " << given->size()
                          << " entries, but " << 2 * dims.size()
                          << " are needed; export the model again";
    regions = *given;
  }
  if (isGiven(node, 2)) {
    FailureOr<SmallVector<float>> scales = constantFloats(node, 2, "scales");
    return failed(scales) ? failure()
                          : resizeByScales(node, how, *scales, dims, regions);
  }
  if (!isGiven(node, 3))
    return node.error()
           << "it has neither scales nor sizes; export the model again";
  std::optional<Sizes> wanted = node.elements(3);
  if (!wanted)
    return node.error() << "its sizes are computed from the values of tensors "
                           "at run time, which is not supported; make them an "
                           "initializer";
  return resizeToSizes(node, how, *wanted, dims, regions);
}

/// Resize 10 and Upsample: no choice of coordinates.
Resampling oldResampling(Node &node) {
  Resampling how;
  how.mode = node.text("mode", "nearest");
  if (how.mode == "bilinear" || how.mode == "trilinear")
    how.mode = "linear";
  how.coordinates = "asymmetric";
  how.nearest = "simple";
  return how;
}

LogicalResult resizeAsBefore(Node &node, ArrayRef<float> scales) {
  Resampling how = oldResampling(node);
  if (how.mode != "nearest" && how.mode != "linear")
    return node.error() << "its mode is " << quoted(how.mode)
                        << ": use nearest or linear";
  return resizeByScales(node, how, scales,
                        llvm::to_vector(llvm::seq<int64_t>(0, node.rank(0))),
                        {});
}

LogicalResult importScaled(Node &node) {
  FailureOr<SmallVector<float>> scales = constantFloats(node, 1, "scales");
  return failed(scales) ? failure() : resizeAsBefore(node, *scales);
}

LogicalResult importUpsampleAttribute(Node &node) {
  const onnx::AttributeProto *scales = node.find("scales");
  if (!scales)
    return node.error()
           << "its attribute 'scales' is missing; export the model again";
  return resizeAsBefore(node, SmallVector<float>(scales->floats().begin(),
                                                 scales->floats().end()));
}

} // namespace

ArrayRef<OperatorRow> mezzo::resizeOperators() {
  static const OperatorRow rows[] = {
      {OnnxDomain, "Upsample", 7, 1, 1, importUpsampleAttribute},
      {OnnxDomain, "Upsample", 9, 2, 2, importScaled},
      {OnnxDomain, "Resize", 10, 2, 2, importScaled},
      {OnnxDomain, "Resize", 11, 1, 4, importResize},
  };
  return rows;
}
