import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.decoders import columns, raw_tensors
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Undecoded

# struct's letter for each datatype: an encoder that shares nothing with numpy.
LETTERS = {
    "BOOL": "?", "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q", "UINT8": "B", "UINT16": "H",
    "UINT32": "I", "UINT64": "Q", "FP16": "e", "FP32": "f", "FP64": "d",
}  # fmt: skip
quick = settings(max_examples=60, deadline=None)


def values_of(letter: str) -> st.SearchStrategy:
    if letter == "?":
        return st.booleans()
    if letter in "efd":
        return st.floats(width={"e": 16, "f": 32, "d": 64}[letter], allow_nan=False)
    bits = 8 * struct.calcsize("<" + letter)
    return (
        st.integers(0, 2**bits - 1)
        if letter.isupper()
        else st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    )


def texts(*elements: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(e)) + e for e in elements)


def reason(datatype, count, data):
    with pytest.raises(Undecodable) as raised:
        raw_tensors.read(datatype, count, data)
    return raised.value.reason


@pytest.mark.parametrize("datatype", LETTERS)
@quick
@given(data=st.data())
def test_every_number_is_read_as_it_was_written(datatype, data):
    values = data.draw(st.lists(values_of(LETTERS[datatype]), max_size=20))
    written = struct.pack(f"<{len(values)}{LETTERS[datatype]}", *values)
    found = raw_tensors.read(datatype, len(values), memoryview(written))
    assert found.tolist() == values
    assert (found.dtype.kind == "b") is (datatype == "BOOL")


def test_bfloat16_is_the_upper_half_of_a_float32():
    written = (
        struct.pack("<f", -1.5)[2:] + struct.pack("<f", float("inf"))[2:] + struct.pack("<f", 3.0e38)[2:]
    )
    found = raw_tensors.read("BF16", 3, written)
    assert found.dtype == np.float32
    assert found.tolist()[:2] == [-1.5, float("inf")] and found[2] == pytest.approx(3.0e38, rel=0.01)


@quick
@given(elements=st.lists(st.text(max_size=8), max_size=12))
def test_texts_are_read_as_they_were_written(elements):
    assert raw_tensors.read("BYTES", len(elements), texts(*[e.encode() for e in elements])) == elements


def test_what_is_not_text_is_one_constant_and_never_kept():
    written = texts(b"Z\xc3\xbcrich", b"\x89PNG" * 1000, b"", b"\xff")
    assert raw_tensors.read("BYTES", 4, written) == ["Zürich", "<binary>", "", "<binary>"]


@pytest.mark.parametrize("datatype", [*LETTERS, "BF16"])
@pytest.mark.parametrize("count", [-1, 0, 2, 4, 2**31, 2**62, 2**80])
def test_a_size_that_does_not_agree_exactly_is_a_matter_of_shape(datatype, count):
    width = 2 if datatype == "BF16" else struct.calcsize("<" + LETTERS[datatype])
    assert reason(datatype, count, bytes(3 * width)) is Undecoded.SHAPE
    assert reason(datatype, 3, bytes(3 * width + 1)) is Undecoded.SHAPE


@pytest.mark.parametrize("count", [-1, 0, 1, 3, 2**31, 2**62])
def test_another_number_of_texts_is_a_matter_of_shape(count):
    assert reason("BYTES", count, texts(b"abcdefgh", b"")) is Undecoded.SHAPE


def test_texts_cut_anywhere_are_a_matter_of_shape():
    written = texts(b"ab", b"", "Zürich".encode())
    for end in range(len(written)):
        assert reason("BYTES", 3, written[:end]) is Undecoded.SHAPE
    assert reason("BYTES", 3, written + b"\0") is Undecoded.SHAPE
    assert reason("BYTES", 1, b"\xff\xff\xff\xffab") is Undecoded.SHAPE


def test_millions_of_empty_texts_are_too_wide():
    count = columns.MAX_CELLS + 1
    assert reason("BYTES", count, bytes(4 * count)) is Undecoded.TOO_WIDE


@pytest.mark.parametrize("datatype", ["", "FP8", "fp32", "STRING"])
def test_an_unknown_datatype_is_a_matter_of_shape(datatype):
    assert reason(datatype, 1, b"1") is Undecoded.SHAPE


def test_numbers_are_a_view_that_nobody_can_write_through():
    found = raw_tensors.read("FP32", 2, bytes(8))
    assert not found.flags.owndata and not found.flags.writeable
