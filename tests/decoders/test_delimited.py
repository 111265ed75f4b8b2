import math

import pytest

from sidecar.decoders import columns, delimited
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Undecoded
from tests.decoders.reading import table


def read(data, content_type="text/csv"):
    rows, found = delimited.read(data, content_type, "input")
    return rows, table(found)


def reason(data, content_type="text/csv"):
    with pytest.raises(Undecodable) as raised:
        read(data, content_type)
    return raised.value.reason


def test_a_first_row_of_numbers_is_data_any_other_is_a_header():
    assert read(b"5.1,3\n6.2,2") == (2, {"input[0]": [5.1, 6.2], "input[1]": [3, 2]})
    assert read(b"a,b\n5.1,3\n") == (1, {"a": [5.1], "b": [3]})


def test_quotes_commas_and_line_ends_inside_a_cell_are_text():
    assert read(b'a,b\r\n"x, y","1\r\n2"\r\n"say ""hi""",z') == (
        2,
        {"a": ["x, y", 'say "hi"'], "b": ["1\r\n2", "z"]},
    )


def test_an_empty_cell_is_null_and_one_word_makes_the_column_text():
    assert read(b"a,b,c\n1,,x\n,2,\n") == (2, {"a": [1, None], "b": [None, 2], "c": ["x", None]})
    assert read(b"a\n1\nx\n") == (2, {"a": ["1", "x"]})


def test_nan_is_a_number_and_python_digits_are_not():
    _, found = read(b"a,b\nnan,1_000\n1e3,2\n")
    assert math.isnan(found["a"][0]) and found["a"][1] == 1000.0
    assert found["b"] == ["1_000", "2"]


def test_charset_and_byte_order_mark_are_honoured():
    assert read("stadt\nZürich\n".encode("latin-1"), "text/csv; charset=iso-8859-1") == (
        1,
        {"stadt": ["Zürich"]},
    )
    assert read(b"\xef\xbb\xbfa\nx\n") == (1, {"a": ["x"]})


def test_one_unnamed_column_may_have_a_name_of_its_own():
    assert table(delimited.read(b"0.5\n0.7\n", "", "prediction", "prediction")[1]) == {
        "prediction": [0.5, 0.7]
    }


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", Undecoded.NO_ROWS),
        (b"a,b\n", Undecoded.NO_ROWS),
        (b"\n\n", Undecoded.NO_ROWS),
        (b"a,b\n1\n", Undecoded.NOT_CSV),
        (b'a\n"x', Undecoded.NOT_CSV),
        (b"a\n\xff\xfe", Undecoded.NOT_CSV),
        (b"a\n" + b"x" * 200_000, Undecoded.NOT_CSV),
        (b"1," * columns.MAX_COLUMNS + b"1\n", Undecoded.TOO_WIDE),
        (b"1\n" * (columns.MAX_ROWS + 2), Undecoded.TOO_MANY_ROWS),
    ],
    ids=["empty", "header", "blank", "ragged", "quote", "bytes", "huge", "wide", "long"],
)
def test_what_is_not_a_table_has_a_reason(data, expected):
    assert reason(data) is expected


def test_where_there_are_no_headers_a_first_row_is_one_only_if_it_is_all_words_above_numbers():
    def headerless(data):
        return table(delimited.read(data, "", "input", headerless=True)[1])

    assert headerless(b"31,Bern\n") == {"input[0]": [31], "input[1]": ["Bern"]}
    assert headerless(b"age,city\n") == {"input[0]": ["age"], "input[1]": ["city"]}
    assert headerless(b"Bern,x\nZug,y\n") == {"input[0]": ["Bern", "Zug"], "input[1]": ["x", "y"]}
    assert headerless(b"age,city\n31,Bern\n") == {"age": [31], "city": ["Bern"]}
    assert headerless(b",a\n1,2\n") == {"input[0]": [None, 1], "input[1]": ["a", "2"]}


def test_one_cell_is_a_number_a_text_or_null():
    assert [delimited.value_of(cell) for cell in ("31", "-1.5e3", "x", "", "1_0")] == [
        31,
        -1500.0,
        "x",
        None,
        "1_0",
    ]
