"""Compiles and opens a model with 500 MB of 4-bit weights, and says what that took: `ninja check-large`.

Not part of ctest: it writes about 1 GB. Limits are those of the project's promise: 60 s and 1.3 times the weights to
compile, 50 ms to open. Two models: plain, and with the columns of each group scattered over K (g_idx), which packing
has to sort.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "models"))
import abi  # noqa: E402
from builders.graph import MICROSOFT  # noqa: E402
from measure import measure  # noqa: E402

LAYERS, WIDTH, BLOCK = 50, 4096, 32
GROUPS = WIDTH // BLOCK
LIMITS = {"seconds": 60, "times": 1.3, "milliseconds": 50}


class ExternalFile:
    """Appends tensors to a file of external data."""

    def __init__(self, path):
        self.name, self.stream = os.path.basename(path), open(path, "wb")

    def tensor(self, array, name):
        self.stream.write(bytes(-self.stream.tell() % 64))
        tensor = TensorProto(name=name, data_type=helper.np_dtype_to_tensor_dtype(array.dtype), dims=array.shape)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", self.name), ("offset", self.stream.tell()), ("length", array.nbytes)):
            tensor.external_data.append(onnx.StringStringEntryProto(key=key, value=str(value)))
        self.stream.write(array.tobytes())
        return tensor


def layer(index, scattered):
    """Codes, scales and g_idx of a layer: random, and the same for everybody who asks."""
    random = np.random.default_rng(index)
    codes = random.integers(0, 256, size=(WIDTH, GROUPS, BLOCK // 2), dtype=np.uint8)
    # Elements of mean 0 and variance 1 / WIDTH, so that what passes through keeps its size.
    scales = random.uniform(0.5, 1.5, (WIDTH, GROUPS)) * random.choice([-1, 1], (WIDTH, GROUPS))
    scales = (scales / (4.8 * np.sqrt(WIDTH))).astype(np.float32)
    groups = np.arange(WIDTH, dtype=np.int32) // BLOCK
    return codes, scales, random.permutation(groups) if scattered else groups


def write_model(folder, scattered):
    """A chain of products. Returns the path and the bytes of weights."""
    path = os.path.join(folder, "large.onnx")
    nodes, initializers = [], []
    data = ExternalFile(path + ".data")
    for i in range(LAYERS):
        codes, scales, groups = layer(i, scattered)
        parts = [(codes, "codes"), (scales, "scales")] + ([(groups, "groups")] if scattered else [])
        initializers += [data.tensor(array, f"layer{i}.{part}") for array, part in parts]
        names = [f"x{i}", f"layer{i}.codes", f"layer{i}.scales"] + (["", f"layer{i}.groups"] if scattered else [])
        nodes.append(
            helper.make_node("MatMulNBits", names, [f"x{i + 1}"], name=f"layer{i}", domain=MICROSOFT,
                             K=WIDTH, N=WIDTH, bits=4, block_size=BLOCK)
        )
    data.stream.close()
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", WIDTH])
    graph = helper.make_graph(nodes, "large", [value("x0")], [value(f"x{LAYERS}")], initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid(MICROSOFT, 1)],
                                ir_version=10), path)
    return path, LAYERS * (WIDTH * WIDTH // 2 + WIDTH * GROUPS * 4)


def reference(x, scattered):
    """The chain in double precision."""
    for i in range(LAYERS):
        codes, scales, groups = layer(i, scattered)
        q = np.stack([codes & 15, codes >> 4], axis=-1).reshape(WIDTH, WIDTH).astype(np.float32)
        x = x @ ((q - 8) * scales[:, groups]).T.astype(np.float64)
    return x


def compile_model(source, target):
    """Seconds on the clock, and bytes of memory at the peak."""
    done = measure(["mezzo", "compile", source, "-o", target])
    if done.code != 0:
        sys.exit(f"check-large: mezzo compile failed with exit code {done.code}: {done.stderr}")
    return done.seconds, done.peak_bytes


def open_model(target):
    """Milliseconds to load the shared object and open the model, in a process that did neither before."""
    program = (
        "import sys, time, abi\n"
        "begin = time.monotonic()\n"
        "model = abi.Model(sys.argv[1], 'large')\n"
        "print((time.monotonic() - begin) * 1000)\n"
    )
    folder = pathlib.Path(__file__).resolve().parents[1] / "models"
    times = [subprocess.check_output([sys.executable, "-c", program, target], cwd=folder, text=True) for _ in range(3)]
    return max(map(float, times))


def check(folder, kind, with_numbers):
    scattered = kind == "act-order"
    source, weights = write_model(folder, scattered)
    target = os.path.join(folder, "large.so")
    seconds, peak = compile_model(source, target)
    milliseconds = open_model(target)
    exact = "not compared"
    if with_numbers:
        x = np.random.default_rng(99).standard_normal((1, WIDTH)).astype(np.float32)
        model = abi.Model(target, "large")
        with model.context() as context:
            y = context.run({"x0": x})[f"x{LAYERS}"]
        error = float(np.abs(y - reference(x, scattered)).max())
        exact = f"error {error:.1e}"
        if not error < 1e-3:
            sys.exit(f"check-large: {kind}: the result is off by {error}")
    found = {"seconds": seconds, "times": peak / weights, "milliseconds": milliseconds}
    print(
        f"check-large: {kind}: {weights / 1e6:.0f} MB of weights, compiled in {seconds:.1f} s (limit {LIMITS['seconds']}) "
        f"with {peak / 1e6:.0f} MB = {found['times']:.2f} times the weights (limit {LIMITS['times']}), opened in "
        f"{milliseconds:.1f} ms (limit {LIMITS['milliseconds']}), {exact}",
        flush=True,
    )
    return all(found[key] < limit for key, limit in LIMITS.items())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", action="append", choices=["plain", "act-order"], help="default: both")
    parser.add_argument("--folder", help="where to write (default: the temporary folder)")
    parser.add_argument("--without-numbers", action="store_true", help="do not run the model against numpy")
    arguments = parser.parse_args()
    good = True
    for kind in arguments.kind or ["plain", "act-order"]:
        with tempfile.TemporaryDirectory(prefix="mezzo-large-", dir=arguments.folder) as folder:
            good &= check(folder, kind, not arguments.without_numbers)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
