"""Blocks of a transformer whose products are MatMulNBits."""

import numpy as np

from .graph import Graph
from .nbits import matmul_nbits, random_nbits

BATCH, SEQUENCE = 2, 3


def feed_forward(seed, bits, block, zeros="none", width=576, hidden=1536):
    """x + W_down (silu(W_gate n) * W_up n), n = the root-mean-square norm of x: a feed-forward block as LLaMA has it.

    Even widths of codes use the standard's norm and odd ones the older name that exporters write, to see both.
    """
    standard = bits % 2 == 0
    g = Graph("feed_forward", seed, opset=23 if standard else 21)
    shape = ["batch", "sequence", width]
    x = g.input("x", g.heavy_tailed(BATCH, SEQUENCE, width), shape)
    weight = g.constant(g.random.uniform(0.5, 1.5, width).astype(np.float32), "norm.weight")
    kind = "RMSNormalization" if standard else "SimplifiedLayerNormalization"
    norm = g.op(kind, x, weight, name="norm", axis=-1, epsilon=1e-5)

    def product(value, rows, columns, name):
        return matmul_nbits(g, value, random_nbits(g.random, rows, columns, bits, block, zeros), name)

    gate = product(norm, hidden, width, "gate")
    up = product(norm, hidden, width, "up")
    silu = g.op("Mul", gate, g.op("Sigmoid", gate, name="sigmoid"), name="silu")
    down = product(g.op("Mul", silu, up, name="gated"), width, hidden, "down")
    g.output(g.op("Add", x, down, name="y"), shape)
    return g


def attention_projections(seed, bits, block, zeros="none", width=576, heads_width=None, permute=False):
    """The products of an attention block: Q, K and V of one input, and the output projection, all with a bias.

    What stands between them is not attention but a stand-in with the same shapes: v * softmax(q * k). With `permute`,
    each projection brings a g_idx that scatters its groups over K.
    """
    inner = heads_width or width
    g = Graph("attention_projections", seed)
    shape = ["batch", "sequence", width]
    x = g.input("x", g.heavy_tailed(BATCH, SEQUENCE, width), shape)
    weight = g.constant(g.random.uniform(0.5, 1.5, width).astype(np.float32), "norm.weight")
    shift = g.constant(g.heavy_tailed(width, scale=0.1), "norm.bias")
    norm = g.op("LayerNormalization", x, weight, shift, name="norm", axis=-1, epsilon=1e-5)

    def product(value, rows, columns, name):
        w = random_nbits(g.random, rows, columns, bits, block, zeros)
        g_idx = g.random.permutation(np.arange(columns) // block).astype(np.int32) if permute else None
        return matmul_nbits(g, value, w, name, bias=g.heavy_tailed(rows, scale=0.1), g_idx=g_idx)

    q, k, v = (product(norm, inner, width, name) for name in ("q", "k", "v"))
    scores = g.op("Softmax", g.op("Mul", q, k, name="scores"), name="weights", axis=-1)
    output = product(g.op("Mul", scores, v, name="mixed"), width, inner, "output")
    g.output(g.op("Add", x, output, name="y"), shape)
    return g
