"""Single products a @ w.T, compiled just in time."""

import functools
import hashlib
import os
import platform

import numpy as np

from mezzo import _cache, _mezzo
from mezzo._arrays import Array, as_float32
from mezzo._checks import integer, text, text_or_none
from mezzo._mezzo import Error
from mezzo.quantized import QuantizedTensor


def linear(
    a: Array,
    w: QuantizedTensor,
    *,
    bias: Array | None = None,
    compute: str = "float",
    strategy: str | None = None,
    threads: int = 0,
    target: str = "native",
    tile: str | None = None,
) -> np.ndarray:
    """a @ w.T (+ bias) with quantized w, compiled just in time and cached.

    a: [..., K] float32, or a narrower float, which is widened.
    w: a QuantizedTensor [N, K] with axis 1.
    bias: [N] float32, added last.
    compute: the arithmetic. "float": activations as they are; "int": activations quantized to int8 per row, exact
        integer sums; "lut8": sums of four activations looked up in tables of bytes, for weights of 1 to 4 bits. Each gives
        the same bits on every machine, with any number of threads.
    strategy, tile: force the compiler's choice, as in `compile`; no bit of the result depends on them.
    threads: 0 means $MEZZO_NUM_THREADS, else as many as the CPUs of this process.

    Returns [..., N] float32. What was compiled lies in $XDG_CACHE_HOME/mezzo (~/.cache/mezzo) under a hash of all that
    it depends on, up to 4 GiB, and may be deleted at any time. The first call with a weight compiles, in this process.

    Errors: TypeError where something is no array or has another dtype; `mezzo.Error` where shapes do not fit, and for
    specs that the mode cannot compute with.
    """
    a, bias = _operands(a, w, bias)
    rows, cols = w.shape
    options = dict(
        target=text(target, "target"),
        compute=text(compute, "compute"),
        strategy=text_or_none(strategy, "strategy"),
        tile=text_or_none(tile, "tile"),
    )

    def make(path: str) -> None:
        _mezzo.compile_linear(w._matrix, bias, -1, path, {**options, "weights": "embed"})

    (y,) = _cache.session(_key(w, bias, options), integer(threads, "threads"), make).run(
        None, {"x": a.reshape(-1, cols)}
    )
    return y.reshape(*a.shape[:-1], rows)


def reference_linear(a: Array, w: QuantizedTensor, *, bias: Array | None = None, compute: str = "float") -> np.ndarray:
    """a @ w.T (+ bias) by the scalar program that *defines* the mode "float", "int" or "lut8": slow, and right by
    definition. Arguments and errors as in `linear`."""
    a, bias = _operands(a, w, bias)
    rows, cols = w.shape
    y = np.empty((*a.shape[:-1], rows), np.float32)
    _mezzo.reference_linear(text(compute, "compute"), w._matrix, bias, a, y.size // rows, y)
    return y


def _operands(a: Array, w: QuantizedTensor, bias: Array | None) -> tuple[np.ndarray, np.ndarray | None]:
    """a and bias, checked and contiguous."""
    if not isinstance(w, QuantizedTensor):
        raise TypeError(f"w has type {type(w).__name__}: pass mezzo.quantize(W, spec)")
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


def _key(w: QuantizedTensor, bias: np.ndarray | None, options: dict[str, str | None]) -> str:
    """A hash of everything that the compiled product depends on."""
    hash = hashlib.sha256(repr((_compiler_identity(), w.digest, sorted(options.items()))).encode())
    if bias is not None:
        hash.update(b"bias" + bias.tobytes())
    return hash.hexdigest()


@functools.cache
def _compiler_identity() -> tuple[int, int, str, str]:
    """Changes when the compiler does, or the CPU that "native" means."""
    library = os.stat(_mezzo.library_path())
    return library.st_size, library.st_mtime_ns, platform.machine(), _cpu_features()


def _cpu_features() -> str:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            return next((line for line in file if line.startswith(("flags", "Features"))), "")
    except OSError:
        return ""
