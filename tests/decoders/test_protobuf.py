import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.decoders.protobuf import fields


def test_fields_are_read_by_number_whatever_their_type():
    message = b"\x0a\x02hi\x10\x96\x01\x1d\x00\x00\x80\x3f\x21" + bytes(8) + b"\x0a\x00"
    assert list(fields(message)) == [
        (1, b"hi"), (2, 150), (3, b"\x00\x00\x80\x3f"), (4, bytes(8)), (1, b""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "rest",
    [
        b"\x0a\xff\xff\xff\xff\x0f",  # four gigabytes that are not there
        b"\x0a\x05ab",  # cut inside
        b"\x10\xff",  # a number that does not end
        b"\x10" + b"\xff" * 11 + b"\x01",  # one longer than any number
        b"\x0b",  # a group
        b"\x0f",  # no type at all
        b"\x80",  # a key that does not end
    ],
)
def test_what_is_malformed_ends_the_reading_and_what_came_before_stands(rest):
    assert list(fields(b"\x0a\x01a" + rest)) == [(1, b"a")]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_and_never_twice(data):
    read = list(fields(data))
    assert sum(len(value) for _, value in read if isinstance(value, bytes)) <= len(data)
    assert len(read) <= len(data)


@given(st.binary(max_size=60), st.integers(0, 60))
def test_a_message_cut_anywhere_is_the_beginning_of_what_it_was(data, cut):
    whole, part = list(fields(data)), list(fields(data[:cut]))
    assert part == whole[: len(part)]
