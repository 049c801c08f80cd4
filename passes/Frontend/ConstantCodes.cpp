//===- ConstantCodes.cpp - codes that are known at import -----------------===//

#include "passes/Frontend/ConstantCodes.h"

#include "lib/Number/Rounding.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

Format mezzo::narrowestFormat(int64_t low, int64_t high) {
  bool isSigned = low < 0;
  unsigned bits = 1;
  auto fits = [&](unsigned n) {
    return isSigned ? low >= -(1 << (n - 1)) && high < (1 << (n - 1))
                    : high < (1 << n);
  };
  while (!fits(bits))
    ++bits;
  Format whole =
      isSigned ? Format::integer(bits) : Format::unsignedInteger(bits);
  if (whole.minValue() == low && whole.maxValue() == high)
    return whole;
  return llvm::cantFail(Format::parse(whole.str() + "[" + std::to_string(low) +
                                      "," + std::to_string(high) + "]"));
}

SizedTensor mezzo::loadCodes(Node &node, ArrayRef<int64_t> dims,
                             const Format &format, ArrayRef<int32_t> codes) {
  unsigned bits = format.bits();
  std::vector<uint8_t> bytes(llvm::divideCeil(codes.size() * bits, 8));
  for (auto [index, code] : llvm::enumerate(codes)) {
    uint32_t raw = format.rawOf(code);
    for (unsigned bit = 0; bit < bits; ++bit) {
      size_t at = index * bits + bit;
      bytes[at / 8] |= (raw >> bit & 1) << (at % 8);
    }
  }
  auto stored =
      RankedTensorType::get({int64_t(bytes.size())}, node.b.getI8Type());
  std::string name = (node.name() + ".codes").str();
  WeightOp weight = node.constants.weight(
      name,
      RankedTensorType::get(dims,
                            QType::get(node.b.getContext(), format.str())),
      node.constants.computed(name, stored, std::move(bytes)));
  return {node.constants.load(weight).getResult(0), node.sizes.constants(dims)};
}

std::shared_ptr<const TensorView>
mezzo::constantView(StringRef name, ElementType type, ArrayRef<int64_t> dims,
                    std::vector<uint8_t> bytes) {
  auto owner = std::make_shared<std::vector<uint8_t>>(std::move(bytes));
  TensorView view;
  view.name = name.str();
  view.type = type;
  view.dims.assign(dims.begin(), dims.end());
  view.bytes = *owner;
  view.owner = owner;
  return std::make_shared<const TensorView>(std::move(view));
}

/// Codes as the type stores them, packed where they are less than bytes.
static std::vector<uint8_t> storedBytes(ArrayRef<int64_t> codes,
                                        ElementType type) {
  unsigned bits = bitWidth(type);
  std::vector<uint8_t> bytes(llvm::divideCeil(codes.size() * bits, 8));
  for (auto [index, code] : llvm::enumerate(codes)) {
    if (bits < 8) {
      bytes[index * bits / 8] |= (code & ((1 << bits) - 1))
                                 << (index * bits % 8);
      continue;
    }
    for (unsigned byte = 0; byte < bits / 8; ++byte)
      bytes[index * bits / 8 + byte] = uint64_t(code) >> (8 * byte);
  }
  return bytes;
}

bool mezzo::narrowCodes(Node &node) {
  ElementType type = node.type(0);
  if (type != ElementType::I8 && type != ElementType::U8)
    return false;
  OnnxValue &input = node.in(0);
  QuantizeOp quantize;
  if (input.tensor)
    quantize = input.tensor.getDefiningOp<QuantizeOp>();
  if (!quantize && !input.constant)
    return false;
  int64_t limits[2] = {type == ElementType::I8 ? -128 : 0,
                       type == ElementType::I8 ? 127 : 255};
  for (unsigned bound : {0, 1}) {
    if (!node.has(bound + 1))
      continue;
    std::optional<double> known = node.constantScalar(bound + 1);
    if (!known || node.type(bound + 1) != type)
      return false;
    limits[bound] = *known;
  }
  auto [low, high] = limits;
  // Zero is a code of every format here, and a range has at least one code.
  if (low > 0 || high < 0 || low >= high)
    return false;
  Format format = narrowestFormat(low, high);
  OnnxValue result = input;
  if (quantize) {
    auto codes = quantize.getOutput().getType();
    result.tensor = QuantizeOp::create(
        node.b,
        cast<RankedTensorType>(codes).clone(
            QType::get(node.b.getContext(), format.str())),
        quantize.getInput(), quantize.getScales(), quantize.getZeros(),
        quantize.getAxis(), quantize.getBlock());
    return succeeded(node.result(std::move(result)));
  }
  auto codes = input.constant->toInts();
  if (!codes) {
    llvm::consumeError(codes.takeError());
    return false;
  }
  SmallVector<int32_t> narrow;
  for (int64_t &code : *codes)
    narrow.push_back(code = std::clamp(code, low, high));
  result.constant =
      constantView((node.name() + ".clipped").str(), type, input.constant->dims,
                   storedBytes(*codes, type));
  result.tensor = loadCodes(node, input.constant->dims, format, narrow).value;
  result.elements.reset();
  return succeeded(node.result(std::move(result)));
}

bool mezzo::foldQuantize(Node &node, ElementType type) {
  const OnnxValue &x = node.in(0), &scale = node.in(1);
  bool hasZero = node.has(2);
  if (!x.constant || !scale.constant || node.type(1) != ElementType::F32 ||
      !isFloat(x.type) || (hasZero && !node.in(2).constant))
    return false;
  auto values = x.constant->toFloats(), scales = scale.constant->toFloats();
  if (!values || !scales) {
    llvm::consumeError(values.takeError());
    llvm::consumeError(scales.takeError());
    return false;
  }
  SmallVector<int64_t> zeros(scales->size(), 0);
  if (hasZero) {
    auto given = node.in(2).constant->toInts();
    if (!given || given->size() != scales->size()) {
      llvm::consumeError(given.takeError());
      return false;
    }
    zeros = *given;
  }
  ArrayRef<int64_t> dims = x.constant->dims, scaleDims = scale.constant->dims;
  int64_t block = node.integer("block_size", 0), rank = dims.size(),
          axis = node.integer("axis", 1);
  axis += axis < 0 ? rank : 0;
  bool perTensor = scales->size() == 1, perAxis = !perTensor && block == 0;
  if (!perTensor &&
      (axis < 0 || axis >= rank ||
       (perAxis ? scaleDims.size() != 1 || scaleDims[0] != dims[axis]
                : scaleDims.size() != dims.size())))
    return false; // its shapes are reported where it is imported
  Format format = llvm::cantFail(Format::parse(formatName(type)));
  SmallVector<int64_t> codes;
  for (auto [index, value] : llvm::enumerate(*values)) {
    // Where the element's scale is: row-major, from the last dimension on.
    int64_t at = 0, rest = index, stride = 1;
    for (int64_t dim = rank - 1; dim >= 0 && !perTensor; --dim) {
      int64_t place = rest % dims[dim];
      rest /= dims[dim];
      if (perAxis) {
        at += dim == axis ? place : 0;
        continue;
      }
      at += stride * (dim == axis ? place / block : place);
      stride *= scaleDims[dim];
    }
    if (at >= int64_t(scales->size()))
      return false;
    float quotient = value / (*scales)[at];
    double code = std::isnan(quotient) ? zeros[at]
                                       : roundToIntegral(quotient) + zeros[at];
    codes.push_back(
        std::clamp<double>(code, format.minValue(), format.maxValue()));
  }
  OnnxValue result;
  result.type = type;
  result.sizes = x.sizes;
  result.constant = constantView((node.name() + ".codes").str(), type, dims,
                                 storedBytes(codes, type));
  return succeeded(node.result(std::move(result)));
}
