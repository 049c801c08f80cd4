"""all-MiniLM-L6-v2, a sentence embedder, as an ONNX file: from its safetensors, in the operators that exporters use."""

import json
import pathlib
import struct

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 14


def read_safetensors(path):
    """{name: array}, read where it lies."""
    data = np.memmap(path, np.uint8, "r")
    length = struct.unpack("<Q", data[:8].tobytes())[0]
    header = json.loads(data[8 : 8 + length].tobytes())
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = (8 + length + at for at in entry["data_offsets"])
            tensors[name] = data[begin:end].view(np.float32).reshape(entry["shape"])
    return tensors


class Writer:
    def __init__(self, tensors):
        self.tensors, self.nodes, self.initializers = tensors, [], {}

    def constant(self, name, array):
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def number(self, value):
        return self.constant(f"number_{value}", np.array(value, np.float32))

    def integers(self, *values):
        return self.constant("integers_" + "_".join(map(str, values)), np.array(values, np.int64))

    def op(self, kind, *inputs, **attributes):
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def linear(self, x, name):
        weight = self.constant(name + ".weight^T", self.tensors[name + ".weight"].T)
        bias = self.constant(name + ".bias", self.tensors[name + ".bias"])
        return self.op("Add", self.op("MatMul", x, weight), bias)

    def layer_norm(self, x, name, epsilon):
        """As PyTorch wrote it before opset 17."""
        centred = self.op("Sub", x, self.op("ReduceMean", x, axes=[-1]))
        variance = self.op("ReduceMean", self.op("Pow", centred, self.number(2.0)), axes=[-1])
        deviation = self.op("Sqrt", self.op("Add", variance, self.number(epsilon)))
        scaled = self.op("Mul", self.op("Div", centred, deviation), self.constant(name, self.tensors[name + ".weight"]))
        return self.op("Add", scaled, self.constant(name + ".bias", self.tensors[name + ".bias"]))

    def gelu(self, x):
        erf = self.op("Erf", self.op("Div", x, self.number(2.0**0.5)))
        return self.op("Mul", self.op("Mul", x, self.op("Add", erf, self.number(1.0))), self.number(0.5))


def attention(w, x, mask, name, heads, width):
    """Multi-head attention: [batch, words, width] -> the same."""
    size = width // heads

    def head(part, order):
        apart = w.op("Reshape", w.linear(x, f"{name}.self.{part}"), w.integers(0, 0, heads, size))
        return w.op("Transpose", apart, perm=order)

    queries, keys, values = head("query", [0, 2, 1, 3]), head("key", [0, 2, 3, 1]), head("value", [0, 2, 1, 3])
    scores = w.op("Div", w.op("MatMul", queries, keys), w.number(size**0.5))
    weights = w.op("Softmax", w.op("Add", scores, mask), axis=-1)
    together = w.op("Transpose", w.op("MatMul", weights, values), perm=[0, 2, 1, 3])
    return w.linear(w.op("Reshape", together, w.integers(0, 0, width)), f"{name}.output.dense")


def export(folder, path):
    folder = pathlib.Path(folder)
    config = json.loads((folder / "config.json").read_text())
    tensors = {name.removeprefix("bert."): t for name, t in read_safetensors(folder / "model.safetensors").items()}
    w = Writer(tensors)
    width, epsilon = config["hidden_size"], config["layer_norm_eps"]

    # Words, their places (the first so many), and the one kind of token.
    words = w.op("Gather", w.constant("words", tensors["embeddings.word_embeddings.weight"]), "input_ids")
    length = w.op("Gather", w.op("Shape", "input_ids"), w.integers(1))
    places = w.op(
        "Slice",
        w.constant("places", tensors["embeddings.position_embeddings.weight"]),
        w.integers(0),
        length,
        w.integers(0),
    )
    kind = w.constant("kind", tensors["embeddings.token_type_embeddings.weight"][0])
    x = w.op("Add", w.op("Add", words, kind), places)
    x = w.layer_norm(x, "embeddings.LayerNorm", epsilon)

    # 0 for words, a large negative number for padding, added to the scores.
    mask = w.op("Cast", w.op("Unsqueeze", "attention_mask", w.integers(1, 2)), to=TensorProto.FLOAT)
    padding = w.op("Mul", w.op("Sub", w.number(1.0), mask), w.number(-10000.0))
    for layer in range(config["num_hidden_layers"]):
        name = f"encoder.layer.{layer}"
        attended = attention(w, x, padding, f"{name}.attention", config["num_attention_heads"], width)
        x = w.layer_norm(w.op("Add", attended, x), f"{name}.attention.output.LayerNorm", epsilon)
        inner = w.gelu(w.linear(x, f"{name}.intermediate.dense"))
        x = w.layer_norm(w.op("Add", w.linear(inner, f"{name}.output.dense"), x), f"{name}.output.LayerNorm", epsilon)

    # The mean over the words, of length 1.
    present = w.op("Cast", w.op("Unsqueeze", "attention_mask", w.integers(2)), to=TensorProto.FLOAT)
    total = w.op("ReduceSum", w.op("Mul", x, present), w.integers(1), keepdims=0)
    mean = w.op("Div", total, w.op("ReduceSum", present, w.integers(1), keepdims=0))
    norm = w.op("ReduceL2", mean, axes=[1], keepdims=1)
    w.nodes.append(helper.make_node("Div", [mean, norm], ["sentence_embedding"], name="sentence_embedding"))

    tokens = ["batch", "words"]
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, tokens) for n in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", width])]
    graph = helper.make_graph(w.nodes, "minilm", inputs, outputs, list(w.initializers.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 8
    onnx.save(model, path)
