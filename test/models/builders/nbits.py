"""MatMulNBits: random quantized matrices of 1 to 8 bits, and how their parts are packed.

Codes lie row by row; a row is split into blocks along K, and a block is one stream of bits, lowest first: code i of the
block occupies the bits i * bits ... (i + 1) * bits - 1, also where that straddles bytes. Codes 0, 1, 2 of 3 bits:

    byte 0 = 22 111 000      byte 1 = ...  ...  2        (bit 7 on the left)

The last block is as long as the others, whatever K is. What lies beyond K is noise here: no result may depend on it.
"""

from typing import NamedTuple, Optional

import numpy as np

from .graph import MICROSOFT


class NBits(NamedTuple):
    bits: int
    block: int
    codes: np.ndarray  # uint8 [N, K], K rounded up to whole blocks
    columns: int  # K
    scales: np.ndarray  # float32 [N, groups]
    zeros: Optional[np.ndarray] = None  # uint8 [N, groups]; or float32 [N, groups]; None: 2^(bits-1)


def random_nbits(random, rows, columns, bits, block, zeros="none"):
    """A matrix whose elements have a variance of about 1 / columns. `zeros` is none, packed or float."""
    groups = -(-columns // block)
    codes = random.integers(0, 1 << bits, size=(rows, groups * block), dtype=np.uint8)
    step = 1.7 / ((1 << bits) * np.sqrt(columns) * 0.5)
    scales = (step * random.uniform(0.5, 1.5, size=(rows, groups))).astype(np.float32)
    # Files in the wild have negative scales: the largest magnitude of a block decides the sign.
    scales[random.random(scales.shape) < 0.2] *= -1
    points = None
    if zeros == "packed":
        points = random.integers(0, 1 << bits, size=(rows, groups), dtype=np.uint8)
    elif zeros == "float":
        points = random.uniform(0, (1 << bits) - 1, size=(rows, groups)).astype(np.float32)
    return NBits(bits, block, codes, columns, scales, points)


def pack_bits(codes, bits):
    """Streams of bits along the last axis, each padded to whole bytes: uint8 [..., n] -> uint8 [..., bytes]."""
    planes = (codes[..., np.newaxis] >> np.arange(bits, dtype=np.uint8)) & 1
    return np.packbits(planes.reshape(*codes.shape[:-1], -1), axis=-1, bitorder="little")


def matmul_nbits(graph, x, w, name, bias=None, g_idx=None, **attributes):
    """The node y = x W^T (+ bias) with its initializers."""
    rows, groups = w.scales.shape
    inputs = [
        x,
        graph.constant(pack_bits(w.codes.reshape(rows, groups, w.block), w.bits), f"{name}.codes"),
        graph.constant(w.scales, f"{name}.scales"),
    ]
    packed = w.zeros is not None and w.zeros.dtype == np.uint8
    zeros = w.zeros if not packed else pack_bits(w.zeros, w.bits)
    optional = [(zeros, "zeros"), (g_idx, "g_idx"), (bias, "bias")]
    while optional and optional[-1][0] is None:
        optional.pop()
    inputs += ["" if value is None else graph.constant(value, f"{name}.{part}") for value, part in optional]
    return graph.op(
        "MatMulNBits", *inputs, name=name, domain=MICROSOFT, K=w.columns, N=rows, bits=w.bits, block_size=w.block, **attributes
    )
