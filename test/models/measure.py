"""Runs a command and says what it took.

The largest memory of a child, as the kernel counts it, includes that of the process it was forked from. So a small
process does it: this file, run as a program.
"""

import json
import os
import subprocess
import sys
import time
from typing import NamedTuple


class Measured(NamedTuple):
    code: int  # exit code, negative for a signal
    stderr: str
    seconds: float  # on the clock
    cpu_seconds: float  # what a busy machine does not change
    peak_bytes: int


def measure(command):
    """Runs the command with its output thrown away."""
    reader, writer = os.pipe()
    words = [sys.executable, "-I", "-S", __file__, str(writer), *map(str, command)]
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=[writer])
    os.close(writer)
    _, stderr = child.communicate()
    with open(reader, encoding="utf-8") as stream:
        found = json.load(stream)
    return Measured(stderr=stderr.decode(), **found)


def main(report, *command):
    begin = time.monotonic()
    child = subprocess.Popen(command)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    found = {
        "code": child.returncode,
        "seconds": time.monotonic() - begin,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * 1024,
    }
    with open(int(report), "w", encoding="utf-8") as stream:
        json.dump(found, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])
