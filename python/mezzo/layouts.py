"""Layouts: where every bit of a packed matrix lies."""

from functools import cached_property

import numpy as np

from mezzo import _mezzo
from mezzo._dtypes import as_array


def layout(name_or_text: str) -> "Layout":
    """The layout of a name, such as "gptq3" (`layout_names` has them all), or of a text such as
    "bit=[b:4, k:2], line=[k@2:*], tile=[n:*]".

    A text lists digits `axis@stride:radix`, meaning (axis div stride) mod radix, least significant first, in named spaces;
    the axes are n (row), k (column), g (group of columns) and b (bit of a code).

    Errors: `mezzo.Error` points at the column that cannot be read.
    """
    return Layout(name_or_text)


def layout_names() -> list[str]:
    """All names that `layout` knows."""
    return _mezzo.layout_names().split("\n")


class Layout:
    """Made by `layout`; immutable. Layouts are equal where their canonical forms are."""

    def __init__(self, name_or_text: str):
        self._layout = _mezzo.Layout(name_or_text)

    @property
    def text(self) -> str:
        """The layout as it was written."""
        return self._layout.text(False)

    @cached_property
    def canonical(self) -> str:
        """The normal form: adjacent digits of an axis merged, what says nothing dropped, pieces sorted."""
        return self._layout.text(True)

    @property
    def bits(self) -> int | None:
        """How many bits a code has, or None where the layout fits any number."""
        return self._layout.bits or None

    def nbytes(self, shape: tuple[int, ...], bits: int | None = None) -> int:
        """Bytes of codes of this shape when packed, padding included."""
        return self._layout.bytes(list(shape), bits or 0)

    def pack(self, codes, bits: int | None = None) -> np.ndarray:
        """Packs codes[n, k], or codes[n, g, k] for layouts that know groups: raw fields, uint8.

        bits: of a code, where the layout does not tell. Returns uint8 of `nbytes(codes.shape)` bytes; padding is zero.

        Errors: `mezzo.Error` where the layout does not fit the shape, or a code needs more bits.
        """
        codes = as_array(codes, "codes")
        if codes.dtype != np.uint8:
            raise TypeError(f"codes have dtype {codes.dtype}: pass raw fields as uint8")
        out = np.empty(self.nbytes(codes.shape, bits), np.uint8)
        self._layout.pack(list(codes.shape), bits or 0, np.ascontiguousarray(codes), out)
        return out

    def unpack(self, packed, shape: tuple[int, ...], bits: int | None = None) -> np.ndarray:
        """The inverse of `pack`: codes of this shape, uint8.

        packed: a contiguous array of any dtype, or bytes, of `nbytes(shape)` bytes.
        """
        if not isinstance(packed, (bytes, bytearray, memoryview)):
            packed = np.ascontiguousarray(as_array(packed, "packed"))
        size, wanted = memoryview(packed).nbytes, self.nbytes(shape, bits)
        if size != wanted:
            raise _mezzo.Error(f"packed has {size} bytes: codes of shape {list(shape)} take {wanted} in this layout")
        codes = np.empty(shape, np.uint8)
        self._layout.unpack(list(shape), bits or 0, packed, codes)
        return codes

    def picture(self, shape: tuple[int, ...], bits: int | None = None, first_bits: int = 64) -> str:
        """A drawing of the first bits of codes of this shape: which bit of which code lies where."""
        return self._layout.picture(list(shape), bits or 0, first_bits)

    def __eq__(self, other):
        return self.canonical == other.canonical if isinstance(other, Layout) else NotImplemented

    def __hash__(self):
        return hash(self.canonical)

    def __reduce__(self):
        return Layout, (self.text,)

    def __repr__(self):
        return f"mezzo.layout({self.text!r})"
