"""mezzo.compile, trace and passes: what they write, what they refuse, and that a compiler that dies dies alone."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import build_models
import mezzo
from builders.bad import BAD_MODELS


def files(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("in_process", [False, True])
def test_writes_a_model_and_its_header(tmp_path, compiled, in_process):
    said = mezzo.compile(
        compiled("static-product").onnx, tmp_path / "m.so", compute="int", prefix="unit", in_process=in_process
    )
    assert files(tmp_path) == ["m.h", "m.so"]
    assert "unit_api" in (tmp_path / "m.h").read_text()
    assert {message.severity for message in said} == {"remark"}
    assert any("strategy native_dot for uint4/g32+zp in mode int" in message.text for message in said)
    assert mezzo.InferenceSession(tmp_path / "m.so").get_modelmeta()["compute"] == "int"


def test_dimensions_are_fixed(tmp_path, compiled):
    """In NumPy's integers, too, which JSON does not know."""
    source, feeds = compiled("embedding").onnx, compiled("embedding").feeds
    mezzo.compile(source, tmp_path / "dims.so", dims={"batch": np.int64(2)})
    session = mezzo.InferenceSession(tmp_path / "dims.so")
    assert session.get_inputs()[0].shape == [2, "sequence"]
    np.testing.assert_array_equal(session.run(None, feeds)[0], compiled("embedding").session.run(None, feeds)[0])
    mezzo.compile(source, tmp_path / "shapes.so", shapes={"ids": np.array([2, 7])}, in_process=True)
    assert mezzo.InferenceSession(tmp_path / "shapes.so").get_inputs()[0].shape == [2, 7]


def test_options_change_no_bit(tmp_path, compiled):
    model = compiled("static-product")
    want = model.session.run(None, model.feeds)[0]
    for i, options in enumerate(
        [{"tile": "rows=1"}, {"strategy": "dequant"}, {"target": "x86-64-v3", "verify_inputs": False}]
    ):
        mezzo.compile(model.onnx, tmp_path / f"{i}.so", in_process=True, **options)
        np.testing.assert_array_equal(mezzo.InferenceSession(tmp_path / f"{i}.so").run(None, model.feeds)[0], want)


@pytest.mark.parametrize("in_process", [False, True])
@pytest.mark.parametrize("name", ["bad-truncated", "bad-unknown-operators"])
def test_bad_models_are_refused(tmp_path, name, in_process):
    source = build_models.write(name, str(tmp_path))
    before = files(tmp_path)
    with pytest.raises(mezzo.Error) as caught:
        mezzo.compile(source, tmp_path / "m.so", in_process=in_process)
    assert files(tmp_path) == before
    says = BAD_MODELS[name][1]
    for part in [says] if isinstance(says, str) else says:  # unknown operators: all of them at once
        assert part in str(caught.value)


def test_wrong_arguments(tmp_path, compiled):
    source = compiled("embedding").onnx
    for kind, message, options in [
        (mezzo.Error, "cannot compute in mode 'quantum': use float, int or lut8", {"compute": "quantum"}),
        (mezzo.Error, "vax", {"target": "vax"}),
        (mezzo.Error, "cloud", {"weights": "cloud"}),
        (mezzo.Error, "no input has a dimension called 'rows'; there are 'batch', 'sequence'", {"dims": {"rows": 1}}),
        (mezzo.Error, "the dimension 'batch' is -1: sizes are at least 0", {"dims": {"batch": -1}}),
        (mezzo.Error, "mode float has no strategy 'lut': use dequant", {"strategy": "lut"}),
        (TypeError, r"dims\['batch'\] has type str: pass an integer", {"dims": {"batch": "1"}}),
        (TypeError, "target has type int: pass a string", {"target": 3}),
    ]:
        with pytest.raises(kind, match=message):
            mezzo.compile(source, tmp_path / "m.so", in_process=True, **options)
    for path in (tmp_path / "nothing" / "m.so", tmp_path):
        with pytest.raises(mezzo.Error, match="cannot write"):
            mezzo.compile(source, path, in_process=True)
    with pytest.raises(mezzo.Error, match="nothing.onnx.*No such file"):
        mezzo.compile(tmp_path / "nothing.onnx", tmp_path / "m.so", in_process=True)
    assert files(tmp_path) == []


DEATHS = {
    "abort": ("os.abort()", "the compiler was ended by SIGABRT; this is a bug of mezzo, or memory ran out"),
    "exit": ("os._exit(7)", "the compiler ended with status 7"),
    "words": (
        "os.write(2, b'last words\\n'); os.kill(os.getpid(), 9)",
        "ended by SIGKILL.*memory ran out:\nlast words",
    ),
}


@pytest.mark.parametrize("death", DEATHS)
def test_a_compiler_that_dies_dies_alone(tmp_path, compiled, monkeypatch, death):
    """The child's compiler is replaced by one that ends its process, as a fatal error of LLVM would."""
    program, message = DEATHS[death]
    (tmp_path / "sitecustomize.py").write_text(
        f"import os, mezzo._mezzo\n"
        f"def die(*_):\n    {program}\n"
        f"mezzo._mezzo.compile = mezzo._mezzo.emit_text = mezzo._mezzo.run_passes = die\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]]))
    source = compiled("static-product").onnx
    calls = {
        "abort": lambda: mezzo.compile(source, tmp_path / "m.so"),
        "exit": lambda: mezzo.trace(source),
        "words": lambda: mezzo.passes.run("module {}", "cse"),
    }
    with pytest.raises(mezzo.InternalError, match=message):
        calls[death]()
    assert not (tmp_path / "m.so").exists()
    monkeypatch.undo()
    mezzo.compile(source, tmp_path / "m.so")


def test_what_the_child_prints_does_not_get_into_the_answer(tmp_path, compiled, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, mezzo._mezzo\n"
        "compile = mezzo._mezzo.compile\n"
        "def chatty(*arguments):\n    os.write(1, b'{garbage')\n    return compile(*arguments)\n"
        "mezzo._mezzo.compile = chatty\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]]))
    assert mezzo.compile(compiled("static-product").onnx, tmp_path / "m.so")


def test_nothing_of_the_current_folder_runs_in_the_child(tmp_path, compiled, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')\n")
    monkeypatch.chdir(tmp_path)
    mezzo.compile(compiled("static-product").onnx, "m.so")
    assert files(tmp_path) == ["json.py", "m.h", "m.so"]


def test_trace_shows_the_stages(compiled):
    trace = mezzo.trace(compiled("static-product").onnx)
    assert list(trace) == ["mezzo", "tile", "llvm", "asm"]
    for stage, word in zip(trace, ("mezzo.matmul", "mezzo.launch", "define ", "vfmadd")):
        assert word in trace[stage]
    assert str(trace).startswith("----- mezzo -----\nmodule attributes")
    assert str(trace).index("----- tile -----") < str(trace).index("----- llvm -----")
    one = mezzo.trace(compiled("static-product").onnx, ["mezzo"], compute="int", in_process=True)
    assert list(one) == ["mezzo"] and "mode = int" in one["mezzo"]
    for stages, kind, message in [
        (["so"], mezzo.Error, "the stage 'so' is no text: use mezzo, tile, llvm or asm"),
        (["frob"], mezzo.Error, "cannot emit 'frob': use mezzo"),
        ("mezzo", TypeError, "stages is a string: pass a list of names"),
    ]:
        with pytest.raises(kind, match=message):
            mezzo.trace(compiled("static-product").onnx, stages, in_process=True)


IR = """
func.func @twice(%x: tensor<4xf32>) -> tensor<4xf32> {
  %a = arith.addf %x, %x : tensor<4xf32>
  %b = arith.addf %x, %x : tensor<4xf32>
  %c = arith.mulf %a, %b : tensor<4xf32>
  return %c : tensor<4xf32>
}
"""


@pytest.mark.parametrize("in_process", [False, True])
def test_passes_run_on_text(in_process):
    for pipeline in ("cse", "func.func(cse)", "builtin.module(func.func(canonicalize,cse))", " builtin.module( cse ) "):
        assert mezzo.passes.run(IR, pipeline, in_process=in_process).count("arith.addf") == 1, pipeline


def test_passes_are_those_of_mezzo_opt(compiled):
    """The stages one after the other, by the module and by the tool."""
    text = mezzo.trace(compiled("scalar-arithmetic").onnx, ["mezzo"], in_process=True)["mezzo"]
    for stage in ("mezzo-select", "mezzo-kernel", "mezzo-bufferize", "mezzo-lower{target=x86-64-v3}"):
        pipeline = f"builtin.module({stage})"
        tool = subprocess.run(["mezzo-opt", f"--pass-pipeline={pipeline}"], input=text, capture_output=True, text=True)
        assert tool.returncode == 0, tool.stderr
        text = mezzo.passes.run(text, pipeline, in_process=True)
        assert text.strip() == tool.stdout.strip()
    assert "llvm.func" in text


def test_remarks_of_passes(compiled):
    text = mezzo.trace(compiled("static-product").onnx, ["mezzo"], in_process=True)["mezzo"]
    said = []
    mezzo.passes.run(text, "mezzo-select", said=said, in_process=True)
    assert any(m.severity == "remark" and "strategy dequant" in m.text for m in said)


def test_wrong_passes():
    for ir, pipeline, kind, message in [
        ("garbage", "cse", mezzo.Error, "line 1:1: .*'garbage'"),
        ("\n\nfunc.func @f() { return 1 }", "cse", mezzo.Error, "line 3:"),
        (
            IR,
            "cse,frob",
            mezzo.Error,
            "cannot read the pipeline 'cse,frob': .*'frob' does not refer to a registered pass",
        ),
        (IR, "builtin.module(cse", mezzo.Error, "no closing parenthesis: write builtin.module"),
        (IR, "mezzo-tensor{compute=quantum}", mezzo.Error, "quantum"),
        (IR, 3, TypeError, "pipeline has type int: pass a string"),
    ]:
        with pytest.raises(kind, match=message):
            mezzo.passes.run(ir, pipeline, in_process=True)


def test_the_exceptions_have_the_names_that_users_see():
    assert issubclass(mezzo.Error, ValueError) and issubclass(mezzo.InternalError, RuntimeError)
    assert (mezzo.Error.__module__, mezzo.InternalError.__module__) == ("mezzo", "mezzo")


def test_the_worker_answers_in_json():
    """What parent and child say to each other, once without the parent."""
    request = {"calls": [["canonical_spec", ["int4"]], ["canonical_spec", ["int9"]]]}
    done = subprocess.run(
        [sys.executable, "-m", "mezzo._worker"], input=json.dumps(request), capture_output=True, text=True
    )
    answer = json.loads(done.stdout)
    assert answer["internal"] is False and "'int9' is not a format" in answer["error"]
