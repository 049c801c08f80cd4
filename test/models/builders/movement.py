"""Graphs that only move elements: Concat, Split, Slice, Dropout, and the arithmetic with shapes around them.

A case is a graph and several feeds of different sizes, zero among them: what is compiled once must hold for all.
"""

from typing import Callable, NamedTuple

import numpy as np
from onnx import TensorProto, helper

from .graph import Graph

LAST = np.iinfo(np.int64).max  # how exporters write "to the end"
FIRST = np.iinfo(np.int64).min


class Case(NamedTuple):
    build: Callable  # (Graph, inputs by name) -> outputs, one name or several
    inputs: dict  # name -> shape; a string is a dynamic dimension
    sizes: list  # of dictionaries: dynamic dimension -> size
    dtype: type = np.float32
    opset: int = 21

    def graph(self, name):
        g = Graph(name, 1, self.opset)
        values = []
        for tensor, shape in self.inputs.items():
            values.append(g.input(tensor, self._sample(shape, self.sizes[0], 1), shape))
        outputs = self.build(g, *values)
        for output in [outputs] if isinstance(outputs, str) else outputs:
            g.output(output, None, self._output_dtype(g, output))
        return g

    def feeds(self):
        """One dictionary of arrays for each of the sizes."""
        return [
            {tensor: self._sample(shape, sizes, seed) for seed, (tensor, shape) in enumerate(self.inputs.items())}
            for sizes in self.sizes
        ]

    def _sample(self, shape, sizes, seed):
        extents = [sizes[size] if isinstance(size, str) else size for size in shape]
        values = np.random.default_rng(seed).integers(-1000, 1000, extents)
        return (values % 2 == 0) if self.dtype is np.bool_ else values.astype(self.dtype)

    def _output_dtype(self, g, output):
        kinds = {name: node.op_type for node in g.nodes for name in node.output}
        if kinds.get(output) in ("Shape", "Size", "Range"):
            return TensorProto.INT64
        return helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype))


def ints(g, *values):
    return g.constant(np.array(values, np.int64), f"ints_{len(g.initializers)}")


def scalar(g, value):
    return g.constant(np.array(value, np.int64), f"scalar_{len(g.initializers)}")


# --- Concat -----------------------------------------------------------------------------------------------------------


def concat(axis):
    return lambda g, *parts: g.op("Concat", *parts, name="y", axis=axis)


CONCAT = {
    "concat-static": Case(concat(0), {"a": [2, 3], "b": [4, 3], "c": [1, 3]}, [{}]),
    "concat-last-axis": Case(concat(-1), {"a": [2, 3], "b": [2, 5]}, [{}]),
    "concat-empty-part": Case(concat(1), {"a": [2, 3], "b": [2, 0], "c": [2, 1]}, [{}]),
    "concat-only-empty": Case(concat(0), {"a": [0, 3], "b": [0, 3]}, [{}]),
    "concat-one": Case(concat(1), {"a": ["n", 3]}, [{"n": 2}, {"n": 0}]),
    "concat-dynamic-axis": Case(
        concat(0), {"a": ["n", 3], "b": ["m", 3]}, [{"n": 2, "m": 5}, {"n": 0, "m": 1}, {"n": 0, "m": 0}]
    ),
    "concat-dynamic-beside": Case(
        concat(1), {"a": ["n", 3, "k"], "b": ["n", "m", "k"]}, [{"n": 2, "m": 5, "k": 4}, {"n": 0, "m": 1, "k": 3}]
    ),
    "concat-twice-the-same": Case(lambda g, a: g.op("Concat", a, a, a, name="y", axis=1), {"a": ["n", 2]}, [{"n": 3}]),
    "concat-static-beside-dynamic": Case(concat(1), {"a": ["n", 2], "b": [3, 4]}, [{"n": 3}]),
    "concat-int64": Case(concat(0), {"a": ["n"], "b": [3]}, [{"n": 3}, {"n": 0}], np.int64),
    "concat-int8": Case(concat(0), {"a": ["n", 5], "b": [3, 5]}, [{"n": 3}], np.int8),
    "concat-bool": Case(concat(1), {"a": [2, "n"], "b": [2, 3]}, [{"n": 3}], np.bool_),
    "concat-half": Case(concat(1), {"a": [2, "n"], "b": [2, 3]}, [{"n": 3}], np.float16),
    "concat-of-results": Case(
        lambda g, a: g.op("Concat", g.op("Neg", a), a, g.op("Add", a, a), name="y", axis=0),
        {"a": ["n", 7]},
        [{"n": 3}, {"n": 1}, {"n": 0}],
    ),
}

# --- Split ------------------------------------------------------------------------------------------------------------


def split(count, axis=0, parts=None, attributes=None, results=None):
    """Into `count` parts, of which `results` (all by default) leave the model."""

    def build(g, x):
        names = [f"y{i}" for i in range(count)]
        inputs = [x] if parts is None else [x, ints(g, *parts)]
        g.op("Split", *inputs, name="split", outputs=names, axis=axis, **(attributes or {}))
        return names if results is None else [names[i] for i in results]

    return build


EQUALLY = {"num_outputs": 3}
SPLIT = {
    "split-equal": Case(split(3, attributes=EQUALLY), {"x": [6, 2]}, [{}]),
    "split-smaller-last": Case(split(3, attributes=EQUALLY), {"x": [7, 2]}, [{}]),
    "split-equal-beside-dynamic": Case(split(3, 1, attributes=EQUALLY), {"x": ["n", 6]}, [{"n": 4}, {"n": 0}]),
    "split-parts": Case(split(3, -1, [1, 0, 4]), {"x": ["n", 5]}, [{"n": 4}, {"n": 0}]),
    "split-some-used": Case(split(3, 1, [2, 3, 1], results=[2, 0]), {"x": ["n", 6]}, [{"n": 4}]),
    "split-dynamic-axis": Case(split(2, 0, [2, 3]), {"x": ["n", 3]}, [{"n": 5}]),
    "split-opset-11": Case(split(2, 1, attributes={"split": [2, 4]}), {"x": ["n", 6]}, [{"n": 4}], opset=11),
    "split-opset-13": Case(split(2, 1), {"x": ["n", 6]}, [{"n": 4}], opset=13),
    "split-int32": Case(split(2, 1, [1, 2]), {"x": ["n", 3]}, [{"n": 4}], np.int32),
    "split-then-concat": Case(
        lambda g, x: g.op("Concat", *reversed(split(3, 1, [1, 2, 3])(g, x)), name="y", axis=1),
        {"x": ["n", 6]},
        [{"n": 4}, {"n": 0}],
    ),
}

# --- Slice ------------------------------------------------------------------------------------------------------------


def slice_of(starts, ends, axes=None, steps=None):
    def build(g, x):
        inputs = [x, ints(g, *starts), ints(g, *ends)]
        inputs += [ints(g, *axes) if axes else ""] if axes or steps else []
        inputs += [ints(g, *steps)] if steps else []
        return g.op("Slice", *inputs, name="y")

    return build


def python_slice(axis, start, stop, step):
    """x[start:stop:step] along a dynamic axis."""
    sizes = [{"n": size} for size in (7, 1, 30, 0)]
    return Case(slice_of([start], [stop], [axis], [step]), {"x": ["n", 9] if axis == 0 else [9, "n"]}, sizes)


SLICE = {
    "slice-static": Case(slice_of([1, 0], [3, 2]), {"x": [4, 5]}, [{}]),
    "slice-steps": Case(slice_of([0, 1], [9, 9], [0, 1], [2, 3]), {"x": [7, 8]}, [{}]),
    "slice-steps-dynamic": Case(slice_of([1], [LAST], [1], [2]), {"x": [3, "n"]}, [{"n": n} for n in (8, 7, 1, 0)]),
    "slice-step-beyond": Case(slice_of([0], [LAST], [0], [100]), {"x": ["n", 2]}, [{"n": n} for n in (8, 1, 0, 101)]),
    "slice-huge-step": Case(slice_of([0], [LAST], [0], [LAST]), {"x": ["n", 2]}, [{"n": n} for n in (8, 1, 0)]),
    "slice-reversed": Case(slice_of([-1], [FIRST], [0], [-1]), {"x": ["n", 3]}, [{"n": n} for n in (8, 1, 0)]),
    "slice-reversed-static": Case(slice_of([-1], [FIRST], [1], [-1]), {"x": [3, 6]}, [{}]),
    "slice-backwards-by-2": Case(slice_of([-2], [0], [0], [-2]), {"x": ["n", 3]}, [{"n": n} for n in (8, 7, 2, 1, 0)]),
    "slice-backwards-by-many": Case(slice_of([LAST], [FIRST], [0], [-100]), {"x": ["n"]}, [{"n": n} for n in (8, 0, 101)]),
    "slice-both-ways": Case(
        slice_of([0, -1], [LAST, FIRST], [0, 1], [2, -3]), {"x": ["n", "m"]}, [{"n": 5, "m": 7}, {"n": 1, "m": 0}]
    ),
    "slice-backwards-int64": Case(slice_of([4], [1], [1], [-1]), {"x": [2, 6]}, [{}], np.int64),
    "slice-negative-bounds": Case(slice_of([-3], [-1], [0]), {"x": ["n", 3]}, [{"n": n} for n in (8, 3, 2, 1, 0)]),
    "slice-beyond": Case(slice_of([2], [1000], [0]), {"x": ["n", 3]}, [{"n": n} for n in (8, 3, 2, 1, 0)]),
    "slice-far-negative": Case(slice_of([-1000], [-2], [0]), {"x": ["n", 3]}, [{"n": n} for n in (8, 3, 2, 1, 0)]),
    "slice-nothing": Case(slice_of([3], [1], [0]), {"x": ["n", 3]}, [{"n": n} for n in (8, 0)]),
    "slice-negative-axis": Case(slice_of([1], [3], [-1]), {"x": ["n", 4]}, [{"n": 2}]),
    "slice-whole": Case(slice_of([0], [LAST], [0]), {"x": ["n", 4]}, [{"n": 2}, {"n": 0}]),
    "slice-opset-9": Case(
        lambda g, x: g.op("Slice", x, name="y", starts=[1], ends=[-1], axes=[1]), {"x": ["n", 4]}, [{"n": 2}], opset=9
    ),
    "slice-int32-bounds": Case(
        lambda g, x: g.op(
            "Slice", x, g.constant(np.array([1], np.int32), "from"), g.constant(np.array([3], np.int32), "to"), name="y"
        ),
        {"x": ["n", 4]},
        [{"n": 5}, {"n": 2}],
    ),
    "slice-of-slice": Case(
        lambda g, x: g.op(
            "Slice", slice_of([1], [LAST], [0], [2])(_renamed(g), x), ints(g, -1), ints(g, FIRST), ints(g, 0), ints(g, -1)
        ),
        {"x": ["n", 4]},
        [{"n": n} for n in (9, 2, 1, 0)],
    ),
}
for start, stop in ((0, 5), (2, -1), (-4, LAST), (-100, 100), (5, 2)):
    for step in (1, 2, 3):
        SLICE[f"slice-{start}-{'end' if stop == LAST else stop}-by-{step}"] = python_slice(0, start, stop, step)
for start, stop in ((4, 0), (-1, 1), (100, -100), (-2, FIRST), (1, 6)):
    for step in (-1, -2, -3):
        SLICE[f"slice-{start}-{'begin' if stop == FIRST else stop}-by{step}"] = python_slice(1, start, stop, step)


class _renamed:
    """A graph whose next node is named after its number: for builders that call theirs y."""

    def __init__(self, g):
        self.g = g

    def __getattr__(self, name):
        return getattr(self.g, name)

    def op(self, kind, *inputs, name=None, **attributes):
        return self.g.op(kind, *inputs, **attributes)


# --- Dropout ----------------------------------------------------------------------------------------------------------

DROPOUT = {
    "dropout": Case(lambda g, x: g.op("Dropout", g.op("Neg", x), name="y"), {"x": ["n", 3]}, [{"n": 2}, {"n": 0}]),
    "dropout-of-input": Case(lambda g, x: g.op("Dropout", x, name="y"), {"x": ["n", 3]}, [{"n": 2}]),
    "dropout-inference": Case(
        lambda g, x: g.op(
            "Dropout", x, g.constant(np.float32(0.3), "ratio"), g.constant(np.bool_(False), "training"), name="y"
        ),
        {"x": ["n", 3]},
        [{"n": 2}],
    ),
    "dropout-opset-7": Case(lambda g, x: g.op("Dropout", x, name="y", ratio=0.3), {"x": ["n", 3]}, [{"n": 2}], opset=7),
}

# --- Shapes -----------------------------------------------------------------------------------------------------------


def size_of(g, x, axis):
    """The scalar x.shape[axis], as exporters write it."""
    return g.op("Gather", g.op("Shape", x), scalar(g, axis), axis=0)


def vector(g, *sizes):
    """Scalars and names of scalars as one vector."""
    parts = [g.op("Unsqueeze", s, ints(g, 0)) if isinstance(s, str) else ints(g, s) for s in sizes]
    return g.op("Concat", *parts, axis=0)


def split_heads(g, x):
    heads = g.op("Reshape", x, vector(g, size_of(g, x, 0), size_of(g, x, 1), 4, 2))
    return g.op("Transpose", heads, name="y", perm=[0, 2, 1, 3])


def merge_leading(g, x):
    rows = g.op("Mul", size_of(g, x, 0), size_of(g, x, 1))
    return g.op("Reshape", x, vector(g, rows, size_of(g, x, 2)), name="y", allowzero=1)


def keep_the_last(g, x):
    last = g.op("Slice", g.op("Shape", x), ints(g, -1), ints(g, LAST))
    return g.op("Reshape", x, g.op("Concat", ints(g, -1), last, axis=0), name="y")


def expand_like_torch(g, x):
    """Expand to [-1, 5, n], where -1 means to keep the size: Where(target == -1, 1, target)."""
    target = vector(g, -1, 5, size_of(g, x, 2))
    ones = g.op("ConstantOfShape", ints(g, 3), value=helper.make_tensor("one", TensorProto.INT64, [1], [1]))
    keeps = g.op("Equal", target, g.op("Mul", ones, ints(g, -1)))
    return g.op("Expand", x, g.op("Where", keeps, ones, target), name="y")


def second_half(g, x):
    size = size_of(g, x, 0)
    half = g.op("Unsqueeze", g.op("Div", size, scalar(g, 2)), ints(g, 0))
    return g.op("Slice", x, half, g.op("Unsqueeze", size, ints(g, 0)), ints(g, 0), name="y")


def last_rows(g, x):
    """The last three rows, fewer if there are not so many: from max(n - 3, 0) on."""
    start = g.op("Max", g.op("Sub", size_of(g, x, 0), scalar(g, 3)), scalar(g, 0))
    return g.op("Slice", x, g.op("Unsqueeze", start, ints(g, 0)), ints(g, LAST), ints(g, 0), name="y")


def positions(g, x):
    return g.op("Range", scalar(g, 0), size_of(g, x, 1), scalar(g, 1), name="y")


def positions_after(g, x):
    past = size_of(g, x, 0)
    return g.op("Range", past, g.op("Add", past, size_of(g, x, 1)), scalar(g, 1), name="y")


def filled(g, x):
    seven = helper.make_tensor("seven", TensorProto.FLOAT, [1], [7.0])
    return g.op("ConstantOfShape", g.op("Shape", x), name="y", value=seven)


def flatten_twice(g, x):
    flat = g.op("Reshape", x, ints(g, 0, -1))
    return g.op("Reshape", flat, g.op("Shape", x), name="y")


def even_sizes(g, x):
    """Round the number of rows up to a multiple of 4 by zeros: a Concat with as many rows as are missing."""
    size = size_of(g, x, 0)
    up = g.op("Mul", g.op("Div", g.op("Add", size, scalar(g, 3)), scalar(g, 4)), scalar(g, 4))
    zeros = g.op("ConstantOfShape", vector(g, g.op("Sub", up, size), 3))
    return g.op("Concat", x, zeros, name="y", axis=0)


CUBE = {"x": ["b", "s", "w"]}
CUBES = [{"b": 2, "s": 3, "w": 8}, {"b": 1, "s": 1, "w": 4}, {"b": 2, "s": 0, "w": 8}, {"b": 0, "s": 5, "w": 4}]
ROWS = [{"n": n} for n in (8, 7, 3, 1, 0)]
SHAPES = {
    "shape-of": Case(lambda g, x: g.op("Shape", x, name="y"), CUBE, CUBES),
    "shape-part": Case(lambda g, x: g.op("Shape", x, name="y", start=-2, end=3), CUBE, CUBES),
    "shape-part-none": Case(lambda g, x: g.op("Shape", x, name="y", start=2, end=1), CUBE, CUBES),
    "size-of": Case(lambda g, x: g.op("Size", x, name="y"), CUBE, CUBES),
    "reshape-split-heads": Case(split_heads, {"x": ["b", "s", 8]}, [{"b": 2, "s": 3}, {"b": 1, "s": 0}]),
    "reshape-merge-leading": Case(merge_leading, CUBE, CUBES),
    "reshape-keep-the-last": Case(keep_the_last, CUBE, CUBES[:3]),
    "reshape-there-and-back": Case(flatten_twice, CUBE, CUBES[:2]),
    "expand-like-torch": Case(expand_like_torch, {"x": ["b", 1, "w"]}, [{"b": 2, "w": 3}, {"b": 0, "w": 3}]),
    "slice-second-half": Case(second_half, {"x": ["n", 3]}, ROWS),
    "slice-last-rows": Case(last_rows, {"x": ["n", 3]}, ROWS),
    "range-positions": Case(positions, CUBE, CUBES),
    "range-positions-after": Case(positions_after, CUBE, CUBES),
    "constant-of-shape": Case(filled, CUBE, CUBES),
    "concat-up-to-multiple": Case(even_sizes, {"x": ["n", 3]}, ROWS),
}

MOVEMENT = {**CONCAT, **SPLIT, **SLICE, **DROPOUT, **SHAPES}

# --- What only a run can find out: case, sizes that do not fit, part of the message -----------------------------------

UNFIT = {
    "concat": (
        Case(concat(1), {"a": ["n", 2], "b": ["m", 4]}, [{"n": 3, "m": 3}]),
        {"n": 3, "m": 2},
        "node 'y' (Concat): sizes beside the axis differ",
    ),
    "concat-static": (
        Case(concat(1), {"a": ["n", 2], "b": [3, 4]}, [{"n": 3}]),
        {"n": 4},
        "node 'y' (Concat): sizes beside the axis differ",
    ),
    "split-less": (
        Case(split(2, 0, [2, 3]), {"x": ["n", 3]}, [{"n": 5}]),
        {"n": 4},
        "node 'split' (Split): the parts do not make up the axis",
    ),
    "split-more": (
        Case(split(2, 0, [2, 3]), {"x": ["n", 3]}, [{"n": 5}]),
        {"n": 500},
        "node 'split' (Split): the parts do not make up the axis",
    ),
    "reshape": (
        Case(lambda g, x: g.op("Reshape", x, ints(g, 2, 3), name="y"), {"x": ["n"]}, [{"n": 6}]),
        {"n": 5},
        "node 'y' (Reshape): the new shape has another number of elements",
    ),
    "reshape-to-nothing": (
        Case(lambda g, x: g.op("Reshape", x, ints(g, 2, 3), name="y"), {"x": ["n"]}, [{"n": 6}]),
        {"n": 0},
        "node 'y' (Reshape): the new shape has another number of elements",
    ),
    "reshape-rest": (
        Case(lambda g, x: g.op("Reshape", x, ints(g, -1, 3), name="y"), {"x": ["n"]}, [{"n": 6}]),
        {"n": 7},
        "node 'y' (Reshape): the new shape has another number of elements",
    ),
    "squeeze": (
        Case(lambda g, x: g.op("Squeeze", x, ints(g, 0), name="y"), {"x": ["n", 4]}, [{"n": 1}]),
        {"n": 2},
        "node 'y' (Squeeze): the new shape has another number of elements",
    ),
    "broadcast": (
        Case(lambda g, a, b: g.op("Add", a, b, name="y"), {"a": ["n", 2], "b": ["m", 2]}, [{"n": 3, "m": 3}]),
        {"n": 3, "m": 4},
        "node 'y' (Add): sizes that must be equal differ",
    ),
    "expand": (
        Case(lambda g, x: g.op("Expand", x, ints(g, 3, 2), name="y"), {"x": ["n", 2]}, [{"n": 3}]),
        {"n": 2},
        "node 'y' (Expand): sizes that must be equal differ",
    ),
    "product": (
        Case(lambda g, a, b: g.op("MatMul", a, b, name="y"), {"a": [2, "k"], "b": ["l", 3]}, [{"k": 4, "l": 4}]),
        {"k": 4, "l": 5},
        "node 'y' (MatMul)",
    ),
    "gather": (
        Case(lambda g, x: g.op("Gather", x, ints(g, 0, 2), name="y", axis=0), {"x": ["n", 2]}, [{"n": 3}]),
        {"n": 2},
        "node 'y' (Gather): an index is out of range",
    ),
    "gather-nothing": (
        Case(lambda g, x: g.op("Gather", x, ints(g, 0), name="y", axis=0), {"x": ["n", 2]}, [{"n": 3}]),
        {"n": 0},
        "node 'y' (Gather): an index is out of range",
    ),
    "division": (
        Case(lambda g, x: g.op("Div", x, size_of(g, x, 0), name="y"), {"x": ["n", 2]}, [{"n": 3}], np.int64),
        {"n": 0},
        None,  # no element is divided
    ),
    "range-in-the-wrong-order": (
        Case(lambda g, x: g.op("Range", size_of(g, x, 0), scalar(g, 3), scalar(g, 1), name="y"), {"x": ["n"]}, [{"n": 1}]),
        {"n": 5},
        None,  # no element
    ),
}
