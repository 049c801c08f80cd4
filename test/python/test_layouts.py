"""mezzo.layout: there and back, the same bytes as everybody else's packers, pictures, and what does not fit."""

import pickle

import numpy as np
import pytest

import mezzo
from builders.nbits import pack_bits

# A shape that the layouts with fixed blocks take whole.
SHAPE = (128, 192)


def codes_for(random, layout, shape):
    largest = 3 if "radix 3" in layout.text else 1 << layout.bits
    return random.integers(0, largest, size=shape, dtype=np.uint8)


@pytest.mark.parametrize("name", mezzo.layout_names())
def test_there_and_back(random, name):
    layout = mezzo.layout(name)
    codes = codes_for(random, layout, SHAPE)
    packed = layout.pack(codes)
    assert packed.dtype == np.uint8 and packed.shape == (layout.nbytes(SHAPE),)
    assert packed.nbytes * 8 >= codes.size * (1.6 if name == "trit5" else layout.bits)
    np.testing.assert_array_equal(layout.unpack(packed, SHAPE), codes)
    np.testing.assert_array_equal(layout.unpack(packed.tobytes(), SHAPE), codes)
    assert len(layout.picture(SHAPE).splitlines()) > 1


@pytest.mark.parametrize("bits", range(1, 9))
def test_the_bytes_are_those_of_matmulnbits(random, bits):
    codes = random.integers(0, 1 << bits, size=(5, 48), dtype=np.uint8)
    np.testing.assert_array_equal(mezzo.layout(f"matmulnbits{bits}").pack(codes), pack_bits(codes, bits).ravel())


@pytest.mark.parametrize("bits", range(1, 9))
def test_a_layout_with_groups(random, bits):
    """A panel, with three groups, and with one: what a plain matrix means."""
    panel = mezzo.layout(f"panel{bits}")
    codes = random.integers(0, 1 << bits, size=(70, 3, 32), dtype=np.uint8)
    np.testing.assert_array_equal(panel.unpack(panel.pack(codes), codes.shape), codes)
    whole, plain = codes.reshape(70, 1, 96), codes.reshape(70, 96)
    np.testing.assert_array_equal(panel.pack(plain), panel.pack(whole))
    np.testing.assert_array_equal(panel.unpack(panel.pack(plain), plain.shape), plain)
    assert panel.picture((8, 8)) == panel.picture((8, 1, 8))


def test_bits_are_given_where_the_layout_does_not_tell(random):
    layout = mezzo.layout("stream=[b:*, k:*, n:*]")
    codes = random.integers(0, 32, size=(3, 7), dtype=np.uint8)
    assert layout.bits is None
    assert layout.nbytes(codes.shape, bits=5) == 14
    np.testing.assert_array_equal(layout.pack(codes, bits=5), mezzo.layout("flat5").pack(codes))
    np.testing.assert_array_equal(layout.unpack(layout.pack(codes, bits=5), codes.shape, bits=5), codes)
    with pytest.raises(mezzo.Error, match="does not tell how many bits a code has"):
        layout.pack(codes)


def test_any_array_of_bytes(random, foreign):
    layout = mezzo.layout("gptq4")
    codes = random.integers(0, 16, size=(16, 64), dtype=np.uint8)
    packed = layout.pack(codes)
    for same in (np.asfortranarray(codes), foreign(codes), memoryview(codes), np.repeat(codes, 2, 1)[:, ::2]):
        np.testing.assert_array_equal(layout.pack(same), packed)
    for same in (packed.view(np.int32), packed.tobytes(), bytearray(packed), foreign(packed)):
        np.testing.assert_array_equal(layout.unpack(same, codes.shape), codes)


def test_picture():
    assert [line.rstrip() for line in mezzo.layout("matmulnbits4").picture((2, 4), first_bits=16).splitlines()] == [
        "         7  6  5  4  3  2  1  0",
        "byte 0 +-----------+-----------+",
        "     n | 0  0  0  0| 0  0  0  0|",
        "     k | 1  1  1  1| 0  0  0  0|",
        "     b | 3  2  1  0| 3  2  1  0|",
        "byte 1 +-----------+-----------+",
        "     n | 0  0  0  0| 0  0  0  0|",
        "     k | 3  3  3  3| 2  2  2  2|",
        "     b | 3  2  1  0| 3  2  1  0|",
        "       +-----------+-----------+",
    ]


def test_equality_is_that_of_canonical_forms():
    name, text = mezzo.layout("matmulnbits4"), mezzo.layout("bit=[b:2, b@2:2, k:2], line=[k@2:*], tile=[n:*]")
    assert name == text and hash(name) == hash(text) and name.text != text.text
    assert name != mezzo.layout("flat4") and name != "matmulnbits4"
    again = pickle.loads(pickle.dumps(text))
    assert again == text and again.text == text.text
    assert eval(repr(text)) == text


CODES = np.zeros((2, 8), np.uint8)
FLAT = mezzo.layout("flat3")
# Both halves of a code in one place.
COLLIDING = "b<2: bit=[b:2], line=[k:*], tile=[n:*]; b>=2: bit=[b:2], line=[k:*], tile=[n:*]"
REFUSED = [
    (TypeError, "name_or_text has type int: pass a string", lambda: mezzo.layout(4)),
    (TypeError, "codes have dtype int32: pass raw fields as uint8", lambda: FLAT.pack(CODES.astype(np.int32))),
    (TypeError, "codes has type list: pass a NumPy array", lambda: FLAT.pack([[1, 2]])),
    (TypeError, "a size of the shape has type float: pass an integer", lambda: FLAT.nbytes((2.0, 8))),
    (
        mezzo.Error,
        "no layout is called 'flat9'; use a text such as .* or one of panel1, panel2",
        lambda: mezzo.layout("flat9"),
    ),
    (mezzo.Error, "column 7: an axis is a single letter, found '4]'", lambda: mezzo.layout("bit=[b4]")),
    (mezzo.Error, "code 9 at index 3 does not fit", lambda: FLAT.pack(np.array([[0, 1, 2, 9]], np.uint8))),
    (mezzo.Error, "codes of 9 bits: a code has 1 to 8", lambda: FLAT.pack(CODES, bits=9)),
    (mezzo.Error, r"1 dimensions: layouts take codes\[n, k\] or codes\[n, g, k\]", lambda: FLAT.nbytes((8,))),
    (mezzo.Error, "axis k has size 0: sizes must be positive", lambda: FLAT.nbytes((8, 0))),
    (mezzo.Error, "axis g has 2 positions but the digits cover 1", lambda: FLAT.pack(np.zeros((2, 2, 8), np.uint8))),
    (mezzo.Error, r"packed has 5 bytes: codes of shape \[2, 8\] take 6", lambda: FLAT.unpack(bytes(5), (2, 8))),
    (mezzo.Error, "a picture of 0 bits: draw 1 to 65536", lambda: FLAT.picture((2, 8), first_bits=0)),
    (mezzo.Error, "does not fit the tensor", lambda: mezzo.layout(COLLIDING).pack(CODES, bits=4)),
]


@pytest.mark.parametrize("kind, message, call", REFUSED, ids=range(len(REFUSED)))
def test_refuses(kind, message, call):
    with pytest.raises(kind, match=message):
        call()
