"""Where mezzo.linear keeps what it has compiled: shared between processes, repaired, bounded, safe from others."""

import os
import subprocess
import sys

import numpy as np
import pytest

import mezzo
from mezzo import _cache

PROGRAM = """
import numpy as np, mezzo
w = mezzo.quantize(np.arange(-40, 40, dtype=np.float32).reshape(5, 16), "int4/g8")
print(mezzo.linear(np.ones((1, 16), np.float32), w).tolist())
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache, on disk and in memory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(_cache, "_open", type(_cache._open)())
    return tmp_path / "mezzo"


def product(seed=0, rows=4):
    w = mezzo.quantize(np.random.default_rng(seed).standard_normal((rows, 16)).astype(np.float32), "int4/g8")
    return np.ones((2, 16), np.float32), w


def forget():
    """As in a new process."""
    _cache._open.clear()


def run_program():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_processes_share_it(folder):
    first = run_program()
    (file,) = folder.iterdir()
    made = file.stat()
    assert run_program() == first
    assert [f.stat().st_ino for f in folder.iterdir()] == [made.st_ino]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_every_ingredient_has_a_file_of_its_own(folder):
    a, w = product()
    _, other = product(seed=1)
    for i, (weight, keywords) in enumerate(
        [(w, {}), (w, {"compute": "int"}), (other, {}), (w, {"bias": np.ones(4, np.float32)}), (w, {"tile": "rows=1"})],
        1,
    ):
        for threads in (1, 2):  # not an ingredient
            mezzo.linear(a, weight, threads=threads, **keywords)
        assert len(list(folder.iterdir())) == i


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "gone"])
def test_what_is_damaged_is_made_again(folder, damage):
    a, w = product()
    want = mezzo.linear(a, w)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    forget()
    # A new file, as the old one may still be mapped.
    file.unlink()
    if damage != "gone":
        file.write_bytes({"truncated": whole[: len(whole) // 2], "empty": b"", "text": b"hello"}[damage])
    np.testing.assert_array_equal(mezzo.linear(a, w), want)
    assert [f.stat().st_size for f in folder.iterdir()] == [len(whole)]


def test_it_may_be_deleted_while_it_is_in_use(folder):
    a, w = product()
    want = mezzo.linear(a, w)
    for file in folder.iterdir():
        file.unlink()
    np.testing.assert_array_equal(mezzo.linear(a, w), want)


def test_few_are_open_and_the_last_ones_stay(folder, monkeypatch):
    monkeypatch.setattr(_cache, "_OPEN_LIMIT", 2)
    (a, w), (_, second), (_, third) = product(0), product(1), product(2)
    for weight in (w, second, w, third):
        mezzo.linear(a, weight)
    assert len(_cache._open) == 2
    # What is on disk is opened, not compiled.
    before = sorted(file.stat().st_ino for file in folder.iterdir())
    np.testing.assert_array_equal(mezzo.linear(a, second), mezzo.reference_linear(a, second))
    assert sorted(file.stat().st_ino for file in folder.iterdir()) == before


def test_the_folder_is_bounded(folder, monkeypatch):
    (a, w), (_, second), (_, third) = product(0), product(1), product(2)
    mezzo.linear(a, w)
    (first_file,) = folder.iterdir()
    monkeypatch.setattr(_cache, "_FOLDER_LIMIT", int(first_file.stat().st_size * 2.5))
    mezzo.linear(a, second)
    os.utime(first_file, (1, 1))  # used last in 1970 ...
    forget()
    mezzo.linear(a, w)  # ... and again now
    (second_file,) = set(folder.iterdir()) - {first_file}
    os.utime(second_file, (2, 2))
    abandoned = folder / "compiling-by-a-process-that-was-killed"
    abandoned.mkdir()
    os.utime(abandoned, (3, 3))
    mezzo.linear(a, third)
    left = set(folder.iterdir())
    assert first_file in left and second_file not in left and abandoned not in left and len(left) == 2


def test_a_failed_compilation_leaves_nothing(folder):
    a, w = product()
    with pytest.raises(mezzo.Error, match="cannot compute in mode"):
        mezzo.linear(a, w, compute="quantum")
    assert list(folder.iterdir()) == [] and not _cache._turns


def test_a_folder_that_others_may_write_to_is_refused(folder):
    a, w = product()
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(mezzo.Error, match=f"others may write to the cache folder '{folder}'.*set XDG_CACHE_HOME"):
        mezzo.linear(a, w)
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(folder):
    folder.write_text("a file is in the way")
    with pytest.raises(mezzo.Error, match=f"cannot use the cache folder '{folder}': .*; set XDG_CACHE_HOME"):
        mezzo.linear(*product())
