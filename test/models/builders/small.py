"""Small graphs around products: embeddings, norms, softmax, movement."""

import numpy as np

from .graph import Graph
from .nbits import matmul_nbits, random_nbits


def embedding(seed, vocabulary=101, width=48, heads=4):
    """Token numbers -> table -> layer norm -> one quantized product -> heads split off and moved -> softmax."""
    g = Graph("embedding", seed)
    ids = g.random.integers(0, vocabulary, size=(2, 7))
    ids[0, :2] = [-1, vocabulary - 1]  # a negative index counts from the end
    tokens = g.input("ids", ids, ["batch", "sequence"])
    table = g.constant(g.heavy_tailed(vocabulary, width), "table")
    x = g.op("Gather", table, tokens, name="embedded", axis=0)
    weight = g.constant(g.random.uniform(0.5, 1.5, width).astype(np.float32), "norm.weight")
    bias = g.constant(g.heavy_tailed(width, scale=0.1), "norm.bias")
    x = g.op("LayerNormalization", x, weight, bias, name="norm", axis=-1, epsilon=1e-6)
    x = matmul_nbits(g, x, random_nbits(g.random, width, width, 4, 16), "product")
    split = g.constant(np.array([0, 0, heads, width // heads], np.int64), "heads")
    x = g.op("Reshape", x, split, name="split")
    x = g.op("Transpose", x, name="moved", perm=[0, 2, 1, 3])
    g.output(g.op("Softmax", x, name="y", axis=-1), ["batch", heads, "sequence", width // heads])
    return g


def reserved_names(seed, vocabulary=31, width=24):
    """Tables that are called as functions of a compiled module are, and large enough to be weights."""
    g = Graph("reserved_names", seed)
    ids = g.input("ids", g.random.integers(0, vocabulary, size=5), ["n"])
    rows = [
        g.op("Gather", g.constant(g.heavy_tailed(vocabulary, width), name), ids, name=f"of_{name}", axis=0)
        for name in ("main", "shapes")
    ]
    g.output(g.op("Add", *rows, name="y"), ["n", width])
    return g


def static_product(seed, rows=4, width=64, columns=48):
    """One product with nothing dynamic: the model whose header has a typed entry."""
    g = Graph("static_product", seed)
    x = g.input("x", g.heavy_tailed(rows, width), [rows, width])
    g.output(matmul_nbits(g, x, random_nbits(g.random, columns, width, 4, 32), "y"), [rows, columns])
    return g


def scalar_arithmetic(seed):
    """Two inputs of several types, a scalar, broadcasting, an integer output: what a signature can have."""
    g = Graph("scalar_arithmetic", seed)
    x = g.input("x", g.heavy_tailed(3, 4), ["n", 4])
    scale = g.input("scale", np.float32(1.25), [])
    counts = g.input("counts", g.random.integers(1, 100, size=(3, 1)), ["n", 1])
    g.output(g.op("Add", g.op("Mul", x, scale, name="scaled"), x, name="y"), ["n", 4])
    g.output(g.op("Mul", counts, counts, name="squares"), ["n", 1], dtype=7)  # int64
    return g


def cube(seed):
    """softmax(x[i] * x[j] * x[k])[0, 0, 0] of x[n]: n numbers in, one out, and n^3 between them."""
    g = Graph("cube", seed)
    x = g.input("x", g.heavy_tailed(5), ["n"])
    axes = ([1, 2], [0, 2], [0, 1])
    sides = [g.op("Unsqueeze", x, g.constant(np.array(pair, np.int64), f"axes{i}")) for i, pair in enumerate(axes)]
    product = g.op("Mul", g.op("Mul", sides[0], sides[1]), sides[2], name="product")
    zeros, ones = (g.constant(np.full(3, value, np.int64), f"{value}s") for value in (0, 1))
    corner = g.op("Slice", g.op("Softmax", product, name="softmax"), zeros, ones, name="corner")
    g.output(g.op("Reshape", corner, g.constant(np.array([1], np.int64), "one"), name="y"), [1])
    return g


def perceptron(seed, opset=21, width=96, hidden=64, classes=10, alpha=1.0):
    """Floats to be quantized: MatMul, Add, Relu, two MatMul of one input, and a Gemm."""
    g = Graph("perceptron", seed, opset=opset)
    x = g.input("x", g.heavy_tailed(7, width), ["rows", width])

    def weight(name, *shape):
        values = g.random.standard_normal(shape) / np.sqrt(shape[0])
        return g.constant(values.astype(np.float32), name)

    first = g.op("Add", g.op("MatMul", x, weight("w1", width, hidden), name="p1"), weight("b1", hidden), name="s1")
    inner = g.op("Relu", first, name="hidden")
    second = g.op("MatMul", inner, weight("w2", hidden, hidden), name="p2")
    third = g.op("MatMul", inner, weight("w3", hidden, hidden), name="p3")
    total = g.op("Add", second, third, name="total")
    y = g.op("Gemm", total, weight("w4", classes, hidden), weight("b4", classes), name="y", transB=1, alpha=alpha)
    g.output(y, ["rows", classes])
    return g


def level_four(seed, width=130, columns=48):
    """Two products whose activations may be int8 in blocks: accuracy_level 4. The last block is short."""
    g = Graph("level_four", seed)
    x = g.input("x", g.heavy_tailed(5, width), ["rows", width])
    products = [
        matmul_nbits(g, x, random_nbits(g.random, columns, width, bits, 32, zeros), f"p{bits}", accuracy_level=4)
        for bits, zeros in ((4, "none"), (3, "packed"))
    ]
    g.output(g.op("Add", *products, name="y"), ["rows", columns])
    return g
