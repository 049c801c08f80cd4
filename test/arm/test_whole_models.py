"""Whole models, compiled for each ARM target from the command line and run under qemu: the bits of x86-64, and of the
scalar programs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

MODELS = Path(__file__).resolve().parent.parent / "models"
sys.path.insert(0, str(MODELS))

import abi  # noqa: E402
from builders.catalogue import CATALOGUE  # noqa: E402
from reference import Reference  # noqa: E402

QEMU = shutil.which("qemu-aarch64")
SYSROOT = "/usr/aarch64-linux-gnu"
RUN_MODEL = Path(os.environ["MEZZO_BUILD_DIR"]) / "aarch64" / "RunModel"
pytestmark = pytest.mark.skipif(QEMU is None, reason="there is no qemu-aarch64 here; ./dev setup installs it (qemu-user)")

# Each target on the oldest CPU that has what it needs.
CPUS = {"aarch64": "cortex-a72", "aarch64+dotprod": "neoverse-n1", "aarch64+dotprod+i8mm": "max"}
# The feed-forward block: products, the root-mean-square norm, sigmoid, element-wise operators. The stand-in for
# attention: layer norm and softmax, extents that nothing divides. Static activations: quantize and dequantize.
NAMES = ["feed-forward-b4-g32-zp", "odd-b3-g32-zp", "static-activations"]


def compile_model(source, target_path, target, mode):
    command = ["mezzo", "compile", source, "-o", target_path, "--target", target, "--compute", mode, "--prefix", "m"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def run_here(path, feeds):
    model = abi.Model(path, "m")
    with model.context(2) as context:
        outputs = context.run(feeds)
    signature = model.signature
    model.close()
    return outputs, signature


def run_there(folder, path, cpu, feeds, expected, signature, threads):
    """{output: array}, with types and shapes as in `expected`."""
    lines = [f"model {path} m_api", f"threads {threads}"]
    for entry in signature["inputs"]:
        array = np.ascontiguousarray(feeds[entry["name"]])
        file = folder / f"{entry['name']}.in"
        array.tofile(file)
        lines.append(f"input {file} {entry['dtype']} {' '.join(map(str, array.shape))}")
    files = {entry["name"]: folder / f"{entry['name']}.out" for entry in signature["outputs"]}
    lines += [f"output {file}" for file in files.values()]
    script = folder / "script"
    script.write_text("\n".join([*lines, "run", ""]))
    done = subprocess.run([QEMU, "-cpu", cpu, "-L", SYSROOT, RUN_MODEL, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name: np.fromfile(file, expected[name].dtype).reshape(expected[name].shape) for name, file in files.items()}


@pytest.mark.parametrize("mode", ["float", "int"])
@pytest.mark.parametrize("name", NAMES)
def test_one_set_of_bits(tmp_path, name, mode):
    graph = CATALOGUE[name]()
    source = tmp_path / "model.onnx"
    onnx.save(graph.model(), source)
    compile_model(source, tmp_path / "here.so", "x86-64-v3", mode)
    here, signature = run_here(tmp_path / "here.so", graph.feeds)
    for tensor, want in Reference(graph.model(), mode).run(graph.feeds).items():
        np.testing.assert_array_equal(here[tensor], want)
    for target, cpu in CPUS.items():
        path = tmp_path / "there.so"
        compile_model(source, path, target, mode)
        for threads in (1, 3):
            there = run_there(tmp_path, path, cpu, graph.feeds, here, signature, threads)
            for tensor, want in here.items():
                assert there[tensor].tobytes() == want.tobytes(), f"{tensor} on {cpu} with {threads} threads"


def test_weights_beside_the_model(tmp_path):
    graph = CATALOGUE["feed-forward-b4-g32-zp"]()
    source, path = tmp_path / "model.onnx", tmp_path / "there.so"
    onnx.save(graph.model(), source)
    compile_model(source, tmp_path / "here.so", "x86-64-v3", "int")
    here, signature = run_here(tmp_path / "here.so", graph.feeds)
    options = ["--target", "aarch64+dotprod", "--compute", "int", "--prefix", "m", "--weight-storage", "file"]
    subprocess.run(["mezzo", "compile", str(source), "-o", str(path), *options], check=True)
    assert (tmp_path / "there.weights").exists()
    there = run_there(tmp_path, path, "neoverse-n1", graph.feeds, here, signature, 2)
    for tensor, want in here.items():
        assert there[tensor].tobytes() == want.tobytes(), tensor
