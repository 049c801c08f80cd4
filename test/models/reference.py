"""Runs an ONNX model by the scalar programs: one function per operator that the tests' models have.

DequantizeLinear of an initializer stays quantized until somebody reads it: a product takes its codes, scales and zero
points, anything else its values.
"""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import scalar
from scalar import F, Matrix


class Dequantized:
    """What DequantizeLinear was given, as integers, with its attributes."""

    def __init__(self, codes, scales, zeros, axis, block):
        self.codes, self.scales, self.zeros, self.axis, self.block = codes, scales, zeros, axis, block

    def values(self):
        spread = lambda part: spread_over(part, self.codes.shape, self.axis, self.block)
        zeros = 0 if self.zeros is None else spread(self.zeros)
        return (self.codes - zeros).astype(F) * spread(self.scales)

    def rows(self, transposed):
        """As the right operand of a product, W[N, K]."""
        turn = (lambda part: part) if transposed else np.transpose
        shape = turn(self.codes).shape
        if self.scales.size == 1 and self.block == 0:
            group, expand = shape[1], lambda part: np.full((shape[0], 1), part.reshape(()))
        elif self.block == 0:
            group, expand = shape[1], lambda part: part.reshape(shape[0], 1)
        else:
            group, expand = self.block, turn
        zeros = None if self.zeros is None else expand(self.zeros)
        return Matrix(turn(self.codes), expand(self.scales), zeros, group)


def spread_over(part, shape, axis, block):
    """Scales or zero points as large as what they belong to."""
    if part.ndim == 0 or part.size == 1:
        return part.reshape(())
    if block:
        return np.repeat(part, block, axis=axis).take(np.arange(shape[axis]), axis=axis)
    return part.reshape([-1 if i == axis else 1 for i in range(len(shape))])


def initializer(tensor):
    """As numpy has it; integers of less than a byte become int32."""
    array = numpy_helper.to_array(tensor)
    small = (TensorProto.INT4, TensorProto.UINT4, TensorProto.INT2, TensorProto.UINT2)
    return array.astype(np.int32) if tensor.data_type in small else array


class Reference:
    def __init__(self, model, mode="float"):
        self.graph, self.mode = model.graph, mode
        self.constants = {tensor.name: initializer(tensor) for tensor in self.graph.initializer}

    def run(self, feeds):
        """{input: array} -> {output: array}."""
        values = {**self.constants, **feeds, "": None}
        for node in self.graph.node:
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            inputs = [values[name] for name in node.input]
            values[node.output[0]] = getattr(self, node.op_type)(attributes, *inputs)
        return {output.name: values_of(values[output.name]) for output in self.graph.output}

    def product(self, x, w):
        if isinstance(x, Dequantized):
            x = x.values()
        y = scalar.product(x.reshape(-1, x.shape[-1]), w, self.mode)
        return y.reshape(*x.shape[:-1], -1)

    def MatMulNBits(self, attributes, a, b, scales, zeros=None, g_idx=None, bias=None):
        bits, block, rows, columns = (attributes[name] for name in ("bits", "block_size", "N", "K"))
        groups = -(-columns // block)
        scales = scales.reshape(rows, groups)
        codes = unpack(b.reshape(rows, groups, -1), bits, block).reshape(rows, -1)[:, :columns]
        if zeros is None:
            zeros = np.full((rows, groups), 1 << (bits - 1))
        elif zeros.dtype == np.uint8:
            zeros = unpack(zeros.reshape(rows, -1), bits, groups)
        permutation = None
        if g_idx is not None:
            permutation = np.argsort(g_idx, kind="stable")
            codes = codes[:, permutation]
        y = self.product(a, Matrix(codes, scales, zeros, block, permutation))
        return y if bias is None else y + bias

    def DequantizeLinear(self, attributes, codes, scales, zeros=None):
        axis, block = attributes.get("axis", 1), attributes.get("block_size", 0)
        wide = None if zeros is None else np.asarray(zeros).astype(np.int32)
        return Dequantized(codes.astype(np.int32), np.asarray(scales), wide, axis, block)

    def QuantizeLinear(self, attributes, x, scale, zero):
        range_of = np.iinfo(zero.dtype)
        codes = np.rint(values_of(x) / scale) + zero.astype(np.int32)
        return np.clip(codes, range_of.min, range_of.max).astype(zero.dtype)

    def MatMul(self, attributes, a, b):
        return self.product(a, b.rows(transposed=False))

    def Gemm(self, attributes, a, b, c=None):
        y = self.product(a, b.rows(transposed=bool(attributes.get("transB", 0))))
        return y if c is None else y + c

    def RMSNormalization(self, attributes, x, scale):
        return scalar.rms_norm(x, scale, attributes["epsilon"])

    SimplifiedLayerNormalization = RMSNormalization

    def LayerNormalization(self, attributes, x, scale, bias=None):
        return scalar.layer_norm(x, scale, bias, attributes["epsilon"])

    def Softmax(self, attributes, x):
        return scalar.softmax(x)

    def Sigmoid(self, attributes, x):
        return scalar.sigmoid(x)

    def Relu(self, attributes, x):
        return np.maximum(values_of(x), F(0))

    def Mul(self, attributes, a, b):
        return values_of(a) * values_of(b)

    def Add(self, attributes, a, b):
        return values_of(a) + values_of(b)

    def Gather(self, attributes, table, indices):
        return np.take(table, indices, axis=attributes.get("axis", 0))

    def Reshape(self, attributes, x, shape):
        return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(shape)])

    def Transpose(self, attributes, x):
        return np.transpose(x, attributes["perm"])


def unpack(streams, bits, count):
    """The first `count` codes of streams of bits, lowest bits first: uint8 [..., bytes] -> int32 [..., count]."""
    planes = np.unpackbits(streams, axis=-1, bitorder="little")[..., : count * bits]
    planes = planes.reshape(*streams.shape[:-1], count, bits).astype(np.int32)
    return (planes << np.arange(bits)).sum(axis=-1)


def values_of(x):
    return x.values() if isinstance(x, Dequantized) else x
