"""QONNX: quantization of any width in the domains that files have it in, and its formulas in numpy."""

from functools import partial

import numpy as np

from .graph import Graph

GENERAL, BREVITAS, FINN = "qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general"
F = np.float32

ROUND = {
    "ROUND": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "DOWN": np.trunc,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + F(0.5)),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - F(0.5)),
}


def limits(bits, signed, narrow):
    bits = np.asarray(bits, F)
    if signed:
        return -(2.0 ** (bits - 1)) + narrow, 2.0 ** (bits - 1) - 1
    return 0 * bits, 2.0**bits - 1 - narrow


def quant(x, scale, zero, bits, signed=1, narrow=0, mode="ROUND"):
    y = x / F(scale) + F(zero)
    if signed and np.all(bits == 1):
        y = np.where(y >= 0, F(1), F(-1))
    else:
        low, high = limits(bits, signed, narrow)
        y = ROUND[mode](np.clip(y, low.astype(F), high.astype(F))).astype(F)
    return ((y - F(zero)) * F(scale)).astype(F)


def trunc_first(x, scale, zero, bits, result_bits, mode):
    y = np.rint(x / F(scale) + F(zero)) / F(2.0 ** (bits - result_bits))
    return ((ROUND[mode](y) - F(zero)) * F(scale)).astype(F)


def trunc_second(x, scale, zero, result_scale, result_bits, mode):
    step = F(2.0 ** np.rint(np.log2(result_scale / scale)))
    low, high = limits(result_bits, 1, 0)
    y = np.clip(np.rint(x / F(scale) + F(zero)) / step, F(low), F(high))
    return ((ROUND[mode](y) - F(zero) / step) * F(result_scale)).astype(F)


def float_quant(x, scale, exponent, mantissa, bias, largest=np.inf, saturation=1, has_inf=0, has_nan=0):
    v = x / F(scale)
    e = np.frexp(np.abs(v) + np.finfo(F).tiny)[1] - 1 - mantissa
    unit = np.ldexp(F(1), np.maximum(e, 1 - bias - mantissa))
    limit = F(min(largest, (2 - 2.0**-mantissa) * 2.0 ** (2**exponent - 1 - bias)))
    y = unit * np.rint(v / unit)
    if not saturation:
        outside = np.abs(y) > limit
        y = np.where(outside, np.copysign(F(np.inf), y) if has_inf else F(np.nan), y)
        return (np.where(outside, y, np.clip(y, -limit, limit)) * F(scale)).astype(F)
    return (np.clip(y, -limit, limit) * F(scale)).astype(F)


class Case:
    """A graph and the outputs that it must have."""

    def __init__(self, seed, shape=(5, 24)):
        self.graph = Graph("qonnx", seed)
        self.shape = shape
        self.sample = self.graph.heavy_tailed(*shape)
        self.x = self.graph.input("x", self.sample, ["rows", *shape[1:]])
        self.expected = {}

    def constants(self, name, *values):
        return [self.graph.constant(np.asarray(v, F), f"{name}.{i}") for i, v in enumerate(values)]

    def add(self, kind, domain, name, want, *values, **attributes):
        self.graph.op(kind, self.x, *self.constants(name, *values), name=name, domain=domain, **attributes)
        self.graph.output(name, ["rows", *self.shape[1:]])
        self.expected[name] = want

    def model(self):
        model = self.graph.model()
        for domain in (GENERAL, BREVITAS, FINN):
            entry = model.opset_import.add()
            entry.domain, entry.version = domain, 1
        return model


def activations(seed):
    """Quant of activations: as codes, and where a zero point, a rounding mode or the width makes it a formula."""
    c = Case(seed)
    x, per_column = c.sample, 0.05 * (1 + np.arange(24) % 5).astype(F)
    domains = [GENERAL, BREVITAS, FINN]
    for i, (scale, zero, bits, signed, narrow) in enumerate(
        [(0.25, 0, 4, 1, 0), (0.25, 0, 4, 1, 1), (0.125, 0, 3, 0, 0), (0.5, 0, 1, 1, 0), (0.25, 3, 4, 0, 0)]
        + [(0.25, 0.5, 5, 1, 0), (per_column, 0, 6, 1, 1), (0.01, 0, 12, 1, 0)]
    ):
        want = quant(x, scale, zero, bits, signed, narrow)
        c.add("Quant" if i % 2 else "IntQuant", domains[i % 3], f"quant{i}", want, scale, zero, bits, signed=signed, narrow=narrow)
    for mode in ROUND:
        want = quant(x, 0.25, 0, 5, mode=mode)
        c.add("Quant", GENERAL, f"quant_{mode}", want, 0.25, 0, 5, signed=1, narrow=0, rounding_mode=mode)
    widths = 2.0 + np.arange(24) % 4
    c.add("Quant", GENERAL, "widths", quant(x, 0.25, 0, widths), 0.25, 0, widths, signed=1, narrow=0)
    c.add("BipolarQuant", BREVITAS, "bipolar", np.where(x >= 0, F(0.75), F(-0.75)), 0.75)
    return c


def truncations(seed):
    """Trunc in both of its versions, and FloatQuant."""
    c = Case(seed)
    x = c.sample
    c.add("Trunc", GENERAL, "trunc1", trunc_first(x, 0.125, 0, 8, 5, "FLOOR"), 0.125, 0, 8, 5, rounding_mode="FLOOR")
    want = trunc_second(x, 0.125, 0, 0.5, 4, "ROUND")
    c.add("Trunc", GENERAL, "trunc2", want, 0.125, 0, 8, 0.5, 0, 4, rounding_mode="ROUND")
    flags = {"has_inf": 0, "has_nan": 0, "has_subnormal": 1, "saturation": 1}
    c.add("FloatQuant", GENERAL, "e2m1", float_quant(x, 0.5, 2, 1, 1, 6), 0.5, 2, 1, 1, 6, **flags)
    c.add("FloatQuant", GENERAL, "e4m3", float_quant(x, 0.01, 4, 3, 7, 448), 0.01, 4, 3, 7, 448, **flags)
    open_end = {**flags, "saturation": 0, "has_inf": 1}
    want = float_quant(x, 0.25, 2, 2, 1, saturation=0, has_inf=1)
    c.add("FloatQuant", FINN, "open", want, 0.25, 2, 2, 1, **open_end)
    return c


def products(seed, bits, narrow, per_channel, bipolar=False):
    """Quant(x) times Quant(w): codes by codes of so many bits."""
    c = Case(seed, (5, 64))
    g, x = c.graph, c.sample
    w = g.heavy_tailed(64, 48, scale=0.5)
    a = g.op("Quant", c.x, *c.constants("a", 0.0625, 0, 8), name="a", domain=GENERAL, signed=1, narrow=0)
    scale = np.full((1, 48) if per_channel else (), 0.125, F) * (F(1) + (np.arange(48) % 3 if per_channel else F(0))).astype(F)
    if bipolar:
        q = g.op("BipolarQuant", g.constant(w, "w"), *c.constants("w", scale), name="wq", domain=GENERAL)
        wide = np.where(w >= 0, F(1), F(-1)) * scale
    else:
        parameters = c.constants("w", scale, 0, bits)
        q = g.op("Quant", g.constant(w, "w"), *parameters, name="wq", domain=GENERAL, signed=1, narrow=narrow)
        wide = quant(w, scale, 0, bits, 1, narrow)
    g.output(g.op("MatMul", a, q, name="y"), ["rows", 48])
    c.expected["y"] = (quant(x, 0.0625, 0, 8).astype(np.float64) @ wide.astype(np.float64)).astype(F)
    return c


QONNX = {
    "activations": partial(activations, 1),
    "truncations": partial(truncations, 2),
    "product-int3-channel": partial(products, 3, 3, 1, True),
    "product-int4": partial(products, 4, 4, 0, False),
    "product-int8-channel": partial(products, 5, 8, 1, True),
    "product-int1": partial(products, 6, 1, 0, False),
    "product-bipolar": partial(products, 7, 1, 0, True, bipolar=True),
}
