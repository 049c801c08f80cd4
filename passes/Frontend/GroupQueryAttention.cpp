//===- GroupQueryAttention.cpp - com.microsoft's attention of decoders ----===//
//
// Keys and values of earlier calls come in and go out, [batch, heads, length,
// head]. Each batch has a length of its own: seqlens_k is its number of tokens,
// new ones included, less one. Its new rows are put behind those that it had,
// and what lies beyond them is padding that no query sees:
//
//     past      k0 k1 k2 .  .        3 tokens, room for 5
//     new       n0                   seqlens_k = 3
//     present   k0 k1 k2 n0 .  .     room for 5 + 1
//
//===----------------------------------------------------------------------===//

#include "passes/Frontend/Attention.h"
#include "passes/Frontend/Registry.h"
#include "passes/Frontend/Types.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mezzo;

namespace {

enum Input : unsigned {
  Query,
  Key,
  Value_,
  PastKey,
  PastValue,
  SeqLensK,
  TotalLength,
  CosCache,
  SinCache,
  PositionIds,
  AttentionBias,
  HeadSink,
  KScale,
  VScale,
  QNorm,
  KNorm
};

LogicalResult checkSupported(Node &node) {
  auto refuse = [&](StringRef what, StringRef instead) {
    return node.error() << "it has " << what << ", which is not supported; "
                        << instead;
  };
  if (node.has(HeadSink) || node.integer("smooth_softmax", 0) == 1)
    return refuse("a sink in its softmax (head_sink, smooth_softmax)",
                  "export the model without");
  if (node.has(KScale) || node.has(VScale) ||
      node.text("k_quant_type", "NONE") != "NONE" ||
      node.text("v_quant_type", "NONE") != "NONE")
    return refuse("a quantized cache of keys and values",
                  "export the model with a cache in f32 or f16");
  if (node.has(QNorm) || node.has(KNorm))
    return refuse("norms of queries and keys inside of it",
                  "export them as nodes of their own");
  if (!node.has(PastKey) || !node.has(PastValue))
    return refuse("no past keys and values",
                  "give it inputs for them, of length 0 at first");
  return success();
}

/// Columns [at, at + heads * width) of x[B, S, *] as [B, heads, S, width].
SizedTensor takeHeads(Node &node, SizedTensor x, int64_t at, int64_t heads,
                      int64_t width) {
  SizeArithmetic &sizes = node.sizes;
  SizedTensor part = node.tensors.slice(
      x, {sizes.constant(0), sizes.constant(0), sizes.constant(at)},
      {x.sizes[0], x.sizes[1], sizes.constant(heads * width)});
  SizedTensor split =
      node.tensors.reshape(part, {x.sizes[0], x.sizes[1], sizes.constant(heads),
                                  sizes.constant(width)});
  return node.tensors.transpose(split, {0, 2, 1, 3});
}

/// Tokens of batch b before this call, from seqlens_k.
Value pastOf(ImplicitLocOpBuilder &b, Value seqLens, Value batch, Value added) {
  Value one = arith::ConstantIndexOp::create(b, 1),
        zero = arith::ConstantIndexOp::create(b, 0);
  Value total =
      arith::AddIOp::create(b, toIndex(b, elementAt(b, seqLens, {batch})), one);
  return arith::MaxSIOp::create(
      b, arith::SubIOp::create(b, total, added).getResult(), zero);
}

LogicalResult importGroupQueryAttention(Node &node) {
  if (failed(checkSupported(node)))
    return failure();
  SizeArithmetic &sizes = node.sizes;
  int64_t heads = node.integer("num_heads", 0),
          kvHeads = node.integer("kv_num_heads", 0);
  SizedTensor query = node.f32(Query), pastKey = node.f32(PastKey),
              pastValue = node.f32(PastValue);
  bool packed = !node.has(Key);
  std::optional<int64_t> hidden =
      query.rank() == 3 ? getConstantIntValue(query.sizes[2]) : std::nullopt;
  int64_t perHead = packed ? heads + 2 * kvHeads : heads;
  if (!hidden || heads < 1 || kvHeads < 1 || *hidden % perHead != 0 ||
      pastKey.rank() != 4 || pastValue.rank() != 4)
    return node.error() << "its queries of shape " << describe(query.sizes)
                        << " and past keys of shape " << describe(pastKey.sizes)
                        << " do not fit " << heads << " heads of queries and "
                        << kvHeads << " of keys";
  int64_t width = *hidden / perHead;
  SizedTensor q = takeHeads(node, query, 0, heads, width);
  SizedTensor k = packed ? takeHeads(node, query, heads * width, kvHeads, width)
                         : takeHeads(node, node.f32(Key), 0, kvHeads, width);
  SizedTensor v =
      packed ? takeHeads(node, query, (heads + kvHeads) * width, kvHeads, width)
             : takeHeads(node, node.f32(Value_), 0, kvHeads, width);
  SizedTensor seqLens = node.tensor(SeqLensK);
  seqLens = node.tensors.reshape(seqLens, {sizes.product(seqLens.sizes)});
  Value lengths = seqLens.value;
  Value added = sizes.value(q.sizes[2]);

  if (node.integer("do_rotary", 0)) {
    if (!node.has(CosCache) || !node.has(SinCache))
      return node.error()
             << "it turns queries and keys, but has no cosines and "
                "sines; export the model again";
    SizedTensor positions;
    if (node.has(PositionIds))
      positions = node.tensor(PositionIds);
    auto row = [&](ImplicitLocOpBuilder &b, Value batch, Value s) -> Value {
      if (positions.value)
        return toIndex(b, elementAt(b, positions.value, {batch, s}));
      return arith::AddIOp::create(b, pastOf(b, lengths, batch, added), s);
    };
    SizedTensor cos = rowsOfCache(node, node.f32(CosCache), q.sizes[0],
                                  q.sizes[2], row),
                sin = rowsOfCache(node, node.f32(SinCache), q.sizes[0],
                                  q.sizes[2], row);
    bool interleaved = node.integer("rotary_interleaved", 0) != 0;
    FailureOr<SizedTensor> rq = rotate(node, q, cos, sin, interleaved),
                           rk = rotate(node, k, cos, sin, interleaved);
    if (failed(rq) || failed(rk))
      return failure();
    q = *rq, k = *rk;
  }

  // Each batch's new rows go behind its own past.
  auto present = [&](SizedTensor past, SizedTensor fresh) {
    Sizes shape = fresh.sizes;
    shape[2] = sizes.add(past.sizes[2], fresh.sizes[2]);
    return node.tensors.generate(
        shape, node.b.getF32Type(),
        [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
          Value before = pastOf(b, lengths, at[0], added);
          Value index = arith::SubIOp::create(b, at[2], before);
          Value old = elementAt(b, past.value, at);
          Value next = elementAt(b, fresh.value, {at[0], at[1], index, at[3]});
          Value isOld = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                              at[2], before);
          Value isNew =
              arith::CmpIOp::create(b, arith::CmpIPredicate::slt, index, added);
          Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
          return arith::SelectOp::create(
              b, isOld, old, arith::SelectOp::create(b, isNew, next, zero));
        });
  };
  SizedTensor keys = present(pastKey, k), values = present(pastValue, v);
  auto finish = [&](SizedTensor y, unsigned output) {
    return node.result(node.tensors.convertFloat(
                           y, irType(node.b.getContext(), node.type(Query))),
                       node.type(Query), output);
  };
  if (failed(finish(keys, 1)) || failed(finish(values, 2)))
    return failure();

  Attention attention;
  float scale = node.real("scale", 0);
  attention.scale = scale != 0 ? scale : 1.0f / std::sqrt(float(width));
  attention.softcap = node.real("softcap", 0);
  if (node.has(AttentionBias))
    attention.biases.push_back(node.f32(AttentionBias));
  int64_t window = node.integer("local_window_size", -1);
  attention.visible.push_back(
      [=](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        Value own =
            arith::AddIOp::create(b, pastOf(b, lengths, at[0], added), at[2]);
        Value sees =
            arith::CmpIOp::create(b, arith::CmpIPredicate::sle, at[3], own);
        if (window <= 0)
          return sees;
        Value first = arith::SubIOp::create(
            b, own, arith::ConstantIndexOp::create(b, window).getResult());
        Value within =
            arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, at[3], first);
        return arith::AndIOp::create(b, sees, within);
      });
  FailureOr<SizedTensor> y = attention.build(node, q, keys, values);
  if (failed(y))
    return failure();
  return finish(mergeHeads(node, *y), 0);
}

const OperatorRow rows[] = {
    {MicrosoftDomain, "GroupQueryAttention", 1, 1, 16,
     importGroupQueryAttention},
};

} // namespace

ArrayRef<OperatorRow> mezzo::groupQueryAttentionOperators() { return rows; }
