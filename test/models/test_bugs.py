"""What a user sees of a bug of ours: exit code 3, one line, and a file that repeats what happened."""

import subprocess

import pytest

import build_models


def compile_with(folder, passes, *flags):
    """Compiles a good model with passes in between that are not meant for it; returns the exit code and stderr."""
    source = build_models.write("static-product", str(folder))
    command = ["mezzo", "compile", source, "--debug-passes", passes, *flags]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    return done.returncode, done.stderr


# transform-interpreter reports that there is nothing to interpret.
@pytest.mark.parametrize("stage", ["so", "obj", "asm"])
def test_a_pass_that_fails(tmp_path, stage):
    flags = ["-o", str(tmp_path / "m.out")]
    code, stderr = compile_with(tmp_path, "cse,transform-interpreter", f"--emit={stage}", *flags)
    reproducer = tmp_path / "m.out.reproducer.mlir"
    assert code == 3 and stderr.count("\n") == 1, stderr
    assert stderr.startswith("mezzo: error: pass transform-interpreter failed while running extra passes: "), stderr
    assert "this is a bug of mezzo" in stderr and f"'{reproducer}'" in stderr
    left = {path.name for path in tmp_path.iterdir() if not path.name.startswith("static-product")}
    assert left == {reproducer.name}

    again = subprocess.run(["mezzo-opt", "--run-reproducer", str(reproducer)], capture_output=True, text=True)
    assert again.returncode != 0 and "__transform_main" in again.stderr, again.stderr


def test_text_without_a_file(tmp_path):
    code, stderr = compile_with(tmp_path, "transform-interpreter", "--emit=llvm")
    assert code == 3 and "'static-product.reproducer.mlir'" in stderr, stderr
    assert (tmp_path / "static-product.reproducer.mlir").exists()


def test_passes_that_do_no_harm(tmp_path):
    code, stderr = compile_with(tmp_path, "cse,canonicalize", "-o", "m.so")
    assert code == 0 and not stderr
    assert not list(tmp_path.glob("*.reproducer.mlir"))


def test_a_pass_that_is_none(tmp_path):
    code, stderr = compile_with(tmp_path, "canonicalise", "-o", "m.so")
    assert code == 1 and "'canonicalise' does not refer to a registered pass" in stderr
    assert not list(tmp_path.glob("m.so*"))
