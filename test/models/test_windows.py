"""Convolutions and pools, against ONNX Runtime without its optimizations."""

import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest

import abi
import scalar
from builders.windows import CONVOLUTIONS, FAMILIES, graph_of, quantized_convolution

FOLDERS = [(family, variant) for family in FAMILIES for variant in ("static", "dynamic")]
FOLDERS += [(family, "constant") for family in ("conv", "transposed")]


def compiled(folder, model):
    source, target = folder / "m.onnx", folder / "m.so"
    onnx.save(model, source)
    done = subprocess.run(["mezzo", "compile", str(source), "-o", str(target)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return abi.Model(target, "m")


def expected(model, feeds):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, feeds)


@pytest.mark.parametrize("family,variant", FOLDERS)
def test_equals_onnx_runtime(tmp_path, family, variant):
    graph = graph_of(FAMILIES[family], variant)
    model = graph.model()
    shared_object = compiled(tmp_path, model)
    with shared_object.context(2) as context:
        outputs = context.run(graph.feeds)
    for output, want in zip(model.graph.output, expected(model, graph.feeds)):
        got = outputs[output.name]
        assert (got.shape, got.dtype) == (want.shape, want.dtype), output.name
        # Sums that cancel are as exact as their largest terms.
        atol = 1e-5 * max(1.0, float(np.abs(want).max(initial=0)))
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=atol, err_msg=output.name)
    shared_object.close()


def program(case, x, w, b):
    """docs/numbers.md: K is (kh, kw, c), a left fold of fma from 0, then the bias. Two dimensions, explicit pads."""
    groups, strides = case.attributes.get("group", 1), case.attributes.get("strides", [1, 1])
    dilations, pads = case.attributes.get("dilations", [1, 1]), case.attributes.get("pads", [0] * 4)
    x = np.pad(x, [(0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])])
    height, width = ((x.shape[2 + i] - (w.shape[2 + i] - 1) * dilations[i] - 1) // strides[i] + 1 for i in (0, 1))
    y = np.zeros((len(x), len(w), height, width), np.float32)
    rows = len(w) // groups
    for m in range(len(w)):
        first = m // rows * w.shape[1]
        for kh, kw, c in np.ndindex(w.shape[2], w.shape[3], w.shape[1]):
            top, left = kh * dilations[0], kw * dilations[1]
            seen = x[:, first + c, top : top + (height - 1) * strides[0] + 1 : strides[0]]
            seen = seen[..., left : left + (width - 1) * strides[1] + 1 : strides[1]]
            y[:, m] = scalar.fma(w[m, c, kh, kw], seen, y[:, m])
    return y + b[:, np.newaxis, np.newaxis]


EXACT = ["plain", "stride-2", "stride-3", "dilated", "pointwise", "grouped", "depthwise", "depthwise-stride-2", "many-taps"]


def test_equals_the_scalar_program(tmp_path):
    """Bit for bit: tiles, panels and blocks of columns leave no trace."""
    cases = {f"conv-{name}": CONVOLUTIONS[f"conv-{name}"] for name in EXACT}
    graph = graph_of(cases, "static")
    shared_object = compiled(tmp_path, graph.model())
    with shared_object.context(2) as context:
        outputs = context.run(graph.feeds)
    for name, case in cases.items():
        want = program(case, *(graph.feeds[f"{name}.{part}"] for part in "xwb"))
        np.testing.assert_array_equal(outputs[f"{name}.y"], want, err_msg=name)
    shared_object.close()


@pytest.mark.parametrize("bits", [8, 4])
def test_quantized_weights(tmp_path, bits):
    """A dequantized weight becomes a quantized product: near the convolution of the same numbers, and packed."""
    graph = quantized_convolution(bits)
    model = graph.model()
    shared_object = compiled(tmp_path, model)
    with shared_object.context() as context:
        outputs = context.run(graph.feeds)
    for output, want in zip(model.graph.output, expected(model, graph.feeds)):
        np.testing.assert_allclose(outputs[output.name], want, rtol=1e-4, atol=1e-4, err_msg=output.name)
    shared_object.close()
    inspected = subprocess.run(["mezzo", "inspect", str(tmp_path / "m.onnx")], capture_output=True, text=True, check=True)
    assert inspected.stdout.count(f"int{bits}/ch: dequant") == 2, inspected.stdout
