"""Resize and Upsample, against ONNX Runtime without its optimizations and, where it differs, ONNX's reference."""

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from builders.resize import RESIZE, SMOOTH, graph_of
from test_windows import compiled, expected

OPSETS = sorted({case.opset for case in RESIZE.values()})


def check(folder, graph, reference):
    model = graph.model()
    shared_object = compiled(folder, model)
    with shared_object.context() as context:
        outputs = context.run(graph.feeds)
    for output, want in zip(model.graph.output, reference(model, graph.feeds)):
        got = outputs[output.name]
        assert (got.shape, got.dtype) == (want.shape, want.dtype), output.name
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5, err_msg=output.name)
    shared_object.close()


@pytest.mark.parametrize("variant", ["static", "dynamic"])
@pytest.mark.parametrize("opset", OPSETS)
def test_equals_onnx_runtime(tmp_path, opset, variant):
    check(tmp_path, graph_of(RESIZE, opset, variant), expected)


@pytest.mark.parametrize("variant", ["static", "dynamic"])
def test_smoothing_equals_the_reference(tmp_path, variant):
    def reference(model, feeds):
        return ReferenceEvaluator(model).run(None, feeds)

    check(tmp_path, graph_of(SMOOTH, 19, variant), reference)
