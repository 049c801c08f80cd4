"""Graphs of one operator over windows: Conv, ConvTranspose, pools.

A case gives the shapes; its variant says which of them the compiler knows, and which inputs are constants.
"""

from typing import NamedTuple

import numpy as np
from onnx import TensorProto

from .graph import Graph


class Window(NamedTuple):
    op: str
    image: list
    weight: list | None = None
    bias: int | None = None
    attributes: dict = {}
    opset: int = 21
    dtype: type = np.float32
    outputs: int = 1

    def add(self, g, name, variant):
        """Adds the operator to a graph. Variants: `static`: all sizes known; `dynamic`: none; `constant`: weights are
        initializers, the image is dynamic. Returns the names of the outputs."""

        def sample(shape):
            if np.issubdtype(self.dtype, np.integer):
                return g.random.integers(np.iinfo(self.dtype).min, np.iinfo(self.dtype).max, shape, self.dtype, True)
            return g.random.standard_normal(shape).astype(self.dtype)

        def dims(tensor, shape):
            return [f"{name}.{tensor}{axis}" for axis in range(len(shape))] if variant != "static" else list(shape)

        inputs = [g.input(f"{name}.x", sample(self.image), dims("x", self.image))]
        for tensor, shape in (("w", self.weight), ("b", None if self.bias is None else [self.bias])):
            if shape is None:
                continue
            values = sample(shape)
            # The weight of ConvTranspose decides about the shape of the compiled matrix.
            fixed = variant != "dynamic" or self.op == "ConvTranspose"
            if variant == "constant":
                inputs.append(g.constant(values, f"{name}.{tensor}"))
            else:
                inputs.append(g.input(f"{name}.{tensor}", values, list(shape) if fixed else dims(tensor, shape)))
        names = [f"{name}.y", f"{name}.places"][: self.outputs]
        g.op(self.op, *inputs, name=name, outputs=names, **self.attributes)
        kinds = {np.float32: TensorProto.FLOAT, np.float16: TensorProto.FLOAT16, np.int8: TensorProto.INT8}
        for output in names:
            g.output(output, None, TensorProto.INT64 if output.endswith("places") else kinds[self.dtype])
        return names


def graph_of(cases, variant):
    """All these cases in one model: they are many, and small."""
    (opset,) = {case.opset for case in cases.values()}
    g = Graph("windows", 1, opset)
    for name, case in cases.items():
        case.add(g, name, variant)
    return g


def conv(image, weight, bias=True, opset=21, dtype=np.float32, **attributes):
    return Window("Conv", image, weight, weight[0] if bias else None, attributes, opset, dtype)


def transposed(image, weight, bias=True, **attributes):
    rows = weight[1] * attributes.get("group", 1)
    return Window("ConvTranspose", image, weight, rows if bias else None, attributes)


def pool(op, image, opset=21, dtype=np.float32, outputs=1, **attributes):
    return Window(op, image, None, None, attributes, opset, dtype, outputs)


CONVOLUTIONS = {
    "conv-plain": conv([2, 5, 9, 21], [7, 5, 3, 3]),
    "conv-same-pads": conv([1, 3, 8, 40], [13, 3, 3, 3], pads=[1, 1, 1, 1]),
    "conv-stride-2": conv([1, 3, 17, 45], [8, 3, 3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
    "conv-stride-3": conv([1, 3, 16, 50], [4, 3, 5, 4], pads=[2, 0, 1, 3], strides=[3, 3]),
    "conv-dilated": conv([1, 2, 20, 40], [3, 2, 3, 3], dilations=[2, 3], pads=[2, 3, 2, 3]),
    "conv-pointwise": conv([2, 9, 7, 5], [6, 9, 1, 1]),
    "conv-pointwise-stride": conv([1, 9, 7, 33], [6, 9, 1, 1], strides=[2, 2]),
    "conv-no-bias": conv([1, 4, 6, 6], [2, 4, 2, 2], bias=False),
    "conv-grouped": conv([1, 6, 8, 20], [9, 2, 3, 3], group=3, pads=[1, 1, 1, 1]),
    "conv-depthwise": conv([2, 5, 9, 37], [5, 1, 3, 3], group=5, pads=[1, 1, 1, 1]),
    "conv-depthwise-stride-2": conv([1, 5, 9, 70], [5, 1, 5, 5], group=5, pads=[2, 2, 2, 2], strides=[2, 2]),
    "conv-depthwise-multiplier": conv([1, 3, 9, 20], [6, 1, 3, 3], group=3, strides=[1, 3]),
    "conv-deep": conv([1, 1200, 3, 5], [3, 1200, 2, 2], pads=[1, 1, 0, 0]),
    "conv-many-taps": conv([1, 300, 6, 18], [5, 300, 3, 3]),
    "conv-1d": conv([2, 3, 50], [4, 3, 5], pads=[2, 2], strides=[2]),
    "conv-1d-wide-stride": conv([2, 1, 400], [10, 1, 64], strides=[32]),
    "conv-1d-causal": conv([1, 4, 33], [4, 4, 3], pads=[4, 0], dilations=[2]),
    "conv-3d": conv([1, 2, 5, 6, 20], [3, 2, 2, 3, 3], pads=[1, 0, 1, 0, 1, 1], strides=[2, 1, 1]),
    "conv-same-upper": conv([1, 2, 10, 19], [3, 2, 3, 4], auto_pad="SAME_UPPER", strides=[2, 3]),
    "conv-same-lower": conv([1, 2, 10, 19], [3, 2, 3, 4], auto_pad="SAME_LOWER", strides=[2, 3]),
    "conv-valid": conv([1, 2, 10, 19], [3, 2, 3, 4], auto_pad="VALID"),
    "conv-empty-batch": conv([0, 2, 10, 19], [3, 2, 3, 4]),
    "conv-kernel-shape": conv([1, 2, 5, 5], [3, 2, 3, 3], kernel_shape=[3, 3]),
}

TRANSPOSED = {
    "transposed-plain": transposed([1, 3, 5, 7], [3, 4, 3, 3]),
    "transposed-stride-2": transposed([2, 3, 5, 17], [3, 4, 2, 2], strides=[2, 2]),
    "transposed-overlap": transposed([1, 3, 5, 7], [3, 4, 5, 4], strides=[2, 3], pads=[1, 0, 2, 1]),
    "transposed-grouped": transposed([1, 6, 5, 7], [6, 2, 3, 3], strides=[2, 2], group=3),
    "transposed-output-padding": transposed([1, 2, 4, 4], [2, 3, 3, 3], strides=[3, 2], output_padding=[2, 1]),
    "transposed-output-shape": transposed([1, 2, 4, 4], [2, 3, 3, 3], strides=[3, 2], output_shape=[10, 8]),
    "transposed-dilated": transposed([1, 2, 4, 4], [2, 3, 2, 2], dilations=[2, 2], bias=False),
    "transposed-same": transposed([1, 2, 4, 4], [2, 3, 3, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
    "transposed-1d": transposed([1, 2, 6], [2, 3, 4], strides=[2], pads=[1, 1]),
}

POOLS = {
    "max-plain": pool("MaxPool", [2, 3, 9, 40], kernel_shape=[3, 3]),
    "max-stride-2": pool("MaxPool", [1, 3, 16, 70], kernel_shape=[2, 2], strides=[2, 2]),
    "max-pads": pool("MaxPool", [1, 3, 9, 21], kernel_shape=[3, 5], pads=[1, 2, 1, 2], strides=[2, 3]),
    "max-ceil": pool("MaxPool", [1, 2, 10, 11], kernel_shape=[3, 3], strides=[2, 4], ceil_mode=1),
    "max-ceil-pads": pool("MaxPool", [1, 2, 10, 13], kernel_shape=[3, 2], strides=[4, 2], pads=[1, 1, 1, 1], ceil_mode=1),
    "max-dilated": pool("MaxPool", [1, 2, 12, 20], kernel_shape=[2, 3], dilations=[3, 2]),
    "max-same": pool("MaxPool", [1, 2, 7, 8], kernel_shape=[3, 2], strides=[2, 2], auto_pad="SAME_LOWER"),
    "max-places": pool("MaxPool", [2, 3, 6, 20], kernel_shape=[2, 3], strides=[2, 2], pads=[0, 1, 0, 1], outputs=2),
    "max-places-column": pool("MaxPool", [1, 2, 6, 9], kernel_shape=[2, 3], storage_order=1, outputs=2),
    "max-1d": pool("MaxPool", [1, 2, 30], kernel_shape=[3], strides=[3]),
    "max-3d": pool("MaxPool", [1, 2, 4, 5, 6], kernel_shape=[2, 2, 2], strides=[2, 2, 1]),
    "max-int8": pool("MaxPool", [1, 2, 9, 9], kernel_shape=[3, 3], dtype=np.int8),
    "max-empty-batch": pool("MaxPool", [0, 2, 9, 9], kernel_shape=[3, 3]),
    "average-plain": pool("AveragePool", [1, 3, 9, 40], kernel_shape=[3, 3]),
    "average-exclude": pool("AveragePool", [1, 3, 9, 21], kernel_shape=[3, 5], pads=[1, 2, 1, 2], strides=[2, 1]),
    "average-include": pool(
        "AveragePool", [1, 3, 9, 21], kernel_shape=[3, 5], pads=[1, 2, 0, 2], strides=[2, 2], count_include_pad=1
    ),
    "average-ceil": pool("AveragePool", [1, 2, 10, 10], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    "average-ceil-include": pool(
        "AveragePool", [1, 2, 9, 9], kernel_shape=[3, 3], strides=[2, 2], pads=[0, 1, 0, 1], ceil_mode=1, count_include_pad=1
    ),
    "average-same": pool("AveragePool", [1, 2, 7, 8], kernel_shape=[3, 4], strides=[2, 2], auto_pad="SAME_UPPER"),
    "average-dilated": pool("AveragePool", [1, 2, 12, 20], kernel_shape=[2, 3], dilations=[3, 2]),
    "lp-2": pool("LpPool", [1, 2, 9, 20], kernel_shape=[2, 3], strides=[2, 1]),
    "lp-1": pool("LpPool", [1, 2, 9, 20], kernel_shape=[2, 3], p=1, pads=[1, 1, 1, 1]),
    "lp-3": pool("LpPool", [1, 2, 9, 20], kernel_shape=[2, 3], p=3),
    "global-average": pool("GlobalAveragePool", [2, 3, 7, 9]),
    "global-average-1d": pool("GlobalAveragePool", [2, 3, 7]),
    "global-max": pool("GlobalMaxPool", [2, 3, 7, 9]),
    "global-lp": pool("GlobalLpPool", [2, 3, 7, 9], p=2),
}


FAMILIES = {"conv": CONVOLUTIONS, "transposed": TRANSPOSED, "pool": POOLS}


def quantized_convolution(bits):
    """Two convolutions with weights of so many bits, one scale per output channel, one for all."""
    g = Graph("quantized", 1, 21)
    x = g.input("x", g.random.standard_normal((2, 5, 9, 21)).astype(np.float32), ["n", 5, "h", "w"])
    kind = {8: TensorProto.INT8, 4: TensorProto.INT4}[bits]
    for name, shape, scale in (("a", [7, 5, 3, 3], [7]), ("b", [4, 5, 1, 1], [])):
        codes = g.random.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), shape)
        flat = codes.reshape(-1).astype(np.int64)
        if bits == 4:
            flat = np.concatenate([flat, np.zeros(len(flat) % 2, np.int64)])
            raw = ((flat[::2] & 15) | (flat[1::2] & 15) << 4).astype(np.uint8).tobytes()
        else:
            raw = flat.astype(np.int8).tobytes()
        weight = g.raw_constant(kind, shape, raw, f"{name}.codes")
        scales = g.constant(g.random.uniform(0.01, 0.1, scale).astype(np.float32), f"{name}.scales")
        w = g.op("DequantizeLinear", weight, scales, name=f"{name}.w", axis=0)
        bias = g.constant(g.random.standard_normal(shape[0]).astype(np.float32), f"{name}.bias")
        g.op("Conv", x, w, bias, name=f"{name}.y", pads=[shape[2] // 2] * 4, strides=[1, 2])
        g.output(f"{name}.y", None, TensorProto.FLOAT)
    return g
