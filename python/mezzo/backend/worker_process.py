"""A worker process that compiles and runs models, seen from the process that wants them compiled and run.

Requests and answers are pickles, each after its length in eight bytes, on the worker's stdin and stdout. A request is
(function, arguments), an answer (status, value): "ok", or "error" and "internal" with the text of the exception.
"""

import os
import pickle
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from typing import Any

from mezzo._child import _environment
from mezzo._mezzo import Error, InternalError

TIMEOUT_SECONDS = float(os.environ.get("MEZZO_BACKEND_TIMEOUT", "120"))
# What a compilation leaves behind in memory is small, but a worker may live for thousands of them.
MODELS_PER_PROCESS = 250


class Worker:
    """One process, started when it is needed and again after it has died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None
        self._compiled = 0
        self._generation = 0
        self._finalizer = weakref.finalize(self, lambda: None)
        self._lock = threading.Lock()

    def call(self, function: str, *arguments: Any) -> Any:
        """Errors: those of the function; InternalError where the process dies or does not answer in time."""
        with self._lock:
            if function == "compile":
                if self._process is None or self._compiled >= MODELS_PER_PROCESS:
                    self._start()
                self._compiled += 1
            elif self._process is None or arguments[0][0] != self._generation:
                raise InternalError("the process that had compiled this model is gone: prepare the model again")
            else:
                arguments = (arguments[0][1], *arguments[1:])
            try:
                self._send((function, arguments))
                status, value = self._receive()
            except (OSError, EOFError):
                raise InternalError(self._how_it_died()) from None
        if status != "ok":
            raise (InternalError if status == "internal" else Error)(value)
        return (self._generation, value) if function == "compile" else value

    def forget(self, key: tuple[int, int]) -> None:
        """The model is not needed any more."""
        with self._lock:
            if self._process is not None and key[0] == self._generation:
                try:
                    self._send(("forget", (key[1],)))
                    self._receive()
                except (OSError, EOFError):
                    self._stop()

    def _start(self) -> None:
        self._stop()
        folder = tempfile.mkdtemp(prefix="mezzo-backend-")  # of this process, so that it goes when the worker crashes
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mezzo.backend.worker_main", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        )
        self._generation += 1
        self._compiled = 0
        self._finalizer.detach()
        self._finalizer = weakref.finalize(self, _end, self._process, folder)

    def _stop(self) -> None:
        self._finalizer()
        self._process = None

    def _send(self, message: Any) -> None:
        data = pickle.dumps(message)
        self._process.stdin.write(struct.pack("<Q", len(data)) + data)
        self._process.stdin.flush()

    def _receive(self) -> Any:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        (length,) = struct.unpack("<Q", self._read(8, deadline))
        return pickle.loads(self._read(length, deadline))

    def _read(self, count: int, deadline: float) -> bytes:
        stream = self._process.stdout.fileno()
        data = b""
        while len(data) < count:
            ready, _, _ = select.select([stream], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            part = os.read(stream, count - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def _how_it_died(self) -> str:
        process = self._process
        try:
            status = process.wait(0.5)
        except subprocess.TimeoutExpired:
            self._stop()
            return f"the worker did not answer in {TIMEOUT_SECONDS:g} s; this is a bug of mezzo, or the model is large"
        self._stop()
        try:
            how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        except ValueError:
            how = f"was ended by signal {-status}"
        return f"the worker {how}; this is a bug of mezzo, or memory ran out"


def _end(process: subprocess.Popen, folder: str) -> None:
    process.kill()
    process.wait()
    try:
        process.stdin.close()
    except BrokenPipeError:  # a request that the process did not live to read
        pass
    process.stdout.close()
    shutil.rmtree(folder, ignore_errors=True)


_local = threading.local()


def thread_worker() -> Worker:
    """The worker of this thread."""
    if not hasattr(_local, "worker"):
        _local.worker = Worker()
    return _local.worker
