"""What of the quantized and decoder operators is refused: an error that names the node, and the way out."""

import subprocess

import numpy as np
import onnx
import pytest

from builders.graph import MICROSOFT, Graph
from builders.qonnx import GENERAL

F = np.float32


def one_node(kind, shapes, domain=MICROSOFT, dtypes={}, constants=(), opset=21, outputs=None, **attributes):
    """A graph of one node `n`; input i is called `i<number>` and has `shapes[i]`, None where it is left out."""
    g = Graph("one", 1, opset=opset)
    inputs = []
    for i, shape in enumerate(shapes):
        if shape is None:
            inputs.append("")
            continue
        value = np.ones(shape, dtypes.get(i, F))
        if i in constants:
            inputs.append(g.constant(value, f"i{i}"))
        else:
            inputs.append(g.input(f"i{i}", value, list(shape)))
    g.op(kind, *inputs, name="n", domain=domain, outputs=outputs or ["y"], **attributes)
    g.output("y", None)
    model = g.model()
    entry = model.opset_import.add()
    entry.domain, entry.version = GENERAL, 1
    return model


HEADS = {"num_heads": 2, "kv_num_heads": 1}
GQA = [(1, 3, 8), (1, 3, 4), (1, 3, 4), (1, 1, 2, 4), (1, 1, 2, 4), (1,), ()]
GQA_TYPES = {5: np.int32, 6: np.int32}

REFUSED = {
    "matmul-integer-type": (
        one_node("MatMulInteger", [(2, 3), (3, 4)], domain="", dtypes={0: np.int16, 1: np.int8}),
        "node 'n' (MatMulInteger): its input 0 is of type i16: use i8 or u8",
    ),
    "matmul-integer-shape": (
        one_node("MatMulInteger", [(2, 3), (5, 4)], domain="", dtypes={0: np.uint8, 1: np.int8}, constants=(1,)),
        "node 'n' (MatMulInteger): it multiplies rows of [2, 3] by columns of 5; check the shapes of its inputs",
    ),
    "zero-points-without-scales": (
        one_node("QuantizeLinear", [(2, 3), (), (3,)], domain="", dtypes={2: np.uint8}, constants=(1, 2)),
        "node 'n' (QuantizeLinear): its zero points have the shape [3], but its scales []: one is needed for each",
    ),
    "dynamic-of-half": (
        one_node("DynamicQuantizeLinear", [(2, 3)], domain="", dtypes={0: np.float16}, outputs=["y", "s", "z"]),
        "node 'n' (DynamicQuantizeLinear): it quantizes elements of type f16: use f32",
    ),
    "qlinear-missing-scale": (
        one_node("QLinearAdd", [(2, 3), (), None, (2, 3), None, None, ()], dtypes={0: np.uint8, 3: np.uint8}),
        "node 'n' (QLinearAdd): its input 4 is missing; export the model again",
    ),
    "qlinear-vector-scale": (
        one_node("QLinearSigmoid", [(2, 3), (3,), None, ()], dtypes={0: np.uint8}),
        "its input 1 has the shape [3], but one scale and one zero point serve all codes",
    ),
    "quant-bits": (
        one_node("Quant", [(2, 3), (), (), ()], domain=GENERAL, constants=(1, 2)),
        "node 'n' (Quant): its bit width is computed at run time, which is not supported; make it an initializer",
    ),
    "quant-rounding": (
        one_node("Quant", [(2, 3), (), (), ()], domain=GENERAL, constants=(1, 2, 3), rounding_mode="SOMEHOW"),
        "node 'n' (Quant): its rounding_mode is 'SOMEHOW': use ROUND, CEIL, FLOOR",
    ),
    "trunc-inputs": (
        one_node("Trunc", [(2, 3)] + [()] * 5, domain=GENERAL, constants=(1, 2, 3, 4, 5)),
        "node 'n' (Trunc): it has 6 inputs, but takes 5 or 7; export the model again",
    ),
    "rotary-positions": (
        one_node("RotaryEmbedding", [(1, 2, 3, 4), (9, 2), (9, 2)], domain="", opset=23),
        "its cosines have rank 2, but without positions there is one row for each batch and place: rank 3",
    ),
    "attention-ranks": (
        one_node("Attention", [(1, 2, 3, 4), (1, 3, 8), (1, 3, 8)], domain="", opset=23),
        "node 'n' (Attention): its operands have ranks 4, 3 and 3, but all must be 3 or 4",
    ),
    "attention-heads": (
        one_node("Attention", [(1, 3, 3, 4), (1, 2, 3, 4), (1, 2, 3, 4)], domain="", opset=23),
        "it has [3] heads of queries, [2] of keys and [2] of values: they must be known",
    ),
    "multi-head-packed": (
        one_node("MultiHeadAttention", [(1, 3, 2, 3, 4)], num_heads=2),
        "its queries, keys and values are packed into one tensor, which is not supported; export the model with three",
    ),
    "multi-head-buffer": (
        one_node("MultiHeadAttention", [(1, 3, 8)] * 3 + [None] * 5 + [(1,)], dtypes={8: np.int32}, num_heads=2),
        "(past_sequence_length, cache_indirection), which is not supported; export the model with past and present tensors",
    ),
    "group-query-sink": (
        one_node("GroupQueryAttention", GQA, dtypes=GQA_TYPES, smooth_softmax=1, **HEADS),
        "it has a sink in its softmax (head_sink, smooth_softmax), which is not supported; export the model without",
    ),
    "group-query-cache": (
        one_node("GroupQueryAttention", GQA, dtypes=GQA_TYPES, k_quant_type="PER_TENSOR", **HEADS),
        "it has a quantized cache of keys and values, which is not supported; export the model with a cache in f32",
    ),
    "group-query-rotary": (
        one_node("GroupQueryAttention", GQA, dtypes=GQA_TYPES, do_rotary=1, **HEADS),
        "it turns queries and keys, but has no cosines and sines; export the model again",
    ),
    "gathered-bits": (
        one_node("GatherBlockQuantized", [(4, 8), (2,), (4, 1)], dtypes={0: np.uint8, 1: np.int64}, constants=(0, 2), bits=3),
        "its table has codes of 3 bits in blocks of 128: use 2, 4 or 8 bits",
    ),
    "bnb4-fp4": (
        one_node("MatMulBnb4", [(2, 8), (16,), (2,)], dtypes={1: np.uint8}, constants=(1, 2), K=8, N=4, block_size=16, quant_type=0),
        "its weights are codes of FP4 (quant_type 0), which is not supported; quantize the model to NF4",
    ),
    "bnb4-blocks": (
        one_node("MatMulBnb4", [(2, 8), (16,), (2,)], dtypes={1: np.uint8}, constants=(1, 2), K=8, N=4, block_size=16, quant_type=1),
        "its K = 8 is no multiple of its block_size = 16, so that blocks cross rows, which is not supported",
    ),
}


def long_sums():
    """80,000 products of bytes, more than 32 bits may hold."""
    g = Graph("long_sums", 1)
    x = g.input("x", np.ones((1, 80000), F), [1, 80000])
    scale, zero = g.constant(F(0.1), "scale"), g.constant(np.uint8(3), "zero")
    a = g.op("DequantizeLinear", g.op("QuantizeLinear", x, scale, zero, name="q"), scale, zero, name="a")
    w = g.op("DequantizeLinear", g.constant(np.ones((80000, 2), np.uint8), "w.codes"), scale, zero, name="w")
    g.output(g.op("MatMul", a, w, name="y"), [1, 2])
    return g.model()


REFUSED["long-sums"] = (
    long_sums(),
    "adds up groups of 80000 columns, whose sums of products of codes 32 bits may not hold: quantize the weight in blocks",
)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_is_refused(tmp_path, name):
    model, message = REFUSED[name]
    onnx.save(model, tmp_path / "m.onnx")
    command = ["mezzo", "compile", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "m.so")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert message in done.stderr
    assert not (tmp_path / "m.so").exists()
