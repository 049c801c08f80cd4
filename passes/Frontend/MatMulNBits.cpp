//===- MatMulNBits.cpp - com.microsoft's product with packed weights ------===//
//
// B is [N, blocks, block * bits / 8] bytes, codes packed along K with the low
// bits first and the last block padded: a layout says so, and nothing is moved.
// The definition takes 2, 4 and 8 bits; here are all widths from 1 to 8, packed
// alike.
//
// With g_idx, the columns of a group lie anywhere in a row. The weight is then
// unsorted: packing sorts its columns by group, and the product gathers those
// of its activations.
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <cstring>
#include <numeric>

using namespace mlir;
using namespace mezzo;

namespace {

/// The attributes, checked.
struct Shape {
  int64_t n, k, bits, block, blocks;
};

FailureOr<Shape> readShape(Node &node) {
  Shape s{node.integer("N", 0), node.integer("K", 0), node.integer("bits", 4),
          node.integer("block_size", 0), 0};
  if (s.n < 1 || s.k < 1 || s.n > INT32_MAX || s.k > INT32_MAX)
    return node.error() << "its N = " << s.n << " and K = " << s.k
                        << " must be positive; export the model again";
  if (s.bits < 1 || s.bits > 8)
    return node.error() << "it has weights of " << s.bits
                        << " bits: use 1 to 8";
  if (s.block < 16 || s.block > INT32_MAX || s.block * s.bits % 8 != 0)
    return node.error() << "its block_size is " << s.block
                        << ": use at least 16, and whole bytes";
  if (node.integer("weight_prepacked", 0) != 0)
    return node.error()
           << "its weight is packed for another machine (weight_prepacked = "
           << node.integer("weight_prepacked", 0)
           << "); export the model with weight_prepacked = 0";
  s.blocks = llvm::divideCeil(s.k, s.block);
  return s;
}

FailureOr<const TensorView *> constantInput(Node &node, unsigned input,
                                            StringRef what, int64_t bytes) {
  OnnxValue &value = node.in(input);
  if (!value.constant)
    return node.error() << "its " << what
                        << " are computed at run time, which is not supported; "
                           "make them an initializer";
  if (int64_t(value.constant->bytes.size()) != bytes)
    return node.error() << "its " << what << " have "
                        << value.constant->bytes.size()
                        << " bytes, but N, K, bits and "
                        << "block_size ask for " << bytes
                        << "; export the model again";
  return value.constant.get();
}

/// Zero points as the [N, blocks] offsets of a weight: packed integers, floats
/// as they are, or the default 2^(bits-1).
FailureOr<ElementsAttr> readZeros(Node &node, const Shape &s) {
  Builder &b = node.b;
  std::string label = (node.name() + ".zeros").str();
  auto type = [&](Type element) {
    return RankedTensorType::get({s.n, s.blocks}, element);
  };
  if (!node.has(3)) {
    auto splat = DenseElementsAttr::get(type(b.getI16Type()),
                                        b.getI16IntegerAttr(1 << (s.bits - 1)));
    return ElementsAttr(splat);
  }
  if (isFloat(node.type(3))) {
    Type element = irType(b.getContext(), node.type(3));
    auto view =
        constantInput(node, 3, "zero points",
                      s.n * s.blocks * element.getIntOrFloatBitWidth() / 8);
    return failed(view) ? FailureOr<ElementsAttr>(failure())
                        : node.constants.inPlace(**view, type(element));
  }
  int64_t rowBytes = llvm::divideCeil(s.blocks * s.bits, 8);
  auto view = constantInput(node, 3, "zero points", s.n * rowBytes);
  if (failed(view))
    return failure();
  std::vector<uint8_t> bytes(s.n * s.blocks * sizeof(int16_t));
  for (int64_t row = 0; row < s.n; ++row)
    for (int64_t block = 0; block < s.blocks; ++block) {
      int16_t zero = 0;
      for (int64_t bit = 0; bit < s.bits; ++bit) {
        int64_t at = block * s.bits + bit;
        zero |= ((*view)->bytes[row * rowBytes + at / 8] >> (at % 8) & 1)
                << bit;
      }
      std::memcpy(&bytes[(row * s.blocks + block) * sizeof(zero)], &zero,
                  sizeof(zero));
    }
  return node.constants.computed(label, type(b.getI16Type()), std::move(bytes));
}

/// g_idx[k] is the group of column k. Returns the columns sorted by group,
/// those of one group in their own order; nothing where they are sorted
/// already.
FailureOr<SmallVector<int32_t>> readOrder(Node &node, const Shape &s) {
  SmallVector<int32_t> order;
  if (!node.has(4))
    return order;
  FailureOr<SmallVector<int64_t>> groups = node.integers(4, "group indices");
  if (failed(groups))
    return failure();
  // Some writers fill it up to whole blocks.
  if (int64_t(groups->size()) != s.k &&
      int64_t(groups->size()) != s.blocks * s.block)
    return node.error() << "its g_idx has " << groups->size()
                        << " elements for K = " << s.k
                        << " columns; export the model again";
  groups->truncate(s.k);
  SmallVector<int64_t> lengths(s.blocks, 0);
  for (auto [column, group] : llvm::enumerate(*groups)) {
    if (group < 0 || group >= s.blocks)
      return node.error() << "its g_idx gives column " << column
                          << " the group " << group << ", but there are "
                          << s.blocks << " groups; export the model again";
    ++lengths[group];
  }
  for (auto [group, length] : llvm::enumerate(lengths)) {
    int64_t wanted = std::min(s.block, s.k - int64_t(group) * s.block);
    if (length != wanted)
      return node.error() << "its g_idx gives group " << group << " " << length
                          << " columns instead of " << wanted << " (K = " << s.k
                          << " in blocks of " << s.block
                          << "), and groups of unequal size are not "
                             "supported; quantize the model with groups of "
                             "equal size, or without act-order";
  }
  if (llvm::is_sorted(*groups))
    return order;
  order.resize(s.k);
  std::iota(order.begin(), order.end(), 0);
  llvm::stable_sort(
      order, [&](int32_t a, int32_t b) { return (*groups)[a] < (*groups)[b]; });
  return order;
}

/// [K] of i32.
ElementsAttr permutationAttr(Node &node, ArrayRef<int32_t> order) {
  std::vector<uint8_t> bytes(order.size() * sizeof(int32_t));
  std::memcpy(bytes.data(), order.data(), bytes.size());
  return node.constants.computed(
      (node.name() + ".permutation").str(),
      RankedTensorType::get({int64_t(order.size())}, node.b.getI32Type()),
      std::move(bytes));
}

LogicalResult importMatMulNBits(Node &node) {
  FailureOr<Shape> shape = readShape(node);
  if (failed(shape))
    return failure();
  const Shape &s = *shape;
  FailureOr<SmallVector<int32_t>> order = readOrder(node, s);
  if (failed(order))
    return failure();
  auto codes = constantInput(node, 1, "weights",
                             s.n * s.blocks * (s.block * s.bits / 8));
  Type scaleType = irType(node.b.getContext(), node.type(2));
  if (failed(codes) || !isa<FloatType>(scaleType) || scaleType.isF64())
    return failed(codes)
               ? failure()
               : LogicalResult(node.error()
                               << "its scales must be f32, f16 or bf16");
  auto scales =
      constantInput(node, 2, "scales",
                    s.n * s.blocks * scaleType.getIntOrFloatBitWidth() / 8);
  FailureOr<ElementsAttr> zeros =
      failed(scales) ? FailureOr<ElementsAttr>(failure()) : readZeros(node, s);
  if (failed(zeros))
    return failure();

  MLIRContext *context = node.b.getContext();
  std::string bits = std::to_string(s.bits), format = "uint" + bits;
  auto bytesType = RankedTensorType::get({int64_t((*codes)->bytes.size())},
                                         node.b.getI8Type());
  auto type = RankedTensorType::get({s.n, s.k}, QType::get(context, format));
  WeightOp weight = node.constants.weight(
      (*codes)->name, type, node.constants.inPlace(**codes, bytesType));
  bool floatZeros = isa<FloatType>(zeros->getElementType());
  std::string scaleName = scaleType.isF16()    ? ":f16"
                          : scaleType.isBF16() ? ":bf16"
                                               : "";
  weight.setSpec(format + "/g" + std::to_string(s.block) + scaleName + "+zp" +
                 (floatZeros ? ":f32" : ""));
  weight.setGroup(s.block);
  // Columns beyond K are room in the last block.
  weight.setLayoutAttr(LayoutAttr::get(
      context, "flat(" + std::to_string(s.blocks * s.block * s.bits) +
                   ")=[b:" + bits + ", k:*], row=[n:*]"));
  weight.setScalesAttr(node.constants.inPlace(
      **scales, RankedTensorType::get({s.n, s.blocks}, scaleType)));
  weight.setOffsetsAttr(*zeros);
  if (!order->empty()) {
    weight.setPermutationAttr(permutationAttr(node, *order));
    weight.setUnsorted(true);
  }
  LoadWeightOp load = node.constants.load(weight);

  SizedTensor x = node.f32(0);
  if (x.rank() == 0 ||
      node.sizes.equal(x.sizes.back(), node.sizes.constant(s.k)) ==
          std::optional<bool>(false))
    return node.error() << "it multiplies a tensor of shape "
                        << describe(x.sizes) << " by a weight of K = " << s.k;
  Sizes outer(x.sizes.begin(), x.sizes.end() - 1), result = outer;
  result.push_back(node.sizes.constant(s.n));
  Size rows = node.sizes.product(outer);
  x = node.tensors.reshape(x, {rows, node.sizes.constant(s.k)});
  Value bias;
  if (node.has(5))
    bias = node.f32(5).value;
  Sizes flat{rows, node.sizes.constant(s.n)};
  ComputeMode mode = node.options.compute.value_or(ComputeMode::Float);
  if (auto refusal = refusalOf(mode, weight.getFormat()))
    return node.error() << "its weights are " << *refusal;
  // Level 4 says how activations may be quantized, where they are: in blocks.
  bool inBlocks =
      mode == ComputeMode::Int && node.integer("accuracy_level", 0) == 4;
  Value y = MatmulOp::create(
      node.b, node.tensors.typeOf(flat, node.b.getF32Type()), x.value,
      /*input_scales=*/Value(), /*input_zeros=*/Value(), load.getResult(0),
      load.getResult(1), load.getResult(2),
      order->empty() ? Value() : load.getResult(3), bias, mode, s.block,
      inBlocks ? s.block : int64_t(0), ConfigAttr());
  SizedTensor shaped = node.tensors.reshape({y, flat}, result);
  return node.result(
      node.tensors.convertFloat(shaped, irType(context, node.type(0))),
      node.type(0));
}

} // namespace

ArrayRef<OperatorRow> mezzo::matMulNBitsOperators() {
  static const OperatorRow rows[] = {
      {MicrosoftDomain, "MatMulNBits", 1, 3, 6, importMatMulNBits}};
  return rows;
}
