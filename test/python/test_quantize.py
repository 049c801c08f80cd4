"""mezzo.quantize and QuantizedTensor: against numpy, there and back, and what they refuse."""

import pickle

import ml_dtypes
import numpy as np
import pytest

import mezzo
from numpy_quantize import FORMATS, Reference
from scalar import fma

CASES = [
    *((f"{kind}{n}", "g32", "f32", None) for kind in ("int", "uint") for n in range(1, 9)),
    *((f"uint{n}", group, "f32", "zp") for n in range(1, 9) for group in ("g16", "ch")),
    ("int4", "t", "f16", None),
    ("int3", "ch", "f16", "zp"),
    ("ternary", "t", "f32", None),
    ("ternary", "g64", "f16", None),
    ("uint4", "g32", "f16", "zp:f16"),
    ("uint2", "t", "f32", "zp:f16"),
    ("uint3", "g64", "f16", "min"),
    ("int5", "ch", "f32", "min"),
]


def spec_of(format, group, scale, offset):
    return f"{format}/{group}" + ("" if scale == "f32" else f":{scale}") + ("" if offset is None else f"+{offset}")


def heavy_tailed(random, *shape):
    return random.standard_t(4, size=shape).astype(np.float32)


@pytest.mark.parametrize("format, group, scale, offset", CASES, ids=lambda part: str(part))
def test_equals_numpy(random, format, group, scale, offset):
    w = heavy_tailed(random, 11, 100)
    w[3, 32:64] = 0
    w[7] += 5  # a row of one sign
    length = int(group[1:]) if group[1:].isdigit() else group
    want = Reference(w, format, length, scale, offset)
    got = mezzo.quantize(w, spec_of(format, group, scale, offset))
    np.testing.assert_array_equal(got.scales, want.scales)
    if offset is None:
        assert got.offsets is None
    else:
        np.testing.assert_array_equal(got.offsets, want.offsets)
    np.testing.assert_array_equal(FORMATS[format][2](got.codes), want.numbers)
    np.testing.assert_array_equal(got.values, want.numbers)
    if offset == "min":
        values = fma(want.spread(want.scales), got.values, want.spread(want.minima))
    else:
        values = want.values
    np.testing.assert_array_equal(got.dequantize(), values)


@pytest.mark.parametrize("spec", ["int4/g32", "uint4/g32+zp", "uint3/g64:f16+min", "odd3/ch", "e2m1/g16", "nf4/g64"])
def test_there_and_back(random, spec):
    """No weight is off by more than half the largest distance of two codes, and the parts are all there is."""
    w = heavy_tailed(random, 8, 96)
    q = mezzo.quantize(w, spec)
    back = q.dequantize()
    numbers = np.unique(q.values)
    widest = np.diff(numbers).max() * np.repeat(q.scales, q.group_length, axis=1)[:, :96]
    assert (np.abs(w - back) <= widest * 0.5001).all()
    again = mezzo.QuantizedTensor.from_parts(spec, q.codes, q.scales, q.offsets)
    assert again.digest == q.digest
    np.testing.assert_array_equal(again.dequantize(), back)


def test_two_levels_of_scales(random):
    w = heavy_tailed(random, 4, 512)
    q = mezzo.quantize(w, "uint4/g32:u6^g256:f16+min:u6^g256:f16")
    assert q.bits_per_weight == 4.5
    assert q.scales.shape == q.offsets.shape == (4, 16)
    np.testing.assert_array_equal(
        q.dequantize(), fma(np.repeat(q.scales, 32, 1), q.values, np.repeat(q.offsets, 32, 1))
    )


def test_a_code_book_is_given_or_fitted():
    table = np.array([-1.5, -0.25, 0.0, 3.0], np.float32)
    codes = np.array([[0, 1, 2, 3], [3, 3, 0, 2]], np.uint8)
    given = mezzo.QuantizedTensor.from_parts("codebook2/ch", codes, np.array([[2], [1]], np.float32), codebook=table)
    np.testing.assert_array_equal(given.values, table[codes])
    np.testing.assert_array_equal(given.dequantize(), table[codes] * [[2], [1]])
    fitted = mezzo.quantize(given.dequantize(), "codebook2/t")
    assert fitted.codebook.shape == (4,)
    assert np.abs(fitted.dequantize() - given.dequantize()).max() < 1


def test_groups_down_the_columns(random):
    w = heavy_tailed(random, 96, 10)
    down, across = mezzo.quantize(w, "uint4/g32+zp", axis=0), mezzo.quantize(w.T, "uint4/g32+zp", axis=-1)
    assert (down.axis, down.shape, across.axis, across.shape) == (0, (96, 10), 1, (10, 96))
    for name in ("codes", "scales", "offsets", "values"):
        np.testing.assert_array_equal(getattr(down, name), getattr(across, name).T)
    np.testing.assert_array_equal(down.dequantize(), across.dequantize().T)
    turned = down.T
    assert turned.shape == (10, 96) and turned.digest == across.digest
    assert np.shares_memory(turned.codes, down.codes)


def test_parts_are_views_that_outlive_the_tensor(random):
    w = heavy_tailed(random, 4, 64)
    q = mezzo.quantize(w, "uint4/g32+zp")
    assert np.shares_memory(q.codes, q.codes)
    codes, scales, offsets = q.codes, q.scales, q.offsets
    assert (codes.dtype, scales.dtype, offsets.dtype) == (np.uint8, np.float32, np.int32)
    copies = [part.copy() for part in (codes, scales, offsets)]
    del q
    for part, copy in zip((codes, scales, offsets), copies):
        with pytest.raises(ValueError, match="read-only"):
            part[0, 0] = 1
        np.testing.assert_array_equal(part, copy)


@pytest.mark.parametrize("axis", [0, 1])
def test_pickle(random, axis):
    w = heavy_tailed(random, 64, 64)
    w[1, 2] = np.nan
    q = mezzo.quantize(w, "codebook3/ch", axis=axis)
    again = pickle.loads(pickle.dumps(q))
    assert (again.axis, again.digest, again.spec, again.nans) == (axis, q.digest, q.spec, 1)
    np.testing.assert_array_equal(again.dequantize(), q.dequantize())


def test_a_permutation_is_undone(random):
    q = mezzo.quantize(heavy_tailed(random, 5, 64), "int4/g32")
    order = random.permutation(64)
    shuffled = mezzo.QuantizedTensor.from_parts("int4/g32", q.codes, q.scales, permutation=order)
    np.testing.assert_array_equal(shuffled.permutation, order)
    np.testing.assert_array_equal(shuffled.dequantize()[:, order], q.dequantize())


def test_any_float_that_float32_holds_is_taken(random, foreign):
    w = random.integers(-8, 9, size=(4, 32)).astype(np.float32)
    want = mezzo.quantize(w, "int4/g16").digest
    unaligned = np.frombuffer(b"x" + w.tobytes(), np.float32, offset=1).reshape(w.shape)
    strided = np.repeat(w, 2, axis=1)[:, ::2]
    for same in (
        w.astype(np.float16),
        w.astype(ml_dtypes.bfloat16),
        w.astype(">f4"),
        np.asfortranarray(w),
        strided,
        unaligned,
    ):
        assert mezzo.quantize(same, "int4/g16").digest == want
    for same in (foreign(w), memoryview(w), foreign(strided)):
        assert mezzo.quantize(same, "int4/g16").digest == want
    small = (w / 8).astype(ml_dtypes.float8_e4m3fn)
    assert mezzo.quantize(small, "int4/g16").digest == mezzo.quantize(small.astype(np.float32), "int4/g16").digest


def test_rounding_modes():
    w = np.array([[7.0, 0.5, 1.5, 2.5, -0.5, -1.5, 1.2, -1.2]], np.float32)  # the scale is 1
    want = {
        "nearest-even": [7, 0, 2, 2, 0, -2, 1, -1],
        "nearest-away": [7, 1, 2, 3, -1, -2, 1, -1],
        "half-up": [7, 1, 2, 3, 0, -1, 1, -1],
        "toward-zero": [7, 0, 1, 2, 0, -1, 1, -1],
        "up": [7, 1, 2, 3, 0, -1, 2, -1],
        "down": [7, 0, 1, 2, -1, -2, 1, -2],
    }
    for rounding, numbers in want.items():
        assert mezzo.quantize(w, "int4/t", rounding=rounding).values.tolist() == [numbers], rounding


def test_stochastic_rounding_is_fair_and_depends_on_the_seed_alone():
    w = np.full((1, 4000), 1.25, np.float32)
    w[0, 0] = 7
    first = mezzo.quantize(w, "int4/t", rounding="stochastic", seed=5)
    assert first.digest == mezzo.quantize(w, "int4/t", rounding="stochastic", seed=5).digest
    assert first.digest != mezzo.quantize(w, "int4/t", rounding="stochastic", seed=6).digest
    assert set(first.values[0, 1:]) == {1, 2}
    assert 0.22 < (first.values[0, 1:] == 2).mean() < 0.28


def test_precision_of_the_division():
    w = np.array([[127.0, 100.49]], np.float32)  # float16 knows 100.5 only, which rounds to even: 100
    assert mezzo.quantize(w, "int8/t").values[0, 1] == 100
    w[0, 1] = 101.49
    assert mezzo.quantize(w, "int8/t").values[0, 1] == 101
    assert mezzo.quantize(w, "int8/t", precision="f16").values[0, 1] == 102


def test_nan_is_counted():
    q = mezzo.quantize(np.array([[np.nan, 7.0, -3.0, np.nan]], np.float32), "int4/t")
    assert q.nans == 2 and q.dequantize().tolist() == [[0, 7, -3, 0]]


def test_specs_have_a_canonical_form():
    assert mezzo.canonical_spec("uint4/g32:f16+zp:uint4") == "uint4/g32:f16+zp"
    assert mezzo.canonical_spec("int8") == "int8/t"
    q = mezzo.quantize(np.eye(4, dtype=np.float32), "uint4/g2+zp:uint4")
    assert q.spec == "uint4/g2+zp"
    assert repr(q) == "<mezzo.QuantizedTensor uint4/g2+zp [4, 4], 22 bits per weight>"


EYE = np.eye(4, dtype=np.float32)
REFUSED = [
    (TypeError, "w has type list: pass a NumPy array", lambda: mezzo.quantize([[1.0]], "int4")),
    (TypeError, r"w has dtype float64: pass w.astype\(numpy.float32\)", lambda: mezzo.quantize(np.eye(4), "int4")),
    (TypeError, "w has dtype int8", lambda: mezzo.quantize(np.eye(4, dtype=np.int8), "int4")),
    (TypeError, "spec has type int: pass a string", lambda: mezzo.quantize(EYE, 4)),
    (TypeError, "seed has type float: pass an integer", lambda: mezzo.quantize(EYE, "int4", seed=0.5)),
    (mezzo.Error, "w has 1 dimensions: pass an array with 2", lambda: mezzo.quantize(EYE[0], "int4")),
    (mezzo.Error, r"w has shape \[0, 4\]: a matrix has at least", lambda: mezzo.quantize(EYE[:0], "int4")),
    (
        mezzo.Error,
        r"weight at \[0, 0\] is infinite",
        lambda: mezzo.quantize(np.full((1, 1), np.inf, np.float32), "int4"),
    ),
    (mezzo.Error, "'int9' is not a format", lambda: mezzo.quantize(EYE, "int9/t")),
    (mezzo.Error, "axis 2 of a matrix: use 0 or 1", lambda: mezzo.quantize(EYE, "int4", axis=2)),
    (mezzo.Error, "seed -1: use 0 to", lambda: mezzo.quantize(EYE, "int4", seed=-1)),
    (
        mezzo.Error,
        "unknown rounding mode 'odd'; there are nearest-even,",
        lambda: mezzo.quantize(EYE, "int4", rounding="odd"),
    ),
    (mezzo.Error, "cannot divide in 'e4m3': use f32, f16", lambda: mezzo.quantize(EYE, "int4", precision="e4m3")),
]


@pytest.mark.parametrize("kind, message, call", REFUSED, ids=range(len(REFUSED)))
def test_quantize_refuses(kind, message, call):
    with pytest.raises(kind, match=message):
        call()


CODES, SCALES = np.zeros((2, 8), np.uint8), np.ones((2, 2), np.float32)
PARTS_REFUSED = [
    (TypeError, "codes are int8 with 2 dimensions", ("int4/g4", CODES.astype(np.int8), SCALES), {}),
    (TypeError, "codes are uint8 with 1 dimensions", ("int4/g4", CODES[0], SCALES), {}),
    (TypeError, "offsets has dtype float32: pass integers", ("uint4/g4+zp", CODES, SCALES, SCALES), {}),
    (mezzo.Error, r"scales have shape \[2, 2\]: int4/g2 of 2 x 8 needs \[2, 4\]", ("int4/g2", CODES, SCALES), {}),
    (mezzo.Error, r"offsets have shape \[2\]", ("uint4/g4+min", CODES, SCALES, SCALES[0]), {}),
    (mezzo.Error, r"the spec uint4/g4\+zp needs offsets", ("uint4/g4+zp", CODES, SCALES), {}),
    (mezzo.Error, "the spec int4/g4 has no offsets: pass None", ("int4/g4", CODES, SCALES, SCALES), {}),
    (
        mezzo.Error,
        "offsets has integers that do not fit int32",
        ("uint4/g4+zp", CODES, SCALES, np.full((2, 2), 1 << 40)),
        {},
    ),
    (mezzo.Error, "zero point 16 does not fit uint4", ("uint4/g4+zp", CODES, SCALES, np.full((2, 2), 16)), {}),
    (mezzo.Error, "code", ("int4/g4", CODES + 16, SCALES), {}),
    (mezzo.Error, r"permutation has shape \[2\]: 8 columns", ("int4/g4", CODES, SCALES), {"permutation": np.arange(2)}),
    (mezzo.Error, "permutation", ("int4/g4", CODES, SCALES), {"permutation": np.zeros(8, int)}),
    (mezzo.Error, "codebook|code book", ("codebook4/g4", CODES, SCALES), {}),
]


@pytest.mark.parametrize("kind, message, parts, keywords", PARTS_REFUSED, ids=range(len(PARTS_REFUSED)))
def test_from_parts_refuses(kind, message, parts, keywords):
    with pytest.raises(kind, match=message):
        mezzo.QuantizedTensor.from_parts(*parts, **keywords)
