"""Files that must be refused: name -> (function that writes them into a folder, what the error must say)."""

import os

import onnx
from onnx import TensorProto, helper

from .graph import Graph, save
from .small import static_product


def truncated(path):
    data = static_product(1).model().SerializeToString()
    with open(path, "wb") as file:
        file.write(data[: len(data) * 2 // 3])


def text(path):
    with open(path, "w", encoding="utf-8") as file:
        file.write("this is not a model\n" * 20)


def empty(path):
    open(path, "wb").close()


def unknown_operators(path):
    g = Graph("unknown", 1)
    x = g.input("x", g.heavy_tailed(4, 4), [4, 4])
    a = g.op("Frobnicate", x, name="first", domain="com.example")
    b = g.op("Quux", a, name="second", domain="com.example")
    g.output(g.op("Frobnicate", b, name="third", domain="com.example"), [4, 4])
    model = g.model()
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    save(model, path)


def wrong_type(path):
    """An Add of a float and an integer."""
    g = Graph("wrong_type", 1)
    x = g.input("x", g.heavy_tailed(4, 4), [4, 4])
    n = g.input("n", g.random.integers(0, 9, size=(4, 4)), [4, 4])
    g.output(g.op("Add", x, n, name="sum"), [4, 4])
    save(g.model(), path)


def short_initializer(path):
    """An initializer that declares more elements than it has bytes for."""
    model = static_product(1).model()
    model.graph.initializer[0].dims[0] *= 1000
    save(model, path)


def external(location, length=4096):
    """A model whose weight is said to lie in another file."""

    def write(path):
        model = static_product(1).model()
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
            tensor.external_data.append(onnx.StringStringEntryProto(key=key, value=value))
        save(model, path)
        # The escaping path leads to a file that is there: it is the path that must be refused.
        outside = os.path.join(os.path.dirname(path), "..", "outside.data")
        with open(outside, "wb") as file:
            file.write(bytes(4096))

    return write


BAD_MODELS = {
    "bad-truncated": (truncated, ""),
    "bad-text": (text, ""),
    "bad-empty": (empty, ""),
    "bad-unknown-operators": (unknown_operators, "Frobnicate"),
    "bad-wrong-type": (wrong_type, "sum"),
    "bad-short-initializer": (short_initializer, ""),
    "bad-missing-external": (external("missing.data"), "missing.data"),
    "bad-escaping-external": (external("../outside.data"), "outside.data"),
    "bad-absolute-external": (external("/etc/hostname"), "/etc/hostname"),
}
