"""Quantized weights: from floats to codes, scales and offsets, and back."""

import hashlib
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from mezzo import _mezzo
from mezzo._arrays import Array, as_array, as_float32, contiguous
from mezzo._checks import integer, text
from mezzo._mezzo import Error


def canonical_spec(spec: str) -> str:
    """The canonical form of a spec: "uint4/g32:f16+zp:uint4" becomes "uint4/g32:f16+zp".

    The grammar is FORMAT[/GROUP][:SCALE[^SUPER]][+OFFSET]. Errors: `mezzo.Error` names the part that is wrong and what
    may stand there.
    """
    return _mezzo.canonical_spec(text(spec, "spec"))


def quantize(
    w: Array,
    spec: str,
    axis: int = 1,
    *,
    rounding: str = "nearest-even",
    precision: str = "f32",
    seed: int = 0,
    codebook: Array | None = None,
) -> "QuantizedTensor":
    """Quantizes a matrix as `spec` says, with groups along `axis`.

    w: a matrix of float32, or of a narrower float, which is widened.
    spec: such as "int4/g128" (signed, 4 bits, one float32 scale per 128 columns), "uint4/g32:f16+zp", "ternary/t",
        "uint3/g64:f16+min", "nf4/g64".
    axis: along which products sum: 1 for W[N, K] of a @ W.T, 0 for W[K, N] of a @ W.
    rounding: "nearest-even", "nearest-away", "half-up", "toward-zero", "up", "down", "to-odd", "stochastic" or
        "stochastic-equal"; `seed`, at least 0, is that of the last two.
    precision: the type that w / s is divided in: "f32", "f16" or "bf16".
    codebook: the 2**n values of the codes of a spec codebook<n>; any format that is a table. Without it they are fitted to
        w, by k-means.

    A scale is the smallest one that clips nothing. (For ternary and odd1 it is the mean of |w|, as BitNet trains with
    (arXiv:2402.17764); for e8m0 the power of two of OCP's MX, under which large elements saturate.) A group of zeros
    has scale 1; NaN becomes the code nearest to zero and is counted (`nans`).

    Errors: `mezzo.Error` for a spec that cannot be read, a matrix that is empty or holds an infinity.
    """
    matrix = as_float32(w, "w", rank=2)
    if matrix.size == 0:
        raise Error(f"w has shape {list(matrix.shape)}: a matrix has at least one row and one column")
    if axis not in (-2, -1, 0, 1):
        raise Error(f"axis {axis} of a matrix: use 0 or 1")
    axis %= 2
    if axis == 0:
        matrix = contiguous(matrix.T, np.float32)
    seed = integer(seed, "seed")
    if not 0 <= seed < 1 << 64:
        raise Error(f"seed {seed}: use 0 to 2**64 - 1")
    rows, cols = matrix.shape
    if codebook is not None:
        if not hasattr(codebook, "dtype"):  # numbers as Python writes them
            codebook = np.array(codebook, np.float32)
        codebook = as_float32(codebook, "codebook", rank=1)
    how = (text(rounding, "rounding"), text(precision, "precision"), seed, codebook)
    return QuantizedTensor(_mezzo.Matrix.quantize(matrix, rows, cols, text(spec, "spec"), *how), axis)


class QuantizedTensor:
    """A matrix W as codes, scales and offsets. Made by `quantize` or `from_parts`, and immutable.

        W[n, k] = scales[n, g] * (C(codes[n, k]) - offsets[n, g])        specs without offset, and with `+zp`
        W[n, k] = scales[n, g] * C(codes[n, k]) + offsets[n, g]          specs with `+min`

    with g = k // group_length and C the meaning of a code (`values` has C(codes)). Arrays are read-only views of the
    compiler's memory. With axis 0, groups run down the columns, and all arrays are transposed.
    """

    def __init__(self, matrix: "_mezzo.Matrix", axis: int = 1):
        self._matrix = matrix
        self._axis = axis

    @classmethod
    def from_parts(
        cls,
        spec: str,
        codes: Array,
        scales: Array | None,
        offsets: Array | None = None,
        *,
        permutation: Array | None = None,
        codebook: Array | None = None,
        nans: int = 0,
        scale_levels: tuple[Array, Array] | None = None,
        minimum_levels: tuple[Array, Array] | None = None,
    ) -> "QuantizedTensor":
        """A matrix with given parts, as it comes out of another tool; they are copied.

        spec: what the parts are, such as "uint4/g32+zp".
        codes: [N, K] uint8, the raw bits of a code each (two's complement for int<n>).
        scales: [N, G] float32, G = ceil(K / group length); for specs with one scale per tensor, repeated.
        offsets: [N, G]; integers for `+zp`, float32 for `+min` and for float zeros.
        permutation: [K] int32; column j of W meets column permutation[j] of a.
        codebook: [2**bits] or [N, 2**bits] float32, for specs of a code book.
        nans: what the property of that name says.
        scale_levels: for specs with two levels, such as "uint4/g32:u6^g256:f16", the factors: [N, G] numbers of the
            first type, and [N, S] of the second, one per super-block of a row. `scales` is their product, rounded to
            float32, and may be None. A product that knows the factors stores them, not float32 scales.
        minimum_levels: the same for minima.

        Errors: `mezzo.Error` where parts and spec disagree.
        """
        canonical = canonical_spec(spec)
        codes = contiguous(as_array(codes, "codes"), None)
        if codes.dtype != np.uint8 or codes.ndim != 2:
            raise TypeError(f"codes are {codes.dtype} with {codes.ndim} dimensions: pass raw fields, a matrix of uint8")
        if codes.size == 0:
            raise Error(f"codes have shape {list(codes.shape)}: a matrix has at least one row and one column")
        rows, cols = codes.shape
        length, kind = _mezzo.spec_parts(canonical, cols)
        inner_scales, outer_scales, scales = _levels(scale_levels, scales, "scales")
        inner_minima, outer_minima, offsets = _levels(minimum_levels, offsets, "offsets")
        scales = as_float32(scales, "scales", rank=2)
        offsets = _offsets(canonical, kind, offsets)
        wanted = (rows, -(-cols // max(length, 1)))
        for what, array in (("scales", scales), ("offsets", offsets)):
            if array is not None and array.shape != wanted:
                raise Error(
                    f"{what} have shape {list(array.shape)}: {canonical} of {rows} x {cols} needs {list(wanted)}"
                )
        if permutation is not None:
            permutation = _integers(permutation, "permutation")
            if permutation.shape != (cols,):
                raise Error(f"the permutation has shape {list(permutation.shape)}: {cols} columns need [{cols}]")
        if codebook is not None:
            codebook = as_float32(codebook, "codebook").ravel()
        return cls(
            _mezzo.Matrix.from_parts(
                canonical,
                rows,
                cols,
                length,
                codes,
                scales,
                kind,
                offsets,
                permutation,
                codebook,
                nans,
                inner_scales,
                outer_scales,
                inner_minima,
                outer_minima,
            )
        )

    @property
    def spec(self) -> str:
        """The canonical spec."""
        return self._matrix.spec

    @property
    def axis(self) -> int:
        """The axis that groups lie along, and that products sum over."""
        return self._axis

    @property
    def shape(self) -> tuple[int, int]:
        """[N, K], or [K, N] with axis 0."""
        return self._turn((self._matrix.rows, self._matrix.cols))

    @property
    def group_length(self) -> int:
        """How many elements along `axis` share a scale."""
        return self._matrix.group_length

    @property
    def codes(self) -> np.ndarray:
        """[N, K] uint8: the raw bits of every code. `values` has the numbers that they stand for."""
        return self._view(self._matrix.codes)

    @property
    def scales(self) -> np.ndarray:
        """[N, G] float32. On two levels, the product of both."""
        return self._view(self._matrix.scales)

    @property
    def scale_levels(self) -> tuple[np.ndarray, np.ndarray] | None:
        """For specs with two levels, the factors of `scales` as `from_parts` takes them, if they are known."""
        return self._factors(self._matrix.inner_scales, self._matrix.outer_scales)

    @property
    def minimum_levels(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The same for minima."""
        return self._factors(self._matrix.inner_minima, self._matrix.outer_minima)

    @property
    def offsets(self) -> np.ndarray | None:
        """[N, G]: int32 zero points, float32 zeros or float32 minima, as the spec says; None without an offset."""
        matrix = self._matrix
        for part in (matrix.zeros, matrix.float_zeros, matrix.minima):
            if part is not None:
                return self._view(part)
        return None

    @property
    def permutation(self) -> np.ndarray | None:
        """[K] int32, or None: column j of W meets column permutation[j] of a."""
        part = self._matrix.permutation
        return None if part is None else np.asarray(part)

    @property
    def codebook(self) -> np.ndarray | None:
        """[2**bits] or [N * 2**bits] float32, the values of the codes; None where the format says them."""
        part = self._matrix.codebook
        return None if part is None else np.asarray(part)

    @property
    def nans(self) -> int:
        """How many elements were NaN and became the code nearest to zero."""
        return self._matrix.nans

    @property
    def bits_per_weight(self) -> float:
        """Bits of storage per element: codes, scales (on both levels), offsets, code book."""
        return self._matrix.bits_per_weight

    @property
    def values(self) -> np.ndarray:
        """[N, K] float32: C(codes), exactly. Computed at each call."""
        out = np.empty((self._matrix.rows, self._matrix.cols), np.float32)
        self._matrix.values(out)
        return self._turn(out)

    @property
    def T(self) -> "QuantizedTensor":
        """The transposed matrix, which shares all memory."""
        return QuantizedTensor(self._matrix, 1 - self._axis)

    def dequantize(self) -> np.ndarray:
        """[N, K] float32: fl(s * (C - z)), or fma(s, C, m) with one rounding; scales of e4m3 on two levels multiply from
        left to right, fl(fl(C * sc) * D), as NVFP4 has it. A permutation is undone."""
        out = np.empty((self._matrix.rows, self._matrix.cols), np.float32)
        self._matrix.dequantize(out)
        return self._turn(out)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that the matrix consists of, apart from `axis`."""
        matrix = self._matrix
        hash = hashlib.sha256(f"{matrix.spec} {matrix.rows} {matrix.cols} {matrix.group_length}".encode())
        for name in _PARTS:
            part = getattr(matrix, name)
            if part is not None:
                hash.update(name.encode())
                hash.update(part)
        return hash.hexdigest()

    def __reduce__(self) -> tuple[Callable, tuple]:
        upright = self if self._axis == 1 else self.T
        keywords = {"permutation": self.permutation, "codebook": self.codebook, "nans": self.nans}
        keywords |= {"scale_levels": self.scale_levels, "minimum_levels": self.minimum_levels}
        return _restore, (self.spec, upright.codes, upright.scales, upright.offsets, keywords, self._axis)

    def __repr__(self) -> str:
        rows, cols = self.shape
        return f"<mezzo.QuantizedTensor {self.spec} [{rows}, {cols}], {self.bits_per_weight:.4g} bits per weight>"

    def _turn(self, value: Any) -> Any:
        """A shape, or an array, as `axis` has it."""
        return value if self._axis == 1 else value[::-1] if isinstance(value, tuple) else value.T

    @staticmethod
    def _factors(inner: "_mezzo.Part | None", outer: "_mezzo.Part | None") -> tuple[np.ndarray, np.ndarray] | None:
        return None if inner is None or outer is None else (np.asarray(inner), np.asarray(outer))

    def _view(self, part: _mezzo.Part) -> np.ndarray:
        return self._turn(np.asarray(part))


_PARTS = ("codes", "scales", "zeros", "float_zeros", "minima", "permutation", "codebook")
_PARTS += ("inner_scales", "outer_scales", "inner_minima", "outer_minima")


def _levels(levels: tuple[Array, Array] | None, product: Array | None, what: str) -> tuple:
    """The factors, flat, and their product where it is not given."""
    if levels is None:
        return None, None, product
    inner, outer = (as_float32(part, f"the levels of {what}", rank=2) for part in levels)
    groups, supers = inner.shape[1], outer.shape[1]
    if inner.shape[0] != outer.shape[0] or supers == 0 or supers > groups:
        raise Error(
            f"the levels of {what} have shapes {list(inner.shape)} and {list(outer.shape)}: give [N, G] numbers and [N, S] "
            "factors, one for each super-block of a row"
        )
    if product is None:
        length = -(-groups // supers)
        product = np.repeat(outer, length, axis=1)[:, :groups] * inner
    return inner, outer.ravel(), product


def _integers(value: Array, what: str) -> np.ndarray:
    """As int32, where that loses nothing."""
    array = as_array(value, what)
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"{what} has dtype {array.dtype}: pass integers")
    narrow = contiguous(array, np.int32)
    if not np.array_equal(narrow, array):
        raise Error(f"{what} has integers that do not fit int32")
    return narrow


def _offsets(spec: str, kind: int, offsets: Array | None) -> np.ndarray | None:
    """Offsets in the type that the module wants, `kind` being what the spec says they are."""
    if (offsets is None) != (kind == _mezzo.OFFSET_NONE):
        raise Error(f"the spec {spec} " + ("needs offsets" if offsets is None else "has no offsets: pass None"))
    if offsets is None:
        return None
    return _integers(offsets, "offsets") if kind == _mezzo.OFFSET_ZERO else as_float32(offsets, "offsets")


def _restore(
    spec: str, codes: Array, scales: Array, offsets: Array | None, keywords: dict, axis: int
) -> QuantizedTensor:
    """What pickle calls."""
    tensor = QuantizedTensor.from_parts(spec, codes, scales, offsets, **keywords)
    return tensor if axis == 1 else tensor.T
