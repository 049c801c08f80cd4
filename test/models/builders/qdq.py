"""Products whose weights come from DequantizeLinear, in the granularities that the operator has."""

import numpy as np
from onnx import TensorProto

from .graph import Graph
from .nbits import pack_bits

# name -> (ONNX type, smallest code, largest code, bits)
TYPES = {
    "int8": (TensorProto.INT8, -128, 127, 8),
    "uint8": (TensorProto.UINT8, 0, 255, 8),
    "int4": (TensorProto.INT4, -8, 7, 4),
    "uint4": (TensorProto.UINT4, 0, 15, 4),
    "int2": (TensorProto.INT2, -2, 1, 2),
    "uint2": (TensorProto.UINT2, 0, 3, 2),
}


def quantized_constant(g, dtype, shape, name):
    """Random codes of their whole range. Types of less than a byte are packed low bits first, flattened."""
    kind, low, high, bits = TYPES[dtype]
    codes = g.random.integers(low, high + 1, size=shape)
    fields = (codes & ((1 << bits) - 1)).astype(np.uint8)
    return g.raw_constant(kind, shape, pack_bits(fields.reshape(-1), bits).tobytes(), name)


def dequantized_weight(g, dtype, shape, axis, granularity, zero_point, name):
    """A weight of `shape` whose products run along `axis`; scales per tensor, per channel (the other axis) or block."""
    columns = shape[axis]
    if granularity == "tensor":
        scale_shape, attributes = [], {}
    elif granularity == "channel":
        scale_shape, attributes = [shape[1 - axis]], {"axis": 1 - axis}
    else:
        scale_shape = list(shape)
        scale_shape[axis] = -(-columns // granularity)
        attributes = {"axis": axis, "block_size": granularity}
    _, low, high, _ = TYPES[dtype]
    step = 3.0 / ((high - low + 1) * np.sqrt(columns))
    scales = np.asarray(step * g.random.uniform(0.5, 1.5, scale_shape), np.float32)
    inputs = [quantized_constant(g, dtype, shape, f"{name}.codes"), g.constant(scales, f"{name}.scales")]
    if zero_point:
        inputs.append(quantized_constant(g, dtype, scale_shape, f"{name}.zeros"))
    return g.op("DequantizeLinear", *inputs, name=f"{name}.dequantized", **attributes)


def weight_only(seed, dtype, granularity, zero_point=False, width=96, rows=80, gemm=False):
    """x W, or Gemm(x, W^T) + bias, with W from DequantizeLinear."""
    g = Graph("weight_only", seed, opset=25 if dtype.endswith("int2") else 21)
    x = g.input("x", g.heavy_tailed(5, width), ["rows", width])
    if gemm:
        w = dequantized_weight(g, dtype, [rows, width], 1, granularity, zero_point, "w")
        bias = g.constant(g.heavy_tailed(rows, scale=0.1), "bias")
        y = g.op("Gemm", x, w, bias, name="y", transB=1)
    else:
        w = dequantized_weight(g, dtype, [width, rows], 0, granularity, zero_point, "w")
        y = g.op("MatMul", x, w, name="y")
    g.output(y, ["rows", rows])
    return g


def static_activations(seed, width=96, rows=80):
    """Q -> DQ -> MatMul with a per-channel weight -> Relu -> Q -> DQ: how static quantization writes a layer."""
    g = Graph("static_activations", seed)
    x = g.input("x", g.heavy_tailed(5, width), ["rows", width])

    def fake_quantized(value, scale, zero, name):
        parameters = (g.constant(np.float32(scale), f"{name}.scale"), g.constant(np.uint8(zero), f"{name}.zero"))
        codes = g.op("QuantizeLinear", value, *parameters, name=f"{name}.codes")
        return g.op("DequantizeLinear", codes, *parameters, name=name)

    w = dequantized_weight(g, "int8", [width, rows], 0, "channel", False, "w")
    product = g.op("MatMul", fake_quantized(x, 0.043, 131, "a"), w, name="product")
    relu = g.op("Relu", product, name="relu")
    g.output(fake_quantized(relu, 0.021, 0, "y"), ["rows", rows])
    return g


def shared_codes(seed, width=48):
    """One initializer of codes behind three weights: by columns with two sets of scales, and by rows."""
    g = Graph("shared_codes", seed)
    x = g.input("x", g.heavy_tailed(5, width), ["rows", width])
    codes = quantized_constant(g, "int8", [width, width], "codes")

    def weight(name, axis):
        scales = g.constant(g.random.uniform(0.001, 0.003, width).astype(np.float32), f"{name}.scales")
        return g.op("DequantizeLinear", codes, scales, name=name, axis=axis)

    first = g.op("MatMul", x, weight("w1", 1), name="first")
    second = g.op("MatMul", x, weight("w2", 1), name="second")
    third = g.op("Gemm", x, weight("w3", 0), name="third", transB=1)
    g.output(g.op("Add", g.op("Add", first, second, name="both"), third, name="y"), ["rows", width])
    return g


def moved_codes(seed, width=40):
    """Q -> Transpose -> DQ: codes that are moved between the two."""
    g = Graph("moved_codes", seed)
    x = g.input("x", g.heavy_tailed(7, width), ["rows", width])
    parameters = (g.constant(np.float32(0.037), "scale"), g.constant(np.uint8(97), "zero"))
    codes = g.op("QuantizeLinear", x, *parameters, name="codes")
    moved = g.op("Transpose", codes, name="moved", perm=[1, 0])
    g.output(g.op("DequantizeLinear", moved, *parameters, name="y"), [width, "rows"])
    return g
