import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.decoders import columns, multipart
from sidecar.decoders.decoder import Undecodable
from sidecar.inference import Undecoded

TYPE = "multipart/form-data; boundary=x"


def part(disposition, content, *more):
    head = f"Content-Disposition: form-data; {disposition}"
    return "\r\n".join(["--x", head, *more, "", ""]).encode() + content + b"\r\n"


def form(*parts):
    return b"".join(parts) + b"--x--\r\n"


def read(*parts):
    return multipart.read(form(*parts), TYPE)


def test_fields_are_numbers_text_or_json():
    assert read(
        part('name="age"', b"31"),
        part('name="share"', b"1e-3"),
        part("name=city", "Zürich\r\n--y".encode()),
        part('name="empty"', b""),
        part('name="rows"', b"[[1, 2]]"),
        part('name="brace"', b"{not json"),
    ) == {
        "age": 31,
        "share": 0.001,
        "city": "Zürich\r\n--y",
        "empty": None,
        "rows": [[1, 2]],
        "brace": "{not json",
    }


def test_a_file_is_its_size_unless_it_is_json():
    assert read(
        part('name="image"; filename="a.png"', b"\x89PNG\r\n\x00", "Content-Type: image/png"),
        part('name="blob"', b"\x00\x01", "Content-Type: application/octet-stream"),
        part("name=\"note\"; filename*=UTF-8''a.txt", b"abc", "Content-Type: text/plain"),
        part('name="data"; filename="x.json"', b'{"a": 1}', "content-type: application/json"),
    ) == {"image.size": 7, "blob.size": 2, "note.size": 3, "data": {"a": 1}}


def test_a_name_that_comes_again_has_a_list():
    assert read(part('name="a"', b"1"), part('name="a"', b"2")) == {"a": [1, 2]}


@pytest.mark.parametrize("boundary", ['"x"', "x; charset=utf-8", "x"])
def test_the_boundary_may_be_quoted_and_is_case_sensitive(boundary):
    data = form(part('name="a"', b"1\r\n--X"))
    assert multipart.read(data, f"multipart/form-data; BOUNDARY={boundary}") == {"a": "1\r\n--X"}


def test_a_preamble_and_an_epilogue_are_left_out():
    data = b"hello\r\n" + form(part('name="a"', b"1")) + b"bye"
    assert multipart.read(data, TYPE) == {"a": 1}


WHOLE = form(part('name="age"', b"31"), part('name="f"; filename="f"', b"\x00" * 5))


@pytest.mark.parametrize("end", range(len(WHOLE) - 2))
def test_a_form_cut_anywhere_has_a_reason(end):
    with pytest.raises(Undecodable) as raised:
        multipart.read(WHOLE[:end], TYPE)
    assert raised.value.reason in (Undecoded.SHAPE, Undecoded.NO_ROWS)


@pytest.mark.parametrize(
    ("data", "content_type", "reason"),
    [
        (WHOLE, "multipart/form-data", Undecoded.SHAPE),
        (WHOLE, "multipart/form-data; boundary=y", Undecoded.SHAPE),
        (WHOLE, f"multipart/form-data; boundary={'x' * 71}", Undecoded.SHAPE),
        (b"--x--\r\n", TYPE, Undecoded.NO_ROWS),
        (form(b"--x\r\n\r\n1\r\n"), TYPE, Undecoded.SHAPE),
        (form(part('name="a"', b"1", "X: " + "y" * 5000)), TYPE, Undecoded.SHAPE),
        (form(part('name="a"', b"{", "Content-Type: application/json")), TYPE, Undecoded.NOT_JSON),
        (form(*[part('name="a"', b"1")] * (columns.MAX_COLUMNS + 5)), TYPE, Undecoded.TOO_WIDE),
    ],
)
def test_what_is_no_form_has_a_reason(data, content_type, reason):
    with pytest.raises(Undecodable) as raised:
        multipart.read(data, content_type)
    assert raised.value.reason is reason


def test_a_long_name_is_cut():
    (name,) = read(part(f'name="{"n" * 3000}"', b"1"))
    assert len(name) == 200


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255), tail=st.binary(max_size=9))
def test_a_broken_form_is_read_or_has_a_reason(at, byte, tail):
    try:
        found = multipart.read(WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :] + tail, TYPE)
    except Undecodable:
        return
    assert found and all(type(name) is str for name in found)
