"""Weights that are reshaped, cut, turned and joined behind their DequantizeLinear: the product is the one of the codes
that lie there to begin with, bit for bit, and reads them quantized."""

import subprocess

import numpy as np
import onnx
import pytest

import abi
from builders.graph import Graph
from builders.nbits import pack_bits
from builders.qdq import TYPES

K, N, BLOCK = 96, 40, 32


def stored(g, dtype, codes, name):
    kind, _, _, bits = TYPES[dtype]
    fields = (codes & ((1 << bits) - 1)).astype(np.uint8)
    return g.raw_constant(kind, list(codes.shape), pack_bits(fields.reshape(-1), bits).tobytes(), name)


def dequantized(g, dtype, codes, scales, zeros, name, **attributes):
    inputs = [stored(g, dtype, codes, f"{name}.codes"), g.constant(scales, f"{name}.scales")]
    if zeros is not None:
        inputs.append(stored(g, dtype, zeros, f"{name}.zeros"))
    return g.op("DequantizeLinear", *inputs, name=f"{name}.dequantized", **attributes)


def drawn(dtype, shape, scale_shape):
    """Codes, scales and zero points, the same for the same shapes."""
    random = np.random.default_rng(sum(shape))
    _, low, high, _ = TYPES[dtype]
    codes, zeros = (random.integers(low, high + 1, size=size) for size in (shape, scale_shape))
    return codes, random.uniform(0.01, 0.02, scale_shape).astype(np.float32), zeros


def ints(g, values, name):
    return g.constant(np.asarray(values, np.int64), name)


def reshaped(g, dtype, moved):
    """[N, 2, K/2], a scale for each N, is a matrix [N, K]."""
    codes, scales, zeros = drawn(dtype, [N, 2, K // 2], [N])
    if not moved:
        w = dequantized(g, dtype, codes.reshape(N, K), scales, zeros, "w", axis=0)
    else:
        w = dequantized(g, dtype, codes, scales, zeros, "w", axis=0)
        w = g.op("Reshape", w, ints(g, [N, K], "shape"), name="matrix")
    return g.op("Transpose", w, name="turned", perm=[1, 0])


def cut(g, dtype, moved):
    """Some rows, and all but the first block of columns."""
    codes, scales, zeros = drawn(dtype, [N + 8, K + BLOCK], [N + 8, K // BLOCK + 1])
    if not moved:
        return dequantized(g, dtype, codes[4 : N + 4, BLOCK:].T, scales[4 : N + 4, 1:].T, zeros[4 : N + 4, 1:].T, "w",
                           axis=0, block_size=BLOCK)
    w = dequantized(g, dtype, codes, scales, zeros, "w", axis=1, block_size=BLOCK)
    w = g.op("Slice", w, ints(g, [4, BLOCK], "starts"), ints(g, [N + 4, K + BLOCK], "ends"), name="cut")
    return g.op("Transpose", w, name="turned", perm=[1, 0])


def joined(g, dtype, moved):
    """Two matrices side by side, with scales for their columns."""
    parts = [drawn(dtype, [K, n], [n]) for n in (N - 8, 8)]
    if not moved:
        codes, scales, zeros = (np.concatenate([part[i] for part in parts], axis=-1) for i in range(3))
        return dequantized(g, dtype, codes, scales, zeros, "w", axis=1)
    names = [dequantized(g, dtype, *part, f"w{i}", axis=1) for i, part in enumerate(parts)]
    return g.op("Concat", *names, name="joined", axis=1)


def outputs(folder, name, make, dtype, moved, mode):
    g = Graph(name, 3, opset=21)
    x = g.input("x", g.heavy_tailed(5, K), ["rows", K])
    g.output(g.op("MatMul", x, make(g, dtype, moved), name="y"), ["rows", N])
    source, target = folder / f"{name}.onnx", folder / f"{name}.so"
    onnx.save(g.model(), source)
    done = subprocess.run(["mezzo", "compile", source, "-o", target, "--compute", mode, "--prefix", "m", "--remarks"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    model = abi.Model(target, "m")
    with model.context(1) as context:
        y = context.run(g.feeds)["y"]
    model.close()
    return y, done.stderr, target.stat().st_size


@pytest.mark.parametrize("dtype, mode", [("uint4", "float"), ("int8", "int")])
@pytest.mark.parametrize("make", [reshaped, cut, joined])
def test_moved_weights_are_the_same_weights(tmp_path, make, dtype, mode):
    want, remarks, _ = outputs(tmp_path, "plain", make, dtype, False, mode)
    assert "moved behind" not in remarks
    got, remarks, _ = outputs(tmp_path, "moved", make, dtype, True, mode)
    assert "the dequantization of its weight was moved behind" in remarks
    assert f"in mode {mode}" in remarks and "scaled after" in remarks
    assert np.any(want != 0)
    np.testing.assert_array_equal(got, want)


def test_a_gather_dequantizes_what_it_looks_up(tmp_path):
    """Rows of a table of embeddings: no run computes the whole of it."""
    rows = 4099
    codes, scales, zeros = drawn("uint4", [rows, K], [rows, K // BLOCK])
    g = Graph("embedding", 3, opset=21)
    ids = np.asarray([[0, rows - 1, -1], [17, 17, 2048]], np.int64)
    indices = g.input("ids", ids, ["batch", "length"])
    table = dequantized(g, "uint4", codes, scales, zeros, "table", axis=1, block_size=BLOCK)
    g.output(g.op("Gather", table, indices, name="y", axis=0), ["batch", "length", K])
    source, target = tmp_path / "model.onnx", tmp_path / "model.so"
    onnx.save(g.model(), source)
    done = subprocess.run(["mezzo", "compile", source, "--emit=tile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"tensor<{rows}x{K}xi8>" in done.stdout and f"tensor<{rows}x{K}xf32>" not in done.stdout
    assert subprocess.run(["mezzo", "compile", source, "-o", target, "--prefix", "m"]).returncode == 0
    model = abi.Model(target, "m")
    with model.context(1) as context:
        y = context.run(g.feeds)["y"]
    model.close()
    whole = (codes - np.repeat(zeros, BLOCK, axis=1)).astype(np.float32) * np.repeat(scales, BLOCK, axis=1)
    np.testing.assert_array_equal(y, whole[ids])
