"""What is committed is text, of modest size, and true on every machine."""

import os
import re

import repo

LIMIT = 1 << 20  # bytes

# Where people keep their checkouts: a path below one of these means one machine only.
MACHINE_PATH = re.compile(r"(?<![\w.}/-])/(?:work|root|home/\w+|Users/\w+)(?![\w-])")


def check(root, build):
    for path in repo.tracked(root):
        file = root / path
        if file.is_symlink():
            if os.path.isabs(os.readlink(file)):
                yield repo.Violation(path, 1, f"a link to '{os.readlink(file)}': make it relative")
            continue
        if not file.is_file():  # a submodule
            continue
        size = file.stat().st_size
        if size > LIMIT:
            yield repo.Violation(path, 1, f"{size} bytes, and {LIMIT} are allowed: make the file in a test instead")
            continue
        data = file.read_bytes()
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            yield repo.Violation(path, line, "not UTF-8 text: make the file in a test instead of committing it")
            continue
        if "\0" in text:
            line = text.count("\n", 0, text.index("\0")) + 1
            yield repo.Violation(path, line, "binary: make the file in a test instead of committing it")
            continue
        for number, content in enumerate(text.split("\n"), start=1):
            for match in MACHINE_PATH.finditer(content):
                yield repo.Violation(path, number, f"'{match.group()}' is a path of one machine: make it relative")


if __name__ == "__main__":
    repo.main(check)
