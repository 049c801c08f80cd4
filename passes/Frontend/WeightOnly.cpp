//===- WeightOnly.cpp - tables and products with weights of codes ---------===//
//
// GatherBlockQuantized reads rows of a quantized table, mostly embeddings.
// Codes of less than a byte are packed in bytes, or have a type of their own;
// the default zero point is 0 for these and the middle for those.
//
// MatMulBnb4 multiplies by codes of a table of sixteen numbers, scaled by the
// largest magnitude of a block.
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/Attention.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

//===----------------------------------------------------------------------===//
// GatherBlockQuantized
//===----------------------------------------------------------------------===//

/// A tensor of codes, perhaps several in a byte along its last dimension.
struct PackedCodes {
  Value bytes;
  int64_t perByte;
  unsigned bits;
  bool isSigned;

  /// The code at these indices, counted in codes, as i32.
  Value at(ImplicitLocOpBuilder &b, SmallVector<Value> indices) const {
    Value place;
    if (perByte > 1) {
      Value count = arith::ConstantIndexOp::create(b, perByte);
      place = arith::RemUIOp::create(b, indices.back(), count);
      indices.back() = arith::DivUIOp::create(b, indices.back(), count);
    }
    Type i32 = b.getI32Type();
    Value byte = elementAt(b, bytes, indices);
    if (!place)
      return isSigned ? arith::ExtSIOp::create(b, i32, byte).getResult()
                      : arith::ExtUIOp::create(b, i32, byte);
    Value wide = arith::ExtUIOp::create(b, i32, byte);
    Value shift = arith::MulIOp::create(
        b, arith::IndexCastOp::create(b, i32, place).getResult(),
        arith::ConstantIntOp::create(b, i32, bits).getResult());
    Value field = arith::ShRUIOp::create(b, wide, shift);
    Value mask = arith::ConstantIntOp::create(b, i32, (1 << bits) - 1);
    return arith::AndIOp::create(b, field, mask);
  }
};

LogicalResult importGatherBlockQuantized(Node &node) {
  int64_t bits = node.integer("bits", 4),
          block = node.integer("block_size", 128);
  bool packed = node.type(0) == ElementType::U8;
  if (!packed && node.type(0) != ElementType::I4 &&
      node.type(0) != ElementType::U4)
    return node.error() << "its table is of type " << name(node.type(0))
                        << ": use i4, u4, or u8 with bits of 2, 4 or 8";
  if (!packed)
    bits = 4;
  if ((bits != 2 && bits != 4 && bits != 8) || block < 1)
    return node.error() << "its table has codes of " << bits
                        << " bits in blocks of " << block
                        << ": use 2, 4 or 8 bits";
  int64_t rank = node.rank(0);
  FailureOr<int64_t> gather = node.axis(node.integer("gather_axis", 0), rank),
                     quantize =
                         node.axis(node.integer("quantize_axis", 1), rank);
  if (failed(gather) || failed(quantize))
    return failure();
  int64_t perByte = packed ? 8 / bits : 1;
  if (*gather == *quantize ||
      (perByte > 1 && (*quantize != rank - 1 || *gather == rank - 1)))
    return node.error()
           << "it gathers along axis " << *gather
           << " and is quantized along axis " << *quantize
           << ", which is not supported: gather along one axis and "
              "quantize along another, the last where codes share "
              "a byte";
  PackedCodes table{node.numbers(0).value, perByte, unsigned(bits),
                    !packed && node.type(0) == ElementType::I4};
  SizedTensor data = node.numbers(0), indices = node.tensor(1),
              scales = node.f32(2);
  if (scales.rank() != rank)
    return node.error() << "its scales have rank " << scales.rank()
                        << ", but its table rank " << rank;
  std::optional<PackedCodes> zeros;
  if (node.has(3))
    zeros = PackedCodes{node.numbers(3).value, perByte, unsigned(bits),
                        table.isSigned};
  int32_t middle = packed ? 1 << (bits - 1) : 0;

  Sizes dims = data.sizes;
  if (perByte > 1)
    dims.back() =
        node.sizes.multiply(dims.back(), node.sizes.constant(perByte));
  Sizes shape(dims.begin(), dims.begin() + *gather);
  llvm::append_range(shape, indices.sizes);
  shape.append(dims.begin() + *gather + 1, dims.end());
  Value rows = node.sizes.value(dims[*gather]);
  SizedTensor y = node.tensors.generate(
      shape, node.b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        ValueRange chosen = at.slice(*gather, indices.rank());
        Value row = toIndex(b, elementAt(b, indices.value, chosen));
        Value zero = arith::ConstantIndexOp::create(b, 0);
        // A negative index counts from the end; one outside gives zeros.
        Value negative =
            arith::CmpIOp::create(b, arith::CmpIPredicate::slt, row, zero);
        row = arith::SelectOp::create(
            b, negative, arith::AddIOp::create(b, row, rows).getResult(), row);
        Value outside =
            arith::CmpIOp::create(b, arith::CmpIPredicate::uge, row, rows);
        SmallVector<Value> place(at.take_front(*gather));
        place.push_back(row);
        llvm::append_range(place, at.drop_front(*gather + indices.rank()));
        SmallVector<Value> group(place);
        group[*quantize] = arith::DivUIOp::create(
            b, group[*quantize],
            arith::ConstantIndexOp::create(b, block).getResult());
        Value code = table.at(b, place);
        Value offset =
            zeros ? zeros->at(b, group)
                  : arith::ConstantIntOp::create(b, b.getI32Type(), middle)
                        .getResult();
        Value difference = arith::SIToFPOp::create(
            b, b.getF32Type(),
            arith::SubIOp::create(b, code, offset).getResult());
        Value value = arith::MulFOp::create(b, difference,
                                            elementAt(b, scales.value, group));
        Value none = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
        return arith::SelectOp::create(b, outside, none, value);
      });
  return node.result(
      node.tensors.convertFloat(y, irType(node.b.getContext(), node.type(2))),
      node.type(2));
}

//===----------------------------------------------------------------------===//
// MatMulBnb4
//===----------------------------------------------------------------------===//

LogicalResult importMatMulBnb4(Node &node) {
  int64_t n = node.integer("N", 0), k = node.integer("K", 0),
          block = node.integer("block_size", 0);
  if (n < 1 || k < 1 || block < 1 || n > INT32_MAX || k > INT32_MAX)
    return node.error() << "its N = " << n << ", K = " << k
                        << " and block_size = " << block
                        << " must be positive; export the model again";
  if (node.integer("quant_type", 1) != 1)
    return node.error() << "its weights are codes of FP4 (quant_type 0), which "
                           "is not supported; quantize the model to NF4 "
                           "(quant_type 1)";
  if (node.integer("transB", 1) != 1 || node.integer("training_mode", 0) != 0)
    return node.error() << "its weight is not transposed, or it is in training "
                           "mode, which is not supported; export it for "
                           "inference with transB = 1";
  // Blocks run over the flattened weight; they are groups of rows where rows
  // are whole numbers of them.
  if (k % block != 0)
    return node.error() << "its K = " << k
                        << " is no multiple of its block_size = " << block
                        << ", so that blocks cross rows, which is not "
                           "supported; quantize with smaller blocks";
  const OnnxValue &b = node.in(1), &absmax = node.in(2);
  int64_t groups = k / block;
  Type scaleType = irType(node.b.getContext(), node.type(2));
  if (!b.constant || !absmax.constant || !isa_and_nonnull<FloatType>(scaleType))
    return node.error() << "its weights or scales are computed at run time, or "
                           "no floats, which is not supported; make them "
                           "initializers";
  ArrayRef<uint8_t> bytes = b.constant->bytes;
  if (int64_t(bytes.size()) != llvm::divideCeil(n * k, 2) ||
      absmax.constant->elements() != n * groups)
    return node.error() << "its weights have " << bytes.size() << " bytes and "
                        << absmax.constant->elements()
                        << " scales, but N, K and block_size ask for "
                        << llvm::divideCeil(n * k, 2) << " and " << n * groups
                        << "; export the model again";
  // The first code of a byte is in its high half.
  std::vector<uint8_t> turned(bytes.size());
  for (auto [from, to] : llvm::zip_equal(bytes, turned))
    to = from >> 4 | from << 4;
  MLIRContext *context = node.b.getContext();
  WeightOp weight = node.constants.weight(
      b.constant->name,
      RankedTensorType::get({n, k}, QType::get(context, "nf4")),
      node.constants.computed(
          b.constant->name,
          RankedTensorType::get({int64_t(turned.size())}, node.b.getI8Type()),
          std::move(turned)));
  weight.setSpec("nf4/g" + std::to_string(block));
  weight.setGroup(block);
  weight.setLayoutAttr(
      LayoutAttr::get(context, "flat=[b:4, k:" + std::to_string(k) + ", n:*]"));
  weight.setScalesAttr(node.constants.inPlace(
      *absmax.constant, RankedTensorType::get({n, groups}, scaleType)));
  ComputeMode mode = node.options.compute.value_or(ComputeMode::Float);
  if (auto refusal = refusalOf(mode, weight.getFormat()))
    return node.error() << "its weights are " << *refusal;
  LoadWeightOp load = node.constants.load(weight);
  SizedTensor x = node.f32(0);
  if (x.rank() == 0 ||
      node.sizes.equal(x.sizes.back(), node.sizes.constant(k)) ==
          std::optional<bool>(false))
    return node.error() << "it multiplies a tensor of shape "
                        << describe(x.sizes) << " by a weight of K = " << k;
  Sizes outer(x.sizes.begin(), x.sizes.end() - 1), result = outer;
  result.push_back(node.sizes.constant(n));
  Size rows = node.sizes.product(outer);
  x = node.tensors.reshape(x, {rows, node.sizes.constant(k)});
  Sizes flat{rows, node.sizes.constant(n)};
  Value y = MatmulOp::create(
      node.b, node.tensors.typeOf(flat, node.b.getF32Type()), x.value,
      load.getResult(0), load.getResult(1), /*offsets=*/Value(),
      /*permutation=*/Value(), /*bias=*/Value(), mode, block, ConfigAttr());
  return node.result(
      node.tensors.convertFloat(node.tensors.reshape({y, flat}, result),
                                irType(context, node.type(0))),
      node.type(0));
}

const OperatorRow rows[] = {
    {MicrosoftDomain, "GatherBlockQuantized", 1, 3, 4,
     importGatherBlockQuantized},
    {MicrosoftDomain, "MatMulBnb4", 1, 3, 3, importMatMulBnb4},
};

} // namespace

ArrayRef<OperatorRow> mezzo::weightOnlyOperators() { return rows; }
