import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.decoders import protobuf_scalars as scalars
from sidecar.decoders.decoder import Undecodable
from tests.decoders.protobuf_encoder import float_field, varint, varint_field

quick = settings(max_examples=100, deadline=None)


@quick
@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 127), max_size=30))
def test_varints_of_every_length_are_read(values):
    assert scalars.varints(b"".join(map(varint, values))).tolist() == values


@quick
@given(st.binary(max_size=40))
def test_any_bytes_are_varints_or_undecodable(data):
    try:
        assert len(scalars.varints(data)) == sum(byte < 0x80 for byte in data)
    except Undecodable:
        assert data[-1] >= 0x80 or max(map(len, data.replace(b"\x00", b"\x01").split(b"\x01"))) >= 10


@pytest.mark.parametrize("rest", [b"", b"\x0a\x01a", b"\x10", b"\x15\x00", b"\x10\x80"])
def test_a_run_ends_where_another_field_begins_or_is_cut(rest):
    for run in (varint_field(2, 300) * 5, float_field(2, 1.5) * 5):
        data = b"before" + run + rest
        assert scalars.end_of_run(data, 6, len(data)) == 6 + len(run)
        assert scalars.end_of_run(data, 6, len(data) - len(rest) - 1) == 6 + len(run) // 5 * 4


def test_there_is_no_run_where_not_even_one_field_is_whole():
    assert scalars.end_of_run(b"\x15\x00\x00\x80", 0, 4) == 0
    assert scalars.end_of_run(b"\x10" + b"\xff" * 10 + b"\x01", 0, 12) == 0


@pytest.mark.parametrize(
    ("scalar", "value"),
    [("bool", True), ("int32", -1), ("uint32", 2**32 - 1), ("int64", -1), ("uint64", 2**64 - 1)],
)
def test_a_number_is_what_its_scalar_makes_of_it(scalar, value):
    found = scalars.as_scalar(np.array([2**64 - 1], np.uint64), scalar).tolist()
    assert found == [value] and type(found[0]) is type(value)
