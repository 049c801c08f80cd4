"""mezzo.linear: bit for bit what the scalar programs say, whatever the width, the shape, the threads or the tile."""

import os
import signal
import threading

import ml_dtypes
import numpy as np
import pytest

import mezzo
import scalar

# Every width in both modes: as signed integers in one of them, and with a zero point in the other. Groups that divide
# K, that do not, and none.
GROUPS = ["g32", "g128", "ch", "t", "g7"]
MODES = ["float", "int"]
CASES = [
    *((f"int{n}/{GROUPS[n % 5]}", MODES[n % 2]) for n in range(1, 9)),
    *((f"uint{n}/{GROUPS[(n + 1) % 5]}:f16+zp", MODES[(n + 1) % 2]) for n in range(1, 9)),
    *((spec, mode) for spec in ("uint3/ch+zp:f16", "ternary/g32:f16", "odd3/g16") for mode in MODES),
    ("uint4/g32+zp:f16", "int"),
    ("ternary/t", "float"),
    ("odd1/ch", "int"),
]


def operands(random, spec, rows=35, cols=101, m=5):
    """Odd extents: no tile, group or vector divides them."""
    w = mezzo.quantize(random.standard_normal((rows, cols)).astype(np.float32), spec)
    return random.standard_t(4, size=(m, cols)).astype(np.float32), w


def numpy_product(a, w, compute):
    """The second writing of the scalar programs that test/models has."""
    return scalar.product(a, scalar.Matrix(w.values, w.scales, w.offsets, w.group_length), compute)


@pytest.mark.parametrize("spec, compute", CASES)
def test_equals_the_scalar_program(random, spec, compute):
    a, w = operands(random, spec)
    bias = random.standard_normal(35).astype(np.float32)
    want = mezzo.reference_linear(a, w, compute=compute)
    np.testing.assert_array_equal(want, numpy_product(a, w, compute))
    np.testing.assert_array_equal(mezzo.linear(a, w, compute=compute), want)
    for rows in (a[:1], a[:0], a[2:4]):
        np.testing.assert_array_equal(
            mezzo.linear(rows, w, compute=compute), mezzo.reference_linear(rows, w, compute=compute)
        )
    if spec in ("int3/t", "int4/g7"):  # one mode each
        np.testing.assert_array_equal(mezzo.linear(a, w, bias=bias, compute=compute), want + bias)
        np.testing.assert_array_equal(mezzo.reference_linear(a, w, bias=bias, compute=compute), want + bias)


@pytest.mark.parametrize(
    "rows, cols, compute", [(1, 1, "float"), (1, 300, "int"), (67, 3, "int"), (16, 64, "float"), (129, 33, "float")]
)
def test_shapes(random, rows, cols, compute):
    a, w = operands(random, "uint3/g32+zp", rows, cols, m=37)
    np.testing.assert_array_equal(mezzo.linear(a, w, compute=compute), mezzo.reference_linear(a, w, compute=compute))


def test_leading_axes(random):
    a, w = operands(random, "int4/g32", m=6)
    want = mezzo.linear(a, w)
    np.testing.assert_array_equal(mezzo.linear(a.reshape(2, 3, -1), w), want.reshape(2, 3, -1))
    np.testing.assert_array_equal(mezzo.linear(a[0], w), want[0])
    assert mezzo.linear(a.reshape(2, 3, -1)[:, :0], w).shape == (2, 0, 35)


def test_narrower_floats_and_foreign_tensors(random, foreign):
    a, w = operands(random, "int4/g32")
    for dtype in (np.float16, ml_dtypes.bfloat16):
        narrow = a.astype(dtype)
        want = mezzo.reference_linear(narrow.astype(np.float32), w)
        np.testing.assert_array_equal(mezzo.linear(narrow, w), want)
    np.testing.assert_array_equal(mezzo.linear(foreign(a), w), mezzo.linear(a, w))
    np.testing.assert_array_equal(mezzo.linear(np.asfortranarray(a), w), mezzo.linear(a, w))


@pytest.mark.parametrize("compute, strategy", [("float", "dequant"), ("int", "native_dot")])
def test_no_bit_depends_on_threads_or_tiles(random, compute, strategy):
    a, w = operands(random, "int4/g32", rows=200, m=9)
    want = mezzo.reference_linear(a, w, compute=compute)
    for threads in (1, 2, 3):
        np.testing.assert_array_equal(mezzo.linear(a, w, compute=compute, threads=threads), want)
    for tile in ("rows=1,groups=1,unroll=1", "rows=2,unroll=2"):
        forced = mezzo.linear(a, w, compute=compute, strategy=strategy, tile=tile)
        np.testing.assert_array_equal(forced, want)


def test_transposed_weights(random):
    w = mezzo.quantize(random.standard_normal((64, 24)).astype(np.float32), "int4/g32", axis=0)
    a = random.standard_normal((3, 64)).astype(np.float32)
    np.testing.assert_array_equal(mezzo.linear(a, w.T), mezzo.reference_linear(a, w.T))
    with pytest.raises(mezzo.Error, match=r"quantized along axis 0: a @ w.T sums over axis 1; pass w.T"):
        mezzo.linear(a, w)


def test_many_python_threads(random):
    """Eight threads, four products that none of them has compiled yet."""
    work = [operands(random, f"int{n}/g16", rows=20 + n) for n in (2, 3, 4, 5)]
    want = [mezzo.reference_linear(a, w) for a, w in work]
    failures = []

    def run(first):
        try:
            for i in range(8):
                which = (first + i) % 4
                np.testing.assert_array_equal(mezzo.linear(*work[which], threads=2), want[which])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_after_a_fork(random):
    """The threads of the parent do not exist in the child, which goes on all the same."""
    a, w = operands(random, "int4/g32", rows=200, m=64)
    want = mezzo.linear(a, w, threads=3)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(30)
            same = np.array_equal(mezzo.linear(a, w, threads=3), want)
            new = np.array_equal(mezzo.linear(a, w, threads=2), want)
            status = 0 if same and new else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(mezzo.linear(a, w, threads=3), want)


def test_signals_stay_the_hosts(random):
    def caught():
        with open("/proc/self/status", encoding="ascii") as file:
            return next(line for line in file if line.startswith("SigCgt"))

    before = caught()
    a, w = operands(random, "int4/g32", rows=19)
    mezzo.linear(a, w)
    assert caught() == before


A, W = np.ones((2, 8), np.float32), mezzo.quantize(np.ones((4, 8), np.float32), "int4/g4")
FLOATS = mezzo.quantize(np.ones((4, 8), np.float32), "e2m1/g4")
REFUSED = [
    (TypeError, r"w has type ndarray: pass mezzo.quantize\(W, spec\)", (A, A), {}),
    (TypeError, "a has dtype float64: pass a.astype", (A.astype(np.float64), W), {}),
    (TypeError, "bias has dtype int64", (A, W), {"bias": np.zeros(4, int)}),
    (TypeError, "threads has type str: pass an integer", (A, W), {"threads": "2"}),
    (mezzo.Error, r"a has shape \[2, 7\], w has shape \[4, 8\]: the last axis of a must be 8", (A[:, :7], W), {}),
    (mezzo.Error, r"bias has shape \[2\]: w has 4 rows, pass \[4\]", (A, W), {"bias": A[:, 0]}),
    (mezzo.Error, "cannot compute in mode 'quantum': use float, int or lut8", (A, W), {"compute": "quantum"}),
    (mezzo.Error, "mode int has no strategy 'lut': use native_dot", (A, W), {"compute": "int", "strategy": "lut"}),
    (mezzo.Error, "e2m1 in mode `lut8`, which adds up bit planes of integers", (A, FLOATS), {"compute": "lut8"}),
    (mezzo.Error, "-1 threads were asked for", (A, W), {"threads": -1}),
]


@pytest.mark.parametrize("kind, message, operands, keywords", REFUSED, ids=range(len(REFUSED)))
def test_refuses(kind, message, operands, keywords):
    with pytest.raises(kind, match=message):
        mezzo.linear(*operands, **keywords)


def test_the_reference_computes_what_kernels_cannot_yet(random):
    a, w = operands(random, "uint3/g64:f16+min")
    exact = a.astype(np.float64) @ w.dequantize().astype(np.float64).T
    np.testing.assert_allclose(mezzo.reference_linear(a, w), exact, rtol=1e-4, atol=1e-4)
    lut8 = mezzo.reference_linear(a, mezzo.quantize(w.dequantize(), "int4/g32"), compute="lut8")
    assert lut8.shape == exact.shape and np.corrcoef(lut8.ravel(), exact.ravel())[0, 1] > 0.95
    with pytest.raises(mezzo.Error, match="cannot compute in mode 'integer-only': use float, int or lut8"):
        mezzo.reference_linear(a, w, compute="integer-only")
