//===- QuantizedConvolutions.cpp - convolutions of quantized weights ------===//
//
// A convolution whose weight is a dequantized constant is a product of the
// matrix of all windows with it. The codes are put into the order of that
// matrix when the model is compiled, [M, taps * channels], so that
// mezzo-form-matmul finds a quantized product as anywhere else: packed weights,
// any width, every mode.
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/QuantizedConvolutions.h"

#include "passes/Frontend/FoldedConstants.h"
#include "passes/Frontend/Importer.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// Codes of `bits` each, the first one in the low bits, by their places.
std::vector<uint8_t> gatherCodes(ArrayRef<char> bytes, unsigned bits,
                                 ArrayRef<int64_t> places) {
  std::vector<uint8_t> result((places.size() * bits + 7) / 8, 0);
  unsigned mask = (1u << bits) - 1;
  for (auto [index, place] : llvm::enumerate(places)) {
    unsigned code = uint8_t(bytes[place * bits / 8]) >> (place * bits % 8);
    result[index * bits / 8] |= (code & mask) << (index * bits % 8);
  }
  return result;
}

/// Whether all weights of an output channel share a scale.
bool scalesPerRow(DequantizeOp dequantize) {
  ShapedType scales = dequantize.getScales().getType();
  return scales.getRank() == 0 ||
         (scales.getRank() == 1 && dequantize.getBlock() == 0 &&
          dequantize.getAxis() == 0);
}

} // namespace

std::optional<SizedTensor> mezzo::dequantizedMatrix(Node &node,
                                                    unsigned input) {
  Value tensor = node.in(input).tensor;
  auto dequantize =
      tensor ? tensor.getDefiningOp<DequantizeOp>() : DequantizeOp();
  if (!dequantize || dequantize->hasAttr("mezzo.strict") ||
      !scalesPerRow(dequantize))
    return std::nullopt;
  auto load = dequantize.getInput().getDefiningOp<LoadWeightOp>();
  auto type = cast<RankedTensorType>(dequantize.getInput().getType());
  auto code = dyn_cast<QType>(type.getElementType());
  if (!load || !code || !type.hasStaticShape())
    return std::nullopt;
  Format format = code.getNumberFormat();
  if (!format.isInteger() || 8 % format.bits() != 0)
    return std::nullopt;
  auto weight =
      node.importer.module->lookupSymbol<WeightOp>(load.getWeightAttr());
  auto data = dyn_cast_or_null<DenseResourceElementsAttr>(
      weight ? weight.getData() : ElementsAttr());
  AsmResourceBlob *blob = data ? data.getRawHandle().getBlob() : nullptr;
  if (!blob || weight.isQuantized() || type.getNumElements() == 0)
    return std::nullopt;

  SmallVector<int64_t> permutation{0};
  for (int64_t dim = 2; dim < type.getRank(); ++dim)
    permutation.push_back(dim);
  permutation.push_back(1);
  std::vector<uint8_t> bytes =
      gatherCodes(blob->getData(), format.bits(),
                  transposedPlaces(type.getShape(), permutation));
  int64_t rows = type.getDimSize(0), columns = type.getNumElements() / rows;
  auto matrixType = RankedTensorType::get({rows, columns}, code);
  std::string name = (weight.getSymName() + ".matrix").str();
  auto byteType =
      RankedTensorType::get(int64_t(bytes.size()), node.b.getI8Type());
  WeightOp matrix = node.constants.weight(
      name, matrixType,
      node.constants.computed(name, byteType, std::move(bytes)));
  IRMapping map;
  map.map(dequantize.getInput(), node.constants.load(matrix).getResult(0));
  Operation *numbers = node.b.clone(*dequantize, map);
  auto element =
      cast<ShapedType>(dequantize.getOutput().getType()).getElementType();
  numbers->getResult(0).setType(
      RankedTensorType::get({rows, columns}, element));
  SizedTensor result{numbers->getResult(0),
                     node.sizes.constants({rows, columns})};
  return node.tensors.convertFloat(result, node.b.getF32Type());
}

SizedTensor mezzo::matrixOfWindows(Node &node, SizedTensor x,
                                   const WindowGeometry &window) {
  SizeArithmetic &sizes = node.sizes;
  size_t rank = window.rank();
  Sizes shape{x.sizes[0]};
  llvm::append_range(shape, window.output);
  llvm::append_range(shape, window.kernel);
  shape.push_back(x.sizes[1]);
  auto values = [&](ArrayRef<Size> of) {
    return llvm::map_to_vector(of,
                               [&](Size size) { return sizes.value(size); });
  };
  SmallVector<Value> image = values(window.image),
                     pads = values(window.padsBegin),
                     strides = values(sizes.constants(window.strides)),
                     dilations = values(sizes.constants(window.dilations));
  Value zero = sizes.value(sizes.constant(0));
  SizedTensor all = node.tensors.generate(
      shape, node.b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        SmallVector<Value> indices{at[0], at.back()};
        Value inside = arith::ConstantOp::create(b, b.getBoolAttr(true));
        for (size_t dim = 0; dim < rank; ++dim) {
          Value place = arith::AddIOp::create(
              b,
              arith::MulIOp::create(b, at[1 + dim], strides[dim]).getResult(),
              arith::MulIOp::create(b, at[1 + rank + dim], dilations[dim])
                  .getResult());
          place = arith::SubIOp::create(b, place, pads[dim]);
          Value fits = arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                             place, image[dim]);
          inside = arith::AndIOp::create(b, inside, fits);
          indices.push_back(arith::SelectOp::create(b, fits, place, zero));
        }
        Value number = tensor::ExtractOp::create(b, x.value, indices);
        Value none = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
        return arith::SelectOp::create(b, inside, number, none);
      });
  Size rows = sizes.multiply(x.sizes[0], sizes.product(window.output)),
       columns = sizes.multiply(sizes.product(window.kernel), x.sizes[1]);
  return node.tensors.reshape(all, {rows, columns});
}

SizedTensor mezzo::convolveByMatrix(Node &node, SizedTensor x,
                                    SizedTensor matrix,
                                    const WindowGeometry &window) {
  SizedTensor windows = matrixOfWindows(node, x, window);
  SizedTensor transposed = node.tensors.transpose(matrix, {1, 0});
  SizedTensor init = node.tensors.zeros({windows.sizes[0], matrix.sizes[0]},
                                        node.b.getF32Type());
  Value y =
      linalg::MatmulOp::create(node.b, TypeRange{init.value.getType()},
                               ValueRange{windows.value, transposed.value},
                               ValueRange{init.value})
          .getResult(0);
  Sizes channelsLast{x.sizes[0]};
  llvm::append_range(channelsLast, window.output);
  channelsLast.push_back(matrix.sizes[0]);
  SmallVector<int64_t> order{0, int64_t(channelsLast.size()) - 1};
  for (size_t dim = 0; dim < window.rank(); ++dim)
    order.push_back(1 + dim);
  return node.tensors.transpose(
      node.tensors.reshape({y, init.sizes}, channelsLast), order);
}
