import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.decoders import columns, libsvm
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Undecoded
from tests.decoders.reading import table


def read(data):
    rows, found = libsvm.read(data, "input")
    return rows, table(found)


def test_what_a_row_leaves_out_is_zero_and_a_column_is_called_by_its_index():
    assert read(b"1:0.5 3:2\n3:1e3\n") == (2, {"input[1]": [0.5, 0.0], "input[3]": [2.0, 1000.0]})


def test_labels_query_ids_comments_and_empty_lines_are_left_out():
    assert read(b"1 qid:7 1:0.5 # why\n\n-1 2:1\r\n# nothing\n") == (
        2,
        {"input[1]": [0.5, 0.0], "input[2]": [0.0, 1.0]},
    )


def test_a_row_of_zeros_is_a_row():
    assert read(b"1\n0 1:2\n") == (2, {"input[1]": [0.0, 2.0]})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Undecoded.NO_ROWS),
        (b"# \n", Undecoded.NO_ROWS),
        (b"1 1:x", Undecoded.SHAPE),
        (b"1 a:1", Undecoded.SHAPE),
        (b"1 -1:1", Undecoded.SHAPE),
        (b"1 " + b"9" * 5000 + b":1", Undecoded.SHAPE),
        (b"1 2 3", Undecoded.SHAPE),
        (b"0 " + b" ".join(b"%d:1" % i for i in range(columns.MAX_COLUMNS + 1)), Undecoded.TOO_WIDE),
        (b"0 1:1\n" * (columns.MAX_ROWS + 1), Undecoded.TOO_MANY_ROWS),
        (b"0\n" * 90_000 + b"0 " + b" ".join(b"%d:1" % i for i in range(900)), Undecoded.TOO_WIDE),
    ],
    ids=["empty", "comment", "word", "name", "minus", "digits", "no colon", "wide", "long", "cells"],
)
def test_what_is_not_libsvm_has_a_reason(data, reason):
    with pytest.raises(Undecodable) as raised:
        read(data)
    assert raised.value.reason is reason


@settings(max_examples=200, deadline=None)
@given(st.text("0123456789:. \n-#qid", max_size=60).map(str.encode) | st.binary(max_size=60))
def test_any_bytes_are_read_or_have_a_reason(data):
    try:
        rows, found = libsvm.read(data, "input")
    except Undecodable:
        return
    assert all(len(column.values) == rows for column in found)
