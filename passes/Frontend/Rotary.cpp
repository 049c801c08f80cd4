//===- Rotary.cpp - rotary position embedding -----------------------------===//

#include "passes/Frontend/Attention.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

FailureOr<SizedTensor> mezzo::rotate(Node &node, SizedTensor x, SizedTensor cos,
                                     SizedTensor sin, bool interleaved) {
  SizeArithmetic &sizes = node.sizes;
  TensorBuilder &tensors = node.tensors;
  std::optional<int64_t> width = getConstantIntValue(x.sizes[3]),
                         half = getConstantIntValue(cos.sizes[2]);
  if (!width || !half || 2 * *half > *width ||
      !sizes.surelyEqual(cos.sizes[2], sin.sizes[2]))
    return node.error() << "it turns heads of " << describe(x.sizes[3])
                        << " columns by cosines and sines of "
                        << describe(cos.sizes[2]) << " and "
                        << describe(sin.sizes[2])
                        << ": these must be known, equal, and at most half as "
                           "many";
  Size zero = sizes.constant(0), one = sizes.constant(1),
       pairs = sizes.constant(*half);
  Sizes part = x.sizes;
  part[3] = pairs;
  // [B, N, S, R / 2] of either column of a pair; the angles are the same for
  // all heads.
  auto column = [&](int64_t second) {
    Sizes at(4, zero);
    at[3] = sizes.constant(interleaved ? second : second * *half);
    return tensors.slice(x, at, part, {1, 1, 1, interleaved ? 2 : 1});
  };
  SizedTensor first = column(0), second = column(1);
  auto perHead = [&](SizedTensor angle) {
    return tensors.reshape(angle, {angle.sizes[0], one, angle.sizes[1], pairs});
  };
  SizedTensor c = perHead(cos), s = perHead(sin);
  if (!tensors.broadcastSizes({first.sizes, c.sizes, s.sizes}))
    return node.error() << "its cosines of shape " << describe(cos.sizes)
                        << " do not fit an input of shape "
                        << describe(x.sizes);
  auto turned = [&](bool imaginary) {
    return tensors.elementwise(
        {first, second, c, s}, node.b.getF32Type(),
        [&](ImplicitLocOpBuilder &b, ValueRange e) -> Value {
          Value left = arith::MulFOp::create(b, imaginary ? e[3] : e[2], e[0]);
          Value right = arith::MulFOp::create(b, imaginary ? e[2] : e[3], e[1]);
          return imaginary ? arith::AddFOp::create(b, left, right).getResult()
                           : arith::SubFOp::create(b, left, right);
        });
  };
  SizedTensor real = turned(false), imaginary = turned(true);
  // Pairs are [.., R / 2, 2] where they are interleaved, [.., 2, R / 2] else.
  Sizes paired = x.sizes, both = x.sizes;
  paired.push_back(sizes.constant(interleaved ? 2 : *half));
  paired[3] = sizes.constant(interleaved ? *half : 2);
  both[3] = sizes.constant(2 * *half);
  Sizes slot = paired;
  int64_t axis = interleaved ? 4 : 3;
  slot[axis] = one;
  SizedTensor all{tensors.empty(paired, node.b.getF32Type()), paired};
  Sizes at(5, zero);
  all = tensors.insert(tensors.reshape(real, slot), all, at);
  at[axis] = one;
  all = tensors.insert(tensors.reshape(imaginary, slot), all, at);
  SizedTensor result = tensors.reshape(all, both);
  if (2 * *half == *width)
    return result;
  return tensors.insert(result, x, Sizes(4, zero));
}

SizedTensor mezzo::rowsOfCache(
    Node &node, SizedTensor table, Size batch, Size sequence,
    llvm::function_ref<Value(ImplicitLocOpBuilder &, Value b, Value s)>
        position) {
  return node.tensors.generate(
      {batch, sequence, table.sizes[1]}, node.b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange at) {
        return elementAt(b, table.value,
                         ValueRange{position(b, at[0], at[1]), at[2]});
      });
}

namespace {

/// The standard's inputs are X, cos, sin and perhaps positions; those of
/// com.microsoft are X, positions, cos and sin.
LogicalResult importRotaryEmbedding(Node &node) {
  bool standard = node.domain().empty();
  unsigned cosInput = standard ? 1 : 2, sinInput = standard ? 2 : 3,
           positionInput = standard ? 3 : 1;
  if (!standard &&
      (node.integer("is_packed_batching", 0) || node.real("scale", 1) != 1))
    return node.error() << "its batches are packed, or it scales, which is not "
                           "supported; export the model without";
  SizedTensor given = node.f32(0), x = given, cos = node.f32(cosInput),
              sin = node.f32(sinInput);
  int64_t columns = node.integer("rotary_embedding_dim", 0),
          heads = node.integer("num_heads", 0);
  if (given.rank() == 3) {
    std::optional<int64_t> width = getConstantIntValue(given.sizes[2]),
                           half = getConstantIntValue(cos.sizes.back());
    if (heads == 0 && columns == 0 && width && half && *half > 0)
      heads = *width / (2 * *half);
    FailureOr<SizedTensor> split = splitHeads(node, given, heads);
    if (failed(split))
      return failure();
    x = *split;
  } else if (given.rank() != 4) {
    return node.error() << "its input has rank " << given.rank()
                        << ": use [batch, sequence, hidden] or [batch, heads, "
                           "sequence, head]";
  }
  if (node.has(positionInput)) {
    if (cos.rank() != 2 || sin.rank() != 2)
      return node.error() << "its cosines have rank " << cos.rank()
                          << ", but positions choose rows of a matrix";
    SizedTensor positions = node.tensor(positionInput);
    bool offset = positions.rank() != 2;
    auto row = [&](ImplicitLocOpBuilder &b, Value batch,
                   Value sequence) -> Value {
      if (!offset)
        return toIndex(b, elementAt(b, positions.value, {batch, sequence}));
      Value zero = arith::ConstantIndexOp::create(b, 0);
      Value first = positions.rank() == 0
                        ? elementAt(b, positions.value, {})
                        : elementAt(b, positions.value, {zero});
      return arith::AddIOp::create(b, toIndex(b, first), sequence);
    };
    cos = rowsOfCache(node, cos, x.sizes[0], x.sizes[2], row);
    sin = rowsOfCache(node, sin, x.sizes[0], x.sizes[2], row);
  } else if (cos.rank() != 3 || sin.rank() != 3) {
    return node.error() << "its cosines have rank " << cos.rank()
                        << ", but without positions there is one row for each "
                           "batch and place: rank 3";
  }
  FailureOr<SizedTensor> y =
      rotate(node, x, cos, sin, node.integer("interleaved", 0) != 0);
  if (failed(y))
    return failure();
  SizedTensor result = given.rank() == 3 ? mergeHeads(node, *y) : *y;
  return node.result(node.tensors.convertFloat(
                         result, irType(node.b.getContext(), node.type(0))),
                     node.type(0));
}

const OperatorRow rows[] = {
    {OnnxDomain, "RotaryEmbedding", 23, 3, 4, importRotaryEmbedding},
    {MicrosoftDomain, "RotaryEmbedding", 1, 4, 4, importRotaryEmbedding},
};

} // namespace

ArrayRef<OperatorRow> mezzo::rotaryOperators() { return rows; }
