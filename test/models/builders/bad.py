"""Files that must be refused: name -> (function that writes one, what the error must say).

The function gets the path of the model; what else it needs it puts beside it. External data has a file of its own.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper

from .bad_external import BAD_EXTERNAL
from .graph import MICROSOFT, Graph, save
from .nbits import matmul_nbits, random_nbits
from .small import static_product


def written(model):
    """A writer of what `model()` makes: a ModelProto, or a Graph."""

    def write(path):
        made = model()
        save(made.model() if isinstance(made, Graph) else made, path)

    return write


# --- Files ------------------------------------------------------------------------------------------------------------


def truncated(numerator, denominator):
    def write(path):
        data = static_product(1).model().SerializeToString()
        with open(path, "wb") as file:
            file.write(data[: len(data) * numerator // denominator])

    return write


def contents(data):
    def write(path):
        with open(path, "wb") as file:
            file.write(data)

    return write


def without_graph():
    model = static_product(1).model()
    model.ClearField("graph")
    return model


FILES = {
    "truncated": (truncated(2, 3), "the file is truncated"),
    "truncated-early": (truncated(1, 100), "the file is truncated"),
    "truncated-late": (truncated(999, 1000), "the file is truncated"),
    "text": (contents(b"this is not a model\n" * 20), "no ONNX model"),
    "empty": (contents(b""), "the model is empty (0 bytes)"),
    "zeros": (contents(bytes(1 << 20)), "no ONNX model"),
    "ones": (contents(b"\xff" * (1 << 20)), "no ONNX model"),
    # A message that says it is as long as an address space.
    "long-message": (contents(b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), "the file is truncated"),
    # 10^7 empty nodes: two bytes each in the file, a hundred each in memory.
    "many-items": (contents(b"\x3a\x80\xad\xe2\x04" + b"\x0a\x00" * 5_000_000), "more than 250000 nodes"),
    "without-graph": (written(without_graph), "no graph"),
}

# --- Versions ---------------------------------------------------------------------------------------------------------


def versions(opset=None, ir=None, domain="", double=False):
    def make():
        model = static_product(1).model()
        if ir is not None:
            model.ir_version = ir
        if opset is not None:
            del model.opset_import[:]
            model.opset_import.append(helper.make_opsetid(domain, opset))
            model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
            if double:
                model.opset_import.append(helper.make_opsetid(domain, opset - 1))
        return model

    return make


def without_imports():
    model = static_product(1).model()
    del model.opset_import[:]
    return model


VERSIONS = {
    "opset-too-new": (written(versions(opset=1000)), "opset 1000 of domain 'ai.onnx' is newer than"),
    "opset-zero": (written(versions(opset=0)), "opset 0 of domain 'ai.onnx' does not exist"),
    "opset-twice": (written(versions(opset=21, double=True)), "is imported twice, as opset 21 and 20"),
    "opset-missing": (written(without_imports), "does not say which opset of domain 'com.microsoft' it uses"),
    "ir-too-new": (written(versions(ir=99)), "IR version 99 is not supported"),
    "ir-zero": (written(versions(ir=0)), "IR version 0 is not supported"),
}

# --- Operators --------------------------------------------------------------------------------------------------------


def unknown_operators():
    g = Graph("unknown", 1)
    x = g.input("x", g.heavy_tailed(4, 4), [4, 4])
    a = g.op("Frobnicate", x, name="first", domain="com.example")
    b = g.op("Quux", a, name="second", domain="com.example")
    c = g.op("Frobnicate", b, name="third", domain="com.example")
    g.output(g.op("Unheard", c, name="fourth"), [4, 4])
    model = g.model()
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    return model


UNKNOWN_OPERATORS = [
    "operator Frobnicate of domain 'com.example', version 1, is not supported: 2 nodes, 'first', 'third';",
    "operator Quux of domain 'com.example', version 1, is not supported: 1 node, 'second';",
    "operator Unheard of domain 'ai.onnx', version 21, is not supported: 1 node, 'fourth';",
]


def declared(g, name, shape):
    """An input of floats without a sample: it may be larger than any memory."""
    g.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)))
    return name


def one_node(kind, *shapes, extra=(), outputs=None, **attributes):
    """One node over inputs of these static shapes, and constants."""

    def make():
        g = Graph("one_node", 1)
        inputs = [declared(g, f"x{i}", shape) for i, shape in enumerate(shapes)]
        inputs += [g.constant(np.asarray(value), f"c{i}") for i, value in enumerate(extra)]
        g.op(kind, *inputs, name="node", outputs=outputs, **attributes)
        for output in outputs or ["node"]:
            g.output(output, None)
        return g

    return make


def types_that_differ():
    g = Graph("wrong_type", 1)
    x = g.input("x", g.heavy_tailed(4, 4), [4, 4])
    n = g.input("n", g.random.integers(0, 9, size=(4, 4)), [4, 4])
    g.output(g.op("Add", x, n, name="sum"), [4, 4])
    return g


def input_of(kind):
    def make():
        model = static_product(1).model()
        model.graph.input[0].type.tensor_type.elem_type = kind
        return model

    return make


def attribute_of_wrong_kind():
    model = static_product(1).model()
    attribute = next(a for a in model.graph.node[0].attribute if a.name == "bits")
    attribute.type, attribute.s = onnx.AttributeProto.STRING, b"four"
    attribute.ClearField("i")
    return model


def nbits_model(change):
    """A MatMulNBits whose node or initializers `change(node, tensors by name)` has changed."""

    def make():
        model = static_product(1).model()
        change(model.graph.node[0], {tensor.name: tensor for tensor in model.graph.initializer})
        return model

    return make


def set_integer(name, value):
    def change(node, _):
        next(a for a in node.attribute if a.name == name).i = value

    return change


def groups(g_idx):
    """K = 64 in two groups, with this g_idx."""

    def make():
        g = Graph("groups", 1)
        x = g.input("x", g.heavy_tailed(3, 64), [3, 64])
        weight = random_nbits(g.random, 8, 64, 4, 32)
        g.output(matmul_nbits(g, x, weight, "y", g_idx=np.array(g_idx, np.int32)), [3, 8])
        return g

    return make


INT = np.int64
OPERATORS = {
    "unknown-operators": (written(unknown_operators), UNKNOWN_OPERATORS),
    "wrong-type": (written(types_that_differ), "node 'sum' (Add)"),
    "type-that-is-none": (written(input_of(99)), "input 'x': element type 99 is unknown"),
    "type-undefined": (written(input_of(0)), "input 'x'"),
    "input-of-strings": (written(input_of(TensorProto.STRING)), "input 'x' has elements of type"),
    "input-of-complex": (written(input_of(TensorProto.COMPLEX64)), "input 'x' has elements of type"),
    "attribute-kind": (written(attribute_of_wrong_kind), "its attribute 'bits' must be an integer"),
    "too-many-inputs": (written(one_node("Relu", [2], [2])), "it has 2 inputs, but the operator takes 1"),
    "too-few-inputs": (written(one_node("Add", [2])), "it has 1 inputs, but the operator takes 2"),
    "product-of-unequal-k": (written(one_node("MatMul", [2, 3], [4, 5])), "node 'node' (MatMul)"),
    "broadcast": (written(one_node("Add", [2, 3], [2, 4])), "node 'node' (Add)"),
    "concat-beside-axis": (written(one_node("Concat", [2, 3], [3, 4], axis=1)), "beside axis 1 they must be equal"),
    "concat-axis": (written(one_node("Concat", [2, 3], [2, 3], axis=2)), "axis 2 is out of range for rank 2"),
    "split-parts": (
        written(one_node("Split", [6], extra=[INT([2, 2])], outputs=["a", "b"])),
        "parts of [2, 2] elements do not make up the [6]",
    ),
    "split-negative-part": (
        written(one_node("Split", [6], extra=[INT([8, -2])], outputs=["a", "b"])),
        "has a part of -2 elements",
    ),
    "slice-step-0": (
        written(one_node("Slice", [6], extra=[INT([0]), INT([6]), INT([0]), INT([0])])),
        "it has a step of 0 on axis 0",
    ),
    "slice-axis": (written(one_node("Slice", [6], extra=[INT([0]), INT([6]), INT([1])])), "axis 1 is out of range"),
    "slice-lengths": (written(one_node("Slice", [6], extra=[INT([0, 1]), INT([6])])), "it has 2 starts, 1 ends"),
    "reshape-count": (written(one_node("Reshape", [6], extra=[INT([4, 2])])), "different numbers of elements"),
    "reshape-two-open": (written(one_node("Reshape", [6], extra=[INT([-1, -1])])), "leaves two sizes open"),
    "reshape-negative": (written(one_node("Reshape", [6], extra=[INT([-2, 3])])), "has the size -2"),
    "gather-index": (written(one_node("Gather", [6], extra=[INT([6])])), "index 6 is out of range for axis 0 of 6"),
    "dropout-training": (
        written(one_node("Dropout", [6], extra=[np.float32(0.5), np.bool_(True)])),
        "it is in training mode",
    ),
    "nbits-bits": (written(nbits_model(set_integer("bits", 9))), "weights of 9 bits"),
    "nbits-block": (written(nbits_model(set_integer("block_size", 0))), "its block_size is 0"),
    "nbits-huge-n": (written(nbits_model(set_integer("N", 2**31 - 1))), "its weights have"),
    "nbits-huge-k": (written(nbits_model(set_integer("K", 2**62))), "its N = 48 and K = 4611686018427387904"),
    "groups-of-unequal-size": (
        written(groups([0] * 40 + [1] * 24)),
        "gives group 0 40 columns instead of 32 (K = 64 in blocks of 32)",
    ),
    "groups-that-are-none": (written(groups([0] * 32 + [2] * 32)), "gives column 32 the group 2, but there are 2"),
    "groups-negative": (written(groups([-1] * 32 + [0] * 32)), "gives column 0 the group -1"),
    "groups-too-few": (written(groups([0] * 32)), "its g_idx has 32 elements for K = 64 columns"),
}

# --- Graphs -----------------------------------------------------------------------------------------------------------


def graph_of(nodes, outputs):
    """Nodes as (kind, inputs, output) over the one input x[4]."""

    def make():
        g = Graph("graph", 1)
        g.input("x", g.heavy_tailed(4), [4])
        for kind, inputs, output in nodes:
            g.op(kind, *inputs, name=output)
        for output in outputs:
            g.output(output, [4])
        return g

    return make


def nested(depth):
    """Graphs inside graphs."""

    def make():
        body = helper.make_graph([], "innermost", [], [])
        for level in range(depth):
            node = helper.make_node("If", ["x"], [f"y{level}"], then_branch=body, else_branch=body)
            # Both branches would double the file at each level.
            del node.attribute[1:]
            body = helper.make_graph([node], f"level{level}", [], [])
        return helper.make_model(body, opset_imports=[helper.make_opsetid("", 21)])

    return make


def named(name):
    def make():
        g = Graph("named", 1)
        g.output(g.op("Frobnicate", g.input("x", g.heavy_tailed(4), [4]), name=name), [4])
        return g

    return make


CYCLE = [("Add", ["x", "c"], "a"), ("Neg", ["a"], "b"), ("Neg", ["b"], "c")]
GRAPHS = {
    "cycle": (written(graph_of(CYCLE, ["c"])), "has a cycle through node 'a' (Add), node 'c' (Neg), node 'b' (Neg)"),
    "cycle-of-one": (written(graph_of([("Add", ["x", "a"], "a")], ["a"])), "has a cycle through node 'a' (Add)"),
    "undefined": (written(graph_of([("Add", ["x", "nowhere"], "a")], ["a"])), "'nowhere'"),
    "defined-twice": (written(graph_of([("Neg", ["x"], "a"), ("Abs", ["x"], "a")], ["a"])), "'a' is defined twice"),
    "output-of-nobody": (written(graph_of([("Neg", ["x"], "a")], ["b"])), "'b'"),
    "output-twice": (written(graph_of([("Neg", ["x"], "a")], ["a", "a"])), "'a' of an output is empty or given twice"),
    "nested-deeply": (written(nested(27)), "graphs are nested deeper than 24"),
    "name-with-escapes": (written(named("\x1b[2J\x1b]0;title\x07\u202e")), r"'\x1B[2J"),
    "name-of-a-megabyte": (written(named("n" * (1 << 20))), "has 1048576 bytes, the limit is 4096"),
}

# --- Sizes ------------------------------------------------------------------------------------------------------------


def initializer_of(*dims):
    """The codes declare these dims, and have the bytes that they had."""

    def make():
        model = static_product(1).model()
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(dims)
        return model

    return make


def input_shape(*dims):
    def make():
        g = Graph("input_shape", 1)
        g.output(g.op("Neg", declared(g, "x", dims), name="y"), None)
        return g

    return make


HUGE = 1 << 40
SIZES = {
    "initializer-too-short": (written(initializer_of(48000, 2, 16)), "declares 1536000 bytes by its dims and type, but"),
    "initializer-overflow": (written(initializer_of(1 << 62, 1 << 62)), "are negative, or their product overflows"),
    "initializer-hidden-overflow": (written(initializer_of(HUGE, HUGE, 0)), "are negative, or their product overflows"),
    "initializer-negative": (written(initializer_of(-1, 2, 16)), "are negative, or their product overflows"),
    "input-overflow": (written(input_shape(1 << 62, 1 << 62)), "value 'x': its dims are negative, or their product"),
    "input-negative": (written(input_shape(-2, 4)), "value 'x': its dims are negative"),
    "input-beyond-memory": (written(input_shape(HUGE, 256)), "beyond all memory"),
    "expand-beyond-memory": (written(one_node("Expand", [1], extra=[INT([HUGE, HUGE])])), "beyond all memory"),
    "constant-beyond-memory": (written(one_node("ConstantOfShape", extra=[INT([HUGE, HUGE])])), "beyond all memory"),
    "constant-negative": (written(one_node("ConstantOfShape", extra=[INT([-4])])), "has a negative size"),
    "range-beyond-memory": (
        written(one_node("Range", extra=[INT(0), INT(1 << 62), INT(1)])),
        "elements, which is beyond all memory",
    ),
    "product-beyond-memory": (written(one_node("MatMul", [1 << 30, 1], [1, 1 << 30])), "beyond all memory"),
    "concat-beyond-memory": (written(one_node("Concat", [HUGE], [HUGE << 5], axis=0)), "beyond all memory"),
}

BAD_MODELS = {
    f"bad-{name}": model
    for family in (FILES, VERSIONS, OPERATORS, GRAPHS, SIZES, BAD_EXTERNAL)
    for name, model in family.items()
}
