"""Chains of integer products and of operators on codes, as quantizers write them.

Scales that are powers of two make exact ties in every requantization: they occur often here, not never.
"""

import numpy as np
from onnx import TensorProto

from .graph import MICROSOFT, Graph


def codes(g, dtype, *shape):
    """Random codes. Weights stay within seven bits, where no machine's instructions saturate: other runtimes compare."""
    low, high = {"int8": (-64, 64), "uint8": (0, 128)}[dtype]
    return g.random.integers(low, high, size=shape).astype(dtype)


def scalar(g, value, dtype, name):
    return g.constant(np.asarray(value, dtype), name)


def quantized(g, x, scale, zero, dtype, name):
    return g.op(
        "QuantizeLinear", x, scalar(g, scale, "float32", f"{name}.scale"), scalar(g, zero, dtype, f"{name}.zero"), name=name
    )


def dynamic(seed, dtype, per_channel, width=96, rows=80):
    """One DynamicQuantizeLinear that feeds three MatMulInteger, each with Cast, Mul and Add: quantize_dynamic."""
    g = Graph("dynamic", seed)
    x = g.input("x", g.heavy_tailed(2, 5, width), ["batch", "rows", width])
    a, scale, zero = g.op("DynamicQuantizeLinear", x, outputs=["a", "a.scale", "a.zero"], name="quantized")
    outputs = []
    for name in "qkv":
        shape = [rows] if per_channel else []
        w = g.constant(codes(g, dtype, width, rows), f"{name}.codes")
        w_scale = g.constant(np.asarray(g.random.uniform(0.001, 0.01, shape), np.float32), f"{name}.scale")
        w_zero = g.constant(codes(g, dtype, *shape) if dtype == "uint8" else np.zeros(shape, dtype), f"{name}.zero")
        y = g.op("MatMulInteger", a, w, zero, w_zero, name=f"{name}.sum")
        y = g.op("Cast", y, name=f"{name}.number", to=TensorProto.FLOAT)
        y = g.op("Mul", y, g.op("Mul", scale, w_scale, name=f"{name}.scales"), name=f"{name}.scaled")
        outputs.append(g.op("Add", y, g.constant(g.heavy_tailed(rows), f"{name}.bias"), name=f"{name}.biased"))
    y = g.op("Add", g.op("Add", *outputs[:2], name="sum"), outputs[2], name="y")
    g.output(y, ["batch", "rows", rows])
    return g


def fused_dynamic(seed, width=70, rows=33):
    """The same as the runtime's optimizer writes it: DynamicQuantizeMatMul, and MatMulIntegerToFloat on shared codes."""
    g = Graph("fused_dynamic", seed)
    x = g.input("x", g.heavy_tailed(5, width), ["rows", width])
    w = g.constant(codes(g, "int8", width, rows), "w.codes")
    w_scale = g.constant(g.random.uniform(0.001, 0.01, rows).astype(np.float32), "w.scale")
    bias = g.constant(g.heavy_tailed(rows), "bias")
    first = g.op("DynamicQuantizeMatMul", x, w, w_scale, "", bias, name="first", domain=MICROSOFT)
    a, scale, zero = g.op("DynamicQuantizeLinear", x, outputs=["a", "a.scale", "a.zero"], name="quantized")
    v = g.constant(codes(g, "uint8", width, rows), "v.codes")
    v_scale, v_zero = scalar(g, 0.004, "float32", "v.scale"), scalar(g, 61, "uint8", "v.zero")
    second = g.op("MatMulIntegerToFloat", a, v, scale, v_scale, zero, v_zero, bias, name="second", domain=MICROSOFT)
    g.output(g.op("Add", first, second, name="y"), ["rows", rows])
    return g


def qlinear(seed, a_type, w_type, per_channel, width=64, rows=48):
    """Q -> QLinearMatMul -> QLinearMatMul -> DQ, codes between them; half of the quotients of the first are ties."""
    g = Graph("qlinear", seed)
    x = g.input("x", g.heavy_tailed(2, 5, width), ["batch", "rows", width])
    zero = {"uint8": 117, "int8": -11}[a_type]
    a = quantized(g, x, 0.0625, zero, a_type, "a")

    def product(value, scale, zero, columns, out_scale, out_zero, name, w_scale):
        w = g.constant(codes(g, w_type, width if name == "first" else rows, columns), f"{name}.codes")
        w_zero = codes(g, w_type, *np.shape(w_scale)) if w_type == "uint8" else np.zeros(np.shape(w_scale), w_type)
        return g.op(
            "QLinearMatMul",
            value,
            scalar(g, scale, "float32", f"{name}.a_scale"),
            scalar(g, zero, a_type, f"{name}.a_zero"),
            w,
            g.constant(np.asarray(w_scale, np.float32), f"{name}.scale"),
            g.constant(w_zero, f"{name}.zero"),
            scalar(g, out_scale, "float32", f"{name}.y_scale"),
            scalar(g, out_zero, a_type, f"{name}.y_zero"),
            name=name,
        )

    scales = 2.0 ** g.random.integers(-6, -3, size=rows) if per_channel else 0.0625
    y = product(a, 0.0625, zero, rows, 2.0, zero + 1, "first", scales)
    scales = g.random.uniform(0.01, 0.03, rows) if per_channel else 0.017
    y = product(y, 2.0, zero + 1, rows, 9.7, zero, "second", scales)
    parameters = scalar(g, 9.7, "float32", "y.scale"), scalar(g, zero, a_type, "y.zero")
    g.output(g.op("DequantizeLinear", y, *parameters, name="y"), ["batch", "rows", rows])
    return g


def qlinear_weights_at_run_time(seed, width=17, rows=9):
    """QLinearMatMul and MatMulInteger whose right operands are no constants, in batches."""
    g = Graph("qlinear_weights_at_run_time", seed)
    a = g.input("a", codes(g, "uint8", 2, 5, width), ["batch", "rows", width])
    b = g.input("b", codes(g, "int8", 2, width, rows), ["batch", width, rows])
    sums = g.op("MatMulInteger", a, b, scalar(g, 13, "uint8", "a.zero"), name="sums")
    y = g.op(
        "QLinearMatMul",
        a,
        scalar(g, 0.5, "float32", "a.scale"),
        "a.zero",
        b,
        scalar(g, 0.25, "float32", "b.scale"),
        scalar(g, -3, "int8", "b.zero"),
        scalar(g, 16.0, "float32", "y.scale"),
        scalar(g, 100, "uint8", "y.zero"),
        name="y",
    )
    g.output(sums, ["batch", "rows", rows], TensorProto.INT32)
    g.output(y, ["batch", "rows", rows], TensorProto.UINT8)
    return g


def row_zeros(seed, width=40, rows=24):
    """MatMulInteger with a zero point for each row of A and each column of B."""
    g = Graph("row_zeros", seed)
    a = g.input("a", codes(g, "uint8", 5, width), [5, width])
    w = g.constant(codes(g, "uint8", width, rows), "w")
    a_zero, w_zero = g.constant(codes(g, "uint8", 5), "a.zero"), g.constant(codes(g, "uint8", rows), "w.zero")
    g.output(g.op("MatMulInteger", a, w, a_zero, w_zero, name="y"), [5, rows], TensorProto.INT32)
    return g


def qgemm(seed, floats, width=64, rows=40):
    """alpha (A B' + C) with a bias in i32, to codes or to numbers."""
    g = Graph("qgemm", seed)
    x = g.input("x", g.heavy_tailed(5, width), ["rows", width])
    a = quantized(g, x, 0.0625, 120, "uint8", "a")
    w = g.constant(codes(g, "int8", rows, width), "w")
    w_scale = g.constant((2.0 ** g.random.integers(-6, -3, size=rows)).astype(np.float32), "w.scale")
    bias = g.constant(g.random.integers(-5000, 5000, size=rows).astype(np.int32), "bias")
    inputs = [a, "a.scale", "a.zero", w, w_scale, g.constant(np.zeros(rows, np.int8), "w.zero"), bias]
    if not floats:
        inputs += [scalar(g, 1.5, "float32", "y.scale"), scalar(g, 128, "uint8", "y.zero")]
    y = g.op("QGemm", *inputs, name="y", domain=MICROSOFT, transB=1, alpha=0.5)
    g.output(y, ["rows", rows], TensorProto.FLOAT if floats else TensorProto.UINT8)
    return g


def qlinear_functions(seed, width=24):
    """Everything of com.microsoft that takes codes and gives codes, element by element or row by row."""
    g = Graph("qlinear_functions", seed)
    x = g.input("x", g.heavy_tailed(3, 4, 5, width), [3, 4, 5, width])
    a = quantized(g, x, 0.031, 120, "uint8", "a")
    b = quantized(g, x, 0.043, 131, "uint8", "b")
    of = lambda name: [name, f"{name}.scale", f"{name}.zero"]

    def apply(kind, *inputs, scale, zero, name, **attributes):
        """With the result's scale and zero point behind the inputs."""
        out = [scalar(g, scale, "float32", f"{name}.scale"), scalar(g, zero, "uint8", f"{name}.zero")]
        return g.op(kind, *inputs, *out, name=name, domain=MICROSOFT, **attributes)

    apply("QLinearAdd", *of(a), *of(b), scale=0.061, zero=125, name="added")
    apply("QLinearMul", *of(a), *of(b), scale=0.11, zero=40, name="multiplied")
    apply("QLinearSigmoid", *of("added"), scale=1 / 256, zero=0, name="sigmoid")
    apply("QLinearLeakyRelu", *of("added"), scale=0.05, zero=30, name="leaky", alpha=0.1)
    apply("QLinearSoftmax", *of("added"), scale=1 / 256, zero=0, name="softmax", axis=-1, opset=13)
    apply("QLinearGlobalAveragePool", *of("leaky"), scale=0.02, zero=90, name="pooled", channels_last=0)
    condition = g.constant(g.random.random((5, 1)) < 0.5, "condition")
    apply("QLinearWhere", condition, *of("added"), *of("multiplied"), scale=0.09, zero=77, name="chosen")
    joined = [scalar(g, 0.1, "float32", "joined.scale"), scalar(g, 99, "uint8", "joined.zero")]
    g.op("QLinearConcat", *joined, *of("added"), *of("multiplied"), name="joined", domain=MICROSOFT, axis=1)
    shape = [3, 4, 5, width]
    for name in ("added", "multiplied", "sigmoid", "leaky", "softmax", "chosen"):
        g.output(name, shape, TensorProto.UINT8)
    g.output("pooled", [3, 4, 1, 1], TensorProto.UINT8)
    g.output("joined", [3, 8, 5, width], TensorProto.UINT8)
    return g


def quantize_dequantize(seed, a_type, w_type, transposed, width=64, rows=48):
    """A static QDQ layer as quantize_static writes it: Q, DQ, a movement, DQ of weights and of an i32 bias, Gemm, Relu, Q,
    DQ, and a second product that shares the dequantized tensor with an addition."""
    g = Graph("quantize_dequantize", seed)
    x = g.input("x", g.heavy_tailed(2, 3, width), ["batch", 3, width])

    def fake_quantized(value, scale, zero, name):
        q = quantized(g, value, scale, zero, a_type, f"{name}.codes")
        return g.op("DequantizeLinear", q, f"{name}.codes.scale", f"{name}.codes.zero", name=name)

    def weight(name, shape, axis):
        scales = g.constant(g.random.uniform(0.002, 0.01, shape[axis]).astype(np.float32), f"{name}.scale")
        zeros = g.constant(np.zeros(shape[axis], w_type), f"{name}.zero")
        return g.op("DequantizeLinear", g.constant(codes(g, w_type, *shape), f"{name}.codes"), scales, zeros, name=name, axis=axis)

    zero = {"uint8": 117, "int8": 0}[a_type]
    a_scale = np.float32(0.047)
    a = fake_quantized(x, a_scale, zero, "a")
    flat = g.op("Reshape", a, g.constant(np.array([-1, width], np.int64), "flat.shape"), name="flat")
    shape, axis = ([rows, width], 0) if transposed else ([width, rows], 1)
    w = weight("w", shape, axis)
    bias_scale = g.constant(np.float32(a_scale * 0.005), "bias.scale")
    bias_codes = g.constant(g.random.integers(-20000, 20000, rows).astype(np.int32), "bias.codes")
    bias = g.op("DequantizeLinear", bias_codes, bias_scale, name="bias")
    y = g.op("Gemm", flat, w, bias, name="product", transB=int(transposed))
    hidden = fake_quantized(g.op("Relu", y, name="relu"), 0.031, {"uint8": 0, "int8": -128}[a_type], "hidden")
    second = g.op("MatMul", hidden, weight("v", [rows, rows], 1), name="second")
    total = g.op("Add", second, hidden, name="total")
    g.output(fake_quantized(total, 0.05, zero, "y"), ["n", rows])
    return g


def narrowed(seed, width=64, rows=48):
    """QCDQ: a Clip between Q and DQ makes four bits of eight, for activations and for weights."""
    g = Graph("narrowed", seed)
    x = g.input("x", g.heavy_tailed(5, width), ["rows", width])
    low, high = scalar(g, -8, "int8", "low"), scalar(g, 7, "int8", "high")
    q = g.op("Clip", quantized(g, x, 0.37, 0, "int8", "a.codes"), low, high, name="a.narrow")
    a = g.op("DequantizeLinear", q, "a.codes.scale", "a.codes.zero", name="a")
    w_codes = g.constant(g.random.integers(-20, 21, size=(width, rows)).astype(np.int8), "w.codes")
    w_narrow = g.op("Clip", w_codes, scalar(g, -7, "int8", "w.low"), high, name="w.narrow")
    w = g.op("DequantizeLinear", w_narrow, scalar(g, 0.05, "float32", "w.scale"), name="w")
    g.output(g.op("MatMul", a, w, name="y"), ["rows", rows])
    return g
