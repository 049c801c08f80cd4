"""Formats beyond integers: blocks of other tools, formats made here, and what products make of them."""

import pickle

import gguf
import ml_dtypes
import numpy as np
import pytest

import mezzo

RANDOM = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def random_blocks(type: str, rows: int = 3, blocks: int = 4) -> np.ndarray:
    """Random bytes, but scales that are finite numbers: every code and every packed scale occurs."""
    _, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[type]]
    data = RANDOM.integers(0, 256, (rows, blocks, size), np.uint8)
    halves = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108]}
    halves |= {"Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "MXFP4": []}
    for at in halves[type]:
        numbers = RANDOM.normal(0, 0.1, (rows, blocks, 1)).astype(np.float16)
        data[..., at : at + 2] = numbers.view(np.uint8)
    if type == "MXFP4":
        data[..., 0] = RANDOM.integers(1, 250, (rows, blocks))
    return data.reshape(rows, -1)


@pytest.mark.parametrize("type", mezzo.gguf.types())
def test_gguf_blocks_are_what_gguf_reads(type):
    blocks = random_blocks(type)
    wanted = gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType[type])
    w = mezzo.gguf.decode(blocks, type)
    assert w.spec == mezzo.canonical_spec(mezzo.gguf.spec_of(type))
    scales = np.repeat(w.scales, w.group_length, axis=1)
    if "+min" in w.spec:  # ggml's order: two roundings
        values = scales * w.values + np.repeat(w.offsets, w.group_length, axis=1)
        assert np.allclose(w.dequantize(), wanted, rtol=1e-5, atol=1e-5)
    else:
        values = w.dequantize()
    assert values.dtype == np.float32 and np.array_equal(values, wanted)
    # As many bits as the file has: packing keeps both levels.
    # The spec counts a zero point for each group, though one that all share takes no room.
    extra = 0 if w.codebook is None else 32 * w.codebook.size
    if "+zp" in w.spec:
        extra += w.offsets.size * int(w.codes.max()).bit_length()
    assert w.bits_per_weight == pytest.approx((8 * blocks.size + extra) / w.values.size)


@pytest.mark.parametrize("type", mezzo.gguf.types())
@pytest.mark.parametrize("compute", ["float", "int"])
def test_products_of_gguf_blocks(type, compute):
    w = mezzo.gguf.decode(random_blocks(type, rows=40, blocks=2 if "K" in type else 8), type)
    a = normal(3, w.shape[1])
    assert np.array_equal(mezzo.linear(a, w, compute=compute), mezzo.reference_linear(a, w, compute=compute))


def test_gguf_errors():
    with pytest.raises(mezzo.Error, match="'Q9_K' is not one of IQ4_NL, MXFP4, Q2_K"):
        mezzo.gguf.decode(np.zeros((1, 18), np.uint8), "Q9_K")
    with pytest.raises(mezzo.Error, match="a row of Q4_0 is a multiple of 18 bytes"):
        mezzo.gguf.decode(np.zeros((1, 17), np.uint8), "Q4_0")


def test_nvfp4_as_ml_dtypes_reads_it():
    codes = RANDOM.integers(0, 16, (8, 64), np.uint8)
    scales = RANDOM.uniform(0.1, 400, (8, 4)).astype(ml_dtypes.float8_e4m3fn)
    whole = np.full((8, 1), 0.0123, np.float32)
    w = mezzo.QuantizedTensor.from_parts("e2m1/g16:e4m3^t:f32", codes, None, scale_levels=(scales.astype(np.float32), whole))
    elements = codes.view(ml_dtypes.float4_e2m1fn).astype(np.float32)
    assert np.array_equal(w.values, elements)
    # From left to right.
    assert np.array_equal(w.dequantize(), elements * np.repeat(scales.astype(np.float32), 16, axis=1) * whole)
    a = normal(2, 64)
    for compute in ("float", "int"):
        assert np.array_equal(mezzo.linear(a, w, compute=compute), mezzo.reference_linear(a, w, compute=compute))


MX_ELEMENTS = {
    "e2m1": ml_dtypes.float4_e2m1fn,
    "e2m3": ml_dtypes.float6_e2m3fn,
    "e3m2": ml_dtypes.float6_e3m2fn,
    "e4m3fn": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
}


@pytest.mark.parametrize("element", MX_ELEMENTS)
def test_microscaling_as_ml_dtypes_reads_it(element):
    bits = int(ml_dtypes.finfo(MX_ELEMENTS[element]).bits)
    codes = RANDOM.integers(0, 1 << bits, (8, 96), np.uint8)
    raw = RANDOM.integers(100, 150, (8, 3), np.uint8)
    scales = raw.view(ml_dtypes.float8_e8m0fnu).astype(np.float32)
    w = mezzo.QuantizedTensor.from_parts(f"{element}/g32:e8m0", codes, scales)
    wanted = codes.view(MX_ELEMENTS[element]).astype(np.float32) * np.repeat(scales, 32, axis=1)
    assert np.array_equal(w.dequantize(), wanted, equal_nan=True)
    a = normal(2, 96)
    assert np.array_equal(mezzo.linear(a, w), mezzo.reference_linear(a, w), equal_nan=True)


def test_a_table_of_ones_own():
    table = [-4, -1, -0.5, 0, 0.5, 1, 2, 4]
    w = mezzo.quantize(normal(24, 70), "codebook3/g32:f16", codebook=table)
    assert set(np.unique(w.values)) <= set(table) and np.array_equal(w.codebook, table)
    a = normal(5, 70)
    for compute in ("float", "int"):  # halves: whole numbers, counted in 0.5
        assert np.array_equal(mezzo.linear(a, w, compute=compute), mezzo.reference_linear(a, w, compute=compute))
    with pytest.raises(mezzo.Error, match="a code book of 3 entries for codes of codebook3"):
        mezzo.quantize(np.eye(4, dtype=np.float32), "codebook3/t", codebook=[1, 2, 3])
    with pytest.raises(mezzo.Error, match="a code book of 16 entries for codes of nf4"):
        mezzo.quantize(np.eye(4, dtype=np.float32), "nf4/t", codebook=list(range(16)))


def test_modes_that_a_format_does_not_have():
    a = np.ones((1, 64), np.float32)
    for spec, compute, message in [
        ("e4m3fn/g32", "int", "in mode `int`, which needs values that are whole numbers"),
        ("nf4/g32", "int", "in mode `int`, which needs values that are whole numbers"),
        ("e2m1/g32", "lut8", "in mode `lut8`, which adds up bit planes of integers: use mode `float`"),
    ]:
        with pytest.raises(mezzo.Error, match=message):
            mezzo.linear(a, mezzo.quantize(np.eye(64, dtype=np.float32), spec), compute=compute)


def test_two_levels_survive_a_copy():
    w = mezzo.quantize(normal(16, 512), "uint4/g32:u6^g256:f16+min:u6^g256:f16")
    inner, outer = w.scale_levels
    assert inner.shape == (16, 16) and outer.shape == (16, 2) and inner.max() <= 63
    assert np.array_equal(w.scales, np.repeat(outer, 8, axis=1) * inner)
    copy = pickle.loads(pickle.dumps(w))
    assert copy.digest == w.digest and np.array_equal(copy.minimum_levels[1], w.minimum_levels[1])
    with pytest.raises(mezzo.Error, match="a factor of .* is .*, which is no value of u6: round it first"):
        mezzo.QuantizedTensor.from_parts(
            w.spec, w.codes, None, scale_levels=(inner + 0.5, outer), minimum_levels=w.minimum_levels
        )
