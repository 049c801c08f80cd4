"""What the documentation shows is true: its commands and programs are run, and its links lead somewhere.

In README.md and docs/**/*.md, fenced blocks are checked by their info string:

    console         each line `$ command` is run by bash, with the tools of the build on its PATH, and must succeed. Lines
                    below it are what it prints: each must appear, in this order, and `...` stands for any text.
    python run      the block is run by the Python of the build's environment
    c run ARGS      the block is compiled, with ARGS behind it, and the program is run
    anything else   is only shown

All blocks of a page run one after the other in one fresh copy of the sources, so that a page may build on what it did
further up. Nothing carries over from one command to the next but files and the folder that `cd` chose. Not run are
`./dev VERB`, of which only the verb is checked (these tests run inside one of them), package installation, and cloning.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import repo

TIMEOUT = 120  # seconds, for one command
FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})\s*([^`]*)$")
LINK = re.compile(r"(?<!\\)\[[^\]\[]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")
INSTALLS = re.compile(r"(sudo\s+)?apt(-get)?\s")


class Block(NamedTuple):
    line: int  # of the first line inside
    info: list  # the words of the info string
    lines: list


def parse(numbered):
    """Splits a page into (blocks, prose lines, line of a fence that is never closed or None)."""
    blocks, prose = [], []
    fence, block = None, None
    for number, text in numbered:
        match = FENCE.match(text)
        if block is None and match:
            fence, block = match.group(1), Block(number + 1, match.group(2).split(), [])
        elif block is None:
            prose.append((number, text))
        elif match and match.group(1).startswith(fence) and not match.group(2).strip():
            blocks.append(block)
            block = None
        else:
            block.lines.append(text)
    return blocks, prose, block.line - 1 if block else None


def anchors(numbered):
    """The anchors that the headings of a page make, spelt as the usual renderers do."""
    found = {}
    for _, text in parse(numbered)[1]:
        match = HEADING.match(text)
        if not match:
            continue
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match.group(1))
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        count = found.get(slug, 0)
        found[slug] = count + 1
        if count:
            found[f"{slug}-{count}"] = 1
    return set(found)


def check_links(root, path, prose):
    for number, text in prose:
        for target in LINK.findall(re.sub(r"`[^`]*`", "", text)):
            if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", target):
                continue
            name, _, anchor = target.partition("#")
            file = (root / path).parent / name if name else root / path
            if target.startswith("/") or not file.resolve().is_relative_to(root):
                yield repo.Violation(path, number, f"the link '{target}' leaves the repository: make it relative")
            elif not file.exists():
                yield repo.Violation(path, number, f"the link '{target}' leads nowhere")
            elif anchor and file.suffix == ".md":
                page = file.resolve().relative_to(root).as_posix()
                if anchor not in anchors(repo.lines(root, page)):
                    yield repo.Violation(path, number, f"the link '{target}' names a heading that is not there")


def matches(shown, printed):
    """Whether the shown lines appear among the printed ones in order; returns the first that does not, or None."""
    position = 0
    for line in shown:
        if line.strip() in ("", "..."):
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in line.strip().split("...")))
        while position < len(printed) and not pattern.fullmatch(printed[position].strip()):
            position += 1
        if position == len(printed):
            return line
        position += 1
    return None


class Page:
    """Runs the blocks of one page in a copy of the sources, made when the first of them needs it."""

    def __init__(self, root, build, path):
        self.root, self.build, self.path = root, build, path
        self.scratch = self.folder = None

    def __enter__(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="mezzo-docs-")
        return self

    def __exit__(self, *_):
        self.temporary.cleanup()

    def prepare(self):
        if self.scratch:
            return
        self.scratch = self.folder = Path(self.temporary.name).resolve() / "mezzo"
        self.scratch.mkdir()
        for name in repo.present(self.root):
            if (self.root / name).is_file():
                target = self.scratch / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self.root / name, target)
        self.environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
        path = [str(self.build / "bin"), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        self.environment["PATH"] = os.pathsep.join(path)
        self.environment["PYTHONPATH"] = str(self.build / "python")
        self.environment["XDG_CACHE_HOME"] = str(self.scratch.parent / "cache")

    def execute(self, line, command):
        """Runs a command; returns (what it printed, the violation if it failed)."""
        self.prepare()
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT,
            )
        except subprocess.TimeoutExpired:
            return [], repo.Violation(self.path, line, f"ran for more than {TIMEOUT} seconds")
        printed = done.stdout.decode("utf-8", errors="replace").splitlines()
        if done.returncode:
            tail = "".join(f"\n    {text}" for text in printed[-20:])
            return printed, repo.Violation(self.path, line, f"ended with {done.returncode} and printed:{tail}")
        return printed, None

    def console(self, block):
        commands = []  # (line, command, shown output)
        continued = False
        for number, text in enumerate(block.lines, start=block.line):
            if continued:
                commands[-1][1] += "\n" + text
            elif text.startswith("$ "):
                commands.append([number, text[2:], []])
            elif commands:
                commands[-1][2].append(text)
            continued = (continued or text.startswith("$ ")) and text.endswith("\\")
        for line, command, shown in commands:
            words = command.split()
            if words[0] == "./dev":
                if (words[1:] or ["help"])[0] not in self.verbs():
                    yield repo.Violation(self.path, line, f"'{command}' is not a verb of ./dev")
            elif words[0] == "cd" and len(words) == 2:
                yield from self.change_folder(line, words[1])
            elif not INSTALLS.match(command) and words[:2] != ["git", "clone"]:
                printed, failure = self.execute(line, ["bash", "-euo", "pipefail", "-c", command])
                missing = None if failure else matches(shown, printed)
                if failure:
                    yield failure
                elif missing is not None:
                    tail = "".join(f"\n    {text}" for text in printed[-20:])
                    yield repo.Violation(self.path, line, f"'{missing.strip()}' is shown, but this is printed:{tail}")

    def change_folder(self, line, name):
        self.prepare()
        if self.folder == self.scratch and name == self.scratch.name:
            return  # into the clone, where the page is already
        folder = (self.folder / name).resolve()
        if folder.is_dir() and folder.is_relative_to(self.scratch):
            self.folder = folder
        else:
            yield repo.Violation(self.path, line, f"'{name}' is not a folder here")

    def verbs(self):
        """The verbs that `./dev help` lists; empty where there is no such script."""
        if not (self.root / "dev").is_file():
            return set()
        text = subprocess.run(["bash", str(self.root / "dev"), "help"], check=True, stdout=subprocess.PIPE).stdout
        return set(re.findall(r"^  (\w+) ", text.decode(), re.MULTILINE))

    def python(self, block):
        _, failure = self.execute(block.line, [sys.executable, "-c", "\n".join(block.lines)])
        if failure:
            yield failure

    def c(self, block):
        self.prepare()
        source = self.scratch / f"block{block.line}.c"
        source.write_text("\n".join(block.lines) + "\n")
        program = source.with_suffix("")
        compiler = shutil.which("clang-22") or "cc"
        flags = ["-std=c11", "-Wall", "-Werror", "-I.", f"-I{self.scratch}/include", "-Wl,-rpath,$ORIGIN"]
        command = [compiler, *flags, str(source), *block.info[2:], "-o", str(program), "-lpthread", "-ldl", "-lm"]
        _, failure = self.execute(block.line, command)
        if not failure:
            _, failure = self.execute(block.line, [str(program)])
        if failure:
            yield failure

    def run(self, block):
        if block.info[:1] == ["console"]:
            yield from self.console(block)
        elif block.info[:2] == ["python", "run"]:
            yield from self.python(block)
        elif block.info[:2] == ["c", "run"]:
            yield from self.c(block)


def check(root, build):
    for path in repo.present(root):
        if path != "README.md" and not (path.startswith("docs/") and path.endswith(".md")):
            continue
        blocks, prose, unclosed = parse(repo.lines(root, path))
        if unclosed:
            yield repo.Violation(path, unclosed, "this block is never closed")
        yield from check_links(root, path, prose)
        with Page(root, build, path) as page:
            for block in blocks:
                yield from page.run(block)


if __name__ == "__main__":
    repo.main(check)
