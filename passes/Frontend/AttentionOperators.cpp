//===- AttentionOperators.cpp - Attention and MultiHeadAttention ----------===//

#include "passes/Frontend/Attention.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

/// The result in the model's type of input 0.
LogicalResult finish(Node &node, SizedTensor y, unsigned output = 0) {
  return node.result(
      node.tensors.convertFloat(y, irType(node.b.getContext(), node.type(0))),
      node.type(0), output);
}

/// The keys or values so far and those that are new: the present ones, which
/// are results too.
FailureOr<SizedTensor> withPast(Node &node, SizedTensor added,
                                unsigned pastInput, unsigned presentOutput) {
  if (node.has(pastInput)) {
    SizedTensor past = node.f32(pastInput);
    if (past.rank() != 4)
      return node.error() << "its past has the shape " << describe(past.sizes)
                          << ", but must be [batch, heads, past, head]";
    added = appendRows(node, past, added);
  }
  if (node.wants(presentOutput) && failed(finish(node, added, presentOutput)))
    return failure();
  return added;
}

float defaultScale(Node &node, SizedTensor q) {
  float given = node.real("scale", 0);
  std::optional<int64_t> width = getConstantIntValue(q.sizes[3]);
  return given != 0 ? given : 1.0f / std::sqrt(float(width.value_or(1)));
}

Value less(ImplicitLocOpBuilder &b, Value x, Value y) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, x, y);
}

/// A query at place s behind `past` others sees no key behind its own.
Attention::Visible causal(Node &node, Size past) {
  Value offset = node.sizes.value(past);
  return [offset](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
    Value last = arith::AddIOp::create(b, at[2], offset);
    return arith::CmpIOp::create(b, arith::CmpIPredicate::sle, at[3], last);
  };
}

/// A mask as what is added to the scores. It may have fewer columns than there
/// are keys; those that it lacks are masked.
FailureOr<SizedTensor> additiveMask(Node &node, unsigned input, Size keys) {
  constexpr float Infinity = std::numeric_limits<float>::infinity();
  SizedTensor mask;
  if (node.type(input) == ElementType::Bool) {
    mask = node.tensors.elementwise(
        node.tensor(input), node.b.getF32Type(),
        [](ImplicitLocOpBuilder &b, ValueRange x) -> Value {
          auto number = [&](float value) -> Value {
            return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
          };
          return arith::SelectOp::create(b, x[0], number(0), number(-Infinity));
        });
  } else if (isFloat(node.type(input)) &&
             node.type(input) != ElementType::F64) {
    mask = node.f32(input);
  } else {
    return node.error() << "its mask is of type " << name(node.type(input))
                        << ": use bool, f32, f16 or bf16";
  }
  if (mask.rank() < 1)
    return node.error() << "its mask is a scalar; give it a size for the keys";
  std::optional<int64_t> have = getConstantIntValue(mask.sizes.back()),
                         want = getConstantIntValue(keys);
  if (have && *have == 1 && (!want || *want != 1))
    return mask; // broadcast
  if (node.sizes.surelyEqual(mask.sizes.back(), keys))
    return mask;
  if (node.sizes.lessOrEqual(mask.sizes.back(), keys) !=
      std::optional<bool>(true)) {
    Sizes shape = mask.sizes;
    shape.back() = node.sizes.unify(
        keys, mask.sizes.back(),
        node.subject() + ": its mask has another number of columns than there "
                         "are keys");
    return node.tensors.fit(mask, shape);
  }
  Sizes shape = mask.sizes;
  shape.back() = keys;
  SizedTensor padded =
      node.tensors.filled(shape, node.b.getF32FloatAttr(-Infinity));
  return node.tensors.insert(mask, padded,
                             Sizes(mask.rank(), node.sizes.constant(0)));
}

//===----------------------------------------------------------------------===//
// ai.onnx Attention
//===----------------------------------------------------------------------===//

LogicalResult importAttention(Node &node) {
  if (node.hasAttribute("left_window_size") ||
      node.hasAttribute("right_window_size"))
    return node.error() << "it has a window, which is not supported; export "
                           "the model with a mask instead";
  SizedTensor q = node.f32(0), k = node.f32(1), v = node.f32(2);
  bool flat = q.rank() == 3;
  if (q.rank() != k.rank() || q.rank() != v.rank() ||
      (q.rank() != 3 && q.rank() != 4))
    return node.error() << "its operands have ranks " << q.rank() << ", "
                        << k.rank() << " and " << v.rank()
                        << ", but all must be 3 or 4";
  if (flat) {
    int64_t heads = node.integer("q_num_heads", 0),
            kvHeads = node.integer("kv_num_heads", 0);
    FailureOr<SizedTensor> sq = splitHeads(node, q, heads),
                           sk = splitHeads(node, k, kvHeads),
                           sv = splitHeads(node, v, kvHeads);
    if (failed(sq) || failed(sk) || failed(sv))
      return failure();
    q = *sq, k = *sk, v = *sv;
  }
  Size past = node.has(4) ? node.in(4).sizes[2] : node.sizes.constant(0);
  FailureOr<SizedTensor> keys = withPast(node, k, 4, 1),
                         values = withPast(node, v, 5, 2);
  if (failed(keys) || failed(values))
    return failure();
  Attention attention;
  attention.scale = defaultScale(node, q);
  attention.softcap = node.real("softcap", 0);
  if (node.has(3)) {
    FailureOr<SizedTensor> mask = additiveMask(node, 3, keys->sizes[2]);
    if (failed(mask))
      return failure();
    attention.biases.push_back(*mask);
  }
  if (node.integer("is_causal", 0))
    attention.visible.push_back(causal(node, past));
  if (node.has(6)) {
    SizedTensor lengths = node.tensor(6);
    if (lengths.rank() != 1)
      return node.error() << "its nonpad_kv_seqlen has rank " << lengths.rank()
                          << ", but must have one element for each batch";
    attention.visible.push_back([lengths](ImplicitLocOpBuilder &b,
                                          ValueRange at) -> Value {
      return less(b, at[3], toIndex(b, elementAt(b, lengths.value, {at[0]})));
    });
  }
  FailureOr<SizedTensor> y = attention.build(node, q, *keys, *values);
  if (failed(y))
    return failure();
  int64_t stage = node.integer("qk_matmul_output_mode", 0);
  if (node.wants(3)) {
    if (stage < 0 || stage > 3)
      return node.error() << "its qk_matmul_output_mode is " << stage
                          << ": use 0 to 3";
    if (failed(finish(node, attention.stages[stage], 3)))
      return failure();
  }
  return finish(node, flat ? mergeHeads(node, *y) : *y);
}

//===----------------------------------------------------------------------===//
// com.microsoft MultiHeadAttention
//===----------------------------------------------------------------------===//

/// x + a part of the bias, which holds those of queries, keys and values.
FailureOr<SizedTensor> withBias(Node &node, SizedTensor x, SizedTensor bias,
                                Size at) {
  SizedTensor part = node.tensors.slice(bias, {at}, {x.sizes[x.rank() - 1]});
  if (!node.tensors.broadcastSizes({x.sizes, part.sizes}))
    return node.error() << "its bias of shape " << describe(bias.sizes)
                        << " does not fit " << describe(x.sizes);
  return node.tensors.elementwise(
      {x, part}, node.b.getF32Type(),
      [](ImplicitLocOpBuilder &b, ValueRange e) -> Value {
        return arith::AddFOp::create(b, e[0], e[1]);
      });
}

/// Where a key is padding, `filter` is added to its scores. The mask is a
/// length per batch, or a flag per batch and key, or per batch, query and key.
FailureOr<SizedTensor> paddingBias(Node &node, unsigned input, Size batch,
                                   Size keys, float filter) {
  SizedTensor mask = node.tensor(input);
  Size one = node.sizes.constant(1);
  auto number = [](ImplicitLocOpBuilder &b, float value) -> Value {
    return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
  };
  if (mask.rank() == 1) {
    if (node.sizes.equal(mask.sizes[0], batch) == std::optional<bool>(false))
      return node.error() << "its key_padding_mask of shape "
                          << describe(mask.sizes)
                          << " holds more than a length for each batch, which "
                             "is not supported; give one length, or a flag for "
                             "each key";
    return node.tensors.generate(
        {batch, one, one, keys}, node.b.getF32Type(),
        [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
          Value length = toIndex(b, elementAt(b, mask.value, {at[0]}));
          return arith::SelectOp::create(b, less(b, at[3], length),
                                         number(b, 0), number(b, filter));
        });
  }
  if (mask.rank() != 2 && mask.rank() != 3)
    return node.error() << "its key_padding_mask has rank " << mask.rank()
                        << ": use 1, 2 or 3";
  SizedTensor bias = node.tensors.elementwise(
      mask, node.b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange x) -> Value {
        Value zero =
            arith::ConstantOp::create(b, b.getZeroAttr(x[0].getType()));
        Value kept =
            arith::CmpIOp::create(b, arith::CmpIPredicate::ne, x[0], zero);
        return arith::SelectOp::create(b, kept, number(b, 0),
                                       number(b, filter));
      });
  Sizes shape = bias.sizes;
  shape.insert(shape.begin() + 1, one);
  if (bias.rank() == 2)
    shape.insert(shape.begin() + 1, one);
  return node.tensors.reshape(bias, shape);
}

LogicalResult importMultiHeadAttention(Node &node) {
  int64_t heads = node.integer("num_heads", 0);
  if (node.has(8) || node.has(9))
    return node.error()
           << "its past is a buffer that it writes to "
              "(past_sequence_length, cache_indirection), which is "
              "not supported; export the model with past and "
              "present tensors";
  if (!node.has(1) || !node.has(2))
    return node.error() << "its queries, keys and values are packed into one "
                           "tensor, which is not supported; export the model "
                           "with three";
  SizedTensor query = node.f32(0), key = node.f32(1), value = node.f32(2);
  if (query.rank() != 3 || (key.rank() != 3 && key.rank() != 4) ||
      key.rank() != value.rank())
    return node.error() << "its operands have the shapes "
                        << describe(query.sizes) << ", " << describe(key.sizes)
                        << " and " << describe(value.sizes)
                        << ", which is not supported: use [batch, sequence, "
                           "hidden], keys and values also as [batch, heads, "
                           "sequence, head]";
  if (node.has(3)) {
    SizedTensor bias = node.f32(3);
    Size width = query.sizes[2];
    FailureOr<SizedTensor> q =
        withBias(node, query, bias, node.sizes.constant(0));
    if (failed(q))
      return failure();
    query = *q;
    if (key.rank() == 3) {
      FailureOr<SizedTensor> k = withBias(node, key, bias, width);
      FailureOr<SizedTensor> v =
          failed(k)
              ? k
              : withBias(node, value, bias,
                         node.sizes.multiply(node.sizes.constant(2), width));
      if (failed(v))
        return failure();
      key = *k, value = *v;
    }
  }
  FailureOr<SizedTensor> q = splitHeads(node, query, heads);
  FailureOr<SizedTensor> k = key.rank() == 4 ? FailureOr<SizedTensor>(key)
                                             : splitHeads(node, key, heads);
  FailureOr<SizedTensor> v = value.rank() == 4 ? FailureOr<SizedTensor>(value)
                                               : splitHeads(node, value, heads);
  if (failed(q) || failed(k) || failed(v))
    return failure();
  Size past = node.has(6) ? node.in(6).sizes[2] : node.sizes.constant(0);
  FailureOr<SizedTensor> keys = withPast(node, *k, 6, 1),
                         values = withPast(node, *v, 7, 2);
  if (failed(keys) || failed(values))
    return failure();
  Attention attention;
  attention.scale = defaultScale(node, *q);
  if (node.has(4)) {
    FailureOr<SizedTensor> padding =
        paddingBias(node, 4, q->sizes[0], keys->sizes[2],
                    node.real("mask_filter_value", -10000.0f));
    if (failed(padding))
      return failure();
    attention.biases.push_back(*padding);
  }
  if (node.has(5))
    attention.biases.push_back(node.f32(5));
  if (node.integer("unidirectional", 0))
    attention.visible.push_back(causal(node, past));
  FailureOr<SizedTensor> y = attention.build(node, *q, *keys, *values);
  if (failed(y))
    return failure();
  if (node.wants(3) && failed(finish(node, attention.stages[2], 3)))
    return failure();
  return finish(node, mergeHeads(node, *y));
}

const OperatorRow rows[] = {
    {OnnxDomain, "Attention", 23, 3, 7, importAttention},
    {MicrosoftDomain, "MultiHeadAttention", 1, 1, 10, importMultiHeadAttention},
};

} // namespace

ArrayRef<OperatorRow> mezzo::attentionOperators() { return rows; }
