"""Compiled models in the hands of C programs: under AddressSanitizer, and under another compiler's warnings."""

import os
import pathlib
import subprocess

import numpy as np
import pytest

import abi
import build_models
from builders.catalogue import CATALOGUE
from builders.graph import Graph, save
from builders.small import cube
from reference import Reference

SOURCE = pathlib.Path(os.environ["MEZZO_SOURCE_DIR"])
PROGRAM = pathlib.Path(os.environ["MEZZO_BUILD_DIR"]) / "unittests" / "compiled-models"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{SOURCE / 'include'}"]


def run(command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def compiled(folder, name, prefix, *flags):
    source = build_models.write(name, str(folder))
    target = folder / f"{prefix}.so"
    run(["mezzo", "compile", source, "-o", target, *flags])
    return target, f"{prefix}_api"


def sanitized(*words):
    run([PROGRAM, *words], env={**os.environ, "ASAN_OPTIONS": "allocator_may_return_null=1"})


def test_two_models_in_one_process(tmp_path):
    one, other = (compiled(tmp_path, name, prefix) for name, prefix in
                  (("static-product", "one"), ("other-static-product", "other")))
    sanitized("two", *one, *other)


def test_two_models_from_python(tmp_path):
    """The same two with numbers: contexts of both are open while they run in turns."""
    names = ["static-product", "other-static-product"]
    models = [abi.Model(compiled(tmp_path, name, f"m{i}")[0], f"m{i}") for i, name in enumerate(names)]
    with models[0].context(2) as first, models[1].context(2) as second:
        for _ in range(3):
            for context, name in ((first, names[0]), (second, names[1])):
                graph = CATALOGUE[name]()
                for tensor, want in Reference(graph.model()).run(graph.feeds).items():
                    np.testing.assert_array_equal(context.run(graph.feeds)[tensor], want)
    for model in models:
        model.close()


@pytest.mark.parametrize("mode", ["float", "int"])
@pytest.mark.parametrize("storage", ["embed", "file"])
def test_eight_threads(tmp_path, mode, storage):
    model = compiled(tmp_path, "feed-forward-b4-g32-zp", "m", "--compute", mode, "--weight-storage", storage)
    sanitized("threads", *model)


def test_refused_calls(tmp_path):
    sanitized("refusals", *compiled(tmp_path, "scalar-arithmetic", "m"))


def test_indices_out_of_range(tmp_path):
    sanitized("indices", *compiled(tmp_path, "embedding", "m"))


# 2^50 bytes, which no machine gives; and 2^65, which arithmetic in 64 bits takes for none.
@pytest.mark.parametrize("count", [1 << 16, 1 << 21])
def test_no_memory_for_intermediate_tensors(tmp_path, count):
    save(cube(1).model(), tmp_path / "cube.onnx")
    run(["mezzo", "compile", tmp_path / "cube.onnx", "-o", tmp_path / "m.so"])
    sanitized("memory", tmp_path / "m.so", "m_api", count)


def test_program_of_the_demo(tmp_path):
    """The 20 lines of C that the README shows, under gcc's warnings."""
    compiled(tmp_path, "feed-forward-b4-g32-zp", "feed_forward")
    for standard in ("c99", "c11"):
        run(["gcc", f"-std={standard}", *STRICT, SOURCE / "test/demo/demo.c", "-o", tmp_path / "demo", f"-I{tmp_path}",
             tmp_path / "feed_forward.so", f"-Wl,-rpath,{tmp_path}"])
        x = (np.arange(576) % 7 - 3).astype(np.float32).reshape(1, 1, 576)
        want = Reference(CATALOGUE["feed-forward-b4-g32-zp"]().model()).run({"x": x})["y"].reshape(-1)[:4]
        assert run([tmp_path / "demo"]) == "y[0..3] = " + " ".join(f"{v:.9g}" for v in want) + "\n"


TWO_HEADERS = """
#include "one.h"
#include "other.h"
#include <stdio.h>

static float x[4 * 64], y[4 * 48], u[3 * 32], v[3 * 40];

static mezzo_context *start(const mezzo_api *api) {
  mezzo_model *model = 0;
  mezzo_context *context = 0;
  if (mezzo_model_open(api, 0, &model) || mezzo_context_create(model, 0, &context))
    puts(mezzo_last_error(api));
  return context;
}

int main(void) {
  mezzo_context *one = start(one_api(MEZZO_ABI_VERSION)), *other = start(other_api(MEZZO_ABI_VERSION));
  if (one_run(one, x, y) || other_run(other, u, v))
    return 1;
  puts("both ran");
  return 0;
}
"""


@pytest.mark.parametrize("compiler, standard", [("gcc", "c99"), ("gcc", "c11"), ("g++", "c++11"), ("g++", "c++17")])
def test_headers_of_two_models(tmp_path, compiler, standard):
    libraries = [compiled(tmp_path, name, prefix)[0] for name, prefix in
                 (("static-product", "one"), ("other-static-product", "other"))]
    source = tmp_path / ("main.c" if compiler == "gcc" else "main.cpp")
    source.write_text(TWO_HEADERS)
    run([compiler, f"-std={standard}", *STRICT, source, "-o", tmp_path / "main", f"-I{tmp_path}", *libraries,
         f"-Wl,-rpath,{tmp_path}"])
    assert run([tmp_path / "main"]) == "both ran\n"


def test_header_of_hostile_names(tmp_path):
    """Names that are C of their own, that the header uses itself, or that C does not have."""
    names = ["*/ int evil; /*", "context", "mezzo_in", "mezzo_tensor", "int64_t", "int", "a/b", "a.b", "\x1b[2J", "/*", "∞"]
    g = Graph("names", 1)
    for name in names:
        g.output(g.op("Neg", g.input(name, g.heavy_tailed(2, 3), [2, 3]), name=f"{name}*/"), [2, 3])
    save(g.model(), tmp_path / "m.onnx")
    run(["mezzo", "compile", tmp_path / "m.onnx", "-o", tmp_path / "m.so"])
    (tmp_path / "main.c").write_text('#include "m.h"\nint main(void) { return m_api(MEZZO_ABI_VERSION) == 0; }\n')
    run(["gcc", "-std=c99", *STRICT, tmp_path / "main.c", "-o", tmp_path / "main", f"-I{tmp_path}", tmp_path / "m.so",
         f"-Wl,-rpath,{tmp_path}"])
    run([tmp_path / "main"])
