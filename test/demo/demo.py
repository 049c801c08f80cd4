"""The Python side of the demo.

    demo.py row MODEL.so                             runs the model on the row that demo.c makes
    demo.py agreement MODEL.onnx FLOAT.so INT.so     compares compiled models with the scalar programs and ONNX Runtime
    demo.py widths                                   one product, quantized in several ways
"""

import sys
import time
from pathlib import Path

import numpy as np

import mezzo

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "models"))


def row(path):
    session = mezzo.InferenceSession(path)
    x = (np.arange(576) % 7 - 3).astype(np.float32).reshape(1, 1, 576)
    (y,) = session.run(None, {"x": x})
    print("y[0..3] =", *(f"{value:.9g}" for value in y[0, 0, :4]))


def agreement(source, float_path, int_path):
    import onnx
    import onnxruntime

    from reference import Reference

    model = onnx.load(source)
    feeds = {"x": np.load(source.removesuffix(".onnx") + ".x.npy")}
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    (other,) = onnxruntime.InferenceSession(source, options).run(None, feeds)
    print("mode    equal to its scalar program, bit for bit    difference from ONNX Runtime, of the largest element")
    for mode, path in (("float", float_path), ("int", int_path)):
        (y,) = mezzo.InferenceSession(path).run(None, feeds)
        same = y == Reference(model, mode).run(feeds)["y"]
        if not same.all():
            sys.exit(f"demo: error: mode {mode} differs from its scalar program in {(~same).sum()} elements")
        error = np.abs(y - other).max() / np.abs(other).max()
        note = "activations were quantized to int8" if mode == "int" else ""
        print(f"{mode:7} {f'{same.sum()} of {same.size} elements':43} {error:.1e}   {note}".rstrip())


def widths():
    random = np.random.default_rng(0)
    weights = random.standard_normal((1024, 1024)).astype(np.float32)
    x = random.standard_normal((1, 1024)).astype(np.float32)
    exact = x.astype(np.float64) @ weights.T
    print("x W^T of random numbers, W 1024 x 1024; error: of the result, in the 2-norm, against unquantized float64")
    print("spec                bits/weight      bytes   mode    error    time      equals its scalar program")
    for spec in ("int8/ch", "uint5/g32:f16+zp", "int4/g32:f16", "uint3/g64:f16+zp", "uint2/g32:f16+zp", "ternary/t"):
        w = mezzo.quantize(weights, spec)
        size = w.bits_per_weight * weights.size / 8
        for mode in ("float", "int"):
            y = mezzo.linear(x, w, compute=mode)
            times = []
            for _ in range(20):
                start = time.perf_counter()
                mezzo.linear(x, w, compute=mode)
                times.append(time.perf_counter() - start)
            same = np.array_equal(y, mezzo.reference_linear(x, w, compute=mode))
            error = np.linalg.norm(y - exact) / np.linalg.norm(exact)
            print(f"{spec:19} {w.bits_per_weight:11.3f} {size:10.0f}   {mode:5} {error:7.2%} ", end="")
            print(f"{min(times) * 1e6:6.0f} us      {'yes' if same else 'no'}")
            if not same:
                sys.exit(f"demo: error: {spec} in mode {mode} differs from its scalar program")


if __name__ == "__main__":
    {"row": row, "agreement": agreement, "widths": widths}[sys.argv[1]](*sys.argv[2:])
