"""Calls functions of the module in a child process, so that a bug of the compiler ends the child alone.

The child is `_worker`. A request is {"calls": [[function, arguments], ...]} in JSON, on its stdin; the answer, on its
stdout, is {"results": [...]}, or {"error", "internal"} for the first call that fails.
"""

import json
import os
import signal
import subprocess
import sys
from typing import Any

from mezzo import _mezzo
from mezzo._mezzo import Error, InternalError


def call(calls: list[tuple[str, tuple]], in_process: bool) -> list[Any]:
    """Calls the functions one after the other, here or in one child. Errors are those of the first that fails, and
    `mezzo.InternalError` where the child died."""
    if in_process:
        return [getattr(_mezzo, function)(*arguments) for function, arguments in calls]
    if not sys.executable:
        raise Error("this Python does not know its own program, to start it once more: pass in_process=True")
    child = subprocess.run(
        [sys.executable, "-m", "mezzo._worker"],
        input=json.dumps({"calls": calls}),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env=_environment(),
    )
    try:
        answer = json.loads(child.stdout)
    except json.JSONDecodeError:
        raise InternalError(_how_it_died(child)) from None
    if "error" in answer:
        raise (InternalError if answer["internal"] else Error)(answer["error"])
    return answer["results"]


def _environment() -> dict[str, str]:
    """The child must find this package wherever we did, and nothing in the current folder."""
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONIOENCODING": "utf-8"}


def _how_it_died(child: subprocess.CompletedProcess) -> str:
    status = child.returncode
    try:
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    except ValueError:
        how = f"was ended by signal {-status}"
    last = "\n".join(child.stderr.strip().splitlines()[-8:])
    return f"the compiler {how}; this is a bug of mezzo, or memory ran out" + (f":\n{last}" if last else "")
