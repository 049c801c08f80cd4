"""Whole models as folders of C and HLS: what is in them, that they build and pass, what is refused; and simulations of
broken kernels, which have to fail."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "models"))

from builders.graph import Graph, save  # noqa: E402
from builders.nbits import matmul_nbits, random_nbits  # noqa: E402
from builders.qdq import dequantized_weight, static_activations, weight_only  # noqa: E402
from builders.transformer import attention_projections, feed_forward  # noqa: E402

AP_TYPES = os.environ.get("MEZZO_AP_TYPES")
needs_ap_types = pytest.mark.skipif(not AP_TYPES, reason="there is no ap_int.h here; ./dev setup installs it")
STATIC = ["--dim", "batch=1", "--dim", "sequence=3"]


def run(*command, cwd=None):
    return subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=cwd)


def compile_model(graph, folder, *flags):
    """Runs `mezzo compile` on a model, written beside `folder`."""
    source = folder.parent / "model.onnx"
    save(graph.model(), str(source))
    return run("mezzo", "compile", source, "-o", folder, *flags)


def compiled(graph, folder, *flags):
    done = compile_model(graph, folder, "--compute", "int", *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout


def simulate(folder):
    """Builds and runs the bench of a HLS folder; without the sanitizer and quickly compiled, that the others have."""
    fast = ["CXXFLAGS=-std=c++20 -O0 -Wno-unknown-pragmas -ffp-contract=off", "SANITIZE="]
    return run("make", "-s", "check", f"AP_TYPES={AP_TYPES}", *fast, cwd=folder)


def small_feed_forward(bits=4):
    return feed_forward(11, bits, 32, "packed", width=64, hidden=96)


@pytest.mark.parametrize("bits, engine", [(4, "dot"), (3, "shift-add"), (2, "look-up")])
def test_feed_forward_in_c(tmp_path, bits, engine):
    folder = tmp_path / "block"
    out = compiled(small_feed_forward(bits), folder, "--target", "c", "--knobs", f"engine={engine}", *STATIC)
    assert re.fullmatch(r"estimate: \d+ bytes of constants, \d+ bytes of buffers between stages, .*\n", out)
    assert sorted(path.name for path in folder.iterdir()) == [
        "Makefile", "README.md", "bench.c", "kernel.c", "kernel.h", "vectors.h", "weights.h",
    ]  # fmt: skip
    done = run("make", "check", "check-sanitized", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASS") == 2
    assert re.search(r"-std=c99 .*-Wall -Wextra -Werror -pedantic", done.stdout)
    # K / g for each output: 2 * 96 outputs of 64 columns, 64 outputs of 96, 3 rows, groups of 32.
    assert f"multiplications of scales: {3 * (2 * 96 * 2 + 64 * 3)}, expected" in done.stdout
    code = (folder / "kernel.c").read_text()
    assert "#pragma" not in code and "malloc" not in code and "ap_" not in code
    # One quantization, or one set of tables, for gate and up.
    assert code.count("_codes(const float") == 2
    assert code.count("_tables(const int8_t") == (2 if engine == "look-up" else 0)


def test_norms_softmax_and_biases_in_c(tmp_path):
    folder = tmp_path / "attention"
    compiled(attention_projections(5, 5, 16, "float", width=50, heads_width=23), folder, "--target", "c", *STATIC)
    done = run("make", "check", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_ap_types
@pytest.mark.parametrize("interface", ["axis", "m_axi"])
def test_feed_forward_in_hls(tmp_path, interface):
    folder = tmp_path / "block"
    knobs = f"interface={interface},parallel_n=8,parallel_k=4,clock=3.3"
    out = compiled(small_feed_forward(), folder, "--target", "hls", "--knobs", knobs, *STATIC)
    assert out.startswith("estimate: ") and "cycles" in out and "not synthesized" in out
    done = simulate(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS" in done.stdout
    code = (folder / "kernel.cpp").read_text()
    for pragma in ("DATAFLOW", "PIPELINE II=1", "UNROLL", "ARRAY_PARTITION variable=a type=cyclic factor=4 dim=1",
                   f"INTERFACE mode={interface} port=x"):  # fmt: skip
        assert f"#pragma HLS {pragma}" in code, pragma
    config, script = (folder / "hls.cfg").read_text(), (folder / "run_hls.tcl").read_text()
    assert "clock=3.3ns" in config and "syn.top=block_kernel" in config
    assert "create_clock -period 3.3" in script and "set_top block_kernel" in script
    table = (folder / "README.md").read_text()
    assert "| estimate | cycles |" in table and "| gate |" in table


@needs_ap_types
def test_a_fifo_that_is_too_short_is_a_deadlock(tmp_path):
    folder = tmp_path / "block"
    compiled(small_feed_forward(), folder, "--target", "hls", *STATIC)
    kernel = folder / "kernel.cpp"
    code = kernel.read_text()
    short, count = re.subn(r'stream<float, \d+> x_to_y\(', "stream<float, 60> x_to_y(", code)
    assert count == 1
    kernel.write_text(short)  # a row has 64 elements
    done = simulate(folder)
    assert done.returncode != 0
    assert "deadlock: no process can go on" in done.stderr
    assert "split_x waits to write FIFO 'x_to_y', which is full (depth 60)" in done.stderr
    assert "run_norm waits to read FIFO 'x_to_norm', which is empty" in done.stderr


LEFT_OVER = """
#include "hls_stream.h"
static void put(hls::stream<int> &fifo) { for (int i = 0; i < 4; ++i) fifo.write(i); }
static void take(hls::stream<int> &fifo) { for (int i = 0; i < 3; ++i) fifo.read(); }
int main() {
  hls::stream<int, 2> numbers("numbers");
  hls::simulation::Dataflow dataflow;
  dataflow.start("put(numbers)", [&] { put(numbers); });
  dataflow.start("take(numbers)", [&] { take(numbers); });
}
"""


def test_what_is_left_in_a_fifo_is_an_error(tmp_path):
    folder = tmp_path / "block"
    compiled(small_feed_forward(), folder, "--target", "hls", *STATIC)
    (tmp_path / "main.cpp").write_text(LEFT_OVER)
    done = run("g++", "-std=c++20", "-pthread", f"-I{folder}/sim", "main.cpp", "-o", "main", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run(tmp_path / "main")
    assert done.returncode == 3 and done.stderr == "FIFO 'numbers' still holds 1 elements at the end\n"


def test_a_wrong_weight_is_noticed(tmp_path):
    folder = tmp_path / "block"
    compiled(small_feed_forward(), folder, "--target", "c", *STATIC)
    weights = folder / "weights.h"
    text = weights.read_text()
    first = re.search(r"0x[0-9a-f]+u", text)
    weights.write_text(text[: first.start()] + "0x0u" + text[first.end() :])
    done = run("make", "check", cwd=folder)
    assert done.returncode != 0 and "FAIL" in done.stdout


def two_layers():
    """Two layers as static quantization writes them: unsigned codes after a Relu, then signed ones, and a bias."""
    g = Graph("layers", 4)
    x = g.input("x", g.heavy_tailed(3, 40), [3, 40])

    def coded(value, scale, zero, name):
        parameters = (g.constant(np.float32(scale), f"{name}.scale"), g.constant(zero, f"{name}.zero"))
        codes = g.op("QuantizeLinear", value, *parameters, name=f"{name}.codes")
        return g.op("DequantizeLinear", codes, *parameters, name=name)

    w1 = dequantized_weight(g, "int8", [40, 24], 0, "channel", False, "w1")
    hidden = g.op("Relu", g.op("MatMul", coded(x, 0.03, np.int8(-7), "a"), w1, name="first"), name="relu")
    w2 = dequantized_weight(g, "uint4", [19, 24], 1, "tensor", True, "w2")
    bias = g.constant(g.heavy_tailed(19, scale=0.3), "bias")
    y = g.op("Gemm", coded(hidden, 0.02, np.uint8(3), "h"), w2, bias, name="second", transB=1)
    g.output(coded(y, 0.01, np.int8(5), "y"), [3, 19])
    return g


@pytest.mark.parametrize("engine", ["dot", "shift-add"])
def test_integer_only(tmp_path, engine):
    folder = tmp_path / "layers"
    flags = ["--compute", "integer-only", "--knobs", f"engine={engine}"]
    done = compile_model(two_layers(), folder, "--target", "c", *flags)
    assert done.returncode == 0, done.stderr
    done = run("make", "check", "check-sanitized", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    # Between the first codes and the last there is no float and no division.
    code = (folder / "kernel.c").read_text()
    for name in ("rescale", "first_dot", "run_h_codes", "second_dot", "run_y_codes"):
        body = re.search(rf" {name}\(.*?\n}}\n", code, re.DOTALL)
        if body:
            text = re.sub(r"/\*.*?\*/", "", body.group())
            assert "float" not in text and "/" not in text, name
    assert "float" not in re.search(r"static void run_first\(.*?\n}\n", code, re.DOTALL).group()


@needs_ap_types
def test_integer_only_in_hls(tmp_path):
    folder = tmp_path / "layers"
    done = compile_model(static_activations(2, width=33, rows=10), folder, "--target", "hls", "--compute",
                         "integer-only", "--dim", "rows=5")  # fmt: skip
    assert done.returncode == 0, done.stderr
    done = simulate(folder)
    assert done.returncode == 0, done.stdout + done.stderr


def named_graph(names):
    """A product and an addition under names that a model may have."""
    g = Graph("names", 3)
    x = g.input(names[0], g.heavy_tailed(2, 32), [2, 32])
    y = matmul_nbits(g, x, random_nbits(g.random, 32, 32, 4, 32), names[1])
    g.output(g.op("Add", x, y, name=names[2]), [2, 32])
    return g


NAMES = [
    ("c", ("int", "*/ int main(void) {", 'a"]; exec rm -rf [glob "')),
    ("c", ("x\n#error", "fmaf", "exp")),
    ("c", ("a_to_b", "INFINITY", "COUNT_SCALE")),
    ("hls", ("row", "pop", "run_pop")),
    ("hls", ("step", "isnan", "PROCESS")),
]


@pytest.mark.parametrize("target, names", NAMES)
def test_names_from_a_model(tmp_path, target, names):
    folder = tmp_path / "na;me [exit]"
    compiled(named_graph(names), folder, "--target", target)
    if target == "c":
        done = run("make", "check", cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
    elif AP_TYPES:
        done = simulate(folder)
        assert done.returncode == 0, done.stdout + done.stderr
    for path in folder.rglob("*"):
        if path.suffix in (".c", ".cpp", ".h", ".tcl", ".cfg", ".md") or path.name == "Makefile":
            text = path.read_text()
            assert "rm -rf [glob" not in text and "\n#error" not in text


REFUSED = [
    ([], small_feed_forward, "input 'x' has sizes that are not known: fix them, with --dim NAME=SIZE or --shape"),
    (STATIC + ["--compute", "float"], small_feed_forward, "'gate' is a product in mode float, and this target has"),
    (["--dim", "rows=5"], lambda: weight_only(1, "int8", "channel"), "add --compute int"),
    (STATIC + ["--compute", "integer-only"], small_feed_forward, "'gate' reads floats, and integer-only products read"),
    (["--compute", "integer-only", "--knobs", "engine=look-up"], two_layers, "is integer-only, which engine=look-up does"),
    (STATIC + ["--knobs", "speed=3"], small_feed_forward, "there is no knob 'speed': use engine, parallel_n,"),
    (STATIC + ["--knobs", "engine=magic"], small_feed_forward, "knob 'engine' is 'magic': use dot, shift-add or look-up"),
    (STATIC + ["--knobs", "parallel_n=0"], small_feed_forward, "knob 'parallel_n' is '0': write a number from 1 to 256"),
    (STATIC + ["--knobs", "clock=5"], small_feed_forward, "knob 'clock' is one of hardware: leave it out, or compile"),
    (STATIC + ["--knobs", "reuse=4,parallel_n=2"], small_feed_forward, "knobs 'reuse' and 'parallel_n' say the same"),
    (STATIC + ["--knobs", "engine=look-up,parallel_k=6"], small_feed_forward, "use a multiple of 4 with engine=look-up"),
    (STATIC + ["--compute", "int", "--knobs", "reuse=2"], small_feed_forward, "raise reuse or parallel_k"),
    (STATIC + ["--compute", "int", "--knobs", "parallel_k=32"], small_feed_forward, "use at most 16 for product 'gate'"),
]


@pytest.mark.parametrize("flags, build, message", REFUSED)
def test_refused(tmp_path, flags, build, message):
    folder = tmp_path / "folder"
    done = compile_model(build(), folder, "--target", "c", *flags)
    assert done.returncode == 1, done.stdout + done.stderr
    assert message in done.stderr
    assert not folder.exists()


def test_folders_of_others_are_left_alone(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    done = compile_model(small_feed_forward(), folder, "--target", "c", "--compute", "int", *STATIC)
    assert done.returncode == 1
    assert "has files in it that are not ours: name a new one with -o" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]
    (tmp_path / "file").write_text("")
    done = compile_model(small_feed_forward(), tmp_path / "file", "--target", "c", "--compute", "int", *STATIC)
    assert done.returncode == 1 and "there is a file of that name" in done.stderr
    # Ours is written again.
    ours = tmp_path / "ours"
    compiled(small_feed_forward(), ours, "--target", "c", *STATIC)
    compiled(small_feed_forward(3), ours, "--target", "c", *STATIC)
    assert "uint3" in (ours / "kernel.c").read_text()


def test_other_ways_to_ask(tmp_path):
    source = tmp_path / "model.onnx"
    save(small_feed_forward().model(), str(source))
    done = run("mezzo", "compile", source, "--target", "c", "--compute", "int", *STATIC, "--emit", "asm")
    assert done.returncode == 1 and "target 'c' has no kernels: it writes a folder of sources" in done.stderr
    done = run("mezzo", "compile", source, "-o", tmp_path / "m.so", "--target", "x86-64-v3", "--knobs", "engine=dot")
    assert done.returncode == 1 and "target 'x86-64-v3' has no knobs" in done.stderr
    done = run("mezzo", "compile", source, "-o", tmp_path / "folder", "--target", "c", *STATIC, "--tile", "rows=2")
    assert done.returncode == 1 and "has no register tiles: leave out --weight-storage and --tile" in done.stderr
    assert "writes    a folder of sources" in run("mezzo", "explain", "hls").stdout
