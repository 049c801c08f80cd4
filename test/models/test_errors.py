"""Models that must be refused: one clear line each, exit code 1, no file left behind, little time and little memory."""

import os

import pytest

import build_models
from builders.bad import BAD_MODELS
from builders.bad_external import BYTES, external
from measure import measure

SECONDS = 2
MEBIBYTES = 256


def run(command):
    """Exit code, lines of stderr, seconds, and the largest memory in MiB."""
    done = measure(command)
    return done.code, done.stderr.splitlines(), done.cpu_seconds, done.peak_bytes / (1 << 20)


def files(folder):
    return sorted(path for path in folder.rglob("*"))


@pytest.mark.parametrize("name", sorted(BAD_MODELS))
def test_is_refused(tmp_path, name):
    folder = tmp_path / "model"
    folder.mkdir()
    source = build_models.write(name, str(folder))
    before = files(tmp_path)
    code, lines, seconds, mebibytes = run(["mezzo", "compile", source, "-o", str(folder / "m.so")])
    assert code == 1, lines
    says = BAD_MODELS[name][1]
    says = [says] if isinstance(says, str) else says
    assert len(lines) == len(says), lines
    for line, part in zip(lines, says):
        assert line.startswith("mezzo: error: ") and part in line, lines
        assert line.isprintable() and len(line) < 5000
    assert files(tmp_path) == before
    assert seconds < SECONDS
    assert mebibytes < MEBIBYTES


def test_an_old_output_stays(tmp_path):
    """What was compiled before is not touched by a model that is refused."""
    source = build_models.write("static-product", str(tmp_path))
    command = ["mezzo", "compile", "-o", str(tmp_path / "m.so"), "--weight-storage=file"]
    assert run([*command, source])[0] == 0
    before = {path: path.read_bytes() for path in files(tmp_path)}
    for name in ("bad-truncated", "bad-unknown-operators", "bad-external-missing"):
        bad = build_models.write(name, str(tmp_path))
        assert run([*command, bad])[0] == 1
        os.remove(bad)
    assert {path: path.read_bytes() for path in files(tmp_path)} == before


@pytest.mark.parametrize(
    "path, says",
    [
        ("nowhere.onnx", "No such file"),
        (".", "it is a directory"),
        ("/dev/zero", "it is a device"),
        ("fifo", "it is a FIFO"),
        ("", "the name is empty"),
    ],
)
def test_what_is_no_file(tmp_path, path, says):
    os.mkfifo(tmp_path / "fifo")
    code, lines, *_ = run(["mezzo", "compile", os.path.join(tmp_path, path) if path else "", "-o", str(tmp_path / "m.so")])
    assert code == 1 and len(lines) == 1 and says in lines[0], lines


def test_cache_of_links(tmp_path):
    """A hub's cache: model and data are links into a folder of blobs, which is where the canonical model lies."""
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "main"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    external(str(blobs / "0123"), [("location", "model.onnx.data")])
    (blobs / "4567").write_bytes(bytes(BYTES))
    (snapshot / "model.onnx").symlink_to(blobs / "0123")
    (snapshot / "model.onnx.data").symlink_to(blobs / "4567")
    code, lines, *_ = run(["mezzo", "compile", str(snapshot / "model.onnx"), "-o", str(tmp_path / "m.so")])
    assert code == 0, lines


@pytest.mark.parametrize("where", ["nowhere/m.so", "folder", "file/m.so"])
def test_outputs_that_cannot_be_written(tmp_path, where):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    source = build_models.write("static-product", str(tmp_path))
    before = files(tmp_path)
    code, lines, *_ = run(["mezzo", "compile", source, "-o", str(tmp_path / where)])
    assert code == 1 and len(lines) == 1 and "cannot write" in lines[0], lines
    assert files(tmp_path) == before


@pytest.mark.parametrize("flag", ["--emit=nothing", "--target=vax", "--compute=quantum", "--weight-storage=cloud"])
def test_wrong_words_are_named(tmp_path, flag):
    source = build_models.write("embedding", str(tmp_path))
    code, lines, *_ = run(["mezzo", "compile", source, "-o", str(tmp_path / "m.so"), flag])
    assert code == 1 and len(lines) == 1 and flag.split("=")[1] in lines[0], lines


@pytest.mark.parametrize("name", ["feed-forward-b8-g32-zp", "matmul-int8-channel"])
def test_weights_too_wide_for_a_mode(tmp_path, name):
    """A user's choice that cannot be had, from either way that weights come in, is no bug of ours."""
    source = build_models.write(name, str(tmp_path))
    before = files(tmp_path)
    code, lines, *_ = run(["mezzo", "compile", source, "-o", str(tmp_path / "m.so"), "--compute", "lut8"])
    assert code == 1 and lines and all("at most 4 bits; use mode `int`" in line for line in lines), lines
    assert files(tmp_path) == before


def test_no_verb_is_wrong_usage():
    assert run(["mezzo"])[0] == 2
    assert run(["mezzo", "frobnicate"])[0] == 2
