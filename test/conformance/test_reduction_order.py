"""Sums have one order (docs/numbers.md), so one result, to the last bit: rows in 16 lanes, the rest ascending."""

import numpy as np
import pytest
from mezzo.backend import DynamicShapesBackend, MezzoBackend
from onnx import TensorProto, helper, numpy_helper


def row_sum(row: np.ndarray) -> np.float32:
    lanes = np.zeros(16, np.float32)
    for index, value in enumerate(row):
        lanes[index % 16] += value
    for step in (8, 4, 2, 1):
        lanes[:step] += lanes[step : 2 * step]
    return lanes[0]


def ordered_sum(x: np.ndarray, axes: tuple[int, ...], in_rows: bool) -> np.ndarray:
    """The sum over `axes`, without them."""
    last = x.ndim
    while in_rows and last - 1 in axes:
        last -= 1
    if last < x.ndim:
        x = np.array([row_sum(row) for row in x.reshape(-1, int(np.prod(x.shape[last:])))]).reshape(x.shape[:last])
    outer = [axis for axis in axes if axis < last]
    kept = [axis for axis in range(x.ndim) if axis not in outer]
    total = np.zeros([x.shape[axis] for axis in kept], np.float32)
    for index in np.ndindex(*[x.shape[axis] for axis in outer]):
        total += np.moveaxis(x, outer, range(len(outer)))[index]
    return total


def model_of(shape: tuple[int, ...], axes: tuple[int, ...], constant: bool):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    inputs, initializers = [x], [numpy_helper.from_array(np.array(axes, np.int64), "axes")]
    if not constant:
        inputs, initializers = [x, helper.make_tensor_value_info("axes", TensorProto.INT64, [len(axes)])], []
    node = helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "sum", inputs, [y], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])


SHAPES = [((3, 1), (1,)), ((3, 15), (1,)), ((2, 40), (1,)), ((5, 7, 33), (1, 2)), ((37, 5), (0,)), ((4, 9, 50), (0, 2))]


@pytest.mark.parametrize("backend", [MezzoBackend, DynamicShapesBackend], ids=["static", "dynamic"])
@pytest.mark.parametrize("shape, axes", SHAPES)
def test_constant_axes(shape, axes, backend):
    x = (np.random.default_rng(2).standard_normal(shape) * 1000).astype(np.float32)
    (y,) = backend.run_model(model_of(shape, axes, True), [x])
    np.testing.assert_array_equal(y.view(np.uint32), ordered_sum(x, axes, in_rows=True).view(np.uint32))


@pytest.mark.parametrize("shape, axes", SHAPES)
def test_axes_of_the_run(shape, axes):
    x = (np.random.default_rng(3).standard_normal(shape) * 1000).astype(np.float32)
    (y,) = MezzoBackend.run_model(model_of(shape, axes, False), [x, np.array(axes, np.int64)])
    np.testing.assert_array_equal(y.view(np.uint32), ordered_sum(x, axes, in_rows=False).view(np.uint32))
