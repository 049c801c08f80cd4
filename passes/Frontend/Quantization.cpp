//===- Quantization.cpp - QuantizeLinear and DequantizeLinear -------------===//

#include "passes/Frontend/ConstantCodes.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// Axis and block of the scales: a scalar (or one element), a vector along the
/// axis, or blocks along it.
struct Granularity {
  SizedTensor scales;
  Value zeros;
  int64_t axis = 0, block = 0;
};

FailureOr<Granularity> readGranularity(Node &node, ElementType codes) {
  Granularity g;
  g.scales = isSmallFloat(node.type(1)) ? node.f32(1) : node.held(1);
  int64_t rank = node.rank(0);
  if (!isFloat(node.type(1)) || node.type(1) == ElementType::F64)
    return node.error() << "its scales are of type " << name(node.type(1))
                        << ": use f32, f16 or bf16";
  g.block = node.integer("block_size", 0);
  if (node.has(2)) {
    if (node.type(2) != codes)
      return node.error() << "its zero points are of type "
                          << name(node.type(2)) << ", but its codes of type "
                          << name(codes);
    g.zeros =
        codes == ElementType::I32 ? node.tensor(2).value : node.codes(2).value;
  }
  // A vector of one scale is a scalar by another name, unless the axis has one
  // element.
  if (g.scales.rank() == 1 && g.block == 0 &&
      node.sizes.surelyEqual(g.scales.sizes[0], node.sizes.constant(1)))
    g.scales = node.tensors.reshape(g.scales, {});
  // So is a zero point beside a scalar.
  if (g.zeros) {
    SizedTensor zeros{g.zeros, node.in(2).sizes};
    if (g.scales.rank() == 0 &&
        node.sizes.surelyEqual(node.sizes.product(zeros.sizes),
                               node.sizes.constant(1)))
      zeros = node.tensors.reshape(zeros, {});
    bool differ = zeros.rank() != g.scales.rank();
    for (auto [zero, scale] : llvm::zip(zeros.sizes, g.scales.sizes))
      differ |= node.sizes.equal(zero, scale) == std::optional<bool>(false);
    if (differ)
      return node.error() << "its zero points have the shape "
                          << describe(zeros.sizes) << ", but its scales "
                          << describe(node.in(1).sizes)
                          << ": one is needed for each";
    g.zeros = zeros.value;
  }
  if (g.scales.rank() == 0) {
    g.block = 0;
    return g;
  }
  FailureOr<int64_t> axis = node.axis(node.integer("axis", 1), rank);
  if (failed(axis))
    return failure();
  g.axis = *axis;
  return g;
}

LogicalResult importQuantize(Node &node) {
  ElementType type =
      node.has(2)
          ? node.type(2)
          : ElementType(node.integer("output_dtype", int64_t(ElementType::U8)));
  if (isSmallFloat(type))
    return importQuantizeToFloat(node, type);
  if (formatName(type).empty())
    return node.error()
           << "it quantizes to " << name(type)
           << ", which is not supported: use an integer of 2 to 16 bits";
  if (foldQuantize(node, type))
    return success();
  FailureOr<Granularity> g = readGranularity(node, type);
  if (failed(g))
    return failure();
  SizedTensor x = node.f32(0);
  auto result = x.type().clone(codeType(node.b.getContext(), type));
  Value y = QuantizeOp::create(node.b, result, x.value, g->scales.value,
                               g->zeros, g->axis, g->block);
  return node.result(SizedTensor{y, x.sizes}, type);
}

/// The result stays in f32 where the scale has fewer bits: a product reads it
/// unrounded unless --strict-dq.
LogicalResult importDequantize(Node &node) {
  ElementType type = node.type(0);
  if (isSmallFloat(type))
    return importDequantizeFloat(node);
  if (formatName(type).empty() && type != ElementType::I32)
    return node.error()
           << "it dequantizes " << name(type)
           << ", which is not supported: use an integer of 2 to 16 bits";
  FailureOr<Granularity> g = readGranularity(node, type);
  if (failed(g))
    return failure();
  SizedTensor x = type == ElementType::I32 ? node.tensor(0) : node.codes(0);
  auto result = x.type().clone(node.b.getF32Type());
  auto op = DequantizeOp::create(node.b, result, x.value, g->scales.value,
                                 g->zeros, g->axis, g->block);
  if (node.options.strictDq)
    op->setAttr("mezzo.strict", node.b.getUnitAttr());
  ElementType declared =
      ElementType(node.integer("output_dtype", int64_t(node.type(1))));
  return node.result(SizedTensor{op.getOutput(), x.sizes}, declared);
}

} // namespace

ArrayRef<OperatorRow> mezzo::quantizationOperators() {
  static const OperatorRow rows[] = {
      {OnnxDomain, "QuantizeLinear", 10, 2, 3, importQuantize},
      {OnnxDomain, "DequantizeLinear", 10, 2, 3, importDequantize},
      {MicrosoftDomain, "QuantizeLinear", 1, 2, 3, importQuantize},
      {MicrosoftDomain, "DequantizeLinear", 1, 2, 3, importDequantize},
  };
  return rows;
}
