//===- Convolutions.cpp - Conv and ConvTranspose --------------------------===//
//
// The weight of a convolution becomes a matrix [M, taps * channels], which is
// the order that mezzo.conv folds in (docs/numbers.md, "K"). A constant one is
// put into this order when the model is compiled.
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/FoldedConstants.h"
#include "passes/Frontend/QuantizedConvolutions.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"
#include "passes/Frontend/WindowGeometry.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

LogicalResult checkConvolution(Node &node) {
  ElementType type = node.type(0);
  if (type != node.type(1) || (node.has(2) && type != node.type(2)))
    return node.error() << "its operands are of types " << name(type) << " and "
                        << name(node.type(1))
                        << ", but must be of one type; insert a Cast";
  if (!isFloat(type) || type == ElementType::F64)
    return node.error() << "convolutions of type " << name(type)
                        << " are not supported: use f32, f16 or bf16";
  int64_t rank = node.rank(0);
  if (rank < 3 || rank > 5 || node.rank(1) != rank)
    return node.error() << "its image has rank " << rank
                        << " and its weight rank " << node.rank(1)
                        << ": both must have one to three spatial dimensions";
  if (node.integer("group", 1) < 1)
    return node.error() << "it has " << node.integer("group", 1)
                        << " groups: use 1 or more";
  return success();
}

/// `kernel_shape` says nothing that the weight does not say.
LogicalResult checkKernelShape(Node &node, ArrayRef<Size> kernel) {
  std::optional<SmallVector<int64_t>> given = node.integerList("kernel_shape");
  if (!given || given->empty())
    return success();
  bool fits = given->size() == kernel.size();
  for (size_t dim = 0; fits && dim < kernel.size(); ++dim)
    fits = node.sizes.equal(kernel[dim], node.sizes.constant((*given)[dim])) !=
           false;
  if (!fits)
    return node.error() << "its kernel_shape is not that of its weight, "
                        << describe(kernel) << "; export the model again";
  return success();
}

SmallVector<Value> valuesOf(Node &node, ArrayRef<Size> sizes) {
  return llvm::map_to_vector(sizes,
                             [&](Size size) { return node.sizes.value(size); });
}

/// The convolution of an image [N, C, spatial] with a matrix, both in f32.
SizedTensor convolve(Node &node, SizedTensor x, SizedTensor matrix, Value bias,
                     const WindowGeometry &window, int64_t groups) {
  bool pointwise =
      window.rank() > 1 && node.sizes.surelyEqual(window.image, window.output);
  for (size_t dim = 0; pointwise && dim < window.rank(); ++dim)
    pointwise = getConstantIntValue(window.kernel[dim]) == 1 &&
                window.strides[dim] == 1;
  Sizes shape{x.sizes[0], matrix.sizes[0]};
  llvm::append_range(shape, window.output);
  if (pointwise) {
    // Rows of the image do not matter to a kernel of one tap.
    Size pixels = node.sizes.product(window.image),
         one = node.sizes.constant(1), none = node.sizes.constant(0);
    SizedTensor flat =
        node.tensors.reshape(x, {x.sizes[0], x.sizes[1], pixels});
    SizedTensor y =
        convolve(node, flat, matrix, bias,
                 {{pixels}, {one}, {none}, {none}, {pixels}, {1}, {1}}, groups);
    return node.tensors.reshape(y, shape);
  }
  Value init = node.tensors.empty(shape, x.elementType());
  Value y = ConvOp::create(node.b, init.getType(), x.value, matrix.value, bias,
                           valuesOf(node, window.kernel),
                           valuesOf(node, window.padsBegin), init,
                           window.strides, window.dilations, groups);
  return {y, shape};
}

/// The bias as a vector of `rows`, or null.
FailureOr<Value> biasOf(Node &node, Size rows) {
  if (!node.has(2))
    return Value();
  SizedTensor bias = node.f32(2);
  if (bias.rank() != 1 || node.sizes.equal(bias.sizes[0], rows) == false)
    return node.error() << "its bias has the shape " << describe(bias.sizes)
                        << ", but " << describe({rows}) << " is needed";
  node.sizes.unify(bias.sizes[0], rows,
                   node.subject() +
                       ": its bias has not one entry per output channel");
  return node.tensors.fit(bias, {rows}).value;
}

/// y[n, c, ...] + bias[c]
SizedTensor withBias(Node &node, SizedTensor y, Value bias) {
  if (!bias)
    return y;
  Sizes perChannel(y.rank() - 1, node.sizes.constant(1));
  perChannel[0] = y.sizes[1];
  SizedTensor column = node.tensors.reshape({bias, {y.sizes[1]}}, perChannel);
  return node.tensors.elementwise(
      {y, column}, node.b.getF32Type(),
      [](ImplicitLocOpBuilder &b, ValueRange v) -> Value {
        return arith::AddFOp::create(b, v[0], v[1]);
      });
}

LogicalResult finish(Node &node, SizedTensor y) {
  return node.result(
      node.tensors.convertFloat(y, irType(node.b.getContext(), node.type(0))),
      node.type(0));
}

//===----------------------------------------------------------------------===//
// Conv
//===----------------------------------------------------------------------===//

/// [M, C / groups, taps...] as [M, taps * C / groups].
FailureOr<SizedTensor> weightMatrix(Node &node) {
  int64_t rank = node.rank(1);
  SmallVector<int64_t> permutation{0};
  for (int64_t dim = 2; dim < rank; ++dim)
    permutation.push_back(dim);
  permutation.push_back(1);
  FailureOr<SizedTensor> matrix = transposedF32(node, 1, permutation);
  if (failed(matrix))
    return failure();
  ArrayRef<Size> columns = ArrayRef<Size>(matrix->sizes).drop_front();
  return node.tensors.reshape(*matrix,
                              {matrix->sizes[0], node.sizes.product(columns)});
}

LogicalResult importConv(Node &node) {
  if (failed(checkConvolution(node)))
    return failure();
  SizedTensor x = node.f32(0);
  const Sizes weight = node.in(1).sizes;
  int64_t groups = node.integer("group", 1);
  ArrayRef<Size> kernel = ArrayRef<Size>(weight).drop_front(2);
  Size channels = node.sizes.multiply(weight[1], node.sizes.constant(groups));
  std::optional<int64_t> rows = getConstantIntValue(weight[0]);
  if (node.sizes.equal(channels, x.sizes[1]) == false ||
      (rows && *rows % groups != 0))
    return node.error() << "its weight of shape " << describe(weight) << " in "
                        << groups << " groups does not fit an image of shape "
                        << describe(x.sizes)
                        << "; check the shapes of its inputs";
  if (failed(checkKernelShape(node, kernel)))
    return failure();
  FailureOr<WindowGeometry> window =
      readWindow(node, ArrayRef<Size>(x.sizes).drop_front(2), kernel);
  std::optional<SizedTensor> quantized =
      groups == 1 ? dequantizedMatrix(node, 1) : std::nullopt;
  FailureOr<SizedTensor> matrix =
      quantized ? FailureOr<SizedTensor>(*quantized) : weightMatrix(node);
  FailureOr<Value> bias = biasOf(node, weight[0]);
  if (failed(window) || failed(matrix) || failed(bias))
    return failure();
  Size common = node.sizes.unify(
      channels, x.sizes[1],
      node.subject() + ": its image has not the channels of its weight");
  Sizes shape = x.sizes;
  shape[1] = common;
  x = node.tensors.fit(x, shape);
  if (quantized)
    return finish(
        node,
        withBias(node, convolveByMatrix(node, x, *matrix, *window), *bias));
  return finish(node, convolve(node, x, *matrix, *bias, *window, groups));
}

//===----------------------------------------------------------------------===//
// ConvTranspose
//===----------------------------------------------------------------------===//

/// A transposed convolution with stride s scatters: input i adds w[k] to output
/// s * i + k. Seen from the output, position o = s * q + f reads
///
///     y[s * q + f] = sum over j of x[q - j] * w[s * j + f]
///
/// so each phase f is an ordinary convolution with the taps f, s + f, ... in
/// reverse, and all phases together are one with s times as many channels,
/// which are then interleaved. For a kernel of 5 and a stride of 2:
///
///     phase 0:  w4 w2 w0        phase 1:  0 w3 w1
///
/// Dilated kernels have zeros between their taps.
struct Transposed {
  SmallVector<int64_t> kernel, strides, dilations, taps; ///< taps: J per phase
  int64_t channels, rowsPerGroup, groups, phases;

  /// The matrix [M * phases, J... * C / groups], as places in the weight
  /// [C, M / groups, kernel...].
  std::vector<int64_t> places() const;
};

std::vector<int64_t> Transposed::places() const {
  int64_t perGroup = channels / groups, dims = kernel.size();
  std::vector<int64_t> result;
  for (int64_t row = 0; row < rowsPerGroup * groups; ++row)
    for (int64_t phase = 0; phase < phases; ++phase) {
      SmallVector<int64_t> phaseOf(dims);
      for (int64_t dim = dims, left = phase; dim-- > 0; left /= strides[dim])
        phaseOf[dim] = left % strides[dim];
      int64_t tapCount = 1;
      for (int64_t count : taps)
        tapCount *= count;
      for (int64_t tap = 0; tap < tapCount; ++tap) {
        int64_t inKernel = 0, scale = 1;
        bool exists = true;
        for (int64_t dim = dims, left = tap; dim-- > 0; left /= taps[dim]) {
          int64_t j = taps[dim] - 1 - left % taps[dim];
          int64_t reach = strides[dim] * j + phaseOf[dim];
          exists &= reach % dilations[dim] == 0 &&
                    reach / dilations[dim] < kernel[dim];
          inKernel += reach / dilations[dim] * scale;
          scale *= kernel[dim];
        }
        for (int64_t c = 0; c < perGroup; ++c) {
          int64_t channel = row / rowsPerGroup * perGroup + c;
          result.push_back(
              exists ? (channel * rowsPerGroup + row % rowsPerGroup) * scale +
                           inKernel
                     : -1);
        }
      }
    }
  return result;
}

/// The matrix of a weight that is computed at run time.
SizedTensor gatherWeight(Node &node, ArrayRef<int64_t> shape,
                         const std::vector<int64_t> &places) {
  SizedTensor weight = node.f32(1);
  SizedTensor flat =
      node.tensors.reshape(weight, {node.sizes.product(weight.sizes)});
  auto type = RankedTensorType::get(shape, node.b.getI64Type());
  Value table = arith::ConstantOp::create(
      node.b, DenseElementsAttr::get(type, ArrayRef<int64_t>(places)));
  return node.tensors.generate(
      node.sizes.constants(shape), node.b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        Value place = tensor::ExtractOp::create(b, table, at);
        Value none = arith::ConstantOp::create(b, b.getI64IntegerAttr(0));
        Value exists =
            arith::CmpIOp::create(b, arith::CmpIPredicate::sge, place, none);
        place = arith::SelectOp::create(b, exists, place, none);
        Value index = arith::IndexCastOp::create(b, b.getIndexType(), place);
        Value number =
            tensor::ExtractOp::create(b, flat.value, ValueRange{index});
        Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
        return arith::SelectOp::create(b, exists, number, zero);
      });
}

/// Pads of a transposed convolution: what is cut off its full output.
struct Cut {
  Sizes begin, output;
};

FailureOr<Cut> readCut(Node &node, ArrayRef<Size> image, const Transposed &t,
                       ArrayRef<int64_t> outputPadding) {
  SizeArithmetic &sizes = node.sizes;
  size_t rank = image.size();
  auto pads = perDimension(node, "pads", 2 * rank, 0, 0);
  auto wanted = perDimension(node, "output_shape", rank, -1, 0);
  if (auto given = node.integerList("output_shape");
      given && given->size() == rank + 2) // older files name N and C as well
    wanted = SmallVector<int64_t>(ArrayRef<int64_t>(*given).drop_front(2));
  std::string automatic = node.text("auto_pad", "NOTSET");
  if (failed(pads) || failed(wanted))
    return failure();
  bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  if (automatic == "VALID")
    pads->assign(2 * rank, 0);
  Cut cut;
  for (size_t dim = 0; dim < rank; ++dim) {
    int64_t reach = (t.kernel[dim] - 1) * t.dilations[dim] + 1;
    Size full =
        sizes.add(sizes.multiply(sizes.subtract(image[dim], sizes.constant(1)),
                                 sizes.constant(t.strides[dim])),
                  sizes.constant(reach + outputPadding[dim]));
    if (same || (*wanted)[dim] >= 0) {
      Size output =
          (*wanted)[dim] >= 0
              ? sizes.constant((*wanted)[dim])
              : sizes.multiply(image[dim], sizes.constant(t.strides[dim]));
      Size total =
          sizes.maximum(sizes.subtract(full, output), sizes.constant(0));
      Size smaller = sizes.divide(total, sizes.constant(2));
      cut.begin.push_back(
          automatic == "SAME_UPPER" ? smaller : sizes.subtract(total, smaller));
      cut.output.push_back(output);
      continue;
    }
    cut.begin.push_back(sizes.constant((*pads)[dim]));
    Size output = sizes.subtract(
        full, sizes.constant((*pads)[dim] + (*pads)[rank + dim]));
    if (failed(requireLessOrEqual(node, sizes.constant(0), output,
                                  "its pads cut off more than there is; check "
                                  "the shapes of the inputs of the model")))
      return failure();
    cut.output.push_back(sizes.maximum(output, sizes.constant(0)));
  }
  return cut;
}

LogicalResult importConvTranspose(Node &node) {
  if (failed(checkConvolution(node)))
    return failure();
  SizedTensor x = node.f32(0);
  const Sizes weight = node.in(1).sizes;
  std::optional<SmallVector<int64_t>> shape = getConstantIntValues(weight);
  if (!shape)
    return node.error() << "its weight has the shape " << describe(weight)
                        << ", which is not known when the model is compiled; "
                           "fix it with --dim or --shape";
  size_t rank = weight.size() - 2;
  Transposed t;
  t.groups = node.integer("group", 1);
  t.channels = (*shape)[0];
  t.rowsPerGroup = (*shape)[1];
  t.kernel.assign(shape->begin() + 2, shape->end());
  if (failed(checkKernelShape(node, ArrayRef<Size>(weight).drop_front(2))))
    return failure();
  if (node.sizes.equal(x.sizes[1], weight[0]) == false ||
      t.channels % t.groups != 0)
    return node.error() << "its weight of shape " << describe(weight) << " in "
                        << t.groups << " groups does not fit an image of shape "
                        << describe(x.sizes)
                        << "; check the shapes of its inputs";
  auto strides = perDimension(node, "strides", rank, 1, 1),
       dilations = perDimension(node, "dilations", rank, 1, 1),
       outputPadding = perDimension(node, "output_padding", rank, 0, 0);
  if (failed(strides) || failed(dilations) || failed(outputPadding))
    return failure();
  t.strides = *strides;
  t.dilations = *dilations;
  t.phases = 1;
  ArrayRef<Size> image = ArrayRef<Size>(x.sizes).drop_front(2);
  FailureOr<Cut> cut = readCut(node, image, t, *outputPadding);
  FailureOr<Value> bias =
      biasOf(node, node.sizes.constant(t.rowsPerGroup * t.groups));
  if (failed(cut) || failed(bias))
    return failure();

  // One convolution for all phases: J taps, full padding, stride 1.
  WindowGeometry window;
  int64_t steps = 1;
  for (size_t dim = 0; dim < rank; ++dim) {
    int64_t reach = (t.kernel[dim] - 1) * t.dilations[dim] + 1;
    int64_t taps = std::max<int64_t>(
        1, llvm::divideCeil(reach + (*outputPadding)[dim], t.strides[dim]));
    t.taps.push_back(taps);
    t.phases *= t.strides[dim];
    steps *= taps;
    window.image.push_back(image[dim]);
    window.kernel.push_back(node.sizes.constant(taps));
    window.padsBegin.push_back(node.sizes.constant(taps - 1));
    window.padsEnd.push_back(node.sizes.constant(taps - 1));
    window.output.push_back(
        node.sizes.add(image[dim], node.sizes.constant(taps - 1)));
    window.strides.push_back(1);
    window.dilations.push_back(1);
  }
  int64_t rows = t.rowsPerGroup * t.groups;
  SmallVector<int64_t> matrixShape{rows * t.phases,
                                   steps * (t.channels / t.groups)};
  std::vector<int64_t> places = t.places();
  FailureOr<SizedTensor> matrix =
      isFloatConstant(node, 1)
          ? gatherConstant(node, 1, matrixShape, places)
          : FailureOr<SizedTensor>(gatherWeight(node, matrixShape, places));
  if (failed(matrix))
    return failure();
  Sizes fitting = x.sizes;
  fitting[1] = node.sizes.unify(
      weight[0], x.sizes[1],
      node.subject() + ": its image has not the channels of its weight");
  SizedTensor y = convolve(node, node.tensors.fit(x, fitting), *matrix, Value(),
                           window, t.groups);

  // [N, M, phases..., Q...] -> [N, M, (Q, phase)...], then what the pads leave.
  Sizes apart{x.sizes[0], node.sizes.constant(rows)},
      together = apart, offsets(2, node.sizes.constant(0)), cutShape = apart;
  for (int64_t stride : t.strides)
    apart.push_back(node.sizes.constant(stride));
  llvm::append_range(apart, window.output);
  SmallVector<int64_t> permutation{0, 1};
  for (size_t dim = 0; dim < rank; ++dim) {
    permutation.append({int64_t(2 + rank + dim), int64_t(2 + dim)});
    together.push_back(node.sizes.multiply(
        window.output[dim], node.sizes.constant(t.strides[dim])));
    offsets.push_back(cut->begin[dim]);
    cutShape.push_back(cut->output[dim]);
  }
  y = node.tensors.reshape(y, apart);
  y = node.tensors.reshape(node.tensors.transpose(y, permutation), together);
  // What was asked for may reach beyond: there is nothing there but the bias.
  Sizes inside = cutShape;
  for (size_t dim = 2; dim < cutShape.size(); ++dim)
    inside[dim] = node.sizes.maximum(
        node.sizes.constant(0),
        node.sizes.minimum(cutShape[dim],
                           node.sizes.subtract(together[dim], offsets[dim])));
  y = node.tensors.fit(node.tensors.slice(y, offsets, inside), cutShape);
  return finish(node, withBias(node, y, *bias));
}

} // namespace

ArrayRef<OperatorRow> mezzo::convolutionOperators() {
  static const OperatorRow rows[] = {
      {OnnxDomain, "Conv", 1, 2, 3, importConv},
      {OnnxDomain, "ConvTranspose", 1, 2, 3, importConvTranspose},
  };
  return rows;
}
