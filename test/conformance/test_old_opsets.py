"""What operators meant in older opsets, which ONNX's node tests leave out, against ONNX Runtime without optimizations.

Each case is a node as an old exporter wrote it: bounds and axes in attributes, a softmax over everything from its axis
on. It runs with static shapes and with all dimensions dynamic.
"""

from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import pytest
from mezzo.backend import DynamicShapesBackend, MezzoBackend
from onnx import helper, numpy_helper


class Case(NamedTuple):
    op: str
    opset: int
    inputs: list[Any]  # arrays; a list in place of an array is an initializer of i64
    attributes: dict[str, Any] = {}
    outputs: int = 1


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


X = floats(2, 3, 4, 5)
CASES = {
    "softmax-default": Case("Softmax", 9, [X]),
    "softmax-0": Case("Softmax", 11, [X], {"axis": 0}),
    "softmax-2": Case("Softmax", 11, [X], {"axis": 2}),
    "softmax-negative": Case("Softmax", 11, [X], {"axis": -1}),
    "logsoftmax-default": Case("LogSoftmax", 9, [X]),
    "logsoftmax-2": Case("LogSoftmax", 11, [X], {"axis": 2}),
    "hardmax-default": Case("Hardmax", 9, [X]),
    "hardmax-2": Case("Hardmax", 11, [X], {"axis": 2}),
    "slice": Case("Slice", 9, [X], {"starts": [0, 1], "ends": [1, -1], "axes": [1, 3]}),
    "slice-to-the-end": Case("Slice", 9, [X], {"starts": [1, 1], "ends": [1000, 2**31 - 1]}),
    "slice-10": Case("Slice", 10, [X, [3], [0], [2], [-2]]),
    "clip": Case("Clip", 10, [X], {"min": -0.5, "max": 0.25}),
    "clip-below": Case("Clip", 10, [X], {"min": -0.5}),
    "squeeze": Case("Squeeze", 12, [floats(1, 3, 1, 5)], {"axes": [0, 2]}),
    "squeeze-negative": Case("Squeeze", 12, [floats(3, 1, 1)], {"axes": [-1]}),
    "unsqueeze": Case("Unsqueeze", 12, [X], {"axes": [0, 5]}),
    "split": Case("Split", 11, [X], {"axis": 3, "split": [2, 3]}, 2),
    "split-equal": Case("Split", 11, [X], {"axis": 2}, 2),
    "pad": Case("Pad", 10, [X], {"pads": [0, 1, 0, 2, 1, 0, 0, 3], "value": 1.5}),
    "pad-negative": Case("Pad", 10, [X], {"pads": [0, 0, -1, 0, 0, 0, 2, -1]}),
    "pad-reflect": Case("Pad", 10, [X], {"pads": [0, 0, 2, 1, 0, 0, 1, 3], "mode": "reflect"}),
    "pad-edge": Case("Pad", 10, [X], {"pads": [0, 0, 2, 1, 0, 0, 1, 3], "mode": "edge"}),
    "reduce-sum": Case("ReduceSum", 11, [X], {"axes": [1, -1], "keepdims": 0}),
    "reduce-sum-all": Case("ReduceSum", 12, [X]),
    "reduce-mean": Case("ReduceMean", 11, [X], {"axes": [2]}),
    "reduce-max": Case("ReduceMax", 11, [X], {"axes": [0, 3]}),
    "reduce-l2": Case("ReduceL2", 13, [X], {"axes": [3], "keepdims": 0}),
    "reduce-logsumexp": Case("ReduceLogSumExp", 13, [X], {"axes": [1]}),
    "topk": Case("TopK", 9, [X], {"k": 3, "axis": 2}, 2),
    "argmax": Case("ArgMax", 11, [X], {"axis": 1, "keepdims": 0}),
    "scatter": Case("Scatter", 10, [floats(4, 3), [[1, 0, 2], [0, 2, 1]], floats(2, 3)]),
    "onehot": Case("OneHot", 10, [np.array([[1, 9], [2, -3]]), [4], np.array([-1, 2], np.float32)], {"axis": 1}),
    "batchnorm": Case("BatchNormalization", 9, [X, floats(3), floats(3), floats(3), np.abs(floats(3)) + 1]),
    "batchnorm-7": Case("BatchNormalization", 7, [X, floats(3), floats(3), floats(3), np.abs(floats(3)) + 1]),
    "dropout": Case("Dropout", 10, [X], {"ratio": 0.5}),
    "prelu": Case("PRelu", 9, [X, floats(3, 1, 1)]),
    "mean-of-three": Case("Mean", 8, [X, floats(4, 1), floats(3, 1, 5)]),
    "thresholdedrelu": Case("ThresholdedRelu", 10, [X], {"alpha": 0.5}),
    "flatten": Case("Flatten", 9, [X], {"axis": 2}),
    "groupnorm-18": Case("GroupNormalization", 18, [floats(2, 4, 3), floats(2), floats(2)], {"num_groups": 2}),
    "gather": Case("Gather", 10, [X, [[0, 2], [1, 1]]], {"axis": 1}),
    "pow": Case("Pow", 7, [np.abs(X), floats(5)]),
}


def model_of(case: Case) -> tuple[onnx.ModelProto, list[np.ndarray]]:
    inputs, feeds, constants = [], [], []
    for index, value in enumerate(case.inputs):
        name = f"x{index}"
        if isinstance(value, list):
            constants.append(numpy_helper.from_array(np.array(value, np.int64), name))
        else:
            kind = helper.np_dtype_to_tensor_dtype(value.dtype)
            inputs.append(helper.make_tensor_value_info(name, kind, value.shape))
            feeds.append(value)
    names = [f"y{index}" for index in range(case.outputs)]
    node = helper.make_node(case.op, [f"x{i}" for i in range(len(case.inputs))], names, "n", **case.attributes)
    outputs = [helper.make_empty_tensor_value_info(name) for name in names]
    graph = helper.make_graph([node], case.op, inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", case.opset)], ir_version=6)
    return onnx.shape_inference.infer_shapes(model), feeds


def reference(model: onnx.ModelProto, feeds: list[np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {argument.name: feed for argument, feed in zip(session.get_inputs(), feeds)})


@pytest.mark.parametrize("backend", [MezzoBackend, DynamicShapesBackend], ids=["static", "dynamic"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_equals_onnx_runtime(name, backend):
    model, feeds = model_of(CASES[name])
    wanted = reference(model, feeds)
    got = backend.run_model(model, feeds)
    assert len(got) == len(wanted)
    for mine, theirs in zip(got, wanted):
        assert mine.dtype == theirs.dtype and mine.shape == theirs.shape
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
