import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.chunk import FROM_SERVER, Chunk, FrameError, FrameReader, Kind, encode

CHUNKS = [
    Chunk(Kind.HELLO, 1 << 40, time=1.0, meta={"version": "1", "worker": 1}),
    Chunk(Kind.OPEN, (1 << 40) + 1, time=1.5, meta={"route": "r", "offsets": [0, 7], "new": False}),
    Chunk(Kind.DATA, (1 << 40) + 1, FROM_SERVER, 2.0, 1 << 35, b"HTTP/1.1 200 OK\r\n"),
    Chunk(Kind.GAP, (1 << 40) + 1, FROM_SERVER, 3.0, (1 << 35) + 17, length=1 << 34, until=4.5),
    Chunk(Kind.DATA, (1 << 40) + 1, 0, 5.0, 0, b""),
    Chunk(Kind.END, (1 << 40) + 1, FROM_SERVER, 5.5, 99),
    Chunk(Kind.CLOSE, (1 << 40) + 1, time=6.0),
]
WIRE = b"".join(encode(chunk) for chunk in CHUNKS)


def test_every_chunk_comes_back_as_it_went() -> None:
    assert list(FrameReader().feed(WIRE)) == CHUNKS


def test_cuts_between_reads_do_not_matter() -> None:
    for cut in range(len(WIRE)):
        reader = FrameReader()
        assert [*reader.feed(WIRE[:cut]), *reader.feed(WIRE[cut:])] == CHUNKS


def test_a_frame_that_has_only_begun_waits_for_its_rest() -> None:
    reader = FrameReader()
    assert list(reader.feed(WIRE + WIRE[:10])) == CHUNKS
    assert list(reader.feed(WIRE[10:])) == CHUNKS


@given(st.binary(min_size=32, max_size=200))
def test_bytes_that_are_no_frame_are_refused_and_never_anything_else(data: bytes) -> None:
    with contextlib.suppress(FrameError):
        assert all(isinstance(chunk, Chunk) for chunk in FrameReader().feed(data))


@pytest.mark.parametrize("payload", [b"[]", b"{", b"[" * 10_000, b'"text"'])
def test_details_that_are_no_object_are_refused(payload: bytes) -> None:
    frame = encode(Chunk(Kind.DATA, 1, data=payload))
    with pytest.raises(FrameError):
        list(FrameReader().feed(bytes([Kind.OPEN]) + frame[1:]))


def test_a_frame_that_claims_gigabytes_is_refused_before_anything_is_kept() -> None:
    with pytest.raises(FrameError):
        list(FrameReader().feed(b"\x03\x00\x00\x00\xff\xff\xff\xff" + bytes(24)))
