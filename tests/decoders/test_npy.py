import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.decoders import npy
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Undecoded


def saved(array, version=None):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), version=version, allow_pickle=True)
    return stream.getvalue()


def read(data, lone=""):
    rows, found = npy.read(data, "input", lone)
    return rows, {c.name: list(c.values) for c in found}


def headed(header: bytes, data: bytes = b"\x00" * 8, version: int = 1) -> bytes:
    width = 2 if version == 1 else 4
    return npy.MAGIC + bytes([version, 0]) + len(header).to_bytes(width, "little") + header + data


MATRIX = np.array([[1, 2], [3, 4]])


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("dtype", ["<f8", "<f4", "<f2", ">f8", "<i8", ">i4", "u1", "<u2", "i1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_matrix_has_a_column_for_each_position(version, dtype, order):
    data = saved(MATRIX.astype(dtype, order=order), version)
    assert read(data) == (2, {"input[0]": [1, 3], "input[1]": [2, 4]})


@pytest.mark.parametrize("array", [[1.5, 2.5], [[1.5], [2.5]]])
def test_one_column_is_one_column_in_either_shape(array):
    assert read(saved(array)) == (2, {"input[0]": [1.5, 2.5]})
    assert read(saved(array), "prediction") == (2, {"prediction": [1.5, 2.5]})


def test_a_scalar_text_and_truth_are_read():
    assert read(saved(7.0)) == (1, {"input[0]": [7.0]})
    assert read(saved(["Zürich", "Bern"])) == (2, {"input[0]": ["Zürich", "Bern"]})
    assert read(saved([b"a", b"\xff"])) == (2, {"input[0]": ["a", "�"]})
    assert read(saved([True, False])) == (2, {"input[0]": [True, False]})


def test_images_are_summarised():
    rows, found = read(saved(np.zeros((2, 3, 4))))
    assert rows == 2 and found["input.dimension"] == [12, 12]


@pytest.mark.parametrize(
    "array",
    [
        np.array([{"a": 1}], dtype=object),
        np.array(["2026-11-22"], dtype="datetime64[D]"),
        np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f4")]),
        np.array([1j]),
        np.array([1.0], dtype=np.longdouble),
        np.array([b"ab"], dtype="V2"),
    ],
    ids=["object", "date", "structure", "complex", "long double", "void"],
)
def test_what_is_no_number_truth_or_text_is_refused(array):
    with pytest.raises(Undecodable) as raised:
        read(saved(array))
    assert raised.value.reason is Undecoded.CONTENT_TYPE


class Planted:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def test_nothing_in_the_file_is_ever_run():
    planted = np.empty(1, object)
    planted[0] = Planted()
    with pytest.raises(Undecodable):
        read(saved(planted))
    with pytest.raises(Undecodable):
        read(headed(b"{'descr': __import__('os').abort(), 'fortran_order': False, 'shape': (1,)}"))


GOOD = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Undecoded.CONTENT_TYPE),
        (b"\x93NUMPY", Undecoded.CONTENT_TYPE),
        (headed(GOOD, version=9), Undecoded.CONTENT_TYPE),
        (headed(GOOD + b" " * 5000), Undecoded.CONTENT_TYPE),
        (headed(GOOD.replace(b"(1,)", b"(-1,)")), Undecoded.CONTENT_TYPE),
        (headed(GOOD.replace(b"(1,)", b"1")), Undecoded.CONTENT_TYPE),
        (headed(GOOD.replace(b"(1,)", b"(1" + b"0" * 20 + b",)")), Undecoded.CONTENT_TYPE),
        (headed(GOOD.replace(b"(1,)", b"(" + b"1," * 70 + b")")), Undecoded.CONTENT_TYPE),
        (headed(GOOD.replace(b"<f8", b"<f3")), Undecoded.CONTENT_TYPE),
        (headed(GOOD.replace(b"<f8", b"<U0").replace(b"(1,)", b"(99999,)"), b""), Undecoded.CONTENT_TYPE),
        (headed(GOOD.replace(b"(1,)", b"(2,)")), Undecoded.SHAPE),
        (headed(GOOD, b"\x00" * 9), Undecoded.SHAPE),
        (headed(GOOD.replace(b"(1,)", b"(0,)"), b""), Undecoded.NO_ROWS),
        (headed(GOOD.replace(b"(1,)", b"(999999999,)")), Undecoded.TOO_MANY_ROWS),
    ],
)
def test_what_is_no_array_has_a_reason(data, reason):
    with pytest.raises(Undecodable) as raised:
        read(data)
    assert raised.value.reason is reason


def test_more_texts_than_are_worth_their_memory_have_a_reason():
    with pytest.raises(Undecodable) as raised:
        read(saved(np.full((50_000, 21), b"ab")))
    assert raised.value.reason is Undecoded.TOO_WIDE


WHOLE = saved(MATRIX.astype("<f4"))


@pytest.mark.parametrize("end", range(len(WHOLE)))
def test_a_file_cut_anywhere_has_a_reason(end):
    with pytest.raises(Undecodable):
        read(WHOLE[:end])


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255))
def test_a_broken_file_is_read_or_has_a_reason(at, byte):
    try:
        rows, found = npy.read(WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :], "input")
    except Undecodable:
        return
    assert all(len(column.values) == rows for column in found)
