"""What the lint rules share: which files there are, and how a violation is told.

A rule is a module with a function `check(root, build)` that yields violations, in any order; `main(check)` makes a
program of it, which prints each as `path:line: message` and exits with 1 if there was one.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple


class Violation(NamedTuple):
    path: str  # relative to the root, with forward slashes
    line: int  # from 1; 1 where the whole file is meant
    message: str


def _git(root, *arguments):
    # A checkout may belong to another user than the one who tests it.
    command = ["git", "-c", f"safe.directory={root.resolve()}", "-C", str(root), *arguments]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return [os.fsdecode(name) for name in output.split(b"\0") if name]


def _walk(root):
    for folder, folders, files in os.walk(root):
        folders[:] = [f for f in folders if not f.startswith(".git") and f != "__pycache__"]
        if Path(folder) == root and "build" in folders:
            folders.remove("build")
        for file in files:
            yield Path(folder, file).relative_to(root).as_posix()


def tracked(root):
    """Paths of the files that git tracks; of all files where there is no git, as in an unpacked archive."""
    if not (root / ".git").exists():
        return sorted(_walk(root))
    names = _git(root, "ls-files", "-z", "--cached", "--deduplicate")
    return sorted(name for name in names if os.path.lexists(root / name))


def present(root):
    """Paths of the tracked files and of the untracked ones that git does not ignore: what a commit could hold."""
    if not (root / ".git").exists():
        return sorted(_walk(root))
    names = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
    return sorted(name for name in names if os.path.lexists(root / name))


def lines(root, path):
    """The numbered lines of a file, as (number, text); bytes that are no UTF-8 are replaced."""
    text = (root / path).read_text(encoding="utf-8", errors="replace")
    return list(enumerate(text.split("\n"), start=1))


def main(check):
    parser = argparse.ArgumentParser(description=sys.modules[check.__module__].__doc__)
    parser.add_argument("root", type=Path, nargs="?", default=Path(__file__).resolve().parents[2])
    parser.add_argument("--build", type=Path, help="the build folder (default: ROOT/build)")
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    violations = sorted(check(root, (arguments.build or root / "build").resolve()))
    for path, line, message in violations:
        print(f"{path}:{line}: {message}")
    sys.exit(1 if violations else 0)
