import json
import math

import pytest
from google.protobuf import struct_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.decoders.decoder import Undecodable
from sidecar.decoders.protobuf import Reader
from sidecar.decoders.protobuf_values import MAX_DEPTH, list_of, value_of
from sidecar.inference import Undecoded
from tests.decoders.protobuf_encoder import bytes_field, double_field

documents = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


def encoded(document) -> bytes:
    holder = struct_pb2.ListValue()
    holder.extend([document])
    return holder.values[0].SerializeToString()


@settings(max_examples=200, deadline=None)
@given(documents)
def test_what_googles_own_encoder_wrote_is_read(document):
    reader = Reader()
    assert value_of(reader.read(encoded(document))) == document
    reader.check()


@pytest.mark.parametrize(
    "row", [[1.0, 2.5, -3.0], [1.0, "x", 2.0], [1.0, None], ["x", 1.0], [], [[1.0], [2.0]]]
)
def test_rows_of_numbers_and_of_anything_else_are_lists(row):
    assert value_of(Reader().read(encoded(row))) == row


def test_numbers_that_are_none_are_as_sent():
    first, second = value_of(Reader().read(encoded([math.nan, math.inf])))
    assert math.isnan(first) and second == math.inf


def test_a_value_of_no_kind_is_null():
    assert value_of(Reader().read(b"")) is None
    assert list_of(Reader().read(bytes_field(1, b"") * 2)) == [None, None]


def test_a_row_that_only_looks_like_numbers_is_read_as_what_it_is():
    number = bytes_field(1, double_field(2, 1.0))
    other = bytes_field(1, bytes_field(3, "1234567"))
    assert len(number) == len(other) == 11
    assert list_of(Reader().read(number + other)) == [1.0, "1234567"]
    assert value_of(Reader().read(bytes_field(6, number + other))) == [1.0, "1234567"]


def test_values_nested_without_end_are_too_deep():
    message = b""
    for _ in range(500):
        message = bytes_field(6, bytes_field(1, message))
    with pytest.raises(Undecodable) as raised:
        value_of(Reader().read(message))
    assert raised.value.reason is Undecoded.TOO_DEEP


def test_values_as_deep_as_the_limit_are_read():
    document = json.loads("[" * (MAX_DEPTH // 2) + "]" * (MAX_DEPTH // 2))
    assert value_of(Reader().read(encoded(document))) == document
