"""One direction: where messages begin and end."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.wire.head import CHUNKED, Unreadable
from sidecar.wire.limits import Budget, Limits
from sidecar.wire.message import MessageReader


class Recorder(MessageReader):
    """A side whose heads say their length themselves: `5`, or `c` for chunked."""

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits or Limits(), Budget(1_000_000))
        self.messages: list[bytes] = []
        self.body = b""

    def _check_start(self, byte):
        if byte == 0:
            raise Unreadable

    def _on_head(self, head, time):
        self.body = b""
        return CHUNKED if head == b"c" else int(head)

    def _on_body(self, data, time):
        self.body += data

    def _on_lost_body(self, length, until):
        self.body += b"?" * length

    def _on_end(self, time):
        self.messages.append(self.body)


def read(data: bytes, size: int = 0) -> list[bytes]:
    reader = Recorder()
    for at in range(0, len(data), size or len(data)):
        reader.feed(data[at : at + (size or len(data))], 0.0)
    assert reader._budget.used == 0 or not reader.between
    return reader.messages


CHUNKS = b"c\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nTrailer: 1\r\n\r\n"


def test_messages_follow_each_other_whatever_the_cuts():
    data = b"3\r\n\r\nabc" + b"0\r\n\r\n" + CHUNKS + b"\r\n\r\n2\r\n\r\nxy"
    for size in range(1, len(data) + 1):
        assert read(data, size) == [b"abc", b"", b"hello!", b"xy"]


@pytest.mark.parametrize(
    "chunks",
    [
        b"+5\r\n",
        b"-1\r\n",
        b" 5\r\n",
        b"0x5\r\n",
        b"5\n",
        b"5\rX\n",
        b"5;a\nb\r\n",
        b"5\x00\r\n",
        b"\r\n",
        b"g\r\n",
        b"fffffffffffffffff\r\n",
        b"5\r\nhelloXX",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhelloX\n",
        b"0\r\nX: 1\n\r\n",
        b"5;" + b"x" * 9_000,
        b"0\r\n" + b"X: 1\r\n" * 4_000,
    ],
)
def test_chunks_whose_framing_is_in_doubt_lose_the_place(chunks):
    for size in (0, 1, 1000):
        with pytest.raises(Unreadable):
            read(b"c\r\n\r\n" + chunks + b"\r\n", size)


def test_a_gap_is_stepped_over_only_inside_a_body_or_chunk():
    reader = Recorder()
    reader.feed(b"9\r\n\r\nab", 0.0)
    assert reader.skip(4, 1.0)
    reader.feed(b"xyz4\r\n\r\n", 0.0)
    assert reader.skip(4, 1.0)
    assert reader.messages == [b"ab????xyz", b"????"]
    assert not reader.skip(1, 1.0)


@pytest.mark.parametrize(
    "before", [b"", b"1", b"c\r\n\r\n", b"c\r\n\r\n5", b"c\r\n\r\n1\r\na", b"c\r\n\r\n0\r\n"]
)
def test_a_gap_outside_a_body_loses_the_place(before):
    reader = Recorder()
    reader.feed(before, 0.0)
    assert not reader.skip(1, 0.0)


def test_a_gap_longer_than_the_body_loses_the_place():
    reader = Recorder()
    reader.feed(b"5\r\n\r\n", 0.0)
    assert not reader.skip(6, 0.0)


def test_a_huge_length_claims_no_memory():
    reader = Recorder()
    reader.feed(b"c\r\n\r\nfffffffffffffffe\r\nhello", 0.0)
    assert reader.remaining == 0xFFFFFFFFFFFFFFFE - 5


def test_a_head_is_buffered_up_to_its_limit():
    limits = Limits(head_bytes=100)
    for size in (1, 30, 99):
        reader = Recorder(limits)
        for _ in range(100 // size):
            reader.feed(b"1" * size, 0.0)
        with pytest.raises(Unreadable):
            reader.feed(b"1" * size + b"1" * size, 0.0)
    reader = Recorder(limits)
    with pytest.raises(Unreadable):
        reader.feed(b"1" * 101 + b"\r\n\r\n", 0.0)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(st.binary(max_size=20), st.lists(st.binary(min_size=1, max_size=20), max_size=4)),
        max_size=6,
    ),
    st.integers(1, 40),
)
def test_what_was_framed_is_what_is_read(messages, size):
    data, expected = b"", []
    for message in messages:
        if isinstance(message, bytes):
            data += b"%d\r\n\r\n%s" % (len(message), message)
            expected.append(message)
        else:
            data += (
                b"c\r\n\r\n"
                + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in message)
                + b"0\r\n\r\n"
            )
            expected.append(b"".join(message))
    if data:
        assert read(data, size) == expected
