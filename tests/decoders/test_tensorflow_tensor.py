import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.protobuf import Reader
from sidecar.decoders.tensorflow_tensor import columns_of, read
from sidecar.inference import Undecoded
from tests.decoders.protobuf_encoder import bytes_field, packed, unpacked, varint_field
from tests.decoders.reading import table

# DataType, the field of its values, the scalar in it, and values.
TYPED = {
    "DT_FLOAT": (1, 5, "float", [1.5, -2.0]),
    "DT_DOUBLE": (2, 6, "double", [0.1, 1e300]),
    "DT_INT32": (3, 7, "int32", [-(2**31), 7]),
    "DT_UINT8": (4, 7, "int32", [0, 255]),
    "DT_INT16": (5, 7, "int32", [-300, 300]),
    "DT_INT8": (6, 7, "int32", [-128, 127]),
    "DT_INT64": (9, 10, "int64", [-(2**63), 2**63 - 1]),
    "DT_BOOL": (10, 11, "bool", [True, False]),
    "DT_UINT16": (17, 7, "int32", [0, 65535]),
    "DT_UINT32": (22, 16, "uint32", [0, 2**32 - 1]),
    "DT_UINT64": (23, 17, "uint64", [0, 2**64 - 1]),
}
FLOAT = varint_field(1, 1)


def shape(*sizes: int) -> bytes:
    return bytes_field(2, b"".join(bytes_field(2, varint_field(1, size)) for size in sizes))


def values(message: bytes):
    reader = Reader()
    sizes, found = read(reader.read(message))
    reader.check()
    return sizes, list(found) if isinstance(found, list) else found.tolist()


def reason(message: bytes):
    with pytest.raises(Undecodable) as raised:
        columns_of([("x", Reader().read(message))])
    return raised.value.reason


@pytest.mark.parametrize("dtype", TYPED)
@pytest.mark.parametrize("encoder", [packed, unpacked])
def test_values_in_the_field_of_their_type_are_read(dtype, encoder):
    number, field, scalar, those = TYPED[dtype]
    message = varint_field(1, number) + shape(2) + encoder(field, scalar, those)
    assert values(message) == ([2], those)


def test_halves_are_the_lower_bits_of_numbers():
    for number, bits in ((19, [0x3C00, 0xC000]), (14, [0x3F80, 0xC000])):
        assert values(varint_field(1, number) + shape(2) + packed(13, "int32", bits))[1] == [1.0, -2.0]


def test_text_is_text_and_other_bytes_are_not():
    message = varint_field(1, 7) + shape(2) + bytes_field(8, "Bern") + bytes_field(8, b"\xff")
    assert values(message) == ([2], ["Bern", "<binary>"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=20))
def test_content_counts_before_values(those):
    content = bytes_field(4, np.array(those, "<f4").tobytes())
    assert values(FLOAT + shape(len(those)) + content + packed(5, "float", [9.0])) == ([len(those)], those)


def test_the_last_value_fills_what_is_left_out():
    assert values(FLOAT + shape(2, 2) + packed(5, "float", [1, 7])) == ([2, 2], [1.0, 7.0, 7.0, 7.0])
    assert values(varint_field(1, 9) + shape(3) + packed(10, "int64", [7])) == ([3], [7, 7, 7])
    assert values(varint_field(1, 7) + shape(2) + bytes_field(8, "a")) == ([2], ["a", "a"])


def test_where_there_is_no_value_at_all_they_are_zero():
    assert values(FLOAT + shape(2)) == ([2], [0.0, 0.0])
    assert values(varint_field(1, 10) + shape(1)) == ([1], [False])
    assert values(varint_field(1, 7) + shape(2)) == ([2], ["", ""])


def test_no_dimension_is_a_scalar():
    assert values(FLOAT + packed(5, "float", [2])) == ([], [2.0])
    rows, found = columns_of([("x", Reader().read(FLOAT + packed(5, "float", [2])))])
    assert rows == 1 and table(found) == {"x": [2.0]}


def test_tensors_are_columns_by_their_names_and_of_the_largest_batch():
    rows, found = columns_of([
        ("age", Reader().read(FLOAT + shape(2) + packed(5, "float", [31, 45]))),
        ("v", Reader().read(FLOAT + shape(2, 2) + packed(5, "float", [1, 2, 3, 4]))),
        ("threshold", Reader().read(FLOAT + packed(5, "float", [0.5]))),
    ])  # fmt: skip
    assert rows == 2
    assert table(found) == {"age": [31.0, 45.0], "v[0]": [1.0, 3.0], "v[1]": [2.0, 4.0]}


@pytest.mark.parametrize(
    "message",
    [
        b"",  # no type
        varint_field(1, 99) + shape(1),
        varint_field(1, 8) + shape(1) + bytes_field(4, bytes(8)),  # complex64
        FLOAT + shape(-1) + packed(5, "float", [1]),
        FLOAT + bytes_field(2, varint_field(3, 1)) + packed(5, "float", [1]),  # unknown rank
        FLOAT + shape(*[1] * 255) + packed(5, "float", [1]),
        FLOAT + shape(2) + packed(5, "float", [1, 2, 3]),
        FLOAT + shape(2) + bytes_field(4, bytes(7)),
        varint_field(1, 7) + shape(1) + bytes_field(4, b"text"),
    ],
)
def test_what_does_not_fit_together_has_the_wrong_shape(message):
    assert reason(message) is Undecoded.SHAPE


def test_what_fills_itself_is_bounded_over_all_tensors():
    claimed = Reader().read(FLOAT + shape(10_000, 20))
    with pytest.raises(Undecodable) as raised:
        columns_of([(f"t{i}", claimed) for i in range(6)])
    assert raised.value.reason is Undecoded.TOO_WIDE
    assert reason(FLOAT + shape(2, 2**40)) is Undecoded.TOO_WIDE
    assert reason(FLOAT + shape(*[2**40] * 5)) is Undecoded.TOO_MANY_ROWS
