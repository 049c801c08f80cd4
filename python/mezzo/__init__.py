"""Mezzo: a tensor compiler for mixed-precision matrix products.

    import mezzo, numpy as np

    mezzo.compile("model.onnx", "model.so", dims={"batch": 1})
    session = mezzo.InferenceSession("model.so")
    y, = session.run(None, {"x": x})

    w = mezzo.quantize(W, "uint4/g64:f16+zp")        # one spec grammar everywhere
    y = mezzo.linear(a, w, compute="int")            # a @ w.T, compiled just in time
    print(mezzo.layout("gptq3").picture((32, 32)))   # where every bit lies

Errors are `mezzo.Error`, a ValueError, with the compiler's message; what has the wrong type is a TypeError. Nothing is
printed.
"""

from mezzo import gguf, passes
from mezzo._mezzo import Error, InternalError
from mezzo.compiler import Message, Trace, compile, trace
from mezzo.layouts import Layout, layout, layout_names
from mezzo.products import linear, reference_linear
from mezzo.quantized import QuantizedTensor, canonical_spec, quantize
from mezzo.session import InferenceSession, NodeArg

__version__ = "0.1.0"

__all__ = [
    "Error",
    "InferenceSession",
    "InternalError",
    "Layout",
    "Message",
    "NodeArg",
    "QuantizedTensor",
    "Trace",
    "canonical_spec",
    "compile",
    "gguf",
    "layout",
    "layout_names",
    "linear",
    "passes",
    "quantize",
    "reference_linear",
    "trace",
]
