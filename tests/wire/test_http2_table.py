"""Fields of header blocks, as the `hpack` library reads them, and what is left of those that nobody keeps."""

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.wire.http2_table import Said, Table, Unfollowable

ROOM = 65_536


def everything(name: bytes, value: bytes) -> Said:
    return name.decode("latin-1"), value.decode("latin-1")


def nothing(name: bytes, value: bytes) -> None:
    return None


class Library:
    """The same questions, answered by the library."""

    def __init__(self) -> None:
        self.decoder = hpack.Decoder(max_header_list_size=ROOM)

    def decode(self, block: bytes) -> list[Said] | None:
        try:
            return [everything(*field) for field in self.decoder.decode(block, raw=True)]
        except hpack.HPACKError:
            return None


def decoded(table: Table, block: bytes) -> list[Said] | None:
    try:
        return table.decode(block, ROOM)
    except Unfollowable:
        return None


NAMES = st.sampled_from(["x", "x-request-id", ":path", "grpc-timeout", "authorization", "long" * 30])
VALUES = st.one_of(st.sampled_from(["", "1", "GET", "v" * 300]), st.text("abc%~", max_size=40))
FIELDS = st.lists(st.tuples(NAMES, VALUES, st.booleans()), max_size=8)


@settings(deadline=None)
@given(st.lists(st.tuples(FIELDS, st.booleans(), st.sampled_from([None, 0, 60, 200, 4096])), max_size=8))
def test_what_an_encoder_said_is_read(blocks):
    encoder, table = hpack.Encoder(), Table(everything)
    for fields, huffman, size in blocks:
        if size is not None:
            encoder.header_table_size = size
        said = [(name, value) for name, value, _ in fields]
        assert table.decode(encoder.encode(fields, huffman=huffman), ROOM) == said


# Octets that mean something, and texts short enough to be there.
OCTETS = st.sampled_from(
    [*range(0x30), *range(0x3E, 0x48), 0x7F, *range(0x80, 0x84), *range(0xBD, 0xC2), 0xFF]
)
BLOCKS = st.one_of(st.lists(OCTETS, max_size=24).map(bytes), st.binary(max_size=24))


@settings(deadline=None)
@given(st.lists(BLOCKS, min_size=1, max_size=6))
def test_any_blocks_are_read_as_the_library_reads_them_until_one_cannot_be(blocks):
    table, library = Table(everything), Library()
    for block in blocks:
        read = decoded(table, block)
        assert read == library.decode(block)
        if read is None:
            return


@settings(deadline=None)
@given(st.lists(BLOCKS, min_size=1, max_size=6))
def test_a_table_that_keeps_nothing_follows_as_far(blocks):
    table, other = Table(everything), Table(nothing)
    for block in blocks:
        read, unread = decoded(table, block), decoded(other, block)
        assert (read is None) is (unread is None)
        assert table.memory == other.memory
        if read is None:
            return


@settings(deadline=None)
@given(FIELDS, st.integers(0, 12))
def test_a_block_may_be_read_in_two_parts_where_its_references_end(fields, references):
    encoder, table, whole = hpack.Encoder(), Table(everything), Table(everything)
    for reader in (table, whole):
        reader.decode(hpack.Encoder().encode(fields), ROOM)
    encoder.encode(fields)
    begun, rest = b"\x82" * references, encoder.encode(fields)
    said = table.decode(begun, ROOM) + table.decode(rest, ROOM, begun=references > 0)
    assert said == whole.decode(begun + rest, ROOM)


def test_of_a_field_that_nobody_keeps_only_the_name_stays():
    table = Table(nothing)
    block = hpack.Encoder().encode([("authorization", "Bearer s3cret"), ("x-own", "s3cret")])
    assert table.decode(block, ROOM) == []
    assert table.memory > 2 * 32
    assert "s3cret" not in repr(table._entries) and "x-own" in repr(table._entries)


def test_a_size_cannot_change_once_a_block_has_begun():
    with pytest.raises(Unfollowable):
        Table(everything).decode(b"\x20", ROOM, begun=True)
    assert Table(everything).decode(b"\x20\x3f\xe1\x1f\x82", ROOM) == [(":method", "GET")]


def test_fields_have_to_fit_into_the_room_there_is():
    block = hpack.Encoder().encode([("x", "v" * 67)])
    assert Table(everything).decode(block, 100) == [("x", "v" * 67)]
    with pytest.raises(Unfollowable):
        Table(everything).decode(block, 99)


def test_the_oldest_fields_leave_a_table_that_is_full():
    table, library = Table(everything), Library()
    for number in range(200):
        block = b"\x40\x01x\x64" + b"%100d" % number
        assert table.decode(block, ROOM) == library.decode(block)
    # 4096 bytes hold 30 of 133.
    assert table._size == 30 * 133 and table.decode(b"\xdb", ROOM) == [("x", f"{170:100}")]
    with pytest.raises(Unfollowable):
        table.decode(b"\xdc", ROOM)


def test_a_field_larger_than_the_table_empties_it():
    table = Table(everything)
    assert table.decode(b"\x3f\x21\x40\x01x\x01y\xbe", ROOM) == [("x", "y")] * 2  # a table of 64 bytes
    assert table.decode(b"\x40\x01x\x20" + b"v" * 32, ROOM) == [("x", "v" * 32)]
    assert table.memory == 0


def test_every_change_of_the_table_shows():
    table = Table(everything)
    unchanged = b"\x82" + b"\x00\x01x\x01y" + b"\x10\x01x\x01y"
    for block, changed in ((unchanged, False), (b"\x40\x01x\x01y", True), (b"\xbe", False), (b"\x20", True)):
        before = table.changes
        table.decode(block, ROOM)
        assert (table.changes != before) is changed


def test_a_table_that_was_cleared_remembers_nothing():
    table = Table(everything)
    table.decode(b"\x40\x01x\x01y", ROOM)
    table.clear()
    assert table.memory == 0
    table.decode(b"\x40\x01x\x01y", ROOM)
    assert table.memory == 0
