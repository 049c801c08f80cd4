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
            results = getattr(self, node.op_type)(attributes, *inputs)
            values.update(zip(node.output, results if isinstance(results, tuple) else (results,)))
        return {output.name: values_of(values[output.name]) for output in self.graph.output}

    def product(self, x, w):
        if not isinstance(w, scalar.Matrix):  # one group with scale 1, in any mode
            rows = x.reshape(-1, x.shape[-1])
            ones = np.ones((w.shape[0], 1), F)
            return scalar.product(rows, Matrix(w, ones, None, w.shape[1]), "float").reshape(*x.shape[:-1], -1)
        """Mode `int` reads the codes of activations where the model has them, with one scale for all."""
        if isinstance(x, Dequantized) and self.mode == "int" and x.scales.size == 1:
            zero = 0 if x.zeros is None else x.zeros.reshape(())
            shape, codes = x.codes.shape, x.codes.reshape(-1, x.codes.shape[-1]) - zero
            y = scalar.coded_product(codes, np.full((codes.shape[0], 1), x.scales.reshape(())), w)
            return y.reshape(*shape[:-1], -1)
        x = values_of(x)
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
        w = Matrix(codes, scales, zeros, block, permutation)
        if attributes.get("accuracy_level") == 4 and self.mode == "int":
            y = scalar.product_in_blocks(a.reshape(-1, columns), w).reshape(*a.shape[:-1], rows)
        else:
            y = self.product(a, w)
        return y if bias is None else y + bias

    def DequantizeLinear(self, attributes, codes, scales, zeros=None):
        axis, block = attributes.get("axis", 1), attributes.get("block_size", 0)
        wide = None if zeros is None else np.asarray(zeros).astype(np.int32)
        return Dequantized(codes.astype(np.int32), np.asarray(scales), wide, axis, block)

    def QuantizeLinear(self, attributes, x, scale, zero):
        return saturated(np.rint(values_of(x) / scale), zero)

    def DynamicQuantizeLinear(self, attributes, x):
        low, high = min(F(0), x.min()), max(F(0), x.max())
        scale = (high - low) / F(255) or F(1)
        zero = np.uint8(np.clip(np.rint(-low / scale), 0, 255))
        return saturated(np.rint(x / scale), zero), scale, zero

    def MatMulInteger(self, attributes, a, b, a_zero=None, b_zero=None):
        if a_zero is not None and np.size(a_zero) > 1:
            a_zero = a_zero[:, np.newaxis]
        return (without(a, a_zero) @ without(b, b_zero)).astype(np.int32)

    def QLinearMatMul(self, attributes, a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero):
        total = self.MatMulInteger({}, a, b, a_zero, b_zero).astype(F)
        return saturated(np.rint(total * (a_scale * b_scale / y_scale)), y_zero)

    def MatMulIntegerToFloat(self, attributes, a, b, a_scale, b_scale, a_zero=None, b_zero=None, bias=None):
        y = self.MatMulInteger({}, a, b, a_zero, b_zero).astype(F) * (a_scale * b_scale)
        return y if bias is None else y + bias

    def DynamicQuantizeMatMul(self, attributes, x, b, b_scale, b_zero=None, bias=None):
        codes, scale, zero = self.DynamicQuantizeLinear({}, x)
        return self.MatMulIntegerToFloat({}, codes, b, scale, b_scale, zero, b_zero, bias)

    def QGemm(self, attributes, a, a_scale, a_zero, b, b_scale, b_zero, c=None, y_scale=None, y_zero=None):
        b = b.T if attributes.get("transB") else b
        total = self.MatMulInteger({}, a, b, a_zero, b_zero) + (0 if c is None else c)
        scale = F(attributes.get("alpha", 1)) * a_scale * b_scale
        if y_scale is None:
            return total.astype(F) * scale
        return saturated(np.rint(total.astype(F) * (scale / y_scale)), y_zero)

    def Cast(self, attributes, x):
        return x.astype(helper.tensor_dtype_to_np_dtype(attributes["to"]))

    def Clip(self, attributes, x, low, high):
        return np.clip(x, low, high)

    def QLinearAdd(self, attributes, a, a_scale, a_zero, b, b_scale, b_zero, scale, zero):
        return linear(number(a, a_scale, a_zero) + number(b, b_scale, b_zero), scale, zero)

    def QLinearMul(self, attributes, a, a_scale, a_zero, b, b_scale, b_zero, scale, zero):
        return linear(number(a, a_scale, a_zero) * number(b, b_scale, b_zero), scale, zero)

    def QLinearSigmoid(self, attributes, x, x_scale, x_zero, scale, zero):
        return linear(scalar.sigmoid(number(x, x_scale, x_zero)), scale, zero)

    def QLinearLeakyRelu(self, attributes, x, x_scale, x_zero, scale, zero):
        v = number(x, x_scale, x_zero)
        return linear(np.where(v < 0, F(attributes["alpha"]) * v, v), scale, zero)

    def QLinearSoftmax(self, attributes, x, x_scale, x_zero, scale, zero):
        return linear(scalar.softmax(number(x, x_scale, x_zero)), scale, zero)

    def QLinearGlobalAveragePool(self, attributes, x, x_scale, x_zero, scale, zero):
        v = number(x, x_scale, x_zero)
        spatial = v.reshape(*v.shape[:2], -1)
        total = np.zeros(v.shape[:2], F)
        for i in range(spatial.shape[2]):
            total = total + spatial[:, :, i]
        return linear((total / F(spatial.shape[2])).reshape(*v.shape[:2], 1, 1), scale, zero)

    def QLinearWhere(self, attributes, condition, x, x_scale, x_zero, y, y_scale, y_zero, scale, zero):
        return linear(np.where(condition, number(x, x_scale, x_zero), number(y, y_scale, y_zero)), scale, zero)

    def QLinearConcat(self, attributes, scale, zero, *parts):
        numbers = [number(*parts[i : i + 3]) for i in range(0, len(parts), 3)]
        return linear(np.concatenate(numbers, axis=attributes["axis"]), scale, zero)

    def MatMul(self, attributes, a, b):
        return self.product(a, right_operand(b, transposed=False))

    def Gemm(self, attributes, a, b, c=None):
        y = self.product(a, right_operand(b, transposed=bool(attributes.get("transB", 0))))
        return y if c is None else y + values_of(c)

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
        if isinstance(x, Dequantized):
            return Dequantized(self.Reshape(attributes, x.codes, shape), x.scales, x.zeros, x.axis, x.block)
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


def right_operand(b, transposed):
    """W[N, K]: quantized, or numbers."""
    if isinstance(b, Dequantized):
        return b.rows(transposed)
    return b if transposed else np.ascontiguousarray(b.T)


def saturated(rounded, zero):
    """Codes of the zero point's type."""
    limits = np.iinfo(zero.dtype)
    return np.clip(rounded + np.asarray(zero, np.int32), limits.min, limits.max).astype(zero.dtype)


def without(codes, zero):
    wide = np.asarray(codes, np.int64)
    return wide if zero is None else wide - np.asarray(zero, np.int64)


def number(codes, scale, zero):
    return without(codes, zero).astype(F) * scale


def linear(x, scale, zero):
    return saturated(np.rint(x / scale), zero)
