"""The scalar programs of docs/numbers.md once more, in numpy: what a compiled model must equal bit for bit.

A second writing, on purpose independent of lib/Golden. Everything here is float32 with one rounding per operation. The
loops run over what the programs order (k within a group, groups, elements of a lane); all else is an array axis.
"""

import numpy as np

F = np.float32


def fma(a, b, c):
    """a * b + c of float32 arrays with one rounding.

    The product of two floats is exact in double. The sum is rounded twice, to double and to float, and that can only
    go wrong where the first rounding lands in the middle of two floats (or among the subnormals, whose middles lie
    elsewhere). There, rounding the sum to odd instead keeps the second rounding honest.
    """
    product = np.multiply(a, b, dtype=np.float64)
    total = product + c
    result = total.astype(F)
    tail = total.view(np.int64) & 0x1FFFFFFF
    doubtful = (tail == 0x10000000) | (np.abs(total) < 2.0**-125)
    if doubtful.any():
        c = np.broadcast_to(np.asarray(c, np.float64), total.shape)
        result[doubtful] = _round_to_odd(product[doubtful], c[doubtful], total[doubtful]).astype(F)
    return result


def _round_to_odd(product, c, total):
    back = total - product
    error = (product - (total - back)) + (c - back)  # Knuth's two-sum: product + c == total + error
    bits = total.view(np.int64).copy()
    inexact = (error != 0) & (bits & 1 == 0)
    bits[inexact] += np.where((error > 0) == (total > 0), 1, -1)[inexact]
    return bits.view(np.float64)


# --- elementary functions: the programs of lib/Math/Elementary.h ------------------------------------------------------


def _float(text):
    return F(float.fromhex(text))


_EXP = [F(1), F(1)] + [
    _float(c) for c in ("0x1.fffffcp-2", "0x1.55549p-3", "0x1.5558acp-5", "0x1.123b0cp-7", "0x1.6a540ep-10")
]


def exp(x):
    x = np.where(x < F(-104), F(-104), x)
    x = np.where(F(89) < x, F(89), x)
    magic = _float("0x1.8p23")
    total = fma(x, _float("0x1.715476p+0"), magic)
    n = total - magic
    integer = total.view(np.int32) - np.int32(0x4B400000)
    r = fma(-n, _float("0x1.62e43p-1"), x)
    r = fma(-n, _float("-0x1.05c61p-29"), r)
    p = np.full_like(r, _EXP[-1])
    for c in reversed(_EXP[:-1]):
        p = fma(p, r, c)
    half = integer >> 1
    rest = integer - half
    return p * ((half + 127) << 23).view(F) * ((rest + 127) << 23).view(F)


def sigmoid(x):
    t = exp(-np.abs(x))
    return np.where(x < 0, t, F(1)) / (F(1) + t)


# --- rows -------------------------------------------------------------------------------------------------------------


def reduce16(x, start, combine):
    """Sixteen lanes along the last axis, lane j folding j, j + 16, ...; then halves meet."""
    lanes = np.full(x.shape[:-1] + (16,), start, F)
    for begin in range(0, x.shape[-1], 16):
        part = x[..., begin : begin + 16]
        lanes[..., : part.shape[-1]] = combine(lanes[..., : part.shape[-1]], part)
    for step in (8, 4, 2, 1):
        lanes = combine(lanes[..., :step], lanes[..., step : 2 * step])
    return lanes


def add(a, b):
    return a + b


def mean(x):
    return reduce16(x, F(0), add) / F(x.shape[-1])


def rms_norm(x, scale, epsilon):
    return x * (F(1) / np.sqrt(mean(x * x) + F(epsilon))) * scale


def layer_norm(x, scale, bias, epsilon):
    x = x - mean(x)
    y = x * (F(1) / np.sqrt(mean(x * x) + F(epsilon))) * scale
    return y if bias is None else y + bias


def softmax(x):
    largest = reduce16(x, F(-np.inf), lambda lane, e: np.where(lane < e, e, lane))
    e = exp(x - largest)
    return e / reduce16(e, F(0), add)


# --- products ---------------------------------------------------------------------------------------------------------


class Matrix:
    """W[N, K] = scales * (codes - zeros), groups of `group` columns along K; zeros are integers, floats or None.

    `permutation` says which column of the activations meets column j.
    """

    def __init__(self, codes, scales, zeros, group, permutation=None):
        self.codes, self.scales, self.zeros = codes, scales, zeros
        self.group, self.permutation = group, permutation

    @property
    def columns(self):
        return self.codes.shape[1]

    def groups(self, per_column):
        """[N, K] -> [N, groups, group], the last group filled up with zeros, which change no fold."""
        rows, columns = per_column.shape
        count = -(-columns // self.group)
        padded = np.zeros((rows, count * self.group), per_column.dtype)
        padded[:, :columns] = per_column
        return padded.reshape(rows, count, self.group)

    def per_column(self, per_group):
        return np.repeat(per_group, self.group, axis=1)[:, : self.columns]


def product(a, w, mode):
    """a[M, K] W^T in mode `float` or `int`."""
    if w.permutation is not None:
        a = a[:, w.permutation]
    return _float_product(a, w) if mode == "float" else _int_product(a, w)


def _float_product(a, w):
    differences = w.codes.astype(F)
    if w.zeros is not None:
        differences = differences - w.per_column(w.zeros.astype(F))
    weights, activations = w.groups(differences), w.groups(a)
    dots = np.zeros((a.shape[0],) + weights.shape[:2], F)  # [M, N, groups]
    for k in range(w.group):
        dots = fma(weights[np.newaxis, :, :, k], activations[:, np.newaxis, :, k], dots)
    return _over_groups(w.scales[np.newaxis], dots)


def _over_groups(scales, dots, minima=None, sums=None):
    y = np.zeros(dots.shape[:2], F)
    for g in range(dots.shape[2]):
        y = fma(scales[:, :, g], dots[:, :, g], y)
        if minima is not None:
            y = fma(minima[:, :, g], sums[:, :, g], y)
    return y


def _int_product(a, w):
    """Activations as int8 per row."""
    scale = np.max(np.abs(a), axis=1, keepdims=True) / F(127)
    scale = np.where(scale == 0, F(1), scale)
    return coded_product(np.clip(np.rint(a / scale), -127, 127), scale, w)


def coded_product(differences_of_a, scale, w):
    """Activations scale * differences, integers [M, K] and scales [M, 1]; a float zero point is the minimum -s z."""
    # Doubles hold all of these integers exactly, and their products are fast.
    differences = w.codes.astype(np.float64)
    if w.zeros is not None and w.zeros.dtype != F:
        differences = differences - w.per_column(w.zeros.astype(np.float64))
    weights, activations = w.groups(differences), w.groups(differences_of_a.astype(np.float64))
    dots = np.einsum("ngk,mgk->mng", weights, activations, optimize=True).astype(F)
    scales = w.scales[np.newaxis] * scale[:, :, np.newaxis]
    if w.zeros is None or w.zeros.dtype != F:
        return _over_groups(scales, dots)
    minima = (-w.scales * w.zeros)[np.newaxis] * scale[:, :, np.newaxis]
    sums = activations.sum(axis=2).astype(F)[:, np.newaxis, :]
    return _over_groups(scales, dots, minima, sums)


def product_in_blocks(a, w):
    """Activations as int8 with a scale for each group of the weight."""
    blocks = w.groups(a)  # [M, groups, group]
    scales = np.max(np.abs(blocks), axis=2) / F(127)
    scales = np.where(scales == 0, F(1), scales).astype(F)
    codes = np.clip(np.rint(blocks / scales[:, :, np.newaxis]), -127, 127).astype(np.float64)
    differences = w.codes.astype(np.float64)
    if w.zeros is not None:
        differences = differences - w.per_column(w.zeros.astype(np.float64))
    dots = np.einsum("ngk,mgk->mng", w.groups(differences), codes, optimize=True).astype(F)
    return _over_groups(w.scales[np.newaxis] * scales[:, np.newaxis, :], dots)
