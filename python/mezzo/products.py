"""Single products a @ w.T, compiled just in time."""

import hashlib
import os
import platform
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np

from mezzo import _mezzo
from mezzo._dtypes import as_float32
from mezzo._mezzo import Error
from mezzo.quantized import QuantizedTensor
from mezzo.session import InferenceSession

# Opened products, the last used at the end. Their weights are mapped, not copied, so this bounds handles rather than memory.
_OPEN_LIMIT = 64
_open: "OrderedDict[tuple, InferenceSession]" = OrderedDict()
_lock = threading.Lock()


def linear(
    a,
    w: QuantizedTensor,
    *,
    bias=None,
    compute: str = "float",
    strategy: str | None = None,
    threads: int = 0,
    target: str = "native",
    tile: str | None = None,
) -> np.ndarray:
    """a @ w.T (+ bias) with quantized w, compiled just in time and cached.

    a: [..., K] float32 (or float16 or bfloat16, which are widened).
    w: a QuantizedTensor [N, K] with axis 1.
    bias: [N] float32, added last.
    compute: the arithmetic. "float": activations as they are; "int": activations quantized to int8 per row, exact integer
        sums. Each gives the same bits on every machine, with any number of threads.
    strategy, tile: force the compiler's choice, for experiments; no bit of the result depends on them.
    threads: 0 means $MEZZO_NUM_THREADS, else as many as the CPUs of this process.

    Returns [..., N] float32. What was compiled lies in $XDG_CACHE_HOME/mezzo (~/.cache/mezzo) under a hash of all that it
    depends on, and may be deleted at any time.

    Errors: TypeError where something is no array or has another dtype; `mezzo.Error` where shapes do not fit, and for
    specs that the mode cannot compute with.
    """
    a, bias = _operands(a, w, bias)
    rows, cols = w.shape
    matrix = a.reshape(-1, cols) if a.size else np.empty((0, cols), np.float32)
    if len(matrix) == 0:
        return np.empty((*a.shape[:-1], rows), np.float32)
    options = dict(target=target, compute=compute, strategy=strategy, tile=tile)
    (y,) = _session(w, bias, options, threads).run(None, {"x": matrix})
    return y.reshape(*a.shape[:-1], rows)


def reference_linear(a, w: QuantizedTensor, *, bias=None, compute: str = "float") -> np.ndarray:
    """a @ w.T (+ bias) by the scalar program that *defines* the mode "float", "int" or "lut8": slow, and right by
    definition. Arguments and errors as in `linear`."""
    a, bias = _operands(a, w, bias)
    rows, cols = w.shape
    y = np.empty((*a.shape[:-1], rows), np.float32)
    _mezzo.reference_linear(compute, w._matrix, bias, a, y.size // rows, y)
    return y


def _operands(a, w, bias):
    """Checked and contiguous."""
    if not isinstance(w, QuantizedTensor):
        raise TypeError(f"w is a {type(w).__name__}: pass mezzo.quantize(W, spec)")
    if w.axis != 1:
        raise Error("w is quantized along axis 0: a @ w.T sums over axis 1; pass w.T")
    rows, cols = w.shape
    a = as_float32(a, "a")
    if a.ndim == 0 or a.shape[-1] != cols:
        raise Error(f"a has shape {list(a.shape)}, w has shape [{rows}, {cols}]: the last axis of a must be {cols}")
    if bias is not None:
        bias = as_float32(bias, "bias")
        if bias.shape != (rows,):
            raise Error(f"bias has shape {list(bias.shape)}: w has {rows} rows, pass [{rows}]")
    return a, bias


def _session(w, bias, options, threads) -> InferenceSession:
    key = _key(w, bias, options)
    with _lock:
        session = _open.get((key, threads))
        if session:
            _open.move_to_end((key, threads))
            return session
        path = _cache_folder() / f"linear-{key}.so"
        session = _open_cached(path, threads)
        if session is None:
            _compile(w, bias, options, path)
            session = InferenceSession(path, threads=threads)
        _open[key, threads] = session
        while len(_open) > _OPEN_LIMIT:
            _open.popitem(last=False)
        return session


def _open_cached(path, threads):
    """What an earlier process has compiled; None where it is not there, or not usable here."""
    if not path.exists():
        return None
    try:
        return InferenceSession(path, threads=threads)
    except Error:  # truncated, of another version, or for another CPU: it is made again
        return None


def _compile(w, bias, options, path: Path):
    # Other processes may do the same: each compiles in a folder of its own, and the last one to finish wins.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="compiling-") as folder:
        output = os.path.join(folder, "linear.so")
        _mezzo.compile_linear(w._matrix, bias, -1, output, {**options, "weights": "embed"})
        os.replace(output, path)


def _key(w, bias, options) -> str:
    """A hash of everything that the compiled product depends on."""
    hash = hashlib.sha256(repr((_compiler_identity(), w.digest, sorted(options.items()))).encode())
    if bias is not None:
        hash.update(bias)
    return hash.hexdigest()


def _compiler_identity():
    """Changes when the compiler does, or the CPU that "native" means."""
    library = os.stat(_mezzo.library_path())
    return library.st_size, library.st_mtime_ns, platform.machine(), _cpu_features()


def _cpu_features() -> str:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            return next((line for line in file if line.startswith(("flags", "Features"))), "")
    except OSError:
        return ""


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = Path(base) / "mezzo"
    try:
        # What lies there is loaded as code: nobody else may write to it.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner, mode = folder.stat().st_uid, folder.stat().st_mode
    except OSError as error:
        raise Error(f"cannot use the cache folder '{folder}': {error.strerror}; set XDG_CACHE_HOME") from error
    if owner != os.getuid() or mode & 0o022:
        raise Error(f"others may write to the cache folder '{folder}', and code is loaded from it: set XDG_CACHE_HOME")
    return folder
