import math

import pytest

from sidecar.decoders import json_text
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Undecoded


def test_bare_nan_and_infinities_are_numbers():
    nan, up, down = json_text.read(b"[NaN, Infinity, -Infinity]")
    assert math.isnan(nan) and (up, down) == (math.inf, -math.inf)


def test_a_number_past_a_double_is_infinite_and_does_not_lose_the_rest():
    assert json_text.read(b'{"a": 1e999, "b": 2}') == {"a": math.inf, "b": 2}


@pytest.mark.parametrize("digits", [b"1" * 4301, b"-" + b"9" * 4300])
def test_an_integer_of_thousands_of_digits_is_a_float(digits):
    (value,) = json_text.read(b"[" + digits + b"]")
    assert isinstance(value, float)


def test_the_largest_unsigned_integer_is_exact():
    assert json_text.read(b"[18446744073709551615]") == [18446744073709551615]


def test_of_duplicate_keys_the_last_wins_in_both_readings():
    assert json_text.read(b'{"a": 1, "a": 2}') == {"a": 2}
    assert json_text.read(b'{"a": NaN, "a": 2}') == {"a": 2}


def test_a_byte_order_mark_and_utf_16_are_read():
    assert json_text.read(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    assert json_text.read('{"a": "ü"}'.encode("utf-16")) == {"a": "ü"}
    assert json_text.read('{"a": "ü"}'.encode("utf-16-le"), "application/json; charset=utf-16le") == {
        "a": "ü"
    }


def test_a_charset_is_used_only_if_it_is_one_we_know():
    assert json_text.read('{"a": "ü"}'.encode("latin-1"), 'application/json; charset="ISO-8859-1"') == {
        "a": "ü"
    }
    assert json_text.charset_of("application/json; charset=punycode") == "utf-8"


def test_a_lone_surrogate_becomes_text_that_every_encoder_takes():
    (value,) = json_text.read(b'["a\\ud800b"]')
    assert value.encode("utf-8") == b"a?b"


@pytest.mark.parametrize("depth", [1_025, 100_000])
def test_deep_nesting_is_its_own_reason(depth):
    for document in (b"[" * depth + b"]" * depth, b"[NaN," + b"[" * depth + b"]" * depth + b"]"):
        with pytest.raises(Undecodable) as raised:
            json_text.read(document)
        assert raised.value.reason is Undecoded.TOO_DEEP


@pytest.mark.parametrize(
    "data", [b"", b"{bad", b"[1,]", b"1 2", b"\xff\xfe\xfd", b'"\x00"', b"nan", b"{'a': 1}"]
)
def test_what_is_not_json_is_not_json(data):
    with pytest.raises(Undecodable) as raised:
        json_text.read(data)
    assert raised.value.reason is Undecoded.NOT_JSON


def test_a_large_body_is_not_read_twice():
    data = b"[NaN," + b" " * json_text.SECOND_READING_LIMIT_BYTES + b"1]"
    with pytest.raises(Undecodable):
        json_text.read(data)


def test_the_message_never_quotes_the_payload():
    for data in (b'{"card": 4111111111111111 oops}', b'"secret\xff"', b"4111111111111111x"):
        with pytest.raises(Undecodable) as raised:
            json_text.read(data)
        assert "4111" not in str(raised.value) and "secret" not in str(raised.value)


def test_json_lines_are_a_list_with_empty_lines_left_out():
    assert json_text.read_lines(b'{"a": 1}\r\n\n[2]\n  \n') == [{"a": 1}, [2]]
