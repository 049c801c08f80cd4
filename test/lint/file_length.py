"""A source file has one idea: none is longer than 600 lines."""

from pathlib import PurePosixPath

import repo

LIMIT = 600
SUFFIXES = {".cpp", ".h", ".td", ".c", ".py", ".cmake"}


def check(root, build):
    for path in repo.present(root):
        name = PurePosixPath(path)
        if name.suffix not in SUFFIXES and name.name != "CMakeLists.txt":
            continue
        count = (root / path).read_bytes().count(b"\n")
        if count > LIMIT:
            message = f"{count} lines, and {LIMIT} are allowed: split the file by family or by idea"
            yield repo.Violation(path, LIMIT + 1, message)


if __name__ == "__main__":
    repo.main(check)
