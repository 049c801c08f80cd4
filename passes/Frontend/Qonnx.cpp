//===- Qonnx.cpp - QONNX: quantization of any width, carried in floats ----===//
//
// QONNX's operators round a float tensor to what some integer or small float
// can hold, and give floats again. Where a Quant is what Q and DQ would be (no
// zero point, nearest-even, up to eight bits), it is imported as these, with
// codes of its width: a constant becomes a weight of so many bits, activations
// codes that a product reads. Elsewhere it is its formula,
//
//     y = (round(clip(x / s + z, min, max)) - z) * s
//
// which differs from Q and DQ where z moves ties to another integer.
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/ConstantCodes.h"
#include "passes/Frontend/Pointwise.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"

#include "lib/Number/Rounding.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

using Round = Value (*)(ScalarBuilder &, Value);

template <typename Op>
Value rounded(ScalarBuilder &s, Value x) {
  return Op::create(s.b, x);
}

/// sign(x) * Op(|x| + offset).
template <typename Op>
Value awayFromZero(ScalarBuilder &s, Value x, double offset) {
  Value magnitude = s.abs(x);
  if (offset != 0)
    magnitude = s.add(magnitude, s.constant(offset));
  return math::CopySignOp::create(s.b, Op::create(s.b, magnitude).getResult(),
                                  x);
}

FailureOr<Round> roundingMode(Node &node, StringRef absent) {
  std::string mode = StringRef(node.text("rounding_mode", absent)).upper();
  static const std::pair<StringRef, Round> modes[] = {
      {"ROUND", rounded<math::RoundEvenOp>},
      {"HALF_EVEN", rounded<math::RoundEvenOp>},
      {"CEIL", rounded<math::CeilOp>},
      {"FLOOR", rounded<math::FloorOp>},
      {"DOWN", rounded<math::TruncOp>},
      {"UP", [](ScalarBuilder &s,
                Value x) { return awayFromZero<math::CeilOp>(s, x, 0); }},
      {"HALF_UP",
       [](ScalarBuilder &s, Value x) {
         return awayFromZero<math::FloorOp>(s, x, 0.5);
       }},
      {"HALF_DOWN",
       [](ScalarBuilder &s, Value x) {
         return awayFromZero<math::CeilOp>(s, x, -0.5);
       }},
  };
  for (auto [name, round] : modes)
    if (mode == name)
      return round;
  return node.error() << "its rounding_mode is " << quoted(mode)
                      << ": use ROUND, CEIL, FLOOR, UP, DOWN, HALF_UP, "
                         "HALF_DOWN or HALF_EVEN";
}

/// The numbers of a constant input of any number type.
FailureOr<SmallVector<float>> constantNumbers(Node &node, unsigned input,
                                              StringRef what) {
  const OnnxValue &value = node.in(input);
  if (!value.constant)
    return node.error() << "its " << what
                        << " is computed at run time, which is not supported; "
                           "make it an initializer";
  if (isFloat(value.type)) {
    auto floats = value.constant->toFloats();
    if (!floats)
      return node.error(floats.takeError());
    return *floats;
  }
  auto integers = value.constant->toInts();
  if (!integers)
    return node.error(integers.takeError());
  return SmallVector<float>(integers->begin(), integers->end());
}

/// The smallest and the largest code of so many bits.
std::pair<double, double> rangeOf(double bits, bool isSigned, bool narrow) {
  if (isSigned)
    return {-std::exp2(bits - 1) + (narrow ? 1 : 0), std::exp2(bits - 1) - 1};
  return {0, std::exp2(bits) - (narrow ? 2 : 1)};
}

/// A constant of the shape of an input.
SizedTensor constantLike(Node &node, unsigned input, StringRef suffix,
                         ArrayRef<float> values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  auto view = constantView((node.name() + suffix).str(), ElementType::F32,
                           node.in(input).constant->dims, std::move(bytes));
  return {node.constants.tensor(*view), node.in(input).sizes};
}

//===----------------------------------------------------------------------===//
// Quant as Q and DQ
//===----------------------------------------------------------------------===//

/// How the scales of a Quant lie: one, or a vector along an axis of x.
struct ScalePlace {
  SizedTensor scales;
  int64_t axis = 0;
};

std::optional<ScalePlace> placeOfScales(Node &node, unsigned input) {
  const OnnxValue &scale = node.in(input);
  if (!scale.constant)
    return std::nullopt;
  int64_t missing = node.rank(0) - scale.rank();
  std::optional<int64_t> axis;
  for (auto [dim, size] : llvm::enumerate(scale.constant->dims)) {
    if (size == 1)
      continue;
    if (axis || int64_t(dim) + missing < 0)
      return std::nullopt;
    axis = dim + missing;
  }
  if (axis && !node.sizes.surelyEqual(node.in(0).sizes[*axis],
                                      scale.sizes[*axis - missing]))
    return std::nullopt;
  Sizes shape;
  if (axis)
    shape.push_back(scale.sizes[*axis - missing]);
  return ScalePlace{node.tensors.reshape(node.f32(input), shape),
                    axis.value_or(0)};
}

/// Codes of a constant x, exactly as the operator has them; none where x is
/// computed at run time.
std::optional<SizedTensor> constantCodes(Node &node, const ScalePlace &place,
                                         const Format &format) {
  const OnnxValue &x = node.in(0);
  if (!x.constant)
    return std::nullopt;
  auto values = x.constant->toFloats();
  auto scales = node.in(1).constant->toFloats();
  if (!values || !scales) {
    llvm::consumeError(values.takeError());
    llvm::consumeError(scales.takeError());
    return std::nullopt;
  }
  ArrayRef<int64_t> dims = x.constant->dims;
  int64_t inner = 1;
  for (int64_t dim :
       dims.drop_front(std::min<size_t>(place.axis + 1, dims.size())))
    inner *= dim;
  bool bipolar = format.kind() == Format::Kind::Odd;
  SmallVector<int32_t> codes;
  for (auto [index, value] : llvm::enumerate(*values)) {
    float scale =
        (*scales)[scales->size() == 1 ? 0 : index / inner % scales->size()];
    float quotient = value / scale;
    if (bipolar)
      codes.push_back(quotient >= 0 ? 1 : -1);
    else
      codes.push_back(std::clamp<double>(
          std::isnan(quotient) ? 0 : roundToIntegral(quotient),
          format.minValue(), format.maxValue()));
  }
  return loadCodes(node, dims, format, codes);
}

/// Imports the node as codes and their dequantization. False where x are
/// activations and the format is none that is quantized to at run time.
bool importAsCodes(Node &node, const ScalePlace &place, const Format &format) {
  std::optional<SizedTensor> codes = constantCodes(node, place, format);
  if (!codes) {
    if (format.kind() == Format::Kind::Odd)
      return false;
    SizedTensor x = node.f32(0);
    Value quantized = QuantizeOp::create(
        node.b, x.type().clone(QType::get(node.b.getContext(), format.str())),
        x.value, place.scales.value, /*zeros=*/Value(), place.axis, 0);
    codes = SizedTensor{quantized, x.sizes};
  }
  Value y = DequantizeOp::create(
      node.b, codes->type().clone(node.b.getF32Type()), codes->value,
      place.scales.value, /*zeros=*/Value(), place.axis, 0);
  return succeeded(node.result(SizedTensor{y, codes->sizes}, ElementType::F32));
}

LogicalResult checkFloat32(Node &node) {
  if (node.type(0) == ElementType::F32)
    return success();
  return node.error() << "it quantizes elements of type " << name(node.type(0))
                      << ": use f32";
}

LogicalResult importQuant(Node &node) {
  if (failed(checkFloat32(node)))
    return failure();
  FailureOr<SmallVector<float>> widths = constantNumbers(node, 3, "bit width");
  FailureOr<Round> round = roundingMode(node, "ROUND");
  if (failed(widths) || failed(round))
    return failure();
  bool isSigned = node.integer("signed", 1) != 0,
       narrow = node.integer("narrow", 0) != 0;
  SmallVector<float> lows, highs;
  for (float bits : *widths) {
    if (!(bits >= 1) || bits > 24)
      return node.error() << "its bit width is " << bits
                          << ": use 1 to 24, which f32 holds";
    auto [low, high] = rangeOf(bits, isSigned, narrow);
    lows.push_back(low);
    highs.push_back(high);
  }
  bool bipolar = isSigned && widths->size() == 1 && (*widths)[0] == 1;
  bool noZero = node.in(2).constant != nullptr;
  if (noZero) {
    FailureOr<SmallVector<float>> zeros =
        constantNumbers(node, 2, "zero point");
    noZero = succeeded(zeros) &&
             llvm::all_of(*zeros, [](float zero) { return zero == 0; });
  }
  bool nearest = StringRef(node.text("rounding_mode", "ROUND"))
                     .equals_insensitive("ROUND");
  if (noZero && nearest && widths->size() == 1 && (*widths)[0] <= 8 &&
      (*widths)[0] == std::trunc((*widths)[0]) && lows[0] < highs[0])
    if (std::optional<ScalePlace> place = placeOfScales(node, 1)) {
      Format format =
          bipolar ? Format::odd(1) : narrowestFormat(lows[0], highs[0]);
      if (importAsCodes(node, *place, format))
        return success();
    }
  SmallVector<SizedTensor> operands{node.f32(0), node.f32(1), node.f32(2),
                                    constantLike(node, 3, ".low", lows),
                                    constantLike(node, 3, ".high", highs)};
  return importPointwise(
      node, Domain::Float32,
      [&](ScalarBuilder &s, ArrayRef<Value> x) {
        Value code = s.add(s.div(x[0], x[1], ""), x[2]);
        if (bipolar) {
          code = s.select(s.lessOrEqual(s.constant(0), code), s.constant(1),
                          s.constant(-1));
        } else {
          code = s.select(s.less(x[4], code), x[4], code);
          code = s.select(s.less(code, x[3]), x[3], code);
          code = (*round)(s, code);
        }
        return s.mul(s.sub(code, x[2]), x[1]);
      },
      operands, ElementType::F32);
}

LogicalResult importBipolarQuant(Node &node) {
  if (failed(checkFloat32(node)))
    return failure();
  if (node.in(0).constant)
    if (std::optional<ScalePlace> place = placeOfScales(node, 1)) {
      auto scales = node.in(1).constant->toFloats();
      // The sign is that of x here, not that of x / s.
      if (scales && llvm::all_of(*scales, [](float s) { return s > 0; }) &&
          importAsCodes(node, *place, Format::odd(1)))
        return success();
      llvm::consumeError(scales.takeError());
    }
  return importPointwise(
      node, Domain::Float32, [](ScalarBuilder &s, ArrayRef<Value> x) {
        Value code = s.select(s.lessOrEqual(s.constant(0), x[0]), s.constant(1),
                              s.constant(-1));
        return s.mul(code, x[1]);
      });
}

/// Version 1: x, scale, zero, bits, bits of the result. Version 2: x, scale,
/// zero, bits, scale of the result, its zero, its bits.
LogicalResult importTrunc(Node &node) {
  FailureOr<Round> round = roundingMode(node, "FLOOR");
  if (failed(checkFloat32(node)) || failed(round))
    return failure();
  bool first = node.numInputs() == 5;
  if (!first && node.numInputs() != 7)
    return node.error() << "it has " << node.numInputs()
                        << " inputs, but takes 5 or 7; export the model again";
  if (first) {
    FailureOr<SmallVector<float>> from = constantNumbers(node, 3, "bit width"),
                                  to = constantNumbers(node, 4, "bit width");
    if (failed(from) || failed(to))
      return failure();
    if (from->size() != 1 || to->size() != 1)
      return node.error() << "its bit widths are no scalars, which is not "
                             "supported; give it one of each";
    double step = std::exp2((*from)[0] - (*to)[0]);
    return importPointwise(
        node, Domain::Float32,
        [&](ScalarBuilder &s, ArrayRef<Value> x) {
          Value code = s.add(s.div(x[0], x[1], ""), x[2]);
          code = rounded<math::RoundEvenOp>(s, code);
          code = (*round)(s, s.div(code, s.constant(step), ""));
          return s.mul(s.sub(code, x[2]), x[1]);
        },
        {node.f32(0), node.f32(1), node.f32(2)}, ElementType::F32);
  }
  FailureOr<SmallVector<float>> scale = constantNumbers(node, 1, "scale"),
                                result = constantNumbers(node, 4, "scale"),
                                bits = constantNumbers(node, 6, "bit width");
  if (failed(scale) || failed(result) || failed(bits))
    return failure();
  if (scale->size() != 1 || result->size() != 1 || bits->size() != 1)
    return node.error() << "its scales and bit widths are no scalars, which is "
                           "not supported; give it one of each";
  double step =
      std::exp2(roundToIntegral(std::log2((*result)[0] / double((*scale)[0]))));
  auto [low, high] = rangeOf((*bits)[0], node.integer("signed", 1) != 0,
                             node.integer("narrow", 0) != 0);
  return importPointwise(
      node, Domain::Float32,
      [&, low = low, high = high](ScalarBuilder &s, ArrayRef<Value> x) {
        Value code = s.add(s.div(x[0], x[1], ""), x[2]);
        code = rounded<math::RoundEvenOp>(s, code);
        code = s.div(code, s.constant(step), "");
        code = s.select(s.less(s.constant(high), code), s.constant(high), code);
        code = s.select(s.less(code, s.constant(low)), s.constant(low), code);
        code = (*round)(s, code);
        Value zero = s.div(x[2], s.constant(step), "");
        return s.mul(s.sub(code, zero), x[3]);
      },
      {node.f32(0), node.f32(1), node.f32(2), node.f32(4)}, ElementType::F32);
}

//===----------------------------------------------------------------------===//
// FloatQuant
//===----------------------------------------------------------------------===//

/// 2^exponent as f32, for an exponent in [-126, 127].
Value powerOfTwo(ImplicitLocOpBuilder &b, Value exponent) {
  Type i32 = b.getI32Type();
  auto constant = [&](int32_t value) {
    return arith::ConstantIntOp::create(b, i32, value);
  };
  Value biased = arith::AddIOp::create(b, exponent, constant(127));
  Value bits = arith::ShLIOp::create(b, biased, constant(23));
  return arith::BitcastOp::create(b, b.getF32Type(), bits);
}

LogicalResult importFloatQuant(Node &node) {
  FailureOr<Round> round = roundingMode(node, "ROUND");
  if (failed(checkFloat32(node)) || failed(round))
    return failure();
  double parameters[3];
  StringRef names[] = {"exponent bit width", "mantissa bit width",
                       "exponent bias"};
  for (unsigned i : {0, 1, 2}) {
    FailureOr<SmallVector<float>> value =
        constantNumbers(node, i + 2, names[i]);
    if (failed(value))
      return failure();
    if (value->size() != 1)
      return node.error() << "its " << names[i]
                          << " is no scalar, which is not supported; give it "
                             "one";
    parameters[i] = (*value)[0];
  }
  const double exponentBits = parameters[0], mantissaBits = parameters[1],
               bias = parameters[2];
  int32_t smallest = 1 - bias - mantissaBits;
  if (exponentBits < 0 || exponentBits > 8 || mantissaBits < 0 ||
      mantissaBits > 22 || smallest < -126)
    return node.error() << "it rounds to floats of " << exponentBits
                        << " exponent bits, " << mantissaBits
                        << " mantissa bits and a bias of " << bias
                        << ", some of which f32 does not hold; use fewer bits";
  double largest = (2 - std::exp2(-mantissaBits)) *
                   std::exp2(std::exp2(exponentBits) - 1 - bias);
  if (node.has(5)) {
    FailureOr<SmallVector<float>> limit = constantNumbers(node, 5, "max_val");
    if (failed(limit))
      return failure();
    if (limit->size() == 1)
      largest = std::min<double>(largest, (*limit)[0]);
  }
  bool saturates = node.integer("saturation", 1) != 0,
       hasInf = node.integer("has_inf", 0) != 0,
       hasNan = node.integer("has_nan", 0) != 0;
  if (!saturates && !hasInf && !hasNan)
    return node.error() << "it does not saturate, but has neither infinities "
                           "nor NaN to give instead; export it with saturation";
  return importPointwise(
      node, Domain::Float32,
      [&](ScalarBuilder &s, ArrayRef<Value> operands) {
        ImplicitLocOpBuilder &b = s.b;
        Type i32 = b.getI32Type();
        Value x = s.div(operands[0], operands[1], "");
        // floor(log2 |x|), of a number that is normal.
        Value magnitude =
            s.add(s.abs(x), s.constant(std::numeric_limits<float>::min()));
        Value bits = arith::BitcastOp::create(b, i32, magnitude);
        auto integer = [&](int32_t value) {
          return arith::ConstantIntOp::create(b, i32, value);
        };
        Value exponent = arith::SubIOp::create(
            b, arith::ShRUIOp::create(b, bits, integer(23)).getResult(),
            integer(127 + int32_t(mantissaBits)));
        exponent = arith::MaxSIOp::create(b, exponent, integer(smallest));
        Value unit = powerOfTwo(b, exponent);
        Value y = s.mul(unit, (*round)(s, s.div(x, unit, "")));
        Value high = s.constant(largest), low = s.constant(-largest);
        Value over = s.less(high, y), under = s.less(y, low);
        constexpr double Infinity = std::numeric_limits<double>::infinity();
        constexpr double NaN = std::numeric_limits<double>::quiet_NaN();
        Value above = saturates ? high : s.constant(hasInf ? Infinity : NaN),
              below = saturates ? low : s.constant(hasInf ? -Infinity : NaN);
        y = s.select(over, above, s.select(under, below, y));
        return s.mul(y, operands[1]);
      },
      {node.f32(0), node.f32(1)}, ElementType::F32);
}

} // namespace

ArrayRef<OperatorRow> mezzo::qonnxOperators() {
  static const std::vector<OperatorRow> rows = [] {
    std::vector<OperatorRow> all;
    // One set of operators under the names of three projects.
    static constexpr llvm::StringLiteral domains[] = {
        "qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general"};
    for (llvm::StringLiteral domain : domains) {
      all.push_back({domain, "Quant", 1, 4, 4, importQuant});
      all.push_back({domain, "IntQuant", 1, 4, 4, importQuant});
      all.push_back({domain, "BipolarQuant", 1, 2, 2, importBipolarQuant});
      all.push_back({domain, "Trunc", 1, 5, 7, importTrunc});
      all.push_back({domain, "FloatQuant", 1, 5, 6, importFloatQuant});
    }
    return all;
  }();
  return rows;
}
