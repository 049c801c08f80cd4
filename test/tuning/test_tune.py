"""`mezzo tune`: records, what is done with them, and that nothing gets lost."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "models"))
import build_models  # noqa: E402

PRODUCT = ["--n=192", "--k=256", "--weights=int4/g32", "--compute=int", "--target=x86-64-v3"]
QUICK = ["--per-candidate=0.02", "--budget=30s"]

pytestmark = pytest.mark.skipif("avx2" not in open("/proc/cpuinfo").read(), reason="measures on an x86 machine with AVX2")


def mezzo(*arguments, **options):
    return subprocess.run(["mezzo", *map(str, arguments)], capture_output=True, text=True, **options)


def tune(db, *arguments, **options):
    return mezzo("tune", *arguments, *QUICK, f"--tuning-db={db}", **options)


def records(db):
    return [json.loads(line) for line in db.read_text().splitlines()]


@pytest.fixture
def db(tmp_path):
    return tmp_path / "records.jsonl"


def test_writes_records_that_a_second_run_keeps(db):
    done = tune(db, "matmul", *PRODUCT)
    assert done.returncode == 0, done.stderr
    lines = records(db)
    assert len(lines) >= 4 and str(len(lines)) + " records written" in done.stdout
    for line in lines:
        assert line["product"] == "int int4/g32 g32" and (line["m"], line["n"], line["k"]) == (1, 192, 256)
        assert line["cold_us"] > 0 and line["warm_us"] > 0 and "failure" not in line
    # Plain lines where there is no terminal.
    assert "\r" not in done.stderr and "[1/" in done.stderr
    before = db.read_bytes()
    again = tune(db, "matmul", *PRODUCT)
    assert again.returncode == 0 and ": 0 records written" in again.stdout
    assert db.read_bytes() == before


def test_a_model_is_compiled_by_its_records_to_identical_bytes(db, tmp_path):
    model = build_models.write("feed-forward-b4-g32-zp", str(tmp_path))
    flags = ["--compute=int", "--target=x86-64-v3", "--dim=batch=1", "--dim=sequence=4"]
    flags = [flag for flag in flags if not flag.startswith("--dim")]
    done = tune(db, model, *flags, "--top=2")
    assert done.returncode == 0, done.stderr
    assert not any("failure" in line for line in records(db)), done.stderr
    remarks, objects = [], []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        compiled = mezzo("compile", model, *flags, f"--tuning-db={db}", "--require-tuned", "--remarks",
                         "-o", folder / "model.so")
        assert compiled.returncode == 0, compiled.stderr
        remarks.append(compiled.stderr)
        objects.append((folder / "model.so").read_bytes())
    assert objects[0] == objects[1] and remarks[0] == remarks[1]
    assert remarks[0].count("measured on this machine") == 3 and "priced" not in remarks[0]
    # Two files are joined by cat: twice the same records are the same records.
    joined = tmp_path / "joined"
    joined.write_bytes(db.read_bytes() * 2)
    folder = tmp_path / "c"
    folder.mkdir()
    assert mezzo("compile", model, *flags, f"--tuning-db={joined}", "-o", folder / "model.so").returncode == 0
    assert (folder / "model.so").read_bytes() == objects[0]


def test_damaged_records_are_skipped(db):
    assert tune(db, "matmul", *PRODUCT, "--top=2").returncode == 0
    whole = db.read_text().splitlines()
    changed = whole[0].replace('"warm_us":', '"warm_us":0')
    db.write_text("\n".join([*whole[1:], changed, whole[0][:50]]))
    explained = mezzo("explain", "matmul", *PRODUCT, f"--tuning-db={db}", "--remarks")
    assert explained.returncode == 0, explained.stderr
    assert f"line {len(whole)} of" in explained.stderr and "checksum is wrong" in explained.stderr
    assert f"line {len(whole) + 1} of" in explained.stderr and "has no checksum" in explained.stderr
    assert "measured on this machine" in explained.stdout
    # What is gone is measured again, behind the torn line.
    assert tune(db, "matmul", *PRODUCT, "--top=2").returncode == 0
    assert db.read_text().splitlines()[: len(whole) + 1] == [*whole[1:], changed, whole[0][:50]]


def test_killed_at_any_time_it_loses_at_most_the_last_record(db):
    """A dozen times: every line that was there is still there, and at most the last one is torn."""
    rng = random.Random(7)
    kept = []
    shapes = iter(range(64, 64 * 64, 64))
    for _ in range(12):
        size = db.stat().st_size if db.exists() else 0
        arguments = [f"--n={next(shapes)}", "--k=128", "--weights=int4/g32", "--compute=int", "--target=x86-64-v3"]
        process = subprocess.Popen(
            ["mezzo", "tune", "matmul", *arguments, "--per-candidate=0.001", f"--tuning-db={db}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Once it has begun to write, at any time.
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline and not (db.exists() and db.stat().st_size > size):
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        lines = db.read_text().split("\n") if db.exists() else []
        assert lines[: len(kept)] == kept
        torn = [line for line in lines[:-1] if not line.endswith('"}')]
        assert not torn, torn
        kept = lines[:-1]
    assert kept, "it was killed before it had measured anything, every time"
    last = tune(db, "matmul", *PRODUCT, "--top=1")
    assert last.returncode == 0, last.stderr
    assert [line for line in db.read_text().splitlines() if line][: len(kept)] == kept


def test_one_at_a_time_tunes_into_a_file(db):
    slow = subprocess.Popen(["mezzo", "tune", "matmul", *PRODUCT, "--per-candidate=2", f"--tuning-db={db}"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not db.exists():
            time.sleep(0.01)
        time.sleep(0.2)
        second = tune(db, "matmul", *PRODUCT)
        assert second.returncode == 1
        assert "another process tunes into it: wait for it, or name another file and join both by cat" in second.stderr
    finally:
        slow.kill()
        slow.wait()


def test_mistakes_are_named(db, tmp_path):
    for arguments, says in [
        (["matmul", *PRODUCT], "--tuning-db"),
        (["matmul", *PRODUCT, f"--tuning-db={db}", "--budget=soon"], "cannot read --budget 'soon'"),
        (["matmul", *PRODUCT, f"--tuning-db={db}", "--tile=rows=2"], "leaves nothing to tune"),
        (["matmul", *PRODUCT, f"--tuning-db={tmp_path}"], "Is a directory"),
        (["matmul", "--weights=int9", f"--tuning-db={db}"], "int9"),
        (["nothing.onnx", f"--tuning-db={db}"], "nothing.onnx"),
    ]:
        done = mezzo("tune", *arguments)
        assert done.returncode == 1 and says in done.stderr, (arguments, done.stderr)
    done = mezzo("explain", "matmul", *PRODUCT, f"--tuning-db={db}", "--require-tuned")
    assert done.returncode == 1
    assert "has no tuning record that can be used" in done.stderr and "run mezzo tune" in done.stderr


def test_nothing_is_left_behind(db, tmp_path):
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    done = tune(db, "matmul", *PRODUCT, "--top=2", env={**os.environ, "TMPDIR": str(scratch)})
    assert done.returncode == 0
    assert [path.name for path in scratch.iterdir()] == ["mezzo-tune.lock"]


def test_explain_shows_why_and_the_inner_loop(tmp_path):
    done = mezzo("explain", "matmul", *PRODUCT)
    assert done.returncode == 0, done.stderr
    assert "why     priced at" in done.stdout and done.stdout.count("  price   ") >= 4
    loop = done.stdout.split("kernel    matmul.int")[1]
    assert "vpmaddubsw" in loop and "innermost loop" in loop
    model = build_models.write("feed-forward-b4-g32-zp", str(tmp_path))
    shared = tmp_path / "model.so"
    assert mezzo("compile", model, "--compute=int", "--target=x86-64-v3", "-o", shared).returncode == 0
    plain = mezzo("explain", shared)
    assert plain.returncode == 0 and plain.stdout.count("why     priced at") == 3
    assert "innermost loop" not in plain.stdout
    shown = mezzo("explain", shared, "--kernel=matmul")
    assert shown.returncode == 0, shown.stderr
    assert "vpmaddubsw" in shown.stdout and "innermost loop" in shown.stdout
    missing = mezzo("explain", shared, "--kernel=conv")
    assert missing.returncode == 1 and "no kernel with a loop has 'conv' in its key" in missing.stderr
