"""Models that must be refused: one clear line each, exit code 1, and no file left behind."""

import subprocess

import pytest

import build_models
from builders.bad import BAD_MODELS

REFUSED = [*sorted(BAD_MODELS), "permuted-b4-g32-zp"]


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused(tmp_path, name):
    source = build_models.write(name, str(tmp_path))
    before = sorted(tmp_path.iterdir())
    done = subprocess.run(["mezzo", "compile", source, "-o", str(tmp_path / "m.so")], capture_output=True, text=True)
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 1, done.stderr
    assert lines and all(line.startswith("mezzo: error: ") for line in lines), done.stderr
    assert name == "bad-unknown-operators" or len(lines) == 1, done.stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("flag", ["--emit=nothing", "--target=vax", "--compute=quantum", "--weight-storage=cloud"])
def test_wrong_words_are_named(tmp_path, flag):
    source = build_models.write("embedding", str(tmp_path))
    done = subprocess.run(["mezzo", "compile", source, "-o", str(tmp_path / "m.so"), flag], capture_output=True, text=True)
    assert done.returncode == 1
    assert flag.split("=")[1] in done.stderr


def test_no_verb_is_wrong_usage():
    assert subprocess.run(["mezzo"], capture_output=True).returncode == 2
    assert subprocess.run(["mezzo", "frobnicate"], capture_output=True).returncode == 2
