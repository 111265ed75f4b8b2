import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.decoders import columns, recordio
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import MISSING, Undecoded
from tests.decoders import records
from tests.decoders.reading import table
from tests.decoders.records import doubles, floats, framed, integers, record, sparse


def features(data):
    rows, found = recordio.read_features(data, "input")
    return rows, table(found)


def reason(data):
    with pytest.raises(Undecodable) as raised:
        recordio.read_features(data, "input")
    return raised.value.reason


@pytest.mark.parametrize("tensor", [floats, doubles, integers])
def test_a_record_is_a_row_whatever_the_type_of_its_tensor(tensor):
    data = framed(record(values=tensor(1, 2)), record(values=tensor(3, 4)))
    assert features(data) == (2, {"input[0]": [1, 3], "input[1]": [2, 4]})


def test_negative_integers_are_negative():
    assert features(framed(record(values=integers(-1, 7)))) == (1, {"input[0]": [-1], "input[1]": [7]})


def test_what_a_sparse_tensor_leaves_out_is_zero():
    data = framed(record(values=sparse({1: 0.5}, 3)), record(values=sparse({2: 0.25}, 3)))
    assert features(data) == (2, {"input[0]": [0, 0], "input[1]": [0.5, 0], "input[2]": [0, 0.25]})
    square = records.field(1, b"\x00\x00\x80\x3f") + records.field(2, b"\x03") + records.field(3, b"\x02\x02")
    assert features(framed(record(values=records.field(2, square)))) == (
        1,
        {"input[0]": [0], "input[1]": [0], "input[2]": [0], "input[3]": [1]},
    )
    unstated = framed(record(values=sparse({1: 0.5}, None)))
    assert features(unstated) == (1, {"input[0]": [0], "input[1]": [0.5]})


def test_features_of_other_names_keep_them_and_those_a_record_lacks_are_missing():
    data = framed(record(values=floats(1), user=integers(7)), record(values=floats(2)))
    assert features(data) == (2, {"input[0]": [1, 2], "user[0]": [7, MISSING]})


def test_predictions_are_labels():
    data = framed(
        record({"score": floats(0.25), "predicted_label": floats(1)}),
        record({"score": floats(0.75), "predicted_label": floats(0)}),
    )
    assert table(recordio.read_labels(data)[1]) == {"score": [0.25, 0.75], "predicted_label": [1, 0]}
    plain = framed(record({"values": floats(0.25)}))
    assert table(recordio.read_labels(plain)[1]) == {"prediction": [0.25]}
    scores = framed(record({"score": floats(0.25, 0.75)}))
    assert table(recordio.read_labels(scores)[1]) == {"score[0]": [0.25], "score[1]": [0.75]}


def test_a_record_in_parts_has_the_magic_word_between_them_again():
    whole = record(values=field_with_magic())
    begin, end = whole.split(records.MAGIC)
    middle = b"".join(records.frame(flag, part) for flag, part in ((1, begin), (3, end)))
    assert features(middle) == features(records.frame(0, whole))


def field_with_magic():
    return records.field(2, records.field(1, b"\x00\x00\x80\x3f" + records.MAGIC))


def test_bytes_are_rows_without_columns():
    assert features(framed(record(image=records.field(9, b"\xff\xd8")))) == (1, {})


WHOLE = framed(record(values=floats(1, 2)), record(values=sparse({1: 0.5}, 3)))


@pytest.mark.parametrize("end", range(len(WHOLE)))
def test_a_body_cut_anywhere_is_fewer_rows_or_has_a_reason(end):
    one_record = len(framed(record(values=floats(1, 2))))
    if end == one_record:
        assert features(WHOLE[:end])[0] == 1
    else:
        assert reason(WHOLE[:end]) is (Undecoded.NO_ROWS if end == 0 else Undecoded.SHAPE)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", Undecoded.NO_ROWS),
        (b"\x00" * 8, Undecoded.SHAPE),
        (WHOLE + b"\x01", Undecoded.SHAPE),
        (records.frame(3, b""), Undecoded.SHAPE),
        (records.frame(1, b""), Undecoded.SHAPE),
        (records.frame(1, b"") + records.frame(0, b""), Undecoded.SHAPE),
        (records.frame(5, b""), Undecoded.SHAPE),
        (framed(b"\xff\xff"), Undecoded.NOT_PROTOBUF),
        (framed(record(values=records.field(2, records.field(1, b"abc")))), Undecoded.NOT_PROTOBUF),
        (framed(record(values=sparse({3: 1.0}, 3))), Undecoded.SHAPE),
        (
            framed(
                record(values=records.field(2, records.field(3, b"\x7f" * 99) + records.field(2, b"\x00")))
            ),
            Undecoded.SHAPE,
        ),
        (framed(record(values=sparse({-1: 1.0}, None))), Undecoded.SHAPE),
        (framed(record(values=sparse({0: 1.0}, 10**15))), Undecoded.TOO_WIDE),
        (framed(*[b""] * (columns.MAX_ROWS + 1)), Undecoded.TOO_MANY_ROWS),
        (framed(record(**{str(i): floats(1) for i in range(columns.MAX_COLUMNS + 1)})), Undecoded.TOO_WIDE),
    ],
)
def test_what_is_no_record_has_a_reason(data, expected):
    assert reason(data) is expected


def test_a_few_bytes_of_sparse_tensors_never_become_a_matrix_of_millions():
    assert reason(framed(*[record(values=sparse({0: 1.0}, 999))] * 2_000)) is Undecoded.TOO_WIDE


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255), tail=st.binary(max_size=20))
def test_a_broken_body_is_read_or_has_a_reason(at, byte, tail):
    data = WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :] + tail
    for read in (lambda: recordio.read_features(data, "input"), lambda: recordio.read_labels(data)):
        try:
            rows, found = read()
        except Undecodable:
            continue
        assert all(len(column.values) == rows for column in found)
