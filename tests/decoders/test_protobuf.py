"""Messages by field number: as google.protobuf would read them, and what is malformed has a reason."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.decoders.protobuf import MAX_FIELDS, Reader
from sidecar.decoders.protobuf_scalars import MAX_NUMBERS
from sidecar.inference import Undecoded
from tests.decoders.protobuf_encoder import bytes_field, packed, unpacked, varint, varint_field

quick = settings(max_examples=100, deadline=None)
uint64 = st.integers(0, 2**64 - 1) | st.integers(0, 200)
int64 = st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 200)
SCALARS = {
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": int64,
    "uint32": st.integers(0, 2**32 - 1),
    "uint64": uint64,
    "bool": st.booleans(),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
}


def read(data):
    reader = Reader()
    return reader.read(data), reader


def test_fields_are_read_by_number_whatever_their_order():
    message, reader = read(
        bytes_field(3, "hi") + varint_field(1, 150) + bytes_field(2, varint_field(1, 7)) + bytes_field(5, b"")
    )
    assert (message.text(3), message.integer(1), message.message(2).integer(1)) == ("hi", 150, 7)
    assert message.has(5) and not message.has(4)
    assert message.highest == 5
    assert reader.problem is None


def test_what_is_not_there_is_empty():
    message, reader = read(b"")
    assert (message.text(1), message.integer(1), message.integers(1), message.messages(1)) == (
        "",
        None,
        [],
        [],
    )
    assert message.message(1).text(1) == "" and message.span(1) == b"" and message.spans(1) == []
    assert message.numbers(1, "float").tolist() == [] and message.numbers(1, "int64").tolist() == []
    assert message.highest == 0 and reader.problem is None


def test_of_a_field_that_is_not_repeated_the_last_one_counts():
    message, _ = read(
        bytes_field(1, "a") + varint_field(2, 1) + bytes_field(1, "b") + varint_field(2, 300) * 3
    )
    assert (message.text(1), message.integer(2)) == ("b", 300)


def test_a_field_of_another_type_than_expected_is_not_there():
    message, reader = read(bytes_field(1, "a") + varint_field(2, 1))
    assert (message.integer(1), message.text(2), message.numbers(2, "float").tolist()) == (None, "", [])
    assert reader.problem is None


def test_an_int64_may_be_negative():
    message, _ = read(varint_field(1, -1) + packed(2, "int64", [-1, 4]))
    assert message.integer(1) == -1
    assert message.integers(2) == [-1, 4]


def test_fields_of_numbers_that_nobody_reads_are_stepped_over():
    message, reader = read(bytes_field(2000, "x") + varint_field(99, 1) + bytes_field(1, "a"))
    assert (message.text(1), message.text(2000), message.highest) == ("a", "", 1)
    assert reader.problem is None


def test_what_a_message_mentions_is_in_itself():
    message, _ = read(bytes_field(1, "here") + bytes_field(2, bytes_field(1, "inside")))
    assert message.mentions(b"here") and message.mentions(b"inside") and not message.mentions(b"there")
    assert message.message(2).mentions(b"inside") and not message.message(2).mentions(b"here")


def test_text_that_is_none_is_empty():
    message, reader = read(bytes_field(1, b"\xff"))
    assert message.text(1) == "" and message.span(1) == b"\xff" and reader.problem is None


def test_a_map_has_entries_of_key_and_value():
    entry = bytes_field(1, "k") + bytes_field(2, "v")
    message, _ = read(bytes_field(1, entry) + bytes_field(1, bytes_field(2, "w")))
    assert [(k, e.text(2)) for k, e in message.entries(1)] == [("k", "v"), ("", "w")]


@pytest.mark.parametrize("scalar", SCALARS)
@quick
@given(data=st.data())
def test_repeated_scalars_are_the_same_packed_and_unpacked_and_in_any_mixture(scalar, data):
    values = data.draw(st.lists(SCALARS[scalar], max_size=40))
    at = data.draw(st.integers(0, len(values)))
    further = data.draw(st.integers(at, len(values)))
    encoded = (
        unpacked(9, scalar, values[:at])
        + bytes_field(1, "between")
        + packed(9, scalar, values[at:further])
        + unpacked(9, scalar, values[further:])
    )
    message, reader = read(encoded)
    assert message.numbers(9, scalar).tolist() == values
    assert reader.problem is None
    message, _ = read(unpacked(17, scalar, values))  # a tag of two bytes
    assert message.numbers(17, scalar).tolist() == values


@quick
@given(st.lists(int64, max_size=40))
def test_a_shape_of_any_length_is_read(values):
    message, _ = read(packed(3, "int64", values))
    assert message.integers(3) == values


def test_packed_numbers_are_not_copied():
    data = packed(1, "float", [1.0, 2.0])
    message, _ = read(data)
    assert np.shares_memory(message.numbers(1, "float"), np.frombuffer(data, np.uint8))


@pytest.mark.parametrize(
    "rest",
    [
        b"\x0a\xff\xff\xff\xff\x0f",  # four gigabytes that are not there
        b"\x0a\x05ab",  # cut inside
        b"\x0a",  # cut before a length
        b"\x10\xff",  # a number that does not end
        b"\x10" + b"\xff" * 11 + b"\x01",  # one longer than any number
        b"\x1d\x00\x00\x80",  # a float cut short
        b"\x0b",  # a group
        b"\x0c",  # the end of one
        b"\x0f",  # no type at all
        b"\x80",  # a key that does not end
        b"\x02\x00",  # number 0
    ],
)
def test_what_is_malformed_ends_the_reading_and_what_came_before_stands(rest):
    message, reader = read(b"\x0a\x01a" + rest)
    assert message.text(1) == "a"
    assert reader.problem.reason is Undecoded.NOT_PROTOBUF


@pytest.mark.parametrize("scalar", ["float", "double", "int64", "bool"])
def test_packed_numbers_that_end_within_one_are_malformed(scalar):
    message, reader = read(bytes_field(1, b"\x01\x02\x80"))
    assert message.numbers(1, scalar).tolist() == []
    assert reader.problem.reason is Undecoded.NOT_PROTOBUF


def test_a_packed_number_longer_than_any_is_malformed():
    for data in (b"\xff" * 10 + b"\x01", b"\x05" + b"\xff" * 40 + b"\x01"):
        message, reader = read(bytes_field(1, data))
        assert message.integers(1) in ([], [5])
        assert reader.problem.reason is Undecoded.NOT_PROTOBUF


def test_a_malformed_message_inside_is_remembered():
    message, reader = read(bytes_field(1, b"\x0b"))
    assert reader.problem is None
    message.message(1)
    assert reader.problem.reason is Undecoded.NOT_PROTOBUF


@pytest.mark.parametrize("inner", [b"\x0a\x05ab", b"\x09\x01\x02", b"\x08\x80", b"\x0a\x80\x01ab", b"\x0a"])
def test_a_message_inside_never_reads_past_its_own_end(inner):
    message, reader = read(bytes_field(1, inner) + bytes_field(2, "secret of the next field" * 20))
    found = message.message(1)
    assert reader.problem.reason is Undecoded.NOT_PROTOBUF
    assert (found.text(1), found.integer(1)) == ("", None)


def test_what_does_not_fit_into_its_type_loses_the_bits_above():
    message, _ = read(bytes_field(1, b"\xff" * 9 + b"\x7f" + varint(2**32 + 3)))
    assert message.numbers(1, "uint64").tolist() == [2**64 - 1, 2**32 + 3]
    assert message.numbers(1, "int32").tolist() == [-1, 3]
    message, _ = read(b"\x08" + b"\xff" * 9 + b"\x7f")
    assert message.integer(1) == -1


def test_all_messages_of_a_body_share_one_allowance_of_fields():
    reader = Reader(fields=12)
    message = reader.read(bytes_field(1, bytes_field(1, "x") * 4) * 4)
    assert reader.problem is None
    assert sum(len(inner.spans(1)) for inner in message.messages(1)) <= 6
    assert reader.problem.reason is Undecoded.TOO_WIDE
    assert not reader.read(bytes_field(1, "later")).has(1)


def test_more_fields_than_are_worth_their_time_are_not_read():
    message, reader = read(bytes_field(1, b"") * MAX_FIELDS + bytes_field(2, "last"))
    assert not message.has(2)
    # Nobody needs what came before when it is not used anyway.
    assert message.spans(1) == message.messages(1) == []
    assert reader.problem.reason is Undecoded.TOO_WIDE


def test_a_repeated_scalar_is_one_field_however_long():
    for scalar in ("int64", "float", "double"):
        message, reader = read(unpacked(1, scalar, [1] * (MAX_FIELDS + 1)))
        assert len(message.numbers(1, scalar)) == MAX_FIELDS + 1
        assert reader.problem is None


def test_more_numbers_than_the_largest_body_of_floats_holds_are_not_made():
    message, reader = read(bytes_field(1, b"\x01" * (MAX_NUMBERS + 1)))
    assert len(message.numbers(1, "int64")) == 0
    assert reader.problem.reason is Undecoded.TOO_WIDE


def everything(message):
    for number in range(1, 5):
        message.text(number), message.integer(number), message.integers(number)
        for scalar in SCALARS:
            yield number, scalar, message.numbers(number, scalar).tolist()
        for inner in message.messages(number):
            yield number, inner.highest


@quick
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_have_a_reason(data):
    message, reader = read(data)
    list(everything(message))
    assert reader.problem is None or reader.problem.reason is Undecoded.NOT_PROTOBUF


@quick
@given(st.lists(st.binary(max_size=6) | int64, max_size=12), st.integers(0, 100))
def test_a_message_cut_anywhere_is_the_beginning_of_what_it_was_or_has_a_reason(values, cut):
    data = b"".join(
        bytes_field(1, value) if isinstance(value, bytes) else varint_field(2, value) for value in values
    )
    whole, _ = read(data)
    part, reader = read(data[:cut])
    assert part.spans(1) == whole.spans(1)[: len(part.spans(1))]
    numbers = part.numbers(2, "int64").tolist()
    assert numbers == whole.numbers(2, "int64").tolist()[: len(numbers)]
    if reader.problem is None:
        # It was cut between two fields.
        rest = read(data[cut:])[0]
        assert part.spans(1) + rest.spans(1) == whole.spans(1)
