"""An include runs only along the edges of the rooms' graph.

    include <- lib <- dialects <- targets <- passes <- tools <- python, test          include <- runtime

Each room may use those to its left. Of targets/, passes/ sees the interfaces and what all machines share, never the
folder of one machine; of tools/, python/ sees the driver; and lib/ and runtime/ know no IR at all.
"""

import posixpath
import re
from pathlib import PurePosixPath

import repo

MAY_USE = {
    "include": set(),
    "lib": {"include"},
    "dialects": {"include", "lib"},
    "targets": {"include", "lib", "dialects", "runtime"},
    "passes": {"include", "lib", "dialects", "targets"},
    "tools": {"include", "lib", "dialects", "targets", "passes", "runtime"},
    "runtime": {"include"},
    "python": {"include", "tools"},
    "test": {"include", "lib", "dialects", "targets", "passes", "tools", "runtime", "python"},
}

# Of a room that may be used, only these paths.
ONLY = {
    ("passes", "targets"): re.compile(r"targets/(Target\.h|Strategy\.h|Common/.+)"),
    # The compiler carries the runtime as bytes, and tests hold both to one layout.
    ("targets", "runtime"): re.compile(r"runtime/(Bitcode|abi)\.h"),
    ("tools", "runtime"): re.compile(r"runtime/abi\.h"),
    ("python", "tools"): re.compile(r"tools/driver/.+"),
}

# Of what comes from outside, not these.
FORBIDDEN = {
    "include": re.compile(r"(llvm|llvm-c|mlir|mlir-c|lld)/"),
    "lib": re.compile(r"(mlir|mlir-c|llvm/IR|llvm/CodeGen|llvm-c)/"),
    "runtime": re.compile(r"(llvm|llvm-c|mlir|mlir-c|lld)/"),
}

SUFFIXES = {".c", ".cpp", ".h", ".inc", ".td"}
INCLUDE = re.compile(r"""^\s*(?:\#\s*)?include\s*(?:"([^"]+)"|<([^>]+)>)""")


def resolve(present, path, name):
    """The path in the repository that an include means, or None if it comes from outside."""
    if name.split("/")[0] == "mezzo":  # as those outside write it, for whom include/ is on the path
        return "include/" + name
    beside = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
    if beside in present:
        return beside
    # A generated header is not present, but its path still begins with its room.
    return name if name.split("/")[0] in MAY_USE else None


def complaint(path, name, target):
    """Why the file `path` may not include `name`, which means `target`; None if it may."""
    room = path.split("/")[0]
    if target is None:
        # A test beside the code may look at it with more than the code has.
        if path.endswith("Test.cpp"):
            return None
        if room in FORBIDDEN and FORBIDDEN[room].match(name):
            return f"{room}/ knows no IR and may not include '{name}'"
        return None
    other = target.split("/")[0]
    if other == room:
        return None
    if other not in MAY_USE[room]:
        allowed = ", ".join(sorted(MAY_USE[room])) or "nothing"
        return f"{room}/ may not include '{name}': it may use {allowed}"
    if (room, other) in ONLY and not ONLY[room, other].fullmatch(target):
        return f"{room}/ may not include '{name}': of {other}/ it sees {ONLY[room, other].pattern} only"
    return None


def check(root, build):
    files = repo.present(root)
    present = set(files)
    for path in files:
        if path.split("/")[0] not in MAY_USE or PurePosixPath(path).suffix not in SUFFIXES:
            continue
        for number, text in repo.lines(root, path):
            match = INCLUDE.match(text)
            if not match:
                continue
            name = match.group(1) or match.group(2)
            message = complaint(path, name, resolve(present, path, name))
            if message:
                yield repo.Violation(path, number, message)


if __name__ == "__main__":
    repo.main(check)
