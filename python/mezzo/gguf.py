"""Weights of GGUF files: the blocks of ggml's quantized types as quantized tensors.

A row of a tensor is a sequence of blocks, each with its scales and codes. `decode` takes them apart without changing a
bit: all that a block says is in the tensor's codes, scales and minima, on two levels where ggml has two. Where the bits
lie: `ggml-quants.c` and `ggml-common.h` of ggml, and `gguf.quants` of its Python package.

Types without a minimum dequantize to ggml's own numbers. Those with one do up to the last rounding: ggml rounds s*C
before it adds m, `QuantizedTensor.dequantize` rounds once.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mezzo._arrays import Array, as_array
from mezzo._mezzo import Error
from mezzo.quantized import QuantizedTensor

# ggml's table `kvalues_iq4nl`: steps that grow outwards.
IQ4_NL_VALUES = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)


@dataclass(frozen=True)
class _Type:
    spec: str
    weights: int  # of a block
    bytes: int  # of a block
    # From blocks [N, B, bytes] to codes [N, B, weights] and the keywords of QuantizedTensor.from_parts.
    parts: Callable[[np.ndarray], tuple[np.ndarray, dict]]


def types() -> list[str]:
    """The names of the types that `decode` knows."""
    return sorted(_TYPES)


def spec_of(type: str) -> str:
    """The spec of a type: "uint4/g32:u6^g256:f16+min:u6^g256:f16" for Q4_K."""
    return _type(type).spec


def bits_per_weight(type: str) -> float:
    """Bits that a weight takes in the file, with its share of scales."""
    known = _type(type)
    return 8 * known.bytes / known.weights


def decode(blocks: Array, type: str) -> QuantizedTensor:
    """The quantized tensor [N, K] that the rows of a GGUF tensor are.

    blocks: [N, bytes of a row] uint8, as `gguf.GGUFReader` has the data of a tensor.
    type: such as "Q4_K" (`types()` names them).

    Errors: `mezzo.Error` for a type that is not known, and rows that are no whole number of blocks.
    """
    known = _type(type)
    array = as_array(blocks, "blocks")
    if array.dtype != np.uint8 or array.ndim != 2:
        raise TypeError(f"blocks are {array.dtype} with {array.ndim} dimensions: pass the bytes of rows, a matrix of uint8")
    rows, length = array.shape
    if rows == 0 or length == 0 or length % known.bytes:
        raise Error(f"blocks have shape {list(array.shape)}: a row of {type} is a multiple of {known.bytes} bytes")
    codes, parts = known.parts(np.ascontiguousarray(array).reshape(rows, -1, known.bytes))
    codes = np.ascontiguousarray(codes.reshape(rows, -1), np.uint8)
    return QuantizedTensor.from_parts(known.spec, codes, parts.pop("scales", None), parts.pop("offsets", None), **parts)


def _type(name: str) -> _Type:
    if name not in _TYPES:
        raise Error(f"the GGUF type {name!r} is not one of {', '.join(types())}")
    return _TYPES[name]


def _halves(blocks: np.ndarray, at: int) -> np.ndarray:
    """[N, B] float32 of an f16 in every block."""
    return np.ascontiguousarray(blocks[..., at : at + 2]).view(np.float16)[..., 0].astype(np.float32)


def _zeros(blocks: np.ndarray, groups: int, zero: int) -> np.ndarray:
    """[N, G] of one zero point, `groups` of them in a block."""
    return np.full((blocks.shape[0], blocks.shape[1] * groups), zero, np.int32)


def _per_group(array: np.ndarray) -> np.ndarray:
    """[N, G] float32 of [N, B, groups of a block]."""
    return array.reshape(array.shape[0], -1).astype(np.float32)


def _nibbles(blocks: np.ndarray, at: int) -> np.ndarray:
    """32 codes in 16 bytes: the low halves, then the high ones."""
    packed = blocks[..., at : at + 16]
    return np.concatenate([packed & 15, packed >> 4], axis=-1)


def _fifth_bits(blocks: np.ndarray, at: int) -> np.ndarray:
    """32 bits in four bytes, in order, in the place of bit 4."""
    return np.unpackbits(blocks[..., at : at + 4], axis=-1, bitorder="little") << 4


def _shifted(packed: np.ndarray, shifts: range, mask: int) -> np.ndarray:
    """[..., shift, byte]: the field at each of the shifts, of all bytes."""
    return np.stack([packed >> shift & mask for shift in shifts], axis=-2)


def _q4_0(blocks):
    return _nibbles(blocks, 2), {"scales": _halves(blocks, 0), "offsets": _zeros(blocks, 1, 8)}


def _q4_1(blocks):
    return _nibbles(blocks, 4), {"scales": _halves(blocks, 0), "offsets": _halves(blocks, 2)}


def _q5_0(blocks):
    codes = _nibbles(blocks, 6) | _fifth_bits(blocks, 2)
    return codes, {"scales": _halves(blocks, 0), "offsets": _zeros(blocks, 1, 16)}


def _q5_1(blocks):
    codes = _nibbles(blocks, 8) | _fifth_bits(blocks, 4)
    return codes, {"scales": _halves(blocks, 0), "offsets": _halves(blocks, 2)}


def _q8_0(blocks):
    return blocks[..., 2:34], {"scales": _halves(blocks, 0)}


def _iq4_nl(blocks):
    return _nibbles(blocks, 2), {"scales": _halves(blocks, 0), "codebook": np.array(IQ4_NL_VALUES, np.float32)}


def _mxfp4(blocks):
    exponents = np.ldexp(np.float32(1), blocks[..., 0].astype(np.int32) - 127)
    return _nibbles(blocks, 1), {"scales": np.where(blocks[..., 0] == 255, np.float32("nan"), exponents)}


def _q2_k(blocks):
    scales = blocks[..., 0:16]
    # Two runs of 32 bytes; each holds 128 weights, 32 to a pair of bits.
    packed = blocks[..., 16:80].reshape(*blocks.shape[:2], 2, 32)
    codes = _shifted(packed, range(0, 8, 2), 3)
    return codes, {
        "scale_levels": (_per_group(scales & 15), _halves(blocks, 80)),
        "minimum_levels": (_per_group(scales >> 4), -_halves(blocks, 82)),
    }


def _q3_k(blocks):
    packed = blocks[..., 32:96].reshape(*blocks.shape[:2], 2, 32)
    low = _shifted(packed, range(0, 8, 2), 3)
    # Bit 4h + j of the mask belongs to run h, pair j.
    high = _shifted(blocks[..., 0:32], range(8), 1).reshape(low.shape)
    # Sixteen scales of six bits: nibbles of eight bytes, then pairs of bits of four.
    fields = blocks[..., 96:108]
    nibbles = np.concatenate([fields[..., :8] & 15, fields[..., :8] >> 4], axis=-1)
    pairs = _shifted(fields[..., 8:12], range(0, 8, 2), 3).reshape(nibbles.shape)
    scales = (nibbles | pairs << 4).astype(np.int32) - 32
    return low | high << 2, {
        "scale_levels": (_per_group(scales), _halves(blocks, 108)),
        "offsets": _zeros(blocks, 16, 4),
    }


def _six_bits(fields: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eight scales and eight minima of six bits, in the twelve bytes of Q4_K and Q5_K."""
    first, second, third = fields[..., 0:4], fields[..., 4:8], fields[..., 8:12]
    scales = np.concatenate([first & 63, third & 15 | first >> 6 << 4], axis=-1)
    minima = np.concatenate([second & 63, third >> 4 | second >> 6 << 4], axis=-1)
    return scales, minima


def _k_levels(blocks: np.ndarray) -> dict:
    scales, minima = _six_bits(blocks[..., 4:16])
    return {
        "scale_levels": (_per_group(scales), _halves(blocks, 0)),
        "minimum_levels": (_per_group(minima), -_halves(blocks, 2)),
    }


def _q4_k(blocks):
    packed = blocks[..., 16:144].reshape(*blocks.shape[:2], 4, 32)
    return _shifted(packed, range(0, 8, 4), 15), _k_levels(blocks)


def _q5_k(blocks):
    packed = blocks[..., 48:176].reshape(*blocks.shape[:2], 4, 32)
    low = _shifted(packed, range(0, 8, 4), 15)
    high = _shifted(blocks[..., 16:48], range(8), 1).reshape(low.shape)
    return low | high << 4, _k_levels(blocks)


def _q6_k(blocks):
    low = _shifted(blocks[..., 0:128].reshape(*blocks.shape[:2], 2, 64), range(0, 8, 4), 15)
    high = _shifted(blocks[..., 128:192].reshape(*blocks.shape[:2], 2, 32), range(0, 8, 2), 3)
    codes = low.reshape(high.shape) | high << 4
    scales = np.ascontiguousarray(blocks[..., 192:208]).view(np.int8)
    return codes, {
        "scale_levels": (_per_group(scales), _halves(blocks, 208)),
        "offsets": _zeros(blocks, 16, 32),
    }


_TYPES = {
    "Q4_0": _Type("uint4/g32:f16+zp", 32, 18, _q4_0),
    "Q4_1": _Type("uint4/g32:f16+min", 32, 20, _q4_1),
    "Q5_0": _Type("uint5/g32:f16+zp", 32, 22, _q5_0),
    "Q5_1": _Type("uint5/g32:f16+min", 32, 24, _q5_1),
    "Q8_0": _Type("int8/g32:f16", 32, 34, _q8_0),
    "Q2_K": _Type("uint2/g16:u4^g256:f16+min:u4^g256:f16", 256, 84, _q2_k),
    "Q3_K": _Type("uint3/g16:i6^g256:f16+zp", 256, 110, _q3_k),
    "Q4_K": _Type("uint4/g32:u6^g256:f16+min:u6^g256:f16", 256, 144, _q4_k),
    "Q5_K": _Type("uint5/g32:u6^g256:f16+min:u6^g256:f16", 256, 176, _q5_k),
    "Q6_K": _Type("uint6/g16:i8^g256:f16+zp", 256, 210, _q6_k),
    "IQ4_NL": _Type("codebook4/g32:f16", 32, 18, _iq4_nl),
    "MXFP4": _Type("e2m1/g32:e8m0", 32, 17, _mxfp4),
}
