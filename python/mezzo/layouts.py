"""Layouts: where every bit of a packed matrix lies."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from mezzo import _mezzo
from mezzo._arrays import Array, as_array, contiguous
from mezzo._checks import integer, text


def layout(name_or_text: str) -> "Layout":
    """The layout of a name, such as "gptq3" (`layout_names` has them all), or of a text such as
    "bit=[b:4, k:2], line=[k@2:*], tile=[n:*]".

    A text lists digits `axis@stride:radix`, meaning (axis div stride) mod radix, least significant first, in named
    spaces; the axes are n (row), k (column), g (group of columns) and b (bit of a code).

    Errors: `mezzo.Error` points at the column that cannot be read.
    """
    return Layout(name_or_text)


def layout_names() -> list[str]:
    """All names that `layout` knows."""
    return _mezzo.layout_names().split("\n")


class Layout:
    """Made by `layout`; immutable. Layouts are equal where their canonical forms are.

    The shape of a tensor of codes is (n, k) or (n, g, k). For a layout with a group axis, (n, k) means one group that
    holds all of k.
    """

    def __init__(self, name_or_text: str):
        self._layout = _mezzo.Layout(text(name_or_text, "name_or_text"))

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

    def nbytes(self, shape: Sequence[int], bits: int | None = None) -> int:
        """Bytes of codes of this shape when packed, padding included.

        bits: of a code, where the layout does not tell; so everywhere below.
        """
        return self._layout.bytes(*_extents(shape, bits))

    def pack(self, codes: Array, bits: int | None = None) -> np.ndarray:
        """Packs codes[n, k] or codes[n, g, k]: raw fields, uint8. Returns uint8 of `nbytes(codes.shape)` bytes, in
        which padding is zero.

        Errors: `mezzo.Error` where the layout does not fit the shape, or a code needs more bits.
        """
        codes = as_array(codes, "codes")
        if codes.dtype != np.uint8:
            raise TypeError(f"codes have dtype {codes.dtype}: pass raw fields as uint8")
        out = np.empty(self.nbytes(codes.shape, bits), np.uint8)
        self._layout.pack(*_extents(codes.shape, bits), contiguous(codes, np.uint8), out)
        return out

    def unpack(self, packed: Array, shape: Sequence[int], bits: int | None = None) -> np.ndarray:
        """The inverse of `pack`: codes of this shape, uint8.

        packed: an array of any dtype, or bytes, of `nbytes(shape)` bytes.

        Errors: `mezzo.Error` where the number of bytes is another, or the layout does not fit the shape.
        """
        packed = contiguous(as_array(packed, "packed"), None)
        wanted = self.nbytes(shape, bits)
        if packed.nbytes != wanted:
            raise _mezzo.Error(
                f"packed has {packed.nbytes} bytes: codes of shape {list(shape)} take {wanted} in this layout"
            )
        codes = np.empty(shape, np.uint8)
        self._layout.unpack(*_extents(shape, bits), packed, codes)
        return codes

    def picture(self, shape: Sequence[int], bits: int | None = None, first_bits: int = 64) -> str:
        """A drawing of the first bits of codes of this shape: which bit of which code lies where, a box per byte."""
        return self._layout.picture(*_extents(shape, bits), integer(first_bits, "first_bits"))

    def __eq__(self, other: object) -> bool:
        return self.canonical == other.canonical if isinstance(other, Layout) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.canonical)

    def __reduce__(self) -> tuple[type["Layout"], tuple[str]]:
        return Layout, (self.text,)

    def __repr__(self) -> str:
        return f"mezzo.layout({self.text!r})"


def _extents(shape: Sequence[int], bits: int | None) -> tuple[list[int], int]:
    """As the module wants them: 0 bits are those that the layout tells."""
    if bits is not None and not 1 <= integer(bits, "bits") <= 8:
        raise _mezzo.Error(f"codes of {bits} bits: a code has 1 to 8")
    return [integer(size, "a size of the shape") for size in shape], 0 if bits is None else integer(bits, "bits")
