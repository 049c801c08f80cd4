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
        return np.dtype(f"u{max(self.bits // 8, 1)}")

    def pack(self, array: np.ndarray) -> np.ndarray:
        """The bytes that a model is passed for a C-contiguous array: the array's own, but those of elements of fewer
        than 8 bits, of which an array of ml_dtypes has one in a byte, put together with the first in the low bits."""
        stored = array.view(self.storage)
        if self.bits >= 8:
            return stored
        per_byte = 8 // self.bits
        codes = np.zeros(-(-stored.size // per_byte) * per_byte, np.uint8)
        codes[: stored.size] = stored.ravel() & ((1 << self.bits) - 1)
        shifts = np.arange(per_byte, dtype=np.uint8) * np.uint8(self.bits)
        return np.bitwise_or.reduce(codes.reshape(-1, per_byte) << shifts, axis=1).astype(np.uint8)

    def unpack(self, packed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The inverse, for elements of fewer than 8 bits."""
        per_byte = 8 // self.bits
        shifts = np.arange(per_byte, dtype=np.uint8) * np.uint8(self.bits)
        codes = (packed[:, np.newaxis] >> shifts) & np.uint8((1 << self.bits) - 1)
        codes = codes.ravel()[: int(np.prod(shape))].reshape(shape)
        if self.code == _INT:  # in ml_dtypes' byte, the sign is extended
            codes = (codes << np.uint8(8 - self.bits)).view(np.int8) >> np.int8(8 - self.bits)
        return codes.view(self.numpy)


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
        *(
            ElementType(name, code, 8, f"float8{name[2:]}", _extended(f"float8_{name[2:]}{suffix}"))
            for name, code, suffix in [
                ("f8e4m3fn", 10, ""),
                ("f8e4m3fnuz", 11, ""),
                ("f8e5m2", 12, ""),
                ("f8e5m2fnuz", 13, ""),
                ("f8e8m0", 14, "fnu"),
            ]
        ),
        ElementType("f4e2m1", 17, 4, "float4e2m1", _extended("float4_e2m1fn")),
        *(ElementType(f"i{n}", _INT, n, f"int{n}", _extended(f"int{n}")) for n in (2, 4)),
        *(ElementType(f"u{n}", _UINT, n, f"uint{n}", _extended(f"uint{n}")) for n in (2, 4)),
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
