"""RNN, GRU and LSTM, against ONNX Runtime without its optimizations."""

import numpy as np
import onnx
import pytest

from builders.graph import Graph
from builders.recurrent import BATCH_FIRST, RECURRENT
from test_windows import compiled, expected

VARIANTS = ["static", "dynamic", "inputs"]


def check(folder, cases, variant, reference):
    g = Graph("recurrent", 1, 21)
    for name, case in cases.items():
        case.add(g, name, variant)
    model = g.model()
    shared_object = compiled(folder, model)
    with shared_object.context() as context:
        outputs = context.run(g.feeds)
    for output, want in zip(model.graph.output, reference(model, g.feeds)):
        got = outputs[output.name]
        assert (got.shape, got.dtype) == (want.shape, want.dtype), output.name
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5, err_msg=output.name)
    shared_object.close()


@pytest.mark.parametrize("variant", VARIANTS)
def test_equals_onnx_runtime(tmp_path, variant):
    check(tmp_path, RECURRENT, variant, expected)


@pytest.mark.parametrize("variant", VARIANTS)
def test_batch_first_is_transposed(tmp_path, variant):
    """ONNX Runtime has no such layout: it computes the other one from transposed inputs."""

    def swapped(name, array):
        return np.swapaxes(array, 0, 1) if name.split(".")[-1] in ("x", "h", "c", "yh", "yc") else array

    def reference(model, feeds):
        plain = onnx.ModelProto()
        plain.CopyFrom(model)
        for node in plain.graph.node:
            del node.attribute[[a.name for a in node.attribute].index("layout")]
        for value in plain.graph.input:
            dims = value.type.tensor_type.shape.dim
            if swapped(value.name, np.arange(2).reshape(1, 2)).shape == (2, 1):
                first, second = dims[0].SerializeToString(), dims[1].SerializeToString()
                dims[0].ParseFromString(second)
                dims[1].ParseFromString(first)
        results = expected(plain, {name: swapped(name, array) for name, array in feeds.items()})
        names = [output.name for output in plain.graph.output]
        # y: [steps, directions, batch, hidden] to [batch, steps, directions, hidden]
        return [
            np.moveaxis(array, 2, 0) if name.endswith(".y") else swapped(name, array)
            for name, array in zip(names, results)
        ]

    check(tmp_path, BATCH_FIRST, variant, reference)
