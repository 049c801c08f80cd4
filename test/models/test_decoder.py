"""The operators of exported decoders against ONNX Runtime with optimizations off, or ONNX's reference where it has the
operator: they are decomposed, so equal within what f32 gives."""

import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

import abi
from builders.decoder import DECODER


def expected(model, feeds):
    if all(node.domain == "" for node in model.graph.node):
        names = [output.name for output in model.graph.output]
        return dict(zip(names, ReferenceEvaluator(model).run(names, feeds)))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds)))


@pytest.mark.parametrize("name", sorted(DECODER))
def test_equals_the_reference(tmp_path, name):
    graph = DECODER[name]()
    model, feeds = graph.model(), graph.feeds
    source, target = tmp_path / "m.onnx", tmp_path / "m.so"
    onnx.save(model, source)
    done = subprocess.run(["mezzo", "compile", str(source), "-o", str(target)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    compiled = abi.Model(target, "m")
    with compiled.context(2) as context:
        outputs = context.run(feeds)
    compiled.close()
    for tensor, want in expected(model, feeds).items():
        assert outputs[tensor].shape == want.shape
        np.testing.assert_allclose(outputs[tensor], want, rtol=1e-3, atol=1e-5, err_msg=tensor)
