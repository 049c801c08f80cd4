"""The operators of exported decoders, one or a few at a time, with dynamic batches and lengths."""

from functools import partial

import numpy as np

from onnx import TensorProto

from .graph import MICROSOFT, Graph
from .nbits import pack_bits

HEADS, KV_HEADS, WIDTH = 6, 2, 16


def _f32(g, *shape):
    return g.random.standard_normal(shape).astype(np.float32)


def _cache(g, name, length=32, half=WIDTH // 2):
    """Cosines and sines of positions."""
    angles = np.outer(np.arange(length), 10.0 ** (-np.arange(half) / 4)).astype(np.float32)
    return g.constant(np.cos(angles), f"{name}.cos"), g.constant(np.sin(angles), f"{name}.sin")


def skip_layer_norm(seed, simplified, bias):
    """x + skip (+ bias), its norm and the sum itself."""
    g = Graph("skip_layer_norm", seed)
    shape = ["batch", "sequence", 48]
    x, skip = g.input("x", _f32(g, 2, 5, 48), shape), g.input("skip", _f32(g, 2, 5, 48), shape)
    inputs = [x, skip, g.constant(_f32(g, 48), "gamma")]
    if not simplified:
        inputs.append(g.constant(_f32(g, 48), "beta"))
    if bias:
        inputs.append(g.constant(_f32(g, 48), "bias"))
    kind = "SkipSimplifiedLayerNormalization" if simplified else "SkipLayerNormalization"
    g.op(kind, *inputs, name="y", domain=MICROSOFT, outputs=["y", "", "", "sum"], epsilon=1e-5)
    g.output("y", shape)
    g.output("sum", shape)
    return g


def rotary(seed, standard, flat, interleaved, columns=0, positions="matrix"):
    """RotaryEmbedding of either domain: on [B, S, hidden] or [B, N, S, H], whole heads or their first columns."""
    g = Graph("rotary", seed, opset=23)
    half = (columns or WIDTH) // 2
    if flat:
        x = g.input("x", _f32(g, 2, 5, HEADS * WIDTH), ["batch", "sequence", HEADS * WIDTH])
    else:
        x = g.input("x", _f32(g, 2, HEADS, 5, WIDTH), ["batch", HEADS, "sequence", WIDTH])
    attributes = {"interleaved": int(interleaved), "rotary_embedding_dim": columns}
    if flat or columns:
        attributes["num_heads"] = HEADS
    if positions == "none":
        angles = _f32(g, 2, 5, half)
        cos = g.input("cos", np.cos(angles), ["batch", "sequence", half])
        sin = g.input("sin", np.sin(angles), ["batch", "sequence", half])
        inputs = [x, cos, sin]
    else:
        cos, sin = _cache(g, "rotary", half=half)
        ids = np.array([7]) if positions == "offset" else g.random.integers(0, 32, (2, 5))
        ids = g.input("ids", ids, [1] if positions == "offset" else ["batch", "sequence"])
        inputs = [x, cos, sin, ids] if standard else [x, ids, cos, sin]
    y = g.op("RotaryEmbedding", *inputs, name="y", domain="" if standard else MICROSOFT, **attributes)
    g.output(y, ["batch", "sequence", HEADS * WIDTH] if flat else ["batch", HEADS, "sequence", WIDTH])
    return g


def attention(seed, flat, past=0, mask=None, causal=False, softcap=0.0, sequence=5, kv_heads=KV_HEADS, stage=None):
    """ai.onnx Attention with grouped heads; `mask` is bool, float, or a float mask with fewer columns than keys."""
    g = Graph("attention", seed, opset=23)
    inputs = []
    for name, heads, length in (("q", HEADS, sequence), ("k", kv_heads, sequence + 1), ("v", kv_heads, sequence + 1)):
        rows = "queries" if name == "q" else "keys"
        if flat:
            inputs.append(g.input(name, _f32(g, 2, length, heads * WIDTH), ["batch", rows, heads * WIDTH]))
        else:
            inputs.append(g.input(name, _f32(g, 2, heads, length, WIDTH), ["batch", heads, rows, WIDTH]))
    total = past + sequence + 1
    if mask == "bool":
        values = g.random.random((2, 1, sequence, total)) < 0.7
        values[..., 0] = True
        inputs.append(g.input("mask", values, ["batch", 1, "queries", "total"]))
    elif mask == "float":
        inputs.append(g.input("mask", _f32(g, sequence, total), ["queries", "total"]))
    elif past:
        inputs.append("")
    if past:
        for name in ("past_key", "past_value"):
            inputs.append(g.input(name, _f32(g, 2, kv_heads, past, WIDTH), ["batch", kv_heads, "past", WIDTH]))
    attributes = {"is_causal": int(causal), "softcap": softcap}
    if flat:
        attributes |= {"q_num_heads": HEADS, "kv_num_heads": kv_heads}
    outputs = ["y"]
    if past:
        outputs += ["present_key", "present_value"]
    if stage is not None:
        outputs += [""] * (3 - len(outputs)) + ["scores"]
        attributes["qk_matmul_output_mode"] = stage
    g.op("Attention", *inputs, name="y", outputs=outputs, **attributes)
    g.output("y", ["batch", "queries", HEADS * WIDTH] if flat else ["batch", HEADS, "queries", WIDTH])
    for name in outputs[1:3]:
        if name:
            g.output(name, ["batch", kv_heads, "total", WIDTH])
    if stage is not None:
        g.output("scores", ["batch", HEADS, "queries", "keys"])
    return g


def multi_head(seed, past=0, bias=False, padding=None, extra=False, causal=False, cross=False):
    """com.microsoft MultiHeadAttention: padding as lengths or flags, a bias of projections and one of scores."""
    g = Graph("multi_head", seed)
    hidden, sequence, length = HEADS * WIDTH, 5, 5 if past or causal else 7
    q = g.input("q", _f32(g, 2, sequence, hidden), ["batch", "queries", hidden])
    if cross:
        k, v = (g.input(n, _f32(g, 2, HEADS, length, WIDTH), ["batch", HEADS, "keys", WIDTH]) for n in "kv")
    else:
        k, v = (g.input(n, _f32(g, 2, length, hidden), ["batch", "keys", hidden]) for n in "kv")
    total = past + length
    inputs = [q, k, v, g.constant(_f32(g, 3 * hidden), "bias") if bias else ""]
    if padding == "lengths":
        inputs.append(g.input("padding", np.array([total, 3], np.int32), ["batch"]))
    elif padding == "flags":
        flags = (g.random.random((2, total)) < 0.7).astype(np.int32)
        flags[:, 0] = 1
        inputs.append(g.input("padding", flags, ["batch", "total"]))
    else:
        inputs.append("")
    inputs.append(g.input("extra", _f32(g, 1, HEADS, sequence, total), [1, HEADS, "queries", "total"]) if extra else "")
    outputs = ["y"]
    if past:
        inputs += [
            g.input(n, _f32(g, 2, HEADS, past, WIDTH), ["batch", HEADS, "past", WIDTH]) for n in ("past_key", "past_value")
        ]
        outputs += ["present_key", "present_value"]
    while inputs[-1] == "":
        inputs.pop()
    g.op(
        "MultiHeadAttention", *inputs, name="y", domain=MICROSOFT, outputs=outputs, num_heads=HEADS, unidirectional=int(causal)
    )
    g.output("y", ["batch", "queries", hidden])
    for name in outputs[1:]:
        g.output(name, ["batch", HEADS, "total", WIDTH])
    return g


def group_query(seed, past, sequence, packed=False, rotary=True, interleaved=False, window=-1, softcap=0.0):
    """com.microsoft GroupQueryAttention: the first call (no past) and later ones, queries, keys and values packed or not."""
    g = Graph("group_query", seed)
    sizes = {"q": HEADS * WIDTH, "k": KV_HEADS * WIDTH, "v": KV_HEADS * WIDTH}
    if packed:
        width = sum(sizes.values())
        inputs = [g.input("q", _f32(g, 2, sequence, width), ["batch", "sequence", width]), "", ""]
    else:
        inputs = [g.input(n, _f32(g, 2, sequence, w), ["batch", "sequence", w]) for n, w in sizes.items()]
    for name in ("past_key", "past_value"):
        inputs.append(g.input(name, _f32(g, 2, KV_HEADS, past, WIDTH), ["batch", KV_HEADS, "past", WIDTH]))
    total = past + sequence
    inputs.append(g.input("seqlens_k", np.full(2, total - 1, np.int32), ["batch"]))
    inputs.append(g.input("total", np.array(total, np.int32), []))
    if rotary:
        inputs += _cache(g, "rotary")
    g.op(
        "GroupQueryAttention",
        *inputs,
        name="y",
        domain=MICROSOFT,
        outputs=["y", "present_key", "present_value"],
        num_heads=HEADS,
        kv_num_heads=KV_HEADS,
        do_rotary=int(rotary),
        rotary_interleaved=int(interleaved),
        local_window_size=window,
        softcap=softcap,
    )
    g.output("y", ["batch", "sequence", HEADS * WIDTH])
    for name in ("present_key", "present_value"):
        g.output(name, ["batch", KV_HEADS, "total_length", WIDTH])
    return g


def gathered_codes(seed, dtype, bits, zero_point, block=16, vocabulary=23, width=48):
    """GatherBlockQuantized: an embedding whose table is codes, of four bits by type or packed in bytes."""
    g = Graph("gathered_codes", seed)
    ids = g.input("ids", g.random.integers(0, vocabulary, (2, 5)), ["batch", "sequence"])
    groups = width // block
    scales = g.constant(g.random.uniform(0.5, 1.5, (vocabulary, groups)).astype(np.float32), "scales")
    values = g.random.integers(0, 1 << bits, (vocabulary, width)).astype(np.uint8)
    zeros = g.random.integers(0, 1 << bits, (vocabulary, groups)).astype(np.uint8)

    def codes(array, name):
        if dtype == "uint8":
            return g.constant(pack_bits(array.reshape(vocabulary, -1), bits), name)
        kind = {"int4": TensorProto.INT4, "uint4": TensorProto.UINT4}[dtype]
        return g.raw_constant(kind, array.shape, pack_bits(array.reshape(-1), 4).tobytes(), name)

    inputs = [codes(values, "table"), ids, scales] + ([codes(zeros, "zeros")] if zero_point else [])
    attributes = {"bits": bits} if dtype == "uint8" else {}
    y = g.op(
        "GatherBlockQuantized",
        *inputs,
        name="y",
        domain=MICROSOFT,
        gather_axis=0,
        quantize_axis=1,
        block_size=block,
        **attributes,
    )
    g.output(y, ["batch", "sequence", width])
    return g


DECODER = {
    "skip-layer-norm": partial(skip_layer_norm, 1, False, False),
    "skip-layer-norm-bias": partial(skip_layer_norm, 2, False, True),
    "skip-simplified": partial(skip_layer_norm, 3, True, False),
    "skip-simplified-bias": partial(skip_layer_norm, 4, True, True),
    "rotary-standard": partial(rotary, 5, True, False, False),
    "rotary-standard-flat-interleaved": partial(rotary, 6, True, True, True),
    "rotary-standard-part": partial(rotary, 7, True, False, False, columns=8),
    "rotary-standard-no-positions": partial(rotary, 8, True, True, False, positions="none"),
    "rotary-microsoft": partial(rotary, 9, False, True, False),
    "rotary-microsoft-interleaved": partial(rotary, 10, False, False, True),
    "rotary-microsoft-offset": partial(rotary, 11, False, True, False, positions="offset"),
    "attention": partial(attention, 12, False),
    "attention-flat-causal": partial(attention, 13, True, causal=True),
    "attention-past-causal": partial(attention, 14, False, past=3, causal=True),
    "attention-bool-mask": partial(attention, 15, True, mask="bool"),
    "attention-float-mask-past": partial(attention, 16, True, past=4, mask="float"),
    "attention-softcap": partial(attention, 17, False, softcap=2.0, stage=1),
    "attention-probabilities": partial(attention, 18, False, kv_heads=HEADS, causal=True, stage=3),
    "multi-head": partial(multi_head, 19),
    "multi-head-bias-lengths": partial(multi_head, 20, bias=True, padding="lengths"),
    "multi-head-flags-extra": partial(multi_head, 21, padding="flags", extra=True),
    "multi-head-past": partial(multi_head, 22, past=4, causal=True),
    "multi-head-cross": partial(multi_head, 23, cross=True),
    "group-query-first": partial(group_query, 24, 0, 7),
    "group-query-next": partial(group_query, 25, 9, 1),
    "group-query-packed": partial(group_query, 26, 0, 5, packed=True),
    "group-query-interleaved": partial(group_query, 27, 4, 1, interleaved=True),
    "group-query-window": partial(group_query, 28, 0, 9, window=3),
    "group-query-softcap": partial(group_query, 29, 6, 1, rotary=False, softcap=3.0),
    "gathered-int4": partial(gathered_codes, 30, "int4", 4, False),
    "gathered-uint4-zp": partial(gathered_codes, 31, "uint4", 4, True),
    "gathered-uint8-4": partial(gathered_codes, 32, "uint8", 4, False),
    "gathered-uint8-4-zp": partial(gathered_codes, 33, "uint8", 4, True),
    "gathered-uint8-8-zp": partial(gathered_codes, 34, "uint8", 8, True),
}
