"""Arrays that come in: NumPy's, and whatever shares its memory through DLPack or the buffer protocol."""

from typing import Any, Protocol

import numpy as np

from mezzo import _mezzo
from mezzo._dtypes import dlpack_type
from mezzo._mezzo import Error


class SupportsDLPack(Protocol):
    """A tensor of another library, such as PyTorch's."""

    def __dlpack__(self, *, stream: Any = ...) -> Any: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...


class SupportsBuffer(Protocol):
    """What `memoryview` takes: array.array, a NumPy scalar, bytes."""

    def __buffer__(self, flags: int, /) -> memoryview: ...


Array = np.ndarray | SupportsDLPack | SupportsBuffer

_DLPACK_CPU = 1


def as_array(value: Array, what: str) -> np.ndarray:
    """A NumPy array that shares the memory of `value`. TypeError, which calls it `what`: there is no such array."""
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "__dlpack__"):
        return _from_dlpack(value, what)
    try:
        return np.asarray(memoryview(value))
    except TypeError:
        pass  # it has no buffer protocol either
    raise TypeError(f"{what} has type {type(value).__name__}: pass a NumPy array, or a tensor that has __dlpack__")


def _from_dlpack(tensor: Any, what: str) -> np.ndarray:
    """NumPy's own reader refuses the types of ml_dtypes, so the module has one, too."""
    kind, _ = tensor.__dlpack_device__()
    if kind != _DLPACK_CPU:
        raise TypeError(f"{what} lies on a device (number {int(kind)} in DLPack): move it to the CPU first")
    try:
        return np.from_dlpack(tensor)
    except (BufferError, RuntimeError, TypeError):
        pass
    try:
        shared = _mezzo.DLPack(tensor.__dlpack__())
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        raise TypeError(f"{what} cannot be read through DLPack: {error}") from error
    element = dlpack_type(shared.code, shared.bits)
    if element is None or element.numpy is None:
        raise TypeError(
            f"{what} has elements of DLPack's type {shared.code} with {shared.bits} bits, for which NumPy has no dtype "
            "here: convert it to float32, or install the package ml_dtypes"
        )
    return np.asarray(shared).view(element.numpy)


def as_float32(value: Array, what: str, rank: int | None = None) -> np.ndarray:
    """`value` as C-contiguous, aligned float32: its own memory where it is that already, a copy where it is another
    float that float32 represents exactly. TypeError otherwise: rounding is for the caller to ask for."""
    array = as_array(value, what)
    is_float = array.dtype.name.startswith(("float", "bfloat"))
    if not is_float or not np.can_cast(array.dtype, np.float32, "safe"):
        raise TypeError(f"{what} has dtype {array.dtype}: pass {what}.astype(numpy.float32)")
    if rank is not None and array.ndim != rank:
        raise Error(f"{what} has {array.ndim} dimensions: pass an array with {rank}")
    return contiguous(array, np.float32)


def contiguous(array: np.ndarray, dtype: Any) -> np.ndarray:
    """`array`, C-contiguous, aligned and in native byte order; a copy only where it is not."""
    return np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"])
