"""Element types: their names in signatures, in NumPy, in DLPack and in ONNX Runtime."""

from dataclasses import dataclass

import numpy as np

from mezzo._mezzo import Error

try:
    import ml_dtypes
except ImportError:  # it is needed for bfloat16 and the 8-bit floats only
    ml_dtypes = None  # type: ignore[assignment]


@dataclass(frozen=True)
class ElementType:
    """One type of elements. `numpy` is a NumPy dtype, or None where the package ml_dtypes is missing."""

    name: str  # as in signatures: "f32", "bf16", "u8"
    code: int  # mezzo_dtype_code
    bits: int
    onnx: str  # as in ONNX Runtime: "float", "bfloat16", "uint8"
    numpy: np.dtype | None

    @property
    def storage(self) -> np.dtype:
        """A dtype of the same size that every version of the buffer protocol knows."""
        return np.dtype(f"u{self.bits // 8}")


def _extended(name: str) -> np.dtype | None:
    return np.dtype(getattr(ml_dtypes, name)) if hasattr(ml_dtypes, name) else None


_INT, _UINT, _FLOAT, _BFLOAT, _BOOL = 0, 1, 2, 4, 6

_TYPES: dict[str, ElementType] = {
    kind.name: kind
    for kind in [
        *(ElementType(f"i{n}", _INT, n, f"int{n}", np.dtype(f"int{n}")) for n in (8, 16, 32, 64)),
        *(ElementType(f"u{n}", _UINT, n, f"uint{n}", np.dtype(f"uint{n}")) for n in (8, 16, 32, 64)),
        ElementType("f16", _FLOAT, 16, "float16", np.dtype("float16")),
        ElementType("f32", _FLOAT, 32, "float", np.dtype("float32")),
        ElementType("f64", _FLOAT, 64, "double", np.dtype("float64")),
        ElementType("bf16", _BFLOAT, 16, "bfloat16", _extended("bfloat16")),
        ElementType("bool", _BOOL, 8, "bool", np.dtype("bool")),
        ElementType("e4m3fn", 10, 8, "float8e4m3fn", _extended("float8_e4m3fn")),
        ElementType("e4m3fnuz", 11, 8, "float8e4m3fnuz", _extended("float8_e4m3fnuz")),
        ElementType("e5m2", 12, 8, "float8e5m2", _extended("float8_e5m2")),
        ElementType("e5m2fnuz", 13, 8, "float8e5m2fnuz", _extended("float8_e5m2fnuz")),
    ]
}


def element_type(name: str, tensor: str) -> ElementType:
    """The type called `name` in the signature of `tensor`. Errors: a type that NumPy arrays cannot have."""
    kind = _TYPES.get(name)
    if kind is None:
        raise Error(f"'{tensor}' has elements of {name}, for which there are no arrays: use the C interface")
    if kind.numpy is None:
        raise Error(f"'{tensor}' has elements of {name}: install the package ml_dtypes")
    return kind


def dlpack_type(code: int, bits: int) -> ElementType | None:
    """The type that DLPack numbers so, if NumPy arrays can have it here."""
    return next((kind for kind in _TYPES.values() if (kind.code, kind.bits) == (code, bits) and kind.numpy), None)
