"""Convolutions and pools, against ONNX Runtime without its optimizations."""

import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest

import abi
from builders.windows import FAMILIES, graph_of, quantized_convolution

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
